//! Learning curves: mean, lowest and highest over seeds, epoch by epoch.

use std::collections::BTreeMap;

use super::summary::CandidateSummary;
use crate::study::event::EpochMetrics;

/// The curves of one candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct LearningCurve {
    pub name: String,
    pub train_loss: Vec<CurvePoint>,
    pub train_accuracy: Vec<CurvePoint>,
    pub validation_loss: Vec<CurvePoint>,
    pub validation_accuracy: Vec<CurvePoint>,
}

/// One epoch of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    pub epoch: usize,
    pub mean: f64,
    pub low: f64,
    pub high: f64,
    /// Seeds that reached this epoch.
    pub n: usize,
}

impl LearningCurve {
    /// The curves of a candidate's trials, failed and running ones included: what was learnt was learnt.
    pub fn of(candidate: &CandidateSummary<'_>) -> Self {
        let curve = |value: fn(&EpochMetrics) -> f64| {
            let mut epochs: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
            for epoch in candidate.trials.iter().flat_map(|t| &t.epochs) {
                let value = value(epoch);
                // A diverged trial's last epoch is not a number: its curve ends before it.
                if value.is_finite() {
                    epochs.entry(epoch.epoch).or_default().push(value);
                }
            }
            epochs.into_iter().map(point).collect()
        };
        Self {
            name: candidate.name.clone(),
            train_loss: curve(|e| e.train.loss),
            train_accuracy: curve(|e| e.train.accuracy),
            validation_loss: curve(|e| e.validation.loss),
            validation_accuracy: curve(|e| e.validation.accuracy),
        }
    }
}

fn point((epoch, values): (usize, Vec<f64>)) -> CurvePoint {
    CurvePoint {
        epoch,
        mean: values.iter().sum::<f64>() / values.len() as f64,
        low: values.iter().copied().fold(f64::INFINITY, f64::min),
        high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        n: values.len(),
    }
}
