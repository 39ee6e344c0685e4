//! The words on a block's drawing: each layer's op, and its channels in terms of the block's.

use std::collections::HashMap;

use super::blocks::Block;
use super::family;
use super::kinds::{self, Kind};
use crate::arch::{Network, Op, Shape};
use crate::cost;
use crate::text::thousands;

/// The texts of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Words {
    /// A sign in a circle.
    Sign(&'static str),
    /// What it computes, and under it what follows.
    Lines(Vec<String>),
}

/// A shape as papers write it.
pub fn shape(shape: Shape) -> String {
    format!("{}×{}×{}", shape.c, shape.h, shape.w)
}

/// An op without its numbers.
pub fn op(op: &Op) -> String {
    if let Some(activation) = family::activation_name(op) {
        return activation.to_owned();
    }
    match op {
        Op::Input => "input",
        Op::Conv { .. } => "conv",
        Op::BatchNorm(_) => "BN",
        Op::Linear { .. } => "FC",
        Op::Add => "add",
        Op::Concat => "concat",
        Op::Slice { .. } => "split",
        Op::Shuffle { .. } => "channel shuffle",
        Op::MaxPool(_) => "max pool",
        Op::AvgPool(_) => "average pool",
        Op::LocalResponseNorm { .. } => "LRN",
        Op::Dropout { .. } => "dropout",
        Op::Flatten => "flatten",
        Op::ChannelMean => "channel mean",
        Op::GlobalAvgPool => "global pool",
        Op::ScaleMap | Op::ScaleChannels => "scale",
        Op::Elementwise(_) | Op::Prelu => "activation",
    }
    .to_owned()
}

/// The words of each node of a kind, and of its input and output.
pub struct KindWords<'a> {
    network: &'a Network,
    blocks: &'a [Block],
    kind: &'a Kind,
    /// The nodes of each block by their names.
    nodes: Vec<HashMap<String, usize>>,
    /// Every block has the same numbers.
    numbers: bool,
    /// Whether shapes and params are written too.
    full: bool,
}

impl<'a> KindWords<'a> {
    /// Words for `kind`; `full` writes each layer's shape and params too.
    pub fn new(network: &'a Network, blocks: &'a [Block], kind: &'a Kind, full: bool) -> Self {
        let named = |&b: &usize| -> HashMap<String, usize> {
            kinds::local_names(network, &blocks[b]).into_iter().enumerate().map(|(i, n)| (n, i)).collect()
        };
        let shapes = |&b: &usize| (blocks[b].input, blocks[b].output);
        let numbers = full || kind.blocks.iter().all(|b| shapes(b) == shapes(&kind.drawn));
        Self { network, blocks, kind, nodes: kind.blocks.iter().map(named).collect(), numbers, full }
    }

    /// What goes in.
    pub fn input(&self) -> String {
        if self.numbers { shape(self.blocks[self.kind.drawn].input) } else { "C×H×W".to_owned() }
    }

    /// What comes out.
    pub fn output(&self) -> String {
        let blocks = || self.kind.blocks.iter().map(|&b| &self.blocks[b]);
        if self.numbers {
            return shape(self.blocks[self.kind.drawn].output);
        }
        let channels = if blocks().all(|b| b.input.c == b.output.c) { "C" } else { "C′" };
        if blocks().all(|b| b.stride() <= 1) {
            format!("{channels}×H×W")
        } else if blocks().all(|b| b.stride() == 2) {
            format!("{channels}×H/2×W/2")
        } else {
            format!("{channels}×H/s×W/s")
        }
    }

    /// A further source: the layer that the block reads beside its input.
    pub fn source(&self, number: usize) -> String {
        let source = self.blocks[self.kind.drawn].graph.sources.get(number);
        let name = source.map_or("", |&id| self.network.layers[id].name.as_str());
        if self.kind.blocks.len() > 1 { name.rsplit('.').next().unwrap_or(name) } else { name }.to_owned()
    }

    /// The words of a node of the drawn block.
    pub fn node(&self, node: usize) -> Words {
        let drawn = &self.blocks[self.kind.drawn];
        let layers = &drawn.graph.nodes[node].layers;
        let layer = &self.network.layers[layers[0]];
        if let (false, [_], Op::Add | Op::ScaleMap | Op::ScaleChannels) =
            (self.full, layers.as_slice(), &layer.op)
        {
            return Words::Sign(if layer.op == Op::Add { "+" } else { "×" });
        }
        let mut lines = vec![self.head(node)];
        let channels = match layer.op {
            _ if self.full => None,
            Op::Conv { .. } if family::is_depthwise(self.network, drawn, node) => None,
            Op::Conv { .. } | Op::Linear { .. } | Op::Slice { .. } | Op::Concat => Some(self.channels(node)),
            _ => None,
        };
        let touches = layers[1..].iter().map(|&id| op(&self.network.layers[id].op));
        let below: Vec<String> = channels.into_iter().chain(touches).collect();
        if !below.is_empty() {
            lines.push(below.join(", "));
        }
        if self.full {
            let params =
                layers.iter().fold(0, |sum: u64, &id| sum.saturating_add(cost::params(self.network, id)));
            let out = shape(layer.output);
            lines.push(if params > 0 { format!("{out}, {} params", thousands(params)) } else { out });
        }
        Words::Lines(lines)
    }

    fn head(&self, node: usize) -> String {
        let drawn = &self.blocks[self.kind.drawn];
        let same = self.same(node);
        let ops = || same.iter().map(|&(block, node)| self.op_of(block, node));
        let squares = |side: fn(&Op) -> usize| {
            let sides = distinct(ops().map(side));
            sides.iter().map(|side| format!("{side}×{side}")).collect::<Vec<_>>().join("/")
        };
        let strides = distinct(ops().map(stride));
        let step = match strides.as_slice() {
            [1] | [] => String::new(),
            all => format!(" s{}", all.iter().map(usize::to_string).collect::<Vec<_>>().join("/")),
        };
        match self.op_of(drawn, node) {
            Op::Conv { .. } if family::is_depthwise(self.network, drawn, node) => {
                format!("{} depthwise{step}", squares(side))
            }
            Op::Conv { groups, .. } if *groups > 1 => {
                format!("{} conv{step} g{groups}", squares(side))
            }
            Op::Conv { .. } => format!("{} conv{step}", squares(side)),
            Op::Shuffle { groups } => format!("channel shuffle g{groups}"),
            Op::MaxPool(_) => format!("{} max pool{step}", squares(side)),
            Op::AvgPool(_) => format!("{} avg pool{step}", squares(side)),
            other => op(other),
        }
    }

    /// The same node in every block that has it.
    fn same(&self, node: usize) -> Vec<(&'a Block, usize)> {
        let name = &kinds::local_names(self.network, &self.blocks[self.kind.drawn])[node];
        let found = self.kind.blocks.iter().zip(&self.nodes);
        found.filter_map(|(&b, nodes)| nodes.get(name).map(|&node| (&self.blocks[b], node))).collect()
    }

    fn op_of(&self, block: &Block, node: usize) -> &'a Op {
        &self.network.layers[block.graph.nodes[node].base()].op
    }

    /// A node's channels: a number where all blocks agree, else in terms of the block's channels and map.
    fn channels(&self, node: usize) -> String {
        let of = |block: &Block, node: usize| self.network.layers[block.graph.nodes[node].base()].output.c;
        let values: Vec<(&Block, usize)> =
            self.same(node).into_iter().map(|(block, node)| (block, of(block, node))).collect();
        let (least, most) = values.iter().fold((usize::MAX, 0), |(l, m), (_, v)| (l.min(*v), m.max(*v)));
        if self.numbers || least == most {
            return if least == most { least.to_string() } else { format!("{least}…{most}") };
        }
        let all = |wanted: &dyn Fn(&Block) -> usize| values.iter().all(|(block, v)| wanted(block) == *v);
        if all(&|b| b.input.c) {
            return "C".to_owned();
        }
        if all(&|b| b.output.c) {
            return "C′".to_owned();
        }
        if all(&|b| b.input.h * b.input.w) {
            return "HW".to_owned();
        }
        if all(&|b| b.output.h * b.output.w) {
            return "H′W′".to_owned();
        }
        type Measure = (&'static str, fn(&Block) -> usize);
        let measures: [Measure; 2] = [("C", |b| b.input.c), ("C′", |b| b.output.c)];
        for (name, measure) in measures {
            for k in 2..=16 {
                if all(&|b| k * measure(b)) {
                    return format!("{k}{name}");
                }
                if values.iter().all(|(b, v)| v * k == measure(b)) {
                    return format!("{name}/{k}");
                }
            }
        }
        if all(&|b| b.output.c.saturating_sub(b.input.c)) {
            return "C′−C".to_owned();
        }
        // Whole multiples of the input's channels, from the least to the most.
        let multiples = || values.iter().map(|(b, v)| (v % b.input.c.max(1) == 0, v / b.input.c.max(1)));
        if multiples().all(|(whole, _)| whole) {
            let (least, most) = multiples().fold((usize::MAX, 0), |(l, m), (_, k)| (l.min(k), m.max(k)));
            let times = |k: usize| if k == 1 { "C".to_owned() } else { format!("{k}C") };
            return format!("{}…{}", times(least), times(most));
        }
        format!("{least}…{most}")
    }
}

fn distinct(values: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut all: Vec<usize> = values.collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn side(op: &Op) -> usize {
    match op {
        Op::Conv { kernel, .. } => *kernel,
        Op::MaxPool(window) | Op::AvgPool(window) => window.kernel,
        _ => 1,
    }
}

fn stride(op: &Op) -> usize {
    match op {
        Op::Conv { stride, .. } => *stride,
        Op::MaxPool(window) | Op::AvgPool(window) => window.stride,
        _ => 1,
    }
}
