//! Measured latency: seconds of a batch of folded inference, with how far it can be trusted.
//!
//! All networks of a measurement, and a fixed reference network, run in turn in one thread that is held to its cores: each
//! round takes one sample of every network, and the order shifts by one from round to round, so that what disturbs the machine
//! for a while disturbs all of them. A sample is the mean of as many inferences as fill a millisecond, after one that is not
//! counted: caches hold this network's weights and not those of its neighbour. The latency is the median of the samples.
//!
//! Its noise floor is the part of the median that is noise: the rounds are cut into five blocks of consecutive ones, and
//!
//! ```text
//! spread(network) = (highest - lowest median of a block) / median of all
//! floor           = median * max(spread(network), spread(reference))
//! ```
//!
//! The blocks of a slow drift (heat, a neighbour that wakes up) differ as those of plain jitter do, and the reference shows
//! what the network's own samples hide. What disturbs a machine stretches times by a share, so two latencies are a tie where the
//! slower one is the faster one stretched by no more than the larger of their two floors, as shares of their medians.

mod pin;

use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::measure::noise;
use super::pool::Buf;
use super::{Inference, Model, Workers};
use crate::arch::{Network, Shape, build};
use crate::config::LatencyConfig;
use crate::error::{Error, Result};
use crate::space::notation;

/// The latency of a network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Where it comes from; what is computed never stands for what is measured.
    pub source: Source,
    /// Seconds of a batch: the median over the rounds, and the median absolute deviation from it.
    pub median: f64,
    pub mad: f64,
    /// The part of the median that is noise, seconds of a batch.
    pub floor: f64,
    pub batch: usize,
    pub threads: usize,
    pub rounds: usize,
    /// Whether the threads were held to as many cores.
    pub pinned: bool,
    /// Median seconds of the reference network, one image on the same threads in the same rounds: the machine's speed then.
    pub reference: f64,
}

/// Where a latency comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Measured,
    /// Computed by a trainer that trains nothing.
    Simulated,
}

impl Source {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Simulated => "simulated",
        }
    }
}

impl Latency {
    /// Seconds of one image.
    pub fn per_image(&self) -> f64 {
        self.median / self.batch.max(1) as f64
    }

    /// The part of [`per_image`](Self::per_image) that is noise, seconds.
    pub fn floor_per_image(&self) -> f64 {
        self.floor / self.batch.max(1) as f64
    }

    /// Whether the two differ by no more than noise.
    pub fn ties(&self, other: &Self) -> bool {
        let noise = (self.floor / self.median).max(other.floor / other.median);
        let (a, b) = (self.per_image(), other.per_image());
        a.max(b) <= a.min(b) * (1.0 + noise)
    }
}

/// The network whose speed is the machine's, for 32x32 images.
pub const REFERENCE: &str = "stem_k3_s2_c16 ir_r1_k3_s2_e4_c24 ir_r1_k3_s2_e4_c32";

/// Inferences before the counted ones, at least, and how long they take, at least.
const WARM_UP: (usize, Duration) = (3, Duration::from_millis(20));
/// Seconds that a sample takes, at least.
const SAMPLE: f64 = 1e-3;
/// Most inferences of a sample.
const MOST: f64 = 10_000.0;
/// Blocks of rounds whose medians are compared.
const BLOCKS: usize = 5;

/// Measures the latency of every network, all in turn; `None` where `stop` said so.
///
/// # Errors
/// A system that gives no threads.
pub fn measure(
    networks: &[&Network],
    config: &LatencyConfig,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Vec<Latency>>> {
    thread::scope(|scope| {
        let measured = thread::Builder::new()
            .name("latency".into())
            .spawn_scoped(scope, || on_this_thread(networks, config, stop))
            .map_err(|e| Error::run(format!("cannot start a thread to measure latency: {e}")))?;
        let panicked = |_| Err(Error::run("measuring latency panicked: this is a mistake in blocksmith"));
        measured.join().unwrap_or_else(panicked)
    })
}

/// Measures on the calling thread and those that it starts, and leaves them held to their cores.
fn on_this_thread(
    networks: &[&Network],
    config: &LatencyConfig,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Vec<Latency>>> {
    // Threads that are started from here on are held to the same cores.
    let pinned = pin::hold(config.threads);
    let workers = Arc::new(Workers::new(config.threads)?);
    let reference = reference()?;
    let mut subjects = vec![Subject::new(&reference, 1, &workers)];
    subjects.extend(networks.iter().map(|network| Subject::new(network, config.batch, &workers)));
    for subject in &mut subjects {
        if stop() {
            return Ok(None);
        }
        subject.warm_up();
    }
    let count = subjects.len();
    for round in 0..config.rounds {
        for turn in 0..count {
            if stop() {
                return Ok(None);
            }
            subjects[(round + turn) % count].sample();
        }
    }
    let samples: Vec<Vec<f64>> = subjects.into_iter().map(|subject| subject.samples).collect();
    let Some((reference, networks)) = samples.split_first() else { return Ok(None) };
    let latency = |samples: &Vec<f64>| Latency {
        source: Source::Measured,
        median: median(samples),
        mad: mad(samples),
        floor: floor(samples, reference),
        batch: config.batch,
        threads: config.threads,
        rounds: config.rounds,
        pinned,
        reference: median(reference),
    };
    Ok(Some(networks.iter().map(latency).collect()))
}

fn reference() -> Result<Network> {
    let mistake = |why: String| Error::run(format!("the reference network of latency: {why}"));
    let candidate = notation::parse(REFERENCE).map_err(|why| mistake(why.to_string()))?;
    build::network(&candidate, Shape::new(3, 32, 32), 10).map_err(mistake)
}

/// A network that is measured.
struct Subject {
    inference: Inference<f32>,
    images: Buf<f32>,
    /// Inferences of a sample.
    each: usize,
    /// Seconds of an inference, one for each round.
    samples: Vec<f64>,
}

impl Subject {
    /// Weights are noise: what they are does not change how long they take.
    fn new(network: &Network, batch: usize, workers: &Arc<Workers>) -> Self {
        let inference = Model::<f32>::new(network.clone(), [1; 32], Arc::clone(workers)).inference();
        Self { inference, images: noise(batch * network.input().len()), each: 1, samples: Vec::new() }
    }

    fn run(&self) {
        black_box(self.inference.logits(black_box(&self.images)));
    }

    fn warm_up(&mut self) {
        let start = Instant::now();
        let mut fastest = f64::INFINITY;
        for run in 1.. {
            let before = Instant::now();
            self.run();
            fastest = fastest.min(before.elapsed().as_secs_f64());
            if run >= WARM_UP.0 && start.elapsed() >= WARM_UP.1 {
                break;
            }
        }
        self.each = (SAMPLE / fastest).ceil().clamp(1.0, MOST) as usize;
    }

    fn sample(&mut self) {
        self.run();
        let start = Instant::now();
        for _ in 0..self.each {
            self.run();
        }
        self.samples.push(start.elapsed().as_secs_f64() / self.each as f64);
    }
}

/// The middle value, or the mean of the two; NaN of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match (sorted.get(half), sorted.len() % 2) {
        (Some(middle), 1) => *middle,
        (Some(upper), _) => (sorted[half - 1] + upper) / 2.0,
        (None, _) => f64::NAN,
    }
}

/// Median absolute deviation from the median.
pub fn mad(values: &[f64]) -> f64 {
    let middle = median(values);
    let deviations: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    median(&deviations)
}

/// Highest less lowest median of blocks of consecutive samples, as a share of the median of all.
fn spread(samples: &[f64]) -> f64 {
    let blocks = BLOCKS.min(samples.len());
    let border = |block: usize| block * samples.len() / blocks;
    let medians: Vec<f64> =
        (0..blocks).map(|block| median(&samples[border(block)..border(block + 1)])).collect();
    let highest = medians.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let lowest = medians.iter().copied().fold(f64::INFINITY, f64::min);
    (highest - lowest) / median(samples)
}

/// The part of a median that is noise, of a network with these samples beside a reference with those.
pub fn floor(samples: &[f64], reference: &[f64]) -> f64 {
    median(samples) * spread(samples).max(spread(reference))
}

#[cfg(test)]
mod tests;
