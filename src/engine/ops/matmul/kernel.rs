//! The loops of a matrix product: a tile of the output stays in registers while the depth runs past.
//!
//! Every element is one chain of fused multiply-adds over the depth, in order, whatever the tile: the same bits on every
//! instruction set.
#![allow(unsafe_code)]

use super::{Epilogue, Mat, UNIT, panel_units};
use crate::engine::act::{ActFn, with_act};
use crate::engine::real::Real;
use crate::engine::simd::{Kernel, Simd, prefetch};

/// A product whose sizes have been checked: `rows` x `depth` times `depth` x `cols`.
pub(super) struct Product<'a, E: Real> {
    pub rows: usize,
    pub cols: usize,
    pub depth: usize,
    pub a: Mat<'a, E>,
    pub b: Side<'a, E>,
    pub out: &'a mut [E],
    pub epilogue: Epilogue<'a, E>,
    pub ahead: Ahead<E>,
}

/// The right side: in panels, or row by row.
pub(super) enum Side<'a, E> {
    Panels(&'a [E]),
    /// Rows of at least the product's columns, this far apart.
    Rows(&'a [E], usize),
}

/// Memory to be brought nearer, a cache line at a time.
pub(super) struct Ahead<E> {
    at: *const E,
    lines: usize,
    then: (*const E, usize),
}

impl<E> From<[&[E]; 2]> for Ahead<E> {
    fn from([first, second]: [&[E]; 2]) -> Self {
        let lines = |slice: &[E]| size_of_val(slice).div_ceil(LINE);
        Self { at: first.as_ptr(), lines: lines(first), then: (second.as_ptr(), lines(second)) }
    }
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// Where one panel of the right side and of the output lies.
struct Panel<E> {
    b: *const E,
    /// From one row of the right side to the next.
    b_row: usize,
    /// First column, and how many there are.
    col: usize,
    width: usize,
}

impl<E: Real> Kernel<E> for Product<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E>>(mut self, s: S) {
        let (mut col, mut packed) = (0, 0);
        while col < self.cols {
            let units = panel_units(self.cols - col);
            let width = (units * UNIT).min(self.cols - col);
            let (b, b_row) = match self.b {
                Side::Panels(b) => (b[packed..].as_ptr(), units * UNIT),
                Side::Rows(b, row) => (b[col.min(b.len())..].as_ptr(), row),
            };
            let panel = Panel { b, b_row, col, width };
            if S::REGISTERS == 32 {
                match units {
                    3 => self.panel::<S, 8, 3>(s, &panel),
                    2 => self.panel::<S, 12, 2>(s, &panel),
                    _ => self.panel::<S, 16, 1>(s, &panel),
                }
            } else {
                for first in (0..width).step_by(UNIT) {
                    // SAFETY: `first` lies within the panel.
                    let b = unsafe { panel.b.add(first) };
                    let narrow = Panel { b, b_row, col: col + first, width: (width - first).min(UNIT) };
                    self.panel::<S, 6, 2>(s, &narrow);
                }
            }
            col += width;
            packed += units * UNIT * self.depth;
        }
    }
}

impl<E: Real> Product<'_, E> {
    /// All rows of one panel of `NV` vectors, `MR` rows at a time.
    #[inline(always)]
    fn panel<S: Simd<E>, const MR: usize, const NV: usize>(&mut self, s: S, panel: &Panel<E>) {
        let full = panel.width == NV * S::LANES;
        let mut row = 0;
        while row + MR <= self.rows {
            if full {
                self.tile::<S, MR, NV, false>(s, panel, row);
            } else {
                self.tile::<S, MR, NV, true>(s, panel, row);
            }
            row += MR;
        }
        while row + 4 <= self.rows {
            self.tile::<S, 4, NV, true>(s, panel, row);
            row += 4;
        }
        while row < self.rows {
            self.tile::<S, 1, NV, true>(s, panel, row);
            row += 1;
        }
    }

    /// `MR` rows from `row` on, `NV` vectors of columns; with `PARTIAL` the last vectors may be short.
    #[inline(always)]
    fn tile<S: Simd<E>, const MR: usize, const NV: usize, const PARTIAL: bool>(
        &mut self,
        s: S,
        panel: &Panel<E>,
        row: usize,
    ) {
        let (cols, col) = (self.cols, panel.col);
        let counts: [usize; NV] =
            std::array::from_fn(|j| panel.width.saturating_sub(j * S::LANES).min(S::LANES));
        // SAFETY: rows, columns and depth were checked against the slices in `matmul`; of a short vector only the columns
        // that exist are touched.
        let load = |from: *const E, j: usize| unsafe {
            let from = from.wrapping_add(j * S::LANES);
            if PARTIAL { s.load_first(from, counts[j]) } else { s.load(from) }
        };
        let store = |to: *mut E, j: usize, value: S::V| unsafe {
            let to = to.wrapping_add(j * S::LANES);
            if PARTIAL { s.store_first(to, counts[j], value) } else { s.store(to, value) }
        };
        let out = self.out[row * cols + col..].as_mut_ptr();
        let mut acc = [[s.splat(E::ZERO); NV]; MR];
        if self.epilogue.accumulate {
            for (i, acc) in acc.iter_mut().enumerate() {
                for (j, acc) in acc.iter_mut().enumerate() {
                    *acc = load(out.wrapping_add(i * cols), j);
                }
            }
        }
        // SAFETY: as above; past the last step nothing is read.
        unsafe {
            let b = (panel.b, panel.b_row);
            products(s, &mut acc, self.depth, self.a.at(row), b, &counts, PARTIAL, &mut self.ahead);
        }
        if let Some(bias) = self.epilogue.bias {
            for j in 0..NV {
                let bias = load(bias[col..].as_ptr(), j);
                for acc in &mut acc {
                    acc[j] = s.add(acc[j], bias);
                }
            }
        }
        if let Some(tally) = &mut self.epilogue.tally {
            for j in 0..NV {
                let at = col + (j * S::LANES).min(panel.width);
                let (to_sum, to_squares) = (tally.sum[at..].as_mut_ptr(), tally.squares[at..].as_mut_ptr());
                // SAFETY: as above.
                unsafe {
                    let mut sum = s.wide_load_first(to_sum, counts[j]);
                    let mut squares = s.wide_load_first(to_squares, counts[j]);
                    for acc in &acc {
                        sum = s.wide_add(sum, acc[j]);
                        squares = s.wide_fma(acc[j], acc[j], squares);
                    }
                    s.wide_store_first(to_sum, counts[j], sum);
                    s.wide_store_first(to_squares, counts[j], squares);
                }
            }
        }
        if let Some(add) = self.epilogue.add {
            let add = add[row * cols + col..].as_ptr();
            for (i, acc) in acc.iter_mut().enumerate() {
                for (j, acc) in acc.iter_mut().enumerate() {
                    *acc = s.add(*acc, load(add.wrapping_add(i * cols), j));
                }
            }
        }
        with_act!(self.epilogue.act, f => {
            for (i, acc) in acc.iter().enumerate() {
                for (j, acc) in acc.iter().enumerate() {
                    store(out.wrapping_add(i * cols), j, f.vector(s, *acc));
                }
            }
        });
    }
}

/// Adds `depth` outer products to `acc`: of a column of the left side from `a` on (its rows `a_row` apart, its columns
/// `a_col`) and a row of the right side from `b` on.
///
/// # Safety
/// All of these must be readable: `MR` rows of the left side, and of the right side `counts` values in each vector.
#[inline(always)]
#[allow(clippy::too_many_arguments, clippy::needless_range_loop)] // The innermost loop: all it needs, and no iterators.
unsafe fn products<E: Real, S: Simd<E>, const MR: usize, const NV: usize>(
    s: S,
    acc: &mut [[S::V; NV]; MR],
    depth: usize,
    (mut a, a_row, a_col): (*const E, usize, usize),
    (mut b, b_row): (*const E, usize),
    counts: &[usize; NV],
    partial: bool,
    ahead: &mut Ahead<E>,
) {
    if ahead.lines == 0 {
        (ahead.at, ahead.lines) = std::mem::replace(&mut ahead.then, (std::ptr::null(), 0));
    }
    let (mut at, mut lines) = (ahead.at, ahead.lines);
    let mut sums = *acc;
    for _ in 0..depth {
        // SAFETY: the caller's promise.
        unsafe {
            let mut values = [s.splat(E::ZERO); NV];
            for j in 0..NV {
                let b = b.add(j * S::LANES);
                values[j] = if partial { s.load_first(b, counts[j]) } else { s.load(b) };
            }
            for i in 0..MR {
                let factor = s.splat(*a.add(i * a_row));
                for j in 0..NV {
                    sums[i][j] = s.multiply_add(factor, values[j], sums[i][j]);
                }
            }
            if lines > 0 {
                prefetch(at);
                at = at.wrapping_byte_add(LINE);
                lines -= 1;
            }
            a = a.add(a_col);
            b = b.add(b_row);
        }
    }
    *acc = sums;
    (ahead.at, ahead.lines) = (at, lines);
}
