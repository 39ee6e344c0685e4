//! What may vary: search spaces, candidates and the block notation.

pub mod candidate;
mod constraints;
mod count;
mod file;
mod level;
mod merged;
pub mod notation;
mod search_space;
mod shared;
mod unit;

pub use candidate::{
    Activation, Block, Candidate, CapMode, CseForm, Expand, Head, HeadConv, Projection, Shortcut, Stage,
    Stem, text_hash,
};
pub use constraints::{Constraints, Range};
pub use merged::Merged;
pub use search_space::{Choices, Drawn, Factor, Genome, SearchSpace};

#[cfg(test)]
mod brute_force;
#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod tests;
