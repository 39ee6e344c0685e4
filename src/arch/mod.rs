//! Networks as data: layers with every shape known, and the builders that make them.

pub mod blocks;
pub mod build;
pub mod canonical;
pub mod identity;
pub mod network;
pub mod zoo;

pub use network::{Elementwise, Layer, LayerId, Network, Norm, Op, Shape, Window};
