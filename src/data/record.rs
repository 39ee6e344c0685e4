//! What a study says about its images.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text::thousands;

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
    /// How its images were read, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Files that are no images of the data set: how many of each kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub passed_over: BTreeMap<String, usize>,
    /// What looks wrong, a sentence each with its remedy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Reading {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// One more file that is not read.
    pub(super) fn pass_over(&mut self, kind: impl Into<String>) {
        *self.passed_over.entry(kind.into()).or_default() += 1;
    }

    /// How its images were read and what was passed over, as sentences for a log.
    pub fn sentences(&self) -> Vec<String> {
        let mut all = self.notes.clone();
        all.extend(self.passed_over_sentence());
        all
    }

    /// `3 files are not read: 1 empty file, 2 GIF images`; `None` where every file was.
    pub fn passed_over_sentence(&self) -> Option<String> {
        let all: usize = self.passed_over.values().sum();
        let list: Vec<String> = self.passed_over.iter().map(|(kind, &count)| counted(count, kind)).collect();
        let files = if all == 1 { "file is" } else { "files are" };
        (all > 0).then(|| format!("{} {files} not read: {}", thousands(all as u64), list.join(", ")))
    }
}

/// `1 GIF image`, `2 GIF images`, `3 files that are no images`.
fn counted(count: usize, kind: &str) -> String {
    let number = thousands(count as u64);
    if count == 1 {
        return format!("{number} {kind}");
    }
    match kind.split_once(' ') {
        Some(("file", "that is no image")) => format!("{number} files that are no images"),
        Some((noun @ ("file" | "link" | "member"), rest)) => format!("{number} {noun}s {rest}"),
        _ => format!("{number} {kind}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_counted_by_kind() {
        let mut reading = Reading::default();
        assert_eq!(reading.sentences(), Vec::<String>::new());
        reading.pass_over("empty file");
        assert_eq!(reading.sentences(), ["1 file is not read: 1 empty file"]);
        for kind in ["GIF image", "GIF image", "file that is no image", "file that is no image"] {
            reading.pass_over(kind);
        }
        reading.notes.push("a note".into());
        reading.warnings.push("all is black".into());
        assert_eq!(
            reading.sentences(),
            ["a note", "5 files are not read: 2 GIF images, 1 empty file, 2 files that are no images"]
        );
    }
}
