//! `blocksmith draw`: a network as an SVG or a PNG.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::output;
use super::profiled::{self, Asked, Profiled, Target};
use crate::error::{Error, Result};
use crate::file::Output;
use crate::report::drawing::{self, Drawing};
use crate::report::format::{counted, thousands};

/// Draw a network as an SVG or PNG for a paper: stages, blocks, shapes and costs
///
/// From top to bottom a box for each stage, with the shape of the map that leaves it and its share of params and
/// multiply-adds; then each kind of block once with its layers, those dashed that not every block of the kind has.
/// In a label k is the kernel, e the expansion, g groups, w the width that a CSE block squeezes to, c output channels,
/// s the stride. The drawing is as wide as a column of a paper and reads without colours too.
///
/// NETWORK is a named network, a candidate in block notation (in quotes), a search space file (its first candidate), or the folder
/// of a study (its best trial, or that of --trial). The end of the file's name says what is written: .svg, or .png at 300 dots
/// an inch.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith draw mix\n  \
    blocksmith draw mobilenet_v2 --set stem=cifar --input 3x32x32 --classes 10 --out mobilenet.svg\n  \
    blocksmith draw 'stem_c16 ir_s2_e4_c24_se0.25 cse_s2_c48_cap8_rr4' --width page --out network.svg\n  \
    blocksmith draw search-spaces/quickstart.yaml --detail stages\n  \
    blocksmith draw reports/quickstart --out best.png\n\n\
    --json prints `file`, `name`, `params`, `madds`, `width` and `height` in points, and `stages` (each with `name`,\n  \
    `label`, `blocks`, `output` as [channels, height, width], `params`, `madds`).")]
pub struct Args {
    /// A named network, a candidate in block notation, a YAML file, or a study's folder
    #[arg(value_name = "NETWORK|CANDIDATE|FILE.yaml|STUDY_DIR")]
    network: String,
    /// The trial of the study: its number, or the candidate's hash (or its beginning) or name [default: the one with the highest
    /// validation accuracy]
    #[arg(long, value_name = "N|HASH|NAME")]
    trial: Option<String>,
    /// The file to write, .svg or .png [default: the network's name and options with .svg, in this folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write over a file that is there already
    #[arg(long)]
    force: bool,
    /// How much is drawn
    #[arg(long, value_enum, default_value_t = Detail::Blocks)]
    detail: Detail,
    /// A paper's column, or a page with the blocks beside the stages
    #[arg(long, value_enum, default_value_t = Width::Column)]
    width: Width,
    #[command(flatten)]
    options: profiled::Options,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How much is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Detail {
    /// The stages alone
    Stages,
    /// Stages, and each kind of block with its layers
    Blocks,
    /// Every block, and each that differs with its layers' shapes and params
    Layers,
}

/// How wide it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Width {
    Column,
    Page,
}

/// What the file is, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Svg,
    Png,
}

impl Format {
    fn of(out: &Path) -> Result<Self> {
        let end = out.extension().map(|end| end.to_string_lossy().to_ascii_lowercase());
        match end.as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            // A folder is refused as one; a device or a pipe has no end that could say more.
            _ if out.is_dir() || out.as_os_str().to_string_lossy().ends_with('/') => Ok(Self::Svg),
            None if out.exists() && !out.is_file() => Ok(Self::Svg),
            _ => Err(Error::request(format!(
                "--out {}: a drawing is written as .svg or .png: end the name in one of these",
                out.display()
            ))),
        }
    }
}

/// Draws what was asked for, and says where.
///
/// # Errors
/// A sentence where there is no such network, or the file is there already or cannot be written.
pub fn execute(args: &Args) -> Result<()> {
    let format = args.out.as_deref().map_or(Ok(Format::Svg), Format::of)?;
    let asked = Asked { trial: args.trial.as_deref(), ..args.options.asked()? };
    let found = match profiled::find(&args.network, &asked)? {
        Target::Network(found) => found,
        Target::Experiment(_, variants) => {
            let names: Vec<&str> = variants.iter().map(|variant| variant.name.as_str()).collect();
            return Err(Error::request(format!(
                "{}: an experiment has several networks ({}); name one network, or a search space file",
                args.network,
                names.join(", ")
            )));
        }
    };
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(file_name(&found, &asked)));
    let file = Output::new(&out, "--out", args.force)?;
    let detail = match args.detail {
        Detail::Stages => drawing::Detail::Stages,
        Detail::Blocks => drawing::Detail::Blocks,
        Detail::Layers => drawing::Detail::Layers,
    };
    let width = match args.width {
        Width::Column => drawing::Width::Column,
        Width::Page => drawing::Width::Page,
    };
    let drawing = drawing::draw(&found.network, &found.name, detail, width);
    let bytes = match format {
        Format::Svg => drawing.svg.clone().into_bytes(),
        Format::Png => drawing.png()?,
    };
    file.write(&bytes)?;
    if file.is_stdout() {
        return Ok(());
    }
    if args.json {
        return output::print_json(&as_json(&drawing, &found.name, &out));
    }
    let note = found.note.map_or(String::new(), |note| format!("\n{note}"));
    output::print(&format!(
        "{}: {} params, {} multiply-adds, {} in {}{note}\nwritten to {}",
        found.name,
        thousands(drawing.outline.params),
        thousands(drawing.outline.madds),
        counted(drawing.outline.blocks.len(), "block"),
        counted(drawing.outline.stages.len(), "stage"),
        out.display()
    ))
}

/// The network's name and what was asked of it as a file name, such as `mobilenet_v3_small-width0.75.svg`: a text in block
/// notation is long, and told apart by its hash.
fn file_name(found: &Profiled, asked: &Asked) -> String {
    const MOST: usize = 60;
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let mut name = String::new();
    for word in found.name.trim_start_matches('.').split(' ') {
        // An option of a name, or a further part of a notation.
        let (gap, word) =
            if word.contains('=') { ("-", word.replace('=', "")) } else { ("_", word.to_owned()) };
        name.extend((!name.is_empty()).then_some(gap));
        name.extend(word.chars().map(plain));
    }
    let input = asked.input.map(|input| format!("-{}x{}x{}", input.c, input.h, input.w));
    let classes = asked.classes.map(|classes| format!("-classes{classes}"));
    let images: String = input.into_iter().chain(classes).collect();
    if name.chars().count() <= MOST && !name.is_empty() {
        return format!("{name}{images}.svg");
    }
    let start: String = name.chars().take(MOST - 17).collect();
    format!("{start}-{}{images}.svg", found.hash)
}

fn as_json(drawing: &Drawing, name: &str, out: &Path) -> Value {
    let stages: Vec<Value> = drawing
        .outline
        .stages
        .iter()
        .map(|stage| {
            let blocks = &drawing.outline.blocks[stage.blocks.clone()];
            json!({
                "name": stage.name,
                "label": stage.label.join(", "),
                "blocks": blocks.iter().map(|block| block.name.as_str()).collect::<Vec<_>>(),
                "output": [stage.output.c, stage.output.h, stage.output.w],
                "params": stage.params,
                "madds": stage.madds,
            })
        })
        .collect();
    json!({
        "file": out,
        "name": name,
        "params": drawing.outline.params,
        "madds": drawing.outline.madds,
        "width": drawing.width,
        "height": drawing.height,
        "stages": stages,
    })
}
