//! Seconds of trials, from a few measured steps.

use std::time::Instant;

use serde_json::{Value, json};

use crate::arch::Network;
use crate::cli::measured::{Step, seconds_per_image};
use crate::cli::shares::Shares;
use crate::config::Experiment;
use crate::data::{Batcher, Data};
use crate::engine::measure::Work;
use crate::error::Result;
use crate::report::format::thousands;
use crate::study::event::CandidateRecord;

/// Batches that are made to see how long one takes.
const BATCHES: usize = 5;
/// Images of an evaluation at once, as the trainer takes them.
const EVALUATED: usize = 128;

/// Measured steps over the range of sizes.
#[derive(Debug, Default)]
pub struct Timing {
    /// By rising multiply-adds.
    measured: Vec<Measured>,
    /// Seconds to make a batch.
    batch_seconds: f64,
    batch: usize,
    /// Trials that were measured side by side.
    jobs: usize,
    steps: usize,
    validation: usize,
    test: usize,
}

/// One candidate, measured.
#[derive(Debug)]
struct Measured {
    label: String,
    madds: u64,
    /// Seconds of a training step of a whole batch.
    step: f64,
    /// Seconds to evaluate one image.
    image: f64,
}

impl Timing {
    /// Measures the smallest, the middle and the largest of the candidates: a warm step each, as many side by side as there
    /// will be trials at once.
    ///
    /// # Errors
    /// A system that gives no threads.
    pub fn measured(
        experiment: &Experiment,
        data: &Data,
        networks: &[(&CandidateRecord, &Network)],
        shares: &Shares,
    ) -> Result<Self> {
        let batch = experiment.train.batch.min(data.train.len()).max(2);
        let mut batches = Batcher::train(&data.train, batch, 0, experiment.data.augment)
            .with_last(experiment.train.drop_last);
        let steps = batches.batches();
        let mut by_size: Vec<_> = networks.to_vec();
        by_size.sort_by_key(|(record, _)| record.madds);
        by_size.dedup_by_key(|(record, _)| record.madds);
        let last = by_size.len().saturating_sub(1);
        let mut picked = vec![0, last / 2, last];
        picked.dedup();
        let mut measured = Vec::new();
        for (record, network) in picked.into_iter().filter_map(|i| by_size.get(i)) {
            let seconds = |work, batch| {
                let step = Step { network, work, batch, precision: experiment.train.precision };
                seconds_per_image(step, shares.jobs, shares.threads)
            };
            measured.push(Measured {
                label: record.label.clone(),
                madds: record.madds,
                step: seconds(Work::Train, batch)? * batch as f64,
                image: seconds(Work::Infer, EVALUATED.min(data.validation.len()))?,
            });
        }
        Ok(Self {
            measured,
            batch_seconds: batch_seconds(&mut batches),
            batch,
            jobs: shares.jobs,
            steps,
            validation: data.record.validation,
            test: data.record.test,
        })
    }

    /// Seconds of a trial of a network with so many multiply-adds: training, validation after each epoch, and the test.
    pub fn of_trial(&self, madds: u64, epochs: usize) -> f64 {
        let step = self.at(madds, |m| m.step) + self.batch_seconds;
        let image = self.at(madds, |m| m.image);
        epochs as f64 * (self.steps as f64 * step + self.validation as f64 * image) + self.test as f64 * image
    }

    /// Between two measured networks on the line between them; beyond them in proportion.
    fn at(&self, madds: u64, seconds: impl Fn(&Measured) -> f64) -> f64 {
        let after = self.measured.iter().position(|m| m.madds >= madds);
        let (below, above) = match after {
            Some(0) | None => {
                let nearest = if after.is_some() { self.measured.first() } else { self.measured.last() };
                return nearest.map_or(0.0, |m| seconds(m) * madds as f64 / m.madds.max(1) as f64);
            }
            Some(i) => (&self.measured[i - 1], &self.measured[i]),
        };
        let share = (madds - below.madds) as f64 / (above.madds - below.madds).max(1) as f64;
        seconds(below) + share * (seconds(above) - seconds(below))
    }

    /// What was measured, for people.
    pub fn lines(&self) -> Vec<String> {
        let how = format!(
            "(from a measured step of {} images, {} at once; others by their multiply-adds)",
            self.batch, self.jobs
        );
        let line = |m: &Measured| {
            format!("  {:>8.1} ms a step  {:>15} madds  {}", m.step * 1e3, thousands(m.madds), m.label)
        };
        let lines: Vec<String> = self.measured.iter().map(line).collect();
        if lines.is_empty() { lines } else { [vec![how], lines].concat() }
    }

    pub fn json(&self) -> Value {
        let one = |m: &Measured| {
            json!({
                "label": m.label,
                "madds": m.madds,
                "step_ms": m.step * 1e3,
                "evaluation_ms_per_image": m.image * 1e3,
            })
        };
        self.measured.iter().map(one).collect()
    }
}

/// Seconds to make a batch, on the mean of a few.
fn batch_seconds(batches: &mut Batcher<'_>) -> f64 {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    // The first one allocates.
    batches.next_batch(&mut images, &mut labels);
    let start = Instant::now();
    let made = (0..BATCHES).take_while(|_| batches.next_batch(&mut images, &mut labels)).count();
    if made == 0 { 0.0 } else { start.elapsed().as_secs_f64() / made as f64 }
}

/// Seconds until trials that take so long are done, each given to the first of `jobs` workers that is free.
pub fn makespan(trials: &[f64], jobs: usize) -> f64 {
    let mut free = vec![0.0_f64; jobs.max(1)];
    for seconds in trials {
        if let Some(first) = free.iter_mut().min_by(|a, b| a.total_cmp(b)) {
            *first += seconds;
        }
    }
    free.into_iter().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_between_measured_ones_lie_on_a_line() {
        let one = |madds, step| Measured { label: String::new(), madds, step, image: step / 10.0 };
        let timing = Timing {
            measured: vec![one(100, 1.0), one(200, 3.0), one(400, 4.0)],
            batch_seconds: 0.5,
            steps: 10,
            validation: 20,
            test: 30,
            ..Timing::default()
        };
        for (madds, step) in
            [(50, 0.5), (100, 1.0), (150, 2.0), (200, 3.0), (300, 3.5), (400, 4.0), (800, 8.0)]
        {
            assert_eq!(timing.at(madds, |m| m.step), step, "{madds}");
        }
        // Two epochs of ten steps and twenty images, and thirty images at the end.
        assert_eq!(timing.of_trial(200, 2), 2.0 * (10.0 * 3.5 + 20.0 * 0.3) + 30.0 * 0.3);
        assert_eq!(Timing::default().of_trial(200, 2), 0.0);
    }

    #[test]
    fn the_first_free_worker_takes_the_next_trial() {
        assert_eq!(makespan(&[], 2), 0.0);
        assert_eq!(makespan(&[3.0, 1.0, 1.0, 1.0, 2.0], 2), 5.0);
        assert_eq!(makespan(&[3.0, 1.0, 1.0, 1.0, 2.0], 1), 8.0);
        assert_eq!(makespan(&[1.0, 2.0], 8), 2.0);
    }
}
