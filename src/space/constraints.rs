//! Hard constraints: what a candidate must not exceed, or fall below, to be trained at all.

use std::fmt;

use crate::config::yaml::{self, At, Problem, Read, without_unit};
use crate::text::thousands;

/// Ranges of exact costs. A candidate outside any of them is rejected before training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Constraints {
    pub params: Option<Range>,
    /// Multiply-adds of one image.
    pub madds: Option<Range>,
    /// Peak bytes of activations for one image.
    pub activation_memory: Option<Range>,
    /// Bytes of the weights in a file.
    pub size: Option<Range>,
}

/// An inclusive range, open where an end is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    pub min: Option<u64>,
    pub max: Option<u64>,
}

impl Constraints {
    /// Whether there is nothing to satisfy.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// By how much costs are outside their ranges, each as a share of the end that is passed, summed; 0 where they satisfy all.
    pub fn excess(&self, params: u64, madds: u64, activation_memory: u64, size: u64) -> f64 {
        let costs = [
            (params, self.params),
            (madds, self.madds),
            (activation_memory, self.activation_memory),
            (size, self.size),
        ];
        let share = |(value, range): (u64, Option<Range>)| {
            let (value, range) = (value as f64, range.unwrap_or_default());
            let above = range.max.map_or(0.0, |max| (value - max as f64).max(0.0) / max.max(1) as f64);
            let below = range.min.map_or(0.0, |min| (min as f64 - value).max(0.0) / min.max(1) as f64);
            above + below
        };
        costs.into_iter().map(share).sum()
    }

    /// The first constraint that a cost breaks, as a sentence; `None` where it satisfies all.
    pub fn violation(&self, params: u64, madds: u64, activation_memory: u64, size: u64) -> Option<String> {
        let costs = [
            ("params", params, self.params),
            ("madds", madds, self.madds),
            ("activation_memory", activation_memory, self.activation_memory),
            ("size", size, self.size),
        ];
        costs.iter().find_map(|(name, value, range)| {
            let range = range.as_ref()?;
            (!range.contains(*value))
                .then(|| format!("{name} {} is not {range}{}", thousands(*value), range.in_millions()))
        })
    }

    pub(super) fn read(at: &At<'_>) -> Read<Self> {
        let keys = at.keys("constraints", &["params", "madds", "activation_memory", "size"])?;
        let range = |key| keys.optional(key).map(|at| Range::read(&at)).transpose();
        Ok(Self {
            params: range("params")?,
            madds: range("madds")?,
            activation_memory: range("activation_memory")?,
            size: range("size")?,
        })
    }
}

impl Range {
    /// Whether the range holds a value.
    pub fn contains(&self, value: u64) -> bool {
        self.min.is_none_or(|min| min <= value) && self.max.is_none_or(|max| value <= max)
    }

    /// A remedy where the most is so little that millions were meant.
    fn in_millions(&self) -> String {
        let few = self.max.filter(|max| (1..1000).contains(max));
        few.map_or_else(String::new, |max| format!(", and for {max} million it must be {max}M"))
    }

    /// `[min, max]`, `{min: , max: }`, or a text such as `<= 0.5M`.
    fn read(at: &At<'_>) -> Read<Self> {
        let range = if let Some(items) = at.items() {
            let [min, max] = items.as_slice() else {
                return Err(
                    at.problem(format!("a range is [min, max], and this list has {} items", items.len()))
                );
            };
            Self { min: Some(amount(min)?), max: Some(amount(max)?) }
        } else if let Ok(text) = at.text() {
            let end = |rest: &str| whole(at, rest.trim());
            if let Some(rest) = text.strip_prefix("<=") {
                Self { min: None, max: Some(end(rest)?) }
            } else if let Some(rest) = text.strip_prefix(">=") {
                Self { min: Some(end(rest)?), max: None }
            } else {
                return Err(not_a_range(at));
            }
        } else if at.any_keys("a range").is_ok() {
            let keys = at.keys("a range", &["min", "max"])?;
            let end = |key| keys.optional(key).map(|at| amount(&at)).transpose();
            Self { min: end("min")?, max: end("max")? }
        } else {
            return Err(not_a_range(at));
        };
        match range {
            Self { min: Some(min), max: Some(max) } if min > max => Err(at.problem(format!(
                "no number is from {} to {}; swap the ends",
                thousands(min),
                thousands(max)
            ))),
            Self { min: None, max: None } => Err(not_a_range(at)),
            range => Ok(range),
        }
    }
}

fn not_a_range(at: &At<'_>) -> Problem {
    at.is_not("a range ([min, max], {max: 400k}, or a text such as <= 0.5M)")
}

fn amount(at: &At<'_>) -> Read<u64> {
    at.amount("an amount (a number such as 400000, 400k, 0.5M or 2MiB)").map(|value| value.round() as u64)
}

fn whole(at: &At<'_>, text: &str) -> Read<u64> {
    if let Some(why) = without_unit(text) {
        return Err(at.problem(why));
    }
    yaml::amount(text).map(|value| value.round() as u64).ok_or_else(|| not_a_range(at))
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match (self.min.map(thousands), self.max.map(thousands)) {
            (Some(min), Some(max)) => write!(f, "between {min} and {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => f.write_str("anything"),
        }
    }
}
