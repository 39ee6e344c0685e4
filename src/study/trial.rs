//! One trial as its journal tells it: where it stands, and its figures.

use std::fmt::{self, Write};

use serde::Serialize;

use super::event::{CandidateRecord, EpochMetrics, Metrics, TimeLimit, TrialResult};

/// One trial of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Counted from 1.
    pub number: usize,
    /// Without its choices in what [`read`](super::state::read) gives: a study may have a million trials, and the journal tells
    /// of them.
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
    /// What ended it before its last epoch, where it had no more time.
    pub timed_out: Option<TimeLimit>,
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
    /// Figures of the epoch after which it had no more time.
    TimedOut(Metrics),
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
    /// It has reached the rung at which it was to stop, or had no more time; it may go on from there.
    Stopped,
    Finished,
    Failed,
    /// Not trained: a measured cost of its candidate is above its constraint.
    Rejected,
}

impl Trial {
    pub(super) fn queued(
        number: usize,
        mut candidate: CandidateRecord,
        seed: u64,
        until: Option<usize>,
    ) -> Self {
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
            timed_out: None,
        }
    }

    /// Seconds of training of its epochs.
    pub fn seconds(&self) -> f64 {
        // The sum of nothing is -0.
        self.epochs.iter().map(|epoch| epoch.seconds).sum::<f64>() + 0.0
    }

    /// Back to the queue, as though it had never started.
    pub(super) fn reset(&mut self) {
        self.status = TrialStatus::Queued;
        self.epochs.clear();
        self.result = None;
        self.test = None;
        self.failure = None;
        self.timed_out = None;
    }

    /// Adds an epoch.
    ///
    /// # Errors
    /// A clause for the user where it is not the next one.
    pub(super) fn next_epoch(&mut self, epoch: EpochMetrics) -> Result<(), String> {
        let next = self.epochs.len() + 1;
        if epoch.epoch != next {
            return Err(format!(
                "epoch {} of trial {} comes where epoch {next} is next",
                epoch.epoch, self.number
            ));
        }
        self.epochs.push(epoch);
        Ok(())
    }

    /// Looks whether a result is that of the last epoch.
    ///
    /// # Errors
    /// A clause for the user where it is not.
    pub(super) fn check_result(&self, result: &TrialResult) -> Result<(), String> {
        let bits = |m: &Metrics| (m.loss.to_bits(), m.accuracy.to_bits(), m.images);
        let is_of = |last: &EpochMetrics| {
            last.epoch == result.epochs
                && bits(&last.train) == bits(&result.train)
                && bits(&last.validation) == bits(&result.validation)
        };
        if self.epochs.last().is_some_and(is_of) {
            return Ok(());
        }
        Err(format!("the result of trial {} is not that of its last epoch", self.number))
    }

    /// Epochs after which it stops, where these are not all.
    pub fn until(&self) -> Option<usize> {
        self.rungs.last().and_then(|rung| rung.until)
    }

    pub(super) fn ends(&mut self, end: RungEnd) {
        if let Some(rung) = self.rungs.last_mut() {
            rung.end.get_or_insert(end);
        }
    }

    /// Whether it finished with fewer epochs than these, so that it can go on after those it has.
    pub fn is_short_of(&self, epochs: usize) -> bool {
        self.result.as_ref().is_some_and(|result| result.epochs < epochs)
    }

    /// Back to the queue where it finished with fewer epochs.
    pub(super) fn extend(&mut self, epochs: usize) {
        if self.is_short_of(epochs) {
            self.status = TrialStatus::Queued;
            self.result = None;
            self.test = None;
        }
    }

    /// All that a trial's results are, to the bit, without seconds.
    pub(super) fn write_results(&self, row: &mut String) -> fmt::Result {
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
