//! Files that are either whole or not there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes a file beside its place and renames it there.
///
/// # Errors
/// The folder cannot be made or written.
pub fn write(folder: &Path, name: &str, content: &[u8]) -> Result<PathBuf> {
    let path = folder.join(name);
    let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let failed = |e: std::io::Error| {
        Error::request(format!(
            "{}: the report cannot be written ({e}); choose a folder you may write to",
            path.display()
        ))
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let written = fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, &path));
    if let Err(e) = written {
        // Best effort: the failure to report is the first one.
        let _ = fs::remove_file(&temporary);
        return Err(failed(e));
    }
    Ok(path)
}
