//! Bytes that a study's folder will take.

use serde_json::{Value, json};

use crate::arch::Network;
use crate::cli::numbers::bytes;
use crate::cli::trained::Trained;
use crate::config::{Experiment, Keep};
use crate::engine::weights::slots;
use crate::study::event::{CandidateRecord, EpochMetrics, Event, FORMAT, Metrics, Record, TrialResult};
use crate::study::{environment, keeps_checkpoints};

/// What file systems give space in.
const BLOCK: u64 = 4096;
/// Tables and figures of a report: those of a hundred trials take about this.
const REPORT: u64 = 1 << 20;
/// Bytes of a tensor's name, shape and place in a safetensors file, and of what the file says of its network.
const TENSOR: u64 = 90;
const ABOUT: u64 = 600;

/// Bytes by what they are.
#[derive(Debug, Default)]
pub struct Disk {
    /// Of all trials, until the test split has been read.
    weights: u64,
    /// What is left of them then, and why; `None` where all stay, or nobody can know how many.
    kept: (Keep, Option<u64>),
    /// Of the trials that run at once, with those that are being written in place of them; of all, where they are kept.
    unfinished: u64,
    journal: u64,
    report: u64,
}

impl Disk {
    /// Of candidates with so many trials each, which stand for `scale` times as many.
    pub fn of(
        experiment: &Experiment,
        candidates: &[(&CandidateRecord, &Network, usize)],
        scale: f64,
        jobs: usize,
        trained: &Trained,
    ) -> Self {
        let is_simulated = trained.images().is_none();
        let (mut weights, mut journal, mut trials) = (0, 0, 0);
        let (mut largest, mut one, mut finished) = (0, 0, 0);
        for (record, network, of_it) in candidates {
            let (file, checkpoint) =
                if is_simulated { (BLOCK, BLOCK) } else { files(network, record.params) };
            weights += file.next_multiple_of(BLOCK) * *of_it as u64;
            largest = largest.max(checkpoint);
            one = one.max(file.next_multiple_of(BLOCK));
            finished += checkpoint.next_multiple_of(BLOCK) * *of_it as u64;
            journal += lines(experiment, record) * *of_it as u64;
            trials += of_it;
        }
        let first = Event::StudyStarted {
            format: FORMAT,
            experiment: Box::new(experiment.clone()),
            environment: Box::new(environment::detect(1, 1, trained.record())),
        };
        let scaled = |bytes: u64| (bytes as f64 * scale) as u64;
        let keep = experiment.checkpoints.keep;
        let finished = if keeps_checkpoints(experiment) { scaled(finished) } else { 0 };
        Self {
            weights: scaled(weights),
            kept: (keep, matches!(keep, Keep::Best | Keep::Last).then_some(one)),
            unfinished: finished + 2 * largest * jobs.min(trials) as u64,
            journal: scaled(journal) + line(first),
            report: REPORT,
        }
    }

    fn total(&self) -> u64 {
        self.weights + self.unfinished + self.journal + self.report
    }

    pub fn text(&self) -> String {
        let (keep, kept) = self.kept;
        let left = match (keep, kept) {
            (Keep::All, _) => String::new(),
            (_, Some(kept)) => format!(" until the test split is read, then {} (keep: {keep})", bytes(kept)),
            (_, None) => format!(" until the test split is read, then less (keep: {keep})"),
        };
        format!(
            "about {}: weights {}{left}, checkpoints to go on from {}, journal {}, report {}",
            bytes(self.total()),
            bytes(self.weights),
            bytes(self.unfinished),
            bytes(self.journal),
            bytes(self.report)
        )
    }

    pub fn json(&self) -> Value {
        json!({
            "total_bytes": self.total(),
            "weights_bytes": self.weights,
            "weights_bytes_kept": if self.kept.0 == Keep::All { Some(self.weights) } else { self.kept.1 },
            "unfinished_bytes": self.unfinished,
            "journal_bytes": self.journal,
            "report_bytes": self.report,
        })
    }
}

/// Bytes of a trial's weights, and of what it needs to go on: the weights and a velocity for every parameter.
fn files(network: &Network, params: u64) -> (u64, u64) {
    let slots = slots(network);
    let numbers: usize = slots.iter().map(|slot| slot.shape.iter().product::<usize>()).sum();
    let names: usize = slots.iter().map(|slot| slot.name(network).len()).sum();
    let weights = 4 * numbers as u64 + names as u64 + TENSOR * slots.len() as u64 + ABOUT;
    (weights, weights + 4 * params)
}

/// Bytes of a trial's lines in the journal.
fn lines(experiment: &Experiment, record: &CandidateRecord) -> u64 {
    // Such numbers have as many digits as most.
    let metrics = Metrics { loss: 1.234_567_890_123_456_7, accuracy: 67.890_123_456_789_01, images: 10_000 };
    let epoch = EpochMetrics {
        epoch: 10,
        lr: 0.012_345_678_901_234_567,
        train: metrics,
        validation: metrics,
        seconds: 12.345_678_901,
    };
    let result = TrialResult { epochs: 10, train: metrics, validation: metrics, seconds: 123.456_789_012 };
    let (trial, candidate) = (1000, record.clone());
    let once = [
        Event::TrialQueued { trial, candidate, seed: 1, until: None, proposal: None },
        Event::TrialStarted { trial },
        Event::TrialFinished { trial, result },
        Event::TestEvaluated { trial, test: metrics },
    ];
    let epochs = experiment.train.epochs as u64 * line(Event::EpochFinished { trial, epoch });
    once.map(line).iter().sum::<u64>() + epochs
}

/// Bytes of a line of the journal.
fn line(event: Event) -> u64 {
    let record = Record { at: 1_700_000_000_000, event };
    serde_json::to_string(&record).map_or(0, |text| text.len() as u64 + 1)
}
