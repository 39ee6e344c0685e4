//! The `trainer` section: what trains the candidates.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::formula::{Formula, WORDS};
use super::search::{missing, resolve};
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
    /// Nothing is trained: accuracies and times are those that a table recorded.
    Tabular(TabularConfig),
}

/// Which table is replayed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TabularConfig {
    /// A file that `blocksmith table` wrote; in the experiment file relative to its folder.
    pub table: PathBuf,
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
/// How a table is named.
const TABLE: &str = "table: ../reports/tabular/table.csv";
const TABULAR: &str = "{kind: tabular, table: ../reports/tabular/table.csv}";

impl TrainerConfig {
    /// Whether networks are trained, as they are where the section is absent.
    pub fn is_network(&self) -> bool {
        *self == Self::Network
    }

    /// The settings of a simulation, where it is one.
    pub fn simulated(&self) -> Option<&SimulatedConfig> {
        match self {
            Self::Simulated(config) => Some(config),
            Self::Network | Self::Tabular(_) => None,
        }
    }

    /// The table that is replayed, where there is one.
    pub fn tabular(&self) -> Option<&TabularConfig> {
        match self {
            Self::Tabular(config) => Some(config),
            Self::Network | Self::Simulated(_) => None,
        }
    }

    /// Whether what a trial does in its first epochs is another where more are to follow, by the trainer's own settings.
    pub fn depends_on_epochs(&self) -> bool {
        self.simulated()
            .is_some_and(|s| s.accuracy.depends_on_epochs() || s.seconds_per_epoch.depends_on_epochs())
    }

    /// Reads the section: the name of a kind, or a mapping with `kind` and its settings; `folder` is the experiment file's.
    pub(super) fn read(at: &At<'_>, folder: &Path) -> Read<Self> {
        if matches!(at.node, Node::Text(_)) {
            return match Kind::read(at)? {
                Kind::Network => Ok(Self::Network),
                Kind::Simulated => Ok(Self::Simulated(SimulatedConfig {
                    accuracy: formula(at, ACCURACY)?,
                    noise: NOISE,
                    seconds_per_epoch: formula(at, SECONDS)?,
                })),
                Kind::Tabular => Err(at.problem(format!(
                    "the tabular trainer needs the key `table`, such as `trainer: {TABULAR}`: what to replay"
                ))),
            };
        }
        let keys = at.keys("a trainer", &["kind", "accuracy", "noise", "seconds_per_epoch", "table"])?;
        let keys = match Kind::read(&keys.required("kind", "kind: simulated")?)? {
            Kind::Network => {
                let keys = at.keys("the network trainer", &["kind"])?;
                return keys.required("kind", "kind: network").map(|_| Self::Network);
            }
            Kind::Tabular => {
                let keys = at.keys("the tabular trainer", &["kind", "table"])?;
                return TabularConfig::read(&keys.required("table", TABLE)?, folder).map(Self::Tabular);
            }
            Kind::Simulated => {
                at.keys("the simulated trainer", &["kind", "accuracy", "noise", "seconds_per_epoch"])?
            }
        };
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

/// The names of the trainers.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Network,
    Simulated,
    Tabular,
}

impl Kind {
    fn read(at: &At<'_>) -> Read<Self> {
        let known = [("network", Self::Network), ("simulated", Self::Simulated), ("tabular", Self::Tabular)];
        at.one_of("a trainer", &known)
    }
}

impl TabularConfig {
    fn read(at: &At<'_>, folder: &Path) -> Read<Self> {
        let table = resolve(folder, at.text()?);
        if table.is_file() {
            return Ok(Self { table });
        }
        let remedy = "the path of a table is relative to the experiment file's folder, and `blocksmith table DIR` makes one \
                      of a study";
        Err(at.problem(missing(&table, remedy)))
    }
}

fn formula(at: &At<'_>, text: &str) -> Read<Formula> {
    text.parse()
        .map_err(|why| at.problem(format!("`{text}` is not a formula: {why}; a formula is made of {WORDS}")))
}
