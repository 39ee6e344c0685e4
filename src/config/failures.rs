//! What to do about trials that fail.

use serde::{Deserialize, Serialize};

use super::yaml::{At, Read};

/// What a study does about trials that fail. No number of a finished trial depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// How often a failed trial is tried again, where it may end otherwise: training that diverged, or a network beyond the
    /// memory budget, fails the same way again.
    pub retry: usize,
    /// So many failed trials in a row end the study; 0 is never.
    pub stop_after_consecutive: usize,
    /// The first failed trial ends the study.
    pub fail_fast: bool,
}

impl Default for Failures {
    fn default() -> Self {
        Self { retry: 2, stop_after_consecutive: 3, fail_fast: false }
    }
}

impl Failures {
    pub(super) fn read(at: &At<'_>) -> Read<Self> {
        let keys = at.keys("failures", &["retry", "stop_after_consecutive", "fail_fast"])?;
        let default = Self::default();
        let count = |at: At<'_>| at.count(0..=1000, "a number of times (0 to 1000)");
        Ok(Self {
            retry: keys.or("retry", default.retry, count)?,
            stop_after_consecutive: keys.or(
                "stop_after_consecutive",
                default.stop_after_consecutive,
                count,
            )?,
            fail_fast: keys.or("fail_fast", default.fail_fast, |at| at.bool())?,
        })
    }
}
