//! What a study is to train: planned trials, pulled one by one.

use super::event::CandidateRecord;
use crate::arch::Network;
use crate::error::Result;

/// One trial before it has a number.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedTrial {
    pub candidate: CandidateRecord,
    pub network: Network,
    pub seed: u64,
}

/// The trials of an experiment in their order, which fixes their numbers: the same experiment must propose the same ones.
/// Pulled lazily, so a space of any size can stand behind it.
pub trait Plan: Send {
    /// The next trial; `None` at the end.
    ///
    /// # Errors
    /// What ends the study: a constraint that nothing satisfies, say.
    fn next(&mut self) -> Result<Option<PlannedTrial>>;

    /// The network of a candidate that it has proposed, where it can be had again: trials that wait for the test split then
    /// need not hold theirs, of which there may be a million.
    fn network(&self, _candidate: &CandidateRecord) -> Option<Network> {
        None
    }

    /// How many trials there will be in all, where that is known beforehand.
    fn total(&self) -> Option<usize> {
        None
    }
}

/// A list of trials is a plan.
impl Plan for std::vec::IntoIter<PlannedTrial> {
    fn next(&mut self) -> Result<Option<PlannedTrial>> {
        Ok(Iterator::next(self))
    }

    fn total(&self) -> Option<usize> {
        Some(self.len())
    }
}
