//! Any convolution: the image's patches as rows, then one matrix product per group.
//!
//! The stem's 3x3 and grouped 1x1 convolutions come here; what has an op of its own (`pointwise`, `depthwise`) does not.

mod patches;

use crate::engine::grad;
use crate::engine::ops::matmul::{Epilogue, Mat, Packed, Right, matmul};
use crate::engine::ops::norm::moments::Moments;
use crate::engine::ops::pointwise::{add_bias, sum_rows};
use crate::engine::ops::{Share, input_grad_parts, put_shares, tile_rows};
use crate::engine::pool::Buf;
use crate::engine::real::{Flat, Real};
use crate::engine::simd::vectorized;
use crate::engine::value::{Context, Value};
use crate::engine::workers::{chunks, split};
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
    let weights = grad::values(weight);
    let biases = bias.map(grad::values);
    let images = x.images();
    let per_image = geometry.out_pixels() * geometry.out_channels;
    let mut data = Buf::take(images * per_image);
    let parts = chunks(images).into_iter().zip(split(&mut data, images, per_image)).collect();
    let statistics = context.workers.map(parts, |(range, out)| {
        let mut scratch = Buf::take(x.per_image());
        let mut patches = Buf::take(geometry.patches_len());
        let mut gathered = Moments::new(geometry.out_channels);
        for (image, out) in range.zip(out.chunks_mut(per_image)) {
            let rows = x.rows(image * x.pixels()..(image + 1) * x.pixels(), &mut scratch);
            let patches = geometry.gather(rows, &mut patches);
            product(&geometry, patches, &weights, out);
            if let Some(biases) = &biases {
                add_bias(out, biases);
            }
            if moments {
                let tile = tile_rows(geometry.out_channels) * geometry.out_channels;
                out.chunks(tile).for_each(|tile| gathered.add(tile));
            }
        }
        gathered
    });
    let shape = (geometry.out.0, geometry.out.1, geometry.out_channels);
    let out = Value::plain(data, images, shape, true);
    record_backward(context, x.clone(), out.clone(), weight.clone(), bias.cloned(), geometry);
    (out, statistics)
}

/// out\[r, g*og + o\] = sum over i of patches\[r, g, i\] * weight\[g*og + o, i\].
fn product<E: Real>(geometry: &Geometry, patches: &[E], weights: &[E], out: &mut [E]) {
    let (rows, width) = (geometry.out_pixels(), geometry.patch());
    let outputs = geometry.out_channels;
    if geometry.groups == 1 {
        let weights = Packed::new(width, outputs, Mat::transposed(weights, width));
        let patches = Mat::rows(patches, width);
        matmul((rows, outputs, width), out, patches, Right::Packed(&weights), Epilogue::plain());
        return;
    }
    let each = outputs / geometry.groups;
    vectorized(
        #[inline(always)]
        || {
            for (patch, out) in
                patches.chunks_exact(width * geometry.groups).zip(out.chunks_exact_mut(outputs))
            {
                for (g, out) in out.chunks_exact_mut(each).enumerate() {
                    let patch = &patch[g * width..][..width];
                    for (o, out) in out.iter_mut().enumerate() {
                        let weights = &weights[(g * each + o) * width..][..width];
                        *out = patch.iter().zip(weights).fold(E::ZERO, |sum, (p, w)| p.fma(*w, sum));
                    }
                }
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
    geometry: Geometry,
) {
    let workers = context.workers.clone();
    context.record(move |grads| {
        let Some(mut dz) = out.take_grad() else { return Ok(()) };
        let weights = grad::values(&weight);
        let images = x.images();
        let (mut dx, accumulate) = if x.needs_grad { x.grad_target() } else { (Buf::take(0), false) };
        let dx_parts = input_grad_parts(&mut dx, x.needs_grad, images, x.per_image());
        let dz_parts = split(&mut dz, images, out.per_image());
        let parts = chunks(images).into_iter().zip(dz_parts).zip(dx_parts).collect();
        let shares = workers.map(parts, |((range, dz), mut dx)| {
            let mut scratch = Buf::take(x.per_image());
            let mut patches = Buf::take(geometry.patches_len());
            let mut d_patches = Buf::take(if dx.is_some() { geometry.patches_len() } else { 0 });
            let mut dw = Buf::zeros(weights.len());
            let mut db = vec![0.0; geometry.out_channels];
            for (i, image) in range.enumerate() {
                let dz = &dz[i * out.per_image()..][..out.per_image()];
                let rows = x.rows(image * x.pixels()..(image + 1) * x.pixels(), &mut scratch);
                let patches = geometry.gather(rows, &mut patches);
                weight_grad(&geometry, patches, dz, &mut dw);
                if bias.is_some() {
                    sum_rows(dz, &mut db);
                }
                if let Some(dx) = &mut dx {
                    let dx = &mut dx[i * x.per_image()..][..x.per_image()];
                    patch_grad(&geometry, dz, &weights, &mut d_patches);
                    geometry.scatter(&d_patches, dx, accumulate);
                }
            }
            Share { dw, db, sums: None }
        });
        put_shares(grads, (&weight, bias.as_ref()), None, shares)?;
        drop(dz);
        if x.needs_grad {
            x.grad.put(dx);
        }
        Ok(())
    });
}

/// Adds one image's share to the weight gradient.
fn weight_grad<E: Real>(geometry: &Geometry, patches: &[E], dz: &[E], dw: &mut [E]) {
    let (rows, width, outputs) = (geometry.out_pixels(), geometry.patch(), geometry.out_channels);
    if geometry.groups == 1 {
        let dz = Mat::transposed(dz, outputs);
        matmul((outputs, width, rows), dw, dz, Right::Rows(patches), Epilogue::accumulating(true));
        return;
    }
    let each = outputs / geometry.groups;
    for (patch, dz) in patches.chunks_exact(width * geometry.groups).zip(dz.chunks_exact(outputs)) {
        for (o, (d, dw)) in dz.iter().zip(dw.chunks_exact_mut(width)).enumerate() {
            let patch = &patch[o / each * width..][..width];
            dw.iter_mut().zip(patch).for_each(|(w, p)| *w = p.fma(*d, *w));
        }
    }
}

/// Gradient of one image's patches.
fn patch_grad<E: Real>(geometry: &Geometry, dz: &[E], weights: &[E], d_patches: &mut [E]) {
    let (rows, width, outputs) = (geometry.out_pixels(), geometry.patch(), geometry.out_channels);
    if geometry.groups == 1 {
        let dz = Mat::rows(dz, outputs);
        matmul((rows, width, outputs), d_patches, dz, Right::Rows(weights), Epilogue::plain());
        return;
    }
    let each = outputs / geometry.groups;
    d_patches.fill(E::ZERO);
    for (patch, dz) in d_patches.chunks_exact_mut(width * geometry.groups).zip(dz.chunks_exact(outputs)) {
        for (o, (d, weights)) in dz.iter().zip(weights.chunks_exact(width)).enumerate() {
            let patch = &mut patch[o / each * width..][..width];
            patch.iter_mut().zip(weights).for_each(|(p, w)| *p = w.fma(*d, *p));
        }
    }
}
