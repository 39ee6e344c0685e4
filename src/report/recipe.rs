//! How a study was trained, in words.

use std::collections::BTreeMap;

use super::escape::{code, inline};
use super::format::{counted, thousands};
use crate::config::{Augment, DataConfig, Pad, Precision, Schedule, StrategyKind, TrainConfig};
use crate::config::{
    Experiment, SearchConfig, SimulatedConfig, StartClassifier, TabularConfig, TrainerConfig,
};
use crate::data::epoch_images;

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
        parts.push(match train.classifier {
            StartClassifier::Loaded => format!("starting from the weights of {name}"),
            StartClassifier::Fresh => {
                format!("starting from the weights of {name} with a classifier of fresh ones")
            }
        });
    }
    parts.push(format!("batches of {}", train.batch));
    parts.push(counted(train.epochs, "epoch"));
    if augment.pad_crop > 0 {
        let what = match augment.pad {
            Pad::Zero => "of zeros after normalisation (the mean colour)",
            Pad::Black => "of black (zeros before normalisation)",
            Pad::Reflect => "of the image reflected at its edge",
        };
        parts.push(format!("images padded by {} pixels {what} and cropped back at random", augment.pad_crop));
    }
    if augment.flip {
        parts.push("flipped left to right with probability one half".to_owned());
    }
    if augment.pad_crop == 0 && !augment.flip {
        parts.push("no augmentation".to_owned());
    }
    format!("{}.", parts.join(", "))
}

/// How many of the training images an epoch takes.
pub fn epoch(train: &TrainConfig, images: usize) -> String {
    let TrainConfig { batch, drop_last, .. } = *train;
    let taken = epoch_images(images, batch, drop_last);
    let (number, batches) = (|n: usize| thousands(n as u64), counted_batches(taken.div_ceil(batch)));
    if taken == images {
        let last = match images % batch {
            0 => String::new(),
            short => format!(", the last of {}", number(short)),
        };
        return format!("all {} training images in {batches} of {}{last}", number(images), number(batch));
    }
    let why = match drop_last {
        Some(true) => "do not fill a batch (train.drop_last)",
        _ => "are less than half a batch (train.drop_last: false takes them too)",
    };
    format!(
        "{} of the {} training images in {batches} of {}; the other {}, different ones in every epoch, {why}",
        number(taken),
        number(images),
        number(batch),
        number(images - taken)
    )
}

fn counted_batches(batches: usize) -> String {
    if batches == 1 { "1 batch".to_owned() } else { format!("{} batches", thousands(batches as u64)) }
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

/// Which definition a name stands for, where a paper's network of that name is another; `None` where there is no such variant.
pub fn definitions(experiment: &Experiment) -> Option<String> {
    let narrowed = experiment.variants.iter().filter_map(|variant| {
        let mut words = variant.network.split_whitespace();
        let name = words.next().filter(|name| name.starts_with("mobilenet_v3_"))?;
        let mut options: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
        options.extend(variant.set.iter().map(|(option, value)| (option.as_str(), value.as_str())));
        let width = options.get("width").filter(|width| width.parse::<f64>() != Ok(1.0))?;
        let is_torchvisions = options.get("variant").is_none_or(|variant| *variant == "torchvision");
        is_torchvisions.then(|| format!("{} is torchvision's {name} with width_mult {width}", variant.name))
    });
    let narrowed: Vec<String> = narrowed.collect();
    (!narrowed.is_empty()).then(|| {
        format!(
            "{}, whose last layers are narrowed too; those of the paper's are not (`variant=paper`)",
            narrowed.join("; ")
        )
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_mobilenets_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("e.yaml");
        let text = "data: {format: shapes}\ntrain: {epochs: 1}\nvariants:\n\
                    - {name: a, network: mobilenet_v3_small, set: {stem: cifar, width: 0.35}}\n\
                    - {name: b, network: mobilenet_v3_small variant=paper width=0.35}\n\
                    - {name: c, network: mobilenet_v3_large width=1.0}\n- {name: d, network: mobilenet_v2 width=0.5}\n";
        std::fs::write(&file, text).unwrap();
        let said = definitions(&Experiment::load(&file, &[]).unwrap()).unwrap();
        assert!(
            said.starts_with("a is torchvision's mobilenet_v3_small with width_mult 0.35, whose"),
            "{said}"
        );
        let last = ["variants=[{name: d, network: mobilenet_v2 width=0.5}]".to_owned()];
        assert_eq!(definitions(&Experiment::load(&file, &last).unwrap()), None);
    }
}
