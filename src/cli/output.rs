//! The one place where the program prints.
//!
//! What is printed quotes files, folders, journals and the command line, which may hold anything: a character that is not to be
//! seen, or that steers a terminal, is written as an escape here, whatever its way. `clippy.toml` keeps other files from the
//! standard streams and from the texts of progress bars.

use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Write};

use crate::error::{Error, Result};
use crate::report::table::Table;
use crate::text;

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
    let mut out = standard_output().lock();
    match writeln!(out, "{}", text::shown(text)).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) => gone(e).map(|()| false),
    }
}

/// Says on standard error what the user should know, in one sentence.
pub fn note(sentence: &str) {
    complain(&format!("note: {sentence}"));
}

/// Prints a sentence on standard error. Where no one reads it any more there is no one to tell.
pub fn complain(sentence: &str) {
    let _ = writeln!(standard_error(), "{}", text::shown(sentence));
}

/// A reader that has gone away is not an error.
fn gone(e: io::Error) -> Result<()> {
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
    let mut out = Escaping(BufWriter::new(standard_output().lock()));
    let written = serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from);
    written.and_then(|()| writeln!(out)).and_then(|()| out.flush()).or_else(gone)
}

/// JSON on one line; its values are the same.
pub fn json_line(value: &serde_json::Value) -> String {
    escaped_json(&value.to_string())
}

/// Hidden characters stand in the strings of JSON alone, and are written as its own escapes: `\\u202e`.
fn escaped_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units = [0; 2];
    for c in text.chars() {
        if text::is_hidden(c) && c != '\n' {
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Writes JSON, which comes in whole pieces of text.
struct Escaping<W>(W);

impl<W: Write> Write for Escaping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(escaped_json(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that prints")]
fn standard_output() -> io::Stdout {
    io::stdout()
}

/// For the progress display, which escapes its lines by [`text::one_line`].
#[expect(clippy::disallowed_methods, reason = "the one place that prints")]
pub fn standard_error() -> io::Stderr {
    io::stderr()
}

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    standard_output().is_terminal()
}

/// Sets the text of a progress bar.
#[expect(clippy::disallowed_methods, reason = "the one place that prints")]
pub fn set_message(bar: &indicatif::ProgressBar, text: &str) {
    bar.set_message(text::one_line(text));
}

/// Sets the text before a progress bar.
#[expect(clippy::disallowed_methods, reason = "the one place that prints")]
pub fn set_prefix(bar: &indicatif::ProgressBar, text: &str) {
    bar.set_prefix(text::one_line(text));
}

/// Prints a line above progress bars.
#[expect(clippy::disallowed_methods, reason = "the one place that prints")]
pub fn line_above(bars: &indicatif::MultiProgress, text: &str) {
    let _ = bars.println(text::one_line(text));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8259, section 7: a string means the same with its characters escaped.
    #[test]
    fn json_hides_nothing_and_keeps_its_values() {
        let value = serde_json::json!({"a\u{202e}": "\u{9b}31m\u{7f}\u{e0041}é\n"});
        let mut bytes = Vec::new();
        serde_json::to_writer_pretty(Escaping(&mut bytes), &value).unwrap();
        for text in [String::from_utf8(bytes).unwrap(), json_line(&value)] {
            assert!(
                text.contains("a\\u202e") && text.contains("\\u009b31m\\u007f\\udb40\\udc41é\\n"),
                "{text}"
            );
            assert!(!text.chars().any(|c| text::is_hidden(c) && c != '\n'));
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        }
    }
}
