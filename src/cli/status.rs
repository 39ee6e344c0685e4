//! `blocksmith status`: how far a study has come.

use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};

use super::follow;
use super::output;
use super::progress::text;
use super::view::View;
use crate::error::Result;
use crate::report::table::clean;
use crate::study::{Trial, TrialStatus};

/// Trials up to which all are listed as text; of more only those that run or failed.
const LIST: usize = 200;

/// How far a study has come: trials done, running, failed and queued, the best so far, the front, and the time left.
///
/// Reads the journal alone, so it works while the study runs, after it was killed, and on a copy of its folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith status reports/quickstart\n  \
    blocksmith status reports/quickstart --follow\n  \
    blocksmith status reports/quickstart --json | jq .best.accuracy\n  \
    blocksmith status reports/quickstart --follow --json | jq --unbuffered -r '[.done, .total, .seconds_left] | @tsv'\n\n\
    --json prints `trials` (planned so far), `total` (that there will be), `done`, `failed`, `queued`, `running`, `epochs` (over),\n  \
    `seconds_left` (null before the first epoch), `best`, `front` (of params against mean validation accuracy, each with\n  \
    `name`, `candidate`, `params`, `madds`, `accuracy`, `sd`, `seeds`), `state` (running, stopped or finished), `simulated`,\n  \
    `results_hash` (equal for two studies with the same numbers) and `trial_list`. With --follow there is one object a line\n  \
    for each change, without `trial_list`; it ends with the study.")]
pub struct Args {
    /// Folder of the study, as `run` wrote it
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Go on showing it until the study ends or Ctrl-C: drawn over on a terminal, elsewhere a line for each change
    #[arg(long)]
    follow: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the status of the study.
///
/// # Errors
/// A sentence where there is no study or its journal does not read.
pub fn execute(args: &Args) -> Result<()> {
    if args.follow {
        return follow::follow(&args.dir, args.json);
    }
    let view = View::now(&args.dir)?;
    if args.json { output::print_json(&view.with_trials()) } else { output::print(&as_text(&view)) }
}

fn as_text(view: &View) -> String {
    let state = &view.state;
    let mut text = view.head().join("\n");
    let all = state.trials.len() <= LIST;
    let told = |t: &&Trial| all || matches!(t.status, TrialStatus::Running | TrialStatus::Failed);
    let trials: Vec<&Trial> = state.trials.iter().filter(told).take(LIST).collect();
    if trials.is_empty() {
        return text;
    }
    if !all {
        text += "\nrunning and failed trials (--json lists all):";
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
    for trial in trials {
        table.add_row([
            trial.number.to_string(),
            clean(&text::label(trial)),
            format!("{:?}", trial.status).to_lowercase(),
            format!("{}/{}", trial.epochs.len(), state.experiment.train.epochs),
            percent(trial.epochs.last().map(|e| e.validation.accuracy)),
            percent(trial.test.map(|m| m.accuracy)),
            clean(&why(trial)),
        ]);
    }
    text + "\n" + &table.trim_fmt()
}

/// Why a trial did not finish, where something ended it.
fn why(trial: &Trial) -> String {
    match (&trial.failure, trial.timed_out) {
        (Some(failure), _) => failure.reason.clone(),
        (None, Some(limit)) => format!("no more time ({})", limit.key()),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::super::view::expected;
    use super::*;
    use crate::study::lock::Owner;
    use crate::study::simulated::{Simulated, environment, experiment, plan};
    use crate::study::{RunSettings, Silent, Study, StudyState};

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

    fn owner() -> Option<Owner> {
        Some(Owner { pid: 1, host: "here".into() })
    }

    #[test]
    fn text_has_a_line_for_each_trial() {
        let text = as_text(&View::new(study(), None));
        let lines: Vec<_> =
            text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines[0], "study simulated: finished");
        assert_eq!(lines[1], "2 trials: 1 done, 0 running, 1 failed, 0 queued");
        assert!(lines[2].starts_with("best so far: mix seed 0 val acc "), "{text}");
        assert_eq!(lines[3], "front of params against validation accuracy (mean over seeds):");
        assert!(lines[4].starts_with("362,992 params ") && lines[4].ends_with(" % mix"), "{text}");
        assert!(lines[6].starts_with("1 mix seed 0 finished 3/3 "), "{text}");
        assert_eq!(lines[7].split('%').next_back().unwrap().trim(), "the loss is NaN");
        // Long lists are for scripts.
        let mut long = study();
        let trial = long.trials[0].clone();
        long.trials.extend((3..=300).map(|number| Trial { number, ..trial.clone() }));
        let text = as_text(&View::new(long, None));
        assert!(text.contains("running and failed trials (--json") && text.lines().count() < 12, "{text}");
    }

    #[test]
    fn json_has_what_a_script_asks_for() {
        let mut state = study();
        let json = serde_json::to_value(View::new(state.clone(), None).with_trials()).unwrap();
        assert_eq!(json["trials"], 2);
        assert_eq!(json["total"], 2);
        assert_eq!(json["done"], 1);
        assert_eq!(json["failed"], 1);
        assert_eq!(json["queued"], 0);
        assert_eq!(json["running"], 0);
        assert_eq!(json["best"]["label"], "mix");
        assert_eq!(json["state"], "finished");
        assert_eq!(json["simulated"], false);
        assert_eq!(json["seconds_left"], 0.0);
        assert_eq!(json["front"][0]["accuracy"], json["best"]["accuracy"]);
        assert_eq!(json["front"].as_array().unwrap().len(), 1);
        assert_eq!(json["trial_list"][1]["failure"], "the loss is NaN");
        state.finished = false;
        let json = View::new(state.clone(), None).json();
        assert_eq!((&json["state"], &json["trial_list"]), (&"stopped".into(), &serde_json::Value::Null));
        assert_eq!(View::new(state, owner()).json()["state"], "running");
    }

    /// Ten epochs of five seconds each are over, and two of the second trial are left.
    #[test]
    fn time_left_goes_down_while_the_study_runs() {
        let mut state = study();
        state.finished = false;
        for epoch in &mut state.trials[0].epochs {
            epoch.seconds = 5.0;
        }
        state.trials[1].epochs.truncate(1);
        state.trials[1].epochs[0].seconds = 5.0;
        (state.trials[1].status, state.trials[1].failure) = (TrialStatus::Running, None);
        let line = |view: &View| view.head().into_iter().find(|line| line.contains("left"));
        let view = View::new(state.clone(), None);
        assert_eq!(view.seconds_left, Some(10.0));
        assert_eq!(line(&view).unwrap(), "about 10 s left");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        state.last_at = now.as_millis() as u64 - 60_000;
        let view = View::new(state, owner());
        assert_eq!(view.seconds_left, Some(10.0));
        assert_eq!(line(&view).unwrap(), "about 0.0 s left");
    }

    #[test]
    fn a_random_search_says_how_many_trials_are_to_come() {
        let mut state = study();
        state.finished = false;
        assert_eq!(expected(&state), 2);
        let trial = Trial { status: TrialStatus::Queued, ..state.trials[0].clone() };
        state.trials.extend((3..=1026).map(|number| Trial { number, ..trial.clone() }));
        let strategy = crate::config::StrategyKind::Random;
        let search = crate::config::SearchConfig::new("s.yaml".into(), strategy, Some(5000));
        state.experiment.search = Some(search);
        state.experiment.seeds = vec![1, 2];
        assert_eq!(expected(&state), 2 * (2 + 5000));
        let text = as_text(&View::new(state, None));
        assert!(
            text.contains("10,004 trials: 1 done, 0 running, 1 failed, 1,024 queued, 8,978 to be planned"),
            "{text}"
        );
    }
}
