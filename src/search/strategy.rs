//! What a strategy is: who proposes candidates and learns from what became of them.

use super::breeder::Breeder;
use super::dominance::Point;
use super::made::Made;
use crate::error::Result;

/// What a strategy wants.
#[derive(Debug)]
pub enum Ask {
    Train(Box<Made>),
    /// Nothing before it is told more.
    Wait,
    /// Nothing more at all.
    End,
}

impl Ask {
    /// A candidate, or the end where the space has no new one.
    pub fn or_end(made: Option<Made>) -> Self {
        made.map_or(Self::End, |made| Self::Train(Box::new(made)))
    }
}

/// A candidate with what is known of it.
#[derive(Debug, Clone)]
pub struct Told<'a> {
    pub made: &'a Made,
    /// Epochs after which this is.
    pub epochs: usize,
    pub point: &'a Point,
}

/// Proposes candidates, one at a time, and is told what became of them.
///
/// What it is told comes in the order of its proposals, whichever trial ended first, so that its proposals depend on the
/// seed and this history alone. With several rungs it is told of a candidate at each, with more epochs each time.
pub trait Strategy: Send {
    /// The next proposal, made by `breeder`: candidates are new, and keep to the constraints.
    ///
    /// # Errors
    /// A sentence where nothing keeps to the constraints.
    fn ask(&mut self, breeder: &mut Breeder) -> Result<Ask>;

    /// Whether a proposal that is known from an earlier run need not be asked for again: where all that it learns it is told.
    fn skips(&self) -> bool {
        false
    }

    /// Takes note of a proposal that was not asked for.
    fn skip(&mut self) {}

    /// Hears what became of a candidate. Strategies that do not learn ignore it.
    fn tell(&mut self, _told: &Told<'_>) {}

    /// What it thinks the objectives of a candidate to be that ended with `point`; by these candidates go on to more epochs.
    fn belief(&mut self, _hash: &str, point: &Point) -> Point {
        point.clone()
    }
}
