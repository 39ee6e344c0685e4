//! `blocksmith latency`: how long networks take for a batch on this machine, and which of them are as fast.

use serde_json::json;

use super::memory::{self, Budget};
use super::profiled::{self, Profiled, Target};
use super::{numbers, output};
use crate::arch::Network;
use crate::config::LatencyConfig;
use crate::config::latency::FEWEST_ROUNDS;
use crate::cost;
use crate::engine::foretell;
use crate::engine::latency::{Latency, REFERENCE, measure};
use crate::error::{Error, Result};
use crate::report::format::counted;
use crate::report::table::{Table, number, text};
use crate::study::environment;
use crate::text::{thousands, time};

/// Measure the latency of networks, in turn with each other
///
/// Inference with batch norm folded into the convolutions, on one thread that is held to a core unless --threads says more. Every
/// round takes a sample of each network and of a fixed reference network, so that what disturbs the machine disturbs all
/// alike. Two networks whose medians differ by no more than noise (the larger of their noise floors, as a share) are as fast as
/// one another: they share a rank. An experiment measures its candidates in the same way with `latency: {batch: 1, threads: 1, rounds: 30}`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith latency mobilenet_v2 mobilenet_v3_small --set stem=cifar --input 3x32x32 --classes 10\n  \
    blocksmith latency mix \"stem_k3_s2_c16 ir_r1_k3_s2_e2_c24\" --input 3x32x32 --batch 32 --rounds 50\n\n\
    --json prints `cpu`, `pinned`, `reference_s` and `networks`, fastest first, each with `network`, `median_s`, `mad_s` and\n  \
    `floor_s` (of a batch), `per_image_s`, `rank`, and `ties` (the numbers of the networks, counted from 0, that it ties with).")]
pub struct Args {
    /// Named networks, candidates in block notation, or experiment files for all their variants
    #[arg(value_name = "NETWORK", required = true, num_args = 1..)]
    networks: Vec<String>,
    /// Images of a batch
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: u32,
    /// Threads of the batch
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
    /// Samples of each network
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(FEWEST_ROUNDS as i64..=100_000))]
    rounds: u32,
    /// Memory that the networks may take together, such as 8GiB [default: 90 % of what is available]
    #[arg(long, value_name = "SIZE", value_parser = memory::size)]
    memory: Option<u64>,
    #[command(flatten)]
    options: profiled::Options,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
///
/// # Errors
/// A sentence where there is no such network, or none for such images.
pub fn execute(args: &Args) -> Result<()> {
    let asked = args.options.asked()?;
    let mut found: Vec<Profiled> = Vec::new();
    for name in &args.networks {
        match profiled::find(name, &asked)? {
            Target::Network(network) => found.push(*network),
            Target::Experiment(_, variants) => found.extend(variants),
        }
    }
    let config = LatencyConfig {
        batch: args.batch as usize,
        threads: usize::from(args.threads),
        rounds: args.rounds as usize,
    };
    let networks: Vec<&Network> = found.iter().map(|found| &found.network).collect();
    check_memory(args, &networks)?;
    let measured = measure(&networks, &config, &|| false)?.unwrap_or_default();
    let mut rows: Vec<(&Profiled, Latency)> = found.iter().zip(measured).collect();
    rows.sort_by(|a, b| a.1.median.total_cmp(&b.1.median));
    let latencies: Vec<Latency> = rows.iter().map(|(_, latency)| *latency).collect();
    let ranks = ranks(&latencies);
    if args.json { print_json(&rows, &ranks) } else { output::print(&table(&rows, &ranks, &config)) }
}

/// Refuses networks that are foretold to need more than the budget.
fn check_memory(args: &Args, networks: &[&Network]) -> Result<()> {
    let need = networks.iter().map(|network| foretell::inference_bytes(network, args.batch as usize)).sum();
    let budget = Budget::new(args.memory);
    if budget.allows(need) {
        return Ok(());
    }
    Err(Error::request(format!(
        "latency of {} at batch {} needs {}, and {}: give a smaller --batch, fewer networks or a larger --memory",
        networks.len(),
        args.batch,
        numbers::bytes(need),
        budget.text()
    )))
}

/// Ranks of latencies in rising order, from 1: one that ties with the fastest of a rank has that rank.
fn ranks(latencies: &[Latency]) -> Vec<usize> {
    let mut ranks: Vec<usize> = Vec::new();
    let mut first = 0;
    for (at, latency) in latencies.iter().enumerate() {
        if !latencies[first].ties(latency) {
            first = at;
        }
        ranks.push(first + 1);
    }
    ranks
}

fn table(rows: &[(&Profiled, Latency)], ranks: &[usize], config: &LatencyConfig) -> String {
    let mut table = Table::new(vec![
        text("network"),
        number("multiply-adds"),
        number("median"),
        number("MAD"),
        number("noise floor"),
        number("an image"),
        number("rank"),
    ]);
    for ((found, latency), rank) in rows.iter().zip(ranks) {
        let shared = ranks.iter().filter(|other| *other == rank).count() > 1;
        table.push(vec![
            found.name.clone(),
            thousands(cost::of(&found.network).madds),
            time(latency.median),
            time(latency.mad),
            time(latency.floor),
            time(latency.per_image()),
            format!("{rank}{}", if shared { " =" } else { "" }),
        ]);
    }
    let (pinned, reference) = rows.first().map_or((false, f64::NAN), |row| (row.1.pinned, row.1.reference));
    let LatencyConfig { batch, threads, rounds } = *config;
    let held = if pinned {
        "held to as many cores"
    } else {
        "not held to cores, which the system does not let them be"
    };
    let threads = counted(threads, "thread");
    format!(
        "{}\nlatency of a batch of {batch} on {threads} of {}, {held}: medians of {rounds} samples each, \
         in turn; the reference network ({REFERENCE}) took {}\n\
         = : as fast as others of that rank, within the noise floor",
        table.terminal(),
        environment::cpu(),
        time(reference),
    )
}

fn print_json(rows: &[(&Profiled, Latency)], ranks: &[usize]) -> Result<()> {
    let first = rows.first().map(|row| row.1);
    let networks: Vec<_> = rows
        .iter()
        .zip(ranks)
        .enumerate()
        .map(|(at, ((found, latency), rank))| {
            let ties: Vec<usize> = (0..rows.len()).filter(|i| *i != at && rows[*i].1.ties(latency)).collect();
            json!({
                "network": found.name, "text": found.text,
                "median_s": latency.median, "mad_s": latency.mad, "floor_s": latency.floor,
                "per_image_s": latency.per_image(), "rank": rank, "ties": ties,
            })
        })
        .collect();
    output::print_json(&json!({
        "cpu": environment::cpu(),
        "batch": first.map(|l| l.batch), "threads": first.map(|l| l.threads), "rounds": first.map(|l| l.rounds),
        "pinned": first.map(|l| l.pinned), "reference_s": first.map(|l| l.reference),
        "networks": networks,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::latency::Source;

    #[test]
    fn ties_share_a_rank() {
        let latency = |median: f64| Latency {
            source: Source::Measured,
            median,
            mad: 0.0,
            floor: 0.125,
            batch: 1,
            threads: 1,
            rounds: 10,
            pinned: true,
            reference: 1.0,
        };
        // 1.0 and 1.125 tie, 1.25 does not tie with 1.0 though with 1.125; 1.5 is alone.
        assert_eq!(ranks(&[1.0, 1.125, 1.25, 1.3125, 1.75].map(latency)), [1, 1, 3, 3, 5]);
        assert!(ranks(&[]).is_empty());
    }
}
