//! Search: which candidates are trained, and for how many epochs.
//!
//! A [`Strategy`] proposes candidates and is told what became of them; a [`Breeder`] sees to it that each is new and keeps to
//! the constraints, [`Rungs`] decide who is trained on, and [`Search`] puts them together. Seeds are no matter of theirs: the
//! study trains every candidate with each.

mod breeder;
pub mod dominance;
mod driver;
mod evolution;
mod grid;
mod local;
mod mnas;
pub mod netadapt;
mod nsga2;
mod objectives;
mod population;
mod random;
mod rungs;
mod sh_emoa;
mod shuffle;
mod strategy;
mod surrogate;
mod tpe;

pub use breeder::{Breeder, Costs, Judge, Judged, Made};
pub use driver::{Merging, Order, Search, Settings};
pub use mnas::Reward;
pub use netadapt::Adapted;
pub use objectives::{Figures, Timed};
pub use rungs::{Ladder, Rungs};
pub use strategy::{Ask, Strategy, Told};

#[cfg(test)]
mod tests;
