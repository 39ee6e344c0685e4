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
}
