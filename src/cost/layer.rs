//! Params and multiply-adds of one layer.

use crate::arch::{LayerId, Network, Op};

/// Learned values of a layer.
pub fn params(network: &Network, id: LayerId) -> u64 {
    let layer = &network.layers[id];
    let inputs = layer.inputs.first().map_or(0, |&from| network.layers[from].output.c);
    let count = match layer.op {
        Op::Conv { out_channels, kernel, groups, bias, .. } => {
            out_channels * (inputs / groups) * kernel * kernel + usize::from(bias) * out_channels
        }
        Op::Linear { out, bias } => inputs * out + usize::from(bias) * out,
        Op::BatchNorm => 2 * inputs,
        Op::Prelu => 1,
        _ => 0,
    };
    count as u64
}

/// Multiply-adds of a layer for one image.
pub fn madds(network: &Network, id: LayerId) -> u64 {
    let layer = &network.layers[id];
    let inputs = layer.inputs.first().map_or(0, |&from| network.layers[from].output.c);
    let count = match layer.op {
        Op::Conv { kernel, groups, .. } => layer.output.len() * (inputs / groups) * kernel * kernel,
        Op::Linear { out, .. } => inputs * out,
        _ => 0,
    };
    count as u64
}
