//! Where the steps are cut, how many images run through a segment together, and where in scratch memory each activation
//! lies.

use std::ops::Range;

use super::patches::Patches;
use super::plan::{Front, Product, Step, TensorId, Work};
use crate::engine::real::Real;

/// Bytes of scratch memory that a group of images may take: half of a second-level cache of 2 MB.
const BUDGET: usize = 1 << 20;
/// Most images of a group.
const MOST: usize = 32;
/// Bytes of a tile of the left side of a product.
const TILE: usize = 96 << 10;
/// Values that places are multiples of: a cache line of f32.
const GRAIN: usize = 16;

/// Steps that a group of images runs through together.
pub struct Segment {
    pub steps: Vec<Placed>,
    /// Images of a group.
    pub group: usize,
    /// Values of one image that enter and leave.
    pub entering: usize,
    pub leaving: usize,
    /// Values of scratch memory for each image of a group, and for the tiles of any step.
    pub arena: usize,
    pub tile: usize,
}

/// A step, and where its activations lie.
pub struct Placed {
    /// Its index.
    pub step: usize,
    pub x: Place,
    pub second: Option<Place>,
    pub out: Place,
    /// Values of the tiles it needs.
    pub tile: usize,
}

/// Where an activation lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Entering,
    Leaving,
    /// In scratch memory, were the group one image: of more, their number times as far and as much.
    Scratch {
        start: usize,
        len: usize,
    },
}

impl Place {
    /// The range in scratch memory that `images` images take; nothing elsewhere.
    pub fn range(self, images: usize) -> Range<usize> {
        match self {
            Self::Scratch { start, len } => images * start..images * (start + len),
            _ => 0..0,
        }
    }
}

/// The segments of a plan.
pub fn segments<E: Real>(steps: &[Step<E>], tensors: &[usize]) -> Vec<Segment> {
    let last_use = last_uses(steps, tensors.len());
    let cut =
        |range: Range<usize>, group| Layout { steps, tensors, last_use: &last_use, range }.segment(group);
    let mut parts: Vec<(Range<usize>, usize)> = Vec::new();
    let mut start = 0;
    for at in 0..steps.len() {
        let alive = (0..tensors.len()).filter(|&t| born(steps, t) <= at + 1 && last_use[t] > at);
        if at + 1 < steps.len() && !alive.eq([steps[at].out]) {
            continue;
        }
        let range = start..at + 1;
        start = at + 1;
        let group = group_size::<E>(cut(range.clone(), 1).arena);
        match parts.last_mut() {
            Some((before, same)) if *same == group => before.end = range.end,
            _ => parts.push((range, group)),
        }
    }
    parts.into_iter().map(|(range, group)| cut(range, group)).collect()
}

/// The largest power of two of images whose scratch memory is within the budget.
fn group_size<E>(per_image: usize) -> usize {
    let fit = BUDGET / (per_image * size_of::<E>()).max(1);
    1 << fit.clamp(1, MOST).ilog2()
}

/// One more than the step that makes an activation; 0 for the images.
fn born<E: Real>(steps: &[Step<E>], tensor: TensorId) -> usize {
    steps.iter().position(|step| step.out == tensor).map_or(0, |at| at + 1)
}

/// The last step that reads each activation, or that makes it; of the output of all, beyond the last.
fn last_uses<E: Real>(steps: &[Step<E>], tensors: usize) -> Vec<usize> {
    let mut last = vec![0; tensors];
    for (at, step) in steps.iter().enumerate() {
        for tensor in [Some(step.x), step.second, Some(step.out)].into_iter().flatten() {
            last[tensor] = at;
        }
    }
    if let Some(step) = steps.last() {
        last[step.out] = steps.len();
    }
    last
}

/// The planning of one segment.
struct Layout<'a, E: Real> {
    steps: &'a [Step<E>],
    tensors: &'a [usize],
    last_use: &'a [usize],
    range: Range<usize>,
}

/// A range of scratch memory, taken until the last step of its use.
struct Taken {
    tensor: TensorId,
    range: Range<usize>,
    until: usize,
}

impl<E: Real> Layout<'_, E> {
    fn segment(&self, group: usize) -> Segment {
        let (first, last) = (&self.steps[self.range.start], &self.steps[self.range.end - 1]);
        let mut taken: Vec<Taken> = Vec::new();
        let (mut arena, mut tile) = (0, 0);
        let mut placed = Vec::new();
        for at in self.range.clone() {
            let step = &self.steps[at];
            taken.retain(|t| t.until >= at);
            let is_leaving = at + 1 == self.range.end;
            if !is_leaving {
                self.place(at, &mut taken);
            }
            let find = |tensor: TensorId| {
                let known = taken.iter().find(|t| t.tensor == tensor);
                known.map_or(Place::Entering, |t| Place::Scratch {
                    start: t.range.start,
                    len: self.tensors[tensor],
                })
            };
            // In place the output took over the input's range.
            let x = match taken.iter().any(|t| t.tensor == step.x) || step.x == self.entering() {
                true => find(step.x),
                false => find(step.out),
            };
            let second = step.second.map(find);
            let out = if is_leaving { Place::Leaving } else { find(step.out) };
            let own_tile = match &step.work {
                Work::Product(product) => product_tile(product, group),
                _ => 0,
            };
            tile = tile.max(own_tile);
            arena = taken.iter().map(|t| t.range.end).fold(arena, usize::max);
            placed.push(Placed { step: at, x, second, out, tile: own_tile });
        }
        let entering = self.tensors[first.x];
        let leaving = self.tensors[last.out];
        Segment { steps: placed, group, entering, leaving, arena, tile }
    }

    /// The activation that enters: what the first step reads.
    fn entering(&self) -> TensorId {
        self.steps[self.range.start].x
    }

    /// Finds a place for the output of a step: its input's, where that is changed in place, else the lowest free one.
    fn place(&self, at: usize, taken: &mut Vec<Taken>) {
        let Step { work, x, second, out, .. } = &self.steps[at];
        let (len, until) = (self.tensors[*out].next_multiple_of(GRAIN), self.last_use[*out]);
        let may_replace = work.is_in_place() && *second != Some(*x) && self.last_use[*x] == at;
        if may_replace && let Some(place) = taken.iter_mut().find(|t| t.tensor == *x) {
            (place.tensor, place.until) = (*out, until);
            return;
        }
        taken.sort_by_key(|t| t.range.start);
        let mut start = 0;
        for t in taken.iter() {
            if start + len <= t.range.start {
                break;
            }
            start = start.max(t.range.end);
        }
        taken.push(Taken { tensor: *out, range: start..start + len, until });
    }
}

/// Values of the tiles of a product's left side, with what its front needs beside.
fn product_tile<E: Real>(product: &Product<E>, group: usize) -> usize {
    let (row, image) = match &product.front {
        Front::Input => return 0,
        Front::Patches(patches) => (patches.map.out.1, 1),
        Front::Depthwise(depthwise) => (depthwise.map.out.1, group),
    };
    // Weights are read once for each tile: the larger they are, the larger the tile.
    let target = (TILE / size_of::<E>()).max(product.depth * product.cols / 2);
    let tile = target.min(image * product.rows * product.depth).max(row * product.depth);
    let beside = match &product.front {
        Front::Patches(patches) => patches.bordered_len() + Patches::SLACK,
        _ => 0,
    };
    (tile + beside).next_multiple_of(GRAIN)
}
