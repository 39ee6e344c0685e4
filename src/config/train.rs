//! The `train` section.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Timeout;
use super::search::resolve;
use super::yaml::{At, Read};

/// How every trial is trained. Learning rates are per step of one batch, as PyTorch counts them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    pub epochs: usize,
    pub batch: usize,
    /// What becomes of a last batch that is not full: left out, taken, or, unsaid, taken where it has at least half the images
    /// of a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop_last: Option<bool>,
    /// Peak learning rate of SGD.
    pub lr: f64,
    pub momentum: f64,
    pub nesterov: bool,
    /// L2 weight decay, added to the gradient.
    pub weight_decay: f64,
    /// Apply weight decay to batch-norm parameters, PReLU slopes and biases too.
    pub decay_norm_and_bias: bool,
    /// Epochs over which the learning rate rises linearly from 0 to `lr` (may be fractional); 0 is off.
    pub warmup: f64,
    pub schedule: Schedule,
    /// Label smoothing, 0 to below 1.
    pub label_smoothing: f64,
    /// What the products of 1x1 convolutions are taken in; all else is f32.
    #[serde(default)]
    pub precision: Precision,
    /// What every trial starts from, instead of fresh weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<StartWeights>,
    /// What becomes of their classifier.
    #[serde(default, skip_serializing_if = "StartClassifier::is_loaded")]
    pub classifier: StartClassifier,
    /// Training time after which a trial ends at its next epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timeout>,
}

/// The classifier of a network that starts from given weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartClassifier {
    /// It is among the weights.
    #[default]
    Loaded,
    /// It starts at random from the trial's own stream, whatever the file has: for data of other classes.
    Fresh,
}

impl StartClassifier {
    /// All, with their names.
    pub const NAMED: [(&'static str, Self); 2] = [("loaded", Self::Loaded), ("fresh", Self::Fresh)];

    /// Whether all weights are those of the file.
    pub fn is_loaded(&self) -> bool {
        *self == Self::Loaded
    }
}

/// A safetensors file to start from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartWeights {
    /// In the experiment file it is relative to that file's folder.
    pub path: PathBuf,
    /// SHA-256 of the file, as hex, once it was read: two files of one name are two starts.
    pub hash: Option<String>,
}

/// Numbers that matrix products take; they are summed in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    #[default]
    F32,
    /// Weights, activations and gradients rounded to bf16 where they enter a product.
    Bf16,
}

impl Precision {
    /// All, with their names.
    pub const NAMED: [(&'static str, Self); 2] = [("f32", Self::F32), ("bf16", Self::Bf16)];
}

/// Learning rate after warm-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    Constant,
    /// Half a cosine from `lr` to 0 over the epochs after warm-up, per step.
    Cosine,
    /// Multiplied by `gamma` at each milestone epoch.
    Step {
        milestones: Vec<usize>,
        gamma: f64,
    },
    /// Multiplied by `gamma` after every epoch.
    Exponential {
        gamma: f64,
    },
}

const KEYS: [&str; 15] = [
    "epochs",
    "batch",
    "drop_last",
    "lr",
    "momentum",
    "nesterov",
    "weight_decay",
    "decay_norm_and_bias",
    "warmup",
    "schedule",
    "label_smoothing",
    "precision",
    "weights",
    "classifier",
    "timeout",
];

impl TrainConfig {
    /// Reads the section. Only `epochs` must be there; `folder` is the file's.
    pub(super) fn read(at: &At<'_>, folder: &Path) -> Read<Self> {
        let keys = at.keys("train", &KEYS)?;
        let epochs = keys
            .required("epochs", "epochs: 30")?
            .count(1..=1_000_000, "a number of epochs (a whole number from 1)")?;
        let config = Self {
            epochs,
            batch: keys.or("batch", 64, |at| at.count(2..=65_536, "a batch size (a whole number, 2 to 65536)"))?,
            drop_last: keys.optional("drop_last").map(|at| at.bool()).transpose()?,
            lr: keys.or("lr", 0.05, |at| {
                at.number(f64::MIN_POSITIVE..=100.0, "a learning rate (a number above 0, up to 100)")
            })?,
            momentum: keys.or("momentum", 0.9, |at| at.share(0.0..1.0, "a momentum (a number from 0, below 1)"))?,
            nesterov: keys.or("nesterov", false, |at| at.bool())?,
            weight_decay: keys
                .or("weight_decay", 1e-4, |at| at.share(0.0..1.0, "a weight decay (a number from 0, below 1)"))?,
            decay_norm_and_bias: keys.or("decay_norm_and_bias", false, |at| at.bool())?,
            warmup: keys.or("warmup", 0.0, |at| {
                let warmup = at.number(0.0..1e6, "a number of warm-up epochs (a number from 0)")?;
                if warmup > epochs as f64 {
                    return Err(at.problem(format!(
                        "{warmup} epochs of warm-up are more than the {epochs} of the whole training (train.epochs); warm-up is counted in epochs, not steps"
                    )));
                }
                Ok(warmup)
            })?,
            schedule: keys.or("schedule", Schedule::Cosine, |at| Schedule::read(&at, epochs))?,
            label_smoothing: keys
                .or("label_smoothing", 0.0, |at| at.share(0.0..1.0, "a label smoothing (a number from 0, below 1)"))?,
            precision: keys.or("precision", Precision::F32, |at| at.one_of("a precision", &Precision::NAMED))?,
            weights: match keys.optional("weights") {
                Some(at) => Some(StartWeights { path: resolve(folder, at.text()?), hash: None }),
                None => None,
            },
            classifier: keys.or("classifier", StartClassifier::Loaded, |at| {
                at.one_of("a start of the classifier", &StartClassifier::NAMED)
            })?,
            timeout: keys.optional("timeout").map(|at| Timeout::read(&at)).transpose()?,
        };
        if config.nesterov && config.momentum == 0.0 {
            let place = keys.required("nesterov", "")?;
            return Err(place.problem("Nesterov's step needs a momentum above 0; set `momentum: 0.9`, say"));
        }
        Ok(config)
    }
}

impl Schedule {
    /// `cosine`, or a mapping of one key: `{exponential: {gamma: 0.98}}`.
    fn read(at: &At<'_>, epochs: usize) -> Read<Self> {
        if let Ok(name) = at.text() {
            return match name {
                "step" => Err(at.problem(
                    "a step schedule needs its numbers: `step: {milestones: [60, 120], gamma: 0.1}`",
                )),
                "exponential" => {
                    Err(at.problem("an exponential schedule needs its number: `exponential: {gamma: 0.98}`"))
                }
                _ => at.one_of(
                    "a schedule",
                    &[
                        ("constant", Self::Constant),
                        ("cosine", Self::Cosine),
                        ("step", Self::Constant),
                        ("exponential", Self::Constant),
                    ],
                ),
            };
        }
        let keys = at.keys("a schedule", &["constant", "cosine", "step", "exponential"])?;
        let mut names = keys.iter().map(|(name, _)| name);
        let (Some(name), None) = (names.next(), names.next()) else {
            return Err(at.problem("a schedule is exactly one of constant, cosine, step and exponential"));
        };
        let place = keys.required(name, "")?;
        let gamma = |at: &At<'_>| at.share(f64::MIN_POSITIVE..=1.0, "a factor (a number above 0, up to 1)");
        match name {
            "step" => {
                let step = place.keys("a step schedule", &["milestones", "gamma"])?;
                Ok(Self::Step {
                    milestones: milestones(&step.required("milestones", "milestones: [60, 120]")?, epochs)?,
                    gamma: gamma(&step.required("gamma", "gamma: 0.1")?)?,
                })
            }
            "exponential" => {
                let exponential = place.keys("an exponential schedule", &["gamma"])?;
                Ok(Self::Exponential { gamma: gamma(&exponential.required("gamma", "gamma: 0.98")?)? })
            }
            name => Err(at.problem(format!("this schedule has no numbers; write `schedule: {name}`"))),
        }
    }
}

fn milestones(at: &At<'_>, epochs: usize) -> Read<Vec<usize>> {
    let mut milestones: Vec<usize> = Vec::new();
    for item in at.list("a list of epochs, such as [60, 120]")? {
        let milestone = item.count(1.., "an epoch (a whole number from 1)")?;
        if milestone >= epochs {
            return Err(item.problem(format!(
                "a milestone at epoch {milestone} comes too late in {epochs} epochs of training (train.epochs)"
            )));
        }
        if milestones.last().is_some_and(|last| *last >= milestone) {
            return Err(item.problem("milestones must rise"));
        }
        milestones.push(milestone);
    }
    if milestones.is_empty() {
        return Err(at.problem("a step schedule without milestones is constant; write `schedule: constant`"));
    }
    Ok(milestones)
}
