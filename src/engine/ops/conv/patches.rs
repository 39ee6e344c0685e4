//! The patches under a convolution's kernel, as rows of a matrix, and back.

use std::ops::Range;

use super::groups::Groups;
use crate::engine::ops::tile_rows;
use crate::engine::pool::Buf;
use crate::engine::real::Real;
use crate::engine::simd::vectorized;

/// Geometry of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Input height, width, channels.
    pub input: (usize, usize, usize),
    /// Output height and width.
    pub out: (usize, usize),
    pub out_channels: usize,
    pub kernel: usize,
    pub stride: usize,
    pub pad: usize,
    pub groups: usize,
}

impl Geometry {
    /// Pixels of the output.
    pub fn out_pixels(&self) -> usize {
        self.out.0 * self.out.1
    }

    /// Values of one output pixel's patch, all groups.
    pub fn patch(&self) -> usize {
        self.kernel * self.kernel * self.input.2
    }

    /// The products that the patches go through.
    pub fn groups(&self) -> Groups {
        let (inputs, outputs) = (self.patch() / self.groups, self.out_channels / self.groups);
        Groups { groups: self.groups, inputs, outputs }
    }

    /// Whether the patches are the pixels themselves.
    pub fn is_image(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.pad == 0
    }

    /// Output pixels worked on together. Weights are read once for each tile: the larger they are, the larger the tile.
    pub fn tile(&self) -> usize {
        let rows = tile_rows(self.patch().max(self.out_channels));
        rows.max(self.out_channels / self.groups / 2).min(self.out_pixels().max(rows))
    }

    /// Patches of an image's output pixels `rows`, (groups, K, K, I/groups) each.
    pub fn gather<E: Real>(&self, image: &[E], rows: Range<usize>, patches: &mut [E]) {
        let first = rows.start;
        vectorized(
            #[inline(always)]
            || {
                self.pieces(
                    rows,
                    #[inline(always)]
                    |row, at, len, from| {
                        let to = &mut patches[(row - first) * self.patch() + at..][..len];
                        match from {
                            Some(from) => to.copy_from_slice(&image[from..][..len]),
                            None => to.fill(E::ZERO),
                        }
                    },
                );
            },
        );
    }

    /// The transpose of [`gather`](Self::gather): adds every patch's gradient to the pixels it came from.
    pub fn scatter<E: Real>(&self, patches: &[E], rows: Range<usize>, image: &mut [E]) {
        let first = rows.start;
        vectorized(
            #[inline(always)]
            || {
                self.pieces(
                    rows,
                    #[inline(always)]
                    |row, at, len, from| {
                        let Some(from) = from else { return };
                        let more = &patches[(row - first) * self.patch() + at..][..len];
                        image[from..][..len].iter_mut().zip(more).for_each(|(sum, more)| *sum += *more);
                    },
                );
            },
        );
    }

    /// Calls `visit(output pixel, place in its patch, length, place in the image or none in the padding)` for each piece
    /// of the patches that lies together in the image.
    #[inline(always)]
    fn pieces(&self, rows: Range<usize>, mut visit: impl FnMut(usize, usize, usize, Option<usize>)) {
        let ((h, w, c), k) = (self.input, self.kernel);
        for row in rows {
            let (top, left) = (row / self.out.1 * self.stride, row % self.out.1 * self.stride);
            // Columns of the kernel that lie in the image.
            let inside = self.pad.saturating_sub(left).min(k)..(w + self.pad).saturating_sub(left).min(k);
            for ky in 0..k {
                let y = (top + ky).checked_sub(self.pad).filter(|y| *y < h && !inside.is_empty());
                if self.groups > 1 {
                    let each = c / self.groups;
                    for (g, kx) in (0..self.groups).flat_map(|g| (0..k).map(move |kx| (g, kx))) {
                        let y = y.filter(|_| inside.contains(&kx));
                        let from = y.map(|y| (y * w + left + kx - self.pad) * c + g * each);
                        visit(row, ((g * k + ky) * k + kx) * each, each, from);
                    }
                    continue;
                }
                let Some(y) = y else {
                    visit(row, ky * k * c, k * c, None);
                    continue;
                };
                let at = |kx: usize| (ky * k + kx) * c;
                if inside.start > 0 {
                    visit(row, at(0), inside.start * c, None);
                }
                let from = (y * w + left + inside.start - self.pad) * c;
                visit(row, at(inside.start), inside.len() * c, Some(from));
                if inside.end < k {
                    visit(row, at(inside.end), (k - inside.end) * c, None);
                }
            }
        }
    }

    /// Weights `(O, I/groups, K, K)` as `(O, K, K, I/groups)`, like the patches.
    pub fn taps_first<E: Real>(&self, weights: &[E]) -> Buf<E> {
        self.transposed(weights, self.input.2 / self.groups)
    }

    /// The way back.
    pub fn taps_last<E: Real>(&self, weights: Buf<E>) -> Buf<E> {
        if self.kernel == 1 { weights } else { self.transposed(&weights, self.kernel * self.kernel) }
    }

    /// Each output's weights, `rows` rows, column by column.
    fn transposed<E: Real>(&self, weights: &[E], rows: usize) -> Buf<E> {
        let mut out = Buf::take(weights.len());
        let each = weights.len() / self.out_channels;
        for (from, to) in weights.chunks_exact(each).zip(out.chunks_exact_mut(each)) {
            to.iter_mut().enumerate().for_each(|(at, to)| *to = from[at % rows * (each / rows) + at / rows]);
        }
        out
    }
}
