//! An end after a number of candidates.

use super::{Outcome, Proposal, Strategy};
use crate::error::Result;

/// At most a number of proposals.
#[derive(Debug)]
pub struct Limited<S> {
    inner: S,
    left: usize,
}

impl<S: Strategy> Limited<S> {
    pub fn new(inner: S, limit: usize) -> Self {
        Self { inner, left: limit }
    }
}

impl<S: Strategy> Strategy for Limited<S> {
    fn ask(&mut self) -> Result<Option<Proposal>> {
        if self.left == 0 {
            return Ok(None);
        }
        let proposal = self.inner.ask()?;
        self.left -= 1;
        Ok(proposal)
    }

    fn tell(&mut self, outcome: &Outcome) {
        self.inner.tell(outcome);
    }
}
