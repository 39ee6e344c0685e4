//! `blocksmith export`: a network with its weights as a file for other programs.

use std::path::{Path, PathBuf};

use super::loaded::{self, Loaded};
use super::profiled;
use super::{numbers, output};
use crate::cost;
use crate::error::{Error, Result};
use crate::export::{self, About, Naming, fold};
use crate::file::Output;
use crate::report::format::thousands;

/// Write a network with its weights as safetensors or ONNX
///
/// NETWORK is a named network, a candidate in block notation (in quotes) or a search space file, whose weights are those of
/// --weights, or random ones from --seed; or the folder of a study, of which --trial names the trained trial (without it
/// the one with the highest validation accuracy); or a safetensors file that blocksmith wrote.
///
/// ONNX files have opset 17, the input `input` of normalised images (batch x channels x height x width, any batch) and the
/// output `logits`. Safetensors files say in their metadata which network they are for, and with --names torchvision they
/// load into torchvision's model (mobilenet_v2, mobilenet_v3, shufflenet_v2).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith export reports/quickstart --out best.onnx\n  \
    blocksmith export reports/quickstart --trial 3 --out trial-3.safetensors\n  \
    blocksmith export mix --out mix.onnx --fold\n  \
    blocksmith export mobilenet_v2 --weights mobilenet_v2.safetensors --out mobilenet_v2.onnx\n  \
    blocksmith export mobilenet_v2 --names torchvision --out for-torchvision.safetensors")]
pub struct Args {
    /// A named network, a candidate in block notation, a study's folder, or a file of weights
    #[arg(value_name = "NETWORK|STUDY_DIR")]
    network: String,
    /// The trial of the study [default: the one with the highest validation accuracy]
    #[arg(long, value_name = "N")]
    trial: Option<usize>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Format of the file [default: what the end of its name says]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Fold batch norm into the layer before it
    #[arg(long)]
    fold: bool,
    /// Take the weights from this safetensors file, in our names or torchvision's
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Seed of random weights, where no others are given
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "weights")]
    seed: u64,
    /// Whose names the weights have in a safetensors file
    #[arg(long, value_enum, default_value_t = Names::Ours)]
    names: Names,
    /// Replace the file where it is there already
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    options: profiled::Options,
    /// Print JSON: `file`, `format`, `bytes`, `network`, `input`, `classes`, `params`, `source`
    #[arg(long)]
    json: bool,
}

/// Formats of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Safetensors,
    Onnx,
}

/// Whose names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Names {
    Ours,
    Torchvision,
}

/// Writes the file and says what is in it.
///
/// # Errors
/// A sentence for what is wrong with the request; a file that cannot be written.
pub fn execute(args: &Args) -> Result<()> {
    let format = format(args)?;
    let file = Output::new(&args.out, "--out", args.force)?;
    let Loaded { mut model, mut about, source } = load(args)?;
    let params = cost::of(&model.network).params;
    if args.fold && !about.folded {
        model = fold::model(&model)?;
        about.folded = true;
    }
    let (bytes, kind) = match (format, args.names) {
        (Format::Onnx, _) => {
            (export::onnx::bytes(&model, &about)?, format!("ONNX opset {}", export::onnx::OPSET))
        }
        (Format::Safetensors, Names::Ours) => {
            (export::safetensors::bytes(&model, &about, Naming::Ours)?, "safetensors".into())
        }
        (Format::Safetensors, Names::Torchvision) => (
            export::safetensors::bytes(&model, &about, Naming::Torchvision)?,
            "safetensors with torchvision's names".into(),
        ),
    };
    file.write(&bytes)?;
    if file.is_stdout() {
        return Ok(());
    }
    let About { network, input, classes, .. } = &about;
    if args.json {
        let format = if format == Format::Onnx { "onnx" } else { "safetensors" };
        return output::print_json(&serde_json::json!({
            "file": args.out,
            "format": format,
            "bytes": bytes.len(),
            "network": network,
            "input": [input.c, input.h, input.w],
            "classes": classes,
            "params": params,
            "source": source,
        }));
    }
    output::print(&format!(
        "{}: {network}\n{input} images in {classes} classes, {} params, {source}{}\n{kind}, {}",
        args.out.display(),
        thousands(params),
        if about.folded { ", batch norm folded" } else { "" },
        numbers::bytes(bytes.len() as u64),
    ))
}

fn load(args: &Args) -> Result<Loaded> {
    let asked = args.options.asked()?;
    let path = Path::new(&args.network);
    if path.is_dir() {
        if args.weights.is_some() || !asked.is_nothing() {
            return Err(Error::request(
                "--weights, --set, --input and --classes are for named networks; a study's trial has its own",
            ));
        }
        return loaded::of_study(path, args.trial);
    }
    if args.trial.is_some() {
        return Err(Error::request(format!(
            "--trial: {} is not a study's folder: name the folder that `blocksmith run` wrote",
            args.network
        )));
    }
    match &args.weights {
        Some(weights) => loaded::of_file(weights, Some(&args.network), &asked),
        None if is_safetensors(path) => loaded::of_file(path, None, &asked),
        None => loaded::of_network(&args.network, &asked, args.seed),
    }
}

fn is_safetensors(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("safetensors"))
}

fn format(args: &Args) -> Result<Format> {
    let named = match args.out.extension().map(|end| end.to_ascii_lowercase()) {
        Some(end) if end == "onnx" => Some(Format::Onnx),
        Some(end) if end == "safetensors" => Some(Format::Safetensors),
        _ => None,
    };
    let format = args.format.or(named).ok_or_else(|| {
        Error::request(format!(
            "--out {}: the end of the name does not say the format: end it in .onnx or .safetensors, or give --format",
            args.out.display()
        ))
    })?;
    if format == Format::Onnx && args.names == Names::Torchvision {
        return Err(Error::request(
            "--names: torchvision's names are for safetensors; an ONNX file needs none to run elsewhere",
        ));
    }
    Ok(format)
}
