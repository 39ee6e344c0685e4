//! Any convolution: tiles of patches as rows, then one matrix product per group.
//!
//! The stem's 3x3 and grouped 1x1 convolutions come here; what has an op of its own (`pointwise`, `depthwise`) does not.

mod groups;
mod patches;

use std::ops::Range;

use crate::engine::grad;
use crate::engine::ops::norm::moments::Moments;
use crate::engine::ops::pointwise::sum_rows;
use crate::engine::ops::{Share, input_grad_parts, put_shares};
use crate::engine::pool::Buf;
use crate::engine::real::{Flat, Real};
use crate::engine::simd::vectorized;
use crate::engine::value::{Context, Value};
use crate::engine::workers::{chunks, split};
pub use groups::{Groups, Weights};
pub use patches::Geometry;

/// The layer on `x`: `weight` is `(O, I/groups, K, K)`, `bias` `(O)`. With `moments`, also each chunk's statistics.
pub fn forward<E: Real>(
    context: &mut Context<E>,
    x: &Value<E>,
    weight: &Flat<E>,
    bias: Option<&Flat<E>>,
    geometry: Geometry,
    moments: bool,
) -> (Value<E>, Vec<Moments>) {
    let groups = geometry.groups();
    let weights = Weights::forwards(groups, &geometry.taps_first(&grad::values(weight)));
    let biases = bias.map(grad::values);
    let (images, pixels, outputs) = (x.images(), geometry.out_pixels(), geometry.out_channels);
    let mut data = Buf::take(images * pixels * outputs);
    let parts = chunks(images).into_iter().zip(split(&mut data, images, pixels * outputs)).collect();
    let statistics = context.workers.map(parts, |(range, out)| {
        let mut scratch = Buf::take(groups.scratch(geometry.tile()));
        let mut gathered = Moments::new(outputs);
        let first = range.start * pixels;
        tiles(&geometry, x, range, |rows, patches| {
            let out = &mut out[(rows.start - first) * outputs..(rows.end - first) * outputs];
            let moments = moments.then_some(&mut gathered);
            weights.forward(patches, biases.as_deref(), &mut scratch, out, moments);
        });
        gathered
    });
    let shape = (geometry.out.0, geometry.out.1, outputs);
    let out = Value::plain(data, images, shape, true);
    record_backward(context, x.clone(), out.clone(), weight.clone(), bias.cloned(), geometry);
    (out, statistics)
}

/// Calls `visit(rows of the output, their patches)` for tile after tile of a chunk of images.
fn tiles<E: Real>(
    geometry: &Geometry,
    x: &Value<E>,
    images: Range<usize>,
    mut visit: impl FnMut(Range<usize>, &[E]),
) {
    let (tile, pixels) = (geometry.tile(), geometry.out_pixels());
    let read = if geometry.is_image() { tile * x.c } else { x.per_image() };
    let mut scratch = Buf::take(if x.is_kept() { 0 } else { read });
    if geometry.is_image() {
        let end = images.end * pixels;
        for start in (images.start * pixels..end).step_by(tile) {
            let rows = start..end.min(start + tile);
            visit(rows.clone(), x.rows(rows, &mut scratch));
        }
        return;
    }
    let mut patches = Buf::take(tile * geometry.patch());
    for image in images {
        let values = x.rows(image * x.pixels()..(image + 1) * x.pixels(), &mut scratch);
        for start in (0..pixels).step_by(tile) {
            let rows = start..pixels.min(start + tile);
            let patches = &mut patches[..rows.len() * geometry.patch()];
            geometry.gather(values, rows.clone(), patches);
            visit(image * pixels + rows.start..image * pixels + rows.end, patches);
        }
    }
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
        let Some(dy) = out.grad.take_shared() else { return Ok(()) };
        let lazy = out.stored.take_lazy();
        let (groups, tile) = (geometry.groups(), geometry.tile());
        let plain = grad::values(&weight);
        let weights = x.needs_grad.then(|| Weights::backwards(groups, &geometry.taps_first(&plain)));
        let (images, pixels, outputs) = (x.images(), geometry.out_pixels(), geometry.out_channels);
        let (mut dx, accumulate) = if x.needs_grad { x.grad_target() } else { (Buf::take(0), false) };
        let dx_parts = input_grad_parts(&mut dx, x.needs_grad, images, x.per_image());
        let parts = chunks(images).into_iter().zip(dx_parts).collect();
        let shares = workers.map(parts, |(range, mut dx)| {
            let mut scratch = Buf::take(groups.scratch(tile));
            let mut dz_tile = Buf::take(if lazy.is_some() { tile * outputs } else { 0 });
            let mut d_patches = Buf::take(if x.needs_grad { tile * geometry.patch() } else { 0 });
            let mut dw = Buf::zeros(plain.len());
            let mut db = vec![0.0; outputs];
            if let (Some(dx), false) = (&mut dx, accumulate || geometry.is_image()) {
                dx.fill(E::ZERO);
            }
            let first = range.start;
            tiles(&geometry, &x, range, |rows, patches| {
                let mut dz = &dy[rows.start * outputs..rows.end * outputs];
                if let Some(lazy) = &lazy {
                    // The convolution's own output is kept: reading it takes no scratch.
                    let z = out.raw_rows(rows.clone(), &mut []);
                    let to = &mut dz_tile[..dz.len()];
                    lazy.read(dz, z, to);
                    dz = to;
                }
                groups.weight_grad(patches, dz, &mut scratch, &mut dw);
                if bias.is_some() {
                    sum_rows(dz, &mut db);
                }
                let (Some(dx), Some(weights)) = (&mut dx, &weights) else { return };
                let of_rows = (rows.start - first * pixels) * x.c..(rows.end - first * pixels) * x.c;
                if geometry.is_image() && !accumulate {
                    return weights.backward(dz, &mut scratch, &mut dx[of_rows]);
                }
                let d_patches = &mut d_patches[..rows.len() * geometry.patch()];
                weights.backward(dz, &mut scratch, d_patches);
                if geometry.is_image() {
                    return add(&mut dx[of_rows], d_patches);
                }
                let image = rows.start / pixels;
                let rows = rows.start - image * pixels..rows.end - image * pixels;
                geometry.scatter(
                    d_patches,
                    rows,
                    &mut dx[(image - first) * x.per_image()..][..x.per_image()],
                );
            });
            Share { dw: geometry.taps_last(groups.finish(dw)), db, sums: None }
        });
        put_shares(grads, (&weight, bias.as_ref()), None, shares)?;
        drop(dy);
        if x.needs_grad {
            x.grad.put(dx);
        }
        Ok(())
    });
}

fn add<E: Real>(sum: &mut [E], more: &[E]) {
    vectorized(
        #[inline(always)]
        || sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += *more),
    );
}
