//! `blocksmith profile`: the layers of a network, with what each costs.

use serde_json::{Value, json};

use super::numbers::bytes;
use super::output;
use super::profiled::{self, Asked, Profiled, Target};
use crate::cost::LayerCost;
use crate::error::{Error, Result};
use crate::report::format::{NONE, thousands};
use crate::report::table::{self, Table};

/// Layers of a network with shapes, params, multiply-adds and the share of each
///
/// Counts are exact and come from the layers alone: params are weights, biases, batch norm's gamma and beta, and PReLU
/// slopes; multiply-adds are those of convolutions and linear layers for one image; activation memory is the peak of
/// live activations of one image in inference, 4 bytes a value; training memory is what a process that takes one training
/// step of --batch images is foretold to need at its peak. Shapes are channels x height x width.
///
/// NETWORK is a named network (`blocksmith zoo` lists them), a candidate in block notation (in quotes), a search space file (its first candidate), an experiment file (a line for each of its variants), or the folder of a study (its best trial, or that of --trial).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith profile mix\n  \
    blocksmith profile mobilenet_v2 --set stem=cifar --input 3x32x32 --classes 10\n  \
    blocksmith profile 'stem_c16 ir_s2_e4_c24 cse_s2_c48_cap8_rr4' --layers blocks\n  \
    blocksmith profile search-spaces/quickstart.yaml --set 'stages[2].block=cse'\n  \
    blocksmith profile experiments/mix-ablation.yaml\n  \
    blocksmith profile reports/quickstart --trial 3\n  \
    blocksmith profile mix --json | jq '{params, madds}'\n\n\
    Block notation is timm's block strings, with these differences:\n  \
    `ir_e1` has no expansion convolution, as timm's `ds`; timm's `ir_e1` keeps it: write `ir_e1_keep`\n  \
    a fractional `e` gives the nearest whole width; timm rounds it to a multiple of 8: write the width, as in `h88`\n  \
    `se` is a share of the expanded width, rounded to a multiple of 8, as in timm's MobileNetV3; in timm's EfficientNet\n  \
    and MnasNet strings it is a share of the block's input: divide it by `e`\n  \
    an activation that is not written is ReLU6 (PReLU in `cse`); in timm it is the model's\n\n\
    --json prints `params`, `madds`, `activation_memory`, `training_memory_bytes` at `batch`, `text`, `hash`, `input`,\n  \
    `classes`, `layers` (each with `name`, `op`, `inputs`, `output` as [channels, height, width], `params`, `madds`) and\n  \
    `blocks`; of an experiment file a list of these as `variants`.")]
pub struct Args {
    /// A named network, a candidate in block notation, a YAML file, or a study's folder
    #[arg(value_name = "NETWORK|CANDIDATE|FILE.yaml|STUDY_DIR")]
    network: String,
    /// The trial of the study: its number, or the candidate's hash (or its beginning) or name [default: the one with the highest
    /// validation accuracy]
    #[arg(long, value_name = "N|HASH|NAME")]
    trial: Option<String>,
    #[command(flatten)]
    options: profiled::Options,
    /// Images of the training step whose memory is foretold [default: 64, or the experiment's train.batch]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// A line for every layer, or one for every block [default: all]
    #[arg(long, value_enum)]
    layers: Option<Layers>,
}

/// What a line of the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Layers {
    All,
    Blocks,
}

/// Prints the profile of what was asked for.
///
/// # Errors
/// A sentence where there is no such network, or none for such images.
pub fn execute(args: &Args) -> Result<()> {
    let trial = args.trial.as_deref();
    let asked = Asked { batch: args.batch.map(|n| n as usize), trial, ..args.options.asked()? };
    match profiled::find(&args.network, &asked)? {
        Target::Network(network) if args.json => output::print_json(&as_json(&network)),
        Target::Network(network) => output::print(&as_text(&network, args.layers.unwrap_or(Layers::All))),
        Target::Experiment(name, variants) if args.json => {
            let variants: Vec<Value> = variants.iter().map(as_json).collect();
            output::print_json(&json!({"experiment": name, "variants": variants}))
        }
        Target::Experiment(_, variants) if args.layers.is_some() => Err(Error::request(format!(
            "--layers: {} has several networks, of which a line each is shown: name one of them ({}), or leave --layers out",
            args.network,
            variants.iter().map(|variant| variant.text.as_str()).collect::<Vec<_>>().join("; ")
        ))),
        Target::Experiment(name, variants) => output::print(&summary(&name, &variants)),
    }
}

fn as_text(network: &Profiled, layers: Layers) -> String {
    let profile = &network.profile;
    let (lines, what) = match layers {
        Layers::All => (profile.layers.clone(), "layer"),
        Layers::Blocks => (profile.blocks(), "block"),
    };
    let mut table = Table::new(vec![
        table::text(what),
        table::text("op"),
        table::text("output"),
        table::number("params"),
        table::number("share"),
        table::number("madds"),
        table::number("share"),
    ]);
    for line in &lines {
        table.push(row(line, profile.params, profile.madds));
    }
    table.push(vec![
        "total".into(),
        String::new(),
        String::new(),
        thousands(profile.params),
        "100.0%".into(),
        thousands(profile.madds),
        "100.0%".into(),
    ]);
    let (input, classes) = (network.network.input(), network.network.classes);
    let mut text = format!("{}: {input} images in {classes} classes\n", network.name);
    if let Some(note) = &network.note {
        text += &format!("{note}\n");
    }
    if network.name != network.text {
        text += &format!("{}\n", network.text);
    }
    text += &format!("\n{}\n\n", table.terminal());
    text += &format!("params             {}\n", thousands(profile.params));
    text += &format!("multiply-adds      {}\n", thousands(profile.madds));
    text += &format!("activation memory  {}\n", bytes(profile.activation_memory));
    text += &format!("training memory    {} at batch {}\n", bytes(network.training_memory), network.batch);
    text + &format!("hash               {}", network.hash)
}

fn row(line: &LayerCost, params: u64, madds: u64) -> Vec<String> {
    let number = |value: u64| if value == 0 { NONE.to_owned() } else { thousands(value) };
    let share = |value: u64, total: u64| {
        if value == 0 { NONE.to_owned() } else { format!("{:.1}%", 100.0 * value as f64 / total as f64) }
    };
    vec![
        line.name.clone(),
        line.op.clone(),
        line.output.to_string(),
        number(line.params),
        share(line.params, params),
        number(line.madds),
        share(line.madds, madds),
    ]
}

/// The variants of an experiment, one line each.
fn summary(name: &str, variants: &[Profiled]) -> String {
    let mut table = Table::new(vec![
        table::text("variant"),
        table::number("params"),
        table::number("madds"),
        table::number("memory"),
        table::number("training"),
    ]);
    for variant in variants {
        table.push(vec![
            variant.name.clone(),
            thousands(variant.profile.params),
            thousands(variant.profile.madds),
            bytes(variant.profile.activation_memory),
            bytes(variant.training_memory),
        ]);
    }
    let mut text = format!("experiment {name}");
    if let Some(first) = variants.first() {
        let (input, classes, batch) = (first.network.input(), first.network.classes, first.batch);
        text += &format!(": {input} images in {classes} classes, training memory at batch {batch}");
    }
    for note in variants.iter().filter_map(|variant| variant.note.as_ref()) {
        text += &format!("\n{note}");
    }
    let candidates = variants.iter().map(|variant| variant.text.clone());
    format!("{text}\n\n{}", output::with_candidates(&table, candidates))
}

fn as_json(network: &Profiled) -> Value {
    let (profile, input) = (&network.profile, network.network.input());
    let lines = |lines: &[LayerCost]| -> Vec<Value> {
        lines
            .iter()
            .map(|line| {
                json!({
                    "name": line.name,
                    "op": line.op,
                    "inputs": line.inputs,
                    "output": [line.output.c, line.output.h, line.output.w],
                    "params": line.params,
                    "madds": line.madds,
                })
            })
            .collect()
    };
    json!({
        "name": network.name,
        "input": [input.c, input.h, input.w],
        "classes": network.network.classes,
        "text": network.text,
        "hash": network.hash,
        "note": network.note,
        "params": profile.params,
        "madds": profile.madds,
        "activation_memory": profile.activation_memory,
        "training_memory_bytes": network.training_memory,
        "batch": network.batch,
        "layers": lines(&profile.layers),
        "blocks": lines(&profile.blocks()),
    })
}
