//! Candidates with the mean accuracy of their finished trials, and which of them no other beats.

use std::collections::HashMap;

use super::state::{StudyState, Trial};
use crate::search::pareto;

/// Finished candidates, kept up trial by trial.
#[derive(Debug, Default)]
pub struct Means {
    candidates: HashMap<Key, Mean>,
}

/// Variants are told apart by their names, others by their hashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key(bool, Box<str>);

/// A candidate over its finished trials.
#[derive(Debug, Clone, PartialEq)]
pub struct Mean {
    pub params: u64,
    /// Numbers of its finished trials.
    pub trials: Vec<usize>,
    /// Of their validation accuracies.
    sum: f64,
}

impl Mean {
    /// Mean validation accuracy, percent.
    pub fn accuracy(&self) -> f64 {
        self.sum / self.trials.len() as f64
    }
}

impl Means {
    /// Of all finished trials of a study.
    pub fn of(state: &StudyState) -> Self {
        let mut means = Self::default();
        state.trials.iter().for_each(|trial| means.add(trial));
        means
    }

    /// Takes a trial, if it has finished.
    pub fn add(&mut self, trial: &Trial) {
        let Some(result) = &trial.result else { return };
        let record = &trial.candidate;
        let name = if record.is_variant { &record.label } else { &record.hash };
        let mean = self.candidates.entry(Key(record.is_variant, name.as_str().into()));
        let mean = mean.or_insert(Mean { params: record.params, trials: Vec::new(), sum: 0.0 });
        mean.sum += result.validation.accuracy;
        mean.trials.push(trial.number);
    }

    /// How many candidates have finished trials.
    pub fn candidates(&self) -> usize {
        self.candidates.len()
    }

    /// The Pareto front of params against mean validation accuracy, by rising params; of equals all are on it.
    pub fn front(&self) -> Vec<&Mean> {
        let means: Vec<&Mean> = self.candidates.values().collect();
        let points: Vec<(f64, f64)> =
            means.iter().map(|mean| (mean.params as f64, mean.accuracy())).collect();
        pareto::front(&points).into_iter().map(|i| means[i]).collect()
    }
}
