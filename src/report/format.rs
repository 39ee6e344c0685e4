//! Numbers as text, the same way in every table.

use crate::analysis::{Interval, Spread};
pub use crate::text::thousands;

/// What stands where there is no value.
pub const NONE: &str = "-";

/// Percent with two decimals, with the standard deviation where there is one: `90.28 ± 0.51`.
pub fn mean_sd(spread: &Spread) -> String {
    match spread.sd {
        Some(sd) => format!("{:.2} ± {sd:.2}", spread.mean),
        None => format!("{:.2}", spread.mean),
    }
}

/// A difference in points with its sign: `+0.95`, and never `-0.00`.
pub fn points(value: f64) -> String {
    let text = format!("{value:+.2}");
    if text == "-0.00" { "+0.00".to_owned() } else { text }
}

/// A difference's interval: `[+0.10, +1.80]`.
pub fn interval(interval: &Interval) -> String {
    format!("[{}, {}]", points(interval.low), points(interval.high))
}

/// A p-value: `0.034`, `<0.001`.
pub fn p_value(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
}

/// A p-value in a sentence: `p = 0.034`, `p < 0.001`.
pub fn p_is(p: f64) -> String {
    match p_value(p).strip_prefix('<') {
        Some(limit) => format!("p < {limit}"),
        None => format!("p = {}", p_value(p)),
    }
}

/// Seconds as people say them: `41 s`, `12 min 5 s`, `3 h 20 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return NONE.to_owned();
    }
    // -0 is 0.
    let seconds = seconds + 0.0;
    let s = seconds.round() as u64;
    match s {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

/// `1 seed`, `2 seeds`, `2 strategies`.
pub fn counted(n: usize, noun: &str) -> String {
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    let (noun, end) = match stem {
        _ if n == 1 => (noun, ""),
        Some(stem) => (stem, "ies"),
        None => (noun, "s"),
    };
    format!("{} {noun}{end}", thousands(n as u64))
}

/// Milliseconds since the Unix epoch as `2026-01-31 14:05 UTC`.
pub fn utc(milliseconds: u64) -> String {
    let minutes = milliseconds / 60_000;
    let (days, minute) = (minutes / 1440, minutes % 1440);
    // Days to a civil date (Howard Hinnant, 'chrono-compatible low-level date algorithms').
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_tables_need_them() {
        assert_eq!(points(-0.001), "+0.00");
        assert_eq!(points(-1.5), "-1.50");
        assert_eq!(p_value(0.000_2), "<0.001");
        // What rounds to 0.001 from below is below it.
        assert_eq!(
            (p_value(0.000_999_9), p_value(0.0), p_value(0.001)),
            ("<0.001".into(), "<0.001".into(), "0.001".into())
        );
        assert_eq!(
            (p_is(0.0), p_is(0.034_37), p_is(1.0)),
            ("p < 0.001".into(), "p = 0.034".into(), "p = 1.000".into())
        );
        assert_eq!(duration(3.21), "3.2 s");
        assert_eq!(duration(-0.0), "0.0 s");
        assert_eq!(duration(725.0), "12 min 5 s");
        assert_eq!(duration(12_000.0), "3 h 20 min");
        assert_eq!(counted(1, "seed"), "1 seed");
        assert_eq!(counted(50_000, "image"), "50,000 images");
        assert_eq!(counted(1, "strategy"), "1 strategy");
        assert_eq!(counted(7, "strategy"), "7 strategies");
        assert_eq!(counted(2, "day"), "2 days");
        // date -u -d @951782399 and @1790000000
        assert_eq!(utc(951_782_399_000), "2000-02-28 23:59 UTC");
        assert_eq!(utc(1_790_000_000_000), "2026-09-21 14:13 UTC");
    }
}
