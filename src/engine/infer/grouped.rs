//! Convolution in groups: training's products, an activation after them.

use crate::engine::act::{Act, ActFn, with_act};
use crate::engine::ops::conv::{Geometry, Weights};
use crate::engine::pool::Buf;
use crate::engine::real::Real;
use crate::engine::simd::vectorized;

/// A convolution with its weights laid out for the products.
pub struct Grouped<E: Real> {
    geometry: Geometry,
    weights: Weights<E>,
    bias: Vec<E>,
    act: Act<E>,
}

impl<E: Real> Grouped<E> {
    /// Of weights `(O, I/groups, K, K)` and a bias `(O)`.
    pub fn new(geometry: Geometry, weights: &[E], bias: Vec<E>, act: Act<E>) -> Self {
        let weights = Weights::forwards(geometry.groups(), &geometry.taps_first(weights));
        Self { geometry, weights, bias, act }
    }

    /// One image.
    pub fn run(&self, x: &[E], out: &mut [E]) {
        let (tile, patch) = (self.geometry.tile(), self.geometry.patch());
        let mut scratch = Buf::take(self.geometry.groups().scratch(tile));
        let mut patches = Buf::take(if self.geometry.is_image() { 0 } else { tile * patch });
        for (t, out) in out.chunks_mut(tile * self.bias.len()).enumerate() {
            let rows = t * tile..t * tile + out.len() / self.bias.len();
            let left = if self.geometry.is_image() {
                &x[rows.start * patch..rows.end * patch]
            } else {
                let patches = &mut patches[..rows.len() * patch];
                self.geometry.gather(x, rows, patches);
                patches
            };
            self.weights.forward(left, Some(&self.bias), &mut scratch, out, None);
            vectorized(
                #[inline(always)]
                || with_act!(self.act, f => out.iter_mut().for_each(|v| *v = f.value(*v))),
            );
        }
    }
}
