//! Signals that ask the program to end: SIGINT (Ctrl-C), SIGTERM (Slurm, containers, `timeout`) and SIGHUP (a terminal that
//! closes).
//!
//! While a study trains, the first asks it to stop: every trial leaves a checkpoint, and the journal says that it was
//! interrupted. Everywhere else there is nothing to finish, so the program ends at once. A second signal ends it at once in any
//! case, which loses nothing but the steps since the last checkpoints. A SIGHUP that was ignored when the program began, as
//! `nohup` has it, stays ignored.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::output;
use crate::error::{Error, Result, Signal};

/// Set by the first signal.
static STOP: AtomicBool = AtomicBool::new(false);
/// A study trains, and looks at `STOP`.
static TRAINS: AtomicBool = AtomicBool::new(false);
/// The number of the signal that came.
static CAME: AtomicU8 = AtomicU8::new(0);

/// While this lives, a first signal only asks.
pub struct Training(());

impl Training {
    /// From here on [`stop`](Self::stop) is looked at.
    pub fn begin() -> Self {
        TRAINS.store(true, Ordering::SeqCst);
        Self(())
    }

    /// Set once the user wants the study to end.
    pub fn stop(&self) -> &'static AtomicBool {
        &STOP
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        TRAINS.store(false, Ordering::SeqCst);
    }
}

/// Between two studies, whether to go on.
///
/// # Errors
/// [`Error::Interrupted`] where a signal came while the last one ended.
pub fn check() -> Result<()> {
    if STOP.load(Ordering::SeqCst) { Err(Error::Interrupted(came())) } else { Ok(()) }
}

/// An interruption by the signal that it was; other errors as they are.
pub fn named(error: Error) -> Error {
    match error {
        Error::Interrupted(_) => Error::Interrupted(came()),
        other => other,
    }
}

fn came() -> Signal {
    Signal::numbered(CAME.load(Ordering::SeqCst)).unwrap_or(Signal::Interrupt)
}

/// What a signal does.
fn on(signal: Signal) {
    CAME.store(signal.number(), Ordering::SeqCst);
    let again = STOP.swap(true, Ordering::SeqCst);
    if TRAINS.load(Ordering::SeqCst) && !again {
        let again = if signal == Signal::Interrupt { "Ctrl-C once more" } else { "a second signal" };
        output::complain(&format!(
            "{}: stopping after the step under way; {again} stops at once",
            signal.name()
        ));
        return;
    }
    if !again {
        output::complain(&format!("interrupted by {}", signal.name()));
    }
    std::process::exit(i32::from(Error::Interrupted(signal).exit_code()));
}

/// Watches for signals, from a thread of its own.
///
/// # Errors
/// Where the system lets no handler be set.
#[cfg(unix)]
pub fn watch() -> Result<()> {
    use signal_hook::iterator::Signals;

    let fail = |e: std::io::Error| Error::run(format!("cannot watch for signals ({e})"));
    let watched = Signal::ALL.into_iter().filter(|signal| *signal != Signal::HangUp || hears_hang_up());
    let mut signals = Signals::new(watched.map(|signal| i32::from(signal.number()))).map_err(fail)?;
    let listen = move || {
        for number in signals.forever() {
            if let Some(signal) = u8::try_from(number).ok().and_then(Signal::numbered) {
                on(signal);
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen).map(drop).map_err(fail)
}

/// Elsewhere there is Ctrl-C alone.
///
/// # Errors
/// Where the system lets no handler be set.
#[cfg(not(unix))]
pub fn watch() -> Result<()> {
    ctrlc::set_handler(|| on(Signal::Interrupt))
        .map_err(|e| Error::run(format!("cannot watch for Ctrl-C ({e})")))
}

/// Whether SIGHUP was not ignored when the program began. Where the system does not tell, it keeps the meaning that it has.
#[cfg(unix)]
fn hears_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_heard(&status, Signal::HangUp.number())
}

/// Whether the mask of ignored signals in /proc/self/status lacks this one.
#[cfg(unix)]
fn is_heard(status: &str, number: u8) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (number - 1) & 1 == 0)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// The line as `sh -c 'trap "" HUP; grep SigIgn /proc/self/status'` prints it, and without the trap.
    #[test]
    fn a_hang_up_that_nohup_ignores_stays_ignored() {
        assert!(!is_heard("Name:\tx\nSigIgn:\t0000000000000001\nSigCgt:\t0\n", 1));
        assert!(is_heard("SigIgn:\t0000000000001000\n", 1));
        assert!(!is_heard("", 1));
    }
}
