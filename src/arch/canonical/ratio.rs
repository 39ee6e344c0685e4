//! The plainest number of those that give the same widths.

use std::ops::RangeInclusive;

use crate::arch::blocks::squeeze_excite::divisible_by_8;

/// Decimals beyond which no ratio is looked for.
const DECIMALS: i32 = 9;

/// The number with the fewest decimals between `low` and `high` that `fits`, the smallest of several. `fits` must hold for all
/// numbers between two for which it holds.
pub fn plainest((low, high): (f64, f64), fits: impl Fn(f64) -> bool) -> Option<f64> {
    for decimals in 0..=DECIMALS {
        let scale = 10_f64.powi(decimals);
        let (first, last) = ((low * scale).ceil(), (high * scale).floor());
        // Bounds are exact to rounding, so one more on either side is tried.
        let mut number = (first - 1.0).max(1.0);
        while number <= last + 1.0 {
            let value = number / scale;
            if fits(value) {
                return Some(value);
            }
            number += 1.0;
        }
    }
    None
}

/// Hidden width of a ratio, as blocks are built.
pub fn hidden(ratio: f64, inputs: usize) -> usize {
    (ratio * inputs as f64).round() as usize
}

/// The plainest expansion that gives each block its hidden width: pairs of input channels and hidden width.
pub fn expansion(widths: impl Iterator<Item = (usize, usize)> + Clone) -> Option<f64> {
    const ALLOWED: RangeInclusive<f64> = f64::MIN_POSITIVE..=64.0;
    let (mut low, mut high) = (0.0_f64, 64.0_f64);
    for (inputs, width) in widths.clone() {
        low = low.max((width as f64 - 0.5) / inputs as f64);
        high = high.min((width as f64 + 0.5) / inputs as f64);
    }
    if low > high {
        return None;
    }
    plainest((low, high), |ratio| {
        ALLOWED.contains(&ratio) && widths.clone().all(|(inputs, width)| hidden(ratio, inputs) == width)
    })
}

/// Ratios that networks are published with, tried before any other.
const USUAL: [f64; 3] = [0.25, 0.5, 0.125];

/// The plainest ratio that squeezes each hidden width to the width that was built: pairs of the two.
pub fn squeeze(widths: impl Iterator<Item = (usize, usize)> + Clone) -> Option<f64> {
    let fits = |ratio: f64| {
        (f64::MIN_POSITIVE..=1.0).contains(&ratio)
            && widths.clone().all(|(hidden, squeezed)| divisible_by_8(ratio * hidden as f64) == squeezed)
    };
    if let Some(usual) = USUAL.into_iter().find(|ratio| fits(*ratio)) {
        return Some(usual);
    }
    // A multiple of 8 comes of widths from 8 below it to 4 above it.
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for (hidden, squeezed) in widths.clone() {
        let (hidden, squeezed) = (hidden as f64, squeezed as f64);
        low = low.max(if squeezed > 8.0 { (squeezed - 8.0) / hidden } else { 0.0 });
        high = high.min((squeezed + 4.0) / hidden);
    }
    if low > high {
        return None;
    }
    plainest((low, high), fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 8 channels to 17 are 2.0625 to 2.1875 times as many, 24 to 55 are 2.2709 to 2.3125 times.
    #[test]
    fn the_fewest_decimals_win() {
        let plain = |widths: &[(usize, usize)]| expansion(widths.iter().copied());
        assert_eq!(plain(&[(8, 16)]), Some(2.0));
        assert_eq!(plain(&[(8, 17)]), Some(2.1));
        assert_eq!(plain(&[(24, 55)]), Some(2.3));
        assert_eq!(plain(&[(24, 55), (8, 18)]), Some(2.3));
        assert_eq!(plain(&[(24, 55), (8, 17)]), None);
        assert_eq!(plain(&[(1, 65)]), None, "64 is the largest");
        assert_eq!(plain(&[(8, 1)]), Some(0.1));
    }

    /// torchvision's rounding: 16 * 0.125, 16 * 0.25 and 16 * 0.5 all become 8; 100 * 0.19 becomes 24, for 16 is below 90 % of 19.
    #[test]
    fn squeezes_have_the_usual_ratios_where_those_fit() {
        let plain = |widths: &[(usize, usize)]| squeeze(widths.iter().copied());
        assert_eq!(plain(&[(16, 8)]), Some(0.25));
        assert_eq!(plain(&[(96, 24)]), Some(0.25));
        assert_eq!(plain(&[(96, 48)]), Some(0.5));
        assert_eq!(plain(&[(64, 64)]), Some(1.0));
        assert_eq!(plain(&[(100, 24)]), Some(0.25));
        assert_eq!(plain(&[(100, 16)]), Some(0.125));
        assert_eq!(plain(&[(96, 24), (16, 16)]), None);
        assert_eq!(plain(&[(4, 8)]), Some(0.25));
        assert_eq!(plain(&[(4, 16)]), None);
    }
}
