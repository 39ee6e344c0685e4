//! A study from its folder to its last event: open, resume, train, test.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::difference::accepted_changes;
use super::display::Display;
use super::event::{CandidateRecord, Change, Environment, Event, FORMAT, TimeLimit};
use super::journal::Journal;
use super::lock::Lock;
use super::matching;
use super::plan::{Ended, Next, Plan, PlannedTrial};
use super::queue::{Numbered, Queue};
use super::state::{self, StudyState, Trial, TrialStatus};
use super::worker::{Pool, Untested};
use super::{environment, folder, journal, retention};
use crate::arch::Network;
use crate::config::{Experiment, SearchConfig};
use crate::error::{Error, Result};
use crate::train::contract::Trainer;

/// A study whose folder is ours: locked, its journal read, its experiment the same as before.
#[derive(Debug)]
pub struct Study {
    dir: PathBuf,
    experiment: Experiment,
    state: Option<StudyState>,
    replay: journal::Replay,
    /// What is added to the study, where more may be.
    extension: Option<Vec<Change>>,
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

/// What of the search space cannot be built was counted when the study began: that stays said where it is not counted again.
fn keep_count(experiment: &mut Experiment, journal: &Experiment) {
    let content =
        |experiment: &Experiment| experiment.search.as_ref().and_then(|search| search.content.clone());
    let before = content(journal).and_then(|content| content.unbuildable);
    let now = experiment.search.as_mut().and_then(|search| search.content.as_mut());
    if let Some(now) = now.filter(|now| now.unbuildable.is_none()) {
        now.unbuildable = before;
    }
}

impl Study {
    /// Claims `dir` for `experiment`, making the folder where it is not there yet.
    ///
    /// # Errors
    /// A sentence where the folder cannot be written, another process works on it, its journal does not read, or the
    /// journal's experiment differs in a setting that trials depend on.
    pub fn open(dir: &Path, experiment: &Experiment) -> Result<Self> {
        Self::claim(dir, experiment, false)
    }

    /// As [`open`](Self::open), for an experiment that may have more seeds, variants, candidates or epochs than the journal's.
    ///
    /// Trials that the journal has stay and count, in their order; new ones are queued after them. Trials that finished with
    /// fewer epochs go on from their last checkpoints where the learning rates of the epochs they have stay the same; else
    /// more epochs are refused.
    ///
    /// # Errors
    /// As [`open`](Self::open), where a setting changed otherwise.
    pub fn extend(dir: &Path, experiment: &Experiment) -> Result<Self> {
        Self::claim(dir, experiment, true)
    }

    fn claim(dir: &Path, experiment: &Experiment, extend: bool) -> Result<Self> {
        folder::create(dir)?;
        let lock = Lock::take(dir)?;
        let (mut state, replay) = state::replay(dir)?;
        let mut extension = None;
        let mut experiment = experiment.clone();
        if let Some(state) = &mut state {
            let experiment = &mut experiment;
            if !extend {
                keep_count(experiment, &state.experiment);
            }
            let changes = accepted_changes(dir, &state.experiment, experiment, extend)?;
            // A journal that does not say what its search space held cannot tell whether that changed.
            let unknown = state.experiment.search.as_ref().is_some_and(|search| search.content.is_none());
            extension = (extend && (unknown || !changes.is_empty())).then_some(changes);
            state.abandon_running();
        }
        Ok(Self { dir: dir.to_owned(), experiment, state, replay, extension, _lock: lock })
    }

    /// The searched candidates that an extended study has already: they stay and count, whatever the strategy proposes now.
    /// None where the study is as it began.
    ///
    /// # Errors
    /// A sentence where the journal does not read.
    pub fn searched(&self) -> Result<Vec<CandidateRecord>> {
        if self.is_extended() { state::searched(&self.dir) } else { Ok(Vec::new()) }
    }

    /// Whether trials may be in other places than a fresh study would give them.
    fn is_extended(&self) -> bool {
        self.extension.is_some() || self.state.as_ref().is_some_and(|state| state.extended)
    }

    /// Whether it is given more to do than its journal has.
    pub fn adds(&self) -> bool {
        self.extension.is_some()
    }

    /// What earlier runs did; `None` where this is the first.
    pub fn state(&self) -> Option<&StudyState> {
        self.state.as_ref()
    }

    /// The state of a study that an earlier run of this version finished, where nothing has changed since: neither the experiment
    /// nor the text of its search space, so that the plan cannot propose anything else.
    pub fn finished_as_it_is(&self) -> Option<&StudyState> {
        let state = self.state.as_ref().filter(|state| state.finished && self.extension.is_none())?;
        let known = |search: &SearchConfig| search.content.as_ref().is_some_and(|c| !c.digest.is_empty());
        let is_known =
            self.experiment.search.as_ref().is_none_or(|search| search.netadapt.is_some() || known(search));
        // The network of a variant may be in a file.
        let in_file = self.experiment.variants.iter().any(|variant| Path::new(&variant.network).exists());
        let version = environment::version();
        let same_version = state.environments.last().is_some_and(|last| last.version == version);
        let same = plain(&state.experiment) == plain(&self.experiment) && same_version;
        if !same || !is_known || in_file || self.has_more_time(state) {
            return None;
        }
        retention::prune(&self.dir, state, self.experiment.checkpoints.keep, |_| {});
        Some(state)
    }

    /// The state of a study that an earlier run finished, after a check that `plan` still proposes its trials;
    /// `None` where there is something left to run. Needs neither data nor trainer.
    ///
    /// # Errors
    /// A sentence where the plan proposes other trials.
    pub fn finished(&self, plan: &mut dyn Plan) -> Result<Option<StudyState>> {
        let Some(state) = self.state.as_ref().filter(|s| s.finished && self.extension.is_none()) else {
            return Ok(None);
        };
        if self.has_more_time(state) {
            return Ok(None);
        }
        let mut more = !self.matched(plan, |_, _, _| {})?.is_empty();
        // A search that had no more time left something over.
        more |= plan.next()? != Next::End;
        more &= !state.search_timed_out;
        if more {
            let what = "\n  the study is finished, and the experiment now proposes more trials";
            return Err(self.other_trials(what, true));
        }
        let mut state = state.clone();
        // Another `keep` than when it finished, say.
        retention::prune(&self.dir, &state, self.experiment.checkpoints.keep, |_| {});
        if state.experiment != self.experiment {
            let mut journal = self.journal()?;
            for record in journal.append(vec![self.edited()], Vec::new)? {
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
        let (mut ready, mut untested, mut reopened) = (Vec::new(), Vec::new(), Vec::new());
        let new = self.matched(plan, |planned, trial, plan| {
            let numbered = Numbered { trial: trial.number, planned };
            match self.what_is_left(trial, settings.display) {
                Left::MoreEpochs => {
                    reopened.push(trial.number);
                    ready.push(numbered);
                }
                Left::Training => ready.push(numbered),
                Left::Test => untested.push(Untested::new(numbered, plan)),
                Left::Nothing => {}
            }
        })?;
        // An extended study proposes them in another order.
        ready.sort_by_key(|numbered| numbered.trial);
        let mut plan = Rest { first: new, plan };
        folder::sweep(&self.dir);
        let mut journal = self.journal()?;
        let state = self.begin(&mut journal, settings)?;
        settings.display.on_begin(&state, total);
        self.tell_of_more_epochs(reopened, settings.display);

        let pool = Pool::new(
            &self.dir,
            &self.experiment,
            trainer,
            settings,
            Queue::new(&mut plan, ready.into()).of_trials(&state.trials),
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
            let mut records = journal.append(vec![start], Vec::new)?;
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
        match &self.extension {
            Some(changes) => events.push(Event::StudyExtended {
                experiment: Box::new(self.experiment.clone()),
                changes: changes.clone(),
            }),
            None if state.experiment != self.experiment => events.push(self.edited()),
            None => {}
        }
        for record in journal.append(events, || self.state.iter().flat_map(StudyState::retold).collect())? {
            state.apply(record).map_err(Error::run)?;
        }
        Ok(state)
    }

    fn journal(&self) -> Result<Journal> {
        Journal::open(&folder::journal(&self.dir), self.replay)
    }

    fn edited(&self) -> Event {
        Event::ExperimentEdited { experiment: Box::new(self.experiment.clone()) }
    }

    /// Gives the planned trials behind those that the journal has to `each`, and returns those not in the journal that came
    /// before the last that is.
    fn matched(
        &self,
        plan: &mut dyn Plan,
        each: impl FnMut(PlannedTrial, &Trial, &dyn Plan),
    ) -> Result<VecDeque<Next>> {
        let none = BTreeMap::new();
        let (trials, latencies) =
            self.state.as_ref().map_or((&[][..], &none), |state| (&state.trials, &state.latencies));
        let journal = folder::journal(&self.dir);
        // A search that learns proposes the same in the same order, or something else altogether.
        let matched =
            if self.is_extended() && !self.experiment.search.as_ref().is_some_and(SearchConfig::listens) {
                matching::by_candidate(trials, plan, &journal, each)?
            } else {
                matching::in_order((trials, latencies), plan, &journal, each)?
            };
        matched.map_err(|mismatch| self.other_trials(&mismatch.lines, mismatch.only_order))
    }

    /// Says what becomes of trials that finished with fewer epochs than there are now.
    fn tell_of_more_epochs(&self, reopened: Vec<usize>, display: &dyn Display) {
        let (go_on, anew): (Vec<_>, Vec<_>) =
            reopened.into_iter().partition(|number| folder::unfinished(&self.dir, *number).is_file());
        let epochs = self.experiment.train.epochs;
        if !go_on.is_empty() {
            display.on_notice(&format!(
                "{} finished trials go on to epoch {epochs} from their checkpoints; the test split is read again for them",
                go_on.len()
            ));
        }
        if !anew.is_empty() {
            let numbers: Vec<_> = anew.iter().take(10).map(usize::to_string).collect();
            let more = if anew.len() > 10 { ", ..." } else { "" };
            display.on_notice(&format!(
                "{} finished trials ({}{more}) are trained again from the start to epoch {epochs}: the checkpoints from which \
                 they could go on are gone; the test split is read again for them",
                anew.len(),
                numbers.join(", ")
            ));
        }
    }

    /// What leaves a trial no more time by the experiment as it is now.
    fn time_limit(&self, trial: &Trial) -> Option<TimeLimit> {
        self.state.as_ref()?.time_limit_by(&self.experiment, trial)
    }

    /// Whether something that ended for its time may go on now.
    fn has_more_time(&self, state: &StudyState) -> bool {
        let limit = self.experiment.search.as_ref().and_then(|search| search.timeout);
        let search_goes_on = limit.is_none_or(|limit| state.search_seconds() < limit.seconds());
        state.search_timed_out && search_goes_on
            || state.trials.iter().any(|trial| trial.timed_out.is_some() && self.time_limit(trial).is_none())
    }

    fn what_is_left(&self, trial: &Trial, display: &dyn Display) -> Left {
        match trial.status {
            // With more time it goes on.
            TrialStatus::Stopped if trial.timed_out.is_some() && self.time_limit(trial).is_none() => {
                Left::Training
            }
            TrialStatus::Stopped | TrialStatus::Failed | TrialStatus::Rejected => Left::Nothing,
            TrialStatus::Finished
                if self.extension.is_some() && trial.is_short_of(self.experiment.train.epochs) =>
            {
                Left::MoreEpochs
            }
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

    /// `lines` say what differs; `extends` where all that the journal has is still proposed.
    fn other_trials(&self, lines: &str, extends: bool) -> Error {
        let extend = if extends { "give --extend to add what is new, " } else { "" };
        Error::request(format!(
            "{}: the search space or a network changed since the study began:{lines}\n\
             {extend}restore it to continue the study as it was, or start another study with --out FOLDER",
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
    /// It finished, and there are more epochs now.
    MoreEpochs,
    Test,
    Nothing,
}

/// Trials that the journal does not have and that were pulled already, then the rest of the plan.
struct Rest<'a> {
    first: VecDeque<Next>,
    plan: &'a mut dyn Plan,
}

impl Plan for Rest<'_> {
    fn next(&mut self) -> Result<Next> {
        self.first.pop_front().map_or_else(|| self.plan.next(), Ok)
    }

    fn tell(&mut self, ended: &Ended<'_>) {
        self.plan.tell(ended);
    }

    fn network(&self, candidate: &CandidateRecord) -> Option<Network> {
        self.plan.network(candidate)
    }

    fn has_network(&self, candidate: &CandidateRecord) -> bool {
        self.plan.has_network(candidate)
    }
}

/// The experiment without what is only said of its space.
fn plain(experiment: &Experiment) -> Experiment {
    let mut experiment = experiment.clone();
    if let Some(content) = experiment.search.as_mut().and_then(|search| search.content.as_mut()) {
        content.unbuildable = None;
    }
    experiment
}
