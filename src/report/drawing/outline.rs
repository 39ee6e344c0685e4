//! What is drawn of a network: its stages, its blocks, and which reads which.

use super::Detail;
use super::blocks::{self, Block};
use super::stages::{self, Stage};
use crate::arch::{Network, Shape};
use crate::cost;

/// A network as stages of blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    pub input: Shape,
    pub blocks: Vec<Block>,
    /// One for each box.
    pub stages: Vec<Stage>,
    pub params: u64,
    pub madds: u64,
    /// From a stage to one that is not the next, in order.
    pub skips: Vec<(usize, usize)>,
    /// Whether each stage reads the one before it, the first the input.
    follows: Vec<bool>,
}

impl Outline {
    /// The outline of a network.
    pub fn of(network: &Network, detail: Detail) -> Self {
        let readers = blocks::readers(network);
        let blocks = blocks::blocks(network, &readers);
        let stages = match detail {
            Detail::Layers => stages::single_blocks(network, &blocks),
            Detail::Stages | Detail::Blocks => stages::stages(network, &blocks),
        };
        // The stage of each layer; 0 is the input, the first stage 1.
        let mut stage_of = vec![0; network.layers.len()];
        for (number, stage) in stages.iter().enumerate() {
            for &layer in blocks[stage.blocks.clone()].iter().flat_map(|block| &block.layers) {
                stage_of[layer] = number + 1;
            }
        }
        let mut follows = vec![false; stages.len()];
        let mut skips = Vec::new();
        for (id, layer) in network.layers.iter().enumerate() {
            for &from in &layer.inputs {
                let (from, to) = (stage_of[from], stage_of[id]);
                if from + 1 == to {
                    follows[to - 1] = true;
                } else if from < to && from > 0 {
                    skips.push((from - 1, to - 1));
                }
            }
        }
        skips.sort_unstable();
        skips.dedup();
        let cost = cost::of(network);
        Self {
            input: network.input(),
            blocks,
            stages,
            params: cost.params,
            madds: cost.madds,
            skips,
            follows,
        }
    }

    /// Whether a stage reads the one before it.
    pub fn follows(&self, stage: usize) -> bool {
        self.follows.get(stage).copied().unwrap_or(false)
    }
}
