//! The random streams of a trial, each from (study seed, candidate, trial seed) and its purpose alone.

use sha2::{Digest, Sha256};

use super::TrialTask;

/// 32 bytes for one purpose of a trial.
pub fn stream(task: &TrialTask, purpose: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(task.study_seed.to_le_bytes());
    hash.update(task.seed.to_le_bytes());
    hash.update(task.candidate_hash.as_bytes());
    hash.update([0]);
    hash.update(purpose.as_bytes());
    hash.finalize().into()
}

/// The first 8 bytes of [`stream`].
pub fn seed(task: &TrialTask, purpose: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = stream(task, purpose);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
