//! The loops of a depthwise convolution over one block of one image.
//!
//! Buffers are (rows, columns, padded width) with the width a multiple of 16; sixteen channels at a time stay in
//! registers with all taps of their filter.

#![allow(unsafe_code)]

use super::Geometry;
use crate::engine::ops::matmul::Tally;
use crate::engine::real::Real;
use crate::engine::simd::{Kernel, Simd};

/// Neighbouring channels worked on together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    pub start: usize,
    pub width: usize,
    /// Width rounded up to a multiple of 16.
    pub padded: usize,
}

/// A map with a border of zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plane {
    h: usize,
    w: usize,
    pad: usize,
}

impl Plane {
    /// A map of h x w with `pad` zeros on each side.
    pub fn padded(h: usize, w: usize, pad: usize) -> Self {
        Self { h, w, pad }
    }

    /// Pixels with the border.
    pub fn len(&self) -> usize {
        (self.h + 2 * self.pad) * self.columns()
    }

    fn columns(&self) -> usize {
        self.w + 2 * self.pad
    }

    /// Position of the first value of an inner pixel.
    fn at(&self, y: usize, x: usize, padded: usize) -> usize {
        ((y + self.pad) * self.columns() + x + self.pad) * padded
    }

    /// The inner pixels of line `y`, from the first on.
    pub fn line<'a, E>(&self, y: usize, padded: usize, of: &'a mut [E]) -> &'a mut [E] {
        let start = self.at(y, 0, padded);
        &mut of[start..start + self.w * padded]
    }

    /// Calls `write(pixel, to)` for every inner pixel: `to` is where its `width` channels go.
    #[inline(always)]
    pub fn fill<E>(&self, width: usize, to: &mut [E], mut write: impl FnMut(usize, &mut [E])) {
        let padded = width.next_multiple_of(16);
        for y in 0..self.h {
            for x in 0..self.w {
                write(y * self.w + x, &mut to[self.at(y, x, padded)..][..width]);
            }
        }
    }
}

/// Compiles `$body` for the common kernel sizes, `$k` and `$kk` (its square) constants of that name.
macro_rules! with_kernel {
    ($kernel:expr, $k:ident, $kk:ident => $body:expr, $otherwise:expr) => {
        match $kernel {
            2 => {
                const $k: usize = 2;
                const $kk: usize = 4;
                $body
            }
            3 => {
                const $k: usize = 3;
                const $kk: usize = 9;
                $body
            }
            5 => {
                const $k: usize = 5;
                const $kk: usize = 25;
                $body
            }
            7 => {
                const $k: usize = 7;
                const $kk: usize = 49;
                $body
            }
            _ => $otherwise,
        }
    };
}

/// Whether the kernels are compiled for this kernel size.
pub fn has_kernel(kernel: usize) -> bool {
    with_kernel!(kernel, K, KK => K * K == KK, false)
}

/// Output pixels worked on together: each tap is loaded once for all of them.
const TILE: usize = 4;

/// What the kernels read: planes of one block, its channels padded to whole vectors.
#[derive(Clone, Copy)]
pub struct Input<'a, E> {
    pub geometry: Geometry,
    pub block: Block,
    pub plane: Plane,
    pub values: &'a [E],
    /// (K*K, padded width).
    pub weights: &'a [E],
}

/// An image of which a kernel writes the block's channels, or a buffer for the block alone.
pub struct Output<'a, E> {
    pub data: &'a mut [E],
    /// From pixel to pixel.
    pub row: usize,
    /// Where the block's channels of the first pixel are.
    pub start: usize,
    pub accumulate: bool,
    /// Whether it is written past the caches, where its place in memory allows: it will not be read soon.
    pub stream: bool,
}

impl<E> Output<'_, E> {
    fn check(&self, pixels: usize, width: usize) {
        let last = pixels.checked_sub(1).map_or(0, |last| last * self.row + self.start + width);
        assert!(last <= self.data.len(), "output of a depthwise convolution too small");
    }
}

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

impl<E> Input<'_, E> {
    /// That every tap of every output pixel lies in the plane.
    fn check(&self) {
        let Geometry { kernel, stride, out: (oh, ow), .. } = self.geometry;
        let (rows, columns) = (self.plane.h + 2 * self.plane.pad, self.plane.columns());
        let inside = |out: usize, side: usize| out == 0 || (out - 1) * stride + kernel <= side;
        assert!(inside(oh, rows) && inside(ow, columns), "taps beyond the plane");
        assert!(self.values.len() >= self.plane.len() * self.block.padded, "plane too small");
        assert!(self.weights.len() >= kernel * kernel * self.block.padded, "too few weights");
    }
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
