//! Searches that run on a table, and what they have found after so many evaluations.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

use crate::analysis::hypervolume::hypervolume;
use crate::config::{Objective, SearchConfig};
use crate::error::{Error, Result};
use crate::search::{Costs, Figures, Judged, Order, Search, Settings};
use crate::space::{Candidate, SearchSpace, text_hash};
use crate::train::{Table, TableEnd};

/// A table to race on.
pub struct Course {
    table: Arc<Table>,
    space: Arc<SearchSpace>,
    pub cost: Objective,
    /// Evaluations, rising.
    pub budgets: Vec<usize>,
    /// Of each candidate its cost and mean final accuracy over seeds.
    truth: HashMap<String, (f64, f64)>,
    reference: (f64, f64),
    /// Hypervolume of the table's front, and its best accuracy.
    best: (f64, f64),
}

/// What a run has found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// As a share of that of the table's front.
    pub hypervolume: f64,
    /// Points of accuracy that the candidate found best is below the table's best.
    pub regret: f64,
    /// Candidates trained for all epochs.
    pub trained: usize,
}

/// A run's standing at each budget.
pub type Run = Vec<Standing>;

/// Chance of ten classes; the table's own is not told, and below it nothing is worth anything.
const CHANCE: f64 = 10.0;

impl Course {
    /// # Errors
    /// A sentence where the table has no candidate that finished, or none of the space.
    pub fn new(table: Table, space: SearchSpace, cost: Objective, budgets: Vec<usize>) -> Result<Self> {
        let mut sums: HashMap<&str, (f64, f64, usize)> = HashMap::new();
        for row in table.rows() {
            let Some(last) = row.epochs.last().filter(|_| matches!(row.end, TableEnd::Finished { .. }))
            else {
                continue;
            };
            let of_it = sums.entry(&row.candidate).or_default();
            let costs = (row.params, row.madds, row.activation_memory);
            *of_it = (value(cost, costs), of_it.1 + last.accuracy, of_it.2 + 1);
        }
        let truth: HashMap<String, (f64, f64)> = sums
            .into_iter()
            .map(|(text, (cost, sum, n))| (text.to_owned(), (cost, sum / n as f64)))
            .collect();
        let finished =
            |text: &str| table.trial(text, 0).is_some_and(|row| truth.contains_key(&row.candidate));
        let known = space.iter().take(1000).any(|drawn| finished(&drawn.candidate.text()));
        if !known {
            return Err(Error::request(format!(
                "the table has no finished trial of a candidate of the space `{}`: give the space that it was made from",
                space.name
            )));
        }
        let points: Vec<(f64, f64)> = truth.values().copied().collect();
        let largest = points.iter().map(|point| point.0).fold(0.0, f64::max);
        let reference = (1.1 * largest, CHANCE);
        let highest = points.iter().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
        let best = (hypervolume(&points, reference), highest);
        Ok(Self { table: Arc::new(table), space: Arc::new(space), cost, budgets, truth, reference, best })
    }

    pub fn epochs(&self) -> usize {
        self.table.epochs
    }

    pub fn candidates(&self) -> usize {
        self.table.candidates()
    }

    /// What half of the candidates cost at most.
    pub fn median_cost(&self) -> f64 {
        let costs: Vec<f64> = self.truth.values().map(|(cost, _)| *cost).collect();
        crate::analysis::stats::median(&costs).unwrap_or(0.0)
    }

    /// Runs of a search with the seeds from 0; they depend on nothing else.
    pub fn race(&self, config: &SearchConfig, seeds: u64) -> Vec<Run> {
        (0..seeds).into_par_iter().map(|seed| self.run(config, seed)).collect()
    }

    fn run(&self, config: &SearchConfig, seed: u64) -> Run {
        let table = Arc::clone(&self.table);
        let judge = Box::new(move |candidate: &Candidate| match table.trial(&candidate.text(), seed) {
            Some(row) => {
                let costs = Costs {
                    params: row.params,
                    madds: row.madds,
                    activation_memory: row.activation_memory,
                    size: 4 * row.params,
                };
                Judged::Fits(costs, text_hash(&row.candidate))
            }
            None => Judged::NoNetwork { reason: "it is not in the table".into() },
        });
        let space = Arc::clone(&self.space);
        let mut search = Search::new(Settings { config, space, seed, epochs: self.epochs(), judge });
        let mut found = Found { course: self, points: Vec::new(), best: None };
        let (mut run, mut spent) = (Vec::new(), 0);
        let mut texts: HashMap<String, (String, usize)> = HashMap::new();
        while run.len() < self.budgets.len() {
            // What the space has no more of costs nothing more either.
            let Ok(order) = search.order() else { break };
            let (hash, epochs) = match order {
                Order::Train(made, epochs) => {
                    texts.insert(made.hash.clone(), (made.candidate.text(), 0));
                    (made.hash, epochs)
                }
                Order::Continue(hash, epochs) => (hash, epochs),
                Order::Wait | Order::End => break,
            };
            let Some((text, before)) = texts.get_mut(&hash) else { break };
            spent += epochs - *before;
            *before = epochs;
            // What is not paid for within a budget does not count for it.
            let is_over = |budget: &usize| spent > budget.saturating_mul(self.epochs());
            while self.budgets.get(run.len()).is_some_and(is_over) {
                run.push(found.standing());
            }
            let row = self.table.trial(text, seed);
            let epoch = row.and_then(|row| row.epochs.get(epochs - 1));
            let figures = epoch.map(|e| Figures { accuracy: e.accuracy, loss: e.loss, latency: None });
            if let (Some(epoch), true) = (epoch, epochs == self.epochs()) {
                found.add(row.map_or(text, |row| &row.candidate), epoch.accuracy);
            }
            search.tell(&hash, epochs, figures);
        }
        run.resize(self.budgets.len(), found.standing());
        run
    }
}

fn value(cost: Objective, (params, madds, activation_memory): (u64, u64, u64)) -> f64 {
    (match cost {
        Objective::Madds => madds,
        Objective::ActivationMemory => activation_memory,
        _ => params,
    }) as f64
}

/// Candidates trained for all epochs.
struct Found<'a> {
    course: &'a Course,
    points: Vec<(f64, f64)>,
    /// The highest accuracy seen, and the true one of that candidate.
    best: Option<(f64, f64)>,
}

impl Found<'_> {
    fn add(&mut self, text: &str, seen: f64) {
        let Some(point) = self.course.truth.get(text) else { return };
        self.points.push(*point);
        if self.best.is_none_or(|(highest, _)| seen > highest) {
            self.best = Some((seen, point.1));
        }
    }

    fn standing(&self) -> Standing {
        let (whole, highest) = self.course.best;
        Standing {
            hypervolume: hypervolume(&self.points, self.course.reference) / whole,
            regret: highest - self.best.map_or(CHANCE, |(_, truth)| truth),
            trained: self.points.len(),
        }
    }
}
