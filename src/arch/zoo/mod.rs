//! The published networks by name: each a text in block notation, or layers added one by one, with options.
//!
//! Layers are named alike in all of them, as weights are exported by these names: `stem`, `stages.I.J.` with the parts of
//! a block, `head`, `pool`, `classifier` (before it `pre_classifier`, numbered where there are several). `_norm` after a
//! layer's name is its batch norm, `_act` its activation. The files of the networks name their blocks' parts.

mod alexnet;
mod cse_paper;
mod elsewhere;
mod entry;
mod googlenet;
mod mobilenet_v1;
mod mobilenet_v2;
mod mobilenet_v3;
pub mod published;
mod shufflenet_v1;
mod shufflenet_v2;
mod squeezenet;
mod vgg;

use std::collections::BTreeMap;

use super::network::{Network, Shape};
use super::{build, canonical};
use crate::error::{Error, Result};
use crate::space::notation;
use entry::{Definition, Entry, Settings, Values, did_you_mean};

/// What `--set`, `--classes` and `--input` (or the same keys in YAML) ask of a named network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    pub set: BTreeMap<String, String>,
    pub classes: Option<usize>,
    pub input: Option<Shape>,
}

/// A network with its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    pub network: Network,
    /// Block notation, or a name with the options that differ from its defaults, such as `shufflenet_v2 width=0.5`:
    /// [`resolve`] reads it back. One network at its input and classes has one text, however it was asked for.
    pub text: String,
    /// The same as it was asked for: what journals of before have.
    pub written: String,
}

const ENTRIES: &[Entry] = &[
    cse_paper::MIX,
    cse_paper::MIX_IMAGENETTE,
    cse_paper::CSE_ONLY,
    cse_paper::OPTIMIZED,
    mobilenet_v1::MOBILENET_V1,
    mobilenet_v2::MOBILENET_V2,
    mobilenet_v3::LARGE,
    mobilenet_v3::SMALL,
    shufflenet_v1::SHUFFLENET_V1,
    shufflenet_v2::SHUFFLENET_V2,
    alexnet::ALEXNET,
    googlenet::GOOGLENET,
    squeezenet::SQUEEZENET,
    vgg::VGG16,
];

/// What a user may want to know of a named network.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct About {
    pub name: &'static str,
    pub about: &'static str,
    /// The images it is made for, unless others are asked for.
    pub input: Shape,
    pub classes: usize,
    pub options: Vec<AboutOption>,
}

/// An option of a named network.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct AboutOption {
    pub name: &'static str,
    pub about: &'static str,
    pub default: String,
    /// The values in words: `1, 2, 4` or `0.05 to 4`.
    pub values: String,
}

/// All named networks.
pub fn catalogue() -> Vec<About> {
    let about = |entry: &Entry| About {
        name: entry.name,
        about: entry.about,
        input: entry.input,
        classes: entry.classes,
        options: entry
            .options
            .iter()
            .map(|choice| AboutOption {
                name: choice.name,
                about: choice.about,
                default: choice.values.default_text(),
                values: choice.values.allowed_text(),
            })
            .collect(),
    };
    ENTRIES.iter().map(about).collect()
}

/// The network of a zoo name (options may follow it, as in `mobilenet_v2 stem=cifar`) or of a text in block notation.
///
/// # Errors
/// A sentence: the nearest known name, option or value; what the notation does not allow; impossible shapes.
pub fn resolve(network: &str, options: &Options) -> Result<Named> {
    let mut words = network.split_whitespace();
    let name = words.next().unwrap_or_default();
    let Some(entry) = ENTRIES.iter().find(|entry| entry.name == name) else {
        return notation_with_options(network, options);
    };
    let mut set = BTreeMap::new();
    for word in words {
        let Some((option, value)) = word.split_once('=') else {
            return Err(Error::request(format!("{network}: `{word}` is no option; write KEY=VALUE")));
        };
        set.insert(option.to_owned(), value.to_owned());
    }
    set.extend(options.set.clone());
    let settings = Settings::read(entry, &set)?;
    let (input, classes) = (options.input.unwrap_or(entry.input), options.classes.unwrap_or(entry.classes));
    let impossible = |what| Error::request(format!("{network} at {input}: {what}"));
    match entry.definition {
        Definition::Notation(text) => {
            let candidate = notation::parse(&text(&settings))
                .map_err(|what| Error::run(format!("the definition of {name} is broken: {what}")))?;
            let written = candidate.text();
            let (candidate, built) = canonical::network(&candidate, input, classes).map_err(impossible)?;
            Ok(Named { network: Network { name: settings.text(), ..built }, text: candidate.text(), written })
        }
        Definition::Built(make) => {
            let make = |settings: &Settings<'_>| {
                build::enough(classes).and_then(|()| make(settings, input, classes))
            };
            let built = make(&settings).map_err(impossible)?;
            let hash = built.hash();
            let is_same = |other: &Settings<'_>| make(other).is_ok_and(|other| other.hash() == hash);
            let written = settings.text();
            let text = plainest(settings, is_same).text();
            Ok(Named { network: Network { name: text.clone(), ..built }, text, written })
        }
    }
}

/// The plainest options that give the same network: each left out where that gives it, else the first of its values, else
/// the number with the fewest decimals.
fn plainest<'a>(mut settings: Settings<'a>, is_same: impl Fn(&Settings<'a>) -> bool) -> Settings<'a> {
    for option in settings.options() {
        let others = match settings.values(option) {
            Some(Values::Words(words)) => words.iter().map(|word| (*word).to_owned()).collect(),
            Some(Values::Numbers(_, numbers)) => numbers.iter().map(f64::to_string).collect(),
            Some(Values::Number(_, least, most)) => {
                let fits = |value: f64| is_same(&settings.with(option, Some(value.to_string())));
                let value = settings.number(option);
                plain_number(value, (*least, *most), fits)
                    .map(|plain| plain.to_string())
                    .into_iter()
                    .collect()
            }
            None => Vec::new(),
        };
        let others = std::iter::once(None).chain(others.into_iter().map(Some));
        let mut others = others.map(|value| settings.with(option, value));
        if let Some(plain) = others.find(&is_same) {
            settings = plain;
        }
    }
    settings
}

/// The smallest of the numbers with the fewest decimals that fit as `value` does, where all between two that fit do.
fn plain_number(value: f64, (least, most): (f64, f64), fits: impl Fn(f64) -> bool) -> Option<f64> {
    for decimals in 0..=6 {
        let scale = 10_f64.powi(decimals);
        let fits = |number: f64| {
            let value = number / scale;
            (least..=most).contains(&value) && fits(value)
        };
        let mut number = (value * scale).floor();
        if !fits(number) {
            number += 1.0;
        }
        if fits(number) {
            while fits(number - 1.0) {
                number -= 1.0;
            }
            return Some(number / scale);
        }
    }
    None
}

/// As [`resolve`], but layers of a text in block notation are named after its own stages, where there are other spellings of
/// the network: as files of weights name them that were written for this text.
///
/// # Errors
/// As [`resolve`].
pub fn as_written(network: &str, options: &Options) -> Result<Named> {
    let named = resolve(network, options)?;
    let is_name = ENTRIES.iter().any(|entry| network.split_whitespace().next() == Some(entry.name));
    let (false, Ok(candidate)) = (is_name, notation::parse(network)) else { return Ok(named) };
    let (input, classes) = (named.network.input(), named.network.classes);
    let network = build::network(&candidate, input, classes).map_err(Error::Request)?;
    Ok(Named { network, ..named })
}

fn notation_with_options(network: &str, options: &Options) -> Result<Named> {
    // A word without a part is meant as a name, and so is what is near to one.
    let names = || ENTRIES.iter().map(|entry| entry.name);
    let first = network.split_whitespace().next().unwrap_or_default();
    let is_block = first.split('_').next().is_some_and(|kind| notation::KINDS.contains(&kind));
    // What others call it says more than what is spelled alike.
    let is_near = |near: &String| !near.is_empty();
    let spelled = || Some(did_you_mean(first, names())).filter(is_near);
    let near = elsewhere::hint(first).or_else(spelled).unwrap_or_default();
    if !network.contains('_')
        || network.split_whitespace().all(|token| !token.contains(|c: char| c.is_ascii_digit()))
        || !is_block && !near.is_empty()
    {
        return Err(Error::request(format!(
            "`{network}` is neither a named network (`blocksmith zoo` lists them) nor block notation such as `stem_c16 ir_s2_e4_c24`{near}"
        )));
    }
    if let Some(option) = options.set.keys().next() {
        return Err(Error::request(format!("block notation takes no options, but `{option}` is set")));
    }
    let candidate = notation::parse(network).map_err(Error::Request)?;
    let (input, classes) = (options.input.unwrap_or(Shape::new(3, 32, 32)), options.classes.unwrap_or(10));
    let written = candidate.text();
    let (candidate, network) = canonical::network(&candidate, input, classes)
        .map_err(|what| Error::request(format!("{network} at {input}: {what}")))?;
    Ok(Named { network, text: candidate.text(), written })
}

/// The network of [`resolve`] alone.
///
/// # Errors
/// As [`resolve`].
pub fn network(network: &str, options: &Options) -> Result<Network> {
    resolve(network, options).map(|named| named.network)
}

#[cfg(test)]
mod tests;
