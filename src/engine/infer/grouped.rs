//! Convolution in groups, pixel by pixel.

use super::plan::Map;
use crate::engine::act::{Act, ActFn, with_act};
use crate::engine::real::Real;
use crate::engine::simd::vectorized;

/// A convolution with its weights as (K*K, I/groups, O): neighbouring outputs together.
pub struct Grouped<E> {
    map: Map,
    groups: usize,
    outputs: usize,
    weights: Vec<E>,
    bias: Vec<E>,
    pub act: Act<E>,
}

impl<E: Real> Grouped<E> {
    /// Of weights `(O, I/groups, K, K)` and a bias `(O)`.
    pub fn new(map: Map, groups: usize, weights: &[E], bias: Vec<E>, act: Act<E>) -> Self {
        let (outputs, taps) = (bias.len(), map.kernel * map.kernel);
        let inputs = map.input.2 / groups;
        let mut laid = vec![E::ZERO; weights.len()];
        for o in 0..outputs {
            for i in 0..inputs {
                for t in 0..taps {
                    laid[(t * inputs + i) * outputs + o] = weights[(o * inputs + i) * taps + t];
                }
            }
        }
        Self { map, groups, outputs, weights: laid, bias, act }
    }

    /// One image.
    pub fn run(&self, x: &[E], out: &mut [E]) {
        vectorized(
            #[inline(always)]
            || {
                for (pixel, out) in out.chunks_exact_mut(self.outputs).enumerate() {
                    out.copy_from_slice(&self.bias);
                    self.pixel(x, pixel, out);
                }
                with_act!(self.act, f => out.iter_mut().for_each(|v| *v = f.value(*v)));
            },
        );
    }

    #[inline(always)]
    fn pixel(&self, x: &[E], pixel: usize, out: &mut [E]) {
        let Map { input: (h, w, c), out: (_, ow), kernel, stride, pad } = self.map;
        let (inputs, each) = (c / self.groups, self.outputs / self.groups);
        let (top, left) = (pixel / ow * stride, pixel % ow * stride);
        for t in 0..kernel * kernel {
            let y = (top + t / kernel).wrapping_sub(pad);
            let column = (left + t % kernel).wrapping_sub(pad);
            if y >= h || column >= w {
                continue;
            }
            let from = &x[(y * w + column) * c..][..c];
            for i in 0..inputs {
                let weights = &self.weights[(t * inputs + i) * self.outputs..][..self.outputs];
                let groups = out.chunks_exact_mut(each).zip(weights.chunks_exact(each));
                for ((out, weights), from) in groups.zip(from.chunks_exact(inputs)) {
                    out.iter_mut().zip(weights).for_each(|(o, w)| *o = w.fma(from[i], *o));
                }
            }
        }
    }
}
