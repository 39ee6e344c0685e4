//! What a journal says so far: its events, folded.

use std::collections::{BTreeMap, HashSet};
use std::fmt::{self, Write};
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::event::{
    CandidateRecord, Environment, EpochMetrics, Event, Latency, Metrics, Record, TrialResult,
};
use super::{folder, journal};
use crate::config::Experiment;
use crate::error::{Error, Result};
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
    /// Stopped by the user, and not continued since.
    pub interrupted: bool,
    /// Milliseconds since the Unix epoch, UTC, of the first and the last event.
    pub first_at: u64,
    pub last_at: u64,
}

/// One trial of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Counted from 1.
    pub number: usize,
    /// Without its choices in what [`read`] gives: a study may have a million trials, and the journal tells of them.
    pub candidate: CandidateRecord,
    pub seed: u64,
    pub status: TrialStatus,
    /// Epochs so far, in order; of a trial that waits to go on, those of its last attempt.
    pub epochs: Vec<EpochMetrics>,
    /// Where it was to stop, first to last, and how it ended there: what a search has heard of it.
    pub rungs: Vec<Rung>,
    /// Figures of the last epoch, once training is over.
    pub result: Option<TrialResult>,
    /// Figures on the test split, read once at the end of the study.
    pub test: Option<Metrics>,
    /// The epoch in which the trial failed, and why.
    pub failure: Option<Failure>,
}

/// A budget of a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rung {
    /// Epochs after which it stops, where these are not all.
    pub until: Option<usize>,
    /// How it ended there first, whatever came of another attempt.
    pub end: Option<RungEnd>,
}

/// How a trial ended at a rung.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RungEnd {
    /// Figures of its last epoch.
    Reached(Metrics),
    Failed,
    /// Not trained, for a measured cost.
    Rejected,
}

/// Why a trial failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub epoch: usize,
    pub reason: String,
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialStatus {
    Queued,
    /// Started and not ended. Whether anybody still works on it only the study's lock can say.
    Running,
    /// It has reached the rung at which it was to stop, and may go on from there.
    Stopped,
    Finished,
    Failed,
    /// Not trained: a measured cost of its candidate is above its constraint.
    Rejected,
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
                interrupted: false,
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
        self.last_at = record.at;
        match record.event {
            Event::StudyStarted { .. } => return Err("the study has started already".into()),
            Event::StudyResumed { environment } => {
                self.environments.push(*environment);
                (self.finished, self.interrupted) = (false, false);
                self.abandon_running();
            }
            Event::ExperimentEdited { experiment } => self.experiment = *experiment,
            Event::StudyExtended { experiment, .. } => {
                self.experiment = *experiment;
                (self.finished, self.extended) = (false, true);
                let epochs = self.experiment.train.epochs;
                self.trials.iter_mut().for_each(|trial| trial.extend(epochs));
            }
            Event::TrialQueued { trial, candidate, seed, until } => {
                let expected = self.trials.len() + 1;
                if trial != expected {
                    return Err(format!("trial {trial} is queued where trial {expected} is next"));
                }
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
            }
            Event::EpochFinished { trial, epoch } => self.trial_mut(trial)?.epochs.push(epoch),
            Event::TrialFinished { trial: number, result } => {
                let trial = self.trial_mut(number)?;
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
            Event::TestEvaluated { trial, test } => self.trial_mut(trial)?.test = Some(test),
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
            ..*self
        }
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

    fn trial_mut(&mut self, number: usize) -> std::result::Result<&mut Trial, String> {
        number
            .checked_sub(1)
            .and_then(|index| self.trials.get_mut(index))
            .ok_or_else(|| format!("trial {number} was never queued"))
    }
}

impl Trial {
    fn queued(number: usize, mut candidate: CandidateRecord, seed: u64, until: Option<usize>) -> Self {
        for text in [&mut candidate.label, &mut candidate.text, &mut candidate.hash] {
            text.shrink_to_fit();
        }
        Self {
            number,
            candidate,
            seed,
            status: TrialStatus::Queued,
            epochs: Vec::new(),
            rungs: vec![Rung { until, end: None }],
            result: None,
            test: None,
            failure: None,
        }
    }

    /// Back to the queue, as though it had never started.
    fn reset(&mut self) {
        self.status = TrialStatus::Queued;
        self.epochs.clear();
        self.result = None;
        self.test = None;
        self.failure = None;
    }

    /// Epochs after which it stops, where these are not all.
    pub fn until(&self) -> Option<usize> {
        self.rungs.last().and_then(|rung| rung.until)
    }

    fn ends(&mut self, end: RungEnd) {
        if let Some(rung) = self.rungs.last_mut() {
            rung.end.get_or_insert(end);
        }
    }

    /// Whether it finished with fewer epochs than these, so that it can go on after those it has.
    pub fn is_short_of(&self, epochs: usize) -> bool {
        self.result.as_ref().is_some_and(|result| result.epochs < epochs)
    }

    /// Back to the queue where it finished with fewer epochs.
    fn extend(&mut self, epochs: usize) {
        if self.is_short_of(epochs) {
            self.status = TrialStatus::Queued;
            self.result = None;
            self.test = None;
        }
    }

    /// All that a trial's results are, to the bit, without seconds.
    fn write_results(&self, row: &mut String) -> fmt::Result {
        let metrics = |row: &mut String, m: &Metrics| {
            write!(row, "{:x},{:x},{};", m.loss.to_bits(), m.accuracy.to_bits(), m.images)
        };
        for epoch in &self.epochs {
            write!(row, "{}:{:x}:", epoch.epoch, epoch.lr.to_bits())?;
            metrics(row, &epoch.train)?;
            metrics(row, &epoch.validation)?;
        }
        if let Some(result) = &self.result {
            write!(row, "finished {}:", result.epochs)?;
            metrics(row, &result.train)?;
            metrics(row, &result.validation)?;
        }
        if let Some(failure) = &self.failure {
            write!(row, "failed {}: {}", failure.epoch, failure.reason)?;
        }
        if let Some(test) = &self.test {
            row.push_str("test:");
            metrics(row, test)?;
        }
        Ok(())
    }

    /// Whether the trial has ended, one way or the other; at a rung it may go on.
    pub fn ended(&self) -> bool {
        !matches!(self.status, TrialStatus::Queued | TrialStatus::Running)
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
    replay(dir)?.0.ok_or_else(|| {
        Error::request(format!(
            "{}: there is no study here (no journal.jsonl with a whole line): name the folder that `blocksmith run` wrote",
            dir.display()
        ))
    })
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
