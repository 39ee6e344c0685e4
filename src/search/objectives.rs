//! What a search compares candidates by: figures and costs as one point to be minimised.

use super::dominance::Point;
use super::made::Made;
use super::mnas::Reward;
use crate::config::{Objective, RewardConfig, SearchConfig};

/// What became of a candidate: means over its seeds; `None` where no trial of it finished.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Validation accuracy, percent.
    pub accuracy: f64,
    /// Validation loss.
    pub loss: f64,
    /// Measured, where it is.
    pub latency: Option<Timed>,
}

/// The latency of a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timed {
    /// Seconds of one image.
    pub seconds: f64,
    /// The part of it that is noise, seconds.
    pub floor: f64,
}

impl Figures {
    /// Of a candidate that is not trained, since its latency breaks its constraint: worse than any that is.
    pub fn untrained(latency: Timed) -> Self {
        Self { accuracy: 0.0, loss: UNTRAINED_LOSS, latency: Some(latency) }
    }
}

/// A loss that no training ends with.
const UNTRAINED_LOSS: f64 = 1e6;

/// The objectives of a search, with its limit of a measured one.
pub struct Objectives {
    objectives: Vec<Objective>,
    /// Of these the ones to be sought the other way.
    turned: Vec<Objective>,
    max_latency: Option<f64>,
    /// Latencies are compared in powers of it: one and the noise of the first that was heard of, as a share.
    grain: Option<f64>,
    reward: Option<(Reward, Objective)>,
}

impl Objectives {
    pub fn new(config: &SearchConfig) -> Self {
        let reward = config.reward.as_ref().map(|RewardConfig { cost, target, alpha, beta }| {
            (Reward { target: *target, alpha: *alpha, beta: *beta }, *cost)
        });
        Self {
            objectives: config.objectives.clone(),
            turned: config.turned.clone(),
            max_latency: config.max_latency,
            grain: None,
            reward,
        }
    }

    /// Whether a candidate of such a latency is not to be trained.
    pub fn rejects(&self, latency: Timed) -> bool {
        self.max_latency.is_some_and(|most| latency.seconds > most)
    }

    /// The noise of the first latency that was heard of is that of all.
    pub fn learn_grain(&mut self, Timed { seconds, floor }: Timed) {
        self.grain.get_or_insert(1.0 + floor / seconds);
    }

    /// The objectives of a candidate, to be minimised.
    pub fn point(&self, made: &Made, figures: Option<Figures>) -> Point {
        let latency = figures.and_then(|figures| figures.latency);
        let over = match (latency, self.max_latency) {
            (Some(latency), Some(most)) => (latency.seconds / most - 1.0).max(0.0),
            _ => 0.0,
        };
        let figures =
            figures.map(|figures| Figures { latency: latency.map(|l| l.rounded(self.grain)), ..figures });
        let values: Vec<f64> = match &self.reward {
            Some((reward, cost)) => {
                let accuracy = figures.map_or(f64::NAN, |figures| figures.accuracy);
                vec![-reward.of(accuracy, value(*cost, made, figures))]
            }
            None => {
                let direction = |of: &Objective| if self.turned.contains(of) { -1.0 } else { 1.0 };
                let value = |of: &Objective| direction(of) * value(*of, made, figures);
                self.objectives.iter().map(value).collect()
            }
        };
        let sound = figures.is_some() && values.iter().all(|value| value.is_finite());
        Point { values, violation: if sound { over } else { f64::INFINITY } }
    }
}

impl Timed {
    /// Rounded to powers of `grain`: what differs by noise, which stretches times by a share, is the same, and being so is
    /// transitive, as comparing with a tolerance would not be.
    fn rounded(self, grain: Option<f64>) -> Self {
        let seconds = match grain {
            Some(grain) if grain > 1.0 => grain.powf((self.seconds.ln() / grain.ln()).round()),
            _ => self.seconds,
        };
        Self { seconds, ..self }
    }
}

/// An objective's value, to be minimised; NaN where it is not known.
fn value(objective: Objective, made: &Made, figures: Option<Figures>) -> f64 {
    let of = |value: fn(Figures) -> f64| figures.map_or(f64::NAN, value);
    match objective {
        Objective::Accuracy => -of(|figures| figures.accuracy),
        Objective::Loss => of(|figures| figures.loss),
        Objective::Latency => of(|figures| figures.latency.map_or(f64::NAN, |latency| latency.seconds)),
        exact => made.costs.of(exact).map_or(f64::NAN, |cost| cost as f64),
    }
}
