//! The distinct kinds of block, each with the blocks that are of it.
//!
//! Blocks that differ only by layers that one has and the other has not (an expansion, a shortcut's convolution) are one
//! kind: it is drawn by the block with the most layers, and what not all have is marked.

use std::collections::HashMap;

use super::blocks::Block;
use super::family::{self, Family};
use super::graph::From;
use super::words;
use crate::arch::{Network, Op};

/// A kind of block.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// A, B, ...
    pub letter: String,
    pub family: Family,
    /// Blocks of this kind, in the network's order.
    pub blocks: Vec<usize>,
    /// The block that is drawn.
    pub drawn: usize,
    /// For each node of the drawn block, whether some blocks do not have it.
    pub optional: Vec<bool>,
    /// When the optional nodes are there, such as `add if s1 and C′ = C`.
    pub notes: Vec<String>,
}

/// What makes blocks equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Equal {
    /// The same ops in the same places, whatever the channels, strides and depthwise kernels.
    Ops,
    /// All numbers too.
    Numbers,
}

/// The kinds of all blocks of more than one layer, by first appearance.
pub fn kinds(network: &Network, blocks: &[Block], equal: Equal) -> Vec<Kind> {
    // Blocks of one signature, then signatures that are part of another.
    let mut groups: Vec<(Signature, Vec<usize>)> = Vec::new();
    let mut known: HashMap<Signature, usize> = HashMap::new();
    for (i, block) in blocks.iter().enumerate().filter(|(_, block)| !block.is_single()) {
        let signature = Signature::of(network, block, equal);
        match known.get(&signature) {
            Some(&at) => groups[at].1.push(i),
            None => {
                known.insert(signature.clone(), groups.len());
                groups.push((signature, vec![i]));
            }
        }
    }
    groups.sort_by_key(|(signature, members)| (std::cmp::Reverse(signature.nodes.len()), members[0]));
    let mut merged: Vec<(Signature, Vec<usize>)> = Vec::new();
    for (signature, members) in groups {
        let within = |rich: &(Signature, Vec<usize>)| {
            signature.is_within(&blocks[members[0]], &rich.0, &blocks[rich.1[0]])
        };
        match merged.iter_mut().find(|rich| equal == Equal::Ops && within(rich)) {
            Some((_, all)) => all.extend(members),
            None => merged.push((signature, members)),
        }
    }
    let mut kinds: Vec<Kind> = merged
        .into_iter()
        .map(|(signature, mut members)| {
            let drawn = members[0];
            members.sort_unstable();
            kind(network, blocks, &signature, drawn, members)
        })
        .collect();
    kinds.sort_by_key(|kind| kind.blocks[0]);
    for (i, kind) in kinds.iter_mut().enumerate() {
        kind.letter = letter(i);
    }
    kinds
}

/// A ... Z, AA, AB, ...
fn letter(mut number: usize) -> String {
    let mut text = String::new();
    loop {
        text.insert(0, char::from(b'A' + (number % 26) as u8));
        if number < 26 {
            return text;
        }
        number = number / 26 - 1;
    }
}

fn kind(
    network: &Network,
    blocks: &[Block],
    signature: &Signature,
    drawn: usize,
    members: Vec<usize>,
) -> Kind {
    let has: Vec<Vec<bool>> = {
        let names: Vec<Vec<String>> = members.iter().map(|&b| local_names(network, &blocks[b])).collect();
        let of = |node: &(String, String)| names.iter().map(|names| names.contains(&node.0)).collect();
        signature.nodes.iter().map(of).collect()
    };
    let optional: Vec<bool> = has.iter().map(|has| has.contains(&false)).collect();
    let mut notes: Vec<(String, Vec<&str>)> = Vec::new();
    for ((name, _), has) in signature.nodes.iter().zip(&has).filter(|(_, has)| has.contains(&false)) {
        let when = when(blocks, &members, has);
        let name = name.split('.').next().unwrap_or(name);
        match notes.iter_mut().find(|(known, _)| *known == when) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => notes.push((when, vec![name])),
        }
    }
    Kind {
        letter: String::new(),
        family: Family::of(network, &blocks[drawn]),
        blocks: members,
        drawn,
        optional,
        notes: notes.into_iter().map(|(when, names)| format!("{} {when}", names.join(", "))).collect(),
    }
}

/// The rule by which some blocks have a layer, where one of the usual ones holds; else how many.
fn when(blocks: &[Block], members: &[usize], has: &[bool]) -> String {
    type Rule = (&'static str, fn(&Block) -> bool);
    let rules: [Rule; 7] = [
        ("if s2", |b| b.stride() > 1),
        ("if s1", |b| b.stride() <= 1),
        ("if s1 and C′ = C", |b| b.stride() <= 1 && b.input.c == b.output.c),
        ("if C′ = C", |b| b.input.c == b.output.c),
        ("if C′ ≠ C", |b| b.input.c != b.output.c),
        ("if s1 and C′ ≠ C", |b| b.stride() <= 1 && b.input.c != b.output.c),
        ("if s2 or C′ ≠ C", |b| b.stride() > 1 || b.input.c != b.output.c),
    ];
    // A stride that no block has need not be spoken of.
    let strided = members.iter().any(|&block| blocks[block].stride() > 1);
    let holds = |rule: &&Rule| {
        (strided || !rule.0.contains("s1"))
            && members.iter().zip(has).all(|(&block, &has)| (rule.1)(&blocks[block]) == has)
    };
    match rules.iter().find(holds) {
        Some((text, _)) => (*text).to_owned(),
        None => format!("in {} of {}", has.iter().filter(|&&has| has).count(), has.len()),
    }
}

/// What a block computes, as far as it makes a kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Signature {
    /// Name within the block, and op.
    nodes: Vec<(String, String)>,
    edges: Vec<(From, usize, usize)>,
    sources: usize,
}

impl Signature {
    fn of(network: &Network, block: &Block, equal: Equal) -> Self {
        let names = local_names(network, block);
        let op = |node: usize| match equal {
            Equal::Ops => op_signature(network, block, node),
            Equal::Numbers => {
                let layers = &block.graph.nodes[node].layers;
                let text = |&id: &usize| format!("{:?} {}", network.layers[id].op, network.layers[id].output);
                format!("{} {:?}", block.input, layers.iter().map(text).collect::<Vec<_>>())
            }
        };
        Self {
            nodes: names.into_iter().enumerate().map(|(i, name)| (name, op(i))).collect(),
            edges: block.graph.edges.iter().map(|edge| (edge.from, edge.to, edge.slot)).collect(),
            sources: block.graph.sources.len(),
        }
    }

    /// Whether the block is the richer one without some of its layers.
    fn is_within(&self, block: &Block, rich: &Self, richer: &Block) -> bool {
        if self.sources > rich.sources {
            return false;
        }
        let find = |node: &(String, String)| rich.nodes.iter().position(|known| known == node);
        let Some(places) = self.nodes.iter().map(find).collect::<Option<Vec<usize>>>() else {
            return false;
        };
        let left_out = |node: usize| !places.contains(&node);
        block.graph.edges.iter().all(|edge| {
            let from = match edge.from {
                From::Node(node) => From::Node(places[node]),
                source => source,
            };
            richer.graph.reaches(from, places[edge.to], &left_out)
        })
    }
}

/// The names of a block's nodes within it: `expand`.
pub fn local_names(network: &Network, block: &Block) -> Vec<String> {
    let name = |id: usize| {
        let name = network.layers[id].name.as_str();
        let inside = name.strip_prefix(block.name.as_str()).and_then(|rest| rest.strip_prefix('.'));
        inside.unwrap_or(name).to_owned()
    };
    block.graph.nodes.iter().map(|node| name(node.base())).collect()
}

fn op_signature(network: &Network, block: &Block, node: usize) -> String {
    let layers = &block.graph.nodes[node].layers;
    let op = &network.layers[layers[0]].op;
    let head = match op {
        Op::Conv { .. } if family::is_depthwise(network, block, node) => "depthwise".to_owned(),
        Op::Conv { kernel, groups, .. } => format!("conv {kernel} {groups}"),
        Op::Linear { .. } => "linear".to_owned(),
        Op::Slice { .. } => "slice".to_owned(),
        Op::MaxPool(window) => format!("max {}", window.kernel),
        Op::AvgPool(window) => format!("average {}", window.kernel),
        _ => words::op(op),
    };
    let touches = layers[1..].iter().map(|&id| words::op(&network.layers[id].op));
    std::iter::once(head).chain(touches).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_go_on_after_z() {
        assert_eq!(
            [letter(0), letter(25), letter(26), letter(701), letter(702)],
            ["A", "Z", "AA", "ZZ", "AAA"]
        );
    }
}
