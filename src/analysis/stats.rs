//! Means, spreads, intervals and tests of small samples. One value has no spread: `None`, never 0.

use serde::Serialize;
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, StudentsT};

/// Confidence of every interval in the report.
pub const CONFIDENCE: f64 = 0.95;

/// Mean and spread of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub n: usize,
    pub mean: f64,
    /// Sample standard deviation (n - 1); `None` for one value.
    pub sd: Option<f64>,
}

/// A two-sided 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// A difference of two means with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comparison {
    /// Second minus first.
    pub difference: f64,
    /// 95 % t interval.
    pub interval: Interval,
    /// Two-sided p-value of no difference.
    pub p: f64,
    pub degrees_of_freedom: f64,
}

/// Mean and sample standard deviation; `None` for no values.
pub fn spread(values: &[f64]) -> Option<Spread> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let sd = (n > 1).then(|| {
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        (squares / (n - 1) as f64).sqrt()
    });
    Some(Spread { n, mean, sd })
}

/// As [`spread`], of values that each stand for so many equal ones.
pub fn spread_of_many(values: &[(f64, u64)]) -> Option<Spread> {
    if values.iter().all(|(_, count)| *count == 1) {
        return spread(&values.iter().map(|(value, _)| *value).collect::<Vec<_>>());
    }
    let n = values.iter().fold(0_u64, |n, (_, count)| n.saturating_add(*count));
    if n == 0 {
        return None;
    }
    let mean = values.iter().map(|(value, count)| value * *count as f64).sum::<f64>() / n as f64;
    // However many it stands for, one value has no spread.
    let sd = (values.len() > 1).then(|| {
        let squares: f64 = values.iter().map(|(v, count)| (v - mean) * (v - mean) * *count as f64).sum();
        (squares / (n - 1) as f64).sqrt()
    });
    Some(Spread { n: usize::try_from(n).unwrap_or(usize::MAX), mean, sd })
}

impl Spread {
    /// Standard error of the mean; `None` for one value.
    pub fn standard_error(&self) -> Option<f64> {
        self.sd.map(|sd| sd / (self.n as f64).sqrt())
    }
}

/// Median of a sample; `None` for no values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// An interval for the median that holds whatever the distribution is: between two order statistics (Conover 1999, Section
/// 3.2), at least at [`CONFIDENCE`]. `None` for fewer than six values, whose range is not enough for that.
pub fn median_interval(values: &[f64]) -> Option<Interval> {
    let n = values.len();
    let below = Binomial::new(0.5, n as u64).ok()?;
    // As many values are left out on each side as have at most half of the doubt.
    let doubt = (1.0 - CONFIDENCE) / 2.0;
    let left_out = (0..n).take_while(|k| below.cdf(*k as u64) <= doubt).count();
    if left_out == 0 {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some(Interval { low: sorted[left_out - 1], high: sorted[n - left_out] })
}

/// Welch's t-test of the mean of `second` minus that of `first` (Welch 1947; unequal variances).
///
/// `None` where either has fewer than two values or neither varies.
pub fn welch(first: &[f64], second: &[f64]) -> Option<Comparison> {
    let (a, b) = (spread(first)?, spread(second)?);
    let (va, vb) = (a.standard_error()?.powi(2), b.standard_error()?.powi(2));
    let variance = va + vb;
    let freedom = variance * variance / (va * va / (a.n - 1) as f64 + vb * vb / (b.n - 1) as f64);
    compare(b.mean - a.mean, variance.sqrt(), freedom)
}

fn compare(difference: f64, error: f64, freedom: f64) -> Option<Comparison> {
    // Differences equal but for rounding have no meaningful t statistic either.
    if !difference.is_finite() || !error.is_finite() || error <= 1e-12 * difference.abs().max(1.0) {
        return None;
    }
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?;
    let half = t_quantile(freedom)? * error;
    Some(Comparison {
        difference,
        interval: Interval { low: difference - half, high: difference + half },
        p: (2.0 * t.sf((difference / error).abs())).min(1.0),
        degrees_of_freedom: freedom,
    })
}

/// The t quantile of a two-sided interval at [`CONFIDENCE`].
fn t_quantile(freedom: f64) -> Option<f64> {
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?;
    Some(t.inverse_cdf(0.5 + CONFIDENCE / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f64; 4] = [90.1, 90.4, 89.7, 90.9];
    const B: [f64; 4] = [91.2, 90.8, 91.9, 91.0];
    const C: [f64; 2] = [88.0, 88.3];

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-7 * expected.abs().max(1.0), "{found} is not {expected}");
    }

    /// NumPy: `np.mean(a)`, `np.std(a, ddof=1)`; SciPy 1.17.1: `stats.sem(a)`.
    /// Ranks from tables of the sign test (Conover 1999, Table A3): of 10 values the 2nd and the 9th, of 100 the 40th and 61st.
    #[test]
    fn the_interval_of_a_median_lies_between_order_statistics() {
        let values = |n: usize| -> Vec<f64> { (1..=n).rev().map(|v| v as f64).collect() };
        assert_eq!(median_interval(&values(10)), Some(Interval { low: 2.0, high: 9.0 }));
        assert_eq!(median_interval(&values(100)), Some(Interval { low: 40.0, high: 61.0 }));
        assert_eq!(median_interval(&values(6)), Some(Interval { low: 1.0, high: 6.0 }));
        assert_eq!(median_interval(&values(5)), None);
        assert_eq!((median(&values(100)), median(&values(5)), median(&[])), (Some(50.5), Some(3.0), None));
    }

    #[test]
    fn spread_agrees_with_scipy() {
        let s = spread(&A).expect("not empty");
        near(s.mean, 90.275);
        near(s.sd.expect("four values"), 0.505_799_696_849_786_3);
        near(s.standard_error().expect("four values"), 0.252_899_848_424_893_16);
    }

    /// SciPy 1.17.1: `stats.ttest_ind(b, a, equal_var=False)`, its `pvalue`, `df` and `confidence_interval()`.
    #[test]
    fn welch_agrees_with_scipy() {
        let c = welch(&A, &B).expect("enough values");
        near(c.difference, 0.95);
        near(c.p, 0.034_370_709_804_952_81);
        near(c.degrees_of_freedom, 5.981_916_008_335_592);
        near(c.interval.low, 0.097_336_769_614_466_36);
        near(c.interval.high, 1.802_663_230_385_511);
        let c = welch(&A, &C).expect("enough values");
        near(c.p, 0.001_948_784_777_950_341_1);
        near(c.interval.low, -2.941_560_429_504_030_5);
        near(c.interval.high, -1.308_439_570_495_969_5);
    }

    #[test]
    fn what_has_no_spread_has_none() {
        assert_eq!(spread(&[]), None);
        let one = spread(&[5.0]).expect("one value");
        assert_eq!((one.sd, one.standard_error()), (None, None));
        assert_eq!(welch(&A, &[1.0]), None);
        assert_eq!(welch(&[1.0, 1.0], &[2.0, 2.0]), None);
    }
}
