//! What people call a block, from the layers that it has, and the figures that tell one from another.

use super::blocks::Block;
use super::graph::From;
use crate::arch::{Elementwise, Network, Op};

/// The kinds of block that have a name in the literature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// MobileNetV2: 1x1, depthwise, 1x1.
    InvertedResidual,
    /// Channel-wise squeeze and excitation.
    Cse,
    /// MobileNetV1: depthwise, 1x1.
    Separable,
    /// ShuffleNet.
    Shuffle,
    /// GoogLeNet: four or more branches put together.
    Inception,
    /// SqueezeNet: two convolutions of one layer put together.
    Fire,
    /// A sum of two paths.
    Residual,
    /// Anything else.
    Block,
}

impl Family {
    /// The family of a block.
    pub fn of(network: &Network, block: &Block) -> Self {
        let op = |node: usize| &network.layers[block.graph.nodes[node].base()].op;
        let nodes = || 0..block.graph.nodes.len();
        let reads = |node: usize| block.graph.edges.iter().filter(move |e| e.to == node).map(|e| e.from);
        if nodes().any(|n| *op(n) == Op::ChannelMean) {
            return Self::Cse;
        }
        if nodes().any(|n| matches!(op(n), Op::Shuffle { .. })) {
            return Self::Shuffle;
        }
        if let Some(concat) = nodes().find(|&n| *op(n) == Op::Concat) {
            let branches: Vec<From> = reads(concat).collect();
            let one_source = || {
                let mut starts = branches.iter().map(|branch| match branch {
                    From::Node(n) if matches!(op(*n), Op::Conv { .. }) => reads(*n).next(),
                    _ => None,
                });
                let first = starts.next().flatten();
                first.is_some() && starts.all(|start| start == first)
            };
            return match branches.len() {
                4.. => Self::Inception,
                2 if one_source() => Self::Fire,
                _ => Self::Block,
            };
        }
        let depthwise = nodes().find(|&n| is_depthwise(network, block, n));
        let pointwise = |n: usize| matches!(op(n), Op::Conv { kernel: 1, .. });
        match depthwise {
            Some(at) if (0..at).any(pointwise) && nodes().skip(at).any(pointwise) => Self::InvertedResidual,
            Some(at) => match nodes().skip(at).find(|&n| pointwise(n)) {
                // The projection of a bottleneck is linear, the 1x1 of a separable convolution is not.
                Some(n) if activation(network, block, n).is_none() => Self::InvertedResidual,
                Some(_) => Self::Separable,
                None => Self::Block,
            },
            None if nodes().any(|n| *op(n) == Op::Add) => Self::Residual,
            None => Self::Block,
        }
    }

    /// On a stage.
    pub fn short(self) -> &'static str {
        match self {
            Self::InvertedResidual => "IR",
            Self::Cse => "CSE",
            Self::Separable => "DS",
            Self::Shuffle => "Shuffle",
            Self::Inception => "Inception",
            Self::Fire => "Fire",
            Self::Residual => "Residual",
            Self::Block => "Block",
        }
    }

    /// Over the drawing of the block.
    pub fn title(self) -> &'static str {
        match self {
            Self::InvertedResidual => "IR: inverted residual",
            Self::Cse => "CSE: channel-wise SE",
            Self::Separable => "DS: separable conv",
            Self::Shuffle => "Shuffle unit",
            Self::Inception => "Inception",
            Self::Fire => "Fire",
            Self::Residual => "Residual",
            Self::Block => "Block",
        }
    }
}

/// A block in the words of its stage, as numbers that a run of blocks may share.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    pub family: Family,
    /// Depthwise kernel.
    pub kernel: Option<usize>,
    /// Hidden width over input channels.
    pub expansion: Option<f64>,
    /// Width that a CSE block squeezes its map to.
    pub squeeze: Option<usize>,
    /// Groups of its grouped 1x1 convolutions.
    pub groups: Option<usize>,
    pub se: bool,
    pub hswish: bool,
}

impl Figures {
    /// The figures of a block.
    pub fn of(network: &Network, block: &Block) -> Self {
        let family = Family::of(network, block);
        let nodes = 0..block.graph.nodes.len();
        let op = |n: usize| &network.layers[block.graph.nodes[n].base()].op;
        let depthwise = nodes.clone().find(|&n| is_depthwise(network, block, n));
        let kernel = depthwise.and_then(|n| match op(n) {
            Op::Conv { kernel, .. } => Some(*kernel),
            _ => None,
        });
        let hidden = depthwise.map(|n| network.layers[block.graph.nodes[n].base()].output.c);
        let has =
            |wanted: &dyn Fn(&Op) -> bool| block.layers.iter().any(|&id| wanted(&network.layers[id].op));
        let squeeze = nodes.clone().find_map(|n| match op(n) {
            Op::Linear { out, .. } => Some(*out),
            _ => None,
        });
        let groups = nodes.clone().find_map(|n| match op(n) {
            Op::Conv { groups, .. } if *groups > 1 && !is_depthwise(network, block, n) => Some(*groups),
            _ => None,
        });
        let is = |wanted: Family| family == wanted;
        Self {
            family,
            kernel,
            expansion: hidden
                .filter(|_| is(Family::InvertedResidual))
                .map(|hidden| hidden as f64 / block.input.c.max(1) as f64),
            squeeze: squeeze.filter(|_| is(Family::Cse)),
            groups,
            se: !is(Family::Cse) && has(&|op| *op == Op::ScaleChannels),
            hswish: has(&|op| *op == Op::Elementwise(Elementwise::Hswish)),
        }
    }
}

/// Whether a node is a convolution with a filter for each channel.
pub fn is_depthwise(network: &Network, block: &Block, node: usize) -> bool {
    let layer = &network.layers[block.graph.nodes[node].base()];
    let channels = layer.inputs.first().map_or(0, |&from| network.layers[from].output.c);
    matches!(layer.op, Op::Conv { groups, .. } if groups > 1 && groups == channels && layer.output.c == channels)
}

/// The activation fused into a node.
pub fn activation(network: &Network, block: &Block, node: usize) -> Option<&'static str> {
    block.graph.nodes[node].layers[1..].iter().find_map(|&id| activation_name(&network.layers[id].op))
}

/// How papers write an activation.
pub fn activation_name(op: &Op) -> Option<&'static str> {
    match op {
        Op::Elementwise(Elementwise::Relu) => Some("ReLU"),
        Op::Elementwise(Elementwise::Relu6) => Some("ReLU6"),
        Op::Elementwise(Elementwise::Hswish) => Some("h-swish"),
        Op::Elementwise(Elementwise::Hsigmoid) => Some("h-sigmoid"),
        Op::Elementwise(Elementwise::Sigmoid) => Some("sigmoid"),
        Op::Prelu => Some("PReLU"),
        _ => None,
    }
}
