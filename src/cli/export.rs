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
/// load into torchvision's model (mobilenet_v2, mobilenet_v3, shufflenet_v2), with --names timm into timm's (mobilenet_v2,
/// mobilenet_v3).
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
    /// The trial of the study: its number, or the candidate's hash (or its beginning) or name [default: the one with the highest
    /// validation accuracy]
    #[arg(long, value_name = "N|HASH|NAME")]
    trial: Option<String>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Format of the file [default: what the end of its name says]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Fold batch norm into the layer before it
    #[arg(long)]
    fold: bool,
    /// Take the weights from this safetensors file, in our names, torchvision's or timm's; a prefix of all names is passed over
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Seed of random weights, where no others are given [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "weights")]
    seed: Option<u64>,
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
    Timm,
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
        (Format::Safetensors, names) => {
            let (naming, kind) = match names {
                Names::Ours => (Naming::Ours, "safetensors"),
                Names::Torchvision => (Naming::Torchvision, "safetensors with torchvision's names"),
                Names::Timm => (Naming::Timm, "safetensors with timm's names"),
            };
            (export::safetensors::bytes(&model, &about, naming)?, kind.into())
        }
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
        unseeded(args)?;
        return loaded::of_study(path, args.trial.as_deref());
    }
    if args.trial.is_some() {
        return Err(Error::request(format!(
            "--trial: {} is not a study's folder: name the folder that `blocksmith run` wrote",
            args.network
        )));
    }
    match &args.weights {
        Some(weights) => loaded::of_file(weights, Some(&args.network), &asked),
        None if is_safetensors(path) => unseeded(args).and_then(|()| loaded::of_file(path, None, &asked)),
        None => loaded::of_network(&args.network, &asked, args.seed.unwrap_or(1)),
    }
}

/// Weights that are there are not drawn at random.
fn unseeded(args: &Args) -> Result<()> {
    match args.seed {
        Some(_) => Err(Error::request(format!(
            "--seed: {} has weights, so none are drawn at random: leave --seed out",
            args.network
        ))),
        None => Ok(()),
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
    if let (Some(asked), Some(named)) = (args.format, named)
        && asked != named
    {
        return Err(Error::request(format!(
            "--out {}: the end of the name says another format than --format: leave --format out, or name another file",
            args.out.display()
        )));
    }
    let foreign = args.out.extension().map(|end| end.to_string_lossy().to_ascii_lowercase());
    if let Some(end) = foreign.filter(|end| named.is_none() && FOREIGN.contains(&end.as_str())) {
        return Err(Error::request(format!(
            "--out {}: .{end} is the name of another format than is written: end it in .onnx or .safetensors",
            args.out.display()
        )));
    }
    let format = args.format.or(named).ok_or_else(|| {
        Error::request(format!(
            "--out {}: the end of the name does not say the format: end it in .onnx or .safetensors, or give --format",
            args.out.display()
        ))
    })?;
    if format == Format::Onnx && args.names != Names::Ours {
        return Err(Error::request(
            "--names: the names of other libraries are for safetensors; an ONNX file needs none to run elsewhere",
        ));
    }
    Ok(format)
}

/// Ends of names that say a format that is not written, whatever --format says.
const FOREIGN: [&str; 12] =
    ["pt", "pth", "ckpt", "h5", "keras", "tflite", "pb", "npz", "json", "yaml", "svg", "png"];
