//! What a journal says so far: its events, folded.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::event::{CandidateRecord, Environment, Event, Latency, Record, TimeLimit};
pub use super::trial::{Failure, Rung, RungEnd, Trial, TrialStatus};
use super::{figures, folder, journal};
use crate::config::Experiment;
use crate::error::Result;
use crate::search::Proposal;
use crate::text::hex;

/// A study as its journal tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyState {
    pub experiment: Experiment,
    /// Where it ran: first the start, then every resume.
    pub environments: Vec<Environment>,
    /// In the order of their numbers, which count from 1.
    pub trials: Vec<Trial>,
    /// Latencies by the hashes of candidates, where they are measured.
    pub latencies: BTreeMap<String, Latency>,
    /// The trial that finished last.
    pub last_finished: Option<usize>,
    /// Every trial has ended and the test split has been read.
    pub finished: bool,
    /// More was added to it since it began: its trials are in another order than a fresh study would number them.
    pub extended: bool,
    /// The seeds that it had before seeds were first added to it with figures to be seen.
    pub seeds_begun: Option<Vec<u64>>,
    /// Stopped by the user, and not continued since.
    pub interrupted: bool,
    /// The search ended for its time, and has not gone on since.
    pub search_timed_out: bool,
    /// Milliseconds that runs of the study took, from event to event.
    pub ran: u64,
    /// Seconds of training of searched candidates, all epochs that were ever run.
    pub searched_seconds: f64,
    /// Milliseconds since the Unix epoch, UTC, of the first and the last event.
    pub first_at: u64,
    pub last_at: u64,
}

impl StudyState {
    /// A study with nothing but its first line.
    ///
    /// # Errors
    /// A clause for the user where the record is no `study_started`.
    pub fn begin(record: Record) -> std::result::Result<Self, String> {
        match record.event {
            Event::StudyStarted { experiment, environment, .. } => Ok(Self {
                experiment: *experiment,
                environments: vec![*environment],
                trials: Vec::new(),
                latencies: BTreeMap::new(),
                last_finished: None,
                finished: false,
                extended: false,
                seeds_begun: None,
                interrupted: false,
                search_timed_out: false,
                ran: 0,
                searched_seconds: 0.0,
                first_at: record.at,
                last_at: record.at,
            }),
            _ => Err("a journal begins with study_started".into()),
        }
    }

    /// Adds one event.
    ///
    /// # Errors
    /// A clause for the user where the event cannot follow what came before.
    pub fn apply(&mut self, record: Record) -> std::result::Result<(), String> {
        if !record.event.is_between_runs() {
            self.ran += record.at.saturating_sub(self.last_at);
        }
        self.last_at = record.at;
        figures::check(&record.event)?;
        self.check_images(&record.event)?;
        match record.event {
            Event::StudyStarted { .. } => return Err("the study has started already".into()),
            Event::StudyResumed { environment } => {
                self.environments.push(*environment);
                (self.finished, self.interrupted, self.search_timed_out) = (false, false, false);
                self.abandon_running();
            }
            Event::ExperimentEdited { experiment } => self.experiment = *experiment,
            Event::StudyExtended { experiment, .. } => {
                let has_figures = self.trials.iter().any(|trial| trial.result.is_some());
                if has_figures && experiment.seeds != self.experiment.seeds {
                    self.seeds_begun.get_or_insert_with(|| self.experiment.seeds.clone());
                }
                self.experiment = *experiment;
                (self.finished, self.extended) = (false, true);
                let epochs = self.experiment.train.epochs;
                self.trials.iter_mut().for_each(|trial| trial.extend(epochs));
            }
            Event::TrialQueued { trial, candidate, seed, until, .. } => {
                let expected = self.trials.len() + 1;
                if trial != expected {
                    return Err(format!("trial {trial} is queued where trial {expected} is next"));
                }
                self.check_costs(&candidate)?;
                self.trials.push(Trial::queued(trial, candidate, seed, until));
            }
            Event::TrialContinued { trial, until } => {
                let trial = self.trial_mut(trial)?;
                trial.rungs.push(Rung { until, end: None });
                trial.status = TrialStatus::Queued;
            }
            Event::LatencyMeasured { trial, latency } => {
                let hash = self.trial_mut(trial)?.candidate.hash.clone();
                // What was heard of it counts.
                self.latencies.entry(hash).or_insert(latency);
            }
            Event::TrialRejected { trial, .. } => {
                let trial = self.trial_mut(trial)?;
                trial.status = TrialStatus::Rejected;
                trial.ends(RungEnd::Rejected);
            }
            Event::TrialStarted { trial } => {
                let trial = self.trial_mut(trial)?;
                trial.reset();
                trial.status = TrialStatus::Running;
            }
            Event::TrialResumed { trial: number, epochs } => {
                let trial = self.trial_mut(number)?;
                if trial.epochs.len() < epochs {
                    return Err(format!(
                        "trial {number} goes on after epoch {epochs}, but only {} of its epochs are told",
                        trial.epochs.len()
                    ));
                }
                trial.epochs.truncate(epochs);
                trial.status = TrialStatus::Running;
                trial.timed_out = None;
            }
            Event::EpochFinished { trial, epoch } => {
                let (trial, seconds) = (self.running(trial)?, epoch.seconds);
                trial.next_epoch(epoch)?;
                if !trial.candidate.is_variant {
                    self.searched_seconds += seconds;
                }
            }
            Event::TrialFinished { trial: number, result } => {
                let trial = self.running(number)?;
                trial.check_result(&result)?;
                trial.ends(RungEnd::Reached(result.validation));
                trial.epochs.shrink_to_fit();
                if trial.until().is_some() {
                    trial.status = TrialStatus::Stopped;
                } else {
                    trial.status = TrialStatus::Finished;
                    trial.result = Some(result);
                    self.last_finished = Some(number);
                }
            }
            Event::TrialTimedOut { trial, limit, result } => {
                let trial = self.running(trial)?;
                trial.check_result(&result)?;
                trial.ends(RungEnd::TimedOut(result.validation));
                trial.status = TrialStatus::Stopped;
                trial.timed_out = Some(limit);
            }
            Event::TrialFailed { trial, again: true, .. } => {
                self.trial_mut(trial)?.status = TrialStatus::Queued;
            }
            Event::TrialFailed { trial, epoch, reason, again: false } => {
                let trial = self.trial_mut(trial)?;
                trial.status = TrialStatus::Failed;
                trial.ends(RungEnd::Failed);
                trial.failure = Some(Failure { epoch, reason });
            }
            Event::TrialRetried { trial } => {
                let trial = self.trial_mut(trial)?;
                trial.status = TrialStatus::Queued;
                trial.failure = None;
                self.finished = false;
            }
            Event::TestEvaluated { trial: number, test } => {
                let trial = self.trial_mut(number)?;
                if trial.status != TrialStatus::Finished {
                    return Err(format!("trial {number} is tested though it has not finished"));
                }
                trial.test = Some(test);
            }
            Event::SearchTimedOut { .. } => self.search_timed_out = true,
            Event::StudyInterrupted => {
                self.interrupted = true;
                self.abandon_running();
            }
            Event::StudyFinished => self.finished = true,
        }
        Ok(())
    }

    /// All but the trials.
    pub fn without_trials(&self) -> Self {
        Self {
            experiment: self.experiment.clone(),
            environments: self.environments.clone(),
            trials: Vec::new(),
            latencies: self.latencies.clone(),
            seeds_begun: self.seeds_begun.clone(),
            ..*self
        }
    }

    /// Seconds that count against `search.timeout`: those that runs of the study took, without the pauses between them; where
    /// nothing is trained, simulated seconds of searched candidates.
    pub fn search_seconds(&self) -> f64 {
        if self.experiment.trainer.is_network() { self.ran as f64 / 1000.0 } else { self.searched_seconds }
    }

    /// What leaves a trial no more time to go on, where something does.
    pub fn time_limit(&self, trial: &Trial) -> Option<TimeLimit> {
        self.time_limit_by(&self.experiment, trial)
    }

    /// As [`time_limit`](Self::time_limit), by another experiment than the journal's.
    pub fn time_limit_by(&self, experiment: &Experiment, trial: &Trial) -> Option<TimeLimit> {
        let train = experiment.train.timeout;
        let search = experiment.search.as_ref().and_then(|search| search.timeout);
        if train.is_some_and(|limit| trial.seconds() >= limit.seconds()) {
            return Some(TimeLimit::Train);
        }
        let is_over = search.is_some_and(|limit| self.search_seconds() >= limit.seconds());
        (is_over && !trial.candidate.is_variant).then_some(TimeLimit::Search)
    }

    /// Whether what it found depends on how fast the machine was.
    pub fn is_timed_out(&self) -> bool {
        self.search_timed_out || self.trials.iter().any(|trial| trial.timed_out.is_some())
    }

    /// A trial by its number.
    pub fn trial(&self, number: usize) -> Option<&Trial> {
        self.trials.get(number.checked_sub(1)?)
    }

    /// Trials with this status.
    pub fn count(&self, status: TrialStatus) -> usize {
        self.trials.iter().filter(|t| t.status == status).count()
    }

    /// The finished trial with the highest validation accuracy; the first of equals.
    pub fn best(&self) -> Option<&Trial> {
        let mut best: Option<(&Trial, f64)> = None;
        for trial in &self.trials {
            if let Some(result) = &trial.result {
                let accuracy = result.validation.accuracy;
                if best.is_none_or(|(_, highest)| accuracy > highest) {
                    best = Some((trial, accuracy));
                }
            }
        }
        best.map(|(trial, _)| trial)
    }

    /// Trials that stopped when their process did: they go on from their checkpoints, or run again from the start.
    pub fn abandon_running(&mut self) {
        for trial in &mut self.trials {
            if trial.status == TrialStatus::Running {
                trial.status = TrialStatus::Queued;
            }
        }
    }

    /// SHA-256 over every trial's candidate, seed, epochs, result and test figures, without anything that
    /// is measured in seconds, in no order of time: equal for two runs that gave the same numbers.
    pub fn results_hash(&self) -> String {
        let mut trials: Vec<&Trial> = self.trials.iter().collect();
        trials.sort_by_key(|trial| (&trial.candidate.hash, trial.seed, trial.number));
        let mut digest = Sha256::new();
        let row = |trial: &&Trial| {
            let mut row = format!("{} {} ", trial.candidate.hash, trial.seed);
            // Writing to a text cannot fail.
            let _ = trial.write_results(&mut row);
            row + "\n"
        };
        // A part at a time, so that the texts of a million trials are never there at once.
        for trials in trials.chunks(4096) {
            let rows: Vec<String> = trials.par_iter().with_min_len(256).map(row).collect();
            rows.iter().for_each(|row| digest.update(row));
        }
        hex(&digest.finalize())
    }

    /// Seeds of one candidate follow one another: one network has one cost.
    fn check_costs(&self, candidate: &CandidateRecord) -> std::result::Result<(), String> {
        let costs = |of: &CandidateRecord| (of.params, of.madds, of.activation_memory);
        let before = self.trials.last().map(|trial| &trial.candidate).filter(|of| of.hash == candidate.hash);
        match before {
            Some(before) if costs(before) != costs(candidate) => Err(format!(
                "{} has {} params here and {} before, or other costs",
                candidate.label, candidate.params, before.params
            )),
            _ => Ok(()),
        }
    }

    /// Where networks are trained, figures are of images.
    fn check_images(&self, event: &Event) -> std::result::Result<(), String> {
        let images = match event {
            Event::EpochFinished { epoch, .. } => epoch.train.images.min(epoch.validation.images),
            Event::TestEvaluated { test, .. } => test.images,
            _ => return Ok(()),
        };
        if images == 0 && self.experiment.trainer.is_network() {
            return Err("figures of no image".into());
        }
        Ok(())
    }

    /// A trial that runs.
    fn running(&mut self, number: usize) -> std::result::Result<&mut Trial, String> {
        let trial = self.trial_mut(number)?;
        match trial.status {
            TrialStatus::Running => Ok(trial),
            _ => Err(format!("trial {number} goes on here, but it was not started")),
        }
    }

    fn trial_mut(&mut self, number: usize) -> std::result::Result<&mut Trial, String> {
        number
            .checked_sub(1)
            .and_then(|index| self.trials.get_mut(index))
            .ok_or_else(|| format!("trial {number} was never queued"))
    }
}

/// What the journal in `dir` says, and how far it could be read; `None` where no line of it is whole.
///
/// # Errors
/// As [`journal::replay`].
pub fn replay(dir: &Path) -> Result<(Option<StudyState>, journal::Replay)> {
    let mut state: Option<StudyState> = None;
    let replay = journal::replay_without_choices(&folder::journal(dir), |record| match &mut state {
        Some(state) => state.apply(record.without_choices()),
        None => {
            state = Some(StudyState::begin(record)?);
            Ok(())
        }
    })?;
    Ok((state, replay))
}

/// Reads the study in `dir`, finished or not, also while it runs.
///
/// # Errors
/// A sentence where there is no study, or its journal does not read.
pub fn read(dir: &Path) -> Result<StudyState> {
    replay(dir)?.0.ok_or_else(|| folder::no_study(dir))
}

/// The candidates that a search proposed in the study in `dir`, with their choices, each once in the order of their first
/// trials.
///
/// # Errors
/// As [`journal::replay`].
pub fn searched(dir: &Path) -> Result<Vec<CandidateRecord>> {
    let (mut seen, mut searched) = (HashSet::new(), Vec::new());
    journal::replay(&folder::journal(dir), |record| {
        if let Event::TrialQueued { candidate, .. } = record.event
            && !candidate.is_variant
            && seen.insert(candidate.hash.clone())
        {
            searched.push(candidate);
        }
        Ok(())
    })?;
    Ok(searched)
}

/// What the search in `dir` proposed, first to last, as far as the journal says how it stood then.
///
/// # Errors
/// As [`journal::replay`].
pub fn proposals(dir: &Path) -> Result<Vec<Option<Proposal>>> {
    let (mut seen, mut proposals) = (HashSet::new(), Vec::new());
    journal::replay(&folder::journal(dir), |record| {
        if let Event::TrialQueued { candidate, proposal, .. } = record.event
            && !candidate.is_variant
            && seen.insert(candidate.hash)
        {
            proposals.push(proposal.map(|proposal| *proposal));
        }
        Ok(())
    })?;
    Ok(proposals)
}
