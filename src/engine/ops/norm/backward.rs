//! The first pass of the norm's backward: da becomes dy, and the sums over rows that dz needs.
//!
//! Whoever computes da may do it tile by tile, while the tile is in cache; else the norm's own backward does it.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::engine::act::{ActFn, with_act};
use crate::engine::real::Real;
use crate::engine::simd::{for_lanes, load, vectorized};
use crate::engine::value::{Affine, Value};

/// The pass over one activation, and what it left when it was done early.
pub struct EarlyPass<E> {
    mean: Vec<E>,
    done: Mutex<Option<Vec<Sums>>>,
}

impl<E: Real> EarlyPass<E> {
    /// Of an activation with these means (zeros where there is no norm).
    pub fn new(mean: Vec<E>) -> Self {
        Self { mean, done: Mutex::new(None) }
    }

    /// Turns da of some rows into dy and adds to the sums, for the channels given. `da`, `z` (what the norm reads) and `dy`
    /// begin with the first of these channels in the first of these rows, and say how far apart rows are.
    pub fn run(
        &self,
        view: &Value<E>,
        channels: Range<usize>,
        da: (&[E], usize),
        z: (&[E], usize),
        dy: (&mut [E], usize),
        sums: &mut Sums,
    ) {
        vectorized(
            #[inline(always)]
            || with_act!(view.act, f => sums.pass(channels, da, z, dy, view.norm.as_deref(), &self.mean, f)),
        );
    }

    /// Leaves the sums of all chunks, in order: the gradient that was put is dy.
    pub fn put(&self, parts: Vec<Sums>) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(parts);
    }

    /// What [`put`](Self::put) left.
    pub fn take(&self) -> Option<Vec<Sums>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Per-channel sums of a backward pass.
pub struct Sums {
    pub dy: Vec<f64>,
    /// Of dy * (z - mean).
    pub centred: Vec<f64>,
    /// Of da * min(y, 0): PReLU's slope.
    pub slope: f64,
}

impl Sums {
    /// Over no rows.
    pub fn new(channels: usize) -> Self {
        Self { dy: vec![0.0; channels], centred: vec![0.0; channels], slope: 0.0 }
    }

    /// See [`EarlyPass::run`].
    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // The pass's whole contract: three matrices, and what is applied.
    fn pass<E: Real>(
        &mut self,
        channels: Range<usize>,
        da: (&[E], usize),
        z: (&[E], usize),
        (dy, dy_row): (&mut [E], usize),
        norm: Option<&Affine<E>>,
        mean: &[E],
        f: impl ActFn<E>,
    ) {
        for_lanes!(channels.len(), at, L => {
            self.lanes::<E, L>(channels.start + at, at, da, z, (dy, dy_row), norm, mean, f);
        });
    }

    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // As `pass`.
    fn lanes<E: Real, const L: usize>(
        &mut self,
        channel: usize,
        at: usize,
        (da, da_row): (&[E], usize),
        (z, z_row): (&[E], usize),
        (dy, dy_row): (&mut [E], usize),
        norm: Option<&Affine<E>>,
        mean: &[E],
        f: impl ActFn<E>,
    ) {
        let (scale, shift): ([E; L], [E; L]) = match norm {
            None => ([E::ONE; L], [E::ZERO; L]),
            Some(norm) => (load(&norm.scale, channel), load(&norm.shift, channel)),
        };
        let mean: [E; L] = load(mean, channel);
        let (mut sum, mut centred, mut slope) = ([0.0f64; L], [0.0f64; L], [E::ZERO; L]);
        let rows = da[at..].chunks(da_row).zip(z[at..].chunks(z_row));
        for (to, (da, z)) in dy[at..].chunks_mut(dy_row).zip(rows) {
            let (z, g): ([E; L], [E; L]) = (load(z, 0), load(da, 0));
            let mut dy = [E::ZERO; L];
            for i in 0..L {
                let y = z[i].fma(scale[i], shift[i]);
                dy[i] = g[i] * f.slope(y);
                sum[i] += dy[i].wide();
                centred[i] = dy[i].wide().mul_add((z[i] - mean[i]).wide(), centred[i]);
                let below = if y < E::ZERO { y } else { E::ZERO };
                slope[i] = g[i].fma(below, slope[i]);
            }
            to[..L].copy_from_slice(&dy);
        }
        for i in 0..L {
            self.dy[channel + i] += sum[i];
            self.centred[channel + i] += centred[i];
            self.slope += slope[i].wide();
        }
    }

    /// Makes up for the rounding of the mean that the products were taken with.
    pub fn centre<E: Real>(&mut self, mean: &[f64]) {
        for (i, mean) in mean.iter().enumerate() {
            self.centred[i] -= (mean - E::of(*mean).wide()) * self.dy[i];
        }
    }

    /// All parts, added in order.
    pub fn merge(channels: usize, parts: Vec<Self>) -> Self {
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
