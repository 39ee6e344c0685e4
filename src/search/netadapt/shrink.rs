//! Networks that are narrower than another in one respect: NetAdapt's proposals.
//!
//! A proposal shrinks the hidden width of one block, or the channels of all blocks that have the same number of them, so that
//! shortcuts stay (Howard et al. 2019, "MobileNetV3", Section 4.2).

use crate::space::{Block, Candidate, CseForm, Expand, Shortcut, Stage};

/// What can be shrunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Axis {
    /// The hidden width of one block, by its number from 0.
    Hidden(usize),
    /// The output channels of these blocks; with them the stem's where a shortcut ties it to the first block.
    Channels { blocks: Vec<usize>, stem: bool },
}

/// A narrower network.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    pub candidate: Candidate,
    /// What was shrunk, such as `hidden 96 to 88 in block 3`.
    pub change: String,
    pub cost: f64,
}

/// The same network with a stage for each block, and hidden widths as numbers, so that each can be shrunk alone. Its layers
/// are those of `candidate`, in their order. `image` is the number of the images' channels.
pub fn split(candidate: &Candidate, image: usize) -> Candidate {
    let mut stages = Vec::new();
    let mut inputs = candidate.stem.as_ref().map_or(image, |stem| stem.channels);
    for stage in &candidate.stages {
        for block in 0..stage.repeats {
            let mut one =
                Stage { repeats: 1, stride: if block == 0 { stage.stride } else { 1 }, ..stage.clone() };
            if let Block::InvertedResidual { expand, keep_expansion, .. } = &mut one.block
                && let Expand::Ratio(ratio) = *expand
                && (*keep_expansion || ratio != 1.0)
            {
                // As networks are built.
                *expand = Expand::Hidden((ratio * inputs as f64).round() as usize);
                *keep_expansion = false;
            }
            stages.push(one);
            inputs = stage.channels;
        }
    }
    Candidate { stages, ..candidate.clone() }
}

/// What can be shrunk in a network that was [`split`]: hidden widths block by block, then channels, each size where it is first.
pub fn axes(candidate: &Candidate, image: usize) -> Vec<Axis> {
    let hidden = (0..candidate.stages.len()).filter(|block| hidden(&candidate.stages[*block]).is_some());
    let mut axes: Vec<Axis> = hidden.map(Axis::Hidden).collect();
    let sizes: Vec<usize> = candidate.stages.iter().map(|stage| stage.channels).collect();
    for (first, size) in sizes.iter().enumerate() {
        if sizes[..first].contains(size) {
            continue;
        }
        let blocks: Vec<usize> = (0..sizes.len()).filter(|block| sizes[*block] == *size).collect();
        let stem = blocks[0] == 0
            && candidate.stem.as_ref().is_some_and(|stem| stem.channels == *size)
            && joints(candidate, image).first().is_some_and(|joint| joint.same_width == Some(true));
        // Of a grouped convolution other inputs would meet each filter.
        let grouped = candidate.head.conv.as_ref().is_some_and(|conv| conv.groups > 1);
        if !(grouped && blocks.contains(&(sizes.len() - 1))) {
            axes.push(Axis::Channels { blocks, stem });
        }
    }
    axes
}

impl Axis {
    /// How wide it is.
    pub fn width(&self, candidate: &Candidate) -> usize {
        match self {
            Self::Hidden(block) => hidden(&candidate.stages[*block]).unwrap_or(1),
            Self::Channels { blocks, .. } => {
                blocks.first().map_or(1, |block| candidate.stages[*block].channels)
            }
        }
    }

    /// The network with this at another width.
    pub fn at(&self, candidate: &Candidate, width: usize) -> Candidate {
        let mut shrunk = candidate.clone();
        match self {
            Self::Hidden(block) => {
                if let Block::InvertedResidual { expand, .. } = &mut shrunk.stages[*block].block {
                    *expand = Expand::Hidden(width);
                }
            }
            Self::Channels { blocks, stem } => {
                blocks.iter().for_each(|block| shrunk.stages[*block].channels = width);
                if let (true, Some(stem)) = (stem, &mut shrunk.stem) {
                    stem.channels = width;
                }
            }
        }
        shrunk
    }

    /// What is shrunk, in words; blocks are counted from 1.
    fn change(&self, from: usize, to: usize) -> String {
        match self {
            Self::Hidden(block) => format!("hidden {from} to {to} in block {}", block + 1),
            Self::Channels { blocks, stem } => {
                let stem = if *stem { "the stem and " } else { "" };
                let numbers: Vec<String> = blocks.iter().map(|block| (block + 1).to_string()).collect();
                let of = if blocks.len() == 1 { "block" } else { "blocks" };
                format!("channels {from} to {to} in {stem}{of} {}", numbers.join(", "))
            }
        }
    }

    /// The narrower networks along this axis that have the same layers, the widest first.
    fn narrower(&self, candidate: &Candidate, image: usize) -> impl Iterator<Item = (usize, Candidate)> {
        let (from, layers) = (self.width(candidate), joints(candidate, image));
        std::iter::successors(below(from), |width| below(*width))
            .map(|width| (width, self.at(candidate, width)))
            .filter(move |(_, shrunk)| joints(shrunk, image) == layers)
    }
}

/// The next smaller width: multiples of 8 from 32 on, of 4 from 16, of 2 from 8, so that a step is a quarter at most and wide
/// layers stay as vector units like them.
fn below(width: usize) -> Option<usize> {
    let fits = |width: &usize| {
        width.is_multiple_of(match width {
            32.. => 8,
            16.. => 4,
            8.. => 2,
            _ => 1,
        })
    };
    (1..width).rev().find(fits)
}

/// The proposals for a network that was [`split`]: along every axis the widest network whose cost, as `cost` has it, is at most
/// `most`. Where no axis has so much left, along each the narrowest that costs less at all.
pub fn proposals(
    candidate: &Candidate,
    image: usize,
    most: f64,
    mut cost: impl FnMut(&Candidate) -> Option<f64>,
) -> Vec<Proposal> {
    let Some(now) = cost(candidate) else { return Vec::new() };
    let (mut enough, mut less) = (Vec::new(), Vec::new());
    for axis in axes(candidate, image) {
        let mut last = None;
        for (width, shrunk) in axis.narrower(candidate, image) {
            let Some(cost) = cost(&shrunk) else { continue };
            let change = axis.change(axis.width(candidate), width);
            let proposal = Proposal { candidate: shrunk, change, cost };
            if cost <= most {
                enough.push(proposal);
                last = None;
                break;
            }
            last = Some(proposal).filter(|proposal| proposal.cost < now).or(last);
        }
        less.extend(last);
    }
    if enough.is_empty() { less } else { enough }
}

/// The narrowest network with the same layers: every axis as narrow as it can be.
pub fn narrowest(candidate: &Candidate, image: usize) -> Candidate {
    let mut narrowest = candidate.clone();
    loop {
        let mut changed = false;
        for axis in axes(&narrowest, image) {
            if let Some((_, shrunk)) = axis.narrower(&narrowest, image).last() {
                (narrowest, changed) = (shrunk, true);
            }
        }
        if !changed {
            return narrowest;
        }
    }
}

/// The hidden width of a block that has one of its own.
fn hidden(stage: &Stage) -> Option<usize> {
    match &stage.block {
        Block::InvertedResidual { expand: Expand::Hidden(width), .. } => Some(*width),
        _ => None,
    }
}

/// What of a block's layers depends on widths being equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Joint {
    /// Whether as many channels go out as come in, where that decides on a shortcut or its convolution.
    same_width: Option<bool>,
    /// Whether the previous block's expanded tensor is added.
    adds_expanded: bool,
}

fn joints(candidate: &Candidate, image: usize) -> Vec<Joint> {
    let mut inputs = candidate.stem.as_ref().map_or(image, |stem| stem.channels);
    let mut joints = Vec::new();
    for (number, stage) in candidate.stages.iter().enumerate() {
        let same_width = Some(inputs == stage.channels);
        let (same_width, adds_expanded) = match &stage.block {
            Block::InvertedResidual { shortcut, .. } => {
                let decides = stage.stride == 1 && matches!(shortcut, Shortcut::Identity | Shortcut::Project);
                let before = number.checked_sub(1).map(|before| &candidate.stages[before]);
                let expanded = before.filter(|before| before.stride == 1).and_then(hidden);
                let adds =
                    *shortcut == Shortcut::Expansion && expanded.is_some() && expanded == hidden(stage);
                (same_width.filter(|_| decides), adds)
            }
            Block::Cse { form: CseForm::Paper | CseForm::Lite, .. } => (same_width, false),
            Block::DepthwiseSeparable | Block::Conv => (None, false),
        };
        joints.push(Joint { same_width, adds_expanded });
        inputs = stage.channels;
    }
    joints
}
