//! Numbers by chance, each at most once.

use std::collections::HashMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Uniform draws without repeats: a Fisher-Yates shuffle of which only the entries that moved are kept, so that a space of
/// 10^12 costs no more than the draws made from it, and a small one is exhausted without a single retry.
#[derive(Debug)]
pub struct Shuffle {
    size: u128,
    rng: ChaCha8Rng,
    drawn: u128,
    moved: HashMap<u128, u128>,
}

impl Shuffle {
    /// The numbers below `size`; the same seed gives the same order.
    pub fn new(size: u128, seed: u64) -> Self {
        Self { size, rng: ChaCha8Rng::seed_from_u64(seed), drawn: 0, moved: HashMap::new() }
    }

    /// How many were drawn.
    pub fn drawn(&self) -> u64 {
        u64::try_from(self.drawn).unwrap_or(u64::MAX)
    }

    /// Draws until so many were drawn.
    pub fn go_on_to(&mut self, drawn: u64) {
        while self.drawn < u128::from(drawn) && self.next().is_some() {}
    }

    /// Whether all were drawn.
    pub fn is_over(&self) -> bool {
        self.drawn >= self.size
    }
}

impl Iterator for Shuffle {
    type Item = u128;

    fn next(&mut self) -> Option<u128> {
        if self.drawn >= self.size {
            return None;
        }
        let at = self.rng.random_range(self.drawn..self.size);
        let first = self.moved.remove(&self.drawn).unwrap_or(self.drawn);
        let index = if at == self.drawn { first } else { self.moved.insert(at, first).unwrap_or(at) };
        self.drawn += 1;
        Some(index)
    }
}
