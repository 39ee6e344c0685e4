//! The stages of a network: runs of blocks that make maps of one shape, with the label of each.

use std::ops::Range;

use super::blocks::Block;
use super::family::{self, Figures};
use crate::arch::{Network, Op, Shape, Window};
use crate::cost;

/// A run of blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// `stages.2`, or the name of its only block.
    pub name: String,
    pub blocks: Range<usize>,
    /// What it is made of, such as `IR k3 e6 c24 s2`, one text for each run of equal layers.
    pub label: Vec<String>,
    pub output: Shape,
    pub params: u64,
    pub madds: u64,
}

/// The stages that `blocks` form, in order.
pub fn stages(network: &Network, blocks: &[Block]) -> Vec<Stage> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (i, block) in blocks.iter().enumerate() {
        match ranges.last_mut() {
            Some(range) if joins(network, &blocks[range.start], &blocks[i - 1], block) => range.end = i + 1,
            _ => ranges.push(i..i + 1),
        }
    }
    ranges.into_iter().map(|range| stage(network, &blocks[range.clone()], range)).collect()
}

/// The same for every block, taken one by one.
pub fn single_blocks(network: &Network, blocks: &[Block]) -> Vec<Stage> {
    (0..blocks.len())
        .map(|i| Stage { name: blocks[i].name.clone(), ..stage(network, &blocks[i..=i], i..i + 1) })
        .collect()
}

fn stage(network: &Network, blocks: &[Block], range: Range<usize>) -> Stage {
    let (first, last) = (&blocks[0], &blocks[blocks.len() - 1]);
    let sum = |cost: fn(&Block) -> u64| blocks.iter().fold(0, |sum: u64, b| sum.saturating_add(cost(b)));
    let name = match &first.stage {
        _ if blocks.len() == 1 => first.name.clone(),
        Some(stage) if is_numbered(stage) => stage.clone(),
        _ => format!("{} to {}", first.name, last.name),
    };
    Stage {
        name,
        blocks: range,
        label: label(network, blocks),
        output: last.output,
        params: sum(|block| block.params),
        madds: sum(|block| block.madds),
    }
}

fn is_numbered(stage: &str) -> bool {
    stage.contains(|c: char| c.is_ascii_digit())
}

fn joins(network: &Network, first: &Block, before: &Block, block: &Block) -> bool {
    if before.stage != block.stage || before.is_single() != block.is_single() {
        return false;
    }
    let numbered = block.stage.as_deref().is_some_and(is_numbered);
    match block.is_single() {
        true if numbered => true,
        // Layers outside numbered stages: those that make maps of one size.
        true => {
            (before.output.h, before.output.w) == (block.output.h, block.output.w) && first.name != "stem"
        }
        false if block.stage.is_some() => before.output == block.output,
        false => before.output == block.output && Figures::of(network, before) == Figures::of(network, block),
    }
}

fn label(network: &Network, blocks: &[Block]) -> Vec<String> {
    if blocks[0].is_single() {
        let texts = counted(blocks.iter().map(|block| single(network, block)));
        if texts.is_empty() {
            // Nothing but layers that are left out elsewhere.
            return counted(blocks.iter().map(|block| Some(cost::op_text(network, *block.layers.first()?))));
        }
        return texts;
    }
    let figures: Vec<Figures> = blocks.iter().map(|block| Figures::of(network, block)).collect();
    let mut families: Vec<_> = figures.iter().map(|f| f.family).collect();
    families.dedup();
    if let [family] = families.as_slice() {
        return vec![run(*family, blocks, &figures)];
    }
    let texts = blocks.iter().zip(&figures);
    counted(texts.map(|(block, figures)| {
        Some(run(figures.family, std::slice::from_ref(block), std::slice::from_ref(figures)))
    }))
}

/// Equal neighbours as one text with `×2`.
fn counted(texts: impl Iterator<Item = Option<String>>) -> Vec<String> {
    let mut runs: Vec<(String, usize)> = Vec::new();
    for text in texts.flatten() {
        match runs.last_mut() {
            Some((known, n)) if *known == text => *n += 1,
            _ => runs.push((text, 1)),
        }
    }
    runs.into_iter().map(|(text, n)| if n > 1 { format!("{text} ×{n}") } else { text }).collect()
}

/// A run of blocks of one family: what they share, and where they differ the values of each.
fn run(family: family::Family, blocks: &[Block], figures: &[Figures]) -> String {
    let mut text = family.short().to_owned();
    let mut add = |letter: &str, values: Vec<String>| {
        let mut distinct: Vec<String> = Vec::new();
        for value in values {
            if !distinct.contains(&value) {
                distinct.push(value);
            }
        }
        match distinct.as_slice() {
            [first, _, _, .., last] if distinct.len() > 3 => text += &format!(" {letter}{first}…{last}"),
            [] => {}
            few => text += &format!(" {letter}{}", few.join("/")),
        }
    };
    let numbers = |value: fn(&Figures) -> Option<usize>| {
        figures.iter().filter_map(value).map(|v| v.to_string()).collect()
    };
    add("k", numbers(|f| f.kernel));
    add("e", figures.iter().filter_map(|f| f.expansion).map(short).collect());
    add("g", numbers(|f| f.groups));
    add("w", numbers(|f| f.squeeze));
    add("c", blocks.iter().map(|block| block.output.c.to_string()).collect());
    let stride = blocks.iter().map(Block::stride).fold(1, |all, stride| all * stride.max(1));
    if stride > 1 {
        text += &format!(" s{stride}");
    }
    if figures.iter().any(|f| f.se) {
        text += " SE";
    }
    if figures.iter().any(|f| f.hswish) {
        text += " hs";
    }
    if blocks.len() > 1 { format!("{text} ×{}", blocks.len()) } else { text }
}

fn short(ratio: f64) -> String {
    let text = format!("{ratio:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A layer by itself; `None` for one that only reshapes or drops values.
fn single(network: &Network, block: &Block) -> Option<String> {
    let layer = &network.layers[block.graph.nodes.first()?.base()];
    let mut op = cost::op_text(network, block.graph.nodes.first()?.base()).replace(" bias", "");
    if let Op::Conv { kernel: side, .. }
    | Op::MaxPool(Window { kernel: side, .. })
    | Op::AvgPool(Window { kernel: side, .. }) = layer.op
    {
        op = op.replace(&format!("{side}x{side}"), &format!("{side}×{side}"));
    }
    match layer.op {
        Op::Conv { .. } => Some(format!("{op} c{}", layer.output.c)),
        Op::Linear { out, .. } => Some(format!("FC {out}")),
        Op::Flatten | Op::Dropout { .. } | Op::LocalResponseNorm { .. } => None,
        Op::GlobalAvgPool => Some("global average pool".to_owned()),
        _ => Some(op),
    }
}
