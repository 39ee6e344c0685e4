//! Seeds as a dimension: every candidate once for each.

use super::{Outcome, Proposal, Strategy};
use crate::error::Result;

/// Each proposal of the inner strategy, once for each seed, in the order of the seeds.
#[derive(Debug)]
pub struct Repeat<S> {
    inner: S,
    seeds: Vec<u64>,
    current: Option<Proposal>,
    next: usize,
}

impl<S: Strategy> Repeat<S> {
    pub fn new(inner: S, seeds: Vec<u64>) -> Self {
        let next = seeds.len();
        Self { inner, seeds, current: None, next }
    }
}

impl<S: Strategy> Strategy for Repeat<S> {
    fn ask(&mut self) -> Result<Option<Proposal>> {
        if self.next >= self.seeds.len() {
            self.current = self.inner.ask()?;
            self.next = 0;
        }
        let (Some(proposal), Some(seed)) = (&self.current, self.seeds.get(self.next)) else {
            return Ok(None);
        };
        self.next += 1;
        Ok(Some(Proposal { seed: Some(*seed), ..proposal.clone() }))
    }

    fn tell(&mut self, outcome: &Outcome) {
        self.inner.tell(outcome);
    }
}
