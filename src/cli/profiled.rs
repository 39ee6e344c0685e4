//! What `profile` is asked about: a named network, a candidate, or what a YAML file holds.

use std::collections::BTreeMap;
use std::path::Path;

use super::place::Place;
use super::{adapted, studied};
use crate::arch::zoo::{self, Named};
use crate::arch::{Network, Shape, canonical};
use crate::config::yaml::{Document, Step};
use crate::config::{DataFormat, Experiment, Variant};
use crate::cost::{Profile, Rejection};
use crate::engine::foretell;
use crate::error::{Error, Result};
use crate::file;
use crate::space::SearchSpace;
use crate::study::state;

/// What the command line asks beside the network.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    pub set: &'a [String],
    pub input: Option<Shape>,
    pub classes: Option<usize>,
    /// Images of a training step.
    pub batch: Option<usize>,
    /// Which trial of a study.
    pub trial: Option<&'a str>,
}

/// Images of a training step where neither the command line nor an experiment says.
const BATCH: usize = 64;

/// The flags that change a network, the same for every command that takes one.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Classes, instead of the network's own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    classes: Option<u32>,
    /// Shape of the images, such as 3x32x32, instead of the network's own
    #[arg(long, value_name = "CxHxW")]
    input: Option<String>,
    /// An option of a named network, such as conv_bias=true, or a key of the file; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Asked<'_> {
    /// Whether the network is to be as it is.
    pub fn is_nothing(&self) -> bool {
        self.set.is_empty() && self.input.is_none() && self.classes.is_none()
    }
}

impl Options {
    /// What they ask.
    ///
    /// # Errors
    /// `--input` is no shape.
    pub fn asked(&self) -> Result<Asked<'_>> {
        let input = self.input.as_deref().map(input).transpose()?;
        Ok(Asked {
            set: &self.set,
            input,
            classes: self.classes.map(|n| n as usize),
            batch: None,
            trial: None,
        })
    }
}

/// A network with its costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Profiled {
    pub name: String,
    pub network: Network,
    /// In block notation, or a name with its options.
    pub text: String,
    pub hash: String,
    /// What the user should know of how it was chosen.
    pub note: Option<String>,
    pub profile: Profile,
    /// Images of the training step below.
    pub batch: usize,
    /// Bytes that a training step is foretold to need.
    pub training_memory: u64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    Network(Box<Profiled>),
    /// Name and variants of an experiment.
    Experiment(String, Vec<Profiled>),
}

/// Finds and profiles what `network` names.
///
/// # Errors
/// A sentence where there is no such network, or none for such images.
pub fn find(network: &str, asked: &Asked) -> Result<Target> {
    let path = Path::new(network);
    if path.is_dir() {
        return trial(path, asked).map(|found| Target::Network(Box::new(found)));
    }
    if asked.trial.is_some() {
        return Err(Error::request(format!(
            "--trial: {network} is not a study's folder: name the folder that `blocksmith run` wrote"
        )));
    }
    let is_yaml =
        path.extension().is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"));
    if !is_yaml && !path.is_file() && !file::is_stream(path) {
        return named(network, asked).map(|found| Target::Network(Box::new(found)));
    }
    if is_experiment(path)? {
        experiment(path, asked)
    } else {
        space(path, asked).map(|found| Target::Network(Box::new(found)))
    }
}

/// The shape that `--input` names.
///
/// # Errors
/// It is none.
fn input(text: &str) -> Result<Shape> {
    match Shape::parse(text) {
        Some(shape) if [shape.c, shape.h, shape.w].iter().all(|side| (1..=4096).contains(side)) => Ok(shape),
        _ => Err(Error::request(format!(
            "--input {text}: not channels x height x width, each 1 to 4096; write it such as 3x32x32"
        ))),
    }
}

fn named(network: &str, asked: &Asked) -> Result<Profiled> {
    let mut set = BTreeMap::new();
    for text in asked.set {
        let Some((key, value)) = text.split_once('=') else {
            return Err(Error::request(format!(
                "--set {text}: an option is KEY=VALUE, such as conv_bias=true"
            )));
        };
        set.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    let options = zoo::Options { set, classes: asked.classes, input: asked.input };
    let named = zoo::resolve(network, &options).map_err(|error| {
        let is_hash = (6..=16).contains(&network.len()) && network.chars().all(|c| c.is_ascii_hexdigit());
        match is_hash && network.contains(|c: char| c.is_ascii_digit()) {
            true => Error::request(format!(
                "`{network}` looks like the hash of a candidate, which only its study knows: name the study's folder and give \
                 --trial {network}"
            )),
            false => error,
        }
    })?;
    Ok(profiled(named.network.name.clone(), named, asked))
}

fn profiled(name: String, named: Named, asked: &Asked) -> Profiled {
    let Named { network, text, .. } = named;
    let batch = asked.batch.unwrap_or(BATCH);
    Profiled {
        name,
        hash: network.hash(),
        text,
        note: None,
        profile: Profile::of(&network),
        batch,
        training_memory: foretell::training_bytes(&network, batch),
        network,
    }
}

/// A trial of the study in `dir`.
fn trial(dir: &Path, asked: &Asked) -> Result<Profiled> {
    if !asked.is_nothing() {
        return Err(Error::request(format!(
            "{}: --set, --input and --classes are for networks by name; a study's trial has its own",
            dir.display()
        )));
    }
    let study = state::read(dir)?;
    let trial = studied::choose(&study, dir, asked.trial, false)?;
    let named = studied::network(&study, dir, trial, None)?;
    let asked = Asked { batch: asked.batch.or(Some(study.experiment.train.batch)), ..asked.clone() };
    let best = if asked.trial.is_none() && trial.result.is_some() {
        ", the one with the highest validation accuracy; --trial names another"
    } else {
        ""
    };
    let note = Some(format!(
        "trial {} of {} ({}), seed {}{best}",
        trial.number,
        study.experiment.name,
        dir.display(),
        trial.seed
    ));
    Ok(Profiled { note, ..profiled(named.network.name.clone(), named, &asked) })
}

/// Tells the two kinds of file apart by the keys that only one of them has.
fn is_experiment(path: &Path) -> Result<bool> {
    let document = Document::load(path, "YAML file")?;
    document.read(|root| {
        let keys = root.any_keys("a search space or an experiment")?;
        if keys.get("stages").is_some() {
            return Ok(false);
        }
        if ["data", "train", "search", "variants"].iter().any(|key| keys.get(key).is_some()) {
            return Ok(true);
        }
        Err(root.problem(
            "neither a search space (which has `stages`) nor an experiment (which has `data` and `train`)",
        ))
    })
}

/// The first candidate of a search space.
fn space(path: &Path, asked: &Asked) -> Result<Profiled> {
    let space = SearchSpace::load_with(path, asked.set)?;
    let place = Place { file: path, what: "search space file", set: asked.set, phase: None };
    let Some(first) = space.get(0) else {
        return Err(place.key("stages", "there are no candidates; give every list at least one level"));
    };
    let [c, h, w] = space.input;
    let (input, classes) =
        (asked.input.unwrap_or(Shape::new(c, h, w)), asked.classes.unwrap_or(space.classes));
    let (candidate, network) = canonical::network(&first.candidate, input, classes).map_err(|reason| {
        let message = format!("the first candidate cannot be built at {input}: {reason}");
        place.rejection(&Rejection::Shape(reason), &message)
    })?;
    let note = (space.size() > 1).then(|| {
        let size = super::numbers::large(space.size());
        format!("the first of {size} candidates; fix others with --set, or see `blocksmith enumerate`")
    });
    let named = Named { network, text: candidate.text(), written: first.candidate.text() };
    Ok(Profiled { note, ..profiled(space.name, named, asked) })
}

/// Every variant of an experiment; where it has none the first candidate of its space.
fn experiment(path: &Path, asked: &Asked) -> Result<Target> {
    let experiment = Experiment::load(path, asked.set)?;
    let asked = &Asked { batch: asked.batch.or(Some(experiment.train.batch)), ..asked.clone() };
    let place = Place { file: path, what: "experiment file", set: asked.set, phase: None };
    let mut resolved = experiment.clone();
    if experiment.variants.is_empty() {
        adapted::note_origin(&mut resolved, None, place)?;
    }
    let shrunk = resolved.search.as_ref().and_then(|search| search.netadapt.as_ref());
    if let (true, Some(config)) = (experiment.variants.is_empty(), shrunk) {
        let (input, classes) = images(&experiment, asked, place)?;
        let options = zoo::Options { set: BTreeMap::new(), classes: Some(classes), input: Some(input) };
        let named = zoo::resolve(&config.notation, &options)?;
        let note = Some(format!("what {} shrinks", path.display()));
        let found = Profiled { note, ..profiled(named.network.name.clone(), named, asked) };
        return Ok(Target::Network(Box::new(found)));
    }
    if let (true, Some(search)) = (experiment.variants.is_empty(), &experiment.search) {
        let mut found = space(&search.space, &Asked { set: &[], ..asked.clone() })?;
        let from = format!("the search space of {}", path.display());
        found.note = Some(found.note.map_or(from.clone(), |note| format!("{from}: {note}")));
        return Ok(Target::Network(Box::new(found)));
    }
    let (input, classes) = images(&experiment, asked, place)?;
    let mut variants = Vec::new();
    for (number, variant) in experiment.variants.iter().enumerate() {
        let named = self::variant(variant, number, place, input, classes)?;
        variants.push(profiled(variant.name.clone(), named, asked));
    }
    let searched = experiment.search.as_ref().filter(|search| search.netadapt.is_none());
    if let (Some(search), Some(last)) = (searched, variants.last_mut()) {
        let space = search.space.display();
        last.note = Some(format!("and a search over {space}; see `blocksmith enumerate {space}`"));
    }
    Ok(Target::Experiment(experiment.name, variants))
}

/// The network of an experiment's variant, the `number`-th of the file at `place`.
///
/// # Errors
/// A sentence, with the variant's place, where it is no network, or none for such images.
pub fn variant(
    variant: &Variant,
    number: usize,
    place: Place,
    input: Shape,
    classes: usize,
) -> Result<Named> {
    let at = |key: &str, what: String| {
        let steps = [Step::Key("variants".into()), Step::Item(number), Step::Key(key.into())];
        place.error(&steps, &format!("variant {}: {what}", variant.name))
    };
    let options = |set| zoo::Options { set, classes: Some(classes), input: Some(input) };
    let resolved = zoo::resolve(&variant.network, &options(variant.set.clone()));
    resolved.map_err(|error| {
        // What is as wrong without its options has no mistake in them.
        let alone = zoo::resolve(&variant.network, &options(BTreeMap::new())).err();
        at(if alone.as_ref() == Some(&error) { "network" } else { "set" }, error.to_string())
    })
}

/// Shape and classes of the images, as far as they are known without reading them.
fn images(experiment: &Experiment, asked: &Asked, place: Place) -> Result<(Shape, usize)> {
    let classes = (experiment.data.format != DataFormat::Images).then_some(10);
    match (asked.input.or(images_of(experiment)), asked.classes.or(classes)) {
        (Some(input), Some(classes)) => Ok((input, classes)),
        _ => Err(place.key(
            "data",
            "the images decide input and classes; give both, such as --input 3x64x64 --classes 10",
        )),
    }
}

/// Shape of an experiment's images, where it is known without reading them.
pub fn images_of(experiment: &Experiment) -> Option<Shape> {
    let known = (experiment.data.format != DataFormat::Images).then_some(32);
    experiment.data.side.or(known).map(|side| Shape::new(3, side, side))
}
