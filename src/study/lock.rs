//! One study, one process: the folder's lock.
//!
//! The operating system holds the lock on the file `lock` and lets it go when the process ends, however it ends, so a
//! killed run leaves nothing to clean up. The file's text only says who holds it. Where the file system knows no locks,
//! that text decides: a process that is gone from the same host has left a stale lock, which is taken over.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};

/// How often a lock is tried for, and the pause between: a fifth of a second in all.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// The lock of a study's folder, held until dropped.
#[derive(Debug)]
pub struct Lock {
    // Closing the file gives the lock back.
    _file: File,
    path: PathBuf,
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub pid: u32,
    pub host: String,
}

impl Lock {
    /// Takes the lock of the study in `dir`.
    ///
    /// # Errors
    /// A sentence where another process has it, or where the folder cannot be written.
    pub fn take(dir: &Path) -> Result<Self> {
        let path = dir.join("lock");
        let mut owner = None;
        // More than one attempt: a holder that ends removes the file, and should it do so between our opening and our
        // locking, we hold the lock of a file that is gone; and `status` holds the lock for a moment as it looks.
        for _ in 0..ATTEMPTS {
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&path)
                .map_err(|e| unwritable(dir, &e))?;
            match file.try_lock() {
                Ok(()) if !is_at(&file, &path) => continue,
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    owner = owner_in(&mut file);
                    std::thread::sleep(PAUSE);
                    continue;
                }
                Err(TryLockError::Error(_)) => match owner_in(&mut file) {
                    Some(owner) if owner.lives() => return Err(held(dir, Some(owner))),
                    _ => {}
                },
            }
            write_owner(&mut file).map_err(|e| unwritable(dir, &e))?;
            return Ok(Self { _file: file, path });
        }
        Err(held(dir, owner))
    }

    /// Who works on the study in `dir` now, if anybody does.
    pub fn owner(dir: &Path) -> Option<Owner> {
        let mut file = File::open(dir.join("lock")).ok()?;
        match file.try_lock_shared() {
            Ok(()) => None,
            Err(TryLockError::WouldBlock) => owner_in(&mut file),
            Err(TryLockError::Error(_)) => owner_in(&mut file).filter(Owner::lives),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Owner {
    fn this() -> Self {
        Self { pid: std::process::id(), host: host() }
    }

    /// Whether the process may still be there: of another host, or of a system without `/proc`, nobody can tell.
    fn lives(&self) -> bool {
        let proc = Path::new("/proc");
        self.host != host() || !proc.join("self").exists() || proc.join(self.pid.to_string()).exists()
    }
}

fn write_owner(file: &mut File) -> std::io::Result<()> {
    let owner = Owner::this();
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{} {}\n", owner.pid, owner.host).as_bytes())
}

fn owner_in(file: &mut File) -> Option<Owner> {
    let mut text = String::new();
    file.take(1024).read_to_string(&mut text).ok()?;
    let (pid, host) = text.trim().split_once(' ')?;
    Some(Owner { pid: pid.parse().ok()?, host: host.to_owned() })
}

/// Whether `path` still names the open file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => open.ino() == named.ino() && open.dev() == named.dev(),
        _ => false,
    }
}

/// Elsewhere an open file cannot be removed by others.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown-host".into())
}

fn held(dir: &Path, owner: Option<Owner>) -> Error {
    let who =
        owner.map_or_else(|| "another process".to_owned(), |o| format!("process {} on {}", o.pid, o.host));
    Error::request(format!(
        "{}: {who} is working on this study: wait for it or stop it, or name another folder with --out",
        dir.display()
    ))
}

fn unwritable(dir: &Path, e: &std::io::Error) -> Error {
    Error::request(format!(
        "{}: cannot write in this folder ({e}): restore access, or name another folder with --out",
        dir.display()
    ))
}
