//! NSGA-II in steady state (Deb et al. 2002; Durillo et al. 2009): each child enters as soon as it is trained.

use rand::RngExt;

use super::breeder::Breeder;
use super::made::Made;
use super::population::Population;
use super::strategy::{Ask, Strategy, Told};
use crate::error::Result;

/// Share of children with two parents; the others are one parent with a change.
const CROSSED: f64 = 0.9;

/// The `size` best of all so far, by front and crowding, constraints first; parents by binary tournament.
#[derive(Debug)]
pub struct Nsga2 {
    size: usize,
    asked: usize,
    population: Population,
}

impl Nsga2 {
    pub fn new(size: usize) -> Self {
        Self { size, asked: 0, population: Population::default() }
    }
}

impl Strategy for Nsga2 {
    fn ask(&mut self, breeder: &mut Breeder) -> Result<Ask> {
        self.asked += 1;
        if self.asked <= self.size || self.population.len() < 2 {
            return breeder.random().map(Ask::or_end);
        }
        let places = self.population.places();
        child(&self.population, &places, breeder).map(Ask::or_end)
    }

    fn tell(&mut self, told: &Told<'_>) {
        self.population.hear(told);
        self.population.keep_best(self.size);
    }
}

/// A new child of parents by binary tournament, given everyone's place in the ranking.
///
/// # Errors
/// A sentence where nothing keeps to the constraints.
pub fn child(population: &Population, places: &[usize], breeder: &mut Breeder) -> Result<Option<Made>> {
    let mother = population.tournament(places, breeder.rng()).genome.clone();
    if !breeder.rng().random_bool(CROSSED) {
        return breeder.mutated(&mother);
    }
    let father = population.tournament(places, breeder.rng()).genome.clone();
    breeder.crossed(&mother, &father)
}
