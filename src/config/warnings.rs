//! Settings that can be meant, but look like numbers of another unit: a sentence each, with its remedy.

use super::{Experiment, Known, Objective, TrainConfig};
use crate::text::thousands;

/// Largest learning rate that is usual for a batch of 256 images; larger batches take it in proportion.
const USUAL_RATE: f64 = 1.0;
/// Weight decay of SGD from which the regularisation outweighs the loss; AdamW's, which is decoupled, is of this size.
const LARGE_DECAY: f64 = 0.02;
/// Label smoothing beyond which a label is the smaller part of its target.
const LARGE_SMOOTHING: f64 = 0.5;
/// Share of a network's cost beyond which a step of NetAdapt is hardly one.
const LARGE_STEP: f64 = 0.2;
/// Amounts below it are fewer params, multiply-adds or bytes than any network has that is worth training.
const SMALL_AMOUNT: f64 = 1000.0;

/// What looks wrong with the settings of an experiment.
pub fn of(experiment: &Experiment) -> Vec<String> {
    let mut found = train(&experiment.train);
    found.extend(search(experiment));
    found.extend(simulated(experiment));
    found
}

fn train(train: &TrainConfig) -> Vec<String> {
    let TrainConfig { lr, weight_decay, label_smoothing, batch, .. } = *train;
    let mut found = Vec::new();
    if let Some(remedy) = as_rate(lr, batch) {
        found.push(format!("train.lr: {lr} is large for batches of {batch}{remedy}"));
    }
    if weight_decay >= LARGE_DECAY {
        found.push(format!(
            "train.weight_decay: {weight_decay} is large for SGD, which adds it to the gradient (1e-4 to 5e-4 is usual; values \
             of AdamW do not carry over)"
        ));
    }
    if label_smoothing > LARGE_SMOOTHING {
        found.push(format!(
            "train.label_smoothing: {label_smoothing} leaves a label less than half of its target; 0.1 is usual, which is 10 %"
        ));
    }
    found
}

/// The remedy for a learning rate that is far beyond what is usual, where it is.
fn as_rate(lr: f64, batch: usize) -> Option<String> {
    let is_large = lr > USUAL_RATE && lr > USUAL_RATE * batch as f64 / 256.0;
    is_large.then(|| format!("; rates are factors, so for {lr} % write {}", lr / 100.0))
}

fn search(experiment: &Experiment) -> Vec<String> {
    let Some(search) = &experiment.search else { return Vec::new() };
    let mut found = Vec::new();
    let target = search.reward.map(|reward| ("search.reward.target", reward.cost, reward.target));
    let netadapt = search.netadapt.as_ref();
    let shrunk = netadapt.map(|netadapt| ("search.target", netadapt.cost, netadapt.target));
    for (key, cost, target) in target.into_iter().chain(shrunk) {
        if cost != Objective::Latency && target < SMALL_AMOUNT {
            found.push(format!(
                "{key}: {target} is less than any network has that is worth training; for {target} million write {target}M"
            ));
        }
    }
    if let Some(netadapt) = netadapt {
        let delta = netadapt.delta;
        if delta > LARGE_STEP {
            found.push(format!(
                "search.delta: {delta} cuts {:.0} % of the first network's cost with each proposal; for {delta} % write {}",
                100.0 * delta,
                delta / 100.0
            ));
        }
        let lr = netadapt.rate(experiment.train.lr);
        if let Some(remedy) = as_rate(lr, experiment.train.batch).filter(|_| netadapt.fine_tune_lr.is_some())
        {
            found.push(format!(
                "search.fine_tune_lr: {lr} is large for batches of {}{remedy}",
                experiment.train.batch
            ));
        }
    }
    found
}

/// A simulated accuracy that stays a fraction for networks of any size.
fn simulated(experiment: &Experiment) -> Option<String> {
    let accuracy = &experiment.trainer.simulated()?.accuracy;
    let epochs = experiment.train.epochs as f64;
    let sizes = [1e3, 1e4, 1e5, 1e6, 1e7];
    let value = |params| accuracy.value(&Known { params, madds: 30.0 * params, epoch: epochs, epochs });
    let is_fraction = sizes.map(value).iter().all(|value| *value > 0.0 && *value <= 1.0);
    is_fraction.then(|| {
        format!("trainer.accuracy: `{accuracy}` gives at most 1 %; accuracies are in percent, so multiply it by 100")
    })
}

/// What looks wrong with the published figures of a variant, beside what its network has.
pub fn published(experiment: &Experiment, variant: &str, params: u64, madds: u64) -> Vec<String> {
    let found = experiment.variants.iter().find(|of| of.name == variant).and_then(|of| of.published);
    let Some(published) = found else { return Vec::new() };
    let figures = [("params", published.params, params), ("madds", published.madds, madds)];
    figures.into_iter().filter_map(|(cost, published, own)| count(variant, cost, published?, own)).collect()
}

fn count(variant: &str, cost: &str, published: f64, own: u64) -> Option<String> {
    let ratio = published / own as f64;
    let figure = format!(
        "published.{cost} of {variant}: {} where the network has {}",
        thousands(published.round() as u64),
        thousands(own)
    );
    // No network of a name has a hundred times the params of another; a count in thousands or millions has.
    if !(0.01..=100.0).contains(&ratio) {
        return Some(format!(
            "{figure}; amounts are in ones, so write such as {published}M for {published} million"
        ));
    }
    let is_twice = cost == "madds" && (1.95..=2.05).contains(&ratio);
    is_twice.then(|| {
        format!("{figure}, about twice: an operation count (FLOPs) has two operations for each multiply-add; halve it")
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::yaml::Document;

    fn experiment(text: &str) -> Experiment {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("e.yaml");
        std::fs::write(&file, format!("name: e\ndata: {{format: shapes}}\n{text}")).unwrap();
        let document = Document::load(&file, "experiment file").unwrap();
        document.read(|root| Experiment::read(&root, Path::new("e.yaml"))).unwrap()
    }

    fn variants(train: &str) -> Experiment {
        experiment(&format!("train: {{epochs: 1, {train}}}\nvariants: [{{name: a, network: mix}}]\n"))
    }

    #[test]
    fn usual_settings_are_passed_over() {
        for train in [
            "lr: 0.05",
            "lr: 1.0, batch: 64",
            // Goyal et al. 2017 scale 0.1 for 256 images to 3.2 for 8192.
            "lr: 3.2, batch: 8192",
            "weight_decay: 5e-4",
            "label_smoothing: 0.1",
        ] {
            assert_eq!(of(&variants(train)), [""; 0], "{train}");
        }
    }

    #[test]
    fn rates_that_look_like_percentages_are_named() {
        for (train, part) in [
            ("lr: 5", "train.lr: 5 is large for batches of 64; rates are factors, so for 5 % write 0.05"),
            ("lr: 10, batch: 256", "for 10 % write 0.1"),
            ("weight_decay: 0.05", "train.weight_decay: 0.05 is large for SGD"),
            ("label_smoothing: 0.9", "train.label_smoothing: 0.9 leaves a label less than half"),
        ] {
            let found = of(&variants(train));
            assert!(found.len() == 1 && found[0].contains(part), "{train}: {found:?}");
        }
        let netadapt = |keys: &str| {
            experiment(&format!(
                "train: {{epochs: 2}}\nsearch: {{strategy: netadapt, from: mix, cost: params, {keys}}}\n"
            ))
        };
        assert_eq!(of(&netadapt("target: 200k")), [""; 0]);
        let found = of(&netadapt("target: 2, delta: 0.5, fine_tune_lr: 4"));
        let parts = [
            "search.target: 2 is less than",
            "for 2 million write 2M",
            "for 0.5 % write 0.005",
            "for 4 % write 0.04",
        ];
        assert!(found.len() == 3 && parts.iter().all(|part| found.concat().contains(part)), "{found:?}");
    }

    #[test]
    fn a_simulated_accuracy_is_in_percent() {
        let with = |accuracy: &str| {
            experiment(&format!(
                "train: {{epochs: 3}}\ntrainer: {{kind: simulated, accuracy: '{accuracy}'}}\nvariants: [{{name: a, network: mix}}]\n"
            ))
        };
        assert_eq!(of(&with("95 - 30 / epoch")), [""; 0]);
        // Small networks at chance do not make it a fraction.
        assert_eq!(of(&with("max(0.5, 8 * ln(params) - 60)")), [""; 0]);
        let found = of(&with("0.95 - 0.3 / epoch"));
        assert!(found.len() == 1 && found[0].contains("in percent, so multiply it by 100"), "{found:?}");
    }

    #[test]
    fn published_counts_are_in_ones() {
        let with = |figures: &str| {
            experiment(&format!(
                "train: {{epochs: 1}}\nvariants: [{{name: a, network: mix, published: {{{figures}}}}}]\n"
            ))
        };
        let found = |figures: &str| published(&with(figures), "a", 362_992, 81_434_112).concat();
        assert_eq!(found("params: 363k, madds: 81M"), "");
        // Another definition of the same name is no matter of units.
        assert_eq!(found("params: 0.5M, madds: 120M"), "");
        assert!(
            found("params: 363").contains("write such as 363M for 363 million"),
            "{}",
            found("params: 363")
        );
        assert!(found("madds: 81").contains("published.madds of a: 81 where the network has 81,434,112"));
        assert!(found("madds: 163M").contains("halve it"), "{}", found("madds: 163M"));
        assert_eq!(published(&with("params: 1"), "b", 362_992, 1), [""; 0]);
    }
}
