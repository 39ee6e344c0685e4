//! The `search` section.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Timeout;
use super::budget::{Budget, BudgetKind};
use super::latency::read_limit;
use super::netadapt::NetAdaptConfig;
use super::objective::Objective;
use super::reward::RewardConfig;
use super::yaml::{At, Read};
use crate::file;

/// Candidates of a search space that a strategy proposes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchConfig {
    /// Path of the search space file, resolved against the experiment file's folder; empty with `netadapt`, which has none.
    pub space: PathBuf,
    pub strategy: StrategyKind,
    /// How many candidates to train; a ceiling for `grid`, required for all others.
    pub trials: Option<usize>,
    /// What is searched for, the first the one that matters to strategies that know only one.
    #[serde(default = "objectives")]
    pub objectives: Vec<Objective>,
    /// Of these the ones that are sought the other way than is natural: a low accuracy, a high cost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turned: Vec<Objective>,
    /// Most measured seconds of one image: a candidate that takes longer is not trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_latency: Option<f64>,
    /// For how many epochs candidates are trained.
    #[serde(default)]
    pub budget: Budget,
    /// Orders that are open at once: a proposal knows the outcomes of all but the last `ahead - 1` before it.
    #[serde(default = "ahead")]
    pub ahead: usize,
    /// Members of the population, of strategies that have one.
    #[serde(default = "population")]
    pub population: usize,
    /// What `mnas` is rewarded for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<RewardConfig>,
    /// What `netadapt` shrinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netadapt: Option<NetAdaptConfig>,
    /// What is run beside it at the same cost, to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// Time that the study runs after which the search ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timeout>,
    /// What the file held when it was read, once it was: a space of one name can be another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<SpaceContent>,
}

fn objectives() -> Vec<Objective> {
    vec![Objective::Accuracy, Objective::Params]
}

fn ahead() -> usize {
    4
}

fn population() -> usize {
    20
}

/// What a search is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    Random,
}

/// What two search spaces are compared by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceContent {
    /// The levels of every factor.
    pub factors: BTreeMap<String, Vec<String>>,
    /// What a candidate must keep to, as a text for each cost.
    pub constraints: BTreeMap<String, String>,
    /// Block notation of the first candidate: what does not vary.
    pub first: String,
    /// What of it is no network, where something is and it was counted: what is said of the study, not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unbuildable: Option<Unbuildable>,
    /// SHA-256 of the file's text: where it is the same, so is all that it can propose.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
}

/// Candidates of a space that are no networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unbuildable {
    /// Candidates that were looked at.
    pub judged: u64,
    /// Whether these are all of the space; else they were drawn by chance.
    pub all: bool,
    /// Those of them that cannot be built.
    pub count: u64,
    /// The reasons of most of them first.
    pub reasons: Vec<UnbuildableReason>,
}

/// Why some candidates are no networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnbuildableReason {
    /// The key of the space file that it is about, such as `stages[1].reduction`.
    pub key: String,
    /// A clause without the layer.
    pub reason: String,
    pub count: u64,
}

/// Which strategy asks for candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyKind {
    /// Every candidate of the space, in order.
    Grid,
    /// Candidates drawn uniformly, without repeats.
    Random,
    /// Neighbours of the best, one change each.
    Local,
    /// Regularised evolution.
    Evolution,
    /// NSGA-II in steady state.
    Nsga2,
    /// Pareto evolution with successive halving.
    ShEmoa,
    /// Tree-structured Parzen estimator.
    Tpe,
    /// The controller of MnasNet and MobileNetV3.
    Mnas,
    /// Shrinks a network, one layer at a time.
    #[serde(rename = "netadapt")]
    NetAdapt,
}

impl StrategyKind {
    /// Names in files.
    pub const NAMES: [(&'static str, Self); 9] = [
        ("grid", Self::Grid),
        ("random", Self::Random),
        ("local", Self::Local),
        ("evolution", Self::Evolution),
        ("nsga2", Self::Nsga2),
        ("sh_emoa", Self::ShEmoa),
        ("tpe", Self::Tpe),
        ("mnas", Self::Mnas),
        ("netadapt", Self::NetAdapt),
    ];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether it has a population of a size that can be set.
    pub fn has_population(self) -> bool {
        matches!(self, Self::Evolution | Self::Nsga2 | Self::ShEmoa)
    }

    /// Whether its proposals depend on what became of earlier ones.
    pub fn learns(self) -> bool {
        !matches!(self, Self::Grid | Self::Random)
    }
}

impl SearchConfig {
    /// A search with all else as it is by default.
    pub fn new(space: PathBuf, strategy: StrategyKind, trials: Option<usize>) -> Self {
        Self {
            space,
            strategy,
            trials,
            objectives: objectives(),
            turned: Vec::new(),
            max_latency: None,
            budget: Budget::default(),
            ahead: ahead(),
            population: population(),
            reward: None,
            baseline: None,
            netadapt: None,
            timeout: None,
            content: None,
        }
    }

    /// The budget of a strategy where none is named, for so many epochs of a whole training.
    pub fn usual_budget(strategy: StrategyKind, epochs: usize) -> Budget {
        match strategy {
            StrategyKind::ShEmoa => Budget::halving(BudgetKind::Asha, epochs),
            _ => Budget::default(),
        }
    }

    /// Whether what is trained next depends on how earlier trials ended.
    pub fn listens(&self) -> bool {
        self.strategy.learns() || self.budget.kind != BudgetKind::Full
    }

    /// Whether latency must be measured for it.
    pub fn wants_latency(&self) -> bool {
        self.max_latency.is_some()
            || self.objectives.contains(&Objective::Latency)
            || self.reward.as_ref().is_some_and(|reward| reward.cost == Objective::Latency)
    }

    /// Reads the section; `folder` is the experiment file's, `epochs` those of a whole training.
    pub(super) fn read(at: &At<'_>, folder: &Path, epochs: usize) -> Read<Self> {
        if NetAdaptConfig::is_meant(at) {
            return NetAdaptConfig::read(at, folder, epochs);
        }
        let known = [
            "space",
            "strategy",
            "trials",
            "objectives",
            "constraints",
            "budget",
            "ahead",
            "population",
            "reward",
            "baseline",
            "timeout",
        ];
        NetAdaptConfig::refuse_in_others(at, &known)?;
        let keys = at.keys("search", &known)?;
        let at = keys.required("space", "space: ../search-spaces/quickstart.yaml")?;
        let space = resolve(folder, at.text()?);
        if !space.is_file() {
            let missing = missing(&space, "the path of a space is relative to the experiment file's folder");
            return Err(at.problem(missing));
        }
        let strategy =
            keys.or("strategy", StrategyKind::ShEmoa, |at| at.one_of("a strategy", &StrategyKind::NAMES))?;
        let trials = keys
            .optional("trials")
            .map(|at| at.count(1..=1_000_000, "a number of candidates (a whole number from 1)"))
            .transpose()?;
        if strategy != StrategyKind::Grid && trials.is_none() {
            return Err(keys.at().problem(format!(
                "the strategy {} needs the key `trials`, such as `trials: 20`: how many candidates to train",
                strategy.name()
            )));
        }
        let (objectives, turned) =
            keys.or("objectives", (objectives(), Vec::new()), |at| Objective::read_list(&at))?;
        let max_latency = keys.optional("constraints").map(|at| constraints(&at)).transpose()?.flatten();
        let budget = match keys.get("budget") {
            Some(at) => Budget::read(&at, epochs)?,
            None => Self::usual_budget(strategy, epochs),
        };
        if strategy == StrategyKind::ShEmoa && budget.kind == BudgetKind::Full && keys.get("budget").is_some()
        {
            let at = keys.at();
            return Err(at.problem("sh_emoa halves its candidates: give `budget: asha` or `successive_halving`, or the strategy nsga2"));
        }
        if let Some(at) = keys.get("population").filter(|_| !strategy.has_population()) {
            return Err(at.problem(format!(
                "the strategy {} has no population, so this has no effect: take it away; evolution, nsga2 and sh_emoa have one",
                strategy.name()
            )));
        }
        let count = |key, default, from, what| keys.or(key, default, |at| at.count(from..=10_000, what));
        let baseline = keys
            .optional("baseline")
            .map(|at| at.one_of("a baseline", &[("random", Baseline::Random)]))
            .transpose()?;
        if baseline.is_some() && strategy == StrategyKind::Random {
            return Err(keys.at().problem("random search is its own baseline: take `baseline` away"));
        }
        let reward = keys.optional("reward").map(|at| RewardConfig::read(&at)).transpose()?;
        match (strategy, &reward) {
            (StrategyKind::Mnas, None) => {
                return Err(keys.at().problem(
                    "the strategy mnas needs the key `reward`, such as `reward: {cost: madds, target: 5M}`: which cost to aim at",
                ));
            }
            (StrategyKind::Mnas, _) | (_, None) => {}
            (other, Some(_)) => {
                let name = other.name();
                return Err(keys
                    .at()
                    .problem(format!("the strategy {name} knows no `reward`; it is for mnas")));
            }
        }
        Ok(Self {
            space,
            strategy,
            trials,
            objectives,
            turned,
            max_latency,
            budget,
            ahead: count(
                "ahead",
                ahead(),
                1,
                "how many candidates are under way at once (a whole number from 1)",
            )?,
            population: count(
                "population",
                population(),
                2,
                "members of a population (a whole number from 2)",
            )?,
            reward,
            baseline,
            netadapt: None,
            timeout: keys.optional("timeout").map(|at| Timeout::read(&at)).transpose()?,
            content: None,
        })
    }
}

/// The section `constraints` of a search: what is known only once it is measured.
fn constraints(at: &At<'_>) -> Read<Option<f64>> {
    let keys = at.any_keys("constraints")?;
    let exact = |(key, _): &(&str, At<'_>)| ["params", "madds", "activation_memory", "size"].contains(key);
    if let Some((key, at)) = keys.iter().find(exact) {
        return Err(at.problem(format!(
            "{key} is known before training, so its constraint stands in the search space's file; here is that of latency"
        )));
    }
    let keys = at.keys("constraints of a search", &["latency"])?;
    keys.optional("latency").map(|at| read_limit(&at)).transpose()
}

/// What to say of a file that an experiment names and that is none, with the remedy where nothing has its name.
pub(super) fn missing(path: &Path, remedy: &str) -> String {
    let shown = path.display();
    match std::fs::metadata(path).ok().and_then(|meta| file::kind(meta.file_type())) {
        Some(kind) => format!("{shown} is {kind}, not a file: name a file"),
        None => format!("there is no file {shown}; {remedy}"),
    }
}

/// A path of the file as seen from here, without `folder/..` where that is the same file.
pub(super) fn resolve(folder: &Path, path: &str) -> PathBuf {
    let joined = folder.join(path);
    let mut short = PathBuf::new();
    for part in joined.components() {
        match (part, short.components().next_back()) {
            (Component::ParentDir, Some(Component::Normal(_))) => {
                short.pop();
            }
            (Component::CurDir, _) => {}
            _ => short.push(part),
        }
    }
    // A folder that is a symbolic link makes `folder/..` another place.
    match (short.canonicalize(), joined.canonicalize()) {
        (Ok(a), Ok(b)) if a == b => short,
        _ => joined,
    }
}
