//! Files that are either whole or not there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::study::folder::{sweep_folder, write_whole};

/// Writes a file into `folder`, which is made where it is not there yet.
///
/// # Errors
/// The folder cannot be made or written.
pub fn write(folder: &Path, name: &str, content: &[u8]) -> Result<PathBuf> {
    let path = folder.join(name);
    sweep_folder(folder);
    fs::create_dir_all(folder).and_then(|()| write_whole(&path, content)).map_err(|e| {
        Error::request(format!(
            "{}: the report cannot be written ({e}); choose a folder you may write to",
            path.display()
        ))
    })?;
    Ok(path)
}
