//! How a study was trained, in words.

use super::escape::{code, inline};
use super::format::counted;
use crate::config::{Augment, DataConfig, Precision, Schedule, StrategyKind, TrainConfig};
use crate::config::{Experiment, SearchConfig, SimulatedConfig, TabularConfig, TrainerConfig};

/// The training recipe as one sentence.
fn training(train: &TrainConfig, augment: &Augment) -> String {
    let momentum = match (train.momentum > 0.0, train.nesterov) {
        (false, _) => String::new(),
        (true, false) => format!(" with momentum {}", train.momentum),
        (true, true) => format!(" with Nesterov momentum {}", train.momentum),
    };
    let mut parts =
        vec![format!("SGD{momentum}"), format!("learning rate {}{}", train.lr, schedule(&train.schedule))];
    if train.warmup > 0.0 {
        parts.push(format!("reached after {} of linear warm-up", epochs(train.warmup)));
    }
    parts.push(match (train.weight_decay > 0.0, train.decay_norm_and_bias) {
        (false, _) => "no weight decay".to_owned(),
        (true, true) => format!("weight decay {} on every parameter", train.weight_decay),
        (true, false) => {
            format!("weight decay {} (not on batch norm, PReLU slopes and biases)", train.weight_decay)
        }
    });
    if train.label_smoothing > 0.0 {
        parts.push(format!("label smoothing {}", train.label_smoothing));
    }
    if train.precision == Precision::Bf16 {
        parts.push("products of 1x1 convolutions in bf16 summed in f32".to_owned());
    }
    if let Some(weights) = &train.weights {
        let name = inline(&weights.path.file_name().unwrap_or_default().to_string_lossy());
        parts.push(format!("starting from the weights of {name}"));
    }
    parts.push(format!("batches of {}", train.batch));
    parts.push(counted(train.epochs, "epoch"));
    if augment.pad_crop > 0 {
        parts.push(format!("images padded by {} pixels and cropped back at random", augment.pad_crop));
    }
    if augment.flip {
        parts.push("flipped left to right with probability one half".to_owned());
    }
    if augment.pad_crop == 0 && !augment.flip {
        parts.push("no augmentation".to_owned());
    }
    format!("{}.", parts.join(", "))
}

/// How an experiment's trials are trained, whatever trains them.
pub fn any(experiment: &Experiment) -> String {
    let epochs = experiment.train.epochs;
    match &experiment.trainer {
        TrainerConfig::Network => training(&experiment.train, &experiment.data.augment),
        TrainerConfig::Simulated(config) => simulated(config, epochs),
        TrainerConfig::Tabular(config) => tabular(config, epochs),
    }
}

/// What is replayed as one sentence.
fn tabular(config: &TabularConfig, epochs: usize) -> String {
    format!(
        "none. {} of each trial as {} recorded them; seeds that it lacks take the figures of those that it has, in turn. \
         The table has figures on the test split for its last epoch alone; for trials of fewer epochs validation figures \
         stand for them.",
        counted(epochs, "epoch"),
        inline(&config.table.file_name().unwrap_or_default().to_string_lossy())
    )
}

/// A simulation's settings as one sentence.
fn simulated(config: &SimulatedConfig, epochs: usize) -> String {
    let SimulatedConfig { accuracy, noise, seconds_per_epoch } = config;
    format!(
        "none. Accuracy simulated as `{accuracy}` with normal noise of {noise} points for each candidate, seed and epoch; \
         {}, each of `{seconds_per_epoch}` simulated seconds.",
        counted(epochs, "epoch")
    )
}

fn epochs(n: f64) -> String {
    if n == 1.0 { "1 epoch".to_owned() } else { format!("{n} epochs") }
}

fn schedule(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Constant => " throughout".to_owned(),
        Schedule::Cosine => " falling to 0 along half a cosine".to_owned(),
        Schedule::Step { milestones, gamma } => {
            let list: Vec<String> = milestones.iter().map(ToString::to_string).collect();
            format!(" times {gamma} at epochs {}", list.join(", "))
        }
        Schedule::Exponential { gamma } => format!(" times {gamma} after every epoch"),
    }
}

/// Where the candidates came from; `searched` is how many the search gave, once it has come to its end.
pub fn candidates(experiment: &Experiment, searched: Option<usize>) -> String {
    let mut parts = Vec::new();
    if !experiment.variants.is_empty() {
        parts.push(format!("{} named in the experiment", counted(experiment.variants.len(), "variant")));
    }
    let netadapt = experiment.search.as_ref().and_then(|search| search.netadapt.as_ref());
    if let (Some(netadapt), Some(found)) = (netadapt, searched) {
        let found = counted(found, "network");
        parts.push(format!("{found} that the strategy netadapt made of {}", code(&netadapt.notation)));
    } else if let Some(netadapt) = netadapt {
        parts.push(format!("networks that the strategy netadapt makes of {}", code(&netadapt.notation)));
    } else if let Some(SearchConfig { space, strategy, trials, .. }) = &experiment.search {
        let space = code(&space.display().to_string());
        parts.push(match (strategy, trials) {
            (StrategyKind::Grid, None) => format!("every candidate of {space}"),
            (StrategyKind::Grid, Some(n)) => {
                format!("the candidates of {space} in order, {n} at most")
            }
            (StrategyKind::Random, Some(n)) if searched.is_some_and(|found| found < *n) => {
                let found = counted(searched.unwrap_or_default(), "candidate");
                format!("{found} drawn from {space}, which has no more of the {n} asked for")
            }
            (StrategyKind::Random, Some(n)) => {
                format!("{} drawn uniformly from {space}", counted(*n, "candidate"))
            }
            (StrategyKind::Random, None) => format!("candidates drawn uniformly from {space}"),
            (strategy, trials) => {
                let wanted = trials.map_or_else(String::new, |trials| format!("{trials} "));
                let found = searched.map_or(wanted, |found| format!("{found} "));
                format!("{found}candidates of {space} proposed by the strategy {}", strategy.name())
            }
        });
    }
    parts.join("; ")
}

/// The statement that a subset was used; `None` where all images were.
pub fn subset(data: &DataConfig) -> Option<String> {
    let limit = &data.limit;
    let parts: Vec<String> =
        [(limit.train, "training"), (limit.validation, "validation"), (limit.test, "test")]
            .into_iter()
            .filter_map(|(cap, split)| {
                Some(format!("{} {split} images", super::format::thousands(cap? as u64)))
            })
            .collect();
    if parts.is_empty() {
        return None;
    }
    Some(format!(
        "A subset of the data: at most {} (stratified, chosen from the study's seed). Accuracies may be lower than with all images.",
        parts.join(", ")
    ))
}
