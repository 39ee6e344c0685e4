//! Names inside a study's folder, and the one way files other than the journal are written there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::disk;
use crate::error::{Error, Result};
use crate::{file, text};

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

/// What to say where no study is in `dir`: that its phases are, where they are.
pub fn no_study(dir: &Path) -> Error {
    let shown = dir.display();
    let folders = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut within: Vec<String> =
        folders.filter(|path| journal(path).exists()).map(|path| path.display().to_string()).collect();
    within.sort();
    Error::request(match &within[..] {
        [] => format!(
            "{shown}: there is no study here (no journal.jsonl with a whole line): name the folder that `blocksmith run` wrote"
        ),
        [one] => format!("{shown}: there is no study here, but one in {one}: name that folder"),
        [first, ..] => format!(
            "{shown}: there is no study here, but {} in its folders, as phases of an experiment have them: name one, such as {first}",
            within.len()
        ),
    })
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
    let temporary = temporary(path);
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

fn temporary(path: &Path) -> PathBuf {
    path.with_file_name(file::temporary_name(path.file_name().unwrap_or_default(), None))
}

/// Removes what processes that were killed left half written in a study's folder, and leaves those that still write alone.
/// No two hosts write one study at once, so a file of another host's process is one that is gone.
pub fn sweep(dir: &Path) {
    for folder in ["", "checkpoints", "logs"] {
        sweep_folder(&dir.join(folder));
    }
    // Temporary files of before had no process in their names.
    for entry in fs::read_dir(dir.join("checkpoints")).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("trial-") && name.ends_with(".tmp") && !file::is_temporary(&name) {
            let _ = disk::remove(&entry.path());
        }
    }
}

/// As [`sweep`], of one folder.
pub fn sweep_folder(folder: &Path) {
    for path in file::left_behind(folder) {
        let _ = disk::remove(&path);
    }
}

/// Whether `path` still names the open file.
#[cfg(unix)]
pub fn is_at(file: &fs::File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => open.ino() == named.ino() && open.dev() == named.dev(),
        _ => false,
    }
}

/// Elsewhere an open file cannot be removed by others.
#[cfg(not(unix))]
pub fn is_at(_file: &fs::File, _path: &Path) -> bool {
    true
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
            let (free, remedy) = shortage(e.kind(), free_at(path));
            Error::run(format!(
                "{at}: no space for {what}{size}{free} ({e}): the study pauses and nothing that it finished is lost; \
                 {remedy} and give the same command again"
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

/// What a disk has left for this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Free {
    bytes: u64,
    /// Files that may still be made; `None` where the file system does not count them.
    files: Option<u64>,
}

/// What there is too little of, and what to do about it.
fn shortage(kind: io::ErrorKind, free: Option<Free>) -> (String, &'static str) {
    const SPACE: &str = "free some space (weights of finished studies go where their experiment says `checkpoints: {keep: best}`)";
    let left = free.map_or_else(String::new, |free| format!(", {} is free", text::bytes(free.bytes)));
    match (kind, free) {
        (io::ErrorKind::QuotaExceeded, _) => (
            format!(" within your quota{left} on the disk"),
            "remove some of your files there, or ask for a larger quota,",
        ),
        (io::ErrorKind::StorageFull, Some(Free { files: Some(0), .. })) => (
            format!("{left}, but no inode is: the disk holds as many files as it can"),
            "remove some files, of any size,",
        ),
        (io::ErrorKind::FileTooLarge, _) => (left, "raise the limit on the size of a file (ulimit -f)"),
        _ => (left, SPACE),
    }
}

/// What is left on the disk of `path`, where the system tells.
#[cfg(unix)]
fn free_at(path: &Path) -> Option<Free> {
    let folder = path.ancestors().skip(1).find(|folder| folder.is_dir())?;
    let disk = rustix::fs::statvfs(folder).ok()?;
    let bytes = disk.f_bavail.checked_mul(disk.f_frsize)?;
    Some(Free { bytes, files: (disk.f_files > 0).then_some(disk.f_favail) })
}

#[cfg(not(unix))]
fn free_at(_path: &Path) -> Option<Free> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_from_inodes_and_quotas() {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        let free = |bytes, files| Some(Free { bytes, files });
        assert_eq!(shortage(StorageFull, free(4096, Some(17))).0, ", 4 KIB is free".replace("KIB", "KiB"));
        // A file system that counts no files, as btrfs.
        assert_eq!(shortage(StorageFull, free(0, None)).0, ", 0 B is free");
        let (what, remedy) = shortage(StorageFull, free(1 << 30, Some(0)));
        assert!(
            what.contains("1.00 GiB is free, but no inode is") && remedy.contains("remove some files"),
            "{what}"
        );
        let (what, remedy) = shortage(QuotaExceeded, free(1 << 30, Some(5)));
        assert!(what.contains("within your quota") && remedy.contains("quota"), "{what}");
        assert_eq!(shortage(StorageFull, None).0, "");
    }

    /// Files of processes that are gone go, in the study's folder and below.
    #[test]
    fn what_killed_processes_left_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("checkpoints")).unwrap();
        let left = ["report.md.blocksmith-4000000000.tmp", "checkpoints/trial-0002.safetensors.17.tmp"];
        for name in left.iter().chain(&["report.md"]) {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        sweep(dir.path());
        assert!(left.iter().all(|name| !dir.path().join(name).exists()));
        assert!(dir.path().join("report.md").exists());
    }
}
