//! One study, one process: the folder's lock.
//!
//! The operating system holds the lock on the file `lock` and lets it go when the process ends, however it ends, so a
//! killed run leaves nothing to clean up. The file's text only says who holds it. Where the file system knows no locks,
//! that text decides: a process that is gone from the same host has left a stale lock, which is taken over. Whether one of
//! another host is gone only the user can know, and says so with `--break-lock`.

use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{disk, folder};
use crate::error::{Error, Result};
use crate::file;

/// How often a lock is tried for, and the pause between: a fifth of a second in all.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// The lock of a study's folder, held until dropped.
#[derive(Debug)]
pub struct Lock {
    // Closing the file gives the lock back.
    file: File,
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
            let refused = |e: &std::io::Error| folder::unwritten(&path, "the lock", 0, e);
            let mut file = disk::open(&path).map_err(|e| refused(&e))?;
            match file.try_lock() {
                Ok(()) if !folder::is_at(&file, &path) => continue,
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
            if let Err(e) = write_owner(&mut file, &path) {
                // Half a line would say nothing, or name a process that is somebody else's.
                let _ = disk::remove(&path);
                return Err(refused(&e));
            }
            return Ok(Self { file, path });
        }
        Err(held(dir, owner))
    }

    /// Breaks the lock of the study in `dir` where somebody of another host holds it, or somebody who is gone; says who.
    /// `None` where there is nothing to break. A holder that works on regardless finds out at its next event, and stops.
    ///
    /// # Errors
    /// A sentence where the holder runs on this machine, or the lock cannot be removed.
    pub fn break_stale(dir: &Path) -> Result<Option<Owner>> {
        let path = dir.join("lock");
        let Ok(mut file) = file::open(&path) else { return Ok(None) };
        if file.try_lock_shared().is_ok() {
            return Ok(None);
        }
        let Some(owner) = owner_in(&mut file) else { return Ok(None) };
        if owner.host == host() && owner.lives() {
            return Err(Error::request(format!(
                "{}: process {} on this machine holds the lock and runs: stop it (kill {}) instead of breaking its lock, \
                 or where that is another program, remove {}",
                dir.display(),
                owner.pid,
                owner.pid,
                path.display()
            )));
        }
        disk::remove(&path).map_err(|e| folder::unwritten(&path, "over the lock", 0, &e))?;
        Ok(Some(owner))
    }

    /// Who works on the study in `dir` now, if anybody does.
    pub fn owner(dir: &Path) -> Option<Owner> {
        let mut file = file::open(&dir.join("lock")).ok()?;
        match file.try_lock_shared() {
            Ok(()) => None,
            Err(TryLockError::WouldBlock) => owner_in(&mut file),
            Err(TryLockError::Error(_)) => owner_in(&mut file).filter(Owner::lives),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Somebody may have broken it and hold one of his own by that name.
        if folder::is_at(&self.file, &self.path) {
            let _ = disk::remove(&self.path);
        }
    }
}

impl Owner {
    fn this() -> Self {
        Self { pid: std::process::id(), host: host() }
    }

    /// Whether the process may still be there: of another host, or of a system without `/proc`, nobody can tell.
    fn lives(&self) -> bool {
        self.host != host() || file::lives(self.pid)
    }
}

fn write_owner(file: &mut File, path: &Path) -> std::io::Result<()> {
    let owner = Owner::this();
    disk::cut(file, path, 0)?;
    disk::write(file, path, format!("{} {}\n", owner.pid, owner.host).as_bytes())
}

fn owner_in(file: &mut File) -> Option<Owner> {
    let mut text = String::new();
    file.take(1024).read_to_string(&mut text).ok()?;
    let (pid, host) = text.trim().split_once(' ')?;
    Some(Owner { pid: pid.parse().ok()?, host: host.to_owned() })
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
    let dir = dir.display();
    Error::request(match owner {
        Some(Owner { pid, host: theirs }) if theirs != host() => format!(
            "{dir}: process {pid} on {theirs} holds the lock of this study, and whether it still works on it cannot be seen from {}: \
             wait for it or stop it there; if it is gone, give --break-lock; or name another folder with --out",
            host()
        ),
        Some(Owner { pid, host }) => format!(
            "{dir}: process {pid} on {host} is working on this study: wait for it or stop it, \
             or name another folder with --out"
        ),
        None => format!(
            "{dir}: another process is working on this study: wait for it or stop it, or name another folder with --out"
        ),
    })
}
