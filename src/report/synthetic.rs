//! Journals of studies that never ran, for tests and for looking at pictures.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::{
    Augment, DataConfig, DataFormat, Experiment, Limit, Published, Schedule, SearchConfig, StrategyKind,
    TrainConfig, Variant,
};
use crate::study::event::{
    CandidateRecord, DataRecord, Environment, EpochMetrics, Event, Metrics, Record, TrialResult,
};

/// What a synthetic study is made of.
pub struct Synthetic {
    pub name: &'static str,
    /// Candidates with the accuracy they reach.
    pub candidates: Vec<(CandidateRecord, f64)>,
    pub published: Vec<Option<Published>>,
    pub seeds: usize,
    pub epochs: usize,
    pub test: bool,
    pub finished: bool,
}

pub fn candidate(label: &str, is_variant: bool, params: u64, madds: u64) -> CandidateRecord {
    CandidateRecord {
        label: label.to_owned(),
        is_variant,
        text: format!("stem_k3_s1_c16|{}|head_c1280", label.replace(' ', "_")),
        hash: format!("{:016x}", params.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        choices: Vec::new(),
        merged: None,
        params,
        madds,
        activation_memory: params / 3,
        adapted: None,
    }
}

/// The paper's four networks with two seeds.
pub fn mix() -> Synthetic {
    let rows = [
        ("baseline (MobileNetV2)", 2_253_738, 87_980_000, 74.6, 2.253e6, 91.74),
        ("optimized", 425_746, 55_100_000, 71.9, 0.425e6, 90.01),
        ("CSE only", 228_362, 30_200_000, 66.2, 0.228e6, 88.13),
        ("mix", 362_992, 81_434_112, 73.4, 0.363e6, 90.03),
    ];
    Synthetic {
        name: "mix-ablation",
        candidates: rows.iter().map(|r| (candidate(r.0, true, r.1, r.2), r.3)).collect(),
        published: rows
            .iter()
            .map(|r| Some(Published { params: Some(r.4), madds: None, accuracy: Some(r.5) }))
            .collect(),
        seeds: 2,
        epochs: 12,
        test: true,
        finished: true,
    }
}

/// A search of `n` candidates, whose labels have about `length` characters where that is not 0.
pub fn search(n: usize, length: usize) -> Synthetic {
    let mut rng = ChaCha8Rng::seed_from_u64(n as u64);
    let candidates = (0..n)
        .map(|i| {
            let kernel = [3, 5, 7][rng.random_range(0..3)];
            let cap = [4, 8, 16][rng.random_range(0..3)];
            let block = ["ir", "cse"][rng.random_range(0..2)];
            let expand = [1, 2, 4, 6][rng.random_range(0..4)];
            let channels = [24, 32, 48, 64][rng.random_range(0..4)];
            let mut label = format!("k{kernel} {block} t{expand} c{channels}");
            while label.len() < length {
                label.push_str(&format!(" s{}.cap{cap}", label.len() % 7));
            }
            label.push_str(&format!(" #{i}"));
            let params = 20_000 + channels * channels * expand * 25 + kernel * kernel * 400;
            let gain = 9.0 * ((params as f64) / 20_000.0).ln() + kernel as f64 * 0.4;
            let accuracy = 52.0 + gain + rng.random_range(-4.0..4.0);
            let mut record = candidate(&label, false, params, params * 190 + 1_000_000);
            record.hash = format!("{i:016x}");
            record.choices = vec![
                ("stages[1..6].kernel".to_owned(), kernel.to_string()),
                ("stages[3].block".to_owned(), block.to_owned()),
                ("stages[2].expand".to_owned(), expand.to_string()),
                ("stages[4].channels".to_owned(), channels.to_string()),
            ];
            if block == "cse" {
                record.choices.push(("stages[3].cap".to_owned(), cap.to_string()));
            }
            (record, accuracy)
        })
        .collect();
    Synthetic {
        name: "mix-sweep",
        candidates,
        published: Vec::new(),
        seeds: 1,
        epochs: 10,
        test: false,
        finished: true,
    }
}

impl Synthetic {
    /// The journal: every trial finishes, its accuracy rising to about what its candidate reaches.
    pub fn records(&self) -> Vec<Record> {
        let mut at = 1_790_000_000_000;
        let mut records = vec![record(&mut at, self.started())];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        // As the study counts them.
        let mut trial = 1;
        for (c, reach) in &self.candidates {
            for seed in 0..self.seeds as u64 {
                let queued =
                    Event::TrialQueued { trial, candidate: c.clone(), seed, until: None, proposal: None };
                records.push(record(&mut at, queued));
                records.push(record(&mut at, Event::TrialStarted { trial }));
                let reach = reach + rng.random_range(-1.5..1.5) + 0.3 * seed as f64;
                let mut last = None;
                for epoch in 1..=self.epochs {
                    let share = 1.0 - (-3.0 * epoch as f64 / self.epochs as f64).exp();
                    let noise = rng.random_range(-1.2..1.2) * (1.0 - share);
                    let epoch = EpochMetrics {
                        epoch,
                        lr: 0.05,
                        train: metrics(10.0 + (reach - 5.0) * share + noise / 2.0, 45_000),
                        validation: metrics(10.0 + (reach - 10.0) * share + noise, 5_000),
                        seconds: 21.5,
                    };
                    last = Some(epoch.clone());
                    records.push(record(&mut at, Event::EpochFinished { trial, epoch }));
                }
                if let Some(last) = last {
                    let result = TrialResult {
                        epochs: self.epochs,
                        train: last.train,
                        validation: last.validation,
                        seconds: 21.5 * self.epochs as f64,
                    };
                    records.push(record(&mut at, Event::TrialFinished { trial, result }));
                    if self.test {
                        let test = metrics(last.validation.accuracy - 0.4, 10_000);
                        records.push(record(&mut at, Event::TestEvaluated { trial, test }));
                    }
                }
                trial += 1;
            }
        }
        if self.finished {
            records.push(record(&mut at, Event::StudyFinished));
        }
        records
    }

    fn started(&self) -> Event {
        let variants: Vec<Variant> = self
            .candidates
            .iter()
            .enumerate()
            .filter(|(_, (c, _))| c.is_variant)
            .map(|(i, (c, _))| Variant {
                name: c.label.clone(),
                network: "mix".to_owned(),
                set: BTreeMap::new(),
                published: self.published.get(i).copied().flatten(),
            })
            .collect();
        let search = (variants.len() < self.candidates.len()).then(|| {
            let space = "search-spaces/mix-cifar10.yaml".into();
            SearchConfig::new(space, StrategyKind::Random, Some(self.candidates.len()))
        });
        Event::StudyStarted {
            format: crate::study::event::FORMAT,
            experiment: Box::new(Experiment {
                name: self.name.to_owned(),
                description: Some("What a synthetic study would say.".to_owned()),
                seed: 7,
                seeds: (0..self.seeds as u64).collect(),
                data: data(),
                train: train(self.epochs),
                trainer: Default::default(),
                search,
                variants,
                baseline: None,
                failures: Default::default(),
                checkpoints: Default::default(),
                latency: None,
            }),
            environment: Box::new(environment(self.name)),
        }
    }
}

fn record(at: &mut u64, event: Event) -> Record {
    *at += 1500;
    Record { at: *at, event }
}

fn metrics(accuracy: f64, images: usize) -> Metrics {
    Metrics { loss: -(accuracy.clamp(1.0, 99.9) / 100.0).ln(), accuracy, images }
}

fn data() -> DataConfig {
    DataConfig {
        format: DataFormat::Cifar10,
        path: None,
        side: None,
        background: None,
        test: None,
        validation: 0.1,
        limit: Limit { train: Some(45_000), ..Limit::default() },
        augment: Augment::USUAL,
    }
}

fn train(epochs: usize) -> TrainConfig {
    TrainConfig {
        epochs,
        batch: 64,
        lr: 0.1,
        momentum: 0.9,
        nesterov: true,
        weight_decay: 5e-4,
        decay_norm_and_bias: false,
        warmup: 1.0,
        schedule: Schedule::Cosine,
        label_smoothing: 0.1,
        drop_last: None,
        precision: Default::default(),
        weights: None,
        classifier: Default::default(),
        timeout: None,
    }
}

fn environment(name: &str) -> Environment {
    Environment {
        version: "0.1.0".to_owned(),
        command: format!("blocksmith run experiments/{name}.yaml"),
        os: "linux x86_64".to_owned(),
        cpu: "A Processor".to_owned(),
        cores: 2,
        jobs: 2,
        threads_per_job: 1,
        data: DataRecord {
            description: "CIFAR-10 (binary batches)".to_owned(),
            hash: "c0ffee".repeat(10) + "c0ff",
            classes: (0..10).map(|i| format!("class {i}")).collect(),
            train: 45_000,
            validation: 5_000,
            test: 10_000,
            reading: Default::default(),
        },
    }
}
