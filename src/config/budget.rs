//! For how many epochs the candidates of a search are trained.

use serde::{Deserialize, Serialize};

use super::yaml::{At, Node, Read};

/// For how many epochs candidates are trained, and which go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Budget {
    pub kind: BudgetKind,
    /// Epochs of the lowest rung, at least.
    pub min_epochs: usize,
    /// One in so many candidates of a rung goes on, to so many times the epochs.
    pub eta: usize,
    /// What the learning rate does at rungs.
    pub schedule: RungSchedule,
}

/// Who goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetKind {
    /// Every candidate is trained for all epochs.
    #[default]
    Full,
    /// The best of a rung, once all of it are known.
    SuccessiveHalving,
    /// The best of a rung so far, at once.
    Asha,
}

/// The learning rate of a trial that stops at a rung or goes on from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RungSchedule {
    /// That of the whole training, cut off at the rung.
    #[default]
    Continue,
    /// The schedule runs to its end at each rung, and is taken up in the middle of the longer one at the next.
    Fit,
}

impl Budget {
    pub(super) fn halving(kind: BudgetKind, epochs: usize) -> Self {
        Self { kind, min_epochs: epochs.div_ceil(9), eta: 3, schedule: RungSchedule::default() }
    }

    /// Epochs of the rungs below `epochs`, and that.
    pub fn epochs(&self, epochs: usize) -> Vec<usize> {
        // Counted from the top, so that each step is the whole factor.
        let mut rungs = vec![epochs];
        if self.kind != BudgetKind::Full {
            let (least, eta) = (self.min_epochs.max(1), self.eta.max(2));
            while let Some(below) = rungs.last().map(|epochs| epochs / eta).filter(|below| *below >= least) {
                rungs.push(below);
            }
        }
        rungs.reverse();
        rungs
    }

    pub(super) fn read(at: &At<'_>, epochs: usize) -> Read<Self> {
        let kinds = [
            ("full", BudgetKind::Full),
            ("successive_halving", BudgetKind::SuccessiveHalving),
            ("asha", BudgetKind::Asha),
        ];
        if matches!(at.node, Node::Text(_)) {
            return Ok(match at.one_of("a budget", &kinds)? {
                BudgetKind::Full => Self::default(),
                kind => Self::halving(kind, epochs),
            });
        }
        let keys = at.keys("a budget", &["kind", "min_epochs", "eta", "schedule"])?;
        let kind = keys.required("kind", "kind: asha")?.one_of("a budget", &kinds)?;
        if kind == BudgetKind::Full {
            let mut others = keys.iter().filter(|(key, _)| *key != "kind");
            return match others.next() {
                Some((key, at)) => Err(at.problem(format!(
                    "the budget full has no rungs, so `{key}` has no effect: take it away, or take `kind: asha`"
                ))),
                None => Ok(Self::default()),
            };
        }
        let whole = Self::halving(kind, epochs);
        let schedules = [("continue", RungSchedule::Continue), ("fit", RungSchedule::Fit)];
        let budget = Self {
            kind,
            min_epochs: keys.or("min_epochs", whole.min_epochs, |at| {
                at.count(1..=100_000, "epochs of the lowest rung (a whole number from 1)")
            })?,
            eta: keys.or("eta", whole.eta, |at| {
                at.count(2..=100, "what rungs grow and shrink by (a whole number from 2)")
            })?,
            schedule: keys
                .or("schedule", whole.schedule, |at| at.one_of("a schedule of rungs", &schedules))?,
        };
        if budget.epochs(epochs).len() < 2 {
            return Err(at.problem(format!(
                "{epochs} epochs are too few for two rungs: with eta {} and min_epochs {} it takes train.epochs of {} at least",
                budget.eta,
                budget.min_epochs,
                budget.eta * budget.min_epochs
            )));
        }
        Ok(budget)
    }
}
