//! The ablation table: what each variant changes against the baseline.

use std::collections::BTreeMap;

use serde::Serialize;

use super::stats::{self, Interval, Spread};
use super::summary::{CandidateSummary, Split, StudySummary};
use crate::config::Published;
use crate::study::TrialStatus;

/// An ablation: the baseline, then the other variants in the experiment file's order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ablation {
    /// The split every accuracy of the table was measured on.
    pub split: Split,
    pub rows: Vec<AblationRow>,
}

/// One variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AblationRow {
    pub name: String,
    pub is_baseline: bool,
    pub params: u64,
    pub madds: u64,
    /// Params in percent of the baseline's.
    pub params_percent: Option<f64>,
    /// Multiply-adds in percent of the baseline's.
    pub madds_percent: Option<f64>,
    /// Trials queued for it.
    pub trials: usize,
    pub failed: usize,
    /// Accuracy over the finished seeds, in percent.
    pub accuracy: Option<Spread>,
    /// Absent for the baseline and where either side has no finished trial.
    pub difference: Option<Difference>,
    pub published: Option<Published>,
}

/// Difference from the baseline in points of accuracy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    pub points: f64,
    /// 95 % interval; absent below two seeds, or where nothing varies.
    pub interval: Option<Interval>,
    /// Two-sided p-value of no difference, not corrected for the number of variants.
    pub p: Option<f64>,
}

impl Ablation {
    /// The table of a study's variants; `None` where the study has none.
    pub fn of(study: &StudySummary) -> Option<Self> {
        let mut variants: Vec<CandidateSummary<'_>> =
            study.candidates().into_iter().filter(|c| c.record.is_variant).collect();
        if variants.is_empty() {
            return None;
        }
        let listed = |name: &str| {
            let variants = study.experiment.as_ref().map(|e| &e.variants)?;
            variants.iter().position(|v| v.name == name)
        };
        // Variants the file does not list (none, unless it changed) come last.
        variants.sort_by_key(|c| listed(&c.record.label).unwrap_or(usize::MAX));
        let named = study.experiment.as_ref().and_then(|e| e.baseline.clone());
        let baseline =
            named.and_then(|name| variants.iter().position(|c| c.record.label == name)).unwrap_or(0);
        let first = variants.remove(baseline);
        variants.insert(0, first);

        let split = study.variant_split();
        let base = variants[0].clone();
        let rows = variants.iter().enumerate().map(|(i, c)| row(study, c, &base, i == 0, split)).collect();
        Some(Self { split, rows })
    }

    /// The baseline's row.
    pub fn baseline(&self) -> Option<&AblationRow> {
        self.rows.iter().find(|r| r.is_baseline)
    }
}

fn row(
    study: &StudySummary,
    candidate: &CandidateSummary<'_>,
    baseline: &CandidateSummary<'_>,
    is_baseline: bool,
    split: Split,
) -> AblationRow {
    let percent = |ours: u64, theirs: u64| (theirs > 0).then(|| 100.0 * ours as f64 / theirs as f64);
    let failed = candidate.trials.iter().filter(|t| t.status == TrialStatus::Failed);
    AblationRow {
        name: candidate.name.clone(),
        is_baseline,
        params: candidate.record.params,
        madds: candidate.record.madds,
        params_percent: percent(candidate.record.params, baseline.record.params),
        madds_percent: percent(candidate.record.madds, baseline.record.madds),
        trials: candidate.trials.len(),
        failed: failed.count(),
        accuracy: candidate.accuracy(split),
        difference: if is_baseline {
            None
        } else {
            difference(&baseline.accuracies(split), &candidate.accuracies(split))
        },
        published: study.published(candidate.record),
    }
}

/// Difference of the mean accuracies, by Welch's test.
///
/// Not paired by seed, though both ran the same ones: a trial's streams derive from its candidate too, so two trials of one
/// seed share no weights, no order and no augmentation, and which is set against which would be arbitrary.
fn difference(baseline: &BTreeMap<u64, f64>, variant: &BTreeMap<u64, f64>) -> Option<Difference> {
    let a: Vec<f64> = baseline.values().copied().collect();
    let b: Vec<f64> = variant.values().copied().collect();
    let points = stats::spread(&b)?.mean - stats::spread(&a)?.mean;
    let comparison = stats::welch(&a, &b);
    Some(Difference { points, interval: comparison.map(|c| c.interval), p: comparison.map(|c| c.p) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seeds_are_not_paired() {
        let a = BTreeMap::from([(1, 90.0), (2, 91.0), (3, 92.5)]);
        let b = BTreeMap::from([(1, 91.1), (2, 92.0), (3, 93.4)]);
        let found = difference(&a, &b).expect("both finished");
        // SciPy 1.17.1: stats.ttest_ind(b, a, equal_var=False).pvalue; paired it would be 0.0033.
        assert!((found.p.expect("three seeds") - 0.368_946_445_633_470_23).abs() < 1e-7);
        let interval = found.interval.expect("three seeds");
        assert!((interval.low + 1.749_589_032_696_502_2).abs() < 1e-7);
    }

    #[test]
    fn one_seed_has_a_difference_without_interval() {
        let d = difference(&BTreeMap::from([(1, 90.0)]), &BTreeMap::from([(1, 91.0)]));
        let d = d.expect("both finished");
        assert_eq!((d.points, d.interval, d.p), (1.0, None, None));
        assert_eq!(difference(&BTreeMap::new(), &BTreeMap::from([(1, 1.0)])), None);
    }
}
