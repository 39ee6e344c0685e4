//! What a study says about its images.

use serde::{Deserialize, Serialize};

/// What the study trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// For people: format and where it came from.
    pub description: String,
    /// SHA-256 of the decoded training, then test pixels and labels, hex.
    pub hash: String,
    pub classes: Vec<String>,
    pub train: usize,
    pub validation: usize,
    pub test: usize,
    /// What was noticed while it was read; journals of before do not say.
    #[serde(default, skip_serializing_if = "Reading::is_empty")]
    pub reading: Reading,
}

/// What was noticed while a data set was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// What looks wrong, a sentence each with its remedy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Reading {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
