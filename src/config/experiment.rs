//! The whole experiment file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DataConfig, SearchConfig, TrainConfig};

/// An experiment: what to train (a search over a space, named variants, or both), on what, how, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Name of the study; its folder is `reports/<name>` unless `--out` says otherwise.
    pub name: String,
    /// One sentence for the report.
    pub description: Option<String>,
    /// Seed of the study: splits, sampling and every trial's streams derive from it.
    pub seed: u64,
    /// Trial seeds: every candidate is trained once for each.
    pub seeds: Vec<u64>,
    pub data: DataConfig,
    pub train: TrainConfig,
    /// Candidates drawn from a search space.
    pub search: Option<SearchConfig>,
    /// Named networks; the first is the baseline unless `baseline` names another.
    pub variants: Vec<Variant>,
    /// Name of the baseline variant of the ablation table.
    pub baseline: Option<String>,
}

/// A named network of an ablation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    pub name: String,
    /// A zoo name (`mix`) or a candidate in block notation.
    pub network: String,
    /// Options of the zoo network, as `--set` takes them (`conv_bias: "true"`).
    pub set: BTreeMap<String, String>,
    /// Figures somebody published for it, shown beside ours.
    pub published: Option<Published>,
}

/// Published figures of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Published {
    pub params: Option<f64>,
    /// Multiply-adds.
    pub madds: Option<f64>,
    /// Test accuracy in percent.
    pub accuracy: Option<f64>,
}
