//! The first pass of the norm's backward: da becomes dy, and the sums over rows that dz needs.
//!
//! Whoever computes da may do it tile by tile, while the tile is in cache; else the norm's own backward does it.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::engine::ops::passes::{self, Normed, Rows, RowsMut, SumsMut};
use crate::engine::real::Real;
use crate::engine::value::Value;

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
    /// begin with the first of these channels in the first of these rows.
    pub fn run(
        &self,
        view: &Value<E>,
        channels: Range<usize>,
        da: Rows<'_, E>,
        z: Rows<'_, E>,
        dy: RowsMut<'_, E>,
        sums: &mut Sums,
    ) {
        let extent = (da.data.len().div_ceil(da.row), channels.len());
        let Sums { dy: sum, centred, slope } = sums;
        let sums = SumsMut { dy: &mut sum[channels.clone()], centred: &mut centred[channels.clone()], slope };
        view.with_factors(channels.clone(), |(scale, shift)| {
            let normed = Normed { act: view.act, scale, shift, mean: &self.mean[channels] };
            passes::begin(normed, extent, da, z, dy, sums);
        });
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
