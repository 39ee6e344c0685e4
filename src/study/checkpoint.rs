//! The checkpoint of an unfinished trial: a line that says whose it is, then what the trainer left.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::retention::Room;
use super::state::Trial;
use super::{disk, folder};
use crate::error::{Error, Result};
use crate::file;
use crate::text::hex;

/// Whose checkpoint it is, and that it is whole.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    trial: usize,
    candidate: String,
    seed: u64,
    /// Epochs that were over and in the journal when it was written.
    epochs: usize,
    sha256: String,
}

/// Where a trial goes on.
#[derive(Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Epochs that were over.
    pub epochs: usize,
    /// What the trainer left.
    pub bytes: Vec<u8>,
}

/// Writes a trial's checkpoint in place of its last one.
///
/// # Errors
/// [`Error::Run`] where the disk or its budget refuses; the last one is then still there.
pub fn write(dir: &Path, room: &Room, trial: &Trial, bytes: &[u8]) -> Result<()> {
    let path = folder::unfinished(dir, trial.number);
    let head = Head {
        trial: trial.number,
        candidate: trial.candidate.hash.clone(),
        seed: trial.seed,
        epochs: trial.epochs.len(),
        sha256: hex(&Sha256::digest(bytes)),
    };
    let head = serde_json::to_string(&head).map_err(|e| Error::run(format!("{}: {e}", path.display())))?;
    let whole = [head.as_bytes(), b"\n", bytes].concat();
    room.write(&path, "the checkpoint", &whole)
}

/// The checkpoint from which a trial can go on; `None` where there is none.
///
/// # Errors
/// A clause for the user where there is one that cannot be used: the trial then starts anew.
pub fn read(dir: &Path, trial: &Trial) -> std::result::Result<Option<Checkpoint>, String> {
    let path = folder::unfinished(dir, trial.number);
    let whole = match file::read(&path) {
        Ok(whole) => whole,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(format!("{} cannot be read ({e})", path.display())),
    };
    let damaged = || format!("{} is damaged", path.display());
    let line = whole.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let head: Head = serde_json::from_slice(&whole[..line]).map_err(|_| damaged())?;
    let bytes = whole[line + 1..].to_vec();
    if head.sha256 != hex(&Sha256::digest(&bytes)) {
        return Err(damaged());
    }
    let is_mine =
        (head.trial, &head.candidate, head.seed) == (trial.number, &trial.candidate.hash, trial.seed);
    if !is_mine || head.epochs > trial.epochs.len() {
        return Err(format!("{} is of another trial or another run of it", path.display()));
    }
    Ok(Some(Checkpoint { epochs: head.epochs, bytes }))
}

/// Removes a trial's checkpoint, once it is not needed any more; what cannot be removed does no harm.
pub fn remove(dir: &Path, room: &Room, trial: usize) {
    let path = folder::unfinished(dir, trial);
    let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
    if disk::remove(&path).is_ok() {
        room.freed(bytes);
    }
}
