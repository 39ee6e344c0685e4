//! Against plain loops. Where the machine has no units there is nothing to test.

use super::*;
use crate::engine::act::Act;
use crate::engine::ops::matmul::{Epilogue, Packed, Right, Tally, matmul};

fn noise(len: usize, seed: u32) -> Vec<f32> {
    let hash = |i: usize| (i as u32 + seed).wrapping_mul(2_654_435_761) >> 8;
    (0..len).map(|i| hash(i) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// The nearest bf16 by search among its neighbours, not by the bits' arithmetic.
fn nearest(value: f32) -> f32 {
    let below = f32::from_bits(value.to_bits() & 0xffff_0000);
    let above = f32::from_bits((value.to_bits() & 0xffff_0000) + 0x1_0000);
    let (down, up) = ((value - below).abs(), (above - value).abs());
    let even = |v: f32| v.to_bits() >> 16 & 1 == 0;
    if down < up || (down == up && even(below)) { below } else { above }
}

/// Small whole numbers, whose products any order sums exactly: equal to the bit, at sizes around every border.
#[test]
fn whole_numbers_are_exact() {
    let whole = |len, seed| noise(len, seed).iter().map(|v| (v * 8.0).round()).collect::<Vec<f32>>();
    for units in Units::available() {
        for (rows, cols) in [(1, 1), (4, 15), (16, 16), (17, 33), (31, 48), (64, 17), (80, 50), (130, 24)] {
            for depth in [1, 2, 7, 31, 32, 33, 70] {
                check_whole(units, (rows, cols, depth), &whole);
            }
        }
    }
}

fn check_whole(
    units: Units,
    (rows, cols, depth): (usize, usize, usize),
    whole: &dyn Fn(usize, u32) -> Vec<f32>,
) {
    let (a, b, before) = (whole(rows * depth, 1), whole(depth * cols, 2), whole(rows * cols, 3));
    let flip = |m: &[f32], rows: usize, cols: usize| -> Vec<f32> {
        (0..rows * cols).map(|i| m[i % rows * cols + i / rows]).collect()
    };
    let (a_t, b_t) = (flip(&a, rows, depth), flip(&b, depth, cols));
    let expected: Vec<f32> = (0..rows * cols)
        .map(|i| (0..depth).map(|p| a[i / cols * depth + p] * b[p * cols + i % cols]).sum::<f32>())
        .collect();
    let summed: Vec<f32> = expected.iter().zip(&before).map(|(e, b)| e + b).collect();
    for left in [Mat::rows(&a, depth), Mat::transposed(&a_t, rows)] {
        for packed in [Mat::rows(&b, cols), Mat::transposed(&b_t, depth)] {
            let packed = Packed::with(Some(units), depth, cols, packed);
            for right in [Right::Packed(&packed), Right::rows(Some(units), &b)] {
                let mut out = before.clone();
                let again = match &right {
                    Right::Packed(p) => Right::Packed(p),
                    _ => Right::rows(Some(units), &b),
                };
                matmul((rows, cols, depth), &mut out, left, again, Epilogue::accumulating(true));
                assert_eq!(out, summed, "{units:?} {rows} {cols} {depth}");
                matmul((rows, cols, depth), &mut out, left, right, Epilogue::plain());
                assert_eq!(out, expected, "{units:?} {rows} {cols} {depth}");
            }
        }
    }
}

/// What needs every bit of f32: rounded first, then within f32's own error of a sum in f64.
#[test]
fn sides_are_rounded_to_the_nearest_even_and_sums_are_f32() {
    let (rows, cols, depth) = (33, 50, 77);
    let (a, b) = (noise(rows * depth, 1), noise(depth * cols, 2));
    for units in Units::available() {
        let packed = Packed::with(Some(units), depth, cols, Mat::rows(&b, cols));
        let (bias, mut out) = (noise(cols, 3), vec![f32::NAN; rows * cols]);
        let (mut sum, mut squares) = (vec![0.0; cols], vec![0.0; cols]);
        let tally = Some(Tally { sum: &mut sum, squares: &mut squares });
        let epilogue = Epilogue { bias: Some(&bias), tally, act: Act::Relu, ..Epilogue::plain() };
        matmul((rows, cols, depth), &mut out, Mat::rows(&a, depth), Right::Packed(&packed), epilogue);
        for c in 0..cols {
            let mut column = 0.0;
            for r in 0..rows {
                let term =
                    |p: usize| f64::from(nearest(a[r * depth + p])) * f64::from(nearest(b[p * cols + c]));
                let z = (0..depth).map(term).sum::<f64>() + f64::from(bias[c]);
                column += z;
                assert!((f64::from(out[r * cols + c]) - z.max(0.0)).abs() < 5e-6, "{units:?} {r} {c}");
            }
            assert!((sum[c] - column).abs() < 1e-4 && squares[c] > 0.0, "{units:?} {c}");
        }
    }
}

/// IEEE 754's ties to even and the manuals' special cases; the same from the units' own conversion.
#[test]
#[cfg(target_arch = "x86_64")]
fn rounding() {
    let cases = [
        (1.0, 1.0),
        (1.0 + 1.0 / 256.0, 1.0),      // 1 + 2^-8: halfway, down to even
        (1.0 + 3.0 / 256.0, 1.015625), // 1 + 3 * 2^-8: halfway, up to even
        (1.003_906_4, 1.0078125),      // just above halfway
        (-1.0 - 3.0 / 256.0, -1.015625),
        (f32::MAX, f32::INFINITY),
        (f32::NEG_INFINITY, f32::NEG_INFINITY),
        (1e-40, 0.0), // below the smallest normal number
        (f32::MIN_POSITIVE, f32::MIN_POSITIVE),
    ];
    for (value, expected) in cases {
        assert_eq!(f32::from_bits(convert::rounded(value) << 16), expected, "{value}");
    }
    assert!(f32::from_bits(convert::rounded(f32::NAN) << 16).is_nan());
    for units in Units::available() {
        let values: Vec<f32> = cases.iter().map(|c| c.0).chain(noise(1000, 9)).collect();
        let pairs = Pairs::left(units, (1, values.len()), Mat::rows(&values, values.len()));
        for (i, value) in values.iter().enumerate() {
            let bits = pairs.data[i / 2].to_bits() >> (i % 2 * 16) & 0xffff;
            assert_eq!(bits, convert::rounded(*value), "{value}");
        }
    }
}
