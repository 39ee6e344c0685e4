//! The published networks by name, each a text in block notation with options.

mod cse_paper;
mod mobilenet_v2;

use std::collections::BTreeMap;

use super::build;
use super::network::{Network, Shape};
use crate::config::yaml::nearest;
use crate::error::{Error, Result};
use crate::space::{Candidate, notation};

/// What `--set`, `--classes` and `--input` (or the same keys in YAML) ask of a named network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    pub set: BTreeMap<String, String>,
    pub classes: Option<usize>,
    pub input: Option<Shape>,
}

/// A named network before its options: how it is made and what it is made for.
struct Entry {
    name: &'static str,
    about: &'static str,
    /// Options that `--set` takes, each with its allowed values.
    options: &'static [(&'static str, &'static [&'static str])],
    input: Shape,
    classes: usize,
    candidate: fn(&Settings) -> String,
}

/// Options that were set, all known and with allowed values.
struct Settings<'a>(&'a BTreeMap<String, String>);

impl Settings<'_> {
    fn is(&self, option: &str, value: &str) -> bool {
        self.0.get(option).is_some_and(|v| v == value)
    }
}

const ENTRIES: &[Entry] = &[
    cse_paper::MIX,
    cse_paper::MIX_IMAGENETTE,
    cse_paper::CSE_ONLY,
    cse_paper::OPTIMIZED,
    mobilenet_v2::MOBILENET_V2,
];

/// Names and one-line descriptions of all named networks.
pub fn names() -> Vec<(&'static str, &'static str)> {
    ENTRIES.iter().map(|entry| (entry.name, entry.about)).collect()
}

/// The candidate, input and classes of a zoo name or a text in block notation, with options applied.
///
/// # Errors
/// A sentence: the nearest known name, option or value; what the notation does not allow.
pub fn resolve(network: &str, options: &Options) -> Result<(Candidate, Shape, usize)> {
    let Some(entry) = ENTRIES.iter().find(|entry| entry.name == network) else {
        return notation_with_options(network, options);
    };
    for (option, value) in &options.set {
        let Some((_, allowed)) = entry.options.iter().find(|(name, _)| name == option) else {
            return Err(Error::request(no_option(entry, option)));
        };
        if !allowed.contains(&value.as_str()) {
            return Err(Error::request(format!(
                "{network}: {option} cannot be `{value}` (values: {}){}",
                allowed.join(", "),
                did_you_mean(value, allowed.iter().copied())
            )));
        }
    }
    let text = (entry.candidate)(&Settings(&options.set));
    let candidate = notation::parse(&text)
        .map_err(|what| Error::run(format!("the definition of {network} is broken: {what}")))?;
    Ok((candidate, options.input.unwrap_or(entry.input), options.classes.unwrap_or(entry.classes)))
}

fn no_option(entry: &Entry, option: &str) -> String {
    let known = || entry.options.iter().map(|(name, _)| *name);
    let name = entry.name;
    if entry.options.is_empty() {
        return format!("{name} has no options, so no `{option}` either; take it away");
    }
    let (list, near) = (known().collect::<Vec<_>>().join(", "), did_you_mean(option, known()));
    format!("{name} has no option `{option}` (options: {list}){near}")
}

/// `; did you mean ...?`, where one of `known` is near.
fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(name, known).map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

fn notation_with_options(network: &str, options: &Options) -> Result<(Candidate, Shape, usize)> {
    // One word without a part is meant as a name.
    if !network.contains('_')
        || network.split_whitespace().all(|token| !token.contains(|c: char| c.is_ascii_digit()))
    {
        let names = || ENTRIES.iter().map(|entry| entry.name);
        return Err(Error::request(format!(
            "`{network}` is neither a named network ({}) nor block notation such as `stem_c16 ir_s2_e4_c24`{}",
            names().collect::<Vec<_>>().join(", "),
            did_you_mean(network, names())
        )));
    }
    if let Some(option) = options.set.keys().next() {
        return Err(Error::request(format!("block notation takes no options, but `{option}` is set")));
    }
    let candidate = notation::parse(network).map_err(Error::Request)?;
    Ok((candidate, options.input.unwrap_or(Shape::new(3, 32, 32)), options.classes.unwrap_or(10)))
}

/// The network of a zoo name or a text in block notation.
///
/// # Errors
/// As [`resolve`], and impossible shapes.
pub fn network(network: &str, options: &Options) -> Result<Network> {
    let (candidate, input, classes) = resolve(network, options)?;
    let mut built = build::network(&candidate, input, classes)
        .map_err(|what| Error::request(format!("{network} at {input}: {what}")))?;
    built.name = network.into();
    Ok(built)
}

#[cfg(test)]
mod tests;
