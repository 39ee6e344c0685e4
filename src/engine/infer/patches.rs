//! The patches under a convolution's kernel as rows of a matrix, (K, K, C) each.

use super::plan::Map;
use crate::engine::real::Real;
use crate::engine::simd::vectorized;

/// Values copied at once: more than a piece may need, and what follows it is written after it.
const PIECE: usize = 16;

/// How patches are gathered: from a copy of the image with a border of zeros.
pub struct Patches {
    pub map: Map,
}

impl Patches {
    fn columns(&self) -> usize {
        self.map.input.1 + 2 * self.map.pad
    }

    /// Values of a patch.
    fn patch(&self) -> usize {
        self.map.kernel * self.map.kernel * self.map.input.2
    }

    /// Values of the bordered image with what pieces may read beyond it.
    pub fn bordered_len(&self) -> usize {
        (self.map.input.0 + 2 * self.map.pad) * self.columns() * self.map.input.2 + PIECE
    }

    /// What pieces may write beyond the last patch.
    pub const SLACK: usize = PIECE;

    /// Writes an image into the middle of zeros.
    pub fn border<E: Real>(&self, x: &[E], bordered: &mut [E]) {
        let Map { input: (_, w, c), pad, .. } = self.map;
        let bordered = &mut bordered[..self.bordered_len()];
        bordered.fill(E::ZERO);
        let rows = bordered.chunks_exact_mut(self.columns() * c).skip(pad);
        for (from, to) in x.chunks_exact(w * c).zip(rows) {
            to[pad * c..][..w * c].copy_from_slice(from);
        }
    }

    /// The patches of output rows from `first` on, as many as `out` holds (its last `SLACK` values aside).
    pub fn gather<E: Real>(&self, bordered: &[E], first: usize, out: &mut [E]) {
        let Map { input: (_, _, c), out: (_, ow), kernel, stride, .. } = self.map;
        let (patch, piece, columns) = (self.patch(), kernel * c, self.columns());
        let pixels = (out.len() - Self::SLACK) / patch;
        vectorized(
            #[inline(always)]
            || {
                for pixel in 0..pixels {
                    let (y, x) = ((first + pixel / ow) * stride, pixel % ow * stride);
                    for ky in 0..kernel {
                        let from = ((y + ky) * columns + x) * c;
                        let to = pixel * patch + ky * piece;
                        for at in (0..piece).step_by(PIECE) {
                            let values = &bordered[from + at..][..PIECE];
                            out[to + at..][..PIECE].copy_from_slice(values);
                        }
                    }
                }
            },
        );
    }
}
