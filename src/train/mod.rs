//! Training one trial.

mod checkpoint;
pub mod contract;
pub mod memory;
mod replay;
mod schedule;
pub mod simulated;
mod streams;
pub mod table;
pub mod tabular;
mod trainer;

pub use contract::{Inherited, Left, Trainer, TrialEnd, TrialObserver, TrialTask};
pub use memory::Memory;
pub use schedule::{goes_on, learning_rate};
pub use simulated::SimulatedTrainer;
pub use table::{End as TableEnd, Table};
pub use tabular::TabularTrainer;
pub use trainer::NetworkTrainer;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod watch;
