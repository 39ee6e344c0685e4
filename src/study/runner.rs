//! A study from its folder to its last event: open, resume, train, test.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::difference::differences;
use super::display::Display;
use super::event::{Environment, Event, FORMAT};
use super::journal::Journal;
use super::lock::Lock;
use super::plan::{Plan, PlannedTrial};
use super::state::{self, StudyState, Trial, TrialStatus};
use super::worker::{Numbered, Pool, Queue};
use super::{folder, journal, retention};
use crate::config::Experiment;
use crate::error::{Error, Result};
use crate::train::contract::Trainer;

/// A study whose folder is ours: locked, its journal read, its experiment the same as before.
#[derive(Debug)]
pub struct Study {
    dir: PathBuf,
    experiment: Experiment,
    state: Option<StudyState>,
    replay: journal::Replay,
    _lock: Lock,
}

/// How a study is run.
pub struct RunSettings<'a> {
    /// Trials trained at once.
    pub jobs: usize,
    /// How often a running trial leaves a checkpoint; when it is stopped it leaves one in any case.
    pub checkpoint_every: Duration,
    pub environment: Environment,
    /// Set to end every trial at its next step and the study with it.
    pub stop: &'a AtomicBool,
    pub display: &'a dyn Display,
}

impl Study {
    /// Claims `dir` for `experiment`, making the folder where it is not there yet.
    ///
    /// # Errors
    /// A sentence where the folder cannot be written, another process works on it, its journal does not read, or the
    /// journal's experiment differs in a setting that trials depend on.
    pub fn open(dir: &Path, experiment: &Experiment) -> Result<Self> {
        folder::create(dir)?;
        let lock = Lock::take(dir)?;
        let (mut state, replay) = state::replay(dir)?;
        if let Some(state) = &mut state {
            refuse_changes(dir, &state.experiment, experiment)?;
            state.abandon_running();
        }
        Ok(Self { dir: dir.to_owned(), experiment: experiment.clone(), state, replay, _lock: lock })
    }

    /// What earlier runs did; `None` where this is the first.
    pub fn state(&self) -> Option<&StudyState> {
        self.state.as_ref()
    }

    /// The state of a study that an earlier run finished, after a check that `plan` still proposes its trials;
    /// `None` where there is something left to run. Needs neither data nor trainer.
    ///
    /// # Errors
    /// A sentence where the plan proposes other trials.
    pub fn finished(&self, plan: &mut dyn Plan) -> Result<Option<StudyState>> {
        let Some(state) = self.state.as_ref().filter(|s| s.finished) else {
            return Ok(None);
        };
        self.journaled(plan, |_, _| {})?;
        if plan.next()?.is_some() {
            return Err(
                self.other_trials("the study is finished, and the experiment now proposes more trials")
            );
        }
        let mut state = state.clone();
        // Another `keep` than when it finished, say.
        retention::prune(&self.dir, &state, self.experiment.checkpoints.keep, |_| {});
        if state.experiment != self.experiment {
            let mut journal = self.journal()?;
            for record in journal.append(vec![self.edited()])? {
                state.apply(record).map_err(Error::run)?;
            }
        }
        Ok(Some(state))
    }

    /// Trains every trial of `plan` that has not ended, then reads the test split once for every finished one.
    /// Numbers do not depend on `jobs`, nor on which trial ends first. A trial that fails, or panics, ends alone.
    ///
    /// # Errors
    /// [`Error::Interrupted`] where `stop` was set: the same call continues. Else what ended the study: its own journal or
    /// checkpoints, the plan, other data than before, or what the trainer says no trial can go on with.
    pub fn run(
        self,
        plan: &mut dyn Plan,
        trainer: &dyn Trainer,
        settings: &RunSettings<'_>,
    ) -> Result<StudyState> {
        let total = plan.total();
        let (mut ready, mut untested) = (VecDeque::new(), VecDeque::new());
        self.journaled(plan, |planned, trial| {
            let numbered = Numbered { trial: trial.number, planned };
            match self.what_is_left(trial, settings.display) {
                Left::Training => ready.push_back(numbered),
                Left::Test => untested.push_back(numbered),
                Left::Nothing => {}
            }
        })?;
        folder::sweep(&self.dir);
        let mut journal = self.journal()?;
        let state = self.begin(&mut journal, settings)?;
        settings.display.on_begin(&state, total);

        let pool = Pool::new(
            &self.dir,
            &self.experiment,
            trainer,
            settings,
            Queue::new(plan, ready),
            untested,
            (journal, state),
        );
        pool.train_all()?;
        pool.test_all()?;
        pool.finish()?;
        Ok(pool.into_state())
    }

    /// The first event of this run, journaled and folded.
    fn begin(&self, journal: &mut Journal, settings: &RunSettings<'_>) -> Result<StudyState> {
        let environment = Box::new(settings.environment.clone());
        let Some(state) = &self.state else {
            let start = Event::StudyStarted {
                format: FORMAT,
                experiment: Box::new(self.experiment.clone()),
                environment,
            };
            let mut records = journal.append(vec![start])?;
            return StudyState::begin(records.remove(0)).map_err(Error::run);
        };
        let mut state = state.clone();
        if let Some(first) = state.environments.first() {
            self.refuse_other_data(first, &environment)?;
            if first.version != environment.version || first.cpu != environment.cpu {
                settings.display.on_notice(&format!(
                    "this study began with blocksmith {} on {}, and continues with {} on {}: its numbers may differ in the last digits",
                    first.version, first.cpu, environment.version, environment.cpu
                ));
            }
        }
        let mut events = vec![Event::StudyResumed { environment }];
        if state.experiment != self.experiment {
            events.push(self.edited());
        }
        for record in journal.append(events)? {
            state.apply(record).map_err(Error::run)?;
        }
        Ok(state)
    }

    fn journal(&self) -> Result<Journal> {
        Journal::open(&folder::journal(&self.dir), self.replay.whole)
    }

    fn edited(&self) -> Event {
        Event::ExperimentEdited { experiment: Box::new(self.experiment.clone()) }
    }

    /// Gives the planned trials behind those that the journal has, in its order, to `each`.
    fn journaled(&self, plan: &mut dyn Plan, mut each: impl FnMut(PlannedTrial, &Trial)) -> Result<()> {
        let trials = self.state.as_ref().map_or(&[][..], |s| &s.trials);
        let name = |label: &str, text: &str, seed: u64| format!("{label} ({text}) seed {seed}");
        for trial in trials {
            let next = plan.next()?;
            match next {
                Some(next) if next.candidate.hash == trial.candidate.hash && next.seed == trial.seed => {
                    each(next, trial);
                }
                next => {
                    let next = next.map_or_else(
                        || "no such trial".into(),
                        |n| name(&n.candidate.label, &n.candidate.text, n.seed),
                    );
                    let before = name(&trial.candidate.label, &trial.candidate.text, trial.seed);
                    return Err(self.other_trials(&format!(
                        "trial {} of the journal is {before}, and the experiment now proposes {next}",
                        trial.number
                    )));
                }
            }
        }
        Ok(())
    }

    fn what_is_left(&self, trial: &Trial, display: &dyn Display) -> Left {
        match trial.status {
            TrialStatus::Failed => Left::Nothing,
            TrialStatus::Finished if trial.test.is_some() => Left::Nothing,
            TrialStatus::Finished if folder::checkpoint(&self.dir, trial.number).is_file() => Left::Test,
            TrialStatus::Finished => {
                display.on_notice(&format!(
                    "trial {} ({} seed {}) is trained again: its weights are gone from {}",
                    trial.number,
                    trial.candidate.label,
                    trial.seed,
                    folder::checkpoint(&self.dir, trial.number).display()
                ));
                Left::Training
            }
            TrialStatus::Queued | TrialStatus::Running => Left::Training,
        }
    }

    fn other_trials(&self, what: &str) -> Error {
        Error::request(format!(
            "{}: {what}: the search space or a network changed since the study began; restore it, \
             or start another study with --out FOLDER",
            self.dir.display()
        ))
    }

    fn refuse_other_data(&self, first: &Environment, now: &Environment) -> Result<()> {
        if first.data.hash == now.data.hash {
            return Ok(());
        }
        Err(Error::request(format!(
            "{}: this study was begun with other data ({}, hash {}) than it is given now ({}, hash {}): \
             give the former with --data, or start another study with --out FOLDER",
            self.dir.display(),
            first.data.description,
            first.data.hash,
            now.data.description,
            now.data.hash
        )))
    }
}

enum Left {
    Training,
    Test,
    Nothing,
}

fn refuse_changes(dir: &Path, journal: &Experiment, file: &Experiment) -> Result<()> {
    let changes = differences(journal, file);
    if changes.is_empty() {
        return Ok(());
    }
    let list: String = changes
        .iter()
        .map(|d| format!("\n  {}: {} in the journal, {} in the file", d.path, d.journal, d.file))
        .collect();
    Err(Error::request(format!(
        "{}: this study was begun with other settings:{list}\n\
         restore them to continue it, or start another study with --out FOLDER",
        dir.display()
    )))
}
