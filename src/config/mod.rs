//! The experiment file: its types, one file per section.

pub mod budget;
pub mod checkpoints;
pub mod data;
pub mod experiment;
pub mod failures;
pub mod formula;
pub mod latency;
pub mod netadapt;
pub mod objective;
pub mod phases;
pub mod reward;
pub mod search;
mod timeout;
pub mod train;
pub mod trainer;
pub mod warnings;
pub mod yaml;

pub use budget::{Budget, BudgetKind, RungSchedule};
pub use checkpoints::{Checkpoints, Keep};
pub use data::{Augment, DataConfig, DataFormat, Limit, Pad};
pub use experiment::{Experiment, Published, Variant};
pub use failures::Failures;
pub use formula::{Formula, Known};
pub use latency::LatencyConfig;
pub use netadapt::NetAdaptConfig;
pub use objective::Objective;
pub use phases::{Phase, Phases};
pub use reward::RewardConfig;
pub use search::{Baseline, SearchConfig, SpaceContent, StrategyKind, Unbuildable, UnbuildableReason};
pub use timeout::Timeout;
pub use train::{Precision, Schedule, StartClassifier, StartWeights, TrainConfig};
pub use trainer::{SimulatedConfig, TabularConfig, TrainerConfig};

#[cfg(test)]
mod tests;
