//! `--break-lock`: a lock that a process of another host left behind.

use std::path::Path;

use super::progress;
use crate::error::Result;
use crate::study::lock::Lock;

/// Breaks the lock of the study in `dir` where its holder cannot be seen, and says whose it was.
///
/// # Errors
/// A sentence where the holder runs on this machine.
pub fn break_lock(dir: &Path) -> Result<()> {
    if let Some(owner) = Lock::break_stale(dir)? {
        progress::display().on_notice(&format!(
            "{}: the lock of process {} on {} is broken; should that process still work on this study, it stops at its next event",
            dir.display(),
            owner.pid,
            owner.host
        ));
    }
    Ok(())
}
