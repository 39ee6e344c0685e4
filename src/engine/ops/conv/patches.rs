//! The patches under a convolution's kernel, as rows of a matrix, and back.

use crate::engine::real::Real;

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

    /// Values of one group's patch: (I/groups, K, K), as the weights have them.
    pub fn patch(&self) -> usize {
        self.input.2 / self.groups * self.kernel * self.kernel
    }

    /// Values of all patches of one image.
    pub fn patches_len(&self) -> usize {
        self.out_pixels() * self.patch() * self.groups
    }

    /// Whether the patches are the pixels themselves.
    fn is_image(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.pad == 0
    }

    /// Rows of patches, (out pixels, groups, I/groups, K, K); the image itself where the kernel is 1x1.
    pub fn gather<'a, E: Real>(&self, image: &'a [E], patches: &'a mut [E]) -> &'a [E] {
        if self.is_image() {
            return image;
        }
        self.each_value(|at, pixel| patches[at] = pixel.map_or(E::ZERO, |pixel| image[pixel]));
        patches
    }

    /// The transpose of [`gather`](Self::gather): adds every patch's gradient to the pixel it came from.
    pub fn scatter<E: Real>(&self, patches: &[E], image: &mut [E], accumulate: bool) {
        if !accumulate {
            image.fill(E::ZERO);
        }
        self.each_value(|at, pixel| {
            if let Some(pixel) = pixel {
                image[pixel] += patches[at];
            }
        });
    }

    /// Calls `visit(place in the patches, place in the image or none in the padding)`.
    fn each_value(&self, mut visit: impl FnMut(usize, Option<usize>)) {
        let ((h, w, c), (oh, ow), k) = (self.input, self.out, self.kernel);
        let width = self.patch() * self.groups;
        for y in 0..oh {
            for x in 0..ow {
                for ky in 0..k {
                    for kx in 0..k {
                        let (iy, ix) = (y * self.stride + ky, x * self.stride + kx);
                        let inside =
                            iy >= self.pad && ix >= self.pad && iy - self.pad < h && ix - self.pad < w;
                        let from = inside.then(|| ((iy - self.pad) * w + ix - self.pad) * c);
                        let to = (y * ow + x) * width + ky * k + kx;
                        for channel in 0..c {
                            visit(to + channel * k * k, from.map(|from| from + channel));
                        }
                    }
                }
            }
        }
    }
}
