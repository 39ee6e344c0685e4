//! What a training step keeps of each layer until its backward pass.

use super::ops::depthwise;
use crate::arch::{LayerId, Network, Op};

/// What becomes of a layer's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It is in memory.
    Kept,
    /// A product that readers compute anew.
    Recomputed,
    /// A sum of two kept activations that readers add anew.
    Sum,
    /// Nothing: a norm, an activation or a gate is applied by whoever reads it.
    Pending,
    /// The same, but of what is itself pending: that is written out first, for the norm or the activation to read.
    Written,
}

/// The most input channels from which a product is computed anew rather than kept, where that is possible: beyond it the
/// arithmetic costs more than the memory traffic (with 64, MobileNetV2 trained 4 % and the Mix model 2 % slower).
const RECOMPUTED_FROM: usize = 32;

/// What a training step does with every layer's output.
pub fn plan(network: &Network) -> Vec<Keep> {
    let readers = readers(network);
    let mut plan: Vec<Keep> = Vec::with_capacity(network.layers.len());
    for (id, layer) in network.layers.iter().enumerate() {
        let from = layer.inputs.first().copied().unwrap_or(0);
        let keep = match layer.op {
            Op::Conv { .. } if is_product(&layer.op) => {
                let narrow = network.layers[from].output.c <= RECOMPUTED_FROM;
                let normed =
                    readers[id].iter().any(|&reader| matches!(network.layers[reader].op, Op::BatchNorm(_)));
                if narrow && normed && feeds_depthwise(network, &readers, id) {
                    Keep::Recomputed
                } else {
                    Keep::Kept
                }
            }
            Op::Input
            | Op::Conv { .. }
            | Op::Linear { .. }
            | Op::ChannelMean
            | Op::GlobalAvgPool
            | Op::Concat
            | Op::Slice { .. }
            | Op::Shuffle { .. }
            | Op::MaxPool(_)
            | Op::AvgPool(_)
            | Op::LocalResponseNorm { .. }
            | Op::Dropout { .. }
            | Op::Flatten => Keep::Kept,
            Op::Add => {
                let kept = layer
                    .inputs
                    .iter()
                    .all(|&input| matches!(plan[base(network, &plan, input)], Keep::Kept | Keep::Written));
                let normed =
                    readers[id].iter().any(|&reader| matches!(network.layers[reader].op, Op::BatchNorm(_)));
                if kept && !normed && feeds_products(network, &readers, id) { Keep::Sum } else { Keep::Kept }
            }
            Op::BatchNorm(_) | Op::Elementwise(_) | Op::Prelu => {
                let merged = !matches!(layer.op, Op::BatchNorm(_))
                    && matches!(network.layers[from].op, Op::BatchNorm(_))
                    && readers[from].len() == 1;
                let plain = !matches!(plan[from], Keep::Pending | Keep::Written);
                if merged || plain { Keep::Pending } else { Keep::Written }
            }
            Op::ScaleMap | Op::ScaleChannels => {
                let gated = matches!(network.layers[from].op, Op::ScaleMap | Op::ScaleChannels);
                if gated { Keep::Written } else { Keep::Pending }
            }
        };
        plan.push(keep);
    }
    plan
}

/// The layers that read each layer.
pub fn readers(network: &Network) -> Vec<Vec<LayerId>> {
    let mut readers = vec![Vec::new(); network.layers.len()];
    for (id, layer) in network.layers.iter().enumerate() {
        layer.inputs.iter().for_each(|&from| readers[from].push(id));
    }
    readers
}

/// The layer whose stored values a layer's readers read.
pub fn base(network: &Network, plan: &[Keep], mut id: LayerId) -> LayerId {
    while plan[id] == Keep::Pending {
        id = network.layers[id].inputs[0];
    }
    id
}

/// Whether a layer is a matrix product over the pixels.
pub fn is_product(op: &Op) -> bool {
    match *op {
        Op::Conv { kernel, stride, pad, groups, .. } => kernel == 1 && stride == 1 && pad == 0 && groups == 1,
        Op::Linear { .. } => true,
        _ => false,
    }
}

/// Whether a convolution of `channels` channels is depthwise, with a kernel of its own.
pub fn is_depthwise(op: &Op, channels: usize) -> bool {
    match *op {
        Op::Conv { groups, kernel, out_channels, .. } => {
            groups == channels && out_channels == channels && depthwise::has_kernel(kernel)
        }
        _ => false,
    }
}

/// Whether all readers of a layer are products or sums, which read rows in order.
fn feeds_products(network: &Network, readers: &[Vec<LayerId>], id: LayerId) -> bool {
    readers[id].iter().map(|&reader| &network.layers[reader].op).all(|op| is_product(op) || *op == Op::Add)
}

/// Whether a layer's output goes through a norm, and perhaps an activation, to a depthwise convolution alone.
fn feeds_depthwise(network: &Network, readers: &[Vec<LayerId>], id: LayerId) -> bool {
    let mut at = id;
    while let [next] = readers[at][..] {
        match network.layers[next].op {
            Op::BatchNorm(_) | Op::Elementwise(_) | Op::Prelu => at = next,
            ref op => return is_depthwise(op, network.layers[at].output.c),
        }
    }
    false
}
