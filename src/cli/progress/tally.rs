//! How a study stands, kept up event by event: one of a million trials is not counted anew at each.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::analysis::pareto;
use crate::study::event::{Event, Record};
use crate::study::{StudyState, Trial, TrialStatus};

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
    candidates: HashMap<Key, Candidate>,
    front: Vec<Point>,
    /// When the front was computed last and how long that took; `None` where it is due.
    computed: Option<(Instant, Duration)>,
    is_due: bool,
}

/// A candidate on the front.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub params: u64,
    /// Mean validation accuracy over seeds, percent.
    pub accuracy: f64,
}

/// Variants are told apart by their names, others by their hashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key(bool, Box<str>);

#[derive(Debug, Clone, Copy)]
struct Candidate {
    params: u64,
    /// Over its finished trials.
    sum: f64,
    trials: usize,
}

/// Candidates up to which the front is computed at once; of more, only where the last time is a hundred times longer ago
/// than it took.
const AT_ONCE: usize = 1000;

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
        if before == Some(TrialStatus::Finished) && trial.status != TrialStatus::Finished {
            // Its weights are gone, and it is trained again. Rare, so counted anew.
            let (seconds, cost) = (self.seconds, self.cost);
            *self = Self { seconds, cost, ..Self::of(state, self.total) };
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
        let record = &trial.candidate;
        let name = if record.is_variant { &record.label } else { &record.hash };
        let candidate = self.candidates.entry(Key(record.is_variant, name.as_str().into()));
        let candidate = candidate.or_insert(Candidate { params: record.params, sum: 0.0, trials: 0 });
        candidate.sum += accuracy;
        candidate.trials += 1;
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
        let trials = self.open.values().map(|(cost, left)| *cost as f64 * *left as f64);
        // Summed from the smallest, so that the order of a map does not show.
        let mut trials: Vec<f64> = trials.collect();
        trials.sort_by(f64::total_cmp);
        let longest = trials.last().copied().unwrap_or(0.0);
        let planned = self.statuses.len();
        let unplanned = self.trials().saturating_sub(planned) as f64;
        let mean = self.planned as f64 / planned.max(1) as f64;
        let left = trials.iter().sum::<f64>() + unplanned * self.epochs as f64 * mean;
        // No number of jobs makes the longest trial shorter.
        Some((left / self.jobs as f64).max(longest) * self.seconds / self.cost)
    }

    /// The Pareto front of params against validation accuracy, by rising params.
    pub fn front(&mut self) -> &[Point] {
        let is_time = |(at, took): (Instant, Duration)| at.elapsed() >= 100 * took;
        if self.is_due && (self.candidates.len() <= AT_ONCE || self.computed.is_none_or(is_time)) {
            let start = Instant::now();
            let mut points: Vec<(f64, f64)> = Vec::with_capacity(self.candidates.len());
            points.extend(self.candidates.values().map(|c| (c.params as f64, c.sum / c.trials as f64)));
            let front = pareto::front(&points).into_iter();
            self.front = front.map(|i| Point { params: points[i].0 as u64, accuracy: points[i].1 }).collect();
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
