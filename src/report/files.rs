//! Files that are either whole or not there.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::file;
use crate::study::folder::{sweep_folder, write_whole};

/// Writes a file into `folder`, which is made where it is not there yet.
///
/// # Errors
/// The folder cannot be made or written, or something other than a file stands in the place of this one.
pub fn write(folder: &Path, name: &str, content: &[u8]) -> Result<PathBuf> {
    let path = folder.join(name);
    sweep_folder(folder);
    let written = fs::create_dir_all(folder).and_then(|()| file::own(&path));
    written.and_then(|()| write_whole(&path, content)).map_err(|e| {
        Error::request(format!(
            "{}: the report cannot be written ({e}); choose a folder you may write to",
            path.display()
        ))
    })?;
    Ok(path)
}

/// Refuses to write `names` into a folder that a user names where files of these names are there and are not ours: the first is
/// a report, and ours begins with `title`.
///
/// # Errors
/// A sentence that says which file is in the way.
pub fn claim(folder: &Path, names: &[&str], title: &str, force: bool) -> Result<()> {
    let wrong = |what: String| Error::request(format!("--out {}: {what}", folder.display()));
    if folder.exists() && !folder.is_dir() {
        return Err(wrong("this is not a folder: name a folder for the report".into()));
    }
    let ours = names.first().is_some_and(|report| begins(&folder.join(report), title));
    let there = names.iter().find(|name| folder.join(name).symlink_metadata().is_ok());
    match there {
        Some(name) if !ours && !force => Err(wrong(format!(
            "{name} is there already, and is not of this report: name another folder, or replace it with --force"
        ))),
        _ => Ok(()),
    }
}

/// Whether the first line of a file is `title`.
fn begins(path: &Path, title: &str) -> bool {
    let mut start = Vec::new();
    let most = title.len() as u64 + 1;
    let read = file::open(path).and_then(|file| file.take(most).read_to_end(&mut start));
    read.is_ok() && start == format!("{title}\n").as_bytes()
}
