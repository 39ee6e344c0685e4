//! Names inside a study's folder, and the one way files other than the journal are written there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::disk;
use crate::error::{Error, Result};
use crate::text;

/// The journal of the study in `dir`.
pub fn journal(dir: &Path) -> PathBuf {
    dir.join("journal.jsonl")
}

/// The final weights of a trial, such as `checkpoints/trial-0007.safetensors`.
pub fn checkpoint(dir: &Path, trial: usize) -> PathBuf {
    dir.join("checkpoints").join(format!("trial-{trial:04}.safetensors"))
}

/// What an unfinished trial needs to go on, such as `checkpoints/trial-0007.unfinished`.
pub fn unfinished(dir: &Path, trial: usize) -> PathBuf {
    dir.join("checkpoints").join(format!("trial-{trial:04}.unfinished"))
}

/// What became of the attempts of a trial that failed, such as `logs/trial-0007.log`.
pub fn log(dir: &Path, trial: usize) -> PathBuf {
    dir.join("logs").join(format!("trial-{trial:04}.log"))
}

/// Makes the folder of a study and that of its checkpoints.
///
/// # Errors
/// A sentence where a folder cannot be made: no permission, or a file of that name.
pub fn create(dir: &Path) -> Result<()> {
    let checkpoints = dir.join("checkpoints");
    disk::make_folder(&checkpoints).map_err(|e| unwritten(&checkpoints, "this folder", 0, &e))?;
    // So that a power cut right after the first event cannot take the folder with it. A folder above that may not be
    // opened is no reason to refuse.
    let _ = disk::sync_folder(dir);
    Ok(())
}

/// Writes a file so that after any crash it is there whole or not at all:
/// under a temporary name, synced, renamed, and the rename synced.
///
/// # Errors
/// What the system says where the disk refuses; what was there before is then still there, or the new file is.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Its own name for every file and process, so that two at work in one folder never write into one another's.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let write = || -> io::Result<()> {
        let mut file = disk::create(&temporary)?;
        disk::write(&mut file, &temporary, bytes)?;
        disk::sync(&file, &temporary)?;
        disk::rename(&temporary, path)?;
        disk::sync_folder(path)
    };
    write().inspect_err(|_| {
        // Half a file must not keep the disk full.
        let _ = disk::remove(&temporary);
    })
}

/// Removes what processes that were killed left half written. Only for the holder of the study's lock.
pub fn sweep(dir: &Path) {
    for folder in ["checkpoints", "logs"] {
        let Ok(entries) = fs::read_dir(dir.join(folder)) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("trial-") && name.ends_with(".tmp") {
                let _ = disk::remove(&path);
            }
        }
    }
}

/// What to say where the system refused to write `bytes` bytes (0: no matter how many) of `what` at `path`: a request that
/// was wrong where the folder may not be written, else a run that has to pause.
pub fn unwritten(path: &Path, what: &str, bytes: u64, e: &io::Error) -> Error {
    use io::ErrorKind::{AlreadyExists, InvalidInput, NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let at = path.display();
    match e.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => {
            let size =
                if bytes > 0 { format!(", which takes {}", text::bytes(bytes)) } else { String::new() };
            let free =
                free_at(path).map_or_else(String::new, |free| format!(", {} is free", text::bytes(free)));
            Error::run(format!(
                "{at}: no space for {what}{size}{free} ({e}): the study pauses and nothing that it finished is lost; \
                 free some space (weights of finished studies go where their experiment says `checkpoints: {{keep: best}}`) \
                 and give the same command again"
            ))
        }
        InvalidInput => Error::request(format!(
            "{at}: cannot write {what} ({e}): take it away, or name another folder with --out"
        )),
        AlreadyExists | NotADirectory | PermissionDenied | ReadOnlyFilesystem => Error::request(format!(
            "{at}: cannot write {what} ({e}): restore access, or name another folder with --out"
        )),
        _ => Error::run(format!(
            "{at}: cannot write {what} ({e}): nothing that the study finished is lost; see to the disk, \
             and give the same command again"
        )),
    }
}

/// Bytes that this user may still write on the disk of `path`, where the system tells.
#[cfg(unix)]
fn free_at(path: &Path) -> Option<u64> {
    let folder = path.ancestors().skip(1).find(|folder| folder.is_dir())?;
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_at(_path: &Path) -> Option<u64> {
    None
}
