//! NetAdapt (Yang et al. 2018; as MobileNetV3 has it, Howard et al. 2019, Section 4.2): a network is shrunk step by step to a
//! target cost. Each step proposes networks that are narrower in one respect, trains them shortly with the weights that they
//! inherit, and keeps the one that loses least accuracy for what it saves.

mod shrink;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::breeder::Breeder;
use super::made::Tried;
use super::strategy::{Ask, Strategy, Told};
use crate::config::{NetAdaptConfig, Objective};
use crate::error::{Error, Result};
use crate::space::{Candidate, notation};

pub use shrink::{Proposal, proposals, split};

/// How a candidate came from another, whose weights it inherits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adapted {
    /// Hash of the candidate that was shrunk.
    pub from: String,
    /// Counted from 1.
    pub step: usize,
    /// What was shrunk, such as `hidden 96 to 88 in block 3`; blocks are counted from 1.
    pub change: String,
    /// The cost that is lowered, before and after.
    pub cost_before: f64,
    pub cost: f64,
}

/// Accuracy and cost of a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reached {
    /// Validation accuracy, percent.
    pub accuracy: f64,
    pub cost: f64,
}

impl Reached {
    /// Points of accuracy that were won (below 0: lost) for each unit of cost that was saved since `before`.
    pub fn ratio(&self, before: &Self) -> f64 {
        (self.accuracy - before.accuracy) / (before.cost - self.cost).abs()
    }
}

/// The number of the proposal that a step takes, of those that came to something: the one with the largest change of accuracy
/// for its change of cost, the first of equals.
pub fn chosen(before: &Reached, proposals: &[Option<Reached>]) -> Option<usize> {
    let ratios = proposals.iter().map(|reached| reached.map_or(f64::NAN, |reached| reached.ratio(before)));
    let mut best: Option<(usize, f64)> = None;
    for (number, ratio) in ratios.enumerate() {
        if ratio.is_finite() && best.is_none_or(|(_, highest)| ratio > highest) {
            best = Some((number, ratio));
        }
    }
    best.map(|(number, _)| number)
}

/// A network that was trained, or is being trained.
#[derive(Debug, Clone)]
struct Trained {
    hash: String,
    candidate: Candidate,
    /// `None` where it failed, or has not ended.
    reached: Option<Reached>,
}

/// The strategy.
#[derive(Debug)]
pub struct NetAdapt {
    config: NetAdaptConfig,
    /// The network of the step's beginning; `None` before the first has been trained.
    at: Option<(Trained, Reached)>,
    /// How much a step has to cut.
    cut: f64,
    step: usize,
    waiting: VecDeque<Proposal>,
    /// What the step has sent to be trained, in order.
    sent: Vec<Trained>,
    /// Of these, how many have not ended.
    open: usize,
}

impl NetAdapt {
    pub fn new(config: NetAdaptConfig) -> Self {
        let (waiting, sent) = (VecDeque::new(), Vec::new());
        Self { config, at: None, cut: 0.0, step: 0, waiting, sent, open: 0 }
    }

    fn cost(&self, breeder: &mut Breeder, candidate: &Candidate) -> Option<f64> {
        breeder.price(candidate).and_then(|costs| costs.of(self.config.cost)).map(|cost| cost as f64)
    }

    /// The first network, checked: that it can be trained, that it costs too much, and that it can be brought to the target.
    fn first(&mut self, breeder: &mut Breeder) -> Result<Ask> {
        let NetAdaptConfig { notation, target, delta, cost, .. } = &self.config;
        let (target, delta, cost) = (*target, *delta, name(*cost));
        let image = breeder.space().input[0];
        let first = notation::parse(notation).map_err(|why| Error::request(format!("search.from: {why}")))?;
        let blocks = split(&first, image);
        let (Some(now), Some(_)) = (self.cost(breeder, &first), self.cost(breeder, &blocks)) else {
            let why = blocks.check().err().or_else(|| breeder.why_not(&first));
            let why = why.unwrap_or_else(|| "it cannot be built".into());
            return Err(Error::request(format!(
                "search.from: `{}` is no network that can be shrunk for these images: {why}",
                first.text()
            )));
        };
        if now <= target {
            return Err(Error::request(format!(
                "search.target: the network to shrink has {} {cost} already, which is not above the target of {}; \
                 lower the target",
                number(now),
                number(target)
            )));
        }
        let narrowest = shrink::narrowest(&blocks, image);
        let least = self.cost(breeder, &narrowest).unwrap_or(now);
        if least > target {
            return Err(Error::request(format!(
                "search.target: {} {cost} cannot be reached from this network: with every block as narrow as it can be it \
                 still has {}, the closest that is reachable (`{}`); raise the target, or begin from another network",
                number(target),
                number(least),
                narrowest.text()
            )));
        }
        self.cut = delta * now;
        match breeder.offer(first, Vec::new(), None) {
            Tried::Made(made) => {
                self.sent.push(Trained { hash: made.hash.clone(), candidate: blocks, reached: None });
                self.open = 1;
                Ok(Ask::Train(made))
            }
            Tried::Taken | Tried::Breaks(_) => Ok(Ask::End),
        }
    }

    /// All of the step is known: takes the best, and makes the proposals of the next. False at the end.
    fn advance(&mut self, breeder: &mut Breeder) -> bool {
        let sent = std::mem::take(&mut self.sent);
        let next = match &self.at {
            None => sent.into_iter().next(),
            Some((_, before)) => {
                let reached: Vec<Option<Reached>> = sent.iter().map(|trained| trained.reached).collect();
                chosen(before, &reached).and_then(|number| sent.into_iter().nth(number))
            }
        };
        // Where everything failed there is nothing to go on from.
        let Some((trained, reached)) = next.and_then(|next| next.reached.map(|reached| (next, reached)))
        else {
            return false;
        };
        let candidate = trained.candidate.clone();
        self.at = Some((trained, reached));
        if reached.cost <= self.config.target {
            return false;
        }
        self.step += 1;
        let (image, most) = (breeder.space().input[0], reached.cost - self.cut);
        self.waiting = proposals(&candidate, image, most, |narrower| self.cost(breeder, narrower)).into();
        !self.waiting.is_empty()
    }
}

impl Strategy for NetAdapt {
    fn ask(&mut self, breeder: &mut Breeder) -> Result<Ask> {
        if self.at.is_none() && self.sent.is_empty() {
            return self.first(breeder);
        }
        loop {
            while let Some(Proposal { candidate, change, cost }) = self.waiting.pop_front() {
                let Some((from, before)) = &self.at else { break };
                let (step, cost_before) = (self.step, before.cost);
                let choices = vec![("step".into(), step.to_string()), ("change".into(), change.clone())];
                let adapted = Adapted { from: from.hash.clone(), step, change, cost_before, cost };
                if let Tried::Made(made) = breeder.offer(candidate.clone(), choices, Some(adapted)) {
                    self.sent.push(Trained { hash: made.hash.clone(), candidate, reached: None });
                    self.open += 1;
                    return Ok(Ask::Train(made));
                }
            }
            if self.open > 0 {
                return Ok(Ask::Wait);
            }
            if !self.advance(breeder) {
                return Ok(Ask::End);
            }
        }
    }

    fn tell(&mut self, told: &Told<'_>) {
        // The objectives are accuracy, turned round, and the cost.
        let reached = match told.point.values[..] {
            [accuracy, cost, ..] if told.point.violation.is_finite() => {
                Some(Reached { accuracy: -accuracy, cost })
            }
            _ => None,
        };
        if let Some(trained) = self.sent.iter_mut().find(|trained| trained.hash == told.made.hash) {
            trained.reached = reached;
            self.open = self.open.saturating_sub(1);
        }
    }
}

/// A cost's name in files.
fn name(cost: Objective) -> &'static str {
    Objective::NAMES.iter().find(|(_, objective)| *objective == cost).map_or("", |(name, _)| name)
}

/// A cost as people read it, such as 2,345,678.
fn number(cost: f64) -> String {
    crate::text::thousands(cost as u64)
}

#[cfg(test)]
mod tests;
