//! Effects of a search's factors: the mean accuracy of the candidates with each level.
//!
//! A mean over candidates as they are: where the other factors do not come evenly with every level (a sample, constraints,
//! conditions), part of a difference is theirs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::stats::{self, Spread};
use super::summary::{Split, StudySummary};

/// One factor with its levels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    pub factor: String,
    /// In numeric order where the levels are numbers.
    pub levels: Vec<LevelEffect>,
    /// Best level's mean minus worst's, in points.
    pub range: f64,
}

/// One level of a factor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LevelEffect {
    pub level: String,
    /// Over the candidates with this level, each counted once with its mean over seeds.
    pub accuracy: Spread,
}

/// The factors with at least two levels among the finished candidates of the search, largest range first.
///
/// A candidate without a factor (a condition switched it off) does not count for that factor.
pub fn effects(study: &StudySummary, split: Split) -> Vec<Effect> {
    let mut factors: BTreeMap<&str, BTreeMap<&str, Vec<f64>>> = BTreeMap::new();
    let candidates = study.candidates();
    for candidate in &candidates {
        let Some(accuracy) = candidate.accuracy(split) else {
            continue;
        };
        for (factor, level) in &candidate.record.choices {
            let levels = factors.entry(factor).or_default();
            levels.entry(level).or_default().push(accuracy.mean);
        }
    }
    let mut found: Vec<Effect> = factors
        .into_iter()
        .filter(|(_, levels)| levels.len() > 1)
        .map(|(factor, levels)| effect(factor, levels))
        .collect();
    found.sort_by(|a, b| b.range.total_cmp(&a.range).then(a.factor.cmp(&b.factor)));
    found
}

/// Whether the candidates with an accuracy have every combination of their levels, each once: then every level of a factor
/// comes with the same levels of the others.
pub fn is_grid(study: &StudySummary, split: Split) -> bool {
    let candidates = study.candidates();
    let seen = candidates.iter().filter(|candidate| candidate.accuracy(split).is_some());
    let seen = seen.map(|candidate| &candidate.record.choices).filter(|choices| !choices.is_empty());
    let mut rows: BTreeSet<BTreeMap<&str, &str>> = BTreeSet::new();
    let mut levels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut count = 0;
    for choices in seen {
        let row = choices.iter().map(|(factor, level)| (factor.as_str(), level.as_str()));
        row.clone().for_each(|(factor, level)| {
            levels.entry(factor).or_default().insert(level);
        });
        rows.insert(row.collect());
        count += 1;
    }
    let all = levels.values().try_fold(1_usize, |all, levels| all.checked_mul(levels.len()));
    all == Some(rows.len()) && rows.len() == count && rows.iter().all(|row| row.len() == levels.len())
}

fn effect(factor: &str, levels: BTreeMap<&str, Vec<f64>>) -> Effect {
    let mut levels: Vec<LevelEffect> = levels
        .into_iter()
        .filter_map(|(level, values)| {
            Some(LevelEffect { level: level.to_owned(), accuracy: stats::spread(&values)? })
        })
        .collect();
    let number = |l: &LevelEffect| l.level.parse::<f64>().unwrap_or(f64::INFINITY);
    levels.sort_by(|a, b| number(a).total_cmp(&number(b)).then(a.level.cmp(&b.level)));
    let means = || levels.iter().map(|l| l.accuracy.mean);
    let range = means().fold(f64::NEG_INFINITY, f64::max) - means().fold(f64::INFINITY, f64::min);
    Effect { factor: factor.to_owned(), levels, range }
}
