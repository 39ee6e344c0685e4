//! The loops of a depthwise convolution over one block of one image.
//!
//! Buffers are (rows, columns, padded width) with the width a multiple of 16; sixteen channels at a time stay in
//! registers with all taps of their filter.

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

mod correlate;
mod gather;
mod weight_grad;

use super::Geometry;
pub use correlate::correlate;
pub use gather::gather;
pub use weight_grad::weight_grad;

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

/// Whether the kernels are compiled for this kernel size.
pub fn has_kernel(kernel: usize) -> bool {
    with_kernel!(kernel, K, KK => K * K == KK, false)
}

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
