//! Training one trial.

mod checkpoint;
pub mod contract;
pub mod memory;
mod schedule;
pub mod simulated;
mod streams;
mod trainer;

pub use contract::{Trainer, TrialEnd, TrialObserver, TrialTask};
pub use memory::Memory;
pub use schedule::{goes_on, learning_rate};
pub use simulated::SimulatedTrainer;
pub use trainer::NetworkTrainer;

#[cfg(test)]
mod tests;
