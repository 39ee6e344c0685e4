//! The engine: against PyTorch, in every repetition, at every number of threads, in bf16. One crate, since each crate that
//! makes a model compiles the engine's generic code again.

use blocksmith::{arch, space};

#[path = "../support/engine_fixtures.rs"]
mod fixtures;
#[path = "../support/engine_networks.rs"]
mod networks;

mod bf16;
mod determinism;
mod pytorch;
mod training;
mod zoo;
