//! `blocksmith bench`: how fast networks train and run on this machine.

use std::time::Duration;

use serde_json::json;

use super::breakdown::Breakdown;
use super::memory::{self, Budget};
use super::profiled::{self, Target};
use super::{numbers, output};
use crate::arch::Network;
use crate::config::Precision;
use crate::data;
use crate::engine::measure::{self, Settings, Work};
use crate::engine::ops::matmul::bf16::Units;
use crate::engine::{foretell, units};
use crate::error::{Error, Result};

/// Time steps of a network on this machine
///
/// Runs whole steps on noise: in training forward, loss, backward and the optimizer's update. The first steps are not
/// counted. Quote the median, and compare two programs by running them in turn: machines drift.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith bench --network mix --batch 64\n  \
    blocksmith bench --network mobilenet_v2 --set stem=cifar --input 3x32x32 --classes 10 --mode infer --batch 128\n\n\
    --json prints `images_per_s`, `median_ms`, `fastest_ms`, `slowest_ms`, `steps`, `gflops`, `peak_bytes`,\n  \
    `data_ms` (making a batch from image bytes; null where images have other than 3 channels),\n  \
    and with --layers `layers`. A layer's `roofline` is the time that the machine's peaks (measured first) allow at best,\n  \
    of the time it took; norms and activations are part of the layers that read them, but for their backward sums.")]
pub struct Args {
    /// A named network or a candidate in block notation
    #[arg(long, value_name = "NETWORK", default_value = "mix")]
    network: String,
    /// Images a step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: u32,
    /// Threads of the step
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
    /// What a step is
    #[arg(long, value_enum, default_value_t = Mode::Train)]
    mode: Mode,
    /// What the products of training take; bf16 needs a processor with AVX512-BF16
    #[arg(long, value_enum, default_value_t = Numbers::F32)]
    precision: Numbers,
    /// Seconds that the counted steps take together, at least
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=3600))]
    seconds: u32,
    /// Memory that the step may take, such as 8GiB: a network that needs more is refused [default: 90 % of what is available]
    #[arg(long, value_name = "SIZE", value_parser = memory::size)]
    memory: Option<u64>,
    /// Show where the time goes, layer by layer
    #[arg(long)]
    layers: bool,
    #[command(flatten)]
    options: profiled::Options,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    Train,
    Infer,
}

/// What products take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Numbers {
    F32,
    Bf16,
}

/// Measures and prints.
///
/// # Errors
/// A sentence where there is no such network, or none for such images.
pub fn execute(args: &Args) -> Result<()> {
    let asked = args.options.asked()?;
    let Target::Network(found) = profiled::find(&args.network, &asked)? else {
        return Err(Error::request(format!(
            "{}: an experiment has several networks; name one of them with --network",
            args.network
        )));
    };
    let precision = match args.precision {
        Numbers::F32 => Precision::F32,
        Numbers::Bf16 => Precision::Bf16,
    };
    if precision == Precision::Bf16 && args.mode == Mode::Infer {
        return Err(Error::request("--precision: inference is in f32; bf16 is for --mode train"));
    }
    let units = units(precision).map_err(|error| Error::request(format!("--precision: {error}")))?;
    let settings = Settings {
        work: match args.mode {
            Mode::Train => Work::Train,
            Mode::Infer => Work::Infer,
        },
        batch: args.batch as usize,
        threads: usize::from(args.threads),
        precision,
        warmup: 2,
        repeats: 5,
        at_least: Duration::from_secs(u64::from(args.seconds)),
        layers: args.layers,
    };
    let network = found.network;
    check_memory(args, &network)?;
    let measured = measure::measure(&network, &settings)?;
    // After the step: the process's peak memory is the step's.
    let data_seconds = data_seconds(args, &network)?;
    let (median, fastest, slowest) = (measured.median(), measured.quantile(0.0), measured.quantile(1.0));
    let images_per_s = measured.batch as f64 / median;
    let gflops = measured.operations / median / 1e9;
    let breakdown = args.layers.then(|| Breakdown::new(&network, &measured));
    if args.json {
        return output::print_json(&json!({
            "network": args.network, "mode": format!("{:?}", args.mode).to_lowercase(),
            "batch": measured.batch, "threads": args.threads,
            "precision": precision, "bf16_units": units.map(Units::name),
            "images_per_s": images_per_s, "median_ms": median * 1e3, "fastest_ms": fastest * 1e3,
            "slowest_ms": slowest * 1e3, "steps": measured.steps.len(), "gflops": gflops,
            "peak_bytes": measured.peak_bytes,
            "data_ms": data_seconds.map(|seconds| seconds * 1e3),
            "layers": breakdown.map(|breakdown| breakdown.json()),
        }));
    }
    let peak = measured.peak_bytes.map_or_else(|| "unknown".into(), numbers::bytes);
    let data = data_seconds.map_or_else(String::new, |seconds| {
        format!(", data {:.2} ms a batch ({:.2} % of a step)", seconds * 1e3, 100.0 * seconds / median)
    });
    if let Some(breakdown) = breakdown {
        output::print(&breakdown.text())?;
    }
    output::print(&format!(
        "{images_per_s:.1} images/s: median step {:.1} ms ({:.1} to {:.1} ms over {} steps), {gflops:.1} GFLOP/s, peak memory {peak}{data}",
        median * 1e3,
        fastest * 1e3,
        slowest * 1e3,
        measured.steps.len(),
    ))
}

/// Refuses a step that is foretold to need more than the budget.
fn check_memory(args: &Args, network: &Network) -> Result<()> {
    let batch = args.batch as usize;
    let (need, what) = match args.mode {
        Mode::Train => (foretell::training_bytes(network, batch), "a training step"),
        Mode::Infer => (foretell::inference_bytes(network, batch), "inference"),
    };
    let budget = Budget::new(args.memory);
    if budget.allows(need) {
        return Ok(());
    }
    Err(Error::request(format!(
        "{}: {what} at batch {batch} needs {}, and {}: give a smaller --batch or a larger --memory",
        args.network,
        numbers::bytes(need),
        budget.text()
    )))
}

/// Seconds that the batch of a step takes to make; `None` where no data set has such images.
fn data_seconds(args: &Args, network: &Network) -> Result<Option<f64>> {
    let input = network.input();
    if input.c != data::CHANNELS {
        return Ok(None);
    }
    data::measure::seconds((input.h, input.w), args.batch as usize, args.mode == Mode::Train).map(Some)
}
