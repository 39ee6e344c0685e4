//! 1x1 convolution and linear layer: one matrix product over the rows (pixels of all images).
//!
//! out\[r, o\] = sum over i of a\[r, i\] * weight\[o, i\] (+ bias\[o\]), tile by tile: the input's pending parts are applied to
//! a tile in cache, and the output's statistics are gathered while the tile is there.

mod recompute;

use std::ops::Range;

use crate::engine::grad;
use crate::engine::ops::matmul::bf16::Units;
use crate::engine::ops::matmul::{Epilogue, Mat, Packed, Right, matmul};
use crate::engine::ops::norm::Sums;
use crate::engine::ops::norm::moments::Moments;
use crate::engine::ops::passes::{Rows, RowsMut};
use crate::engine::ops::{Share, input_grad_parts, put_shares, tile_rows};
use crate::engine::pool::Buf;
use crate::engine::real::{Flat, Real};
use crate::engine::simd::{for_lanes, load, vectorized};
use crate::engine::value::{Context, Data, Value};
use crate::engine::workers::{chunks, split};
pub use recompute::Recompute;

/// What becomes of the output.
pub enum Output {
    Kept,
    /// Only its statistics are: readers compute it anew. The channel blocks that a reader asks for one by one.
    Recomputed(Vec<Range<usize>>),
}

/// The layer on `x`: `weight` is `(out, in)`, `bias` `(out)`. With `moments`, also each chunk's statistics.
pub fn forward<E: Real>(
    context: &mut Context<E>,
    x: &Value<E>,
    weight: &Flat<E>,
    bias: Option<&Flat<E>>,
    output: Output,
    moments: bool,
) -> (Value<E>, Vec<Moments>) {
    let (images, pixels, cin) = (x.images(), x.pixels(), x.c);
    let plain = grad::values(weight);
    let cout = plain.len() / cin;
    let units = units(context, x);
    let weights = Packed::with(units, cin, cout, Mat::transposed(&plain, cin));
    let biases = bias.map(grad::values);
    let tile = tile_rows(cin.max(cout));
    let product = |rows: Range<usize>, scratch: &mut [E], out: &mut [E], gathered: &mut Moments| {
        let tally = moments.then(|| gathered.tally(rows.len()));
        let next = [x.raw_source(rows.end..rows.end + tile), &[]];
        let epilogue = Epilogue { bias: biases.as_deref(), tally, next, ..Epilogue::plain() };
        let a = Mat::rows(x.rows(rows.clone(), scratch), cin);
        matmul((rows.len(), cout, cin), out, a, Right::Packed(&weights), epilogue);
    };
    let shape = (x.h, x.w, cout);
    let (out, statistics) = match output {
        Output::Kept => {
            let mut data = Buf::take(images * pixels * cout);
            let parts = chunks(images).into_iter().zip(split(&mut data, images, pixels * cout)).collect();
            let statistics = context.workers.map(parts, |(range, out)| {
                let mut scratch = Buf::take(tile * cin);
                let mut gathered = Moments::new(cout);
                for (t, out) in out.chunks_mut(tile * cout).enumerate() {
                    let at = range.start * pixels + t * tile;
                    product(at..at + out.len() / cout, &mut scratch, out, &mut gathered);
                }
                gathered
            });
            (Value::plain(data, images, shape, true), statistics)
        }
        Output::Recomputed(blocks) => {
            let statistics = context.workers.map(chunks(images), |range| {
                let (mut scratch, mut out) = (Buf::take(tile * cin), Buf::take(tile * cout));
                let mut gathered = Moments::new(cout);
                let end = range.end * pixels;
                for at in (range.start * pixels..end).step_by(tile) {
                    product(at..end.min(at + tile), &mut scratch, &mut out, &mut gathered);
                }
                gathered
            });
            let product = Recompute::new(units, x.clone(), &plain, biases.clone(), &blocks);
            (Value::of(Data::Recomputed(product), images, shape, true), statistics)
        }
    };
    record_backward(context, x.clone(), out.clone(), weight.clone(), bias.cloned());
    (out, statistics)
}

/// The units for products in bf16, where these are wanted: layers on a map of one pixel have little to gain and stay in f32.
fn units<E: Real>(context: &Context<E>, x: &Value<E>) -> Option<Units> {
    context.bf16.filter(|_| x.pixels() > 1)
}

/// Adds a bias to every row.
pub(crate) fn add_bias<E: Real>(out: &mut [E], biases: &[E]) {
    vectorized(
        #[inline(always)]
        || {
            for row in out.chunks_exact_mut(biases.len()) {
                row.iter_mut().zip(biases).for_each(|(o, b)| *o += *b);
            }
        },
    );
}

fn record_backward<E: Real>(
    context: &mut Context<E>,
    x: Value<E>,
    out: Value<E>,
    weight: Flat<E>,
    bias: Option<Flat<E>>,
) {
    let workers = context.workers.clone();
    let units = units(context, &x);
    let (images, pixels, cin, cout) = (x.images(), x.pixels(), x.c, out.c);
    let tile = tile_rows(cin.max(cout));
    context.record(move |grads| {
        let Some(dy) = out.grad.take_shared() else { return Ok(()) };
        let lazy = out.stored.take_lazy();
        let weights = Packed::with(units, cout, cin, Mat::rows(&grad::values(&weight), cin));
        let (mut dx, accumulate) = if x.needs_grad { x.grad_target() } else { (Buf::take(0), false) };
        let dx_parts = input_grad_parts(&mut dx, x.needs_grad, images, x.per_image());
        let parts = chunks(images).into_iter().zip(dx_parts).collect();
        let early = x.early.as_deref().filter(|_| x.needs_grad && !accumulate);
        let shares = workers.map(parts, |(range, mut dx)| {
            let mut scratch = Buf::take(tile * cin);
            let mut raw = Buf::take(out.raw_scratch(tile));
            let mut raw_x = Buf::take(if early.is_some() { x.raw_scratch(tile) } else { 0 });
            let mut dz_tile = Buf::take(if lazy.is_some() { tile * cout } else { 0 });
            let mut da_tile = Buf::take(if early.is_some() { tile * cin } else { 0 });
            let mut dw = Buf::take(cout * cin);
            let mut db = vec![0.0; cout];
            let mut sums = early.map(|_| Sums::new(cin));
            let first = range.start * pixels;
            for (t, dy_tile) in dy[first * cout..range.end * pixels * cout].chunks(tile * cout).enumerate() {
                let rows = dy_tile.len() / cout;
                let at = first + t * tile;
                let next = at + rows..at + rows + tile;
                let next_dy = &dy[dy.len().min(next.start * cout)..dy.len().min(next.end * cout)];
                let next_z = if lazy.is_some() { out.raw_source(next.clone()) } else { &[] };
                let dz = match &lazy {
                    None => dy_tile,
                    Some(lazy) => {
                        let dz = &mut dz_tile[..dy_tile.len()];
                        lazy.read(dy_tile, out.raw_rows(at..at + rows, &mut raw), dz);
                        dz
                    }
                };
                let a = x.rows(at..at + rows, &mut scratch);
                let dz_t = Mat::transposed(dz, cout);
                let epilogue = Epilogue { next: [next_dy, next_z], ..Epilogue::accumulating(t > 0) };
                matmul((cout, cin, rows), &mut dw, dz_t, Right::rows(units, a), epilogue);
                if bias.is_some() {
                    sum_rows(dz, &mut db);
                }
                let Some(dx) = &mut dx else { continue };
                let dx = &mut dx[t * tile * cin..][..rows * cin];
                let (dz, weights) = (Mat::rows(dz, cout), Right::Packed(&weights));
                if let (Some(early), Some(sums)) = (early, &mut sums) {
                    let da = &mut da_tile[..rows * cin];
                    let epilogue = Epilogue { next: [x.raw_source(next), &[]], ..Epilogue::plain() };
                    matmul((rows, cin, cout), da, dz, weights, epilogue);
                    let z = x.raw_rows(at..at + rows, &mut raw_x);
                    early.run(&x, 0..cin, Rows::new(da, cin), Rows::new(z, cin), RowsMut::new(dx, cin), sums);
                } else {
                    matmul((rows, cin, cout), dx, dz, weights, Epilogue::accumulating(accumulate));
                }
            }
            Share { dw, db, sums }
        });
        put_shares(grads, (&weight, bias.as_ref()), early, shares)?;
        drop(dy);
        if x.needs_grad {
            x.grad.put(dx);
        }
        Ok(())
    });
}

/// Adds every row to `sums`: within one tile in the rows' own precision, then in f64.
pub(crate) fn sum_rows<E: Real>(rows: &[E], sums: &mut [f64]) {
    vectorized(
        #[inline(always)]
        || for_lanes!(sums.len(), c0, L => sum_lanes::<E, L>(rows, c0, sums)),
    );
}

#[inline(always)]
fn sum_lanes<E: Real, const L: usize>(rows: &[E], c0: usize, sums: &mut [f64]) {
    let mut lanes = [E::ZERO; L];
    for row in rows.chunks_exact(sums.len()) {
        let values: [E; L] = load(row, c0);
        for i in 0..L {
            lanes[i] += values[i];
        }
    }
    for i in 0..L {
        sums[c0 + i] += lanes[i].wide();
    }
}
