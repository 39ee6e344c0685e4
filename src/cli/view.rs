//! What a study's journal and lock say at one moment, for whoever watches.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::progress::tally::Tally;
use super::progress::text;
use crate::analysis::{CandidateFront, CandidatePoint, Cost, Split, StudySummary};
use crate::config::{Experiment, StrategyKind, TrainerConfig};
use crate::error::Result;
use crate::report::format::{mean_sd, thousands};
use crate::study::lock::{Lock, Owner};
use crate::study::{StudyState, Trial, TrialStatus, on_front, state};

/// Said wherever figures of a simulation are shown.
pub fn simulated(trainer: &TrainerConfig) -> &'static str {
    match trainer {
        TrainerConfig::Tabular(_) => {
            "replayed: no network is trained, and accuracies and times are those of a table"
        }
        _ => "simulated: no network is trained, and neither accuracies nor times are measured",
    }
}

/// Candidates of the front that are shown as text.
const FRONT: usize = 12;

/// The runner queues more trials than this ahead of its workers, as long as there are more.
const QUEUED_AHEAD: usize = 500;

/// A study at one moment.
pub struct View {
    pub state: StudyState,
    pub owner: Option<Owner>,
    pub tally: Tally,
    /// Candidates on the front of params against validation accuracy, by rising params.
    pub front: Vec<CandidatePoint>,
    /// As of the last event; of a stopped study what its remainder would take. `None` before the first epoch.
    pub seconds_left: Option<f64>,
}

impl View {
    /// Reads the study in `dir`, on which `owner` works. Nothing is written.
    ///
    /// # Errors
    /// A sentence where there is no study or its journal does not read.
    pub fn read(dir: &Path, owner: Option<Owner>) -> Result<Self> {
        Ok(Self::new(state::read(dir)?, owner))
    }

    /// A study on which `owner` works, now.
    pub fn now(dir: &Path) -> Result<Self> {
        // In this order: a study that ends between the two is then seen as running, not as stopped.
        let owner = Lock::owner(dir);
        Self::read(dir, owner)
    }

    pub fn new(mut state: StudyState, owner: Option<Owner>) -> Self {
        if owner.is_none() {
            state.abandon_running();
        }
        let tally = Tally::of_all(&state, Some(expected(&state)));
        // A study of a million trials has a short front: only its candidates are summed up.
        let on_front = on_front(&state);
        let trials = state.trials.iter().filter(|trial| on_front.contains(&trial.number)).cloned().collect();
        let summary = StudySummary::of(StudyState { trials, ..state.without_trials() });
        let front = CandidateFront::on(&summary, Cost::Params, Split::Validation);
        let front = front.points.into_iter().filter(|point| point.on_front).collect();
        let seconds_left = if state.finished { Some(0.0) } else { tally.seconds_left() };
        Self { state, owner, tally, front, seconds_left }
    }

    /// `running`, `finished` or `stopped`.
    pub fn word(&self) -> &'static str {
        match (&self.owner, self.state.finished) {
            (Some(_), _) => "running",
            (None, true) => "finished",
            (None, false) => "stopped",
        }
    }

    pub fn is_simulated(&self) -> bool {
        !self.state.experiment.trainer.is_network()
    }

    /// Seconds left at this moment: of a running study less what has passed since its last event.
    fn seconds_left_now(&self) -> Option<f64> {
        let left = self.seconds_left?;
        if self.owner.is_none() || self.is_simulated() {
            return Some(left);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let passed = now.saturating_sub(u128::from(self.state.last_at)) as f64 / 1000.0;
        Some((left - passed).max(0.0))
    }

    /// The lines that come first.
    pub fn head(&self) -> Vec<String> {
        let state = &self.state;
        let count = |status| thousands(state.count(status) as u64);
        let who =
            self.owner.as_ref().map_or_else(String::new, |o| format!(" (process {} on {})", o.pid, o.host));
        let mut lines = vec![format!("study {}: {}{who}", state.experiment.name, self.word())];
        if self.is_simulated() {
            lines.push(simulated(&self.state.experiment.trainer).into());
        }
        let more = self.tally.trials().saturating_sub(state.trials.len());
        let more =
            if more > 0 { format!(", {} to be planned", thousands(more as u64)) } else { String::new() };
        let timed_out = state.trials.iter().filter(|trial| trial.timed_out.is_some()).count();
        let mut stopped = match state.count(TrialStatus::Stopped) - timed_out {
            0 => String::new(),
            some => {
                let adapts = state.experiment.search.as_ref().is_some_and(|search| search.netadapt.is_some());
                let what = if adapts { "fine-tuned" } else { "stopped at a rung" };
                format!(", {} {what}", thousands(some as u64))
            }
        };
        if timed_out > 0 {
            stopped += &format!(", {} without more time", thousands(timed_out as u64));
        }
        let rejected = match state.count(TrialStatus::Rejected) {
            0 => String::new(),
            some => format!(", {} not trained for their latency", thousands(some as u64)),
        };
        lines.push(format!(
            "{} trials: {} done, {} running, {} failed, {} queued{stopped}{rejected}{more}",
            thousands(self.tally.trials() as u64),
            count(TrialStatus::Finished),
            count(TrialStatus::Running),
            count(TrialStatus::Failed),
            count(TrialStatus::Queued),
        ));
        if let Some(seconds) = self.seconds_left_now().filter(|_| !state.finished) {
            let what = if self.is_simulated() { " of simulated time" } else { "" };
            lines.push(format!("about {}{what} left", text::duration(seconds)));
        }
        if state.search_timed_out {
            lines.push(
                "the search had no more time (search.timeout); with a longer one the same command goes on"
                    .into(),
            );
        }
        if let Some(best) = text::best(state, &self.tally) {
            lines.push(format!("best so far: {best}"));
        }
        lines.extend(self.front_lines());
        if self.owner.is_none() && !state.finished {
            lines.push("the command that began it continues it".into());
        }
        lines
    }

    fn front_lines(&self) -> Vec<String> {
        if self.front.is_empty() {
            return Vec::new();
        }
        let mut lines = vec!["front of params against validation accuracy (mean over seeds):".to_owned()];
        let all = self.front.len();
        let shown = all.min(FRONT);
        for i in 0..shown {
            // Of a longer front evenly spread, with both ends.
            let point = &self.front[if shown > 1 { i * (all - 1) / (shown - 1) } else { 0 }];
            let params = thousands(point.params);
            lines.push(format!("  {params:>11} params  {:>13} %  {}", mean_sd(&point.accuracy), point.name));
        }
        if shown < all {
            lines.push(format!("  ({shown} of {all})"));
        }
        lines
    }

    /// A line for each running trial.
    pub fn running(&self) -> Vec<String> {
        let epochs = self.state.experiment.train.epochs;
        let running = self.state.trials.iter().filter(|t| t.status == TrialStatus::Running);
        let line = |trial: &Trial| {
            let last = trial.epochs.last();
            let last = last.map_or_else(String::new, |e| format!(", val acc {:.1}%", e.validation.accuracy));
            format!(
                "trial {} {}: epoch {} of {epochs}{last}",
                trial.number,
                text::label(trial),
                trial.epochs.len()
            )
        };
        running.map(line).collect()
    }

    /// All in one line.
    pub fn line(&self) -> String {
        let running = self.state.count(TrialStatus::Running);
        let mut parts =
            vec![format!("{}: {}", self.word(), text::overall(&self.state, &self.tally, self.seconds_left))];
        if running > 0 {
            parts.push(format!("{running} running"));
        }
        let simulated = if self.is_simulated() { " (simulated)" } else { "" };
        parts.join(" | ") + simulated
    }

    /// For scripts.
    pub fn json(&self) -> Value {
        let state = &self.state;
        json!({
            "study": state.experiment.name,
            "state": self.word(),
            "simulated": self.is_simulated(),
            "trials": state.trials.len(),
            "total": self.tally.trials(),
            "done": state.count(TrialStatus::Finished),
            "failed": state.count(TrialStatus::Failed),
            "stopped": state.count(TrialStatus::Stopped),
            "rejected": state.count(TrialStatus::Rejected),
            "queued": state.count(TrialStatus::Queued),
            "running": state.count(TrialStatus::Running),
            "epochs": state.trials.iter().map(|t| t.epochs.len()).sum::<usize>(),
            "seconds_left": self.seconds_left,
            "best": state.best().map(trial_json),
            "front": self.front.iter().map(|point| json!({
                "name": point.name,
                "candidate": point.text,
                "params": point.params,
                "madds": point.madds,
                "accuracy": point.accuracy.mean,
                "sd": point.accuracy.sd,
                "seeds": point.accuracy.n,
            })).collect::<Vec<_>>(),
            "timed_out": state.trials.iter().filter(|trial| trial.timed_out.is_some()).count(),
            "search_timed_out": state.search_timed_out,
            "results_hash": state.results_hash(),
            "reproducible": !state.is_timed_out(),
        })
    }

    /// As [`json`](Self::json), and `trial_list`, which is as long as the study.
    pub fn with_trials(&self) -> impl Serialize {
        #[derive(Serialize)]
        struct WithTrials<'a> {
            #[serde(flatten)]
            view: Value,
            #[serde(serialize_with = "one_by_one")]
            trial_list: &'a [Trial],
        }
        WithTrials { view: self.json(), trial_list: &self.state.trials }
    }
}

/// Never all of a million trials at once.
fn one_by_one<S: Serializer>(trials: &[Trial], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(trials.iter().map(trial_json))
}

fn trial_json(t: &Trial) -> Value {
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
        "timed_out": t.timed_out,
    })
}

/// How many trials there will be. The journal knows those that are queued; where there are more to come, a random search
/// says how many candidates it draws.
pub fn expected(state: &StudyState) -> usize {
    let planned = state.trials.len();
    if state.finished || state.count(TrialStatus::Queued) <= QUEUED_AHEAD {
        return planned;
    }
    let Experiment { variants, search, seeds, .. } = &state.experiment;
    let drawn = search.as_ref().filter(|search| search.strategy == StrategyKind::Random);
    let drawn = drawn.and_then(|search| search.trials).unwrap_or(0);
    planned.max((variants.len() + drawn).saturating_mul(seeds.len()))
}
