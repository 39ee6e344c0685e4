//! Pareto evolution with successive halving (SH-EMOA of Izquierdo et al. 2021, "Bag of Baselines for Multi-objective Joint
//! Neural Architecture Search and Hyperparameter Optimization"), with children screened by a model (Jin 2011,
//! "Surrogate-assisted evolutionary computation").

use super::breeder::{Breeder, Made};
use super::dominance::{self, Point};
use super::nsga2;
use super::population::Population;
use super::strategy::{Ask, Strategy, Told};
use super::surrogate::Surrogate;
use crate::config::Objective;
use crate::error::Result;

/// Children of which one is trained.
const LITTER: usize = 24;
/// How far beyond the worst value known the region reaches that a front is measured in, in ranges of the values.
const MARGIN: f64 = 0.1;

/// Parents by binary tournament among those trained longest; of a litter of children the one is trained that is thought to
/// widen the front most. Measured objectives of children, and of candidates that wait to go on, are as a linear model of all
/// outcomes has them: single outcomes are of one training or few, and after few epochs they say little.
#[derive(Debug)]
pub struct ShEmoa {
    /// Members by chance before the first child.
    size: usize,
    asked: usize,
    objectives: Vec<Objective>,
    /// Of these the ones to be sought the other way.
    turned: Vec<Objective>,
    population: Population,
    /// For each objective that is measured.
    surrogates: Vec<Option<Surrogate>>,
}

impl ShEmoa {
    /// `objectives` as points have them, of which `turned` are turned round; `whole` are the epochs of a whole training.
    pub fn new(size: usize, objectives: &[Objective], turned: &[Objective], whole: usize) -> Self {
        let surrogate = |objective: &Objective| (!objective.is_exact()).then(|| Surrogate::new(whole));
        Self {
            size,
            asked: 0,
            objectives: objectives.to_vec(),
            turned: turned.to_vec(),
            population: Population::default(),
            surrogates: objectives.iter().map(surrogate).collect(),
        }
    }

    /// What a child will come to.
    fn guess(&mut self, made: &Made) -> Option<Vec<f64>> {
        let of = |(objective, surrogate): (&Objective, &mut Option<Surrogate>)| match surrogate {
            Some(surrogate) => surrogate.guess(made),
            None => {
                let direction = if self.turned.contains(objective) { -1.0 } else { 1.0 };
                made.costs.of(*objective).map(|cost| direction * cost as f64)
            }
        };
        self.objectives.iter().zip(&mut self.surrogates).map(of).collect()
    }

    /// Of a litter the child that is thought to widen the front most.
    fn choose(&mut self, litter: &[Made]) -> usize {
        let guesses: Option<Vec<Vec<f64>>> = litter.iter().map(|made| self.guess(made)).collect();
        let Some(guesses) = guesses else { return 0 };
        let members: Vec<(String, Point)> = (self.population.members().iter())
            .filter(|member| member.point.violation == 0.0)
            .map(|member| (member.hash.clone(), member.point.clone()))
            .collect();
        let known: Vec<Vec<f64>> =
            members.iter().map(|(hash, point)| self.belief(hash, point).values).collect();
        let ranges: Vec<(f64, f64)> = (0..self.objectives.len())
            .map(|objective| {
                let values = || known.iter().chain(&guesses).map(|values| values[objective]);
                (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
            })
            .collect();
        let scaled = |values: &Vec<f64>| -> Vec<f64> {
            let of = |(value, (low, high)): (&f64, &(f64, f64))| {
                if high > low { (value - low) / (high - low) } else { 0.0 }
            };
            values.iter().zip(&ranges).map(of).collect()
        };
        let reference = vec![1.0 + MARGIN; self.objectives.len()];
        let points: Vec<Point> =
            known.iter().map(|values| Point { values: scaled(values), violation: 0.0 }).collect();
        let fronts = dominance::fronts(&points);
        let mut front: Vec<Vec<f64>> =
            points.into_iter().zip(fronts).filter(|(_, front)| *front == 0).map(|(p, _)| p.values).collect();
        let before = dominance::hypervolume(&front, &reference);
        let mut best = (0, 0.0);
        for (number, guess) in guesses.iter().enumerate() {
            front.push(scaled(guess));
            let gain = dominance::hypervolume(&front, &reference) - before;
            front.pop();
            if gain > best.1 {
                best = (number, gain);
            }
        }
        if best.1 > 0.0 {
            return best.0;
        }
        let guesses: Vec<Point> =
            guesses.into_iter().map(|values| Point { values, violation: 0.0 }).collect();
        dominance::ranking(&guesses).first().copied().unwrap_or(0)
    }
}

impl Strategy for ShEmoa {
    fn ask(&mut self, breeder: &mut Breeder) -> Result<Ask> {
        self.asked += 1;
        if self.asked <= self.size || self.population.len() < 2 {
            return breeder.random().map(Ask::or_end);
        }
        let places = self.population.places();
        let mut litter = Vec::new();
        while litter.len() < LITTER
            && let Some(child) = nsga2::child(&self.population, &places, breeder)?
        {
            litter.push(child);
        }
        if litter.is_empty() {
            return Ok(Ask::End);
        }
        let chosen = litter.swap_remove(self.choose(&litter));
        for made in litter {
            breeder.put_back(made);
        }
        Ok(Ask::Train(Box::new(chosen)))
    }

    fn tell(&mut self, told: &Told<'_>) {
        self.population.hear(told);
        for (surrogate, value) in self.surrogates.iter_mut().zip(&told.point.values) {
            // What was not trained for a constraint has no accuracy.
            if let Some(surrogate) = surrogate.as_mut().filter(|_| told.point.violation == 0.0) {
                surrogate.hear(told.made, told.epochs, *value);
            }
        }
    }

    fn belief(&mut self, hash: &str, point: &Point) -> Point {
        let of = |(surrogate, value): (&mut Option<Surrogate>, &f64)| {
            surrogate.as_mut().and_then(|surrogate| surrogate.belief(hash)).unwrap_or(*value)
        };
        let values = self.surrogates.iter_mut().zip(&point.values).map(of).collect();
        Point { values, violation: point.violation }
    }
}
