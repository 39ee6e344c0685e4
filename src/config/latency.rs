//! The `latency` section: how the latency of candidates is measured; and times with their units.

use serde::{Deserialize, Serialize};

use super::yaml::{At, Node, Read};

/// How latency is measured: inference of one batch, batch norm folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyConfig {
    /// Images of a batch.
    pub batch: usize,
    /// Threads of it, held to as many cores where the system lets them be.
    pub threads: usize,
    /// Samples of each network, taken in turn with those of a reference network.
    pub rounds: usize,
}

/// Fewest rounds: two for each block that the noise floor compares.
pub const FEWEST_ROUNDS: u64 = 10;

impl Default for LatencyConfig {
    fn default() -> Self {
        Self { batch: 1, threads: 1, rounds: 30 }
    }
}

impl LatencyConfig {
    pub(super) fn read(at: &At<'_>) -> Read<Self> {
        let keys = at.keys("latency", &["batch", "threads", "rounds"])?;
        let default = Self::default();
        Ok(Self {
            batch: keys.or("batch", default.batch, |at| {
                at.count(1..=4096, "a number of images (a whole number, 1 to 4096)")
            })?,
            threads: keys.or("threads", default.threads, |at| {
                at.count(1..=1024, "a number of threads (a whole number, 1 to 1024)")
            })?,
            rounds: keys.or("rounds", default.rounds, |at| {
                at.count(FEWEST_ROUNDS..=100_000, "a number of rounds (a whole number, 10 to 100000)")
            })?,
        })
    }
}

/// Seconds that a text such as `2ms`, `350us` or `0.1 s` stands for; `None` without a unit, and for nothing or less.
pub fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_alphabetic() && c != 'e').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let parts = match unit {
        "ns" => 1e9,
        "us" | "µs" | "μs" => 1e6,
        "ms" => 1e3,
        "s" => 1.0,
        _ => return None,
    };
    let value = number.trim().parse::<f64>().ok()? / parts;
    (value.is_finite() && value > 0.0).then_some(value)
}

/// A time with its unit.
pub(super) fn read_seconds(at: &At<'_>) -> Read<f64> {
    let time = if let Node::Text(text) = at.node { seconds(text) } else { None };
    time.ok_or_else(|| at.is_not("a latency (a number above 0 with its unit: 2ms, 350us or 0.1s)"))
}

/// The most that a latency may be: a text such as `<= 2ms`, or `{max: 2ms}`.
pub(super) fn read_limit(at: &At<'_>) -> Read<f64> {
    if at.any_keys("a limit").is_ok() {
        let keys = at.keys("a limit of latency", &["max"])?;
        return read_seconds(&keys.required("max", "max: 2ms")?);
    }
    let limit = match at.node {
        Node::Text(text) => text.strip_prefix("<=").and_then(seconds),
        _ => None,
    };
    limit.ok_or_else(|| {
        at.is_not("a limit of latency (a text such as <= 2ms; units are ns, us, ms and s, for one image)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(seconds("2ms"), Some(0.002));
        assert_eq!(seconds(" 350 us"), Some(0.000_35));
        assert_eq!(seconds("350µs"), Some(0.000_35));
        assert_eq!((seconds("0.1s"), seconds("5e2ms")), (Some(0.1), Some(0.5)));
        for none in ["2", "", "ms", "-1ms", "0s", "2 min", "nan s", "1e999s", "2msx"] {
            assert_eq!(seconds(none), None, "{none}");
        }
    }
}
