//! Maxima and means of windows of the map, as `torch.nn.MaxPool2d` and `AvgPool2d` define them.

use std::ops::Range;

use crate::arch::{Shape, Window};
use crate::engine::ops::image::{Backward, Gradient, ImageOp};
use crate::engine::real::Real;
use crate::engine::simd::vectorized;

/// What of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Its largest value; the gradient goes to the first of the largest.
    Max,
    /// The mean of what of it lies inside the padded map, padding counted as zeros.
    Mean,
}

/// Pooling of maps of one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool2d {
    pub of: Of,
    pub window: Window,
    pub input: Shape,
    pub output: Shape,
}

/// The part of a window that lies in the map, and the number of places that a mean divides by.
struct Part {
    rows: Range<usize>,
    columns: Range<usize>,
    places: usize,
}

impl Pool2d {
    /// The window of an output pixel.
    #[inline(always)]
    fn part(&self, y: usize, x: usize) -> Part {
        let Window { kernel, stride, pad, .. } = self.window;
        let side = |at: usize, n: usize| {
            let start = at * stride;
            let places = (start + kernel).min(n + 2 * pad) - start;
            (start.saturating_sub(pad)..(start + kernel).saturating_sub(pad).min(n), places)
        };
        let ((rows, high), (columns, wide)) = (side(y, self.input.h), side(x, self.input.w));
        Part { rows, columns, places: high * wide }
    }

    /// Calls `visit(where the pixel's channels begin in the output, its window)` for every pixel of the output.
    #[inline(always)]
    fn each(&self, mut visit: impl FnMut(usize, &Part)) {
        for y in 0..self.output.h {
            for x in 0..self.output.w {
                visit((y * self.output.w + x) * self.output.c, &self.part(y, x));
            }
        }
    }

    /// Where the channels of each pixel of a window begin in the input, row by row.
    #[inline(always)]
    fn taps<'a>(&self, part: &'a Part) -> impl Iterator<Item = usize> + 'a {
        let Shape { c, w, .. } = self.input;
        part.rows.clone().flat_map(move |y| part.columns.clone().map(move |x| (y * w + x) * c))
    }
}

impl<E: Real> ImageOp<E> for Pool2d {
    fn forward(&self, _: usize, x: &[E], out: &mut [E]) {
        let c = self.input.c;
        vectorized(
            #[inline(always)]
            || {
                self.each(
                    #[inline(always)]
                    |to, part| {
                        let out = &mut out[to..][..c];
                        for (tap, from) in self.taps(part).enumerate() {
                            let x = &x[from..][..c];
                            match (self.of, tap) {
                                (_, 0) => out.copy_from_slice(x),
                                (Of::Max, _) => larger(out, x),
                                (Of::Mean, _) => out.iter_mut().zip(x).for_each(|(o, x)| *o += *x),
                            }
                        }
                        if self.of == Of::Mean {
                            let share = E::of(1.0 / part.places as f64);
                            out.iter_mut().for_each(|o| *o *= share);
                        }
                    },
                );
            },
        );
    }

    fn reads(&self) -> bool {
        self.of == Of::Max
    }

    fn backward(&self, _: usize, Backward { x, y, d }: Backward<'_, E>, to: Gradient<'_, E>) {
        let c = self.input.c;
        let dx = to.into_sum();
        // What of each channel's gradient has not found its place yet.
        let mut left = vec![E::ZERO; c];
        vectorized(
            #[inline(always)]
            || {
                self.each(
                    #[inline(always)]
                    |at, part| {
                        let d = &d[at..][..c];
                        match self.of {
                            Of::Mean => {
                                let share = E::of(1.0 / part.places as f64);
                                left.iter_mut().zip(d).for_each(|(left, d)| *left = *d * share);
                                for from in self.taps(part) {
                                    let dx = &mut dx[from..][..c];
                                    dx.iter_mut().zip(&left).for_each(|(dx, d)| *dx += *d);
                                }
                            }
                            Of::Max => {
                                left.copy_from_slice(d);
                                for from in self.taps(part) {
                                    give(&mut left, &x[from..][..c], &y[at..][..c], &mut dx[from..][..c]);
                                }
                            }
                        }
                    },
                );
            },
        );
    }
}

/// The larger of each pair; what is not a number stays.
#[inline(always)]
fn larger<E: Real>(out: &mut [E], x: &[E]) {
    out.iter_mut().zip(x).for_each(|(o, x)| *o = o.or_larger(*x));
}

/// Gives what is left of the gradient to where the largest value is.
#[inline(always)]
fn give<E: Real>(left: &mut [E], x: &[E], y: &[E], dx: &mut [E]) {
    for (((left, x), y), dx) in left.iter_mut().zip(x).zip(y).zip(dx) {
        let is_largest = *x >= *y;
        *dx += if is_largest { *left } else { E::ZERO };
        *left = if is_largest { E::ZERO } else { *left };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of equal values the first of the window, row by row, takes the gradient; what is not a number is the largest.
    /// Expected values: `torch.nn.MaxPool2d(2, 1)`.
    #[test]
    fn the_first_of_the_largest_takes_the_gradient() {
        let window = Window { kernel: 2, stride: 1, pad: 0, ceil: false };
        let (input, output) = (Shape::new(1, 3, 4), Shape::new(1, 2, 3));
        let pool = Pool2d { of: Of::Max, window, input, output };
        let x = [1.0, 3.0, 3.0, 0.0, 3.0, 2.0, 3.0, 3.0, 0.0, 3.0, 1.0, 3.0];
        let mut y = [0.0; 6];
        pool.forward(0, &x, &mut y);
        assert_eq!(y, [3.0; 6]);
        let mut dx = [9.0; 12];
        let pass = Backward { x: &x, y: &y, d: &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        pool.backward(0, pass, Gradient { data: &mut dx, accumulate: false });
        assert_eq!(dx, [0.0, 3.0, 3.0, 0.0, 4.0, 0.0, 11.0, 0.0, 0.0, 0.0, 0.0, 0.0]);

        let (input, output) = (Shape::new(1, 2, 3), Shape::new(1, 1, 2));
        let mut y = [0.0; 2];
        Pool2d { input, output, ..pool }.forward(0, &[1.0, f64::NAN, 2.0, 3.0, 1.0, 2.0], &mut y);
        assert!(y.iter().all(|y| y.is_nan()));
    }
}
