//! The trials of an experiment in their order: the variants as the file lists them, then the searched candidates, each once
//! for every seed.

mod variants;

use std::collections::{HashMap, VecDeque};

pub use variants::variants;

use super::recorded::Recorded;
use super::searched;
use crate::arch::{Network, Shape, build};
use crate::error::{Error, Result};
use crate::search::{Figures, Order, Proposal, Search, Timed};
use crate::space::notation;
use crate::study::event::{CandidateRecord, Metrics};
use crate::study::{Ended, Next, Plan, PlannedTrial};

/// A candidate ready to be trained.
pub type Planned = (CandidateRecord, Network);

/// The searched part of a plan.
#[derive(Debug)]
pub struct Searched {
    /// Candidates that an extended study has already.
    pub kept: Vec<Planned>,
    /// What proposes the others; `None` where there is no search.
    pub search: Option<Search>,
    /// How many candidates there will be, where that is known beforehand.
    pub total: Option<usize>,
    /// Shape and number of classes of the images that they take.
    pub images: (Shape, usize),
    /// What a study of before has recorded.
    pub recorded: Recorded,
}

/// A candidate that is to be trained, or to go on, up to a rung; with the seeds still to come.
#[derive(Debug)]
struct Ordered {
    planned: Planned,
    /// Where the search stands after it, until its first trial has been planned.
    proposal: Option<Box<Proposal>>,
    goes_on: bool,
    until: Option<usize>,
    seeds: VecDeque<u64>,
}

/// How the trials of a searched candidate ended.
#[derive(Debug)]
struct Group {
    record: CandidateRecord,
    /// Seeds whose trials have not failed.
    seeds: Vec<u64>,
    /// At the rung under way: of each seed, validation figures where it did not fail.
    ended: Vec<(u64, Option<Metrics>)>,
    until: Option<usize>,
}

/// The plan of an experiment.
#[derive(Debug)]
pub struct ExperimentPlan {
    seeds: Vec<u64>,
    /// Of a whole training.
    epochs: usize,
    variants: VecDeque<Planned>,
    /// Variants whose turn has come.
    planned_variants: Vec<Planned>,
    kept: VecDeque<Planned>,
    searched: Searched,
    /// Orders of the search that were looked at before their turn.
    ahead: VecDeque<Ordered>,
    /// What the search said after these, where it was not an order.
    said: Option<Result<Next>>,
    current: Option<Ordered>,
    groups: HashMap<String, Group>,
}

impl ExperimentPlan {
    /// `variants` and then `searched`, each once for every one of `seeds`, for `epochs` unless the search says fewer.
    pub fn new(seeds: &[u64], epochs: usize, variants: Vec<Planned>, mut searched: Searched) -> Self {
        Self {
            seeds: seeds.to_vec(),
            epochs,
            variants: variants.into(),
            planned_variants: Vec::new(),
            kept: std::mem::take(&mut searched.kept).into(),
            searched,
            ahead: VecDeque::new(),
            said: None,
            current: None,
            groups: HashMap::new(),
        }
    }

    /// The candidates that come first, all variants and as many of the search that they are `most` trials, or as it can name
    /// before it is told of any; they stay in the plan. What ends the search early is not told before its turn.
    pub fn look_ahead(&mut self, most: usize) -> impl Iterator<Item = &Planned> {
        let candidates = (most / self.seeds.len().max(1)).max(1);
        while self.said.is_none() && self.variants.len() + self.kept.len() + self.ahead.len() < candidates {
            match self.order() {
                Ok(Ok(ordered)) => self.ahead.push_back(ordered),
                Ok(Err(said)) => self.said = Some(Ok(said)),
                Err(e) => self.said = Some(Err(e)),
            }
        }
        let searched = self.kept.iter().chain(self.ahead.iter().map(|ordered| &ordered.planned));
        self.variants.iter().chain(searched.take(candidates.saturating_sub(self.variants.len())))
    }

    /// The next order of the search; within, what it says instead.
    fn order(&mut self) -> Result<std::result::Result<Ordered, Next>> {
        let Some(search) = &mut self.searched.search else { return Ok(Err(Next::End)) };
        let until = |epochs: usize| (epochs < self.epochs).then_some(epochs);
        let mut proposal = None;
        let (planned, goes_on, until, seeds) = match search.order()? {
            Order::Train(mut made, epochs) => {
                proposal = made.proposal.take();
                let parent = made.adapted.as_ref().map(|adapted| adapted.from.clone());
                let planned = searched::planned(*made, self.searched.images, &self.searched.recorded)?;
                let (until, seeds) = match parent {
                    // It inherits from the trials of the same seeds, and stops whatever a whole training is.
                    Some(parent) => {
                        (Some(epochs), self.groups.get(&parent).map_or(&[][..], |g| &g.seeds).to_vec())
                    }
                    None => (until(epochs), self.seeds.clone()),
                };
                if search.listens() {
                    let (record, seeds) = (planned.0.clone(), seeds.clone());
                    let group = Group { record, seeds, ended: Vec::new(), until };
                    self.groups.insert(planned.0.hash.clone(), group);
                }
                (planned, false, until, seeds)
            }
            Order::Continue(hash, epochs) => {
                let until = until(epochs);
                let missing = || {
                    Error::run("a candidate is to go on that never began: this is a mistake in blocksmith")
                };
                let group = self.groups.get_mut(&hash).ok_or_else(missing)?;
                (group.until, group.ended) = (until, Vec::new());
                let (record, seeds) = (group.record.clone(), group.seeds.clone());
                let network = self.network(&record).ok_or_else(missing)?;
                ((record, network), true, until, seeds)
            }
            Order::Wait => return Ok(Err(Next::Wait)),
            Order::End => return Ok(Err(Next::End)),
        };
        Ok(Ok(Ordered { planned, proposal, goes_on, until, seeds: seeds.into() }))
    }

    /// The order after the current one; within, what the search says instead.
    fn ordered(&mut self) -> Result<std::result::Result<Ordered, Next>> {
        let whole = |planned: Planned| Ordered {
            planned,
            proposal: None,
            goes_on: false,
            until: None,
            seeds: self.seeds.clone().into(),
        };
        if let Some(variant) = self.variants.pop_front() {
            self.planned_variants.push(variant.clone());
            return Ok(Ok(whole(variant)));
        }
        if let Some(kept) = self.kept.pop_front() {
            return Ok(Ok(whole(kept)));
        }
        match self.ahead.pop_front() {
            Some(ordered) => Ok(Ok(ordered)),
            None => match self.said.take() {
                // It may have been told more since.
                None | Some(Ok(Next::Wait)) => self.order(),
                Some(said) => said.map(Err),
            },
        }
    }
}

impl Plan for ExperimentPlan {
    fn next(&mut self) -> Result<Next> {
        // Without seeds there is nothing to train, however many candidates there are.
        if self.seeds.is_empty() {
            return Ok(Next::End);
        }
        loop {
            if let Some(Ordered { planned: (candidate, network), proposal, goes_on, until, seeds }) =
                &mut self.current
                && let Some(seed) = seeds.pop_front()
            {
                let (candidate, network) = (candidate.clone(), network.clone());
                let (until, proposal) = (*until, proposal.take());
                let planned = PlannedTrial { candidate, network, seed, until, proposal };
                return Ok(if *goes_on { Next::Continue(planned) } else { Next::New(planned) });
            }
            match self.ordered()? {
                Ok(ordered) => self.current = Some(ordered),
                Err(said) => return Ok(said),
            }
        }
    }

    fn tell(&mut self, ended: &Ended<'_>) {
        let Ended { candidate, seed, until, validation, latency } = *ended;
        let latency = latency.map(|l| Timed { seconds: l.per_image(), floor: l.floor_per_image() });
        let Some(group) = self.groups.get_mut(&candidate.hash).filter(|_| !candidate.is_variant) else {
            return;
        };
        let heard = group.ended.iter().any(|(of, _)| *of == seed);
        if group.until != until || heard || !group.seeds.contains(&seed) {
            return;
        }
        group.ended.push((seed, validation));
        if group.ended.len() < group.seeds.len() {
            return;
        }
        // In the order of the seeds, so that sums do not depend on who ended first.
        group.ended.sort_by_key(|(seed, _)| *seed);
        let metrics: Vec<Metrics> = group.ended.iter().filter_map(|(_, metrics)| *metrics).collect();
        let reached = |seed: &u64| group.ended.iter().any(|(of, metrics)| of == seed && metrics.is_some());
        let seeds: Vec<u64> = group.seeds.iter().copied().filter(reached).collect();
        group.seeds = seeds;
        let mean = |of: fn(&Metrics) -> f64| metrics.iter().map(of).sum::<f64>() / metrics.len() as f64;
        let figures = (!metrics.is_empty()).then(|| Figures {
            accuracy: mean(|metrics| metrics.accuracy),
            loss: mean(|metrics| metrics.loss),
            latency,
        });
        if let Some(search) = &mut self.searched.search {
            let untrained = latency.filter(|latency| search.rejects(*latency)).map(Figures::untrained);
            let figures = figures.or(untrained);
            search.tell(&candidate.hash, until.unwrap_or(self.epochs), figures);
        }
    }

    fn network(&self, candidate: &CandidateRecord) -> Option<Network> {
        if candidate.is_variant {
            let variant = self.planned_variants.iter().find(|(variant, _)| variant.label == candidate.label);
            return variant.map(|(_, network)| network.clone());
        }
        let (input, classes) = self.searched.images;
        let parsed = notation::parse(&candidate.text).ok()?;
        build::network(&parsed, input, classes).ok()
    }

    fn has_network(&self, candidate: &CandidateRecord) -> bool {
        // What was built of a text once can be built again.
        !candidate.is_variant || self.network(candidate).is_some()
    }

    fn total(&self) -> Option<usize> {
        let started = self.current.as_ref().map_or(0, |ordered| ordered.seeds.len());
        // Beyond what can be counted it is as good as not known.
        let candidates = self.variants.len().checked_add(self.searched.total?)?;
        candidates.checked_mul(self.seeds.len())?.checked_add(started)
    }
}

#[cfg(test)]
mod tests;
