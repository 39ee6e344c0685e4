//! How a study stands, kept up event by event: one of a million trials is not counted anew at each.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::study::event::{Event, Record};
use crate::study::{Means, StudyState, Trial, TrialStatus};

/// Counts, time left, best trial and front of a study.
#[derive(Debug, Default)]
pub struct Tally {
    /// Trials there will be, where that is known.
    pub total: Option<usize>,
    /// Epochs of each trial.
    pub epochs: usize,
    /// Finished, stopped at a rung, or rejected.
    pub done: usize,
    pub failed: usize,
    /// The finished trial with the highest validation accuracy, and that accuracy.
    pub best: Option<(usize, f64)>,
    jobs: usize,
    statuses: Vec<TrialStatus>,
    /// Cost of an epoch, and epochs left, of every trial that is planned and has not ended.
    open: HashMap<usize, (u64, usize)>,
    /// Cost of an epoch of every planned trial, summed.
    planned: u128,
    /// Seconds of the epochs heard of, and their cost.
    seconds: f64,
    cost: f64,
    means: Means,
    front: Vec<Point>,
    /// When the front was computed last and how long that took; `None` where it is due.
    computed: Option<(Instant, Duration)>,
    is_due: bool,
    /// Whether a trial that had finished has lost its weights and is trained again, so that all is to be counted anew; and when
    /// that was done last and how long it took.
    is_stale: bool,
    recounted: Option<(Instant, Duration)>,
}

/// A candidate on the front.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub params: u64,
    /// Mean validation accuracy over seeds, percent.
    pub accuracy: f64,
}

/// Candidates up to which the front is computed, and all is counted anew, at once; of more, only where the last time is a
/// hundred times longer ago than it took.
const AT_ONCE: usize = 1000;

fn is_time(last: Option<(Instant, Duration)>) -> bool {
    last.is_none_or(|(at, took)| at.elapsed() >= 100 * took)
}

impl Tally {
    /// A study as it stands, without its epochs' seconds: what they say of the time left is of an earlier run.
    pub fn of(state: &StudyState, total: Option<usize>) -> Self {
        let jobs = state.environments.last().map_or(1, |e| e.jobs.max(1));
        let mut tally = Self { total, epochs: state.experiment.train.epochs, jobs, ..Self::default() };
        for trial in &state.trials {
            tally.update(trial);
        }
        tally
    }

    /// As [`of`](Self::of), with the seconds of every epoch there was.
    pub fn of_all(state: &StudyState, total: Option<usize>) -> Self {
        let mut tally = Self::of(state, total);
        for trial in &state.trials {
            trial.epochs.iter().for_each(|epoch| tally.hear_epoch(trial, epoch.seconds));
        }
        tally
    }

    /// Takes note of an event that `state` includes.
    pub fn hear(&mut self, state: &StudyState, record: &Record) {
        let number = match &record.event {
            Event::TrialQueued { trial, .. }
            | Event::TrialStarted { trial }
            | Event::TrialResumed { trial, .. }
            | Event::TrialContinued { trial, .. }
            | Event::EpochFinished { trial, .. }
            | Event::TrialFinished { trial, .. }
            | Event::TrialTimedOut { trial, .. }
            | Event::TrialFailed { trial, .. }
            | Event::TrialRejected { trial, .. }
            | Event::TrialRetried { trial } => *trial,
            _ => return,
        };
        let Some(trial) = state.trial(number) else { return };
        if let Event::EpochFinished { epoch, .. } = &record.event {
            self.hear_epoch(trial, epoch.seconds);
        }
        let before = number.checked_sub(1).and_then(|index| self.statuses.get(index)).copied();
        self.is_stale |= before == Some(TrialStatus::Finished) && trial.status != TrialStatus::Finished;
        if self.is_stale && (state.trials.len() <= AT_ONCE || is_time(self.recounted)) {
            let (start, seconds, cost) = (Instant::now(), self.seconds, self.cost);
            *self = Self { seconds, cost, ..Self::of(state, self.total) };
            self.recounted = Some((start, start.elapsed()));
        } else {
            self.update(trial);
        }
    }

    fn hear_epoch(&mut self, trial: &Trial, seconds: f64) {
        self.seconds += seconds;
        self.cost += cost(trial) as f64;
    }

    fn update(&mut self, trial: &Trial) {
        let index = trial.number.saturating_sub(1);
        let before = self.statuses.get(index).copied();
        match before {
            None => {
                self.statuses.resize(index + 1, TrialStatus::Queued);
                self.planned += u128::from(cost(trial));
            }
            Some(TrialStatus::Stopped | TrialStatus::Finished | TrialStatus::Rejected) => self.done -= 1,
            Some(TrialStatus::Failed) => self.failed -= 1,
            Some(_) => {}
        }
        self.statuses[index] = trial.status;
        match trial.status {
            TrialStatus::Stopped | TrialStatus::Finished | TrialStatus::Rejected => self.done += 1,
            TrialStatus::Failed => self.failed += 1,
            TrialStatus::Queued | TrialStatus::Running => {}
        }
        if trial.ended() {
            self.open.remove(&trial.number);
        } else {
            let left = trial.until().unwrap_or(self.epochs).saturating_sub(trial.epochs.len());
            self.open.insert(trial.number, (cost(trial), left));
        }
        if let Some(result) = trial.result.as_ref().filter(|_| before != Some(TrialStatus::Finished)) {
            self.finished(trial, result.validation.accuracy);
        }
    }

    fn finished(&mut self, trial: &Trial, accuracy: f64) {
        let is_better =
            |(number, best): (usize, f64)| accuracy > best || (accuracy == best && trial.number < number);
        if self.best.is_none_or(is_better) {
            self.best = Some((trial.number, accuracy));
        }
        self.means.add(trial);
        self.is_due = true;
    }

    /// Trials that have ended, one way or the other.
    pub fn ended(&self) -> usize {
        self.done + self.failed
    }

    /// Trials that are planned so far, or all where that is known.
    pub fn trials(&self) -> usize {
        self.total.unwrap_or(self.statuses.len())
    }

    /// Epochs that are over, those of ended trials counted whole.
    pub fn epochs_over(&self) -> usize {
        let left: usize = self.open.values().map(|(_, left)| left).sum();
        (self.statuses.len() * self.epochs).saturating_sub(left)
    }

    /// Seconds until all trials are done, over the jobs of the latest run; `None` before the first epoch has ended. An epoch
    /// is taken to cost in proportion to its network's multiply-adds, and trials that are not planned yet as much as the mean
    /// of those that are.
    pub fn seconds_left(&self) -> Option<f64> {
        if self.cost == 0.0 {
            return None;
        }
        // Whole numbers, so that the order of a map does not show.
        let of_each = || self.open.values().map(|(cost, left)| u128::from(*cost) * *left as u128);
        let longest = of_each().max().unwrap_or(0) as f64;
        let planned = self.statuses.len();
        let unplanned = self.trials().saturating_sub(planned) as f64;
        let mean = self.planned as f64 / planned.max(1) as f64;
        let left = of_each().sum::<u128>() as f64 + unplanned * self.epochs as f64 * mean;
        // No number of jobs makes the longest trial shorter.
        Some((left / self.jobs as f64).max(longest) * self.seconds / self.cost)
    }

    /// The Pareto front of params against validation accuracy, by rising params.
    pub fn front(&mut self) -> &[Point] {
        if self.is_due && (self.means.candidates() <= AT_ONCE || is_time(self.computed)) {
            let start = Instant::now();
            let front = self.means.front().into_iter();
            self.front = front.map(|mean| Point { params: mean.params, accuracy: mean.accuracy() }).collect();
            self.computed = Some((start, start.elapsed()));
            self.is_due = false;
        }
        &self.front
    }
}

/// Relative cost of an epoch; never 0.
fn cost(trial: &Trial) -> u64 {
    trial.candidate.madds.max(1)
}
