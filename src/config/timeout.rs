//! A limit on time, such as `train.timeout: 30m`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::yaml::{At, Node, Read};

/// Whole seconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeout(u64);

/// Units with their seconds, in the order in which they are written.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];
/// A year.
const MOST: f64 = 365.0 * 86_400.0;
const WHAT: &str = "a time with its unit, such as 90s, 30m, 2h or 1h30m (one second to 365 days)";

impl Timeout {
    pub fn seconds(self) -> f64 {
        self.0 as f64
    }

    pub(super) fn read(at: &At<'_>) -> Read<Self> {
        match at.node {
            Node::Text(text) => Self::parse(text).ok_or_else(|| at.is_not(WHAT)),
            _ => Err(at.is_not(WHAT)),
        }
    }

    /// Numbers with units, the larger first, each once; `None` for all else.
    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let (mut seconds, mut next) = (0.0, 0);
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let number: f64 = rest[..digits].parse().ok()?;
            let mut after = rest[digits..].chars();
            let unit = after.next()?.to_ascii_lowercase();
            let place = UNITS.iter().skip(next).position(|(letter, _)| *letter == unit)?;
            next += place + 1;
            seconds += number * UNITS[next - 1].1 as f64;
            rest = after.as_str().trim_start();
        }
        (1.0..=MOST).contains(&seconds).then_some(Self(seconds.round() as u64))
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        for (letter, unit) in UNITS {
            if left >= unit {
                write!(f, "{}{letter}", left / unit)?;
                left %= unit;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let seconds = |text| Timeout::parse(text).map(|timeout| timeout.0);
        for (text, expected) in [
            ("90s", 90),
            ("30m", 1800),
            ("2h", 7200),
            ("1h30m", 5400),
            ("1h 30m", 5400),
            ("1.5h", 5400),
            ("1d12h", 129_600),
            ("2H", 7200),
            ("365d", 31_536_000),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "90",
            "s",
            "-1h",
            "30m2h",
            "1h1h",
            "500ms",
            "0s",
            "0.2s",
            "366d",
            "1e9s",
            "two hours",
            "1h30",
            "1..5h",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
        assert_eq!(Timeout(90).to_string(), "1m30s");
        assert_eq!(Timeout(129_600).to_string(), "1d12h");
    }
}
