//! Rounding to bf16 and pairing, in whole vectors of 16 pairs.
//!
//! Only called where there are `Units`: the machine has AVX512-BF16.
#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::mem::transmute;

use super::TILE;
use crate::engine::ops::matmul::{Mat, fits};

/// A left side (rows x depth) as rows of pairs, `stride` apart: all whole tiles, zeros where the side has nothing.
pub(super) fn left((rows, depth): (usize, usize), a: Mat<'_, f32>, to: &mut [f32], stride: usize) {
    assert!(fits(&a, rows, depth) && stride.is_multiple_of(TILE) && stride * 2 >= depth);
    assert!(to.len() >= rows.next_multiple_of(TILE) * stride, "no room for pairs");
    // SAFETY: sizes are checked; AVX512-BF16 is there, see the head of this file.
    match (a.row, a.col) {
        (_, 1) => unsafe { narrow((rows, depth), a, to, stride) },
        (1, _) => unsafe { transposed((rows, depth), a, to, stride) },
        _ => {
            one_by_one((rows, depth), |row, p| a.data[row * a.row + p * a.col], |row, p| row * stride + p, to)
        }
    }
}

/// A right side (depth x cols), row r holding the pairs of the rows 2r and 2r + 1, `stride` apart, in whole tiles as well.
pub(super) fn right((depth, cols): (usize, usize), b: Mat<'_, f32>, to: &mut [f32], stride: usize) {
    let pairs = depth.div_ceil(2).next_multiple_of(TILE);
    assert!(fits(&b, depth, cols) && stride.is_multiple_of(TILE) && stride >= cols);
    assert!(to.len() >= pairs * stride, "no room for pairs");
    if b.col == 1 {
        // SAFETY: sizes are checked; AVX512-BF16 is there, see the head of this file.
        unsafe { interleave((depth, cols), b, to, stride) };
    } else {
        one_by_one((cols, depth), |col, p| b.data[p * b.row + col * b.col], |col, p| p * stride + col, to);
    }
}

/// Pairs along the second of two dimensions; `place` tells where the pair `p` of a line goes.
fn one_by_one(
    (lines, depth): (usize, usize),
    value: impl Fn(usize, usize) -> f32,
    place: impl Fn(usize, usize) -> usize,
    to: &mut [f32],
) {
    to.fill(0.0);
    for line in 0..lines {
        for p in 0..depth.div_ceil(2) {
            let high = if 2 * p + 1 < depth { rounded(value(line, 2 * p + 1)) } else { 0 };
            to[place(line, p)] = f32::from_bits(high << 16 | rounded(value(line, 2 * p)));
        }
    }
}

/// The bits of the nearest bf16, ties to even, as the units do it: what is below the smallest normal number is zero.
pub(super) fn rounded(value: f32) -> u32 {
    let bits = value.to_bits();
    if value.is_nan() {
        return bits >> 16 | 0x40;
    }
    if value.abs() < f32::MIN_POSITIVE {
        return bits >> 16 & 0x8000;
    }
    (bits + 0x7fff + (bits >> 16 & 1)) >> 16
}

/// The first `count` (or a whole vector of) numbers from `at` on, zeros after them.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(from: &[f32], at: usize, count: usize) -> __m512 {
    let values = &from[at..at + count.min(TILE)];
    let mask = ((1u32 << values.len()) - 1) as __mmask16;
    // SAFETY: no more is read than `values` holds.
    unsafe { _mm512_maskz_loadu_ps(mask, values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(to: &mut [f32], at: usize, pairs: __m512i) {
    let to = &mut to[at..at + TILE];
    // SAFETY: `to` holds a vector.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), pairs) }
}

/// The values of `low` in order, then those of `high`.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn round(low: __m512, high: __m512) -> __m512i {
    // SAFETY: both types are 64 bytes without meaning of their own.
    unsafe { transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)) }
}

/// Pairs of one value of `low` and one of `high`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pair(low: __m512, high: __m512) -> __m512i {
    const ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 32 {
            order[i] = (i / 2 + i % 2 * 16) as u16;
            i += 1;
        }
        order
    };
    // SAFETY: 64 bytes, read as they lie.
    let order = unsafe { _mm512_loadu_si512(ORDER.as_ptr().cast()) };
    _mm512_permutexvar_epi16(order, round(low, high))
}

/// Rows whose depth lies one after another.
#[target_feature(enable = "avx512f,avx512bf16")]
fn narrow((rows, depth): (usize, usize), a: Mat<'_, f32>, to: &mut [f32], stride: usize) {
    for row in 0..rows {
        for pair in (0..stride).step_by(TILE) {
            let left = depth.saturating_sub(2 * pair);
            let at = row * a.row + (2 * pair).min(depth);
            let low = load(a.data, at, left);
            let high = if left > TILE { load(a.data, at + TILE, left - TILE) } else { _mm512_setzero_ps() };
            store(to, row * stride + pair, round(low, high));
        }
    }
    to[rows * stride..].fill(0.0);
}

/// Pairs of neighbouring rows.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn interleave((depth, cols): (usize, usize), b: Mat<'_, f32>, to: &mut [f32], stride: usize) {
    let pairs = depth.div_ceil(2);
    for p in 0..pairs {
        for col in (0..stride).step_by(TILE) {
            store(to, p * stride + col, pair_of_rows(b.data, b.row, depth, cols, 2 * p, col));
        }
    }
    to[pairs * stride..].fill(0.0);
}

/// Pairs of the rows `row` and `row + 1` at 16 columns from `col` on; zeros where there is no row or column.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pair_of_rows(data: &[f32], stride: usize, rows: usize, cols: usize, row: usize, col: usize) -> __m512i {
    let one = |row: usize| {
        if row < rows && col < cols {
            load(data, row * stride + col, cols - col)
        } else {
            _mm512_setzero_ps()
        }
    };
    pair(one(row), one(row + 1))
}

/// A left side that lies column by column: `depth` lines of `rows` values, `a.col` apart.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn transposed((rows, depth): (usize, usize), a: Mat<'_, f32>, to: &mut [f32], stride: usize) {
    for p in (0..stride).step_by(TILE) {
        for row in (0..rows).step_by(TILE) {
            let mut block = [_mm512_setzero_ps(); TILE];
            for (i, line) in block.iter_mut().enumerate() {
                let pairs = pair_of_rows(a.data, a.col, depth, rows, 2 * (p + i), row);
                *line = _mm512_castsi512_ps(pairs);
            }
            for (i, line) in transpose(block).into_iter().enumerate() {
                store(to, (row + i) * stride + p, _mm512_castps_si512(line));
            }
        }
    }
}

/// 16 x 16, rows and columns exchanged.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(a: [__m512; 16]) -> [__m512; 16] {
    let pd = |a: __m512| _mm512_castps_pd(a);
    let ps = |a: __m512d| _mm512_castpd_ps(a);
    let zero = [_mm512_setzero_ps(); 16];
    let (mut b, mut c) = (zero, zero);
    for i in 0..8 {
        b[2 * i] = _mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]);
        b[2 * i + 1] = _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]);
    }
    // In each quarter q of c[4i + j]: column 4q + j of the rows 4i to 4i + 3.
    for i in 0..4 {
        let [x, y, z, w] = [b[4 * i], b[4 * i + 1], b[4 * i + 2], b[4 * i + 3]];
        c[4 * i] = ps(_mm512_unpacklo_pd(pd(x), pd(z)));
        c[4 * i + 1] = ps(_mm512_unpackhi_pd(pd(x), pd(z)));
        c[4 * i + 2] = ps(_mm512_unpacklo_pd(pd(y), pd(w)));
        c[4 * i + 3] = ps(_mm512_unpackhi_pd(pd(y), pd(w)));
    }
    let mut out = zero;
    for j in 0..4 {
        // Quarters 0 and 2, then 1 and 3, of the upper and of the lower eight rows.
        let even = _mm512_shuffle_f32x4::<0x88>(c[j], c[4 + j]);
        let odd = _mm512_shuffle_f32x4::<0xdd>(c[j], c[4 + j]);
        let even_below = _mm512_shuffle_f32x4::<0x88>(c[8 + j], c[12 + j]);
        let odd_below = _mm512_shuffle_f32x4::<0xdd>(c[8 + j], c[12 + j]);
        out[j] = _mm512_shuffle_f32x4::<0x88>(even, even_below);
        out[4 + j] = _mm512_shuffle_f32x4::<0x88>(odd, odd_below);
        out[8 + j] = _mm512_shuffle_f32x4::<0xdd>(even, even_below);
        out[12 + j] = _mm512_shuffle_f32x4::<0xdd>(odd, odd_below);
    }
    out
}
