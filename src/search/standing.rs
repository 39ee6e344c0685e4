//! When what a search has learnt is computed again.
//!
//! Ranking all that is known, or fitting a model to it, after every outcome would make a search of n candidates cost n^2. So
//! it is done after each outcome up to [`EXACT`] of them; beyond, each time a twentieth more are known. What is done in between
//! goes by what was known then, and all of it together costs a small multiple of the last.

/// Outcomes up to which nothing is put off; fewer in unit tests, so that they see both.
pub const EXACT: usize = if cfg!(test) { 400 } else { 1000 };
/// The part by which they grow from one time to the next.
const PART: usize = 20;

/// Whether it is time again, now that `now` outcomes are known, of which there were `before` the last time.
pub fn is_due(now: usize, before: usize) -> bool {
    now <= EXACT || now >= before + before / PART
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In steps of 5 % from n to m it takes ln(m / n) / ln(1.05) times.
    #[test]
    fn it_comes_less_often_the_more_is_known() {
        let (mut last, mut times) = (EXACT, 0_u32);
        for now in EXACT + 1..=100_000 {
            if is_due(now, last) {
                (last, times) = (now, times + 1);
            }
        }
        let expected = (100_000.0 / EXACT as f64).ln() / 1.05_f64.ln();
        assert!((f64::from(times) / expected - 1.0).abs() < 0.05, "{times} {expected}");
        assert!(is_due(7, 7) && is_due(EXACT + 1, 0));
    }
}
