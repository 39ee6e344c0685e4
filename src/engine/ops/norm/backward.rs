//! The first pass of the norm's backward: da becomes dy, and the sums over rows that dz needs.
//!
//! Whoever computes da may do it tile by tile, while the tile is in cache; else the norm's own backward does it.

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

    /// Turns da of the rows from `first` on into dy, and adds to the sums.
    pub fn run(&self, view: &Value<E>, first: usize, da: &mut [E], sums: &mut Sums) {
        let z = &view.stored.data[first * view.c..][..da.len()];
        vectorized(
            #[inline(always)]
            || with_act!(view.act, f => sums.pass(da, z, view.norm.as_deref(), &self.mean, f)),
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
        let (mut sum, mut centred, mut slope) = ([0.0f64; L], [0.0f64; L], [E::ZERO; L]);
        for (da, z) in da.chunks_exact_mut(channels).zip(z.chunks_exact(channels)) {
            let (z, g): ([E; L], [E; L]) = (load(z, c0), load(da, c0));
            let mut dy = [E::ZERO; L];
            for i in 0..L {
                let y = z[i].fma(scale[i], shift[i]);
                dy[i] = g[i] * f.slope(y);
                sum[i] += dy[i].wide();
                centred[i] = dy[i].wide().mul_add((z[i] - mean[i]).wide(), centred[i]);
                let below = if y < E::ZERO { y } else { E::ZERO };
                slope[i] = g[i].fma(below, slope[i]);
            }
            da[c0..c0 + L].copy_from_slice(&dy);
        }
        for i in 0..L {
            self.dy[c0 + i] += sum[i];
            self.centred[c0 + i] += centred[i];
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
