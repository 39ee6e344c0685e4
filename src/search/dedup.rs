//! Each candidate once.

use std::collections::HashSet;

use super::{Outcome, Proposal, Strategy};
use crate::error::Result;

/// Drops proposals whose network came before, by candidate hash.
#[derive(Debug)]
pub struct Dedup<S> {
    inner: S,
    seen: HashSet<String>,
}

impl<S: Strategy> Dedup<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, seen: HashSet::new() }
    }
}

impl<S: Strategy> Strategy for Dedup<S> {
    fn ask(&mut self) -> Result<Option<Proposal>> {
        while let Some(proposal) = self.inner.ask()? {
            if self.seen.insert(proposal.candidate.hash()) {
                return Ok(Some(proposal));
            }
        }
        Ok(None)
    }

    fn tell(&mut self, outcome: &Outcome) {
        self.inner.tell(outcome);
    }
}
