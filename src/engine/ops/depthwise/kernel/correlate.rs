//! The convolution itself, and its input's gradient at stride 1.
#![allow(unsafe_code)]

use super::{Input, Output};
use crate::engine::ops::matmul::Tally;
use crate::engine::real::Real;
use crate::engine::simd::{Kernel, Simd};

/// Output pixels worked on together: each tap is loaded once for all of them.
const TILE: usize = 4;

/// out\[y, x, c\] = sum over taps of input\[y*s + ky, x*s + kx, c\] * weight\[ky, kx, c\], with sums per channel of the image.
pub fn correlate<E: Real>(input: Input<'_, E>, out: Output<'_, E>, tally: Option<Tally<'_>>) {
    let (oh, ow) = input.geometry.out;
    out.check(oh * ow, input.block.width);
    if let Some(tally) = &tally {
        let end = input.block.start + input.block.width;
        assert!(tally.sum.len().min(tally.squares.len()) >= end, "fewer sums than channels");
    }
    input.check();
    E::run(Correlate { input, out, tally });
}

struct Correlate<'a, E> {
    input: Input<'a, E>,
    out: Output<'a, E>,
    tally: Option<Tally<'a>>,
}

impl<E: Real> Kernel<E> for Correlate<'_, E> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd<E>>(mut self, s: S) {
        with_kernel!(self.input.geometry.kernel, K, KK => {
            let _ = KK;
            match self.input.geometry.stride {
                1 => self.blocks::<S, K, 1>(s),
                2 => self.blocks::<S, K, 2>(s),
                _ => self.blocks::<S, K, 0>(s),
            }
        }, ());
        s.fence();
    }
}

impl<E: Real> Correlate<'_, E> {
    /// `STRIDE` 0 is any other.
    #[inline(always)]
    fn blocks<S: Simd<E>, const K: usize, const STRIDE: usize>(&mut self, s: S) {
        let (oh, ow) = self.input.geometry.out;
        for l0 in (0..self.input.block.width).step_by(S::LANES) {
            let count = S::LANES.min(self.input.block.width - l0);
            let at = self.input.block.start + l0;
            // SAFETY: sizes were checked in `correlate`; of a vector only `count` values are touched in output and sums.
            unsafe {
                let mut sums = self.tally.as_mut().map(|tally| {
                    let (sum, squares) = (tally.sum[at..].as_mut_ptr(), tally.squares[at..].as_mut_ptr());
                    (sum, squares, s.wide_load_first(sum, count), s.wide_load_first(squares, count))
                });
                for y in 0..oh {
                    let mut x = 0;
                    while x + TILE <= ow {
                        self.tile::<S, K, STRIDE, TILE>(s, (y, x, l0, count), &mut sums);
                        x += TILE;
                    }
                    while x < ow {
                        self.tile::<S, K, STRIDE, 1>(s, (y, x, l0, count), &mut sums);
                        x += 1;
                    }
                }
                if let Some((to_sum, to_squares, sum, squares)) = sums {
                    s.wide_store_first(to_sum, count, sum);
                    s.wide_store_first(to_squares, count, squares);
                }
            }
        }
    }

    /// # Safety
    /// `N` output pixels from (y, x) on must exist, and `count` channels from `l0` on.
    #[inline(always)]
    #[allow(clippy::type_complexity)] // The sums and where they go.
    unsafe fn tile<S: Simd<E>, const K: usize, const STRIDE: usize, const N: usize>(
        &mut self,
        s: S,
        (y, x, l0, count): (usize, usize, usize, usize),
        sums: &mut Option<(*mut f64, *mut f64, S::Wide, S::Wide)>,
    ) {
        let Input { geometry, block, plane, values, weights } = self.input;
        let stride = if STRIDE == 0 { geometry.stride } else { STRIDE };
        let (padded, columns) = (block.padded, plane.columns());
        let mut acc = [s.splat(E::ZERO); N];
        // SAFETY: the caller's promise, and `correlate`'s checks.
        unsafe {
            for ky in 0..K {
                let row = values.as_ptr().add(((y * stride + ky) * columns + x * stride) * padded + l0);
                let taps = weights.as_ptr().add(ky * K * padded + l0);
                for kx in 0..K {
                    let tap = s.load(taps.add(kx * padded));
                    for (t, acc) in acc.iter_mut().enumerate() {
                        *acc = s.fma(s.load(row.add((t * stride + kx) * padded)), tap, *acc);
                    }
                }
            }
            let first = (y * geometry.out.1 + x) * self.out.row + self.out.start + l0;
            for (t, acc) in acc.into_iter().enumerate() {
                if let Some((_, _, sum, squares)) = sums {
                    *sum = s.wide_add(*sum, acc);
                    *squares = s.wide_fma(acc, acc, *squares);
                }
                let to = self.out.data.as_mut_ptr().add(first + t * self.out.row);
                if self.out.accumulate {
                    s.store_first(to, count, s.add(s.load_first(to, count), acc));
                } else if count < S::LANES {
                    s.store_first(to, count, acc);
                } else if self.out.stream && (to as usize).is_multiple_of(64) {
                    s.stream(to, acc);
                } else {
                    s.store(to, acc);
                }
            }
        }
    }
}
