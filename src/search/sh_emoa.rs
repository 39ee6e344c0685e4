//! Pareto evolution with successive halving (SH-EMOA of Izquierdo et al. 2021, "Bag of Baselines for Multi-objective Joint
//! Neural Architecture Search and Hyperparameter Optimization"), with children screened by a model (Jin 2011,
//! "Surrogate-assisted evolutionary computation").

use super::breeder::Breeder;
use super::dominance::{self, Point};
use super::made::Made;
use super::nsga2;
use super::outlook::Outlook;
use super::population::{self, Population};
use super::standing::EXACT;
use super::strategy::{Ask, Strategy, Told};
use super::surrogate::Surrogate;
use super::volume::hypervolume;
use crate::config::Objective;
use crate::error::Result;

/// Children of which one is trained: while few are known, and once so many are that the next makes little difference.
const LITTER: usize = 24;
const LATE_LITTER: usize = 2;
/// How far beyond the worst value known the region reaches that a front is measured in, in ranges of the values.
pub const MARGIN: f64 = 0.1;

/// Parents by binary tournament among those trained longest; of a litter of children the one is trained that is thought to
/// widen the front most. Measured objectives of children, and of candidates that wait to go on, are as a linear model of all
/// outcomes has them: single outcomes are of one training or few, and after few epochs they say little.
///
/// From [`EXACT`] members on, ranking, model and front are renewed each time a twentieth more are known, and litters are smaller.
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
    /// Of a large population, the places of its members and the front, since they were computed last.
    places: Vec<usize>,
    outlook: Option<Outlook>,
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
            places: Vec::new(),
            outlook: None,
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

    /// What those come to that keep to the constraints.
    fn known(&mut self) -> Vec<Vec<f64>> {
        let members: Vec<(String, Point)> = (self.population.members().iter())
            .filter(|member| member.point.violation == 0.0)
            .map(|member| (member.hash.clone(), member.point.clone()))
            .collect();
        members.iter().map(|(hash, point)| self.belief(hash, point).values).collect()
    }

    /// Of a litter the child that is thought to widen the front most.
    fn choose(&mut self, litter: &[Made]) -> usize {
        let guesses: Option<Vec<Vec<f64>>> = litter.iter().map(|made| self.guess(made)).collect();
        let Some(guesses) = guesses else { return 0 };
        let widest = match &self.outlook {
            Some(outlook) => outlook.widest(&guesses),
            None => self.widest(&guesses),
        };
        widest.unwrap_or_else(|| {
            let guesses: Vec<Point> =
                guesses.into_iter().map(|values| Point { values, violation: 0.0 }).collect();
            dominance::ranking(&guesses).first().copied().unwrap_or(0)
        })
    }

    /// Of some guesses the one that widens the front of all that is known most; `None` where none does.
    fn widest(&mut self, guesses: &[Vec<f64>]) -> Option<usize> {
        let known = self.known();
        let ranges: Vec<(f64, f64)> = (0..self.objectives.len())
            .map(|objective| {
                let values = || known.iter().chain(guesses).map(|values| values[objective]);
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
        let before = hypervolume(&front, &reference);
        let mut best = (0, 0.0);
        for (number, guess) in guesses.iter().enumerate() {
            front.push(scaled(guess));
            let gain = hypervolume(&front, &reference) - before;
            front.pop();
            if gain > best.1 {
                best = (number, gain);
            }
        }
        (best.1 > 0.0).then_some(best.0)
    }

    /// Looks at a large population again, where it is time.
    fn look_again(&mut self, told: &Told<'_>) {
        if self.population.rank_again() {
            self.places = population::places(&self.population.standing());
            let known = self.known();
            self.outlook = Some(Outlook::of(self.objectives.len(), known));
        } else if self.outlook.is_some() && told.point.violation == 0.0 {
            let belief = self.belief(&told.made.hash, told.point).values;
            self.outlook.iter_mut().for_each(|outlook| outlook.add(&belief));
        }
    }
}

impl Strategy for ShEmoa {
    fn ask(&mut self, breeder: &mut Breeder) -> Result<Ask> {
        self.asked += 1;
        if self.asked <= self.size || self.population.len() < 2 {
            return breeder.random().map(Ask::or_end);
        }
        let is_late = self.population.len() > EXACT;
        let places = if is_late { std::mem::take(&mut self.places) } else { self.population.places() };
        let mut litter = Vec::new();
        while litter.len() < if is_late { LATE_LITTER } else { LITTER }
            && let Some(child) = nsga2::child(&self.population, &places, breeder)?
        {
            litter.push(child);
        }
        if is_late {
            self.places = places;
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

    fn skips(&self) -> bool {
        true
    }

    fn skip(&mut self) {
        self.asked += 1;
    }

    fn tell(&mut self, told: &Told<'_>) {
        self.population.hear(told);
        for (surrogate, value) in self.surrogates.iter_mut().zip(&told.point.values) {
            // What was not trained for a constraint has no accuracy.
            if let Some(surrogate) = surrogate.as_mut().filter(|_| told.point.violation == 0.0) {
                surrogate.hear(told.made, told.epochs, *value);
            }
        }
        self.look_again(told);
    }

    fn belief(&mut self, hash: &str, point: &Point) -> Point {
        let of = |(surrogate, value): (&mut Option<Surrogate>, &f64)| {
            surrogate.as_mut().and_then(|surrogate| surrogate.belief(hash)).unwrap_or(*value)
        };
        let values = self.surrogates.iter_mut().zip(&point.values).map(of).collect();
        Point { values, violation: point.violation }
    }
}
