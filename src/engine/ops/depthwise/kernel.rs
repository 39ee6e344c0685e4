//! The loops of a depthwise convolution over one block of one image.
//!
//! Buffers are (rows, columns, padded width) with the width a multiple of 16; sixteen channels at a time stay in
//! registers with all taps of their filter.

use super::Geometry;
use crate::engine::real::Real;
use crate::engine::simd::load;

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

/// out\[y, x, c\] = sum over taps of input\[y*s + ky, x*s + kx, c\] * weight\[ky, kx, c\], into an image of `c` channels.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // The kernels' own contract: geometry, input, weights, output.
pub fn correlate<E: Real>(
    geometry: Geometry,
    plane: Plane,
    block: Block,
    input: &[E],
    weights: &[E],
    c: usize,
    out: &mut [E],
    accumulate: bool,
) {
    with_kernel!(geometry.kernel, K, KK =>
        correlate_k::<E, K, KK>(geometry, plane, block, input, weights, c, out, accumulate), ());
}

#[inline(always)]
#[allow(clippy::too_many_arguments)] // As `correlate`.
fn correlate_k<E: Real, const K: usize, const KK: usize>(
    geometry: Geometry,
    plane: Plane,
    block: Block,
    input: &[E],
    weights: &[E],
    c: usize,
    out: &mut [E],
    accumulate: bool,
) {
    let (oh, ow) = geometry.out;
    let (padded, stride, columns) = (block.padded, geometry.stride, plane.columns());
    for l0 in (0..padded).step_by(16) {
        let taps: [[E; 16]; KK] = std::array::from_fn(|t| load(weights, t * padded + l0));
        let valid = (block.width - l0).min(16);
        for y in 0..oh {
            for x in 0..ow {
                let mut sum = [E::ZERO; 16];
                for ky in 0..K {
                    let row = ((y * stride + ky) * columns + x * stride) * padded + l0;
                    let row = &input[row..row + (K - 1) * padded + 16];
                    for kx in 0..K {
                        let values: [E; 16] = load(row, kx * padded);
                        for i in 0..16 {
                            sum[i] = values[i].fma(taps[ky * K + kx][i], sum[i]);
                        }
                    }
                }
                let to = &mut out[(y * ow + x) * c + block.start + l0..];
                write(&mut to[..valid], &sum, accumulate);
            }
        }
    }
}

#[inline(always)]
fn write<E: Real>(to: &mut [E], sum: &[E; 16], accumulate: bool) {
    if accumulate {
        to.iter_mut().zip(sum).for_each(|(o, s)| *o += *s);
    } else if to.len() == 16 {
        to.copy_from_slice(sum);
    } else {
        to.iter_mut().zip(sum).for_each(|(o, s)| *o = *s);
    }
}

/// Adds one image's share to the weight gradient, (K*K, C), and the bias gradient.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // As `correlate`.
pub fn weight_grad<E: Real>(
    geometry: Geometry,
    plane: Plane,
    input: &[E],
    dz_plane: Plane,
    dz: &[E],
    block: Block,
    c: usize,
    dw: &mut [f64],
    db: &mut [f64],
) {
    with_kernel!(geometry.kernel, K, KK =>
        weight_grad_k::<E, K, KK>(geometry, plane, input, dz_plane, dz, block, c, dw, db), ());
}

#[inline(always)]
#[allow(clippy::too_many_arguments)] // As `correlate`.
fn weight_grad_k<E: Real, const K: usize, const KK: usize>(
    geometry: Geometry,
    plane: Plane,
    input: &[E],
    dz_plane: Plane,
    dz: &[E],
    block: Block,
    c: usize,
    dw: &mut [f64],
    db: &mut [f64],
) {
    let (oh, ow) = geometry.out;
    let (padded, stride, columns) = (block.padded, geometry.stride, plane.columns());
    for l0 in (0..padded).step_by(16) {
        let mut sums = [[E::ZERO; 16]; KK];
        let mut bias = [E::ZERO; 16];
        for y in 0..oh {
            for x in 0..ow {
                let d: [E; 16] = load(dz, dz_plane.at(y, x, padded) + l0);
                for i in 0..16 {
                    bias[i] += d[i];
                }
                for ky in 0..K {
                    let row = ((y * stride + ky) * columns + x * stride) * padded + l0;
                    let row = &input[row..row + (K - 1) * padded + 16];
                    for kx in 0..K {
                        let values: [E; 16] = load(row, kx * padded);
                        for i in 0..16 {
                            let sum = &mut sums[ky * K + kx][i];
                            *sum = values[i].fma(d[i], *sum);
                        }
                    }
                }
            }
        }
        for i in 0..(block.width - l0).min(16) {
            let channel = block.start + l0 + i;
            db[channel] += bias[i].wide();
            for t in 0..KK {
                dw[t * c + channel] += sums[t][i].wide();
            }
        }
    }
}

/// The input's gradient for any stride: every output gradient is spread over the taps it came from, on a padded
/// plane `da`, whose interior goes into an image of `c` channels.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // As `correlate`.
pub fn scatter<E: Real>(
    geometry: Geometry,
    plane: Plane,
    da: &mut [E],
    dz: &[E],
    block: Block,
    weights: &[E],
    c: usize,
    dx: &mut [E],
    accumulate: bool,
) {
    let Geometry { kernel, stride, out: (oh, ow), .. } = geometry;
    let (padded, columns) = (block.padded, plane.columns());
    da.fill(E::ZERO);
    for y in 0..oh {
        for x in 0..ow {
            let d = &dz[(y * ow + x) * padded..][..padded];
            for ky in 0..kernel {
                for kx in 0..kernel {
                    let at = ((y * stride + ky) * columns + x * stride + kx) * padded;
                    let taps = &weights[(ky * kernel + kx) * padded..][..padded];
                    let to = &mut da[at..at + padded];
                    for i in 0..padded {
                        to[i] = d[i].fma(taps[i], to[i]);
                    }
                }
            }
        }
    }
    for y in 0..plane.h {
        for x in 0..plane.w {
            let from = &da[plane.at(y, x, padded)..][..block.width];
            let to = &mut dx[(y * plane.w + x) * c + block.start..][..block.width];
            if accumulate {
                to.iter_mut().zip(from).for_each(|(o, s)| *o += *s);
            } else {
                to.copy_from_slice(from);
            }
        }
    }
}
