//! An observer for the tests of trainers: keeps what it is told, and stops when it should.

use super::TrialObserver;
use crate::error::Result;
use crate::study::event::EpochMetrics;

/// Keeps what it is told.
#[derive(Debug, Default)]
pub struct Watch {
    /// Stops after so many steps of all attempts together.
    pub stop_after_steps: Option<usize>,
    /// Stops before this epoch.
    pub stop_before: Option<usize>,
    /// Of each step its epoch, the batches done and the batches of the epoch.
    pub steps: Vec<(usize, usize, usize)>,
    pub epochs: Vec<EpochMetrics>,
    /// The last checkpoint, until it is asked for.
    pub kept: Option<Vec<u8>>,
}

impl TrialObserver for Watch {
    fn on_step(&mut self, epoch: usize, done: usize, total: usize) {
        self.steps.push((epoch, done, total));
    }

    fn on_epoch(&mut self, epoch: &EpochMetrics) -> Result<()> {
        self.epochs.push(epoch.clone());
        Ok(())
    }

    fn should_stop(&self) -> bool {
        self.stop_after_steps.is_some_and(|steps| self.steps.len() >= steps)
            || self.stop_before == Some(self.epochs.len() + 1)
    }

    fn continues(&mut self) -> Option<Vec<u8>> {
        self.kept.take()
    }

    fn wants_checkpoint(&self) -> bool {
        false
    }

    fn keep(&mut self, checkpoint: &[u8]) -> Result<()> {
        self.kept = Some(checkpoint.to_vec());
        Ok(())
    }
}
