//! 1x1 convolution and linear layer: one matrix product over the rows (pixels of all images).
//!
//! out\[r, o\] = sum over i of a\[r, i\] * weight\[o, i\] (+ bias\[o\]), tile by tile: the input's pending parts are applied to
//! a tile in cache, and the output's statistics are gathered while the tile is there.

use crate::engine::grad;
use crate::engine::ops::matmul::bf16::Units;
use crate::engine::ops::matmul::{Epilogue, Mat, Packed, Right, matmul};
use crate::engine::ops::norm::Sums;
use crate::engine::ops::norm::moments::Moments;
use crate::engine::ops::{Share, input_grad_parts, put_shares, tile_rows};
use crate::engine::pool::Buf;
use crate::engine::real::{Flat, Real};
use crate::engine::simd::{for_lanes, load, vectorized};
use crate::engine::value::{Context, Value};
use crate::engine::workers::{chunks, split};

/// The layer on `x`: `weight` is `(out, in)`, `bias` `(out)`. With `moments`, also each chunk's statistics.
pub fn forward<E: Real>(
    context: &mut Context<E>,
    x: &Value<E>,
    weight: &Flat<E>,
    bias: Option<&Flat<E>>,
    out_channels: usize,
    moments: bool,
) -> (Value<E>, Vec<Moments>) {
    let (images, pixels, cin, cout) = (x.images(), x.pixels(), x.c, out_channels);
    let units = units(context, x);
    let weights = Packed::with(units, cin, cout, Mat::transposed(&grad::values(weight), cin));
    let biases = bias.map(grad::values);
    let with_bias = || Epilogue { bias: biases.as_deref(), ..Epilogue::plain() };
    let tile = tile_rows(cin.max(cout));
    let mut data = Buf::take(images * pixels * cout);
    let parts = chunks(images).into_iter().zip(split(&mut data, images, pixels * cout)).collect();
    let statistics = context.workers.map(parts, |(range, out)| {
        let mut scratch = Buf::take(tile * cin);
        let mut gathered = Moments::new(cout);
        let first = range.start * pixels;
        for (t, out) in out.chunks_mut(tile * cout).enumerate() {
            let rows = out.len() / cout;
            let at = first + t * tile;
            let a = Mat::rows(x.rows(at..at + rows, &mut scratch), cin);
            let mut epilogue = with_bias();
            if moments {
                epilogue.tally = Some(gathered.tally(rows));
            }
            matmul((rows, cout, cin), out, a, Right::Packed(&weights), epilogue);
        }
        gathered
    });
    let out = Value::plain(data, images, (x.h, x.w, cout), true);
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
        let Some(mut dz) = out.grad.take() else { return Ok(()) };
        let lazy = out.stored.take_lazy();
        let weights = Packed::with(units, cout, cin, Mat::rows(&grad::values(&weight), cin));
        let (mut dx, accumulate) = if x.needs_grad { x.grad_target() } else { (Buf::take(0), false) };
        let dx_parts = input_grad_parts(&mut dx, x.needs_grad, images, x.per_image());
        let dz_parts = split(&mut dz, images, pixels * cout);
        let parts = chunks(images).into_iter().zip(dz_parts).zip(dx_parts).collect();
        let early = x.early.as_deref().filter(|_| x.needs_grad && !accumulate);
        let shares = workers.map(parts, |((range, dz), mut dx)| {
            let mut scratch = Buf::take(tile * cin);
            let mut dw = Buf::zeros(cout * cin);
            let mut db = vec![0.0; cout];
            let mut sums = early.map(|_| Sums::new(cin));
            let first = range.start * pixels;
            for (t, dz) in dz.chunks_mut(tile * cout).enumerate() {
                let rows = dz.len() / cout;
                let at = first + t * tile;
                if let Some(lazy) = &lazy {
                    lazy.apply(dz, &out.stored.data[at * cout..(at + rows) * cout]);
                }
                let a = x.rows(at..at + rows, &mut scratch);
                let dz_t = Mat::transposed(dz, cout);
                let a = Right::rows(units, a);
                matmul((cout, cin, rows), &mut dw, dz_t, a, Epilogue::accumulating(true));
                if bias.is_some() {
                    sum_rows(dz, &mut db);
                }
                if let Some(dx) = &mut dx {
                    let dx = &mut dx[t * tile * cin..][..rows * cin];
                    let dz = Mat::rows(dz, cout);
                    matmul(
                        (rows, cin, cout),
                        dx,
                        dz,
                        Right::Packed(&weights),
                        Epilogue::accumulating(accumulate),
                    );
                    if let (Some(early), Some(sums)) = (early, &mut sums) {
                        early.run(&x, at, dx, sums);
                    }
                }
            }
            Share { dw, db, sums }
        });
        put_shares(grads, (&weight, bias.as_ref()), early, shares, |dw: Buf<E>| dw.into_values())?;
        drop(dz);
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
