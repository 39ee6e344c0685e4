//! What a network costs, exactly, from its layers alone.
//!
//! Params count weights, biases, batch norm's gamma and beta, and PReLU slopes; running statistics are not counted.
//! Multiply-adds count convolutions and fully connected layers, one per multiply-accumulate, and nothing else.

pub mod feasible;
mod layer;
mod memory;
mod profile;

pub use feasible::{Feasible, Rejection};
pub use layer::{madds, params};
pub use memory::activation_memory;
pub use profile::{LayerCost, Profile, op_text};

use crate::arch::Network;

/// Totals of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Cost {
    pub params: u64,
    /// Multiply-adds of one image.
    pub madds: u64,
    /// Peak bytes of live f32 activations for one image in inference.
    pub activation_memory: u64,
}

/// The totals of `network`.
pub fn of(network: &Network) -> Cost {
    let ids = 0..network.layers.len();
    Cost {
        params: layer::total(ids.clone().map(|id| params(network, id))),
        madds: layer::total(ids.map(|id| madds(network, id))),
        activation_memory: activation_memory(network),
    }
}
