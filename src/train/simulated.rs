//! A trainer that trains nothing: each trial's curve is computed from a formula, in simulated time, so that studies of any
//! size can be tried in moments.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::replay::{check, replay, weights};
use super::{Trainer, TrialEnd, TrialObserver, TrialTask, streams};
use crate::arch::Network;
use crate::config::{Known, LatencyConfig, SimulatedConfig};
use crate::cost;
use crate::engine::Latency;
use crate::engine::latency::Source;
use crate::error::{Error, Result};
use crate::study::event::{EpochMetrics, Metrics};

/// Whose weights they are.
const KIND: &str = "simulated";

/// Computes the curves of trials.
#[derive(Debug, Clone)]
pub struct SimulatedTrainer {
    pub config: SimulatedConfig,
    /// Epochs of every trial.
    pub epochs: usize,
    /// What a network that knows nothing tells apart by chance.
    pub classes: usize,
}

/// What is known of a candidate before its first epoch.
pub fn known(params: u64, madds: u64, epoch: usize, epochs: usize) -> Known {
    Known { params: params as f64, madds: madds as f64, epoch: epoch as f64, epochs: epochs as f64 }
}

impl SimulatedTrainer {
    /// Loss and accuracy of one split after an epoch; a clause where the formula gives none.
    fn metrics(&self, task: &TrialTask, known: &Known, split: &str) -> std::result::Result<Metrics, String> {
        let mean = self.config.accuracy.value(known);
        if !mean.is_finite() {
            return Err(format!(
                "the simulated accuracy is {mean} after epoch {} ({} params, {} madds): change trainer.accuracy",
                known.epoch, known.params, known.madds
            ));
        }
        let stream = streams::stream(task, &format!("simulated {split} {}", known.epoch));
        let noise: f64 = StandardNormal.sample(&mut ChaCha8Rng::from_seed(stream));
        let accuracy = (mean + self.config.noise * noise).clamp(0.0, 100.0);
        // Chance at an accuracy of nothing, and never 0: falls as accuracy rises.
        let loss = (self.classes as f64).ln() * (1.0 - accuracy / 101.0);
        Ok(Metrics { loss, accuracy, images: 0 })
    }

    /// One epoch; a clause where a formula gives no number.
    fn epoch(
        &self,
        task: &TrialTask,
        known: &Known,
        epoch: usize,
    ) -> std::result::Result<EpochMetrics, String> {
        let seconds = self.config.seconds_per_epoch.value(known);
        if !seconds.is_finite() || seconds < 0.0 {
            return Err(format!(
                "epoch {epoch} takes {seconds} simulated seconds ({} params, {} madds): change trainer.seconds_per_epoch",
                known.params, known.madds
            ));
        }
        let train = self.metrics(task, known, "training")?;
        let validation = self.metrics(task, known, "validation")?;
        Ok(EpochMetrics { epoch, lr: 0.0, train, validation, seconds })
    }
}

/// A latency that nobody measured, the same for a network every time: 100 microseconds for a batch, one second for 10^10
/// multiply-adds on one thread (threads share them evenly), and one for 10^10 bytes of weights. Its noise floor is 2 % of it.
pub fn latency(network: &Network, config: &LatencyConfig) -> Latency {
    let cost = cost::of(network);
    let of = |madds: u64, params: u64, batch: usize| {
        1e-4 + batch as f64 * madds as f64 / (1e10 * config.threads as f64) + 4.0 * params as f64 / 1e10
    };
    let median = of(cost.madds, cost.params, config.batch);
    Latency {
        source: Source::Simulated,
        median,
        mad: 0.0,
        floor: 0.02 * median,
        batch: config.batch,
        threads: config.threads,
        rounds: config.rounds,
        pinned: false,
        reference: of(0, 0, 1),
    }
}

impl Trainer for SimulatedTrainer {
    fn train(&self, task: &TrialTask, observer: &mut dyn TrialObserver) -> Result<TrialEnd> {
        let cost = cost::of(&task.network);
        let of_epoch = |epoch| self.epoch(task, &known(cost.params, cost.madds, epoch, self.epochs), epoch);
        replay(task.until.unwrap_or(self.epochs), weights(KIND, task), observer, of_epoch)
    }

    fn test(&self, task: &TrialTask, kept: &[u8], _: &(dyn Fn() -> bool + Sync)) -> Result<Option<Metrics>> {
        check(KIND, task, kept)?;
        let cost = cost::of(&task.network);
        let known = known(cost.params, cost.madds, self.epochs, self.epochs);
        // The last epoch gave a number, and so does this.
        self.metrics(task, &known, "test").map(Some).map_err(Error::run)
    }

    fn latency(
        &self,
        task: &TrialTask,
        config: &LatencyConfig,
        _: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Latency>> {
        Ok(Some(latency(&task.network, config)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo;
    use crate::train::watch::Watch;

    fn trainer(accuracy: &str, noise: f64) -> SimulatedTrainer {
        let seconds_per_epoch = "madds / 1e6 + epoch".parse().unwrap();
        let config = SimulatedConfig { accuracy: accuracy.parse().unwrap(), noise, seconds_per_epoch };
        SimulatedTrainer { config, epochs: 4, classes: 10 }
    }

    fn task(seed: u64) -> TrialTask {
        TrialTask {
            trial: 1,
            network: zoo::network("mix", &zoo::Options::default()).unwrap(),
            text: "mix".into(),
            candidate_hash: "hash of mix".into(),
            study_seed: 7,
            seed,
            until: None,
            fine_tune: None,
        }
    }

    fn run(trainer: &SimulatedTrainer, seed: u64) -> (TrialEnd, Vec<EpochMetrics>) {
        let mut watch = Watch::default();
        (trainer.train(&task(seed), &mut watch).unwrap(), watch.epochs)
    }

    /// The Mix model of the CSE paper has 362,992 params and 81,434,112 multiply-adds.
    #[test]
    fn without_noise_the_formula_is_the_curve() {
        let (end, epochs) = run(&trainer("params / 1e4 + epoch", 0.0), 1);
        assert!(matches!(&end, TrialEnd::Finished { weights } if weights.len() < 256));
        let found: Vec<f64> = epochs.iter().map(|e| e.validation.accuracy).collect();
        let expected = [37.2992, 38.2992, 39.2992, 40.2992];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
        let seconds: f64 = epochs.iter().map(|e| e.seconds).sum();
        assert!((seconds - (4.0 * 81.434_112 + 10.0)).abs() < 1e-9, "{seconds}");
    }

    #[test]
    fn noise_depends_on_candidate_seed_and_epoch_alone() {
        let noisy = trainer("50", 2.0);
        let (_, epochs) = run(&noisy, 1);
        assert_eq!(run(&noisy, 1).1, epochs);
        assert_ne!(run(&noisy, 2).1, epochs);
        assert_ne!(epochs[0].validation, epochs[1].validation);
        assert_ne!(epochs[0].validation, epochs[0].train);
        // A thousand seeds of four epochs: mean 50 and deviation 2, to four standard errors.
        let all: Vec<f64> =
            (0..1000).flat_map(|seed| run(&noisy, seed).1).map(|e| e.validation.accuracy).collect();
        let mean = all.iter().sum::<f64>() / 4000.0;
        let deviation = (all.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 4000.0).sqrt();
        assert!((mean - 50.0).abs() < 4.0 * 2.0 / 4000_f64.sqrt(), "{mean}");
        assert!((deviation - 2.0).abs() < 4.0 * 2.0 / 8000_f64.sqrt(), "{deviation}");
    }

    #[test]
    fn a_stopped_trial_goes_on_where_it_was() {
        let trainer = trainer("50", 2.0);
        let (whole, expected) = run(&trainer, 1);
        for stop in 1..=4 {
            let mut watch = Watch { stop_before: Some(stop), ..Watch::default() };
            assert_eq!(trainer.train(&task(1), &mut watch).unwrap(), TrialEnd::Interrupted);
            assert_eq!(watch.epochs.len(), stop - 1);
            watch.stop_before = None;
            assert_eq!(trainer.train(&task(1), &mut watch).unwrap(), whole);
            assert_eq!(watch.epochs, expected);
        }
        let mut watch = Watch { kept: Some(b"half".to_vec()), ..Watch::default() };
        assert_eq!(trainer.train(&task(1), &mut watch).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn what_is_no_number_fails_the_trial() {
        let (end, epochs) = run(&trainer("ln(2.5 - epoch)", 1.0), 1);
        assert!(matches!(&end, TrialEnd::Failed { epoch: 3, reason } if reason.contains("NaN")), "{end:?}");
        assert_eq!(epochs.len(), 2);
        let mut backwards = trainer("50", 1.0);
        backwards.config.seconds_per_epoch = "-1".parse().unwrap();
        assert!(matches!(run(&backwards, 1).0, TrialEnd::Failed { epoch: 1, .. }));
        // Beyond what an accuracy can be it is brought back.
        assert!(run(&trainer("1000", 1.0), 1).1.iter().all(|e| e.validation.accuracy == 100.0));
    }

    #[test]
    fn the_test_split_needs_the_weights_of_the_trial() {
        let trainer = trainer("50", 2.0);
        let TrialEnd::Finished { weights } = run(&trainer, 1).0 else { panic!() };
        let test = trainer.test(&task(1), &weights, &|| false).unwrap().unwrap();
        assert!(
            (test.accuracy - 50.0).abs() < 12.0
                && Some(test) == trainer.test(&task(1), &weights, &|| false).unwrap()
        );
        assert_eq!(trainer.test(&task(2), &weights, &|| false).unwrap_err().exit_code(), 2);
    }
}
