//! New candidates from known ones: changed, crossed, led to the constraints.

use rand::RngExt;
use rand::seq::SliceRandom;

use super::breeder::Breeder;
use super::made::{Made, Tried};
use crate::error::Result;
use crate::space::Genome;

/// Children of two parents, or changes of one, that are tried before chance takes over.
const CHILDREN: usize = 200;

impl Breeder {
    /// Changes one gene after another, each time one that brings the candidate nearer to the constraints, until it keeps to them.
    pub fn led(&mut self, mut genome: Genome) -> Option<Made> {
        let mut excess = match self.make(&genome) {
            Tried::Made(made) => return Some(*made),
            Tried::Taken => return None,
            Tried::Breaks(excess) => excess,
        };
        loop {
            let mut best: Option<(f64, Genome)> = None;
            for neighbour in self.neighbours(&genome) {
                match self.make(&neighbour) {
                    Tried::Made(made) => return Some(*made),
                    Tried::Breaks(next) if next < best.as_ref().map_or(excess, |(least, _)| *least) => {
                        best = Some((next, neighbour));
                    }
                    Tried::Breaks(_) | Tried::Taken => {}
                }
            }
            (excess, genome) = best?;
        }
    }

    /// All genomes that differ in one gene, in an order by chance.
    pub fn neighbours(&mut self, genome: &[usize]) -> Vec<Genome> {
        let mut neighbours = Vec::new();
        for (gene, levels) in self.genes().iter().enumerate() {
            for level in (0..*levels).filter(|level| *level != genome[gene]) {
                let mut neighbour = genome.to_vec();
                neighbour[gene] = level;
                neighbours.push(neighbour);
            }
        }
        neighbours.shuffle(self.rng());
        neighbours
    }

    /// A new candidate that differs from a genome in one gene; in more where all of these are taken, and by chance where
    /// nothing near is left.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn mutated(&mut self, genome: &[usize]) -> Result<Option<Made>> {
        self.child(|breeder, attempt| {
            let mut child = genome.to_vec();
            for _ in 0..=attempt / 20 {
                breeder.change_one(&mut child);
            }
            child
        })
    }

    /// A new candidate that has each gene of one of its parents, by chance, and about one changed.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn crossed(&mut self, mother: &[usize], father: &[usize]) -> Result<Option<Made>> {
        self.child(|breeder, attempt| {
            let mut child: Genome = mother
                .iter()
                .zip(father)
                .map(|(m, f)| if breeder.rng().random_bool(0.5) { *m } else { *f })
                .collect();
            let changes = breeder.rng().random_range(0..=2) + attempt / 50;
            for _ in 0..changes {
                breeder.change_one(&mut child);
            }
            child
        })
    }

    /// The first of some children that may be trained, else one led to the constraints, else one by chance.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn child(&mut self, mut next: impl FnMut(&mut Self, usize) -> Genome) -> Result<Option<Made>> {
        let mut least: Option<(f64, Genome)> = None;
        for attempt in 0..CHILDREN {
            let child = next(self, attempt);
            match self.make(&child) {
                Tried::Made(made) => return Ok(Some(*made)),
                Tried::Breaks(excess) if least.as_ref().is_none_or(|(least, _)| excess < *least) => {
                    least = Some((excess, child));
                }
                Tried::Breaks(_) | Tried::Taken => {}
            }
        }
        match least.and_then(|(_, genome)| self.led(genome)) {
            Some(made) => Ok(Some(made)),
            None => self.random(),
        }
    }

    /// Another level for one gene.
    pub fn change_one(&mut self, genome: &mut Genome) {
        if self.genes().is_empty() {
            return;
        }
        let genes = self.genes().len();
        let gene = self.rng().random_range(0..genes);
        let levels = self.genes()[gene];
        genome[gene] = (genome[gene] + self.rng().random_range(1..levels)) % levels;
    }
}
