//! Large numbers as people and scripts read them.

use serde_json::{Value, json};

pub use crate::text::bytes;
use crate::text::thousands;

/// The largest whole number that every JSON reader keeps exactly.
const EXACT: u128 = 1 << 53;

/// From here on numbers show their magnitude.
const HUGE: u128 = 1_000_000_000;

/// With commas, and from 10^9 on with its magnitude: `21,499,084,800 (2.1 x 10^10)`.
pub fn large(value: u128) -> String {
    let text = thousands(value);
    if value < HUGE { text } else { format!("{text} ({})", scientific(value, 1)) }
}

/// As [`large`], a huge number with its first digits alone: `2.15 x 10^10`. For estimates.
pub fn rough(value: u128) -> String {
    if value < HUGE { large(value) } else { scientific(value, 2) }
}

fn scientific(value: u128, decimals: usize) -> String {
    // Rounded by the formatter, which carries 9.96 to 1.0e1.
    let text = format!("{:.decimals$e}", value as f64);
    text.replace('e', " x 10^")
}

/// A whole number, as a text where a reader of JSON might round it.
pub fn exact_json(value: u128) -> Value {
    match u64::try_from(value) {
        Ok(small) if value <= EXACT => json!(small),
        _ => json!(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits_and_show_their_magnitude() {
        assert_eq!(large(24), "24");
        assert_eq!(large(200_000), "200,000");
        assert_eq!(large(21_499_084_800), "21,499,084,800 (2.1 x 10^10)");
        assert_eq!(large(9_990_000_000), "9,990,000,000 (1.0 x 10^10)");
        assert_eq!(rough(21_499_084_800), "2.15 x 10^10");
        assert_eq!(rough(999_999_999), "999,999,999");
        assert_eq!(exact_json(1 << 53), json!(9_007_199_254_740_992_u64));
        assert_eq!(exact_json((1 << 53) + 1), json!("9007199254740993"));
    }
}
