//! Depthwise convolution: one filter per channel.
//!
//! Works image by image and block by block of at most 64 channels: the block's input, pending parts applied, is laid
//! into a zero-padded buffer that stays in the second-level cache, and the kernels run over that.

mod kernel;

use std::ops::Range;

use crate::engine::grad;
use crate::engine::ops::norm::Sums;
use crate::engine::ops::norm::moments::Moments;
use crate::engine::ops::passes::{self, Rows, RowsMut};
use crate::engine::ops::pointwise::{Recompute, add_bias};
use crate::engine::ops::{Share, put_shares, tile_rows};
use crate::engine::pool::Buf;
use crate::engine::real::{Flat, Real};
use crate::engine::value::{Context, Data, Gate, LazyGrad, Value};
use crate::engine::workers::{chunks, split};
pub use kernel::has_kernel;
use kernel::{Block, Input, Output, Plane};

/// Outputs larger than this, in bytes, do not stay in a cache until they are read.
const STREAMED_FROM: usize = 16 << 20;

/// Geometry of a depthwise convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    pub kernel: usize,
    pub stride: usize,
    pub pad: usize,
    /// Output height and width.
    pub out: (usize, usize),
}

/// The layer on `x`: `weight` is `(C, 1, K, K)`, `bias` `(C)`. With `moments`, also each chunk's statistics.
pub fn forward<E: Real>(
    context: &mut Context<E>,
    x: &Value<E>,
    weight: &Flat<E>,
    bias: Option<&Flat<E>>,
    geometry: Geometry,
    moments: bool,
) -> (Value<E>, Vec<Moments>) {
    let c = x.c;
    let images = x.images();
    let taps = taps_first(&grad::values(weight), c);
    let biases = bias.map(grad::values);
    let (oh, ow) = geometry.out;
    let per_image = oh * ow * c;
    let mut data = Buf::take(images * per_image);
    let blocks = blocks(c);
    let weights = block_weights(&taps, c, &blocks, geometry.kernel, false);
    let plane = Plane::padded(x.h, x.w, geometry.pad);
    let parts = chunks(images).into_iter().zip(split(&mut data, images, per_image)).collect();
    // A bias comes after the kernel, and so must the statistics then.
    let on_the_way = moments && biases.is_none();
    let stream = biases.is_none() && images * per_image * size_of::<E>() > STREAMED_FROM;
    let statistics = context.workers.map(parts, |(range, out)| {
        let mut scratch = Scratch::new(plane, &blocks);
        let mut raw = Raw::new(x, &blocks);
        let mut gathered = Moments::new(c);
        for (image, out) in range.zip(out.chunks_mut(per_image)) {
            let mut source = raw.image(x, image);
            for (block, weights) in blocks.iter().zip(&weights) {
                let input = scratch.prepare(*block);
                read_block(x, image, *block, plane, &mut source, input);
                let values = &*input;
                let input = Input { geometry, block: *block, plane, values, weights };
                let to = Output { data: &mut *out, row: c, start: block.start, accumulate: false, stream };
                kernel::correlate(input, to, on_the_way.then(|| gathered.tally(0)));
            }
            if let Some(biases) = &biases {
                add_bias(out, biases);
            }
            if on_the_way {
                gathered.count(oh * ow);
            } else if moments {
                out.chunks(tile_rows(c) * c).for_each(|tile| gathered.add(tile));
            }
        }
        gathered
    });
    let out = Value::plain(data, images, (oh, ow, c), true);
    record_backward(context, x.clone(), out.clone(), weight.clone(), bias.cloned(), geometry);
    (out, statistics)
}

fn record_backward<E: Real>(
    context: &mut Context<E>,
    x: Value<E>,
    out: Value<E>,
    weight: Flat<E>,
    bias: Option<Flat<E>>,
    geometry: Geometry,
) {
    let workers = context.workers.clone();
    context.record(move |grads| {
        let Some(dz) = out.grad.take() else { return Ok(()) };
        let lazy = out.stored.take_lazy();
        let (c, images, k) = (x.c, x.images(), geometry.kernel);
        let taps = taps_first(&grad::values(&weight), c);
        let blocks = blocks(c);
        let plane = Plane::padded(x.h, x.w, geometry.pad);
        // At stride 1 the input's gradient is a correlation of the padded output gradient with the flipped filter.
        let flipped = geometry.stride == 1 && geometry.pad * 2 + 1 == k;
        let weights = block_weights(&taps, c, &blocks, k, flipped);
        let dz_plane = Plane::padded(out.h, out.w, if flipped { geometry.pad } else { 0 });
        let sum = x.take_grad();
        let accumulate = sum.is_some();
        // Where the shapes are the same the input's gradient is written over the output's, block by block.
        let (mut dx, dz) = match sum {
            None if flipped => (dz, None),
            None => (Buf::take(x.elements()), Some(dz)),
            Some(sum) => (sum, Some(dz)),
        };
        let parts = chunks(images).into_iter().zip(split(&mut dx, images, x.per_image())).collect();
        let early = x.early.as_deref().filter(|_| x.needs_grad && !accumulate);
        let shares = workers.map(parts, |(range, dx)| {
            let mut inputs = Scratch::new(plane, &blocks);
            let mut outputs = Scratch::new(dz_plane, &blocks);
            let mut raw = Raw::new(&x, &blocks);
            let mut da = Buf::take(if early.is_some() { x.pixels() * widest(&blocks) } else { 0 });
            let mut dw = vec![0.0; k * k * c];
            let mut db = vec![0.0; c];
            let mut sums = early.map(|_| Sums::new(c));
            for (image, dx) in range.zip(dx.chunks_mut(x.per_image())) {
                let gradient = dz.as_ref().map(|dz| &dz[image * out.per_image()..][..out.per_image()]);
                let mut source = raw.image(&x, image);
                for (block, weights) in blocks.iter().zip(&weights) {
                    let a = inputs.prepare(*block);
                    let z = read_block(&x, image, *block, plane, &mut source, a);
                    let d = outputs.prepare(*block);
                    let gradient = gradient.unwrap_or(dx);
                    read_gradient(&out, image, gradient, lazy.as_ref(), *block, dz_plane, d);
                    let input = Input { geometry, block: *block, plane, values: a, weights };
                    kernel::weight_grad(input, dz_plane, d, c, &mut dw, &mut db);
                    // Where the norm's pass follows, the gradient goes to it by way of a buffer in cache.
                    let to = match early {
                        Some(_) => Output {
                            data: &mut da[..x.pixels() * block.width],
                            row: block.width,
                            start: 0,
                            accumulate: false,
                            stream: false,
                        },
                        None => {
                            Output { data: &mut *dx, row: c, start: block.start, accumulate, stream: false }
                        }
                    };
                    if flipped {
                        let same = Geometry { out: (x.h, x.w), ..geometry };
                        let input = Input { geometry: same, plane: dz_plane, values: d, ..input };
                        kernel::correlate(input, to, None);
                    } else {
                        kernel::gather(input, d, to);
                    }
                    if let (Some(early), Some(sums)) = (early, &mut sums) {
                        let channels = block.start..block.start + block.width;
                        let da = Rows::new(&da[..x.pixels() * block.width], block.width);
                        early.run(&x, channels, da, z, RowsMut::new(&mut dx[block.start..], c), sums);
                    }
                }
            }
            Share { dw: taps_last(&dw, c), db, sums }
        });
        put_shares(grads, (&weight, bias.as_ref()), early, shares)?;
        drop(dz);
        if x.needs_grad {
            x.grad.put(dx);
        }
        Ok(())
    });
}

/// `(C, K*K)` to `(K*K, C)`.
fn taps_first<E: Real>(weights: &[E], c: usize) -> Vec<E> {
    let taps = weights.len() / c;
    (0..taps).flat_map(|t| (0..c).map(move |i| weights[i * taps + t])).collect()
}

/// `(K*K, C)` to `(C, K*K)`.
fn taps_last<E: Real>(dw: &[f64], c: usize) -> Buf<E> {
    let taps = dw.len() / c;
    let mut out = Buf::take(dw.len());
    for (i, out) in out.chunks_exact_mut(taps).enumerate() {
        out.iter_mut().enumerate().for_each(|(t, out)| *out = E::of(dw[t * c + i]));
    }
    out
}

/// The channels of each block that a reader of `c` channels works on.
pub fn channel_blocks(c: usize) -> Vec<Range<usize>> {
    blocks(c).iter().map(|block| block.start..block.start + block.width).collect()
}

/// Blocks of nearly equal width, multiples of 16 channels and at most 64, but for the last.
fn blocks(c: usize) -> Vec<Block> {
    let width = c.div_ceil(c.div_ceil(64)).next_multiple_of(16);
    let block = |start: usize| {
        let width = width.min(c - start);
        Block { start, width, padded: width.next_multiple_of(16) }
    };
    (0..c).step_by(width).map(block).collect()
}

fn widest(blocks: &[Block]) -> usize {
    blocks.iter().map(|block| block.padded).max().unwrap_or(0)
}

/// The weights of each block as (K*K, padded width), zeros in the padding; `flip` turns the filter round.
fn block_weights<E: Real>(taps: &[E], c: usize, blocks: &[Block], k: usize, flip: bool) -> Vec<Vec<E>> {
    let of_block = |block: &Block| {
        let mut out = vec![E::ZERO; k * k * block.padded];
        for t in 0..k * k {
            let from = if flip { k * k - 1 - t } else { t };
            let values = &taps[from * c + block.start..][..block.width];
            out[t * block.padded..][..block.width].copy_from_slice(values);
        }
        out
    };
    blocks.iter().map(of_block).collect()
}

/// A buffer for one block on a plane, whose padding is zero.
struct Scratch<E: Real> {
    buffer: Buf<E>,
    plane: Plane,
    /// The block whose layout the zeros fit.
    width: Option<(usize, usize)>,
}

impl<E: Real> Scratch<E> {
    fn new(plane: Plane, blocks: &[Block]) -> Self {
        Self { buffer: Buf::take(plane.len() * widest(blocks)), plane, width: None }
    }

    fn prepare(&mut self, block: Block) -> &mut [E] {
        let buffer = &mut self.buffer[..self.plane.len() * block.padded];
        if self.width != Some((block.width, block.padded)) {
            buffer.fill(E::ZERO);
            self.width = Some((block.width, block.padded));
        }
        buffer
    }
}

/// Scratch for what is not kept in memory.
struct Raw<E: Real> {
    /// One image of what a product reads, or of a sum.
    image: Buf<E>,
    /// One block of a product.
    block: Buf<E>,
}

/// Where the blocks of one image come from.
enum Source<'a, E: Real> {
    /// All channels of every pixel are there.
    Image(&'a [E]),
    /// Each block is a product of these inputs.
    Product(&'a Recompute<E>, &'a [E], &'a mut [E]),
}

impl<E: Real> Raw<E> {
    fn new(x: &Value<E>, blocks: &[Block]) -> Self {
        let (image, block) = match &x.stored.data {
            Data::Kept(_) => (0, 0),
            Data::Recomputed(product) => (product.inputs_scratch(x.pixels()), x.pixels() * widest(blocks)),
            Data::Sum(_) => (x.per_image(), 0),
        };
        Self { image: Buf::take(image), block: Buf::take(block) }
    }

    fn image<'a>(&'a mut self, x: &'a Value<E>, image: usize) -> Source<'a, E> {
        let rows = image * x.pixels()..(image + 1) * x.pixels();
        match &x.stored.data {
            Data::Recomputed(product) => {
                Source::Product(product, product.inputs(rows, &mut self.image), &mut self.block)
            }
            Data::Kept(_) | Data::Sum(_) => Source::Image(x.raw_rows(rows, &mut self.image)),
        }
    }
}

/// Writes a block of one image, pending parts applied, into the interior of a plane. Returns what was read: the block's
/// channels of every pixel, and how far pixels are apart.
fn read_block<'s, E: Real>(
    x: &Value<E>,
    image: usize,
    block: Block,
    plane: Plane,
    source: &'s mut Source<'_, E>,
    out: &mut [E],
) -> Rows<'s, E> {
    let z = match source {
        Source::Image(image) => Rows::new(&image[block.start..], x.c),
        Source::Product(product, inputs, raw) => {
            let raw = &mut raw[..x.pixels() * block.width];
            product.block(inputs, block.start, block.width, raw);
            Rows::new(raw, block.width)
        }
    };
    let (start, end) = (block.start, block.start + block.width);
    x.with_factors(start..end, |factors| {
        for y in 0..x.h {
            let to = RowsMut::new(plane.line(y, block.padded, out), block.padded);
            let z = Rows::new(&z.data[y * x.w * z.row..], z.row);
            passes::apply(x.act, factors, (x.w, block.width), z, to);
        }
    });
    match &x.gate {
        None => {}
        Some(Gate::Map(map)) => {
            let map = &map[image * x.pixels()..][..x.pixels()];
            plane.fill(block.width, out, |pixel, values| {
                values.iter_mut().for_each(|v| *v *= map[pixel]);
            });
        }
        Some(Gate::Channel(factors)) => {
            let factors = &factors[image * x.c..][start..end];
            plane.fill(block.width, out, |_, values| {
                values.iter_mut().zip(factors).for_each(|(v, f)| *v *= *f);
            });
        }
    }
    z
}

/// Writes a block of one image's output gradient, batch norm's backward applied, into the interior of a plane.
fn read_gradient<E: Real>(
    out: &Value<E>,
    image: usize,
    gradient: &[E],
    lazy: Option<&LazyGrad<E>>,
    block: Block,
    plane: Plane,
    to: &mut [E],
) {
    // A depthwise convolution's own output is always kept.
    let Data::Kept(data) = &out.stored.data else { return };
    let z = &data[image * out.per_image()..][..out.per_image()];
    let range = block.start..block.start + block.width;
    for y in 0..out.h {
        let to = RowsMut::new(plane.line(y, block.padded, to), block.padded);
        let at = y * out.w * out.c + block.start;
        let (dy, z) = (Rows::new(&gradient[at..], out.c), Rows::new(&z[at..], out.c));
        let extent = (out.w, block.width);
        match lazy {
            None => passes::copy(extent, dy, to),
            Some(LazyGrad { a, b, c }) => {
                let factors = [&a[range.clone()], &b[range.clone()], &c[range.clone()]];
                passes::finish(factors, extent, dy, z, to);
            }
        }
    }
}
