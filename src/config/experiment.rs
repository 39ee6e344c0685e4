//! The whole experiment file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::search::resolve;
use super::yaml::{At, Document, Keys, Node, Read, nearest};
use super::{Checkpoints, DataConfig, Failures, LatencyConfig, SearchConfig, TrainConfig, TrainerConfig};
use crate::error::Result;
use crate::file;

/// An experiment: what to train (a search over a space, named variants, or both), on what, how, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Name of the study; its folder is `reports/<name>` unless `--out` says otherwise.
    pub name: String,
    /// One sentence for the report.
    pub description: Option<String>,
    /// Seed of the study: splits, sampling and every trial's streams derive from it.
    pub seed: u64,
    /// Trial seeds: every candidate is trained once for each.
    pub seeds: Vec<u64>,
    pub data: DataConfig,
    pub train: TrainConfig,
    /// What trains; networks on images where the section is absent.
    #[serde(default, skip_serializing_if = "TrainerConfig::is_network")]
    pub trainer: TrainerConfig,
    /// Candidates drawn from a search space.
    pub search: Option<SearchConfig>,
    /// Named networks; the first is the baseline unless `baseline` names another.
    pub variants: Vec<Variant>,
    /// Name of the baseline variant of the ablation table.
    pub baseline: Option<String>,
    #[serde(default)]
    pub failures: Failures,
    #[serde(default)]
    pub checkpoints: Checkpoints,
    /// How the latency of every candidate is measured, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyConfig>,
}

/// A named network of an ablation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    pub name: String,
    /// A zoo name (`mix`) or a candidate in block notation.
    pub network: String,
    /// Options of the zoo network, as `--set` takes them (`conv_bias: "true"`).
    pub set: BTreeMap<String, String>,
    /// Figures somebody published for it, shown beside ours.
    pub published: Option<Published>,
}

/// Published figures of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Published {
    pub params: Option<f64>,
    /// Multiply-adds.
    pub madds: Option<f64>,
    /// Test accuracy in percent.
    pub accuracy: Option<f64>,
}

const KEYS: [&str; 14] = [
    "name",
    "description",
    "seed",
    "seeds",
    "data",
    "train",
    "trainer",
    "search",
    "variants",
    "baseline",
    "failures",
    "checkpoints",
    "latency",
    // Read by `phases`, before this.
    "phases",
];

/// Most trial seeds of a study.
const MAX_SEEDS: u64 = 1000;

/// The path of a file for names and paths that are relative to it: a pipe stands nowhere.
pub(super) fn place(path: &Path) -> &Path {
    if file::is_stream(path) { Path::new("") } else { path }
}

impl Experiment {
    /// Reads an experiment file, with assignments such as `train.epochs=5` laid over it.
    ///
    /// # Errors
    /// A sentence with file, line and column (or the assignment) for each mistake.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Self> {
        let mut document = Document::load(path, "experiment file")?;
        document.set(overrides)?;
        document.read(|root| Self::read(&root, place(path)))
    }

    pub(super) fn read(root: &At<'_>, path: &Path) -> Read<Self> {
        if root.any_keys("an experiment")?.get("phases").is_some() {
            return Err(root.problem(
                "this experiment has phases, which `blocksmith run` runs one after another; here an experiment of one study is wanted",
            ));
        }
        let keys = root.keys("an experiment", &KEYS)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let name = match keys.get("name") {
            Some(at) => folder_name(&at, "a study")?,
            None => {
                let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
                if !fits_folder(stem) {
                    keys.required("name", "name: my-study")?;
                }
                stem.to_owned()
            }
        };
        let trainer = keys.or("trainer", TrainerConfig::Network, |at| TrainerConfig::read(&at, folder))?;
        let mut data = match keys.optional("data") {
            // Of its images a simulation needs the shape alone.
            None if !trainer.is_network() => DataConfig::of_shapes(),
            _ => DataConfig::read(&keys.required("data", "data: {format: cifar10}")?)?,
        };
        data.path = data.path.map(|path| resolve(folder, &path.to_string_lossy()));
        let variants = variants(&keys)?;
        let train = TrainConfig::read(&keys.required("train", "train: {epochs: 30}")?, folder)?;
        let mut experiment = Self {
            name,
            description: keys.optional("description").map(|at| at.text().map(str::to_owned)).transpose()?,
            seed: keys.or("seed", 1, |at| at.whole(.., "a seed (a whole number from 0)"))?,
            seeds: keys.or("seeds", vec![1], |at| seeds(&at))?,
            data,
            search: keys
                .optional("search")
                .map(|at| SearchConfig::read(&at, folder, train.epochs))
                .transpose()?,
            train,
            trainer,
            baseline: keys.optional("baseline").map(|at| baseline(&at, &variants)).transpose()?,
            variants,
            failures: keys.or("failures", Failures::default(), |at| Failures::read(&at))?,
            checkpoints: keys.or("checkpoints", Checkpoints::default(), |at| Checkpoints::read(&at))?,
            latency: keys.optional("latency").map(|at| LatencyConfig::read(&at)).transpose()?,
        };
        if experiment.latency.is_none() && experiment.search.as_ref().is_some_and(SearchConfig::wants_latency)
        {
            experiment.latency = Some(LatencyConfig::default());
        }
        if experiment.search.is_none() && experiment.variants.is_empty() {
            return Err(root.problem(
                "nothing to train; add `search` (candidates of a space) or `variants` (named networks)",
            ));
        }
        Ok(experiment)
    }
}

/// A number of seeds counted from 1, or a list of them.
fn seeds(at: &At<'_>) -> Read<Vec<u64>> {
    let Some(items) = at.items() else {
        let count =
            at.whole(1..=MAX_SEEDS, "a number of seeds (1 to 1000), nor a list of seeds such as [1, 2, 3]")?;
        return Ok((1..=count).collect());
    };
    let mut seeds = Vec::new();
    for item in &items {
        let seed = item.whole(.., "a seed (a whole number from 0)")?;
        if seeds.contains(&seed) {
            return Err(item.problem(format!("the seed {seed} is here a second time")));
        }
        seeds.push(seed);
    }
    if seeds.is_empty() || seeds.len() as u64 > MAX_SEEDS {
        return Err(at.problem(format!("{} seeds; a study has 1 to {MAX_SEEDS}", seeds.len())));
    }
    Ok(seeds)
}

fn variants(keys: &Keys<'_>) -> Read<Vec<Variant>> {
    let Some(at) = keys.optional("variants") else { return Ok(Vec::new()) };
    let mut variants: Vec<Variant> = Vec::new();
    for item in at.list("a list of variants (lines that start with `- `)")? {
        let keys = item.keys("a variant", &["name", "network", "set", "published"])?;
        let name = keys.required("name", "name: baseline")?;
        let variant = Variant {
            name: folder_name(&name, "a variant")?,
            network: keys.required("network", "network: mix")?.text()?.trim().to_owned(),
            set: keys.optional("set").map_or(Ok(BTreeMap::new()), |at| options(&at))?,
            published: keys.optional("published").map(|at| Published::read(&at)).transpose()?,
        };
        if variants.iter().any(|other| other.name == variant.name) {
            return Err(name.problem(format!("two variants have the name `{}`; rename one", variant.name)));
        }
        variants.push(variant);
    }
    Ok(variants)
}

fn options(at: &At<'_>) -> Read<BTreeMap<String, String>> {
    let value = |at: At<'_>| match at.node {
        Node::Text(text) => Ok(text.clone()),
        Node::Bool(_) | Node::Int(_) | Node::Float(_) => Ok(at.node.describe()),
        _ => Err(at.is_not("the value of an option (a text, a number, true or false)")),
    };
    at.any_keys("set")?.iter().map(|(key, at)| Ok((key.to_owned(), value(at)?))).collect()
}

impl Published {
    fn read(at: &At<'_>) -> Read<Self> {
        let keys = at.keys("published", &["params", "madds", "accuracy"])?;
        let amount = |key| {
            let read = |at: At<'_>| at.amount("an amount (a number such as 363000, 363k or 0.363M)");
            keys.optional(key).map(read).transpose()
        };
        Ok(Self {
            params: amount("params")?,
            madds: amount("madds")?,
            accuracy: keys.optional("accuracy").map(|at| at.percent("an accuracy")).transpose()?,
        })
    }
}

fn baseline(at: &At<'_>, variants: &[Variant]) -> Read<String> {
    let name = at.text()?;
    let names = || variants.iter().map(|variant| variant.name.as_str());
    if names().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    let near = nearest(name, names()).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    let known = names().collect::<Vec<_>>().join(", ");
    Err(at.problem(if known.is_empty() {
        "the baseline is the name of a variant, and there are no `variants`".into()
    } else {
        format!("`{name}` is not the name of a variant ({known}){near}")
    }))
}

/// A name that becomes part of a path.
pub(super) fn folder_name(at: &At<'_>, what: &str) -> Read<String> {
    let name = at.text()?;
    if fits_folder(name) {
        return Ok(name.to_owned());
    }
    Err(at.problem(format!(
        "{} is not a name for {what}: it becomes part of file names, so use 1 to 80 letters, digits, `-`, `_` and `.`, the first no `.` or `-`",
        at.node.describe()
    )))
}

fn fits_folder(name: &str) -> bool {
    (1..=80).contains(&name.len())
        && !name.starts_with(['.', '-'])
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
