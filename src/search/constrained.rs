//! Candidates that satisfy the constraints.

use super::{Outcome, Proposal, Strategy};
use crate::error::{Error, Result};
use crate::space::Candidate;

/// Drops proposals that `accept` rejects, and gives up after too many in a row.
///
/// What a candidate costs is known further down than here, so the judgement is passed in.
#[derive(Debug)]
pub struct Constrained<S, F> {
    inner: S,
    accept: F,
    /// Rejections in a row after which the constraints count as unsatisfiable.
    patience: u64,
    accepted: u64,
    rejected: u64,
}

impl<S, F> Constrained<S, F>
where
    S: Strategy,
    F: FnMut(&Candidate) -> std::result::Result<(), String> + Send,
{
    /// `accept` returns the reason of a rejection: `params 512,000 is not at most 400,000`.
    pub fn new(inner: S, accept: F, patience: u64) -> Self {
        Self { inner, accept, patience, accepted: 0, rejected: 0 }
    }
}

impl<S, F> Strategy for Constrained<S, F>
where
    S: Strategy,
    F: FnMut(&Candidate) -> std::result::Result<(), String> + Send,
{
    fn ask(&mut self) -> Result<Option<Proposal>> {
        let mut in_a_row = 0;
        let mut last = String::new();
        while let Some(proposal) = self.inner.ask()? {
            match (self.accept)(&proposal.candidate) {
                Ok(()) => {
                    self.accepted += 1;
                    return Ok(Some(proposal));
                }
                Err(reason) => last = reason,
            }
            self.rejected += 1;
            in_a_row += 1;
            if in_a_row >= self.patience {
                return Err(Error::request(format!(
                    "{in_a_row} candidates in a row break the constraints (the last: {last}), so they look unsatisfiable; loosen the search space's constraints or widen its choices"
                )));
            }
        }
        if self.accepted == 0 && self.rejected > 0 {
            return Err(Error::request(format!(
                "none of the {} candidates satisfies the constraints (the last: {last}); loosen the search space's constraints or widen its choices",
                self.rejected
            )));
        }
        Ok(None)
    }

    fn tell(&mut self, outcome: &Outcome) {
        self.inner.tell(outcome);
    }
}
