//! The blocks of a network, from the names of its layers.
//!
//! `stages.2.0.expand` belongs to block `stages.2.0` of stage `stages.2`, `inception3a.branch1` to block `inception3a`,
//! and `stem_norm` to the layer `stem`, which is a block by itself.

use std::collections::HashSet;

use super::graph::Graph;
use crate::arch::{Layer, LayerId, Network, Op, Shape};
use crate::cost;

/// Layers that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// As `profile` calls it, such as `stages.2.0`.
    pub name: String,
    /// The stage that its name says: `stages.2`.
    pub stage: Option<String>,
    pub layers: Vec<LayerId>,
    pub graph: Graph,
    pub input: Shape,
    pub output: Shape,
    pub params: u64,
    pub madds: u64,
}

impl Block {
    fn new(
        network: &Network,
        readers: &[Vec<LayerId>],
        name: &str,
        stage: Option<&str>,
        layers: Vec<LayerId>,
    ) -> Self {
        let graph = Graph::of(network, readers, &layers);
        let shape = |id: Option<&LayerId>| id.map_or(network.input(), |&id| network.layers[id].output);
        let sum = |cost: fn(&Network, LayerId) -> u64| {
            layers.iter().fold(0, |sum: u64, &id| sum.saturating_add(cost(network, id)))
        };
        Self {
            name: name.to_owned(),
            stage: stage.map(str::to_owned),
            input: shape(graph.sources.first()),
            output: shape(layers.last()),
            params: sum(cost::params),
            madds: sum(cost::madds),
            graph,
            layers,
        }
    }

    /// Whether it is one layer, with its norm and activation.
    pub fn is_single(&self) -> bool {
        self.graph.nodes.len() == 1
    }

    /// How many times smaller the map becomes.
    pub fn stride(&self) -> usize {
        (self.input.h as f64 / self.output.h.max(1) as f64).round() as usize
    }
}

/// Who reads each layer.
pub fn readers(network: &Network) -> Vec<Vec<LayerId>> {
    let mut readers = vec![Vec::new(); network.layers.len()];
    for (id, layer) in network.layers.iter().enumerate() {
        for &from in &layer.inputs {
            readers[from].push(id);
        }
    }
    readers
}

/// The blocks of a network in evaluation order; each layer but the input is in one of them.
pub fn blocks(network: &Network, readers: &[Vec<LayerId>]) -> Vec<Block> {
    let names: HashSet<&str> = network.layers.iter().map(|layer| layer.name.as_str()).collect();
    let mut runs: Vec<(&str, &str, Vec<LayerId>)> = Vec::new();
    for (id, layer) in network.layers.iter().enumerate().filter(|(_, layer)| layer.op != Op::Input) {
        let base = base(layer, &names);
        let key = &base[..key_length(base)];
        match runs.last_mut() {
            Some((known, _, layers)) if *known == key => layers.push(id),
            _ => runs.push((key, base, vec![id])),
        }
    }
    let mut blocks = Vec::new();
    for (key, base, layers) in runs {
        let block = Block::new(network, readers, key, parent(key), layers);
        if block.graph.nodes.len() > 1 && block.graph.is_chain() && is_plain(network, key, &block) {
            for node in &block.graph.nodes {
                let name = &network.layers[node.base()].name;
                let stage = if name == key { parent(key) } else { Some(key) };
                blocks.push(Block::new(network, readers, name, stage, node.layers.clone()));
            }
        } else if block.is_single() && base != key {
            blocks.push(Block { name: base.to_owned(), stage: Some(key.to_owned()), ..block });
        } else {
            blocks.push(block);
        }
    }
    together(network, readers, blocks)
}

/// `stem` of `stem_norm`, where there is a layer `stem` and this one only follows it.
fn base<'a>(layer: &'a Layer, names: &HashSet<&str>) -> &'a str {
    let name = layer.name.as_str();
    let last = name.rfind('.').map_or(0, |dot| dot + 1);
    let follows = matches!(
        layer.op,
        Op::BatchNorm(_)
            | Op::Elementwise(_)
            | Op::Prelu
            | Op::Dropout { .. }
            | Op::Flatten
            | Op::LocalResponseNorm { .. }
    );
    let ends = name[last..].match_indices('_').map(|(at, _)| &name[..last + at]);
    ends.take_while(|_| follows).find(|start| names.contains(start)).unwrap_or(name)
}

/// Bytes of the block's name in a layer's: the first component and up to two after it that are numbers (`3`, `4a`).
fn key_length(base: &str) -> usize {
    let mut parts = base.split('.');
    let mut length = parts.next().map_or(0, str::len);
    for part in parts.take(2) {
        if !part.starts_with(|c: char| c.is_ascii_digit()) {
            break;
        }
        length += 1 + part.len();
    }
    length
}

fn parent(key: &str) -> Option<&str> {
    key.rsplit_once('.').map(|(parent, _)| parent)
}

/// Whether a chain says more as a list of its layers than as a block of its own: a stem, a head, a stage of VGG.
fn is_plain(network: &Network, key: &str, block: &Block) -> bool {
    let grouped = |id: &LayerId| matches!(network.layers[*id].op, Op::Conv { groups, .. } if groups > 1);
    !key.contains('.') || !block.layers.iter().any(grouped)
}

/// Puts single layers together that are branches of one graph: between them more than one value is alive.
fn together(network: &Network, readers: &[Vec<LayerId>], blocks: Vec<Block>) -> Vec<Block> {
    // Values alive after each layer, by their first and last reader.
    let mut alive = vec![0_i64; network.layers.len() + 1];
    for (id, readers) in readers.iter().enumerate() {
        if let Some(&last) = readers.iter().max() {
            alive[id] += 1;
            alive[last] -= 1;
        }
    }
    let mut sum = 0;
    for value in &mut alive {
        sum += *value;
        *value = sum;
    }
    let mut out: Vec<Block> = Vec::new();
    // Whether the last of `out` may take more.
    let mut open = false;
    for block in blocks {
        let single = block.is_single();
        let ends = block.layers.last().copied().unwrap_or(0);
        match out.last_mut() {
            Some(last) if open && single => {
                let start = last.name.split(" to ").next().unwrap_or_default();
                let name = format!("{start} to {}", block.name);
                let stage = last.stage.clone().filter(|_| last.stage == block.stage);
                let layers = [last.layers.as_slice(), &block.layers].concat();
                *last = Block::new(network, readers, &name, stage.as_deref(), layers);
            }
            _ => out.push(block),
        }
        open = single && alive[ends] > 1;
    }
    out
}
