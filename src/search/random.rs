//! Candidates drawn uniformly, each at most once.

use std::collections::HashMap;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Proposal, Strategy};
use crate::error::Result;
use crate::space::SearchSpace;

/// Uniform draws without repeats: a Fisher-Yates shuffle of the candidates' numbers of which only the entries that
/// moved are kept, so that a space of 10^12 costs no more than the draws made from it, and a small one is exhausted
/// without a single retry.
#[derive(Debug)]
pub struct Random {
    space: Arc<SearchSpace>,
    rng: ChaCha8Rng,
    drawn: u128,
    moved: HashMap<u128, u128>,
}

impl Random {
    /// The same seed gives the same candidates in the same order.
    pub fn new(space: Arc<SearchSpace>, seed: u64) -> Self {
        Self { space, rng: ChaCha8Rng::seed_from_u64(seed), drawn: 0, moved: HashMap::new() }
    }
}

impl Strategy for Random {
    fn ask(&mut self) -> Result<Option<Proposal>> {
        let size = self.space.size();
        if self.drawn >= size {
            return Ok(None);
        }
        let at = self.rng.random_range(self.drawn..size);
        let first = self.moved.remove(&self.drawn).unwrap_or(self.drawn);
        let index = if at == self.drawn { first } else { self.moved.insert(at, first).unwrap_or(at) };
        self.drawn += 1;
        Ok(self.space.get(index).map(Proposal::from))
    }
}
