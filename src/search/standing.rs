//! When what a search has learnt is computed again.
//!
//! Ranking all that is known, or fitting a model to it, after every outcome would make a search of n candidates cost n^2. So
//! it is done after each outcome up to [`EXACT`] of them; beyond, each time a fiftieth more are known. What is done in between
//! goes by what was known then, and all of it together costs a small multiple of the last.

/// Outcomes up to which nothing is put off.
pub const EXACT: usize = 1000;
/// The part by which they grow from one time to the next.
const PART: usize = 50;

/// Whether it is time again, now that `now` outcomes are known, of which there were `before` the last time.
pub fn is_due(now: usize, before: usize) -> bool {
    now <= EXACT || now >= before + before / PART
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: from 1,000 in steps of 2 % to 100,000 it takes ln(100) / ln(1.02) = 233 times.
    #[test]
    fn it_comes_less_often_the_more_is_known() {
        let (mut last, mut times) = (EXACT, 0);
        for now in EXACT + 1..=100_000 {
            if is_due(now, last) {
                (last, times) = (now, times + 1);
            }
        }
        assert!((230..=240).contains(&times), "{times}");
        assert!(is_due(7, 7) && is_due(EXACT + 1, 0));
    }
}
