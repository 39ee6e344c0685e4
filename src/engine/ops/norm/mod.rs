//! Batch norm and activation as pending parts of an activation; their backward.
//!
//! Forward costs nothing per pixel. Backward, for y = scale*z + shift and a = f(y): one pass turns da into
//! dy = da*f'(y) and sums dy and dy*(z - mean) per channel; dz = A*dy + B*z + C is left to whoever reads it next.

pub mod moments;

use std::sync::Arc;

use dfdx::prelude::CpuError;

use crate::engine::act::{Act, ActFn, with_act};
use crate::engine::grad::{self, Grads};
use crate::engine::pool::Buf;
use crate::engine::real::{Flat, Real};
use crate::engine::simd::{for_lanes, load, vectorized};
use crate::engine::value::{Affine, Context, LazyGrad, Value};
use crate::engine::workers::{chunks, split};

/// Added to the variance, as PyTorch's default.
pub const EPS: f64 = 1e-5;

/// Batch statistics of one batch norm and its parameters.
pub struct BatchNorm<E: Real> {
    pub mean: Vec<f64>,
    /// Biased variance.
    pub variance: Vec<f64>,
    pub gamma: Flat<E>,
    pub beta: Flat<E>,
    /// Whether mean and variance are of this batch, so that gradients flow through them; else they are constants.
    pub of_batch: bool,
}

/// Leaves batch norm (if any) and an activation pending on `x`, whose stored values are its input.
///
/// `slope` is the parameter of PReLU. `x` must be plain.
pub fn forward<E: Real>(
    context: &mut Context<E>,
    x: &Value<E>,
    norm: Option<BatchNorm<E>>,
    act: Act<E>,
    slope: Option<Flat<E>>,
) -> Value<E> {
    debug_assert!(x.is_plain());
    let affine = norm.as_ref().map(|norm| {
        let (gamma, beta) = (grad::values(&norm.gamma), grad::values(&norm.beta));
        let scale: Vec<f64> = (0..x.c).map(|i| gamma[i].wide() / (norm.variance[i] + EPS).sqrt()).collect();
        let shift = (0..x.c).map(|i| E::of(beta[i].wide() - norm.mean[i] * scale[i])).collect();
        Arc::new(Affine { scale: scale.into_iter().map(E::of).collect(), shift })
    });
    let needs_grad = x.needs_grad || norm.is_some() || slope.is_some();
    let out = Value { token: grad::token(), needs_grad, norm: affine, act, ..x.clone() };
    let (x, view) = (x.clone(), out.clone());
    let workers = context.workers.clone();
    context.record(move |grads| {
        let Some(mut da) = grad::take(grads, &view.token)? else { return Ok(()) };
        let mean: Vec<E> = norm.iter().flat_map(|norm| norm.mean.iter().map(|m| E::of(*m))).collect();
        let mean = if mean.is_empty() { vec![E::ZERO; view.c] } else { mean };
        let per_image = view.per_image();
        let parts = chunks(view.images()).into_iter().zip(split(&mut da, view.images(), per_image));
        let parts = workers.map(parts.collect(), |(images, da)| {
            let z = &view.stored.data[images.start * per_image..images.end * per_image];
            let mut sums = Sums::new(view.c);
            let tile = super::tile_rows(view.c) * view.c;
            for (da, z) in da.chunks_mut(tile).zip(z.chunks(tile)) {
                vectorized(
                    #[inline(always)]
                    || with_act!(view.act, f => sums.pass(da, z, view.norm.as_deref(), &mean, f)),
                );
            }
            sums
        });
        let sums = Sums::merge(view.c, parts);
        if let Some(slope) = &slope {
            grad::add_param(grads, slope, [E::of(sums.slope)])?;
        }
        match &norm {
            None if !x.needs_grad => Ok(()),
            None => x.add_grad(grads, da),
            Some(norm) => put_input_grad(grads, &x, norm, &sums, da),
        }
    });
    out
}

/// Parameter gradients of a batch norm, and its input's gradient as dy with A, B and C.
fn put_input_grad<E: Real>(
    grads: &mut Grads<E>,
    x: &Value<E>,
    norm: &BatchNorm<E>,
    sums: &Sums,
    dy: Buf<E>,
) -> Result<(), CpuError> {
    let rows = (x.images() * x.pixels()) as f64;
    let gamma = grad::values(&norm.gamma);
    let rstd: Vec<f64> = norm.variance.iter().map(|v| 1.0 / (v + EPS).sqrt()).collect();
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
        a.push(E::of(scale));
        b.push(E::of(slope));
        c.push(E::of(-scale * mean_dy - slope * norm.mean[i]));
    }
    let lazy = LazyGrad { a, b, c };
    match x.take_grad(grads)? {
        None => {
            x.stored.put_lazy(lazy);
            grad::put(grads, &x.token, dy)
        }
        Some(sum) => {
            let mut dz = dy;
            lazy.apply(&mut dz, &x.stored.data);
            grad::put(grads, &x.token, sum)?;
            x.add_grad(grads, dz)
        }
    }
}

/// Per-channel sums of a backward pass.
struct Sums {
    dy: Vec<f64>,
    /// Of dy * (z - mean).
    centred: Vec<f64>,
    /// Of da * min(y, 0): PReLU's slope.
    slope: f64,
}

impl Sums {
    fn new(channels: usize) -> Self {
        Self { dy: vec![0.0; channels], centred: vec![0.0; channels], slope: 0.0 }
    }

    /// Turns a tile of da into dy and adds to the sums.
    #[inline(always)]
    fn pass<E: Real>(
        &mut self,
        da: &mut [E],
        z: &[E],
        norm: Option<&Affine<E>>,
        mean: &[E],
        f: impl ActFn<E>,
    ) {
        let channels = self.dy.len();
        for_lanes!(channels, c0, L => self.lanes::<E, L>(da, z, norm, mean, f, c0));
    }

    #[inline(always)]
    fn lanes<E: Real, const L: usize>(
        &mut self,
        da: &mut [E],
        z: &[E],
        norm: Option<&Affine<E>>,
        mean: &[E],
        f: impl ActFn<E>,
        c0: usize,
    ) {
        let channels = self.dy.len();
        let (scale, shift): ([E; L], [E; L]) = match norm {
            None => ([E::ONE; L], [E::ZERO; L]),
            Some(norm) => (load(&norm.scale, c0), load(&norm.shift, c0)),
        };
        let mean: [E; L] = load(mean, c0);
        let (mut sum, mut centred, mut slope) = ([E::ZERO; L], [E::ZERO; L], [E::ZERO; L]);
        for (da, z) in da.chunks_exact_mut(channels).zip(z.chunks_exact(channels)) {
            let (z, g): ([E; L], [E; L]) = (load(z, c0), load(da, c0));
            let mut dy = [E::ZERO; L];
            for i in 0..L {
                let y = z[i].fma(scale[i], shift[i]);
                dy[i] = g[i] * f.slope(y);
                sum[i] += dy[i];
                centred[i] = dy[i].fma(z[i] - mean[i], centred[i]);
                let below = if y < E::ZERO { y } else { E::ZERO };
                slope[i] = g[i].fma(below, slope[i]);
            }
            da[c0..c0 + L].copy_from_slice(&dy);
        }
        for i in 0..L {
            self.dy[c0 + i] += sum[i].wide();
            self.centred[c0 + i] += centred[i].wide();
            self.slope += slope[i].wide();
        }
    }

    fn merge(channels: usize, parts: Vec<Self>) -> Self {
        let mut total = Self::new(channels);
        for part in parts {
            for i in 0..channels {
                total.dy[i] += part.dy[i];
                total.centred[i] += part.centred[i];
            }
            total.slope += part.slope;
        }
        total
    }
}
