//! What the study asks of a trainer, so that scheduling can be tested without training.

use std::time::Duration;

use crate::arch::Network;
use crate::config::LatencyConfig;
use crate::engine::Latency;
use crate::error::{Error, Result};
use crate::study::event::{EpochMetrics, Metrics};

/// One trial to train.
#[derive(Debug, Clone)]
pub struct TrialTask {
    /// Number of the trial in its study.
    pub trial: usize,
    pub network: Network,
    /// Its zoo name with options, or block notation.
    pub text: String,
    /// Hash of the candidate; with the study's seed and `seed` it fixes every random stream of the trial.
    pub candidate_hash: String,
    pub study_seed: u64,
    pub seed: u64,
    /// Epochs after which it stops, where these are not all of the recipe.
    pub until: Option<usize>,
    /// Learning rate at which a trial begins that has the weights of another ([`TrialObserver::inherited`]); its schedule
    /// runs to its end at `until`, without warm-up.
    pub fine_tune: Option<f64>,
}

/// What another trial left: its network, and its weights.
#[derive(Debug, Clone)]
pub struct Inherited {
    pub network: Network,
    pub weights: Left,
}

/// Weights as they lie on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// As [`TrialEnd::Finished`] gave them.
    Weights(Vec<u8>),
    /// Within what was given to [`TrialObserver::keep`].
    Checkpoint(Vec<u8>),
}

/// How a trial reports while it runs, and how it learns that it should stop.
pub trait TrialObserver {
    /// Called after each batch: batches done and batches of the epoch (`epoch` counts from 1).
    fn on_step(&mut self, epoch: usize, done: usize, total: usize);
    /// Called after each epoch, in order.
    fn on_epoch(&mut self, epoch: &EpochMetrics) -> Result<()>;
    /// Asked before each step; true ends the trial with [`TrialEnd::Interrupted`], after a last checkpoint.
    ///
    /// A trial may wait here while the latency of a candidate is measured.
    fn should_stop(&self) -> bool;
    /// How long it has waited in [`should_stop`](Self::should_stop) so far: no time of its training.
    fn paused(&self) -> Duration {
        Duration::ZERO
    }
    /// Asked after each epoch but the last; true ends the trial with [`TrialEnd::TimedOut`], after a last checkpoint.
    fn is_over_time(&mut self) -> bool {
        false
    }
    /// What an earlier attempt left with [`keep`](Self::keep), if there was one; given once.
    fn continues(&mut self) -> Option<Vec<u8>>;
    /// What a trial with [`TrialTask::fine_tune`] inherits; within, why it cannot, which fails the trial.
    ///
    /// # Errors
    /// What must end the study: weights that were there and cannot be read.
    fn inherited(&mut self) -> Result<std::result::Result<Inherited, String>> {
        Ok(Err("there is nothing to inherit".into()))
    }
    /// Asked after each step; whether it is time for [`keep`](Self::keep).
    fn wants_checkpoint(&self) -> bool;
    /// Asked after the last step; whether the trial may go on some day, to more epochs.
    fn wants_last_checkpoint(&self) -> bool {
        false
    }
    /// Keeps all that the trial needs to go on from here to the same bits.
    ///
    /// # Errors
    /// When it cannot be written: ends the study.
    fn keep(&mut self, checkpoint: &[u8]) -> Result<()>;
}

/// How a trial ended.
#[derive(Debug, Clone, PartialEq)]
pub enum TrialEnd {
    /// All epochs done: the final weights and running statistics, as the bytes of a safetensors file.
    Finished {
        weights: Vec<u8>,
    },
    /// A loss that is not finite, or similar: ends this trial, not the study.
    Failed {
        epoch: usize,
        reason: String,
    },
    Interrupted,
    /// It had no more time, and may go on.
    TimedOut,
}

/// Trains trials; shared by all workers.
pub trait Trainer: Sync {
    /// Trains one trial on the calling thread to its end.
    ///
    /// # Errors
    /// Only what must end the study (a journal that cannot be written); a trial's own trouble is [`TrialEnd::Failed`].
    fn train(&self, task: &TrialTask, observer: &mut dyn TrialObserver) -> Result<TrialEnd>;

    /// Reads the test split with the weights that [`train`](Self::train) returned: once per trial, after all training is done.
    /// `None` where `stop` said so before the end.
    ///
    /// # Errors
    /// Weights that are not those of the trial.
    fn test(
        &self,
        task: &TrialTask,
        weights: &[u8],
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Metrics>>;

    /// The latency of a trial's network, while nothing else runs; `None` where `stop` said so.
    ///
    /// # Errors
    /// A system that gives no threads; a trainer that knows no latency.
    fn latency(
        &self,
        _task: &TrialTask,
        _config: &LatencyConfig,
        _stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Latency>> {
        Err(Error::request("this trainer knows no latency: leave `latency` out of the experiment"))
    }
}
