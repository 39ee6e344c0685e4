//! The tree-structured Parzen estimator for categories (Bergstra et al. 2011; with several objectives Ozaki et al. 2020).

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::breeder::Breeder;
use super::population::Population;
use super::strategy::{Ask, Strategy, Told};
use crate::error::Result;
use crate::space::Genome;

/// Candidates by chance before the first that is estimated.
const STARTUP: usize = 10;
/// Candidates drawn from the better ones' distribution for each proposal.
const DRAWN: usize = 24;
/// Share of all that count as the better ones, and the most there can be.
const BETTER: (f64, usize) = (0.1, 25);
/// Weight of the uniform distribution that is added to both, in candidates.
const PRIOR: f64 = 1.0;

/// Draws from the distribution of the better candidates' levels, and takes what is likeliest there against the others.
#[derive(Debug, Default)]
pub struct Tpe {
    asked: usize,
    population: Population,
}

impl Strategy for Tpe {
    fn ask(&mut self, breeder: &mut Breeder) -> Result<Ask> {
        self.asked += 1;
        if self.asked <= STARTUP || self.population.len() < 4 {
            return breeder.random().map(Ask::or_end);
        }
        let genes = breeder.genes().to_vec();
        let ranking = self.population.ranking();
        let better = ((ranking.len() as f64 * BETTER.0).ceil() as usize).clamp(2, BETTER.1);
        let (better, others) = ranking.split_at(better.min(ranking.len()));
        let (better, others) = (self.shares(&genes, better), self.shares(&genes, others));
        let made = breeder.child(|breeder, attempt| {
            // Where all that is likely is taken, less likely ones are tried.
            let drawn = if attempt < DRAWN { DRAWN } else { 1 };
            let draw =
                |rng: &mut ChaCha8Rng| -> Genome { better.iter().map(|shares| pick(shares, rng)).collect() };
            let mut best: Option<(f64, Genome)> = None;
            for _ in 0..drawn {
                let genome = draw(breeder.rng());
                let score = genome
                    .iter()
                    .enumerate()
                    .map(|(i, level)| (better[i][*level] / others[i][*level]).ln())
                    .sum();
                if best.as_ref().is_none_or(|(most, _)| score > *most) {
                    best = Some((score, genome));
                }
            }
            let mut genome = best.map_or_else(Vec::new, |(_, genome)| genome);
            if attempt >= 2 * DRAWN {
                breeder.change_one(&mut genome);
            }
            genome
        })?;
        Ok(Ask::or_end(made))
    }

    fn tell(&mut self, told: &Told<'_>) {
        self.population.hear(told);
    }
}

impl Tpe {
    /// For each gene the share of each level among some members, and a little of the uniform distribution.
    fn shares(&self, genes: &[usize], members: &[usize]) -> Vec<Vec<f64>> {
        let of_gene = |(gene, levels): (usize, &usize)| {
            let mut shares = vec![PRIOR / *levels as f64; *levels];
            for i in members {
                shares[self.population.members()[*i].genome[gene]] += 1.0;
            }
            let sum: f64 = shares.iter().sum();
            shares.into_iter().map(|share| share / sum).collect()
        };
        genes.iter().enumerate().map(of_gene).collect()
    }
}

/// A level by its share.
pub fn pick(shares: &[f64], rng: &mut ChaCha8Rng) -> usize {
    let mut left: f64 = rng.random_range(0.0..1.0);
    for (level, share) in shares.iter().enumerate() {
        left -= share;
        if left < 0.0 {
            return level;
        }
    }
    shares.len().saturating_sub(1)
}
