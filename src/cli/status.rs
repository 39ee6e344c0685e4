//! `blocksmith status`: how far a study has come.

use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::output;
use super::progress::text;
use crate::error::Result;
use crate::study::lock::{Lock, Owner};
use crate::study::{StudyState, Trial, TrialStatus, state};

/// How far a study has come: trials done, running, failed and queued, and the best so far.
///
/// Reads the journal alone, so it works while the study runs, after it was killed, and on a copy of its folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith status reports/quickstart\n  \
    blocksmith status reports/quickstart --json | jq .best.accuracy\n\n\
    --json prints `trials` (their number), `done`, `failed`, `queued`, `running`, `best`, `state` (running, stopped or \
    finished),\n  `results_hash` (equal for two studies with the same numbers) and `trial_list`.")]
pub struct Args {
    /// Folder of the study, as `run` wrote it
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the status of the study.
///
/// # Errors
/// A sentence where there is no study or its journal does not read.
pub fn execute(args: &Args) -> Result<()> {
    let mut state = state::read(&args.dir)?;
    let owner = Lock::owner(&args.dir);
    if owner.is_none() {
        state.abandon_running();
    }
    if args.json {
        output::print_json(&as_json(&state, owner.is_some()))
    } else {
        output::print(&as_text(&state, owner.as_ref()))
    }
}

fn word(state: &StudyState, running: bool) -> &'static str {
    match (running, state.finished) {
        (true, _) => "running",
        (false, true) => "finished",
        (false, false) => "stopped",
    }
}

fn as_json(state: &StudyState, running: bool) -> Value {
    let trial = |t: &Trial| {
        json!({
            "trial": t.number,
            "label": t.candidate.label,
            "candidate": t.candidate.text,
            "seed": t.seed,
            "status": t.status,
            "epochs": t.epochs.len(),
            "params": t.candidate.params,
            "madds": t.candidate.madds,
            "accuracy": t.epochs.last().map(|e| e.validation.accuracy),
            "test_accuracy": t.test.map(|m| m.accuracy),
            "failure": t.failure.as_ref().map(|f| f.reason.as_str()),
        })
    };
    json!({
        "study": state.experiment.name,
        "state": word(state, running),
        "trials": state.trials.len(),
        "done": state.count(TrialStatus::Finished),
        "failed": state.count(TrialStatus::Failed),
        "queued": state.count(TrialStatus::Queued),
        "running": state.count(TrialStatus::Running),
        "best": state.best().map(trial),
        "results_hash": state.results_hash(),
        "trial_list": state.trials.iter().map(trial).collect::<Vec<_>>(),
    })
}

fn as_text(state: &StudyState, owner: Option<&Owner>) -> String {
    let count = |status| state.count(status);
    let who = owner.map_or_else(String::new, |o| format!(" (process {} on {})", o.pid, o.host));
    let mut text = format!(
        "study {}: {}{who}\n{} trials: {} done, {} running, {} failed, {} queued\n",
        state.experiment.name,
        word(state, owner.is_some()),
        state.trials.len(),
        count(TrialStatus::Finished),
        count(TrialStatus::Running),
        count(TrialStatus::Failed),
        count(TrialStatus::Queued),
    );
    if let Some(best) = text::best(state) {
        text += &format!("best so far: {best}\n");
    }
    if owner.is_none() && !state.finished {
        text += "the command that began it continues it\n";
    }
    if state.trials.is_empty() {
        return text.trim_end().to_owned();
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header([
        "trial",
        "candidate",
        "status",
        "epoch",
        "val acc",
        "test acc",
        "",
    ]);
    for column in [0, 3, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let percent = |accuracy: Option<f64>| accuracy.map_or_else(String::new, |a| format!("{a:.1}%"));
    for trial in &state.trials {
        table.add_row([
            trial.number.to_string(),
            text::label(trial),
            format!("{:?}", trial.status).to_lowercase(),
            format!("{}/{}", trial.epochs.len(), state.experiment.train.epochs),
            percent(trial.epochs.last().map(|e| e.validation.accuracy)),
            percent(trial.test.map(|m| m.accuracy)),
            trial.failure.as_ref().map_or_else(String::new, |f| f.reason.clone()),
        ]);
    }
    text + &table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;
    use crate::study::simulated::{Simulated, environment, experiment, plan};
    use crate::study::{RunSettings, Silent, Study};

    fn study() -> StudyState {
        let dir = tempfile::tempdir().unwrap();
        let experiment = experiment(&["mix", "diverges"], &[0]);
        let settings = RunSettings {
            jobs: 1,
            checkpoint_every: Duration::ZERO,
            environment: environment(1, "hash"),
            stop: &AtomicBool::new(false),
            display: &Silent,
        };
        let study = Study::open(dir.path(), &experiment).unwrap();
        study.run(&mut plan(&experiment).into_iter(), &Simulated::new(3), &settings).unwrap()
    }

    #[test]
    fn text_has_a_line_for_each_trial() {
        let text = as_text(&study(), None);
        let lines: Vec<_> =
            text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines[0], "study simulated: finished");
        assert_eq!(lines[1], "2 trials: 1 done, 0 running, 1 failed, 0 queued");
        assert!(lines[2].starts_with("best so far: mix seed 0 val acc "), "{text}");
        assert!(lines[4].starts_with("1 mix seed 0 finished 3/3 "), "{text}");
        assert_eq!(lines[5].split('%').next_back().unwrap().trim(), "the loss is NaN");
    }

    #[test]
    fn json_has_what_a_script_asks_for() {
        let mut state = study();
        let json = as_json(&state, false);
        assert_eq!(json["trials"], 2);
        assert_eq!(json["done"], 1);
        assert_eq!(json["failed"], 1);
        assert_eq!(json["queued"], 0);
        assert_eq!(json["running"], 0);
        assert_eq!(json["best"]["label"], "mix");
        assert_eq!(json["state"], "finished");
        assert_eq!(json["trial_list"][1]["failure"], "the loss is NaN");
        state.finished = false;
        assert_eq!(as_json(&state, false)["state"], "stopped");
        assert_eq!(as_json(&state, true)["state"], "running");
    }
}
