//! Search: which candidates are trained, and for how many epochs.
//!
//! A [`Strategy`] proposes candidates and is told what became of them; a [`Breeder`] sees to it that each is new and keeps to
//! the constraints, [`Rungs`] decide who is trained on, and [`Search`] puts them together. Seeds are no matter of theirs: the
//! study trains every candidate with each.

mod breeder;
mod children;
pub mod dominance;
mod driver;
mod evolution;
mod fronts;
mod grid;
mod local;
mod made;
mod members;
mod mnas;
pub mod netadapt;
mod nsga2;
mod objectives;
mod outlook;
pub mod pareto;
mod population;
mod random;
mod rungs;
mod sh_emoa;
mod shuffle;
mod standing;
mod strategy;
mod surrogate;
mod tpe;
pub mod volume;

pub use breeder::Breeder;
pub use driver::{Merging, Order, Search, Settings};
pub use made::{Costs, Judge, Judged, Made, Proposal};
pub use mnas::Reward;
pub use netadapt::Adapted;
pub use objectives::{Figures, Timed};
pub use rungs::{Ladder, Rungs};
pub use strategy::{Ask, Strategy, Told};

#[cfg(test)]
mod tests;
