//! The `search` section where the strategy is `netadapt`: which network is shrunk, and how far.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Timeout;
use super::objective::Objective;
use super::search::{SearchConfig, StrategyKind, resolve};
use super::yaml::{At, Node, Read};

/// How NetAdapt shrinks a network (Yang et al. 2018; Howard et al. 2019, "MobileNetV3", Section 4.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetAdaptConfig {
    /// The network that is shrunk.
    #[serde(rename = "from")]
    pub origin: Origin,
    /// Its block notation, once it is known: what `from` means then does not change with the file or study that it names.
    #[serde(default)]
    pub notation: String,
    /// What is to fall.
    pub cost: Objective,
    /// To this, or below.
    pub target: f64,
    /// By how much each proposal cuts the cost at least, as a share of the first network's.
    pub delta: f64,
    /// Epochs for which a proposal is trained with the weights that it inherits.
    pub fine_tune: usize,
    /// Learning rate at the beginning of these; unsaid, a tenth of `train.lr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fine_tune_lr: Option<f64>,
}

/// Where the first network is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Block notation, or the name of a network that has one, with its options.
    Network(String),
    /// The best candidate of the finished study in this folder.
    Study(PathBuf),
}

/// Keys of the section with this strategy.
const KEYS: [&str; 8] =
    ["strategy", "from", "cost", "target", "delta", "fine_tune", "fine_tune_lr", "timeout"];
/// Keys of other strategies, and why this one has none of them.
const OTHERS: [(&str, &str); 7] = [
    ("space", "it has no search space, but shrinks the network of `from`"),
    ("trials", "it ends when the cost has come down to `target`"),
    ("objectives", "it weighs accuracy against the cost that `cost` names"),
    ("budget", "its proposals are trained for `fine_tune` epochs"),
    ("baseline", "it searches no space that could be drawn from"),
    ("reward", "it has a `target` of its own"),
    ("population", "it has one network at a time"),
];

impl NetAdaptConfig {
    /// Whether a section is for this strategy.
    pub(super) fn is_meant(at: &At<'_>) -> bool {
        let strategy = at.any_keys("search").ok().and_then(|keys| keys.get("strategy"));
        strategy.is_some_and(|at| at.is_text(StrategyKind::NetAdapt.name()))
    }

    /// Refuses its keys in the section of another strategy, whose keys are `known`.
    pub(super) fn refuse_in_others(at: &At<'_>, known: &[&str]) -> Read<()> {
        let keys = at.any_keys("search")?;
        match KEYS.iter().filter(|key| !known.contains(key)).find_map(|key| Some((key, keys.get(key)?))) {
            Some((key, at)) => Err(at.problem(format!(
                "`{key}` is for the strategy netadapt: add `strategy: netadapt`, or take it away"
            ))),
            None => Ok(()),
        }
    }

    /// Reads the section; `folder` is the experiment file's, `epochs` those of a whole training.
    pub(super) fn read(at: &At<'_>, folder: &Path, epochs: usize) -> Read<SearchConfig> {
        let any = at.any_keys("search")?;
        for (key, why) in OTHERS {
            if let Some(at) = any.get(key) {
                return Err(
                    at.problem(format!("the strategy netadapt takes no `{key}`: {why}; take it away"))
                );
            }
        }
        let keys = at.keys("a search with netadapt", &KEYS)?;
        let origin = Origin::read(&keys.required("from", "from: mix")?, folder)?;
        let at = keys.required("cost", "cost: madds")?;
        let costs = Objective::NAMES.into_iter().filter(|(_, cost)| cost.is_exact()).collect::<Vec<_>>();
        let cost = at.one_of("a cost that NetAdapt lowers", &costs)?;
        let at = keys.required("target", "target: 2M")?;
        let target = at.amount("a target (such as 2M, 0.3M or 20000)")?;
        if target <= 0.0 {
            return Err(at.problem("a target is above 0"));
        }
        let share = "a share of the first network's cost (a number above 0, at most 0.5)";
        let delta = keys.or("delta", 0.01, |at| match at.share(0.0..=0.5, share)? {
            0.0 => Err(at.is_not(share)),
            delta => Ok(delta),
        })?;
        let fine_tune = keys.or("fine_tune", 1.min(epochs), |at| {
            at.count(
                1..=epochs as u64,
                &format!("epochs of a proposal (a whole number from 1 to train.epochs, {epochs})"),
            )
        })?;
        let rate = "a learning rate (a number above 0, at most 100)";
        let fine_tune_lr = keys
            .optional("fine_tune_lr")
            .map(|at| match at.number(0.0..=100.0, rate)? {
                0.0 => Err(at.is_not(rate)),
                lr => Ok(lr),
            })
            .transpose()?;
        let notation = String::new();
        let netadapt = Self { origin, notation, cost, target, delta, fine_tune, fine_tune_lr };
        Ok(SearchConfig {
            objectives: vec![Objective::Accuracy, cost],
            netadapt: Some(netadapt),
            timeout: keys.optional("timeout").map(|at| Timeout::read(&at)).transpose()?,
            ..SearchConfig::new(PathBuf::new(), StrategyKind::NetAdapt, None)
        })
    }

    /// Learning rate at the beginning of a proposal's epochs, where whole trainings have `lr`.
    pub fn rate(&self, lr: f64) -> f64 {
        self.fine_tune_lr.unwrap_or(lr / 10.0)
    }
}

impl Origin {
    fn read(at: &At<'_>, folder: &Path) -> Read<Self> {
        if !matches!(at.node, Node::Map(_)) {
            return Ok(Self::Network(at.text()?.trim().to_owned()));
        }
        let keys = at.keys("where a network is from", &["study"])?;
        let study = keys.required("study", "study: ../reports/my-search")?.text()?;
        Ok(Self::Study(resolve(folder, study)))
    }
}
