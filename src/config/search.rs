//! The `search` section.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::yaml::{At, Read};

/// Candidates drawn from a search space by a strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchConfig {
    /// Path of the search space file, resolved against the experiment file's folder.
    pub space: PathBuf,
    pub strategy: StrategyKind,
    /// How many candidates to train; required for `random`, a ceiling for `grid`.
    pub trials: Option<usize>,
    /// What the file held when it was read, once it was: a space of one name can be another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<SpaceContent>,
}

/// What two search spaces are compared by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceContent {
    /// The levels of every factor.
    pub factors: BTreeMap<String, Vec<String>>,
    /// What a candidate must keep to, as a text for each cost.
    pub constraints: BTreeMap<String, String>,
    /// Block notation of the first candidate: what does not vary.
    pub first: String,
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

impl SearchConfig {
    /// Reads the section; `folder` is the experiment file's.
    pub(super) fn read(at: &At<'_>, folder: &Path) -> Read<Self> {
        let keys = at.keys("search", &["space", "strategy", "trials"])?;
        let at = keys.required("space", "space: ../search-spaces/quickstart.yaml")?;
        let space = resolve(folder, at.text()?);
        if !space.is_file() {
            return Err(at.problem(format!(
                "there is no file {}; the path of a space is relative to the experiment file's folder",
                space.display()
            )));
        }
        let strategy = keys.or("strategy", StrategyKind::Random, |at| {
            at.one_of("a strategy", &[("grid", StrategyKind::Grid), ("random", StrategyKind::Random)])
        })?;
        let trials = keys
            .optional("trials")
            .map(|at| at.count(1..=1_000_000, "a number of candidates (a whole number from 1)"))
            .transpose()?;
        if strategy == StrategyKind::Random && trials.is_none() {
            return Err(keys.at().problem(
                "the strategy random needs the key `trials`, such as `trials: 20`: how many candidates to train",
            ));
        }
        Ok(Self { space, strategy, trials, content: None })
    }
}

/// A path of the file as seen from here, without `folder/..` where that is the same file.
pub(super) fn resolve(folder: &Path, path: &str) -> PathBuf {
    let joined = folder.join(path);
    let mut short = PathBuf::new();
    for part in joined.components() {
        match (part, short.components().next_back()) {
            (Component::ParentDir, Some(Component::Normal(_))) => {
                short.pop();
            }
            (Component::CurDir, _) => {}
            _ => short.push(part),
        }
    }
    // A folder that is a symbolic link makes `folder/..` another place.
    match (short.canonicalize(), joined.canonicalize()) {
        (Ok(a), Ok(b)) if a == b => short,
        _ => joined,
    }
}
