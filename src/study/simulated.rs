//! A trainer without training, for tests: each trial's curve is a function of its seeds and nothing else.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::event::{CandidateRecord, DataRecord, Environment, EpochMetrics, Metrics};
use super::plan::PlannedTrial;
use crate::arch::{Layer, Network, Op, Shape};
use crate::config::{
    Augment, DataConfig, DataFormat, Experiment, Failures, Limit, Published, Schedule, TrainConfig, Variant,
};
use crate::error::{Error, Result};
use crate::train::contract::{Trainer, TrialEnd, TrialObserver, TrialTask};

/// What a candidate of a given label does.
pub struct Simulated {
    pub epochs: usize,
    /// Steps take a little time, uneven, so that trials end in another order than they start.
    pub paced: bool,
    /// Sets this flag once a trial of the label `stop` has done its first epoch.
    pub stop: AtomicBool,
    /// Trials trained to their end, and tested, in order.
    pub trained: Mutex<Vec<usize>>,
    pub tested: Mutex<Vec<usize>>,
    /// Trials of the label `flaky` that have panicked, each once.
    pub panicked: Mutex<Vec<usize>>,
}

impl Simulated {
    pub fn new(epochs: usize) -> Self {
        Self {
            epochs,
            paced: true,
            stop: AtomicBool::new(false),
            trained: Mutex::default(),
            tested: Mutex::default(),
            panicked: Mutex::default(),
        }
    }
}

/// A number in 0..1 from text alone (FNV-1a), with all 53 bits used, so that round trips are tested.
fn noise(text: &str) -> f64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

fn metrics(key: &str, epoch: usize) -> Metrics {
    Metrics {
        loss: 2.3 / (epoch as f64 + noise(key)),
        accuracy: 100.0 * (1.0 - 1.0 / (1.5 + epoch as f64 + noise(key))),
        images: 100,
    }
}

impl Trainer for Simulated {
    fn train(&self, task: &TrialTask, observer: &mut dyn TrialObserver) -> Result<TrialEnd> {
        let label = task.network.name.as_str();
        let key = format!("{} {} {}", task.study_seed, task.candidate_hash, task.seed);
        // A checkpoint is the number of epochs that are over.
        let kept = observer.continues().map_or(0, |kept| String::from_utf8(kept).unwrap().parse().unwrap());
        for epoch in kept + 1..=task.until.unwrap_or(self.epochs) {
            for step in 1..=3 {
                let stop = observer.should_stop();
                if stop || observer.wants_checkpoint() {
                    observer.keep((epoch - 1).to_string().as_bytes())?;
                }
                if stop {
                    return Ok(TrialEnd::Interrupted);
                }
                if self.paced {
                    std::thread::sleep(Duration::from_micros((noise(&key) * 300.0) as u64));
                }
                observer.on_step(epoch, step, 3);
            }
            match label {
                "diverges" if epoch == 2 => {
                    return Ok(TrialEnd::Failed { epoch, reason: "the loss is NaN".into() });
                }
                "panics" if epoch == 2 => panic!("index 7 is out of range"),
                "flaky" if epoch == 2 && !self.panicked.lock().unwrap().contains(&task.trial) => {
                    self.panicked.lock().unwrap().push(task.trial);
                    panic!("index 8 is out of range");
                }
                "gives-up" => return Ok(TrialEnd::Interrupted),
                "ends-the-study" => return Err(Error::run("the data set is gone")),
                _ => {}
            }
            observer.on_epoch(&EpochMetrics {
                epoch,
                lr: 0.1 / epoch as f64,
                train: metrics(&format!("{key} train"), epoch),
                validation: metrics(&format!("{key} validation"), epoch),
                seconds: noise(&key),
            })?;
            if epoch < task.until.unwrap_or(self.epochs) && observer.is_over_time() {
                observer.keep(epoch.to_string().as_bytes())?;
                return Ok(TrialEnd::TimedOut);
            }
            if label == "stop" {
                self.stop.store(true, Ordering::SeqCst);
            }
        }
        self.trained.lock().unwrap().push(task.trial);
        if let Some(until) = task.until {
            observer.keep(until.to_string().as_bytes())?;
        }
        Ok(TrialEnd::Finished { weights: key.into_bytes() })
    }

    fn test(
        &self,
        task: &TrialTask,
        weights: &[u8],
        _: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Metrics>> {
        self.tested.lock().unwrap().push(task.trial);
        // From the weights, so that a wrong checkpoint shows.
        let key = String::from_utf8(weights.to_vec()).unwrap();
        Ok(Some(metrics(&format!("{key} test"), self.epochs)))
    }
}

/// An experiment with these variants.
pub fn experiment(labels: &[&str], seeds: &[u64]) -> Experiment {
    Experiment {
        name: "simulated".into(),
        description: Some("curves without training".into()),
        seed: 17,
        seeds: seeds.to_vec(),
        data: DataConfig {
            format: DataFormat::Shapes,
            path: None,
            side: None,
            background: None,
            test: None,
            validation: 0.1,
            limit: Limit::default(),
            augment: Augment::USUAL,
        },
        train: TrainConfig {
            epochs: 3,
            batch: 128,
            lr: 0.1,
            momentum: 0.9,
            nesterov: true,
            weight_decay: 5e-4,
            decay_norm_and_bias: false,
            warmup: 0.0,
            schedule: Schedule::Cosine,
            label_smoothing: 0.0,
            drop_last: None,
            precision: Default::default(),
            weights: None,
            classifier: Default::default(),
            timeout: None,
        },
        trainer: Default::default(),
        search: None,
        variants: labels
            .iter()
            .map(|label| Variant {
                name: (*label).into(),
                network: (*label).into(),
                set: Default::default(),
                published: Some(Published { params: Some(2.23e6), madds: None, accuracy: Some(94.43) }),
            })
            .collect(),
        baseline: None,
        failures: Failures { stop_after_consecutive: 0, ..Failures::default() },
        checkpoints: Default::default(),
        latency: None,
    }
}

/// The trials of [`experiment`]: every variant with every seed.
pub fn plan(experiment: &Experiment) -> Vec<PlannedTrial> {
    let trial = |label: &str, seed: u64| PlannedTrial {
        candidate: CandidateRecord {
            label: label.into(),
            is_variant: true,
            text: format!("text of {label}"),
            hash: format!("{label}-hash"),
            choices: vec![("stages[3].cap".into(), "8".into())],
            merged: None,
            params: 362_992,
            madds: 81_434_112,
            activation_memory: 1 << 20,
            adapted: None,
        },
        network: Network {
            name: label.into(),
            classes: 10,
            layers: vec![Layer {
                name: "input".into(),
                op: Op::Input,
                inputs: vec![],
                output: Shape::new(3, 32, 32),
            }],
        },
        seed,
        until: None,
        proposal: None,
    };
    experiment
        .variants
        .iter()
        .flat_map(|v| experiment.seeds.iter().map(|seed| trial(&v.name, *seed)))
        .collect()
}

/// Some machine, with data of this hash.
pub fn environment(jobs: usize, data: &str) -> Environment {
    Environment {
        version: "0.1.0".into(),
        command: "blocksmith run simulated.yaml".into(),
        os: "Linux".into(),
        cpu: "a processor".into(),
        cores: 2,
        jobs,
        threads_per_job: 1,
        data: DataRecord {
            description: "shapes".into(),
            hash: data.into(),
            classes: vec!["disc".into()],
            train: 90,
            validation: 10,
            test: 10,
            reading: Default::default(),
        },
    }
}
