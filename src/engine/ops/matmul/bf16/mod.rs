//! Products in bf16: both sides rounded to the nearest (ties to even), products summed in f32.
//!
//! Two kinds of units do this, and they sum in different orders: AMX in tiles of 16 x 16 results, and AVX512-BF16 in vectors.
//! Both read numbers below the smallest normal f32 as zero. Results are the same on every run and for every number of threads,
//! but differ in the last bits between the two kinds, so that they depend on the machine. Without units there is no bf16:
//! rounding by hand and multiplying in f32 would be slower than f32 itself.
//!
//! Both kinds take their numbers in pairs along the depth. A pair fills the place of one f32, so that buffers of f32 hold them.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod convert;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use super::Mat;
use crate::engine::pool::Buf;

/// Rows and columns of a tile of results, and pairs along its depth.
const TILE: usize = 16;

/// bf16 units that this machine has: who holds one may use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
enum Kind {
    Amx,
    Avx512,
}

impl Units {
    /// The machine's best.
    pub fn of_this_machine() -> Option<Self> {
        static FOUND: OnceLock<Option<Units>> = OnceLock::new();
        *FOUND.get_or_init(|| Self::available().first().copied())
    }

    /// All that the machine has, the best first.
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        if crate::engine::simd::has_bf16() {
            let kinds = if amx::allowed() { &[Kind::Amx, Kind::Avx512][..] } else { &[Kind::Avx512] };
            return kinds.iter().map(|kind| Self(*kind)).collect();
        }
        Vec::new()
    }

    /// As processors' manuals call them.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Amx => "AMX-BF16",
            Kind::Avx512 => "AVX512-BF16",
        }
    }
}

/// One side of a product as pairs along the depth, zeros after the depth's end.
pub struct Pairs {
    data: Buf<f32>,
    /// From one row to the next.
    stride: usize,
    /// (rows, depth) of a left side, (depth, columns) of a right side.
    shape: (usize, usize),
}

impl Pairs {
    /// A left side: rows of pairs.
    pub(super) fn left(_: Units, (rows, depth): (usize, usize), a: Mat<'_, f32>) -> Self {
        let stride = depth.div_ceil(2).next_multiple_of(TILE);
        let mut data = Buf::take(rows.next_multiple_of(TILE) * stride);
        #[cfg(target_arch = "x86_64")]
        convert::left((rows, depth), a, &mut data, stride);
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (&mut data, a);
        Self { data, stride, shape: (rows, depth) }
    }

    /// A right side: row r holds the pairs of the rows 2r and 2r + 1.
    pub(super) fn right(_: Units, (depth, cols): (usize, usize), b: Mat<'_, f32>) -> Self {
        let stride = cols.next_multiple_of(TILE);
        let mut data = Buf::take(depth.div_ceil(2).next_multiple_of(TILE) * stride);
        #[cfg(target_arch = "x86_64")]
        convert::right((depth, cols), b, &mut data, stride);
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (&mut data, b);
        Self { data, stride, shape: (depth, cols) }
    }
}

/// out (rows x cols, row by row) = left * right, added to what it holds where `accumulate`; `next` is brought nearer meanwhile.
///
/// # Panics
/// When sizes do not fit.
pub(super) fn product(
    units: Units,
    (rows, cols, depth): (usize, usize, usize),
    out: &mut [f32],
    accumulate: bool,
    (left, right): (&Pairs, &Pairs),
    next: [&[f32]; 2],
) {
    assert!(left.shape == (rows, depth) && right.shape == (depth, cols), "sides of other shapes");
    assert!(out.len() >= rows * cols, "output too small");
    #[cfg(target_arch = "x86_64")]
    match units.0 {
        Kind::Amx => amx::product((rows, cols), out, accumulate, (left, right), next),
        Kind::Avx512 => in_vectors((rows, cols, depth), out, accumulate, (left, right), next),
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (units, accumulate, next);
}

/// The f32 kernel with its multiply-add for pairs.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
fn in_vectors(
    (rows, cols, depth): (usize, usize, usize),
    out: &mut [f32],
    accumulate: bool,
    (left, right): (&Pairs, &Pairs),
    next: [&[f32]; 2],
) {
    use super::kernel::{Product, Side};
    let a = Mat { data: &left.data, row: left.stride, col: 1 };
    let b = Side::Rows(&right.data, right.stride);
    let epilogue = super::Epilogue::accumulating(accumulate);
    let (depth, ahead) = (depth.div_ceil(2), next.into());
    let product = Product { rows, cols, depth, a, b, out, epilogue, ahead };
    // SAFETY: there are no `Units` on a machine without AVX512-BF16, and without them no `Pairs`.
    unsafe { crate::engine::simd::run_pairs(product) }
}
