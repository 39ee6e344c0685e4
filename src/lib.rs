//! blocksmith: neural architecture search and ablation for small image networks.
//!
//! One experiment flows down this list of rooms and never back up:
//! `config` (the experiment file) -> `space` (what may vary) -> `search` (who asks for candidates) ->
//! `arch` (a candidate as layers) -> `cost` (params, multiply-adds, memory) -> `data` -> `engine` (a dfdx model) ->
//! `export` (weights and networks in the formats of others) -> `train` (the epoch loop) -> `study` (the journal) -> `analysis` (statistics) -> `report` (tables, plots).
//! `cli` stands over all and, with the progress display, is the only room that prints.
#![deny(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod analysis;
pub mod arch;
pub mod cli;
pub mod config;
pub mod cost;
pub mod data;
pub mod engine;
pub mod error;
pub mod export;
pub mod file;
pub mod report;
pub mod search;
pub mod space;
pub mod study;
pub mod text;
pub mod train;
