//! `blocksmith retry`: failed trials are put back.

use std::path::PathBuf;

use super::break_lock::break_lock;
use super::output;
use crate::error::{Error, Result};
use crate::study::event::Event;
use crate::study::journal::Journal;
use crate::study::lock::Lock;
use crate::study::{TrialStatus, folder, state};

/// Put failed trials of a study back, to be trained again by the command that began it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith retry reports/quickstart --failed\n  \
    blocksmith retry reports/quickstart --trial 7 --trial 9")]
pub struct Args {
    /// Folder of the study, as `run` wrote it
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// All trials that failed
    #[arg(long, required_unless_present = "trial")]
    failed: bool,
    /// One trial that failed; may be given several times
    #[arg(long, value_name = "N")]
    trial: Vec<usize>,
    /// Print JSON: `dir`, and `retried`, the numbers of the trials put back
    #[arg(long)]
    json: bool,
    /// Take over a study whose lock a process of another machine holds that is known to be gone
    #[arg(long)]
    break_lock: bool,
}

/// Puts the trials back.
///
/// # Errors
/// A sentence where there is no study, another process works on it, or a trial did not fail.
pub fn execute(args: &Args) -> Result<()> {
    // Before the lock, which would make the folder.
    state::read(&args.dir)?;
    if args.break_lock {
        break_lock(&args.dir)?;
    }
    let _lock = Lock::take(&args.dir)?;
    let (Some(state), replay) = state::replay(&args.dir)? else { return Ok(()) };
    let dir = args.dir.display();
    for number in &args.trial {
        let found = state.trial(*number).map(|trial| trial.status);
        if found != Some(TrialStatus::Failed) {
            let what = found.map_or("there is no such trial", |_| "it did not fail");
            return Err(Error::request(format!(
                "{dir}: trial {number}: {what}; `blocksmith status {dir}` lists the trials"
            )));
        }
    }
    let wanted = |number: usize| args.failed || args.trial.contains(&number);
    let failed = state.trials.iter().filter(|trial| trial.status == TrialStatus::Failed);
    let again: Vec<usize> = failed.map(|trial| trial.number).filter(|number| wanted(*number)).collect();
    if again.is_empty() {
        if args.json {
            return print_json(args, &again);
        }
        return output::print(&format!("{dir}: no trial failed"));
    }
    let events = again.iter().map(|&trial| Event::TrialRetried { trial }).collect();
    Journal::open(&folder::journal(&args.dir), replay)?.append(events, Vec::new)?;
    if args.json {
        return print_json(args, &again);
    }
    let numbers = again.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let what = if again.len() == 1 { "trial" } else { "trials" };
    output::print(&format!("{dir}: {what} {numbers} put back; the command that began the study trains them"))
}

fn print_json(args: &Args, again: &[usize]) -> Result<()> {
    output::print_json(&serde_json::json!({"dir": args.dir, "retried": again}))
}
