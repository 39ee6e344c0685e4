//! Effects of a search's factors: the mean accuracy of the candidates with each level.
//!
//! A mean over candidates as they are: where the other factors do not come evenly with every level (a sample, constraints,
//! conditions), part of a difference is theirs. A network that several combinations of levels lead to is trained once, and counts
//! for each of these, as though each had been trained: a full grid stays balanced, and no level vanishes.

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
    /// Over the combinations of levels with this one that were trained, each with its mean over seeds; those that lead to one
    /// network have that network's.
    pub accuracy: Spread,
    /// Networks among them.
    pub networks: usize,
}

/// The levels of a factor: accuracies, and how often each counts.
type LevelsOf<'a> = BTreeMap<&'a str, Vec<(f64, u64)>>;

/// The factors with at least two levels among the finished candidates of the search, largest range first.
///
/// A candidate without a factor (a condition switched it off) does not count for that factor.
pub fn effects(study: &StudySummary, split: Split) -> Vec<Effect> {
    let mut factors: BTreeMap<&str, LevelsOf<'_>> = BTreeMap::new();
    let candidates = study.candidates();
    for candidate in &candidates {
        let Some(accuracy) = candidate.accuracy(split) else {
            continue;
        };
        for (factor, level, count) in candidate.record.levels() {
            let levels = factors.entry(factor).or_default();
            levels.entry(level).or_default().push((accuracy.mean, count));
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
/// comes with the same levels of the others. A network that several combinations lead to has all of these, and no other
/// network has one of them.
pub fn is_grid(study: &StudySummary, split: Split) -> bool {
    let candidates = study.candidates();
    let seen = candidates.iter().filter(|candidate| candidate.accuracy(split).is_some());
    let seen: Vec<_> = seen.map(|candidate| candidate.record).filter(|of| !of.choices.is_empty()).collect();
    let mut levels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut cells = 0_usize;
    for record in &seen {
        for (factor, level, _) in record.levels() {
            levels.entry(factor).or_default().insert(level);
        }
        let spellings = record.merged.as_ref().map_or(1, |merged| merged.spellings);
        cells = cells.saturating_add(usize::try_from(spellings).unwrap_or(usize::MAX));
    }
    let all = levels.values().try_fold(1_usize, |all, levels| all.checked_mul(levels.len()));
    if all != Some(cells) {
        return false;
    }
    let rows: BTreeSet<BTreeMap<&str, &str>> = (seen.iter())
        .map(|record| {
            record.choices.iter().map(|(factor, level)| (factor.as_str(), level.as_str())).collect()
        })
        .collect();
    rows.len() == seen.len() && rows.iter().all(|row| row.len() == levels.len())
}

fn effect(factor: &str, levels: BTreeMap<&str, Vec<(f64, u64)>>) -> Effect {
    let mut levels: Vec<LevelEffect> = levels
        .into_iter()
        .filter_map(|(level, values)| {
            let accuracy = stats::spread_of_many(&values)?;
            Some(LevelEffect { level: level.to_owned(), accuracy, networks: values.len() })
        })
        .collect();
    let number = |l: &LevelEffect| l.level.parse::<f64>().unwrap_or(f64::INFINITY);
    levels.sort_by(|a, b| number(a).total_cmp(&number(b)).then(a.level.cmp(&b.level)));
    let means = || levels.iter().map(|l| l.accuracy.mean);
    let range = means().fold(f64::NEG_INFINITY, f64::max) - means().fold(f64::INFINITY, f64::min);
    Effect { factor: factor.to_owned(), levels, range }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Experiment;
    use crate::space::Merged;
    use crate::study::event::{CandidateRecord, Metrics, TrialResult};
    use crate::study::{Trial, TrialStatus};

    fn choices(expand: &str, se: &str) -> Vec<(String, String)> {
        vec![("expand".into(), expand.into()), ("se".into(), se.into())]
    }

    /// Choices, all the choices that lead to the same network, accuracy.
    type Candidate = (Vec<(String, String)>, Option<Merged>, f64);

    fn study(candidates: &[Candidate]) -> StudySummary {
        let experiment: Experiment = crate::study::simulated::experiment(&["drawn"], &[0]);
        let planned = crate::study::simulated::plan(&experiment).remove(0);
        let trial = |(i, (choices, merged, accuracy)): (usize, &Candidate)| {
            let metrics = Metrics { loss: 1.0, accuracy: *accuracy, images: 100 };
            let candidate = CandidateRecord {
                is_variant: false,
                hash: i.to_string(),
                choices: choices.clone(),
                merged: merged.clone().map(Box::new),
                ..planned.candidate.clone()
            };
            Trial {
                number: i + 1,
                candidate,
                seed: 0,
                status: TrialStatus::Finished,
                epochs: Vec::new(),
                rungs: Vec::new(),
                result: Some(TrialResult { epochs: 1, train: metrics, validation: metrics, seconds: 1.0 }),
                test: None,
                failure: None,
                timed_out: None,
            }
        };
        StudySummary {
            experiment: Some(experiment),
            environments: Vec::new(),
            progress: super::super::summary::Progress::Finished,
            span: None,
            trials: candidates.iter().enumerate().map(trial).collect(),
            latencies: BTreeMap::new(),
            search_timed_out: false,
            seeds_begun: Default::default(),
        }
    }

    /// A full grid over expand {2, 6} and se {0.125, 0.25, 0.5}: at expand 2 all three are one network, which is trained once. Its
    /// table is that of the balanced grid, in which each of the six cells is filled. Means and spreads from NumPy:
    /// `np.mean([40, 64])`, `np.std([40, 64], ddof=1)`, and so on.
    #[test]
    fn a_merged_network_fills_each_of_its_cells() {
        let spellings = ["0.125", "0.25", "0.5"].map(|se| choices("2", se));
        let merged = study(&[
            (choices("2", "0.125"), Merged::of(&spellings), 40.0),
            (choices("6", "0.125"), None, 64.0),
            (choices("6", "0.25"), None, 70.0),
            (choices("6", "0.5"), None, 79.5),
        ]);
        let found = effects(&merged, Split::Validation);
        let cells: Vec<_> = ["0.125", "0.25", "0.5"]
            .into_iter()
            .zip([64.0, 70.0, 79.5])
            .flat_map(|(se, accuracy)| [(choices("2", se), None, 40.0), (choices("6", se), None, accuracy)])
            .collect();
        let balanced = effects(&study(&cells), Split::Validation);
        assert_eq!(found.len(), 2);
        for (found, balanced) in found.iter().zip(&balanced) {
            assert_eq!(found.factor, balanced.factor);
            assert!((found.range - balanced.range).abs() < 1e-12);
            for (found, balanced) in found.levels.iter().zip(&balanced.levels) {
                let (ours, theirs) = (found.accuracy, balanced.accuracy);
                assert_eq!((&found.level, ours.n), (&balanced.level, theirs.n));
                assert!((ours.mean - theirs.mean).abs() < 1e-12);
                // A network alone has no spread, where its cells seem to have one of zero.
                let spread = (found.networks > 1).then(|| theirs.sd.unwrap());
                assert!(ours.sd.zip(spread).map_or(ours.sd == spread, |(a, b)| (a - b).abs() < 1e-12));
            }
        }
        let se = found.iter().find(|effect| effect.factor == "se").unwrap();
        assert_eq!(
            se.levels.iter().map(|level| level.accuracy.mean).collect::<Vec<_>>(),
            [52.0, 55.0, 59.75]
        );
        assert!((se.range - 7.75).abs() < 1e-12);
        assert!((se.levels[0].accuracy.sd.unwrap() - 16.970_562_748_477_14).abs() < 1e-12);
        let expand = found.iter().find(|effect| effect.factor == "expand").unwrap();
        assert_eq!((expand.levels[0].accuracy.n, expand.levels[0].networks), (3, 1));
        assert_eq!(expand.levels[0].accuracy.sd, None);
    }
}
