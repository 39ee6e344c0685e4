//! A `Network` with weights: forward, loss, gradients.

mod forward;
mod init;
#[cfg(test)]
#[path = "../../tests/support/engine_networks.rs"]
pub mod networks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use dfdx::prelude::{Cpu, OwnedTape, TensorFromVec};

use super::grad::Grads;
use super::infer::Inference;
use super::keep::{self, Keep};
use super::measure::Clock;
use super::ops::dropout::Coins;
use super::ops::matmul::bf16::Units;
use super::pool::Buf;
use super::real::{Flat, Real};
use super::value::{Context, Value};
use super::workers::Workers;
use crate::arch::{LayerId, Network, Norm, Op};
use crate::config::Precision;
use crate::error::{Error, Result};

/// A network with its parameters and running statistics.
pub struct Model<E: Real> {
    pub network: Network,
    pub params: Vec<Param<E>>,
    /// For each layer, where its parameters lie in `params`.
    layers: Vec<LayerParams>,
    /// For each layer that is a batch norm, its running statistics.
    pub running: Vec<Option<Running<E>>>,
    workers: Arc<Workers>,
    /// Set where gradients are computed with products in bf16.
    bf16: Option<Units>,
    /// What a training step does with every layer's output.
    keep: Vec<Keep>,
    /// What dropout drops.
    coins: Coins,
    /// Where the time of each layer goes, if somebody wants to know.
    pub clock: Option<Clock>,
}

/// A parameter, shaped and named as PyTorch would.
pub struct Param<E: Real> {
    /// Layer name and `weight` or `bias`.
    pub name: String,
    pub shape: Vec<usize>,
    pub tensor: Flat<E>,
    /// Whether it is of a batch norm, a bias or a PReLU slope: what weight decay usually leaves out.
    pub is_norm_or_bias: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct LayerParams {
    weight: Option<usize>,
    bias: Option<usize>,
}

/// Running statistics of a batch norm: mean and unbiased variance per channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Running<E> {
    pub norm: Norm,
    pub mean: Vec<E>,
    pub variance: Vec<E>,
}

/// Normalised images `(N, H, W, C)` and their labels.
#[derive(Clone, Copy)]
pub struct Batch<'a, E> {
    pub images: &'a [E],
    pub labels: &'a [u32],
}

/// What one pass over a batch gave.
pub struct Outcome {
    /// Mean loss over the batch.
    pub loss: f64,
    /// Images whose largest logit is their label's.
    pub correct: usize,
}

impl<E: Real> Model<E> {
    /// A network with fresh weights from a random stream.
    ///
    /// Convolutions: normal with variance 2 / fan-out, fan-out counted per group (He et al. 2015); the classifier:
    /// normal with deviation 0.01; other linear layers: uniform in +-1/sqrt(fan-in); batch norm 1 and 0; PReLU 0.25.
    pub fn new(network: Network, stream: [u8; 32], workers: Arc<Workers>) -> Self {
        let (params, layers) = init::params(&network, stream);
        let running = network.layers.iter().map(|layer| {
            let c = layer.output.c;
            let Op::BatchNorm(norm) = layer.op else { return None };
            Some(Running { norm, mean: vec![E::ZERO; c], variance: vec![E::ONE; c] })
        });
        let running = running.collect();
        let keep = keep::plan(&network);
        let coins = Coins { seed: init::coins(stream), step: 0 };
        Self { network, params, layers, running, workers, bf16: None, keep, coins, clock: None }
    }

    /// Says which training step comes next, of all steps since the first: what dropout drops in it depends on this number
    /// and the model's random stream alone, so that a training that goes on after a pause drops the same.
    pub fn set_step(&mut self, step: u64) {
        self.coins.step = step;
    }

    /// Computes gradients in this precision from now on; evaluation stays in f32.
    ///
    /// # Errors
    /// A sentence where the machine has no bf16 units.
    pub fn set_precision(&mut self, precision: Precision) -> Result<()> {
        self.bf16 = units(precision)?;
        Ok(())
    }

    /// The network as it is now, ready to run in evaluation mode: batch norm uses its running statistics. Made once, it
    /// runs any number of batches.
    pub fn inference(&self) -> Inference<E> {
        Inference::new(self)
    }

    /// Logits `(N, classes)` in evaluation mode, of one batch.
    pub fn logits(&self, images: &[E]) -> Vec<E> {
        self.inference().logits(images)
    }

    /// Logits `(N, classes)` in training mode, of one batch: normalised by its own statistics, dropout at work.
    pub fn training_logits(&self, images: &[E]) -> Vec<E> {
        let mut context = self.context(None);
        self.forward(&mut context, self.input(Buf::copy_of(images)), forward::Mode::Train).0.materialised()
    }

    /// Loss and hits in evaluation mode, of one batch.
    pub fn evaluate(&self, batch: Batch<'_, E>) -> Outcome {
        self.inference().evaluate(batch)
    }

    /// The threads it runs on.
    pub(super) fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }

    /// A layer's parameters: weight (gamma, slope) and bias (beta).
    pub(super) fn weight_and_bias(&self, layer: LayerId) -> (Option<&Flat<E>>, Option<&Flat<E>>) {
        let LayerParams { weight, bias } = self.layers[layer];
        let tensor = |at: usize| &self.params[at].tensor;
        (weight.map(tensor), bias.map(tensor))
    }

    /// Loss and hits in training mode (batch statistics) with all gradients; running statistics are updated.
    pub fn gradients(&mut self, batch: Batch<'_, E>, smoothing: f64) -> (Outcome, Grads<E>) {
        self.gradients_of(Buf::copy_of(batch.images), batch.labels, smoothing)
    }

    /// As [`gradients`](Self::gradients), of images that the step may keep, so that they are in memory once.
    pub fn gradients_of(&mut self, images: Buf<E>, labels: &[u32], smoothing: f64) -> (Outcome, Grads<E>) {
        let mut context = self.context(Some(OwnedTape::default()));
        let images = self.input(images);
        let (logits, statistics) = self.forward(&mut context, images, forward::Mode::Train);
        let values = logits.materialised();
        for (layer, mean, variance) in statistics {
            if let Some(running) = &mut self.running[layer] {
                running.update(&mean, &variance);
            }
        }
        let (outcome, grads) =
            outcome(values, labels, self.network.classes, smoothing, Some((context, logits)));
        (outcome, grads.unwrap_or_else(Grads::leaky))
    }

    fn context(&self, tape: Option<OwnedTape<E, Cpu>>) -> Context<E> {
        let bf16 = self.bf16.filter(|_| tape.is_some());
        Context { tape, workers: self.workers.clone(), bf16, clock: self.clock.clone(), layer: 0 }
    }

    /// The images as an activation whose gradient nobody needs.
    fn input(&self, images: Buf<E>) -> Value<E> {
        let (shape, count) = (self.network.input(), images.len());
        Value::plain(images, count / shape.len(), (shape.h, shape.w, shape.c), false)
    }

    /// Replaces a parameter's values.
    ///
    /// # Errors
    /// When the number of values differs.
    pub fn set_param(&mut self, index: usize, values: &[E]) -> Result<()> {
        let param = &mut self.params[index];
        if values.len() != param.shape.iter().product::<usize>() {
            let (name, shape) = (&param.name, &param.shape);
            return Err(Error::request(format!(
                "{name}: {} values do not fill its shape {shape:?}",
                values.len()
            )));
        }
        param.tensor.copy_from(values);
        Ok(())
    }
}

/// The units that a precision needs: none for f32.
///
/// # Errors
/// A sentence where the machine has none.
pub fn units(precision: Precision) -> Result<Option<Units>> {
    match (precision, Units::of_this_machine()) {
        (Precision::F32, _) => Ok(None),
        (Precision::Bf16, Some(units)) => Ok(Some(units)),
        (Precision::Bf16, None) => Err(Error::request(
            "bf16 needs a processor with AVX512-BF16, which this machine does not have: set the precision to f32",
        )),
    }
}

impl<E: Real> Running<E> {
    fn update(&mut self, mean: &[f64], variance: &[f64]) {
        let new_share = self.norm.momentum;
        let mix = |old: &mut E, new: f64| *old = E::of((1.0 - new_share) * old.wide() + new_share * new);
        self.mean.iter_mut().zip(mean).for_each(|(old, new)| mix(old, *new));
        self.variance.iter_mut().zip(variance).for_each(|(old, new)| mix(old, *new));
    }
}

/// Loss of logits through dfdx; with a tape, also all gradients.
fn outcome<E: Real>(
    logits: Vec<E>,
    labels: &[u32],
    classes: usize,
    smoothing: f64,
    recorded: Option<(Context<E>, Value<E>)>,
) -> (Outcome, Option<Grads<E>>) {
    let correct = hits(&logits, labels, classes);
    let device = Cpu::default();
    let shape = (labels.len(), classes);
    let targets = device.tensor_from_vec(targets(labels, classes, smoothing), shape);
    let logits = device.tensor_from_vec(logits, shape);
    let tape = recorded.and_then(|(mut context, value)| {
        let tensor = logits.clone();
        context.record(move |grads| {
            let gradient = std::mem::take(&mut **grads.get_or_alloc_mut(&tensor)?);
            value.grad.put(Buf::copy_of(&gradient));
            Ok(())
        });
        context.tape
    });
    let (loss, grads) = E::cross_entropy(logits, targets, tape);
    (Outcome { loss, correct }, grads)
}

impl Outcome {
    /// Of logits `(N, classes)`.
    pub(super) fn of<E: Real>(logits: Vec<E>, labels: &[u32], classes: usize) -> Self {
        outcome(logits, labels, classes, 0.0, None).0
    }
}

/// Target probabilities: 1 - smoothing on the label, smoothing spread over all classes.
fn targets<E: Real>(labels: &[u32], classes: usize, smoothing: f64) -> Vec<E> {
    let spread = E::of(smoothing / classes as f64);
    let mut out = vec![spread; labels.len() * classes];
    for (row, label) in out.chunks_exact_mut(classes).zip(labels) {
        if let Some(target) = row.get_mut(*label as usize) {
            *target += E::of(1.0 - smoothing);
        }
    }
    out
}

fn hits<E: Real>(logits: &[E], labels: &[u32], classes: usize) -> usize {
    let is_hit = |(row, label): (&[E], &u32)| {
        let label = *label as usize;
        let of_label = row.get(label);
        of_label.is_some_and(|own| row.iter().enumerate().all(|(class, logit)| class == label || logit < own))
    };
    logits.chunks_exact(classes).zip(labels).filter(|pair| is_hit(*pair)).count()
}
