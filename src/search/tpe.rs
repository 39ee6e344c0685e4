//! The tree-structured Parzen estimator for categories (Bergstra et al. 2011; with several objectives Ozaki et al. 2020).

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::breeder::Breeder;
use super::population::Population;
use super::standing::EXACT;
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
    /// What was learnt of a large population when it was ranked last.
    learnt: Option<Learnt>,
}

/// What tells the better candidates from the others.
#[derive(Debug, Clone)]
struct Learnt {
    /// For each gene the share of each level among the better ones.
    better: Vec<Vec<f64>>,
    /// For each gene and level the logarithm of that share over the others'.
    scores: Vec<Vec<f64>>,
}

impl Strategy for Tpe {
    fn ask(&mut self, breeder: &mut Breeder) -> Result<Ask> {
        self.asked += 1;
        if self.asked <= STARTUP || self.population.len() < 4 {
            return breeder.random().map(Ask::or_end);
        }
        let genes = breeder.genes().to_vec();
        let learnt = match self.learnt.take() {
            Some(learnt) => learnt,
            None => Learnt::of(&self.population, &genes),
        };
        let made = breeder.child(|breeder, attempt| {
            // Where all that is likely is taken, less likely ones are tried.
            let drawn = if attempt < DRAWN { DRAWN } else { 1 };
            let mut genome = learnt.draw(drawn, breeder.rng());
            if attempt >= 2 * DRAWN {
                breeder.change_one(&mut genome);
            }
            genome
        })?;
        if self.population.len() > EXACT {
            self.learnt = Some(learnt);
        }
        Ok(Ask::or_end(made))
    }

    fn skips(&self) -> bool {
        true
    }

    fn skip(&mut self) {
        self.asked += 1;
    }

    fn tell(&mut self, told: &Told<'_>) {
        self.population.hear(told);
        if self.population.rank_again() {
            self.learnt = None;
        }
    }
}

impl Learnt {
    fn of(population: &Population, genes: &[usize]) -> Self {
        let ranking = population.standing();
        let better = ((ranking.len() as f64 * BETTER.0).ceil() as usize).clamp(2, BETTER.1);
        let (better, others) = ranking.split_at(better.min(ranking.len()));
        let (better, others) = (shares(population, genes, better), shares(population, genes, others));
        let score = |(better, others): (&Vec<f64>, &Vec<f64>)| {
            better.iter().zip(others).map(|(better, others)| (better / others).ln()).collect()
        };
        let scores = better.iter().zip(&others).map(score).collect();
        Self { better, scores }
    }

    /// Of so many draws the first with the highest score.
    fn draw(&self, draws: usize, rng: &mut ChaCha8Rng) -> Genome {
        let mut most: Option<f64> = None;
        let (mut genome, mut best) = (vec![0; self.better.len()], vec![0; self.better.len()]);
        for _ in 0..draws {
            let mut score = 0.0;
            for ((level, shares), scores) in genome.iter_mut().zip(&self.better).zip(&self.scores) {
                *level = pick(shares, rng);
                score += scores[*level];
            }
            if most.is_none_or(|most| score > most) {
                most = Some(score);
                std::mem::swap(&mut genome, &mut best);
            }
        }
        best
    }
}

/// For each gene the share of each level among some members, and a little of the uniform distribution.
fn shares(population: &Population, genes: &[usize], members: &[usize]) -> Vec<Vec<f64>> {
    let of_gene = |(gene, levels): (usize, &usize)| {
        let mut shares = vec![PRIOR / *levels as f64; *levels];
        for i in members {
            shares[population.members()[*i].genome[gene]] += 1.0;
        }
        let sum: f64 = shares.iter().sum();
        shares.into_iter().map(|share| share / sum).collect()
    };
    genes.iter().enumerate().map(of_gene).collect()
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
