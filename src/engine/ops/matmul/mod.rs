//! Matrix products through the `gemm` crate, behind size checks.
#![allow(unsafe_code)]

use crate::engine::Real;

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
}

/// out (m x n, rows one after another) = a (m x k) * b (k x n), added to what `out` holds where `accumulate`.
///
/// # Panics
/// When a matrix does not fit its slice.
pub fn matmul<E: Real>(
    (m, n, k): (usize, usize, usize),
    out: &mut [E],
    accumulate: bool,
    a: Mat<'_, E>,
    b: Mat<'_, E>,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(m.checked_mul(n).is_some_and(|len| out.len() >= len), "output of a matrix product too small");
    let last = |mat: &Mat<'_, E>, rows: usize, cols: usize| {
        (rows - 1).checked_mul(mat.row)?.checked_add((cols - 1).checked_mul(mat.col)?)
    };
    let fits = |mat: &Mat<'_, E>, rows: usize, cols: usize| {
        rows == 0 || cols == 0 || last(mat, rows, cols).is_some_and(|last| last < mat.data.len())
    };
    assert!(fits(&a, m, k) && fits(&b, k, n), "input of a matrix product too small");
    // SAFETY: every element that the product touches lies inside its slice, by the checks above, and `out` is borrowed
    // mutably, so it overlaps neither input.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            a.data.as_ptr(),
            a.col as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.col as isize,
            b.row as isize,
            E::ONE,
            E::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2x3 times 3x2, by hand; then the same added to itself, and with the transpose.
    #[test]
    fn small_products() {
        let a = [1.0f64, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0f64, 0.0, 2.0, 1.0, 0.0, 3.0];
        let mut out = [9.0f64; 4];
        matmul((2, 2, 3), &mut out, false, Mat::rows(&a, 3), Mat::rows(&b, 2));
        assert_eq!(out, [5.0, 11.0, 14.0, 23.0]);
        matmul((2, 2, 3), &mut out, true, Mat::rows(&a, 3), Mat::rows(&b, 2));
        assert_eq!(out, [10.0, 22.0, 28.0, 46.0]);
        let mut square = [0.0f64; 4];
        matmul((2, 2, 3), &mut square, false, Mat::rows(&a, 3), Mat::transposed(&a, 3));
        assert_eq!(square, [14.0, 32.0, 32.0, 77.0]);
    }

    #[test]
    #[should_panic(expected = "too small")]
    fn sizes_are_checked() {
        let a = [1.0f32; 5];
        matmul((2, 2, 3), &mut [0.0f32; 4], false, Mat::rows(&a, 3), Mat::rows(&[0.0f32; 6], 2));
    }
}
