//! The journal of a study, and the runner that writes it.
//!
//! [`Study::open`] claims a folder and replays its journal, [`Study::run`] trains what is left,
//! and [`state::read`] gives what the journal says to whoever only looks.

mod chain;
mod checkpoint;
pub mod difference;
mod disk;
pub mod display;
pub mod environment;
pub mod event;
mod figures;
pub mod folder;
pub mod journal;
mod line;
pub mod lock;
mod matching;
mod measuring;
mod number;
mod observer;
mod panics;
pub mod plan;
mod queue;
mod quiet;
mod rescue;
mod retention;
mod retold;
pub mod runner;
#[cfg(test)]
pub(crate) mod simulated;
pub mod state;
#[cfg(test)]
mod tests;
mod trial;
mod worker;

pub use chain::Link;
pub use display::Display;
#[cfg(test)]
pub use display::Silent;
pub use panics::caught;
pub use plan::{Ended, Next, Plan, PlannedTrial};
pub use retention::{keeps_checkpoints, on_front};
pub use runner::{RunSettings, Study};
pub use state::{Rung, RungEnd, StudyState, Trial, TrialStatus};
