//! Depthwise convolution of activated values: bias and activation on the way out.
//!
//! A vector of channels at a time, `TILE` neighbouring output pixels together: each row of taps is loaded once for all of
//! them, each input pixel once for all its taps. Rows of the map that a kernel misses are left out; where it misses
//! columns or channels, nothing is loaded and zeros stand for them.
#![allow(unsafe_code)]

use std::ops::Range;

use super::plan::Map;
use crate::engine::act::{Act, ActFn, with_act};
use crate::engine::pool::Buf;
use crate::engine::real::Real;
use crate::engine::simd::{Kernel, Simd};

/// Channels that the weights are padded to: a multiple of every vector.
const PAD: usize = 16;
/// Output pixels worked on together.
const TILE: usize = 4;

/// A depthwise convolution with its weights as (K*K, padded channels).
pub struct Depthwise<E: Real> {
    pub map: Map,
    taps: Buf<E>,
    bias: Buf<E>,
    pub act: Act<E>,
}

impl<E: Real> Depthwise<E> {
    /// Of weights `(C, 1, K, K)` and a bias `(C)`.
    pub fn new(map: Map, weights: &[E], bias: &[E], act: Act<E>) -> Self {
        let (c, taps) = (map.input.2, map.kernel * map.kernel);
        let padded = c.next_multiple_of(PAD);
        let mut laid = Buf::zeros(taps * padded);
        for (t, row) in laid.chunks_exact_mut(padded).enumerate() {
            row.iter_mut().take(c).enumerate().for_each(|(i, to)| *to = weights[i * taps + t]);
        }
        let mut wide_bias = Buf::zeros(padded);
        wide_bias[..c].copy_from_slice(bias);
        Self { map, taps: laid, bias: wide_bias, act }
    }

    /// Output rows `rows` of one image.
    ///
    /// # Panics
    /// When `x` is not an image or `out` not as large as the rows.
    pub fn run(&self, x: &[E], rows: Range<usize>, out: &mut [E]) {
        let Map { input: (h, w, c), out: (oh, ow), .. } = self.map;
        assert!(x.len() == h * w * c && rows.end <= oh, "image of another shape");
        assert!(out.len() == rows.len() * ow * c, "output of another size");
        E::run(Rows { layer: self, x, rows, out });
    }
}

struct Rows<'a, E: Real> {
    layer: &'a Depthwise<E>,
    x: &'a [E],
    rows: Range<usize>,
    out: &'a mut [E],
}

impl<E: Real> Kernel<E> for Rows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E>>(mut self, s: S) {
        match (self.layer.map.kernel, self.layer.map.stride) {
            (3, 1) => self.each_block::<S, 3, 1>(s),
            (3, 2) => self.each_block::<S, 3, 2>(s),
            (5, 1) => self.each_block::<S, 5, 1>(s),
            (5, 2) => self.each_block::<S, 5, 2>(s),
            (7, 1) => self.each_block::<S, 7, 1>(s),
            (7, 2) => self.each_block::<S, 7, 2>(s),
            (2, 2) => self.each_block::<S, 2, 2>(s),
            _ => self.any(s),
        }
    }
}

/// The first pixel of a tile, and the vector of channels.
#[derive(Clone, Copy)]
struct Place {
    y: usize,
    x: usize,
    c0: usize,
    /// Channels of the vector that exist.
    count: usize,
}

impl<E: Real> Rows<'_, E> {
    /// Rows of taps that lie on the map for output row `y`.
    #[inline(always)]
    fn taps_on_map(&self, y: usize) -> Range<usize> {
        let Map { input: (h, ..), kernel, stride, pad, .. } = self.layer.map;
        let top = y * stride;
        pad.saturating_sub(top).min(kernel)..kernel.min((h + pad).saturating_sub(top))
    }

    #[inline(always)]
    fn each_block<S: Simd<E>, const K: usize, const STRIDE: usize>(&mut self, s: S) {
        let Map { input: (_, w, c), out: (_, ow), pad, .. } = self.layer.map;
        for c0 in (0..c).step_by(S::LANES) {
            let count = S::LANES.min(c - c0);
            for y in self.rows.clone() {
                for x in (0..ow).step_by(TILE) {
                    let place = Place { y, x, c0, count };
                    let first = x * STRIDE;
                    let last = first + (TILE - 1) * STRIDE + K - 1;
                    if count == S::LANES && x + TILE <= ow && first >= pad && last < w + pad {
                        self.tile::<S, K, STRIDE, false>(s, place);
                    } else {
                        self.tile::<S, K, STRIDE, true>(s, place);
                    }
                }
            }
        }
    }

    /// `TILE` output pixels; with `EDGE` some of what they read, or of themselves, may not be there.
    #[inline(always)]
    fn tile<S: Simd<E>, const K: usize, const STRIDE: usize, const EDGE: bool>(&mut self, s: S, at: Place) {
        let Map { input: (_, w, c), pad, .. } = self.layer.map;
        let padded = c.next_multiple_of(PAD);
        let rows = self.taps_on_map(at.y);
        // SAFETY: bias and taps are padded to whole vectors. Of the input only rows on the map are read, and there only
        // pixels on the map: an inner tile has no others, and at an edge `count` is zero for the others.
        let mut acc = [unsafe { s.load(self.layer.bias[at.c0..].as_ptr()) }; TILE];
        for ky in rows {
            let taps = self.layer.taps[ky * K * padded + at.c0..].as_ptr();
            let row = (at.y * STRIDE + ky - pad) * w * c + at.c0;
            let row = self.x.as_ptr().wrapping_add(row);
            for kx in 0..K {
                // SAFETY: as above.
                let tap = unsafe { s.load(taps.wrapping_add(kx * padded)) };
                for (t, acc) in acc.iter_mut().enumerate() {
                    // Counted from the left end of the padding; wraps there, and is then beyond `w`.
                    let column = (at.x * STRIDE + t * STRIDE + kx).wrapping_sub(pad);
                    let from = row.wrapping_add(column.wrapping_mul(c));
                    // SAFETY: as above.
                    let value = unsafe {
                        if EDGE {
                            s.load_first(from, if column < w { at.count } else { 0 })
                        } else {
                            s.load(from)
                        }
                    };
                    *acc = s.fma(value, tap, *acc);
                }
            }
        }
        self.finish::<S, EDGE>(s, at, &acc);
    }

    /// Activation, and the store of the pixels that exist.
    #[inline(always)]
    fn finish<S: Simd<E>, const EDGE: bool>(&mut self, s: S, at: Place, acc: &[S::V; TILE]) {
        let Map { input: (_, _, c), out: (_, ow), .. } = self.layer.map;
        let start = ((at.y - self.rows.start) * ow + at.x) * c + at.c0;
        let to = self.out[start..].as_mut_ptr();
        with_act!(self.layer.act, f => {
            for (t, acc) in acc.iter().enumerate() {
                let value = f.vector(s, *acc);
                let to = to.wrapping_add(t * c);
                // SAFETY: the pixel is one of the row's; of its channels only those that exist are written.
                unsafe {
                    if !EDGE {
                        s.store(to, value);
                    } else if at.x + t < ow {
                        s.store_first(to, at.count, value);
                    }
                }
            }
        });
    }

    /// Any kernel size and stride, pixel by pixel.
    #[inline(always)]
    fn any<S: Simd<E>>(&mut self, s: S) {
        let Map { input: (_, w, c), out: (_, ow), kernel, stride, pad } = self.layer.map;
        let padded = c.next_multiple_of(PAD);
        for c0 in (0..c).step_by(S::LANES) {
            let count = S::LANES.min(c - c0);
            for y in self.rows.clone() {
                for x in 0..ow {
                    // SAFETY: as in `tile`.
                    let mut sum = unsafe { s.load(self.layer.bias[c0..].as_ptr()) };
                    for ky in self.taps_on_map(y) {
                        for kx in 0..kernel {
                            let column = (x * stride + kx).wrapping_sub(pad);
                            if column >= w {
                                continue;
                            }
                            let from = ((y * stride + ky - pad) * w + column) * c + c0;
                            let tap = (ky * kernel + kx) * padded + c0;
                            // SAFETY: the pixel is on the map, `count` of its channels exist; taps are padded.
                            unsafe {
                                let value = s.load_first(self.x[from..].as_ptr(), count);
                                sum = s.fma(value, s.load(self.layer.taps[tap..].as_ptr()), sum);
                            }
                        }
                    }
                    let to = ((y - self.rows.start) * ow + x) * c + c0;
                    let to = self.out[to..].as_mut_ptr();
                    with_act!(self.layer.act, f => {
                        let value = f.vector(s, sum);
                        // SAFETY: `count` channels of the pixel exist.
                        unsafe { s.store_first(to, count, value) }
                    });
                }
            }
        }
    }
}
