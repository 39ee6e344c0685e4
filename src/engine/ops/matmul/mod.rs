//! Matrix products with what happens to their results while these are still in registers.

pub mod bf16;
mod kernel;

use crate::engine::act::Act;
use crate::engine::pool::Buf;
use crate::engine::real::Real;
use bf16::{Pairs, Units};
use kernel::{Product, Side};

/// A matrix inside a slice: element (i, j) lies at `i * row + j * col`.
#[derive(Clone, Copy)]
pub struct Mat<'a, E> {
    pub data: &'a [E],
    pub row: usize,
    pub col: usize,
}

impl<'a, E> Mat<'a, E> {
    /// Rows one after another, `columns` wide.
    pub fn rows(data: &'a [E], columns: usize) -> Self {
        Self { data, row: columns, col: 1 }
    }

    /// The transpose of [`rows`](Self::rows).
    pub fn transposed(data: &'a [E], columns: usize) -> Self {
        Self { data, row: 1, col: columns }
    }

    /// Where a row starts, and how far its neighbours are: (start, to the next row, to the next column).
    fn at(&self, row: usize) -> (*const E, usize, usize) {
        (self.data[row * self.row..].as_ptr(), self.row, self.col)
    }
}

/// Columns that are never split between panels.
const UNIT: usize = 16;

/// Units of the next panel where `cols` columns are left: three, but no single one left over after them.
fn panel_units(cols: usize) -> usize {
    match cols.div_ceil(UNIT) {
        units @ 0..=3 => units,
        4 => 2,
        _ => 3,
    }
}

/// A right side laid out for the kernels.
pub struct Packed<E: Real> {
    layout: Layout<E>,
    depth: usize,
    cols: usize,
}

enum Layout<E: Real> {
    /// Panels of some units of columns, each panel row by row, zeros where a unit is not full.
    Panels(Buf<E>),
    /// Rounded to bf16.
    Pairs(Pairs, Units),
}

impl<E: Real> Packed<E> {
    /// Of a matrix of `depth` rows.
    ///
    /// # Panics
    /// When the matrix does not fit its slice.
    pub fn new(depth: usize, cols: usize, b: Mat<'_, E>) -> Self {
        assert!(fits(&b, depth, cols), "right side of a matrix product too small");
        let mut data = Buf::zeros(depth * cols.next_multiple_of(UNIT));
        let (mut col, mut at) = (0, 0);
        while col < cols {
            let units = panel_units(cols - col);
            let width = (units * UNIT).min(cols - col);
            for p in 0..depth {
                let from = p * b.row + col * b.col;
                let to = &mut data[at + p * units * UNIT..][..width];
                to.iter_mut().enumerate().for_each(|(j, to)| *to = b.data[from + j * b.col]);
            }
            col += width;
            at += units * UNIT * depth;
        }
        Self { layout: Layout::Panels(data), depth, cols }
    }

    /// As [`new`](Self::new); with bf16 units and in f32 rounded to bf16, and so will be the left sides it multiplies.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn with(units: Option<Units>, depth: usize, cols: usize, b: Mat<'_, E>) -> Self {
        assert!(fits(&b, depth, cols), "right side of a matrix product too small");
        match (units, E::f32s(b.data)) {
            (Some(units), Some(data)) => {
                let pairs = Pairs::right(units, (depth, cols), Mat { data, row: b.row, col: b.col });
                Self { layout: Layout::Pairs(pairs, units), depth, cols }
            }
            _ => Self::new(depth, cols, b),
        }
    }
}

/// The right side of a product.
pub enum Right<'a, E: Real> {
    Packed(&'a Packed<E>),
    /// Rows one after another, as wide as the product.
    Rows(&'a [E]),
    /// As `Rows`, both sides rounded to bf16 where they are f32.
    Rounded(&'a [E], Units),
}

impl<'a, E: Real> Right<'a, E> {
    /// Rows one after another, rounded to bf16 where there are units for it.
    pub fn rows(units: Option<Units>, b: &'a [E]) -> Self {
        units.map_or(Self::Rows(b), |units| Self::Rounded(b, units))
    }
}

/// What happens to a product's results on their way out, in this order.
pub struct Epilogue<'a, E> {
    /// Whether the products are added to what the output holds.
    pub accumulate: bool,
    /// A value per column, added.
    pub bias: Option<&'a [E]>,
    /// Sums per column, added to row by row.
    pub tally: Option<Tally<'a>>,
    /// Added elementwise: a matrix like the output.
    pub add: Option<&'a [E]>,
    pub act: Act<E>,
    /// What will be read after this product: brought nearer meanwhile.
    pub next: [&'a [E]; 2],
}

/// Sums per column, and of squares, in f64. Squares of f32 are exact there, and their sums lose nothing that matters even
/// where the mean is thousands of deviations from zero.
pub struct Tally<'a> {
    pub sum: &'a mut [f64],
    pub squares: &'a mut [f64],
}

impl<E> Epilogue<'_, E> {
    /// Nothing but the product.
    pub fn plain() -> Self {
        Self::accumulating(false)
    }

    /// The product, added to what the output holds where `accumulate`.
    pub fn accumulating(accumulate: bool) -> Self {
        Self { accumulate, bias: None, tally: None, add: None, act: Act::Identity, next: [&[]; 2] }
    }
}

/// out (rows x cols, row by row) = a (rows x depth) * b (depth x cols), with the epilogue.
///
/// # Panics
/// When a matrix does not fit its slice.
pub fn matmul<E: Real>(
    (rows, cols, depth): (usize, usize, usize),
    out: &mut [E],
    a: Mat<'_, E>,
    b: Right<'_, E>,
    epilogue: Epilogue<'_, E>,
) {
    if rows == 0 || cols == 0 {
        return;
    }
    let area = |rows: usize| rows.saturating_mul(cols);
    assert!(out.len() >= area(rows), "output of a matrix product too small");
    assert!(fits(&a, rows, depth), "left side of a matrix product too small");
    match b {
        Right::Packed(b) => assert!((b.depth, b.cols) == (depth, cols), "right side of another shape"),
        Right::Rows(b) | Right::Rounded(b, _) => {
            assert!(b.len() >= area(depth), "right side of a matrix product too small");
        }
    }
    assert!(epilogue.bias.is_none_or(|bias| bias.len() >= cols), "bias too short");
    if let Some(tally) = &epilogue.tally {
        assert!(tally.sum.len().min(tally.squares.len()) >= cols, "tally too short");
    }
    assert!(epilogue.add.is_none_or(|add| add.len() >= area(rows)), "added matrix too small");
    let shape = (rows, cols, depth);
    let b = match b {
        Right::Packed(Packed { layout: Layout::Panels(b), .. }) => Side::Panels(b),
        Right::Packed(Packed { layout: Layout::Pairs(b, units), .. }) => {
            return in_bf16(*units, shape, out, a, b, epilogue);
        }
        Right::Rounded(b, units) => match E::f32s(b) {
            Some(b) => {
                let b = Pairs::right(units, (depth, cols), Mat::rows(b, cols));
                return in_bf16(units, shape, out, a, &b, epilogue);
            }
            None => Side::Rows(b, cols),
        },
        Right::Rows(b) => Side::Rows(b, cols),
    };
    let ahead = epilogue.next.into();
    E::run(Product { rows, cols, depth, a, b, out, epilogue, ahead });
}

/// The product on bf16 units, then the epilogue in a pass of its own, while the output is still in cache.
fn in_bf16<E: Real>(
    units: Units,
    (rows, cols, depth): (usize, usize, usize),
    out: &mut [E],
    a: Mat<'_, E>,
    b: &Pairs,
    epilogue: Epilogue<'_, E>,
) {
    let (Some(sums), Some(data)) = (E::f32s_mut(out), E::f32s(a.data)) else { return };
    let left = Pairs::left(units, (rows, depth), Mat { data, row: a.row, col: a.col });
    let next = epilogue.next.map(|next| E::f32s(next).unwrap_or_default());
    bf16::product(units, (rows, cols, depth), sums, epilogue.accumulate, (&left, b), next);
    let Epilogue { bias, tally, add, act, .. } = &epilogue;
    if bias.is_some() || tally.is_some() || add.is_some() || *act != Act::Identity {
        let (a, b) = (Mat { row: 0, ..a }, Side::Rows(&[], 0));
        let epilogue = Epilogue { accumulate: true, ..epilogue };
        let ahead = [&[][..]; 2].into();
        E::run(Product { rows, cols, depth: 0, a, b, out, epilogue, ahead });
    }
}

/// Whether every element of a matrix lies in its slice.
fn fits<E>(mat: &Mat<'_, E>, rows: usize, cols: usize) -> bool {
    let last = |rows: usize, cols: usize| {
        (rows - 1).checked_mul(mat.row)?.checked_add((cols - 1).checked_mul(mat.col)?)
    };
    rows == 0 || cols == 0 || last(rows, cols).is_some_and(|last| last < mat.data.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::simd::Isa;

    /// 2x3 times 3x2, by hand; then the same added to itself, and with the transpose.
    #[test]
    fn small_products() {
        let a = [1.0f64, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0f64, 0.0, 2.0, 1.0, 0.0, 3.0];
        let mut out = [9.0f64; 4];
        matmul((2, 2, 3), &mut out, Mat::rows(&a, 3), Right::Rows(&b), Epilogue::plain());
        assert_eq!(out, [5.0, 11.0, 14.0, 23.0]);
        matmul((2, 2, 3), &mut out, Mat::rows(&a, 3), Right::Rows(&b), Epilogue::accumulating(true));
        assert_eq!(out, [10.0, 22.0, 28.0, 46.0]);
        let mut square = [0.0f64; 4];
        let packed = Packed::new(3, 2, Mat::transposed(&a, 3));
        matmul((2, 2, 3), &mut square, Mat::rows(&a, 3), Right::Packed(&packed), Epilogue::plain());
        assert_eq!(square, [14.0, 32.0, 32.0, 77.0]);
    }

    #[test]
    #[should_panic(expected = "too small")]
    fn sizes_are_checked() {
        let a = [1.0f32; 5];
        let b = Right::Rows(&[0.0f32; 6]);
        matmul((2, 2, 3), &mut [0.0f32; 4], Mat::rows(&a, 3), b, Epilogue::plain());
    }

    /// Numbers that need every bit of f32.
    fn noise(len: usize, seed: u32) -> Vec<f32> {
        let hash = |i: usize| (i as u32 + seed).wrapping_mul(2_654_435_761) >> 8;
        (0..len).map(|i| hash(i) as f32 / (1 << 23) as f32 - 1.0).collect()
    }

    /// Each element a chain of fused multiply-adds in order: the definition, spelled out, to the bit; with and without
    /// panels, at sizes around every tile's border, on every instruction set.
    #[test]
    fn every_instruction_set_and_layout_gives_the_bits_of_the_definition() {
        for isa in Isa::available() {
            isa.select();
            for (rows, cols) in
                [(1, 1), (4, 15), (7, 16), (8, 17), (13, 31), (25, 33), (16, 48), (9, 50), (12, 64), (5, 130)]
            {
                for depth in [0, 1, 7] {
                    check(rows, cols, depth);
                }
            }
        }
    }

    fn check(rows: usize, cols: usize, depth: usize) {
        let (a, b) = (noise(rows * depth, 1), noise(depth * cols, 2));
        let (bias, add) = (noise(cols, 3), noise(rows * cols, 4));
        let packed = Packed::new(depth, cols, Mat::rows(&b, cols));
        let chain = |r: usize, c: usize| {
            (0..depth).fold(0.0f32, |sum, p| a[r * depth + p].mul_add(b[p * cols + c], sum))
        };
        for right in [Right::Packed(&packed), Right::Rows(&b)] {
            let mut out = vec![f32::NAN; rows * cols];
            let (mut sum, mut squares) = (vec![0.5; cols], vec![0.25; cols]);
            let tally = Some(Tally { sum: &mut sum, squares: &mut squares });
            let epilogue =
                Epilogue { bias: Some(&bias), tally, add: Some(&add), act: Act::Relu6, ..Epilogue::plain() };
            matmul((rows, cols, depth), &mut out, Mat::rows(&a, depth), right, epilogue);
            for c in 0..cols {
                let (mut s, mut q) = (0.5, 0.25);
                for r in 0..rows {
                    let z = chain(r, c) + bias[c];
                    (s, q) = (s + f64::from(z), q + f64::from(z) * f64::from(z));
                    assert_eq!(
                        out[r * cols + c],
                        (z + add[r * cols + c]).clamp(0.0, 6.0),
                        "{rows} {cols} {depth}"
                    );
                }
                assert_eq!((sum[c], squares[c]), (s, q), "{rows} {cols} {depth}");
            }
        }
    }
}
