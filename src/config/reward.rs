//! What the strategy `mnas` is rewarded for.

use serde::{Deserialize, Serialize};

use super::latency::read_seconds;
use super::objective::Objective;
use super::yaml::{At, Node, Read};

/// MnasNet's reward: accuracy times (cost / target) to the power of `alpha` where the cost is at most the target, else `beta`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RewardConfig {
    pub cost: Objective,
    pub target: f64,
    pub alpha: f64,
    pub beta: f64,
}

impl RewardConfig {
    pub(super) fn read(at: &At<'_>) -> Read<Self> {
        let keys = at.keys("a reward", &["cost", "target", "alpha", "beta", "w"])?;
        let costs: Vec<(&'static str, Objective)> = Objective::NAMES
            .into_iter()
            .filter(|(_, objective)| objective.is_exact() || *objective == Objective::Latency)
            .collect();
        let at = keys.required("cost", "cost: madds")?;
        let cost = at.one_of("a cost", &costs)?;
        let at =
            keys.required("target", if cost == Objective::Latency { "target: 2ms" } else { "target: 5M" })?;
        let target = match cost {
            Objective::Latency => read_seconds(&at)?,
            _ => at.amount("a target (such as 5M, 0.3M or 20000)")?,
        };
        if target <= 0.0 {
            return Err(at.problem("a target is above 0"));
        }
        let exponent = |key, default| keys.or(key, default, |at| exponent(&at));
        if let (Some(at), true) = (keys.get("w"), ["alpha", "beta"].iter().all(|key| keys.get(key).is_some()))
        {
            return Err(
                at.problem("`alpha` and `beta` say it all, so this has no effect: take it or them away")
            );
        }
        let w = exponent("w", MNASNET)?;
        Ok(Self { cost, target, alpha: exponent("alpha", w)?, beta: exponent("beta", w)? })
    }
}

/// The exponent of MnasNet (Tan et al. 2019, Section 3) and MobileNetV3-Large, and that of MobileNetV3-Small (Howard et al. 2019,
/// Section 4.1).
const MNASNET: f64 = -0.07;
const MOBILENET_V3_SMALL: f64 = -0.15;

/// An exponent of the reward, a number or whose it is.
fn exponent(at: &At<'_>) -> Read<f64> {
    let presets = [("mnasnet", MNASNET), ("mobilenet_v3_small", MOBILENET_V3_SMALL)];
    match at.node {
        Node::Text(_) => at.one_of("an exponent: a number from -10 to 0, or a name", &presets),
        _ => at.number(-10.0..=0.0, "an exponent (a number from -10 to 0, such as -0.07)"),
    }
}
