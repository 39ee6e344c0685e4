//! How long a study will still take.

use crate::study::StudyState;
use crate::study::event::CandidateRecord;

/// Time left, from the epochs finished in this run. An epoch is taken to cost in proportion to its network's multiply-adds.
#[derive(Debug, Clone, Default)]
pub struct Estimate {
    seconds: f64,
    madds: f64,
}

impl Estimate {
    /// Takes note of a finished epoch.
    pub fn add(&mut self, candidate: &CandidateRecord, seconds: f64) {
        self.seconds += seconds;
        self.madds += work(candidate);
    }

    /// Seconds until `total` trials are done, over the jobs of the latest run; `None` before the first epoch has ended.
    /// Trials that are not planned yet count as the mean of those that are.
    pub fn seconds_left(&self, state: &StudyState, total: usize) -> Option<f64> {
        if self.madds == 0.0 {
            return None;
        }
        let epochs = state.experiment.train.epochs;
        let (mut left, mut longest, mut all) = (0.0, 0.0_f64, 0.0);
        for trial in &state.trials {
            let epoch = work(&trial.candidate);
            all += epoch;
            if !trial.ended() {
                let trial_left = epoch * epochs.saturating_sub(trial.epochs.len()) as f64;
                left += trial_left;
                longest = longest.max(trial_left);
            }
        }
        let unplanned = total.saturating_sub(state.trials.len()) as f64;
        left += unplanned * epochs as f64 * all / (state.trials.len().max(1)) as f64;
        let jobs = state.environments.last().map_or(1, |e| e.jobs.max(1)) as f64;
        // No number of jobs makes the longest trial shorter.
        Some((left / jobs).max(longest) * self.seconds / self.madds)
    }
}

/// Relative cost of one epoch; never 0.
fn work(candidate: &CandidateRecord) -> f64 {
    candidate.madds.max(1) as f64
}
