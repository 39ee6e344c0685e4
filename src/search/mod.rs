//! Strategies: who asks for candidates, and the wrappers round any of them.
//!
//! A study asks a [`Strategy`] for proposals and tells it what became of them. A strategy proposes; wrappers see to
//! the rest: [`Dedup`] drops a candidate that came before, [`Constrained`] one that costs too much, [`Limited`] ends
//! after a number of candidates. Seeds are no matter of theirs: the study trains every candidate with each.

mod constrained;
mod dedup;
mod grid;
mod limited;
mod random;

use std::sync::Arc;

pub use constrained::Constrained;
pub use dedup::Dedup;
pub use grid::Grid;
pub use limited::Limited;
pub use random::Random;

use crate::config::{SearchConfig, StrategyKind};
use crate::error::Result;
use crate::space::{Candidate, Drawn, SearchSpace};

/// A candidate to train.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    pub candidate: Candidate,
    /// The choices that made it: (`stages[3].cap`, `8`).
    pub choices: Vec<(String, String)>,
}

impl From<Drawn> for Proposal {
    fn from(drawn: Drawn) -> Self {
        Self { candidate: drawn.candidate, choices: drawn.choices }
    }
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Hash of the candidate.
    pub hash: String,
    /// Validation accuracy in percent, mean over seeds; `None` where no trial finished.
    pub accuracy: Option<f64>,
}

/// Asks for candidates, one at a time, and is told what became of them.
///
/// Proposals must not depend on when outcomes arrive, unless the strategy waits for them: the same seed gives the same
/// proposals with any number of jobs.
pub trait Strategy: Send {
    /// The next proposal; `None` at the end.
    ///
    /// # Errors
    /// A sentence where no further proposal can be found though the end is not reached.
    fn ask(&mut self) -> Result<Option<Proposal>>;

    /// Reports an outcome. Strategies that do not learn ignore it.
    fn tell(&mut self, _outcome: &Outcome) {}
}

impl<S: Strategy + ?Sized> Strategy for Box<S> {
    fn ask(&mut self) -> Result<Option<Proposal>> {
        (**self).ask()
    }

    fn tell(&mut self, outcome: &Outcome) {
        (**self).tell(outcome);
    }
}

/// Rejections in a row after which a random search gives up: were one candidate in a thousand acceptable, this would
/// happen once in 20,000 searches.
const RANDOM_PATIENCE: u64 = 10_000;
/// The same for a grid, where neighbours are alike and long runs of rejections are normal.
const GRID_PATIENCE: u64 = 200_000;

/// The strategy of an experiment: its candidates distinct, acceptable, and at most `trials`.
///
/// `accept` says why a candidate is rejected: its network and its cost are known further down.
pub fn strategy(
    config: &SearchConfig,
    space: Arc<SearchSpace>,
    seed: u64,
    accept: impl FnMut(&Candidate) -> std::result::Result<(), String> + Send + 'static,
) -> Box<dyn Strategy> {
    let (base, patience): (Box<dyn Strategy>, _) = match config.strategy {
        StrategyKind::Grid => (Box::new(Grid::new(space)), GRID_PATIENCE),
        StrategyKind::Random => (Box::new(Random::new(space, seed)), RANDOM_PATIENCE),
    };
    let acceptable = Constrained::new(Dedup::new(base), accept, patience);
    match config.trials {
        Some(trials) => Box::new(Limited::new(acceptable, trials)),
        None => Box::new(acceptable),
    }
}

#[cfg(test)]
mod tests;
