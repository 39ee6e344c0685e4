//! The experiment file: its types, one file per section.

pub mod data;
pub mod experiment;
pub mod failures;
pub mod search;
pub mod train;
pub mod yaml;

pub use data::{Augment, DataConfig, DataFormat, Limit};
pub use experiment::{Experiment, Published, Variant};
pub use failures::Failures;
pub use search::{SearchConfig, SpaceContent, StrategyKind};
pub use train::{Precision, Schedule, StartWeights, TrainConfig};

#[cfg(test)]
mod tests;
