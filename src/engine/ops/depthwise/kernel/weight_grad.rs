//! The weights' gradient.
#![allow(unsafe_code)]

use super::{Input, Plane};
use crate::engine::ops::depthwise::Geometry;
use crate::engine::real::Real;
use crate::engine::simd::{Kernel, Simd};

/// Adds one image's share to the weight gradient, (K*K, C), and the bias gradient; `dz` is the output's gradient on a plane.
pub fn weight_grad<E: Real>(
    input: Input<'_, E>,
    dz_plane: Plane,
    dz: &[E],
    c: usize,
    dw: &mut [f64],
    db: &mut [f64],
) {
    let Geometry { kernel, out: (oh, ow), .. } = input.geometry;
    input.check();
    assert!(dz_plane.h == oh && dz_plane.w == ow, "a gradient of another shape");
    assert!(dz.len() >= dz_plane.len() * input.block.padded, "gradient's plane too small");
    let end = input.block.start + input.block.width;
    assert!(end <= c && db.len() >= c && dw.len() >= kernel * kernel * c, "fewer sums than weights");
    E::run(WeightGrad { input, dz_plane, dz, c, dw, db });
}

struct WeightGrad<'a, E> {
    input: Input<'a, E>,
    dz_plane: Plane,
    dz: &'a [E],
    c: usize,
    dw: &'a mut [f64],
    db: &'a mut [f64],
}

impl<E: Real> Kernel<E> for WeightGrad<'_, E> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd<E>>(mut self, s: S) {
        with_kernel!(self.input.geometry.kernel, K, KK => {
            // All taps together where they fit the registers, else one row of the filter after another.
            let together = KK + 6 <= S::REGISTERS;
            for l0 in (0..self.input.block.width).step_by(S::LANES) {
                self.bias(s, l0);
                if together {
                    self.taps::<S, K, K, KK>(s, l0, 0);
                } else {
                    (0..K).for_each(|ky| self.taps::<S, K, 1, K>(s, l0, ky));
                }
            }
        }, ());
    }
}

impl<E: Real> WeightGrad<'_, E> {
    #[inline(always)]
    fn bias<S: Simd<E>>(&mut self, s: S, l0: usize) {
        let (oh, ow) = self.input.geometry.out;
        let padded = self.input.block.padded;
        let mut sum = s.splat(E::ZERO);
        for y in 0..oh {
            for x in 0..ow {
                // SAFETY: sizes were checked in `weight_grad`; planes are padded to whole vectors.
                sum =
                    s.add(sum, unsafe { s.load(self.dz.as_ptr().add(self.dz_plane.at(y, x, padded) + l0)) });
            }
        }
        let first = self.input.block.start + l0;
        let end = self.input.block.start + self.input.block.width;
        lanes(s, sum).into_iter().zip(&mut self.db[first..end]).for_each(|(sum, to)| *to += sum.wide());
    }

    /// `ROWS` rows of the filter from `ky` on, `TAPS` taps in all.
    #[inline(always)]
    fn taps<S: Simd<E>, const K: usize, const ROWS: usize, const TAPS: usize>(
        &mut self,
        s: S,
        l0: usize,
        ky: usize,
    ) {
        let Input { geometry, block, plane, values, .. } = self.input;
        let (Geometry { stride, out: (oh, ow), .. }, padded) = (geometry, block.padded);
        let columns = plane.columns();
        let mut sums = [s.splat(E::ZERO); TAPS];
        for y in 0..oh {
            for x in 0..ow {
                // SAFETY: sizes were checked in `weight_grad`; planes are padded to whole vectors.
                unsafe {
                    let d = s.load(self.dz.as_ptr().add(self.dz_plane.at(y, x, padded) + l0));
                    for r in 0..ROWS {
                        let row = ((y * stride + ky + r) * columns + x * stride) * padded + l0;
                        let row = values.as_ptr().add(row);
                        for kx in 0..K {
                            sums[r * K + kx] = s.fma(s.load(row.add(kx * padded)), d, sums[r * K + kx]);
                        }
                    }
                }
            }
        }
        let (first, end) = (block.start + l0, block.start + block.width);
        for (t, sum) in sums.into_iter().enumerate() {
            let to = &mut self.dw[(ky * K + t) * self.c..][first..end];
            lanes(s, sum).into_iter().zip(to).for_each(|(sum, to)| *to += sum.wide());
        }
    }
}

/// The values of a vector; zeros after them.
#[inline(always)]
fn lanes<E: Real, S: Simd<E>>(s: S, vector: S::V) -> [E; 16] {
    let mut values = [E::ZERO; 16];
    // SAFETY: no vector is longer than sixteen.
    unsafe { s.store(values.as_mut_ptr(), vector) };
    values
}
