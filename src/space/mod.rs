//! What may vary: search spaces, candidates and the block notation.

pub mod candidate;
pub mod notation;

pub use candidate::{
    Activation, Block, Candidate, CapMode, CseForm, Expand, Head, HeadConv, Shortcut, Stage, Stem,
};
