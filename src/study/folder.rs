//! Names inside a study's folder, and the one way files other than the journal are written there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

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
    fs::create_dir_all(&checkpoints).map_err(|e| {
        Error::request(format!(
            "{}: cannot make this folder ({e}): name a folder that can be written with --out",
            checkpoints.display()
        ))
    })?;
    // So that a power cut right after the first event cannot take the folder with it. A folder above that may not be
    // opened is no reason to refuse.
    let _ = sync_folder(dir);
    Ok(())
}

/// Writes a file so that after any crash it is there whole or not at all:
/// under a temporary name, synced, renamed, and the rename synced.
///
/// # Errors
/// What the system says where the disk refuses; what was there before is then still there.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Its own name for every file and process, so that two at work in one folder never write into one another's.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let write = || -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        sync_folder(path)
    };
    write().inspect_err(|_| {
        // Half a file must not keep the disk full.
        let _ = fs::remove_file(&temporary);
    })
}

/// Makes the entry of `path` in its folder durable. Windows cannot sync a folder and does not need to.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix)
        && let Some(folder) = path.parent()
    {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
