//! The `trainer` section: what trains the candidates.

use serde::{Deserialize, Serialize};

use super::formula::{Formula, WORDS};
use super::yaml::{At, Node, Read};

/// What trains the candidates of a study.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TrainerConfig {
    /// Networks are trained on images.
    #[default]
    Network,
    /// Nothing is trained: accuracies and times are computed from a formula.
    Simulated(SimulatedConfig),
}

/// How a simulated trial goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulatedConfig {
    /// Accuracy in percent after an epoch, before noise; brought within 0 to 100.
    pub accuracy: Formula,
    /// Standard deviation of what is added to it, in points: normal, another for each candidate, seed and epoch.
    pub noise: f64,
    /// Simulated seconds of an epoch.
    pub seconds_per_epoch: Formula,
}

/// Larger networks come out ahead, with more to gain from more epochs: 30 % for 10,000 params after one epoch, 60 % after
/// many, and 87 % for a million.
const ACCURACY: &str = "100 - 400 * params^-0.25 - 30 / epoch";
const NOISE: f64 = 0.5;
const SECONDS: &str = "1";

impl TrainerConfig {
    /// Whether networks are trained, as they are where the section is absent.
    pub fn is_network(&self) -> bool {
        *self == Self::Network
    }

    /// The settings of a simulation, where it is one.
    pub fn simulated(&self) -> Option<&SimulatedConfig> {
        match self {
            Self::Simulated(config) => Some(config),
            Self::Network => None,
        }
    }

    /// Whether what a trial does in its first epochs is another where more are to follow, by the trainer's own settings.
    pub fn depends_on_epochs(&self) -> bool {
        self.simulated()
            .is_some_and(|s| s.accuracy.depends_on_epochs() || s.seconds_per_epoch.depends_on_epochs())
    }

    /// Reads the section: the name of a kind, or a mapping with `kind` and its settings.
    pub(super) fn read(at: &At<'_>) -> Read<Self> {
        let kind = |at: &At<'_>| at.one_of("a trainer", &[("network", false), ("simulated", true)]);
        if matches!(at.node, Node::Text(_)) {
            return Ok(match kind(at)? {
                false => Self::Network,
                true => Self::Simulated(SimulatedConfig {
                    accuracy: formula(at, ACCURACY)?,
                    noise: NOISE,
                    seconds_per_epoch: formula(at, SECONDS)?,
                }),
            });
        }
        let keys = at.keys("a trainer", &["kind", "accuracy", "noise", "seconds_per_epoch"])?;
        let is_simulated = kind(&keys.required("kind", "kind: simulated")?)?;
        if !is_simulated {
            let keys = at.keys("the network trainer", &["kind"])?;
            return keys.required("kind", "kind: network").map(|_| Self::Network);
        }
        let formula_at = |key, default| match keys.get(key) {
            Some(at) => match at.node {
                Node::Text(text) => formula(&at, text),
                Node::Int(_) | Node::Float(_) => formula(&at, &at.node.describe()),
                _ => Err(at.is_not("a formula (a text such as \"95 - 30 / epoch\", or a number)")),
            },
            None => formula(at, default),
        };
        Ok(Self::Simulated(SimulatedConfig {
            accuracy: formula_at("accuracy", ACCURACY)?,
            noise: keys.or("noise", NOISE, |at| {
                at.number(0.0..=100.0, "a standard deviation in points of accuracy (a number, 0 to 100)")
            })?,
            seconds_per_epoch: formula_at("seconds_per_epoch", SECONDS)?,
        }))
    }
}

fn formula(at: &At<'_>, text: &str) -> Read<Formula> {
    text.parse()
        .map_err(|why| at.problem(format!("`{text}` is not a formula: {why}; a formula is made of {WORDS}")))
}
