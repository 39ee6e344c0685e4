//! Ctrl-C: the first asks the study to stop, the second does not ask.
//!
//! SIGTERM and SIGHUP keep their meaning: a killed study resumes as well as a stopped one, and a handler for SIGHUP would
//! undo `nohup`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::output;
use crate::error::{Error, Result};

/// A flag that the first Ctrl-C sets; the second ends the process at once, which loses nothing but the
/// epochs under way, since the journal is on the disk.
///
/// # Errors
/// Where the system lets no handler be set.
pub fn watch() -> Result<Arc<AtomicBool>> {
    // An experiment of phases asks for each.
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(stop) = STOP.get() {
        return Ok(Arc::clone(stop));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(Error::Interrupted.exit_code()));
        }
        output::complain("stopping after the step under way; press Ctrl-C again to stop at once");
    })
    .map_err(|e| Error::run(format!("cannot watch for Ctrl-C ({e})")))?;
    Ok(Arc::clone(STOP.get_or_init(|| stop)))
}
