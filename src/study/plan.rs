//! What a study is to train: planned trials, pulled one by one.

use std::collections::BTreeMap;

use super::event::{CandidateRecord, Latency, Metrics};
use super::state::{Rung, RungEnd, Trial};
use crate::arch::Network;
use crate::error::Result;
use crate::search::Proposal;

/// One trial before it has a number.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedTrial {
    pub candidate: CandidateRecord,
    pub network: Network,
    pub seed: u64,
    /// Epochs after which it stops, where these are not all.
    pub until: Option<usize>,
    /// Where its search stands once it has proposed the candidate, where that need not be computed again.
    pub proposal: Option<Box<Proposal>>,
}

/// What a plan wants next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    New(PlannedTrial),
    /// A trial of before goes on.
    Continue(PlannedTrial),
    /// Nothing before it has been told how a trial ended.
    Wait,
    End,
}

/// How a trial ended, at a rung or for good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ended<'a> {
    pub candidate: &'a CandidateRecord,
    pub seed: u64,
    /// The rung; `None` for all epochs.
    pub until: Option<usize>,
    /// Figures of the last epoch; `None` where it failed, or was rejected for its latency.
    pub validation: Option<Metrics>,
    /// Of the candidate, where it is measured.
    pub latency: Option<Latency>,
}

impl<'a> Ended<'a> {
    /// Of a trial at one of its rungs, where it has ended there.
    pub fn at(trial: &'a Trial, rung: &Rung, latencies: &BTreeMap<String, Latency>) -> Option<Self> {
        let validation = match rung.end? {
            RungEnd::Reached(metrics) => Some(metrics),
            // It counts for what it came to; at a rung it is not compared with those that had all epochs.
            RungEnd::TimedOut(metrics) => rung.until.is_none().then_some(metrics),
            RungEnd::Failed | RungEnd::Rejected => None,
        };
        Some(Self {
            candidate: &trial.candidate,
            seed: trial.seed,
            until: rung.until,
            validation,
            latency: latencies.get(&trial.candidate.hash).copied(),
        })
    }
}

/// The trials of an experiment in their order, which fixes their numbers: the same experiment must propose the same ones, given
/// the same ends of the same trials, whenever it is told of these. Pulled lazily, so a space of any size can stand behind it.
pub trait Plan: Send {
    /// The next trial.
    ///
    /// # Errors
    /// What ends the study: a constraint that nothing satisfies, say.
    fn next(&mut self) -> Result<Next>;

    /// Hears how a trial ended; of one that was tried again after it had failed the first word counts.
    fn tell(&mut self, _ended: &Ended<'_>) {}

    /// The network of a candidate that it has proposed, where it can be had again: trials that wait for the test split then
    /// need not hold theirs, of which there may be a million.
    fn network(&self, _candidate: &CandidateRecord) -> Option<Network> {
        None
    }

    /// Whether [`network`](Self::network) gives a candidate's.
    fn has_network(&self, candidate: &CandidateRecord) -> bool {
        self.network(candidate).is_some()
    }

    /// How many trials there will be in all, where that is known beforehand.
    fn total(&self) -> Option<usize> {
        None
    }
}

/// A list of trials is a plan.
impl Plan for std::vec::IntoIter<PlannedTrial> {
    fn next(&mut self) -> Result<Next> {
        Ok(Iterator::next(self).map_or(Next::End, Next::New))
    }

    fn total(&self) -> Option<usize> {
        Some(self.len())
    }
}
