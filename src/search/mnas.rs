//! The controller of MnasNet and MobileNetV3 (Tan et al. 2019, "MnasNet", Section 4; Howard et al. 2019, Section 4.1): a policy
//! over the factorised space, improved by the gradient of the expected reward (REINFORCE, Williams 1992).

use std::collections::HashMap;

use super::breeder::Breeder;
use super::made::{Made, Tried};
use super::strategy::{Ask, Strategy, Told};
use super::tpe::pick;
use crate::error::Result;
use crate::space::Genome;

/// The reward of a candidate, higher for better: MnasNet's ACC * (COST / TARGET)^w.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reward {
    pub target: f64,
    /// Exponent where the cost is at most the target, and where it is above.
    pub alpha: f64,
    pub beta: f64,
}

impl Reward {
    /// Of an accuracy in percent at a cost.
    pub fn of(&self, accuracy: f64, cost: f64) -> f64 {
        let w = if cost <= self.target { self.alpha } else { self.beta };
        accuracy / 100.0 * (cost / self.target).powf(w)
    }
}

/// Step of the policy's logits for a reward of one standard deviation above the mean.
const RATE: f64 = 0.15;
/// How fast the mean and the spread of rewards follow.
const MEMORY: f64 = 0.9;
/// What is added of the gradient of the policy's entropy: levels that lose early stay possible.
const ENTROPY: f64 = 0.005;
/// Draws that come out as candidates known already, each a lesson again, before the draw is changed at random.
const REPEATS: usize = 50;

/// A distribution over levels for each gene.
#[derive(Debug, Default)]
pub struct Mnas {
    logits: Vec<Vec<f64>>,
    /// Rewards by genome, of all that was told.
    known: HashMap<Genome, f64>,
    baseline: Option<(f64, f64)>,
}

impl Strategy for Mnas {
    fn ask(&mut self, breeder: &mut Breeder) -> Result<Ask> {
        if self.logits.is_empty() {
            self.logits = breeder.genes().iter().map(|levels| vec![0.0; *levels]).collect();
        }
        let mut genome = Genome::new();
        for _ in 0..REPEATS {
            genome = self.logits.iter().map(|logits| pick(&softmax(logits), breeder.rng())).collect();
            match breeder.make(&genome) {
                Tried::Made(made) => return Ok(Ask::Train(made)),
                // Its reward is known: as good a lesson as if it were trained again.
                Tried::Taken => {
                    if let Some(reward) = self.known.get(&genome).copied() {
                        self.learn(&genome, reward);
                    }
                }
                Tried::Breaks(_) => {
                    if let Some(made) = breeder.led(genome.clone()) {
                        return Ok(Ask::Train(Box::new(made)));
                    }
                }
            }
        }
        breeder.mutated(&genome).map(Ask::or_end)
    }

    fn tell(&mut self, told: &Told<'_>) {
        let Made { genome, .. } = told.made;
        // The only objective is the reward, turned round; what failed earned nothing.
        let reward = told.point.values.first().map_or(f64::NAN, |value| -value);
        let reward = if told.point.violation.is_finite() && reward.is_finite() { reward } else { 0.0 };
        self.known.insert(genome.clone(), reward);
        self.learn(genome, reward);
    }
}

impl Mnas {
    /// A step along the gradient of the logarithm of the policy, by how much the reward is above the mean.
    fn learn(&mut self, genome: &Genome, reward: f64) {
        let (mean, variance) = self.baseline.unwrap_or((reward, 0.0));
        let above = reward - mean;
        let spread = variance.sqrt();
        let advantage = if spread > 0.0 { (above / spread).clamp(-3.0, 3.0) } else { 0.0 };
        self.baseline =
            Some((mean + (1.0 - MEMORY) * above, MEMORY * (variance + (1.0 - MEMORY) * above * above)));
        for (logits, chosen) in self.logits.iter_mut().zip(genome) {
            let shares = softmax(logits);
            let entropy: f64 = shares.iter().map(|share| -share * share.ln()).sum();
            for (level, logit) in logits.iter_mut().enumerate() {
                let gradient = f64::from(u8::from(level == *chosen)) - shares[level];
                let of_entropy = -shares[level] * (shares[level].ln() + entropy);
                *logit += RATE * advantage * gradient + ENTROPY * of_entropy;
            }
        }
    }
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = logits.iter().map(|logit| (logit - most).exp().max(1e-12)).collect();
    let sum: f64 = exps.iter().sum();
    exps.into_iter().map(|exp| exp / sum).collect()
}
