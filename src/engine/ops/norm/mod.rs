//! Batch norm and activation as pending parts of an activation; their backward.
//!
//! Forward costs nothing per pixel. Backward, for y = scale*z + shift and a = f(y): one pass turns da into
//! dy = da*f'(y) and sums dy and dy*(z - mean) per channel; dz = A*dy + B*z + C is left to whoever reads it next.

mod backward;
pub mod moments;

use std::sync::Arc;

use dfdx::prelude::CpuError;

use crate::engine::act::Act;
use crate::engine::grad::{self, Grads, Slot, owned};
use crate::engine::ops::passes::{Rows, RowsMut};
use crate::engine::pool::Buf;
use crate::engine::real::{Flat, Real};
use crate::engine::value::{Affine, Context, LazyGrad, Value};
use crate::engine::workers::{Workers, chunks, split};
pub use backward::{EarlyPass, Sums};

/// Batch statistics of one batch norm and its parameters.
pub struct BatchNorm<E: Real> {
    pub mean: Vec<f64>,
    /// Biased variance.
    pub variance: Vec<f64>,
    pub gamma: Flat<E>,
    pub beta: Flat<E>,
    /// Added to the variance.
    pub eps: f64,
    /// Whether mean and variance are of this batch, so that gradients flow through them; else they are constants.
    pub of_batch: bool,
}

/// Leaves batch norm (if any) and an activation pending on `x`, whose stored values are its input.
///
/// `slope` is the parameter of PReLU. `x` must be plain. With `sole_reader` one op alone will read the result, and may do
/// the first pass of the backward itself.
pub fn forward<E: Real>(
    context: &mut Context<E>,
    x: &Value<E>,
    norm: Option<BatchNorm<E>>,
    act: Act<E>,
    slope: Option<Flat<E>>,
    sole_reader: bool,
) -> Value<E> {
    debug_assert!(x.is_plain());
    let affine = norm.as_ref().map(|norm| {
        let (gamma, beta) = (grad::values(&norm.gamma), grad::values(&norm.beta));
        let scale: Vec<f64> =
            (0..x.c).map(|i| gamma[i].wide() / (norm.variance[i] + norm.eps).sqrt()).collect();
        let shift = (0..x.c).map(|i| E::of(beta[i].wide() - norm.mean[i] * scale[i])).collect();
        Arc::new(Affine { scale: scale.into_iter().map(E::of).collect(), shift })
    });
    let needs_grad = x.needs_grad || norm.is_some() || slope.is_some();
    let mean = match &norm {
        Some(norm) => norm.mean.iter().map(|m| E::of(*m)).collect(),
        None => vec![E::ZERO; x.c],
    };
    let pass = Arc::new(EarlyPass::new(mean));
    let early = sole_reader.then(|| pass.clone());
    let out = Value { grad: Slot::new(), needs_grad, norm: affine, act, early, ..x.clone() };
    let (x, view) = (x.clone(), out.clone());
    let workers = context.workers.clone();
    context.record(move |grads| {
        let Some(da) = view.grad.take_shared() else { return Ok(()) };
        let (da, parts) = match pass.take() {
            Some(parts) => (da, parts),
            None => late(&pass, &view, &workers, da),
        };
        let mut sums = Sums::merge(view.c, parts);
        if let Some(norm) = &norm {
            sums.centre::<E>(&norm.mean);
        }
        if let Some(slope) = &slope {
            grad::add_param(grads, slope, [E::of(sums.slope)])?;
        }
        match &norm {
            None if !x.needs_grad => Ok(()),
            None => {
                x.add_shared_grad(da);
                Ok(())
            }
            Some(norm) => put_input_grad(grads, &x, norm, &sums, da),
        }
    });
    out
}

/// The first pass over the whole of da, which nobody did on the way: dy and the sums of all chunks.
fn late<E: Real>(
    pass: &EarlyPass<E>,
    view: &Value<E>,
    workers: &Workers,
    da: Arc<Buf<E>>,
) -> (Arc<Buf<E>>, Vec<Sums>) {
    let (images, pixels, c) = (view.images(), view.pixels(), view.c);
    let tile = super::tile_rows(c);
    // Without an activation dy is da, which others may still read.
    let mut dy = (view.act != Act::Identity).then(|| Buf::take(da.len()));
    let dy_parts: Vec<_> = match &mut dy {
        Some(dy) => split(dy, images, pixels * c).into_iter().map(Some).collect(),
        None => chunks(images).iter().map(|_| None).collect(),
    };
    let parts = workers.map(chunks(images).into_iter().zip(dy_parts).collect(), |(images, mut dy)| {
        let mut sums = Sums::new(c);
        let mut raw = Buf::take(view.raw_scratch(tile));
        let mut unread = Buf::take(if dy.is_some() { 0 } else { tile * c });
        let rows = images.start * pixels..images.end * pixels;
        for first in rows.clone().step_by(tile) {
            let tile = first..rows.end.min(first + tile);
            let da = &da[tile.start * c..tile.end * c];
            let dy = match &mut dy {
                Some(dy) => &mut dy[(first - rows.start) * c..][..da.len()],
                None => &mut unread[..da.len()],
            };
            let z = Rows::new(view.raw_rows(tile, &mut raw), c);
            pass.run(view, 0..c, Rows::new(da, c), z, RowsMut::new(dy, c), &mut sums);
        }
        sums
    });
    (dy.map_or(da, Arc::new), parts)
}

/// Parameter gradients of a batch norm, and its input's gradient as dy with A, B and C.
fn put_input_grad<E: Real>(
    grads: &mut Grads<E>,
    x: &Value<E>,
    norm: &BatchNorm<E>,
    sums: &Sums,
    dy: Arc<Buf<E>>,
) -> Result<(), CpuError> {
    let rows = (x.images() * x.pixels()) as f64;
    let gamma = grad::values(&norm.gamma);
    let rstd: Vec<f64> = norm.variance.iter().map(|v| 1.0 / (v + norm.eps).sqrt()).collect();
    grad::add_param(grads, &norm.gamma, (0..x.c).map(|i| E::of(sums.centred[i] * rstd[i])))?;
    grad::add_param(grads, &norm.beta, sums.dy.iter().map(|s| E::of(*s)))?;
    if !x.needs_grad {
        return Ok(());
    }
    let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..x.c {
        let scale = gamma[i].wide() * rstd[i];
        let (mean_dy, mean_centred) =
            if norm.of_batch { (sums.dy[i] / rows, sums.centred[i] / rows) } else { (0.0, 0.0) };
        let slope = -scale * rstd[i] * rstd[i] * mean_centred;
        // The constant makes up for the rounding of the factors: over all rows dz must sum to nothing.
        let (scale, slope) = (E::of(scale), E::of(slope));
        a.push(scale);
        b.push(slope);
        c.push(E::of(-scale.wide() * mean_dy - slope.wide() * norm.mean[i]));
    }
    let lazy = LazyGrad { a, b, c };
    match x.take_grad() {
        None => {
            x.stored.put_lazy(lazy);
            x.grad.put_shared(dy);
        }
        Some(sum) => {
            let mut dz = owned(dy);
            lazy.apply_all(&mut dz, x);
            x.grad.put(sum);
            x.add_grad(dz);
        }
    }
    Ok(())
}
