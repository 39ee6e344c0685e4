//! How long a step takes on this machine.

mod layers;
pub mod machine;

use std::sync::Arc;
use std::time::{Duration, Instant};

use layers::layer_times;
pub use layers::{Clock, LayerTime, Pass};

use super::pool::Buf;
use super::{Model, Sgd, SgdSettings, Workers};
use crate::arch::{LayerId, Network, Op};
use crate::config::Precision;
use crate::cost;
use crate::error::{Error, Result};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Forward, loss, backward and the optimizer's update.
    Train,
    /// Forward in evaluation mode, batch norm folded before the first step.
    Infer,
}

/// How it is measured.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub work: Work,
    pub batch: usize,
    pub threads: usize,
    /// Of training; inference is f32.
    pub precision: Precision,
    /// Steps before the counted ones.
    pub warmup: usize,
    /// Counted steps, at least.
    pub repeats: usize,
    /// Time of the counted steps together, at least.
    pub at_least: Duration,
    /// Whether the time of every layer is measured too; costs a little.
    pub layers: bool,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// Seconds of each counted step, sorted.
    pub steps: Vec<f64>,
    pub batch: usize,
    /// Floating-point operations of one step: two for each multiply-add, training three times inference but for the
    /// gradient of the images, which nobody computes.
    pub operations: f64,
    /// Most memory that the process held, bytes, where the system tells.
    pub peak_bytes: Option<u64>,
    /// Every layer's share, where asked for.
    pub layers: Vec<LayerTime>,
}

impl Measurement {
    /// Seconds of a step that a share `q` (0 to 1) of all steps do not exceed.
    pub fn quantile(&self, q: f64) -> f64 {
        let last = self.steps.len().saturating_sub(1);
        self.steps.get((last as f64 * q).round() as usize).copied().unwrap_or(f64::NAN)
    }

    /// Seconds of the median step.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// Runs steps of `network` on noise.
///
/// # Errors
/// An empty batch, or a system that gives no threads.
pub fn measure(network: &Network, settings: &Settings) -> Result<Measurement> {
    let Settings { work, batch, threads, precision, warmup, repeats, at_least, layers } = *settings;
    if batch == 0 || (work == Work::Train && batch < 2) {
        return Err(Error::request("--batch: training needs at least 2 images for batch norm, inference 1"));
    }
    let mut model = Model::<f32>::new(network.clone(), [1; 32], Arc::new(Workers::new(threads)?));
    model.set_precision(precision)?;
    let clock = Clock::default();
    model.clock = layers.then(|| clock.clone());
    let momentum =
        SgdSettings { momentum: 0.9, nesterov: false, weight_decay: 4e-5, decay_norm_and_bias: true };
    let mut sgd = Sgd::new(momentum);
    let labels: Vec<u32> = (0..batch).map(|image| (image % network.classes) as u32).collect();
    let inference = (work == Work::Infer).then(|| model.inference());
    let mut steps = Vec::new();
    let mut counted = 0.0;
    for step in 0.. {
        let images = noise(batch * network.input().len());
        let start = Instant::now();
        match &inference {
            Some(inference) => drop(inference.logits(&images)),
            None => {
                let (_, mut grads) = model.gradients_of(images, &labels, 0.0);
                sgd.update(&mut model, &mut grads, 1e-3)?;
            }
        }
        if step < warmup {
            clock.reset();
            continue;
        }
        let seconds = start.elapsed().as_secs_f64();
        counted += seconds;
        steps.push(seconds);
        if steps.len() >= repeats && counted >= at_least.as_secs_f64() {
            break;
        }
    }
    steps.sort_by(f64::total_cmp);
    let operations = operations(network, work) * batch as f64;
    let layers = if layers {
        layer_times(network, batch, work == Work::Train, &clock, steps.len())
    } else {
        Vec::new()
    };
    Ok(Measurement { steps, batch, operations, peak_bytes: peak_bytes(), layers })
}

/// Floating-point operations for one image.
fn operations(network: &Network, work: Work) -> f64 {
    let madds = |id: LayerId| cost::madds(network, id);
    let total: u64 = (0..network.layers.len()).map(madds).sum();
    let reads_images = |id: &LayerId| {
        let layer = &network.layers[*id];
        matches!(layer.op, Op::Conv { .. } | Op::Linear { .. }) && layer.inputs.contains(&0)
    };
    let first: u64 = (0..network.layers.len()).filter(reads_images).map(madds).sum();
    match work {
        Work::Infer => 2.0 * total as f64,
        Work::Train => 2.0 * (3 * total - first) as f64,
    }
}

/// Values between -1 and 1 that look like nothing, the same every time.
pub(super) fn noise(len: usize) -> Buf<f32> {
    let hash = |i: usize| (i as u32).wrapping_mul(2_654_435_761) >> 8;
    let mut values = Buf::take(len);
    values.iter_mut().enumerate().for_each(|(i, value)| *value = hash(i) as f32 / (1 << 23) as f32 - 1.0);
    values
}

/// The process's peak resident memory, from Linux's own account.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo;

    #[test]
    fn steps_are_counted_after_the_warm_up() {
        let network = zoo::network("stem_c8_s2 ir_e2_c8", &zoo::Options::default()).unwrap();
        for work in [Work::Train, Work::Infer] {
            let settings = Settings {
                work,
                batch: 2,
                threads: 1,
                precision: Precision::F32,
                warmup: 1,
                repeats: 3,
                at_least: Duration::ZERO,
                layers: true,
            };
            let measured = measure(&network, &settings).unwrap();
            assert_eq!(measured.steps.len(), 3);
            assert!(measured.steps.is_sorted() && measured.median() > 0.0);
            let (of_layers, of_steps) = (
                measured.layers.iter().map(LayerTime::seconds).sum::<f64>(),
                measured.steps.iter().sum::<f64>() / 3.0,
            );
            assert!(of_layers > 0.0 && of_layers <= of_steps, "{of_layers} of {of_steps}");
            let of_layers: f64 = measured.layers.iter().map(|layer| layer.operations).sum();
            assert_eq!(of_layers, measured.operations);
        }
    }

    /// The Mix model's 243,417,600 multiply-adds of a training step, by PyTorch hooks on an independent definition.
    #[test]
    fn operations_leave_out_the_gradient_of_the_images() {
        let network = zoo::network("mix", &zoo::Options::default()).unwrap();
        assert_eq!(operations(&network, Work::Train), 2.0 * 243_417_600.0);
        assert_eq!(operations(&network, Work::Infer), 2.0 * 81_434_112.0);
    }
}
