//! Channel shuffle and flattening: matrices turned round, one in each pixel or one in each image.

use crate::arch::Shape;
use crate::engine::ops::image::{Backward, Gradient, ImageOp};
use crate::engine::real::Real;
use crate::engine::simd::vectorized;

/// Every `rows * cols` values, row by row, become column by column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transpose {
    rows: usize,
    cols: usize,
}

impl Transpose {
    /// Channel g * (C / groups) + i becomes channel i * groups + g.
    pub fn shuffle(channels: usize, groups: usize) -> Self {
        Self { rows: groups, cols: channels / groups }
    }

    /// An image's (H, W, C) becomes (C, H, W).
    pub fn flatten(shape: Shape) -> Self {
        Self { rows: shape.h * shape.w, cols: shape.c }
    }

    /// Whether it changes nothing.
    pub fn is_identity(&self) -> bool {
        self.rows == 1 || self.cols == 1
    }

    /// The way back.
    fn back(self) -> Self {
        Self { rows: self.cols, cols: self.rows }
    }

    /// All matrices of `from`, `put` into `to`.
    fn each<E: Real>(self, from: &[E], to: &mut [E], put: impl Fn(&mut E, E) + Copy) {
        let Self { rows, cols } = self;
        vectorized(
            #[inline(always)]
            || {
                let matrices = from.chunks_exact(rows * cols).zip(to.chunks_exact_mut(rows * cols));
                for (from, to) in matrices {
                    match (rows, cols) {
                        (2, _) => interleave::<E, 2>(from, to, put),
                        (3, _) => interleave::<E, 3>(from, to, put),
                        (4, _) => interleave::<E, 4>(from, to, put),
                        (8, _) => interleave::<E, 8>(from, to, put),
                        (_, 2) => separate::<E, 2>(from, to, put),
                        (_, 3) => separate::<E, 3>(from, to, put),
                        (_, 4) => separate::<E, 4>(from, to, put),
                        (_, 8) => separate::<E, 8>(from, to, put),
                        _ => blocks(from, (rows, cols), to, put),
                    }
                }
            },
        );
    }
}

impl<E: Real> ImageOp<E> for Transpose {
    fn forward(&self, _: usize, x: &[E], out: &mut [E]) {
        self.each(
            x,
            out,
            #[inline(always)]
            |to, from| *to = from,
        );
    }

    fn reads(&self) -> bool {
        false
    }

    fn backward(&self, _: usize, Backward { d, .. }: Backward<'_, E>, to: Gradient<'_, E>) {
        match to.accumulate {
            true => self.back().each(
                d,
                to.data,
                #[inline(always)]
                |to, from| *to += from,
            ),
            false => self.back().each(
                d,
                to.data,
                #[inline(always)]
                |to, from| *to = from,
            ),
        }
    }
}

/// `G` rows: their first values, then their second ones, ...
#[inline(always)]
fn interleave<E: Real, const G: usize>(from: &[E], to: &mut [E], put: impl Fn(&mut E, E)) {
    let n = to.len() / G;
    let rows: [&[E]; G] = std::array::from_fn(
        #[inline(always)]
        |g| &from[g * n..][..n],
    );
    for (i, to) in to.chunks_exact_mut(G).enumerate() {
        for g in 0..G {
            put(&mut to[g], rows[g][i]);
        }
    }
}

/// `G` columns: all of the first, then all of the second, ...
#[inline(always)]
fn separate<E: Real, const G: usize>(from: &[E], to: &mut [E], put: impl Fn(&mut E, E)) {
    let n = from.len() / G;
    for (g, to) in to.chunks_exact_mut(n).enumerate() {
        to.iter_mut().zip(from.chunks_exact(G)).for_each(|(to, from)| put(to, from[g]));
    }
}

/// Squares of a side that stays in the first-level cache, one after another.
#[inline(always)]
fn blocks<E: Real>(from: &[E], (rows, cols): (usize, usize), to: &mut [E], put: impl Fn(&mut E, E)) {
    const SIDE: usize = 16;
    for r0 in (0..rows).step_by(SIDE) {
        for c0 in (0..cols).step_by(SIDE) {
            for c in c0..cols.min(c0 + SIDE) {
                let to = &mut to[c * rows..][r0..rows.min(r0 + SIDE)];
                to.iter_mut().enumerate().for_each(|(r, to)| put(to, from[(r0 + r) * cols + c]));
            }
        }
    }
}
