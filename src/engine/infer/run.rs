//! A chunk of images through one segment, group by group.

use std::ops::Range;

use super::depthwise::Depthwise;
use super::patches::Patches;
use super::plan::{Front, Product, Work};
use super::segments::{Place, Placed, Segment};
use super::{Inference, elementwise};
use crate::engine::measure::Pass;
use crate::engine::ops::matmul::{Epilogue, Mat, Right, matmul};
use crate::engine::ops::squeeze;
use crate::engine::pool::Buf;
use crate::engine::real::Real;

/// The activations of one step for a group of images.
struct Operands<'a, E> {
    images: usize,
    /// `None` where the input is already in the output's place.
    x: Option<&'a [E]>,
    second: Option<&'a [E]>,
    out: &'a mut [E],
    tile: &'a mut [E],
}

impl<E: Real> Inference<E> {
    /// Runs `images` images through a segment.
    pub(super) fn segment(&self, segment: &Segment, images: usize, entering: &[E], leaving: &mut [E]) {
        let group = segment.group.min(images);
        let mut scratch = Buf::take(group * segment.arena + segment.tile);
        let groups =
            entering.chunks(group * segment.entering).zip(leaving.chunks_mut(group * segment.leaving));
        for (entering, leaving) in groups {
            for placed in &segment.steps {
                let images = leaving.len() / segment.leaving;
                let operands = operands(placed, images, entering, leaving, &mut scratch);
                match &self.clock {
                    None => self.step(placed, operands),
                    Some(clock) => {
                        let layer = self.steps[placed.step].layer;
                        clock.time(layer, Pass::Forward, || self.step(placed, operands));
                    }
                }
            }
        }
    }

    fn step(&self, placed: &Placed, operands: Operands<'_, E>) {
        let Operands { images, x, second, out, tile } = operands;
        let work = &self.steps[placed.step].work;
        if work.is_in_place()
            && let Some(x) = x
        {
            out.copy_from_slice(x);
        }
        let x = x.unwrap_or_default();
        match work {
            Work::Product(product) => run_product(product, x, second, out, tile),
            Work::Depthwise(depthwise) => {
                for (x, out) in each(x, out, images) {
                    depthwise.run(x, 0..depthwise.map.out.0, out);
                }
            }
            Work::Grouped(grouped) => each(x, out, images).for_each(|(x, out)| grouped.run(x, out)),
            Work::Affine(affine, act) => elementwise::affine(out, affine.as_ref(), *act),
            Work::Add(act) => elementwise::add(out, second.unwrap_or_default(), *act),
            Work::Mean(over, channels) => {
                each(x, out, images).for_each(|(x, out)| squeeze::mean(x, *channels, *over, out));
            }
            Work::Copy(copy) => copy.run.copy(x, copy.from, out, copy.to),
            Work::Join(copy) => copy.run.copy(second.unwrap_or_default(), copy.from, out, copy.to),
            // Only what is not computed here knows images by their number.
            Work::Image(op) => each(x, out, images).for_each(|(x, out)| op.forward(0, x, out)),
            Work::Scale(per, channels) => {
                for (factors, out) in each(second.unwrap_or_default(), out, images) {
                    elementwise::scale(out, *channels, factors, *per);
                }
            }
        }
    }
}

/// The slices of a step's activations.
fn operands<'a, E: Real>(
    placed: &Placed,
    images: usize,
    entering: &'a [E],
    leaving: &'a mut [E],
    scratch: &'a mut [E],
) -> Operands<'a, E> {
    let Placed { x, second, out, tile, .. } = *placed;
    let is_in_place = x == out;
    // What is asked for twice is taken once.
    let of_x = if is_in_place { 0..0 } else { x.range(images) };
    let of_second = second.filter(|second| *second != x).map_or(0..0, |second| second.range(images));
    let end = scratch.len();
    let [from_out, from_x, from_second, tile] = scratch
        .get_disjoint_mut([out.range(images), of_x, of_second, end - tile..end])
        .expect("activations that are alive together lie apart");
    let from_x: &[E] = if x == Place::Entering { entering } else { from_x };
    let second = second.map(|second| match second {
        _ if second == x => from_x,
        Place::Entering => entering,
        _ => from_second,
    });
    let out = if out == Place::Leaving { leaving } else { from_out };
    Operands { images, x: (!is_in_place).then_some(from_x), second, out, tile }
}

/// Each image's values of the input and the output.
fn each<'a, E>(x: &'a [E], out: &'a mut [E], images: usize) -> impl Iterator<Item = (&'a [E], &'a mut [E])> {
    let (per_x, per_out) = (x.len() / images, out.len() / images);
    x.chunks(per_x.max(1)).zip(out.chunks_mut(per_out.max(1)))
}

/// A product on all images: tile by tile where something makes its left side.
fn run_product<E: Real>(product: &Product<E>, x: &[E], add: Option<&[E]>, out: &mut [E], tile: &mut [E]) {
    match &product.front {
        Front::Input => multiply(product, x, 0..out.len() / product.cols, add, out),
        Front::Depthwise(depthwise) => after_depthwise(product, depthwise, x, add, out, tile),
        Front::Patches(patches) => after_patches(product, patches, x, add, out, tile),
    }
}

/// Rows `rows` of a product's output; `left` holds the left side of these rows alone.
fn multiply<E: Real>(product: &Product<E>, left: &[E], rows: Range<usize>, add: Option<&[E]>, out: &mut [E]) {
    let Product { depth, cols, weights, bias, act, .. } = product;
    let range = rows.start * cols..rows.end * cols;
    let add = add.map(|add| &add[range.clone()]);
    let epilogue = Epilogue { bias: Some(bias), add, act: *act, ..Epilogue::plain() };
    let left = Mat::rows(left, *depth);
    matmul((rows.len(), *cols, *depth), &mut out[range], left, Right::Packed(weights), epilogue);
}

fn after_depthwise<E: Real>(
    product: &Product<E>,
    depthwise: &Depthwise<E>,
    x: &[E],
    add: Option<&[E]>,
    out: &mut [E],
    tile: &mut [E],
) {
    let (rows, depth) = (product.rows, product.depth);
    let (h, w, c) = depthwise.map.input;
    let (oh, ow) = depthwise.map.out;
    let fit = tile.len() / depth;
    if fit >= rows {
        let images = fit / rows;
        for (t, x) in x.chunks(images * h * w * c).enumerate() {
            let left = &mut tile[..x.len() / (h * w * c) * rows * depth];
            for (x, left) in x.chunks_exact(h * w * c).zip(left.chunks_exact_mut(rows * depth)) {
                depthwise.run(x, 0..oh, left);
            }
            let first = t * images * rows;
            multiply(product, left, first..first + left.len() / depth, add, out);
        }
        return;
    }
    let band = fit / ow;
    for (image, x) in x.chunks_exact(h * w * c).enumerate() {
        for start in (0..oh).step_by(band) {
            let end = (start + band).min(oh);
            let left = &mut tile[..(end - start) * ow * depth];
            depthwise.run(x, start..end, left);
            let first = image * rows;
            multiply(product, left, first + start * ow..first + end * ow, add, out);
        }
    }
}

fn after_patches<E: Real>(
    product: &Product<E>,
    patches: &Patches,
    x: &[E],
    add: Option<&[E]>,
    out: &mut [E],
    tile: &mut [E],
) {
    let (rows, depth) = (product.rows, product.depth);
    let (h, w, c) = patches.map.input;
    let (oh, ow) = patches.map.out;
    let (bordered, tile) = tile.split_at_mut(patches.bordered_len());
    let band = (tile.len() - Patches::SLACK) / (depth * ow);
    for (image, x) in x.chunks_exact(h * w * c).enumerate() {
        patches.border(x, bordered);
        for start in (0..oh).step_by(band) {
            let end = (start + band).min(oh);
            let left = &mut tile[..(end - start) * ow * depth + Patches::SLACK];
            patches.gather(bordered, start, left);
            let first = image * rows;
            multiply(product, left, first + start * ow..first + end * ow, add, out);
        }
    }
}
