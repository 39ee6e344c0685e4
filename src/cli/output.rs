//! Writing to standard output.

use std::io::{BufWriter, ErrorKind, Write, stdout};

use crate::error::{Error, Result};
use crate::report::table::Table;

/// Prints `text` and a line break. A reader that has gone away (`| head`) is not an error.
///
/// # Errors
/// Where standard output cannot be written: a full disk, say.
pub fn print(text: &str) -> Result<()> {
    told(text).map(|_| ())
}

/// As [`print`](fn@print); whether there is still a reader, for what would go on printing without end.
///
/// # Errors
/// As [`print`](fn@print).
pub fn told(text: &str) -> Result<bool> {
    let mut out = stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) => gone(e).map(|()| false),
    }
}

/// A reader that has gone away is not an error.
fn gone(e: std::io::Error) -> Result<()> {
    if e.kind() == ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(Error::run(format!("cannot write to standard output ({e})")))
}

/// Prints `value` as indented JSON.
///
/// # Errors
/// As [`print`](fn@print).
pub fn print_json(value: &impl serde::Serialize) -> Result<()> {
    // Not by way of a text: a list of a million trials is long.
    let mut out = BufWriter::new(stdout().lock());
    let written = serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from);
    written.and_then(|()| writeln!(out)).and_then(|()| out.flush()).or_else(gone)
}

/// Most columns to which lines are padded.
const WIDEST: usize = 10_000;

/// A table with a candidate's block text after each row. The texts are long: as a column of the table they would make
/// its rule longer than any terminal is wide.
pub fn with_candidates(table: &Table, candidates: impl IntoIterator<Item = String>) -> String {
    let text = table.terminal();
    let width = text.lines().map(|line| line.chars().count()).max().unwrap_or(0).min(WIDEST);
    let ends = ["candidate".to_owned(), String::new()].into_iter().chain(candidates);
    let lines = text.lines().zip(ends).map(|(line, end)| match end.as_str() {
        "" => line.to_owned(),
        end => format!("{line:<width$}   {end}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}
