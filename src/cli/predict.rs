//! `blocksmith predict`: images classified by a trained network.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::loaded::{self, Loaded};
use super::memory::Budget;
use super::profiled;
use super::{numbers, output};
use crate::data::{CHANNELS, Normalisation, images};
use crate::engine::{Inference, foretell};
use crate::error::{Error, Result};
use crate::file;
use crate::text::line;

/// Classify images with trained weights: the most likely classes of each
///
/// W is the folder of a study (its best trial, or that of --trial), or a safetensors file that `export` or `run` wrote:
/// these know their network, the names of the classes, and how images were normalised. Of any other safetensors file
/// --network names the network, --mean and --std the normalisation, and --labels a file with one class name a line.
///
/// Images are PNG, JPEG, WebP or BMP of any size: the shorter side is scaled to the network's input and the centre cut out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith predict --weights reports/quickstart cat.png\n  \
    blocksmith predict --weights reports/quickstart --trial 3 --top 1 photos/*.jpg\n  \
    blocksmith predict --weights mobilenet_v2.safetensors --network mobilenet_v2 --mean 0.485,0.456,0.406 \
    --std 0.229,0.224,0.225 --labels imagenet.txt cat.jpg\n\n\
    --json prints a list: for each image `image` and `predictions` (each `class`, `index`, `probability`), or `error`.\n\
    An image that cannot be read does not keep the others from being classified; the exit code is then 2.")]
pub struct Args {
    /// A study's folder or a safetensors file
    #[arg(long, value_name = "W")]
    weights: PathBuf,
    /// The trial of the study: its number, or the candidate's hash (or its beginning) or name [default: the one with the highest
    /// validation accuracy]
    #[arg(long, value_name = "N|HASH|NAME")]
    trial: Option<String>,
    /// The network of the weights, where the file does not say
    #[arg(long, value_name = "NETWORK")]
    network: Option<String>,
    /// Classes to print for each image
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// Mean of each channel that images are normalised by, from 0 to 1, instead of the weights' own
    #[arg(long, value_name = "R,G,B", value_parser = three, requires = "std")]
    mean: Option<[f64; CHANNELS]>,
    /// Standard deviation of each channel, on the same scale
    #[arg(long, value_name = "R,G,B", value_parser = three, requires = "mean")]
    std: Option<[f64; CHANNELS]>,
    /// File with the name of a class on each line, instead of the weights' own
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: profiled::Options,
    /// Images to classify
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
}

fn three(text: &str) -> std::result::Result<[f64; CHANNELS], String> {
    let numbers: Option<Vec<f64>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.iter().all(|number| number.is_finite()));
    let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
    numbers.ok_or_else(|| "give three numbers such as 0.485,0.456,0.406".into())
}

/// What turns images into names.
struct Classifier {
    inference: Inference<f32>,
    side: (usize, usize),
    normalisation: Normalisation,
    names: Vec<String>,
    classes: usize,
    top: usize,
}

/// One of the most likely classes of an image.
struct Prediction {
    index: usize,
    probability: f64,
}

/// Classifies and prints.
///
/// # Errors
/// A sentence for what is wrong with the weights; at the end, one that names every image that could not be read.
pub fn execute(args: &Args) -> Result<()> {
    let classifier = classifier(args)?;
    let (mut bad, mut values) = (Vec::new(), Vec::new());
    for path in &args.images {
        let shown = path.display().to_string();
        let predictions = classifier.predict(path);
        if args.json {
            values.push(match &predictions {
                Ok(predictions) => json!({"image": shown, "predictions": classifier.json(predictions)}),
                Err(what) => json!({"image": shown, "error": what}),
            });
        } else if let Ok(predictions) = &predictions {
            output::print(&format!("{}\n{}", line(&shown), classifier.text(predictions)))?;
        }
        if let Err(what) = predictions {
            bad.push(line(&format!("{shown} ({what})")).into_owned());
        }
    }
    if args.json {
        output::print_json(&values)?;
    }
    match bad.len() {
        0 => Ok(()),
        count => Err(Error::request(format!(
            "{count} of {} images cannot be read: {}; give PNG, JPEG, WebP or BMP files",
            args.images.len(),
            bad.join("; ")
        ))),
    }
}

fn classifier(args: &Args) -> Result<Classifier> {
    let weights = args.weights.display();
    let flags = args.mean.zip(args.std).map(|(mean, std)| Normalisation::given(mean, std)).transpose();
    let flags = flags.map_err(|(which, why)| Error::request(format!("--{which}: {why}")))?;
    let Loaded { model, about, .. } = load(args)?;
    let input = model.network.input();
    if input.c != CHANNELS {
        return Err(Error::request(format!(
            "{weights}: the network takes {input} images, and files have 3 channels"
        )));
    }
    let Some(normalisation) = flags.or(about.normalisation) else {
        return Err(Error::request(format!(
            "{weights}: the weights do not say how their images were normalised: give --mean and --std \
             (for torchvision's of ImageNet --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225)"
        )));
    };
    let names = match &args.labels {
        Some(file) => labels(file, model.network.classes)?,
        None => about.class_names,
    };
    let (need, budget) = (foretell::inference_bytes(&model.network, 1), Budget::new(None));
    if !budget.allows(need) {
        return Err(Error::request(format!(
            "{weights}: one image needs {}, and {}: give a smaller --input",
            numbers::bytes(need),
            budget.text()
        )));
    }
    Ok(Classifier {
        inference: model.inference(),
        side: (input.h, input.w),
        normalisation,
        names,
        classes: model.network.classes,
        top: args.top as usize,
    })
}

fn load(args: &Args) -> Result<Loaded> {
    let asked = args.options.asked()?;
    let weights = &args.weights;
    if weights.is_dir() {
        if args.network.is_some() || !asked.is_nothing() {
            return Err(Error::request(
                "--network, --set, --input and --classes are for files of weights; a study's trial has its own",
            ));
        }
        return loaded::of_study(weights, args.trial.as_deref());
    }
    if args.trial.is_some() {
        return Err(Error::request(format!(
            "--trial: {} is not a study's folder: name the folder that `blocksmith run` wrote",
            weights.display()
        )));
    }
    loaded::of_file(weights, args.network.as_deref(), &asked)
}

/// Largest file of names.
const MOST_BYTES: u64 = 64 << 20;

/// The names of all classes.
fn labels(path: &Path, classes: usize) -> Result<Vec<String>> {
    let wrong = |what: String| Error::request(format!("--labels {}: {what}", path.display()));
    let unreadable =
        |e: std::io::Error| wrong(format!("cannot be read ({e}): give a text file with one name a line"));
    let mut bytes = Vec::new();
    let names = file::stream(path).map_err(unreadable)?;
    names.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(wrong(format!(
            "more than {} MiB: give a text file with one name a line",
            MOST_BYTES >> 20
        )));
    }
    let text =
        file::text(bytes).map_err(|file::NotText { line, why }| wrong(format!("line {line}: {why}")))?;
    let names: Vec<String> =
        text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    if names.len() == classes {
        return Ok(names);
    }
    Err(Error::request(format!(
        "--labels {}: {} names for {classes} classes: give one name a line",
        path.display(),
        names.len()
    )))
}

impl Classifier {
    /// The most likely classes, the likeliest first; of equals the first.
    fn predict(&self, path: &Path) -> std::result::Result<Vec<Prediction>, String> {
        if path.is_dir() {
            return Err(format!("a folder: name the images in it, such as {}", path.join("*.png").display()));
        }
        let bytes = images::read_one(path, self.side)?;
        let channels = self.normalisation.scale_and_shift();
        let normalised = bytes.iter().zip(channels.iter().cycle());
        let image: Vec<f32> =
            normalised.map(|(&byte, (scale, shift))| f32::from(byte) * scale + shift).collect();
        let logits: Vec<f64> = self.inference.logits(&image).into_iter().map(f64::from).collect();
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err("the network gives no number for it".into());
        }
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        let mut all: Vec<Prediction> = (0..self.classes)
            .zip(&logits)
            .map(|(index, logit)| Prediction { index, probability: (logit - largest).exp() / sum })
            .collect();
        all.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        all.truncate(self.top);
        Ok(all)
    }

    fn name(&self, index: usize) -> String {
        self.names.get(index).cloned().unwrap_or_else(|| format!("class {index}"))
    }

    fn text(&self, predictions: &[Prediction]) -> String {
        let row =
            |p: &Prediction| format!("  {:6.2} %  {}", 100.0 * p.probability, line(&self.name(p.index)));
        predictions.iter().map(row).collect::<Vec<_>>().join("\n")
    }

    fn json(&self, predictions: &[Prediction]) -> Vec<Value> {
        let value = |p: &Prediction| json!({"class": self.name(p.index), "index": p.index, "probability": p.probability});
        predictions.iter().map(value).collect()
    }
}
