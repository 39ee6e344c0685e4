//! Regularised evolution (Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search", Algorithm 1).

use rand::RngExt;

use super::breeder::Breeder;
use super::population::Population;
use super::strategy::{Ask, Strategy, Told};
use crate::error::Result;

/// Members by chance until there are `size`; then each new one is the best of a sample with one change, and the oldest dies.
/// With several objectives the best is by front, then by crowding.
#[derive(Debug)]
pub struct Evolution {
    size: usize,
    sample: usize,
    asked: usize,
    population: Population,
}

impl Evolution {
    /// The paper's share of a sample is a quarter of the population (25 of 100).
    pub fn new(size: usize) -> Self {
        Self { size, sample: (size / 4).max(2), asked: 0, population: Population::default() }
    }
}

impl Strategy for Evolution {
    fn ask(&mut self, breeder: &mut Breeder) -> Result<Ask> {
        self.asked += 1;
        if self.asked <= self.size || self.population.len() == 0 {
            return breeder.random().map(Ask::or_end);
        }
        let places = self.population.places();
        let draws = (0..self.sample).map(|_| breeder.rng().random_range(0..places.len()));
        let Some(parent) = draws.min_by_key(|i| places[*i]) else { return Ok(Ask::End) };
        breeder.mutated(&self.population.members()[parent].genome).map(Ask::or_end)
    }

    fn tell(&mut self, told: &Told<'_>) {
        self.population.hear(told);
        if self.population.len() > self.size {
            self.population.forget_oldest();
        }
    }
}
