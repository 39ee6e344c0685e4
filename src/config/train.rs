//! The `train` section.

use serde::{Deserialize, Serialize};

/// How every trial is trained. Learning rates are per step of one batch, as PyTorch counts them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    pub epochs: usize,
    pub batch: usize,
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
