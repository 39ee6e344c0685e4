//! Statistics of a study: Pareto front, hypervolume, intervals, ablation, effects, learning curves.
//!
//! Everything here is computed from the journal's records through [`StudySummary`], and printed elsewhere.

pub mod ablation;
pub mod coincide;
pub mod course;
pub mod curves;
pub mod effects;
pub mod front;
pub mod hypervolume;
pub mod netadapt;
pub mod stats;
pub mod summary;

pub use ablation::{Ablation, AblationRow, Difference};
pub use course::{Against, Course, Spent, Standing};
pub use curves::{CurvePoint, LearningCurve};
pub use effects::{Effect, LevelEffect};
pub use front::{CandidateFront, CandidatePoint, Cost};
pub use netadapt::{Adaptation, AdaptedStep, Waypoint};
pub use stats::{Comparison, Interval, Spread};
pub use summary::{CandidateSummary, Progress, Split, StudySummary};
