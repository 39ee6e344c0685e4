//! Every change that a study makes on the disk goes through one of these functions, so that tests can make any of them fail.
//!
//! Reading is not here: a study that cannot be read has lost nothing.

#[cfg(test)]
pub mod fault;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crate::file;

/// What is done to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    MakeFolder,
    Open,
    Write,
    Cut,
    Sync,
    SyncFolder,
    Rename,
    Remove,
}

/// Makes a folder and those above it.
pub fn make_folder(path: &Path) -> io::Result<()> {
    allowed(Op::MakeFolder, path)?;
    fs::create_dir_all(path)
}

/// Opens a file for reading and writing where it is, or makes it; what it holds stays.
pub fn open(path: &Path) -> io::Result<File> {
    allowed(Op::Open, path)?;
    // Through a link, a pipe or a device it would be written who knows where.
    file::own(path)?;
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
}

/// Makes an empty file; what a killed process left by that name goes, and a link is not followed.
pub fn create(path: &Path) -> io::Result<File> {
    allowed(Op::Open, path)?;
    let create = || OpenOptions::new().write(true).create_new(true).open(path);
    match create() {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            create()
        }
        done => done,
    }
}

/// Writes `bytes` where `file`, which is at `path`, stands.
pub fn write(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let allowed = allowed(Op::Write, path);
    #[cfg(test)]
    if allowed.is_err() && fault::breaks_off(path) {
        file.write_all(&bytes[..bytes.len() / 2])?;
    }
    allowed?;
    file.write_all(bytes)
}

/// Cuts `file`, which is at `path`, to its first `len` bytes, and stands at its end.
pub fn cut(file: &mut File, path: &Path, len: u64) -> io::Result<()> {
    allowed(Op::Cut, path)?;
    file.set_len(len)?;
    file.seek(SeekFrom::Start(len)).map(drop)
}

/// Waits until what was written to `file` is on the disk.
pub fn sync(file: &File, path: &Path) -> io::Result<()> {
    allowed(Op::Sync, path)?;
    file.sync_data()
}

/// Makes the entry of `path` in its folder durable. Windows cannot sync a folder and does not need to.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    allowed(Op::SyncFolder, path)?;
    if cfg!(unix)
        && let Some(folder) = path.parent()
    {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Puts the file at `from` in the place of `to`.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    allowed(Op::Rename, to)?;
    fs::rename(from, to)
}

/// Removes a file.
pub fn remove(path: &Path) -> io::Result<()> {
    allowed(Op::Remove, path)?;
    fs::remove_file(path)
}

#[cfg(test)]
fn allowed(op: Op, path: &Path) -> io::Result<()> {
    fault::on(op, path)
}

#[cfg(not(test))]
fn allowed(_op: Op, _path: &Path) -> io::Result<()> {
    Ok(())
}
