//! The small graph of a block: its layers, with each norm and activation fused into the layer that it follows.

use std::collections::HashMap;

use crate::arch::{LayerId, Network, Op};

/// A block's layers as nodes and edges.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// Layers outside the block that it reads, in the order it reads them.
    pub sources: Vec<LayerId>,
    /// In evaluation order.
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
}

/// A layer with the norms and activations after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The first does the work, the others only touch its values one by one.
    pub layers: Vec<LayerId>,
    /// Whether anything outside the block reads it.
    pub is_output: bool,
}

impl Node {
    /// The layer that the node is named after.
    pub fn base(&self) -> LayerId {
        self.layers[0]
    }
}

/// Where an edge begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum From {
    Source(usize),
    Node(usize),
}

/// A node reads a source or another node, as its `slot`-th input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    pub from: From,
    pub to: usize,
    pub slot: usize,
}

impl Graph {
    /// The graph of `layers` (in evaluation order); `readers` are each layer's readers in the whole network.
    pub fn of(network: &Network, readers: &[Vec<LayerId>], layers: &[LayerId]) -> Self {
        let mut graph = Self { sources: Vec::new(), nodes: Vec::new(), edges: Vec::new() };
        let mut node_of: HashMap<LayerId, usize> = HashMap::new();
        for &id in layers {
            let layer = &network.layers[id];
            let before = layer.inputs.first().and_then(|from| node_of.get(from).map(|&node| (node, *from)));
            if let (true, [_], Some((node, from))) = (is_touch(&layer.op), layer.inputs.as_slice(), before)
                && graph.nodes[node].layers.last() == Some(&from)
                && readers[from].len() == 1
            {
                graph.nodes[node].layers.push(id);
                node_of.insert(id, node);
                continue;
            }
            let to = graph.nodes.len();
            for (slot, from) in layer.inputs.iter().enumerate() {
                let from = match node_of.get(from) {
                    Some(&node) => From::Node(node),
                    None => From::Source(graph.source(*from)),
                };
                graph.edges.push(Edge { from, to, slot });
            }
            graph.nodes.push(Node { layers: vec![id], is_output: false });
            node_of.insert(id, to);
        }
        for &id in layers {
            let outside = readers[id].is_empty() || readers[id].iter().any(|r| !node_of.contains_key(r));
            if let (true, Some(&node)) = (outside, node_of.get(&id)) {
                graph.nodes[node].is_output = true;
            }
        }
        graph
    }

    fn source(&mut self, id: LayerId) -> usize {
        self.sources.iter().position(|&known| known == id).unwrap_or_else(|| {
            self.sources.push(id);
            self.sources.len() - 1
        })
    }

    /// Whether every node reads the one before it and nothing else.
    pub fn is_chain(&self) -> bool {
        self.sources.len() <= 1
            && self.edges.iter().enumerate().all(|(i, edge)| {
                edge.to == i && edge.from == i.checked_sub(1).map_or(From::Source(0), From::Node)
            })
    }

    /// Whether `from` reaches `to` through nodes for which `through` holds.
    pub fn reaches(&self, from: From, to: usize, through: &dyn Fn(usize) -> bool) -> bool {
        let mut seen = vec![false; self.nodes.len()];
        // Edges stand in the order of their ends, so one pass sees every path.
        for edge in &self.edges {
            let starts = edge.from == from || matches!(edge.from, From::Node(n) if seen[n] && through(n));
            seen[edge.to] |= starts;
        }
        seen.get(to).copied().unwrap_or(false)
    }
}

/// Whether an op only touches the values of one layer, one by one or channel by channel.
fn is_touch(op: &Op) -> bool {
    matches!(
        op,
        Op::BatchNorm(_)
            | Op::Elementwise(_)
            | Op::Prelu
            | Op::Dropout { .. }
            | Op::Flatten
            | Op::LocalResponseNorm { .. }
    )
}
