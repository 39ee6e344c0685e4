//! Writing to standard output.

use std::io::{ErrorKind, Write, stdout};

use crate::error::{Error, Result};

/// Prints `text` and a line break. A reader that has gone away (`| head`) is not an error.
///
/// # Errors
/// Where standard output cannot be written: a full disk, say.
pub fn print(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::run(format!("cannot write to standard output ({e})")))
        }
        _ => Ok(()),
    }
}

/// Prints `value` as indented JSON.
///
/// # Errors
/// As [`print`](fn@print).
pub fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let text =
        serde_json::to_string_pretty(value).map_err(|e| Error::run(format!("cannot write JSON ({e})")))?;
    print(&text)
}
