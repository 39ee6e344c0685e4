//! The `search` section.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Candidates drawn from a search space by a strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchConfig {
    /// Path of the search space file, resolved against the experiment file's folder.
    pub space: PathBuf,
    pub strategy: StrategyKind,
    /// How many candidates to train; required for `random`, a ceiling for `grid`.
    pub trials: Option<usize>,
}

/// Which strategy asks for candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyKind {
    /// Every candidate of the space, in order.
    Grid,
    /// Candidates drawn uniformly, without repeats.
    Random,
}
