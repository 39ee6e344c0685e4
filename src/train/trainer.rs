//! The epoch loop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::checkpoint::{self, Progress};
use super::memory::{self, Memory, Wish};
use super::{Left, Trainer, TrialEnd, TrialObserver, TrialTask, learning_rate, streams};
use crate::arch::Shape;
use crate::config::{Augment, LatencyConfig, TrainConfig};
use crate::data::{Batcher, Data, Split};
use crate::engine::pool::{Buf, exhausted};
use crate::engine::weights::inherited as inherit;
use crate::engine::{Batch, Latency, Model, Sgd, SgdSettings, Workers, latency};
use crate::error::{Error, Result};
use crate::export::{About, Naming, Weights, safetensors};
use crate::study::event::{EpochMetrics, Metrics};

/// Images evaluated at once.
pub(super) const EVALUATION_BATCH: usize = 128;

/// Chance is the logarithm of the number of classes, and a rough start a few hundred at most.
const LARGEST_LOSS: f64 = 1e6;

/// Trains networks with the engine on one data set.
pub struct NetworkTrainer {
    pub data: Arc<Data>,
    pub config: TrainConfig,
    pub augment: Augment,
    /// Threads of each trial; results do not depend on it.
    pub threads: usize,
    /// What all trials that run at once may take together.
    pub memory: Memory,
    /// What every trial starts from, instead of fresh weights.
    pub start: Option<Arc<Weights>>,
    /// Rungs, rising, to each of which the schedule is fitted; none where it runs over the whole training.
    pub rungs: Vec<usize>,
}

impl NetworkTrainer {
    /// Shape of the images, which every network must take.
    pub fn input(&self) -> Shape {
        Shape::new(3, self.data.side.0, self.data.side.1)
    }

    fn model(&self, task: &TrialTask) -> Result<Model<f32>> {
        if task.network.input() != self.input() || task.network.classes != self.data.classes.len() {
            let (network, input) = (&task.network, task.network.input());
            return Err(Error::request(format!(
                "{} takes {input} and tells {} classes apart, but the images are {} in {} classes",
                network.name,
                network.classes,
                self.input(),
                self.data.classes.len()
            )));
        }
        let workers = Arc::new(Workers::new(self.threads)?);
        let mut model = Model::new(task.network.clone(), streams::stream(task, "weights"), workers);
        model.set_precision(self.config.precision)?;
        Ok(model)
    }
}

impl NetworkTrainer {
    /// What the weights of a trial are to be used with.
    fn about(&self, task: &TrialTask) -> About {
        About {
            class_names: self.data.classes.clone(),
            normalisation: Some(self.data.normalisation),
            background: self.data.background,
            precision: self.config.precision,
            ..About::new(&task.text, task.network.input(), task.network.classes)
        }
    }
}

impl Trainer for NetworkTrainer {
    fn train(&self, task: &TrialTask, observer: &mut dyn TrialObserver) -> Result<TrialEnd> {
        let need = memory::trial_bytes(&task.network, self.config.batch, &self.data);
        let _reserved = match self.memory.reserve(need, || observer.should_stop()) {
            Wish::Granted(reserved) => reserved,
            Wish::Stopped => return Ok(TrialEnd::Interrupted),
            Wish::Beyond { limit } => {
                let reason = memory::beyond(need, self.config.batch, limit);
                return Ok(TrialEnd::Failed { epoch: 1, reason });
            }
        };
        if !memory::is_given(need) {
            return Ok(TrialEnd::Failed { epoch: 1, reason: exhausted(need) });
        }
        let mut model = self.model(task)?;
        let kept = observer.continues();
        match (&kept, task.fine_tune, &self.start) {
            // All weights are in the checkpoint.
            (Some(_), _, _) => {}
            (None, Some(_), _) => match observer.inherited()? {
                Ok(inherited) => {
                    let weights = match &inherited.weights {
                        Left::Weights(weights) => weights,
                        Left::Checkpoint(bytes) => checkpoint::weights(bytes)?,
                    };
                    model.load_safetensors(&inherit(&inherited.network, weights, &task.network)?)?;
                }
                Err(reason) => return Ok(TrialEnd::Failed { epoch: 1, reason }),
            },
            (None, None, Some(start)) => start.load_into(&mut model)?,
            (None, None, None) => {}
        }
        let TrainConfig { momentum, nesterov, weight_decay, decay_norm_and_bias, .. } = self.config;
        let mut sgd = Sgd::new(SgdSettings { momentum, nesterov, weight_decay, decay_norm_and_bias });
        let seed = streams::seed(task, "batches");
        let mut batches = Batcher::train(&self.data.train, self.config.batch, seed, self.augment)
            .with_last(self.config.drop_last);
        let mut labels = Vec::new();
        let per_epoch = batches.batches();
        let mut at = Progress { epoch: 1, ..Progress::default() };
        if let Some(kept) = kept {
            at = checkpoint::read(&kept, &mut model, &mut sgd)?;
        }
        let last = task.until.unwrap_or(self.config.epochs);
        while at.epoch <= last {
            let epoch = at.epoch;
            // Where the schedule is fitted to rungs, it ends with the one that this epoch belongs to.
            let rung = self.rungs.iter().copied().find(|rung| epoch <= *rung);
            let mut config =
                TrainConfig { epochs: rung.unwrap_or(self.config.epochs), ..self.config.clone() };
            if let Some(lr) = task.fine_tune {
                config =
                    TrainConfig { epochs: task.until.unwrap_or(config.epochs), lr, warmup: 0.0, ..config };
            }
            let start = (Instant::now(), observer.paused());
            let before = at.seconds;
            batches.epoch(epoch as u64);
            batches.skip(at.done);
            while at.done < per_epoch {
                at.seconds = before + trained(&start, observer);
                let stop = observer.should_stop();
                if stop || observer.wants_checkpoint() {
                    observer.keep(&checkpoint::write(&at, &model, &mut sgd)?)?;
                }
                if stop {
                    return Ok(TrialEnd::Interrupted);
                }
                let mut images = Buf::take(batches.next_len());
                batches.write_next(&mut images, &mut labels);
                if labels.is_empty() {
                    break;
                }
                model.set_step(((epoch - 1) * per_epoch + at.done) as u64);
                let (outcome, mut grads) = model.gradients_of(images, &labels, self.config.label_smoothing);
                if diverged(outcome.loss) {
                    let what =
                        format!("the loss is {:.3e} at step {} of epoch {epoch}", outcome.loss, at.done + 1);
                    return Ok(TrialEnd::Failed { epoch, reason: reason(&what) });
                }
                at.sum.add(outcome.loss, outcome.correct, labels.len());
                at.lr = learning_rate(&config, (epoch - 1) * per_epoch + at.done, per_epoch);
                sgd.update(&mut model, &mut grads, at.lr)?;
                at.done += 1;
                observer.on_step(epoch, at.done, per_epoch);
            }
            let Some(validation) = evaluate(&model, &self.data.validation, &|| observer.should_stop()) else {
                at.seconds = before + trained(&start, observer);
                observer.keep(&checkpoint::write(&at, &model, &mut sgd)?)?;
                return Ok(TrialEnd::Interrupted);
            };
            if diverged(validation.loss) {
                let what = format!("the validation loss is {:.3e} after epoch {epoch}", validation.loss);
                return Ok(TrialEnd::Failed { epoch, reason: reason(&what) });
            }
            let seconds = before + trained(&start, observer);
            let (lr, train) = (at.lr, at.sum.metrics());
            observer.on_epoch(&EpochMetrics { epoch, lr, train, validation, seconds })?;
            at = Progress { epoch: epoch + 1, ..Progress::default() };
            if at.epoch <= last && observer.is_over_time() {
                observer.keep(&checkpoint::write(&at, &model, &mut sgd)?)?;
                return Ok(TrialEnd::TimedOut);
            }
        }
        if observer.wants_last_checkpoint() {
            observer.keep(&checkpoint::write(&at, &model, &mut sgd)?)?;
        }
        Ok(TrialEnd::Finished { weights: safetensors::bytes(&model, &self.about(task), Naming::Ours)? })
    }

    fn test(
        &self,
        task: &TrialTask,
        weights: &[u8],
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Metrics>> {
        let mut model = self.model(task)?;
        model.load_safetensors(weights)?;
        Ok(evaluate(&model, self.data.test.open_test(), stop))
    }

    fn latency(
        &self,
        task: &TrialTask,
        config: &LatencyConfig,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Latency>> {
        let measured = latency::measure(&[&task.network], config, stop)?;
        Ok(measured.and_then(|measured| measured.first().copied()))
    }
}

/// Seconds since a start, without those that the trial waited since then.
fn trained((start, paused): &(Instant, Duration), observer: &dyn TrialObserver) -> f64 {
    let waited = observer.paused().saturating_sub(*paused);
    start.elapsed().saturating_sub(waited).as_secs_f64()
}

/// Whether a mean cross entropy is one that no training comes back from: not a number, or beyond `LARGEST_LOSS`.
fn diverged(loss: f64) -> bool {
    loss.is_nan() || loss > LARGEST_LOSS
}

fn reason(what: &str) -> String {
    format!("{what}: training diverged; lower train.lr or add warm-up")
}

/// Loss and accuracy on a split in evaluation mode; `None` when asked to stop.
fn evaluate(model: &Model<f32>, split: &Split, stop: &dyn Fn() -> bool) -> Option<Metrics> {
    let inference = model.inference();
    let mut batches = Batcher::eval(split, EVALUATION_BATCH);
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    let mut sum = Sum::default();
    while batches.next_batch(&mut images, &mut labels) {
        if stop() {
            return None;
        }
        let outcome = inference.evaluate(Batch { images: &images, labels: &labels });
        sum.add(outcome.loss, outcome.correct, labels.len());
    }
    Some(sum.metrics())
}

/// Sums over the batches of a pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    loss: f64,
    correct: usize,
    images: usize,
}

impl Sum {
    fn add(&mut self, loss: f64, correct: usize, images: usize) {
        self.loss += loss * images as f64;
        self.correct += correct;
        self.images += images;
    }

    fn metrics(&self) -> Metrics {
        let images = self.images.max(1) as f64;
        let accuracy = 100.0 * self.correct as f64 / images;
        Metrics { loss: self.loss / images, accuracy, images: self.images }
    }
}
