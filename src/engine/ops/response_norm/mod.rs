//! Local response normalisation over neighbouring channels (Krizhevsky et al. 2012, section 3.3), as
//! `torch.nn.LocalResponseNorm` defines it.

use crate::engine::ops::image::{Backward, Gradient, ImageOp};
use crate::engine::real::Real;
use crate::engine::simd::vectorized;

/// y = x / (k + alpha / size * sum of x^2 over channels c - size/2 ..= c + (size-1)/2)^beta.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResponseNorm {
    pub channels: usize,
    pub size: usize,
    pub alpha: f64,
    pub beta: f64,
    pub k: f64,
}

/// What a pixel needs beside its channels.
struct Scratch<E> {
    /// A term per channel, with zeros on both sides for windows to reach into.
    terms: Vec<E>,
    /// k + alpha / size * the sum of the window.
    base: Vec<E>,
    /// Its power -beta.
    power: Vec<E>,
    /// Sums of windows.
    sums: Vec<E>,
}

impl ResponseNorm {
    fn scratch<E: Real>(&self) -> Scratch<E> {
        let of_channels = || vec![E::ZERO; self.channels];
        let terms = vec![E::ZERO; self.channels + 2 * self.size];
        Scratch { terms, base: of_channels(), power: of_channels(), sums: of_channels() }
    }

    /// Bases and powers of one pixel.
    #[inline(always)]
    fn read<E: Real>(&self, x: &[E], scratch: &mut Scratch<E>) {
        let Scratch { terms, base, power, sums } = scratch;
        let inner = &mut terms[self.size..][..self.channels];
        inner.iter_mut().zip(x).for_each(|(t, x)| *t = *x * *x);
        self.windows(self.size / 2, terms, sums);
        let (share, k) = (E::of(self.alpha / self.size as f64), E::of(self.k));
        base.iter_mut().zip(&*sums).for_each(|(base, sum)| *base = sum.fma(share, k));
        if self.beta == 0.75 {
            // The exponent of the literature, by roots, which are exact and vectors.
            for (power, base) in power.iter_mut().zip(&*base) {
                let root = base.root();
                *power = E::of(1.0) / (root * root.root());
            }
        } else {
            power.iter_mut().zip(&*base).for_each(|(power, base)| *power = base.power(-self.beta));
        }
    }

    /// The sum of each channel's window, that many channels before it.
    #[inline(always)]
    fn windows<E: Real>(&self, before: usize, terms: &[E], sums: &mut [E]) {
        sums.fill(E::ZERO);
        for tap in 0..self.size {
            let terms = &terms[self.size - before + tap..][..self.channels];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += *term);
        }
    }
}

impl<E: Real> ImageOp<E> for ResponseNorm {
    fn forward(&self, _: usize, x: &[E], out: &mut [E]) {
        let mut scratch = self.scratch();
        vectorized(
            #[inline(always)]
            || {
                for (x, out) in x.chunks_exact(self.channels).zip(out.chunks_exact_mut(self.channels)) {
                    self.read(x, &mut scratch);
                    for ((out, x), power) in out.iter_mut().zip(x).zip(&scratch.power) {
                        *out = *x * *power;
                    }
                }
            },
        );
    }

    fn reads(&self) -> bool {
        true
    }

    fn backward(&self, _: usize, Backward { x, y, d }: Backward<'_, E>, to: Gradient<'_, E>) {
        let (c, dx) = (self.channels, to.into_sum());
        let slope = E::of(-2.0 * self.beta * self.alpha / self.size as f64);
        let mut scratch = self.scratch();
        vectorized(
            #[inline(always)]
            || {
                let rows = x.chunks_exact(c).zip(y.chunks_exact(c)).zip(d.chunks_exact(c));
                for (((x, y), d), dx) in rows.zip(dx.chunks_exact_mut(c)) {
                    self.read(x, &mut scratch);
                    let Scratch { terms, base, power, sums } = &mut scratch;
                    let inner = &mut terms[self.size..][..c];
                    for (((term, y), d), base) in inner.iter_mut().zip(y).zip(d).zip(&*base) {
                        *term = *d * *y / *base;
                    }
                    // Channel j is in the windows of those from j - (size-1)/2 on.
                    self.windows((self.size - 1) / 2, terms, sums);
                    for ((((dx, x), d), power), sum) in dx.iter_mut().zip(x).zip(d).zip(&*power).zip(&*sums) {
                        *dx += d.fma(*power, slope * *x * *sum);
                    }
                }
            },
        );
    }
}
