//! What a network costs, exactly, from its layers alone.
//!
//! Params count weights, biases, batch norm's gamma and beta, and PReLU slopes; running statistics are not counted.
//! Multiply-adds count convolutions and fully connected layers, one per multiply-accumulate, and nothing else.

pub mod feasible;
mod layer;
mod memory;
mod profile;
pub mod spellings;
mod unbuildable;

pub use feasible::{Feasible, Rejection};
pub use layer::{madds, params};
pub use memory::activation_memory;
pub use profile::{LayerCost, Profile, op_text};

use crate::arch::{Network, Op};

/// Totals of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Cost {
    pub params: u64,
    /// Multiply-adds of one image.
    pub madds: u64,
    /// Peak bytes of live f32 activations for one image in inference.
    pub activation_memory: u64,
    /// Bytes of its weights in a file, f32: params and batch norm's running statistics, without a header.
    pub size: u64,
}

/// The totals of `network`.
pub fn of(network: &Network) -> Cost {
    let ids = 0..network.layers.len();
    let params = layer::total(ids.clone().map(|id| layer::params(network, id)));
    // As many running means and variances as gammas and betas.
    let norms = ids.clone().filter(|id| matches!(network.layers[*id].op, Op::BatchNorm(_)));
    let running = layer::total(norms.map(|id| layer::params(network, id)));
    Cost {
        params,
        size: 4_u64.saturating_mul(params.saturating_add(running)),
        madds: layer::total(ids.map(|id| madds(network, id))),
        activation_memory: activation_memory(network),
    }
}
