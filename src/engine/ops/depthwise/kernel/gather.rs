//! The input's gradient at any stride.
#![allow(unsafe_code)]

use super::{Input, Output};
use crate::engine::ops::depthwise::Geometry;
use crate::engine::real::Real;
use crate::engine::simd::{Kernel, Simd};

/// The input's gradient for any stride: every input pixel gathers from the output pixels that it was a tap of. `dz` is the
/// output's gradient, block by block of padded channels, without a border.
pub fn gather<E: Real>(input: Input<'_, E>, dz: &[E], out: Output<'_, E>) {
    let Geometry { kernel, out: (oh, ow), .. } = input.geometry;
    assert!(dz.len() >= oh * ow * input.block.padded, "gradient too small");
    assert!(input.weights.len() >= kernel * kernel * input.block.padded, "too few weights");
    out.check(input.plane.h * input.plane.w, input.block.width);
    E::run(Gather { input, dz, out });
}

struct Gather<'a, E> {
    input: Input<'a, E>,
    dz: &'a [E],
    out: Output<'a, E>,
}

impl<E: Real> Kernel<E> for Gather<'_, E> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd<E>>(self, s: S) {
        let Input {
            geometry: Geometry { kernel, stride, pad, out: (oh, ow) }, block, plane, weights, ..
        } = self.input;
        let padded = block.padded;
        // Taps by which an input row or column meets outputs, and the outputs.
        let meets = |i: usize, outputs: usize| {
            ((i + pad) % stride..kernel).step_by(stride).filter_map(move |tap| {
                let output = (i + pad).checked_sub(tap)? / stride;
                (output < outputs).then_some((tap, output))
            })
        };
        for l0 in (0..block.width).step_by(S::LANES) {
            let count = S::LANES.min(block.width - l0);
            for iy in 0..plane.h {
                for ix in 0..plane.w {
                    let mut sum = s.splat(E::ZERO);
                    for (ky, y) in meets(iy, oh) {
                        for (kx, x) in meets(ix, ow) {
                            // SAFETY: sizes were checked in `gather`; planes and weights are padded to whole vectors.
                            unsafe {
                                let d = s.load(self.dz.as_ptr().add((y * ow + x) * padded + l0));
                                let tap = s.load(weights.as_ptr().add((ky * kernel + kx) * padded + l0));
                                sum = s.fma(d, tap, sum);
                            }
                        }
                    }
                    let at = (iy * plane.w + ix) * self.out.row + self.out.start + l0;
                    // SAFETY: the output was checked in `gather`; only the channels that exist are touched.
                    unsafe {
                        let to = self.out.data.as_mut_ptr().add(at);
                        if self.out.accumulate {
                            sum = s.add(s.load_first(to, count), sum);
                        }
                        s.store_first(to, count, sum);
                    }
                }
            }
        }
    }
}
