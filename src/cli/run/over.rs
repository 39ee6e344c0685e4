//! What comes after a study: random search next to it, the report, and what a script is told.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::{Args, baseline, run_study};
use crate::cli::output;
use crate::cli::place::Place;
use crate::cli::report::{self as command, RANDOM, ReportArgs};
use crate::config::{Baseline, Experiment};
use crate::error::{Error, Result};
use crate::report;
use crate::study::{StudyState, TrialStatus, folder};

/// Runs what belongs next to a study that has ended, and reports; `before` is whether an earlier run had ended it.
///
/// # Errors
/// As a run; where nothing of the study finished, that.
pub fn end(
    args: &Args,
    experiment: &Experiment,
    dir: &Path,
    place: Place,
    (state, before): (&StudyState, bool),
) -> Result<Option<Value>> {
    match experiment.search.as_ref().and_then(|search| search.baseline) {
        Some(Baseline::Random) => {
            let random = baseline::random(experiment, state);
            if !args.json {
                output::print(&format!(
                    "random search at the same cost: {} candidates of {} epochs",
                    random.search.as_ref().and_then(|search| search.trials).unwrap_or(0),
                    random.train.epochs
                ))?;
            }
            let said = run_study(args, random, &dir.join(RANDOM), place)?;
            let mut all = self::report(dir, (state, before), args.json)?;
            if let (Some(Value::Object(all)), Some(said)) = (&mut all, said) {
                all.insert("random".into(), said);
            }
            Ok(all)
        }
        None => self::report(dir, (state, before), args.json),
    }
}

/// Writes the report and prints its headline, or what a script asks for; a study in which nothing finished has failed. Of a
/// study that an earlier run ended the report is written only where it is not there, or older.
fn report(dir: &Path, (state, before): (&StudyState, bool), json: bool) -> Result<Option<Value>> {
    let known = up_to_date(dir).filter(|_| before);
    let said = match (json, known) {
        (true, known) => Some(as_json(dir, state, known)?),
        (false, Some(report)) => {
            output::print(&format!(
                "{}: this study is finished, and its report is up to date (`blocksmith report {}` writes it again): {}",
                dir.display(),
                dir.display(),
                report.display()
            ))?;
            None
        }
        (false, None) => {
            if before {
                let dir = dir.display();
                output::print(&format!("{dir}: this study is finished; writing its report again"))?;
            }
            command::run(&ReportArgs { dir: dir.to_path_buf(), out: None, force: false, json: false })?;
            None
        }
    };
    let failed = state.count(TrialStatus::Failed);
    if failed > 0 && state.count(TrialStatus::Finished) == 0 {
        // A script is told how it stands whatever the exit code.
        if let Some(said) = &said {
            output::print_json(said)?;
        }
        let reason = state.trials.iter().find_map(|t| t.failure.as_ref());
        let reason = reason.map_or("", |failure| &failure.reason);
        return Err(Error::run(format!(
            "{}: none of the {failed} trials finished (the first: {reason}): change the recipe and start another study \
             with --out FOLDER",
            dir.display()
        )));
    }
    Ok(said)
}

fn as_json(dir: &Path, state: &StudyState, report: Option<PathBuf>) -> Result<Value> {
    let report = match report {
        Some(report) => report,
        None => report::write(&command::read(dir)?, command::random(dir)?.as_deref(), dir)?.report,
    };
    let warnings = state.environments.last().map_or_else(Vec::new, |environment| {
        // Each once, for all its seeds.
        let mut named = HashSet::new();
        let variants = state.trials.iter().map(|trial| &trial.candidate);
        let variants = variants.filter(|of| of.is_variant && named.insert(of.label.as_str()));
        report::warnings::of(&state.experiment, variants, &environment.data)
    });
    Ok(json!({
        "dir": dir,
        "study": state.experiment.name,
        "simulated": !state.experiment.trainer.is_network(),
        "trials": state.trials.len(),
        "done": state.count(TrialStatus::Finished),
        "failed": state.count(TrialStatus::Failed),
        "best": state.best().map(|t| t.number),
        "results_hash": state.results_hash(),
        "warnings": warnings,
        "reproducible": !state.is_timed_out(),
        "report": report,
    }))
}

/// The study's report, where it is there and no older than what it tells of. It is the last file that a report writes.
fn up_to_date(dir: &Path) -> Option<PathBuf> {
    let report = dir.join("report.md");
    let changed = |path: &Path| -> Option<SystemTime> { path.metadata().ok()?.modified().ok() };
    let written = changed(&report)?;
    let is_older = |dir: &Path| changed(&folder::journal(dir)).is_none_or(|journal| journal <= written);
    let is_whole = dir.join("trials.csv").is_file();
    (is_whole && is_older(dir) && is_older(&dir.join(RANDOM))).then_some(report)
}
