//! Training one trial.

pub mod contract;
