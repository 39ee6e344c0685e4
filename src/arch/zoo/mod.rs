//! The published networks by name, each a text in block notation with options.

mod cse_paper;
mod mobilenet_v2;

use std::collections::BTreeMap;

use super::build;
use super::network::{Network, Shape};
use crate::config::yaml::nearest;
use crate::error::{Error, Result};
use crate::space::notation;

/// What `--set`, `--classes` and `--input` (or the same keys in YAML) ask of a named network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    pub set: BTreeMap<String, String>,
    pub classes: Option<usize>,
    pub input: Option<Shape>,
}

/// A network with the text that is its identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    pub network: Network,
    /// Block notation, or a name with the options that differ from its defaults, such as `shufflenet_v2 width=0.5`:
    /// [`resolve`] reads it back. One network at its input and classes has one text.
    pub text: String,
}

impl Named {
    /// SHA-256 of the text, first 16 hex digits: the network's identity in journals and file names.
    pub fn hash(&self) -> String {
        crate::space::hash(&self.text)
    }
}

/// A named network before its options: how it is made and what it is made for.
struct Entry {
    name: &'static str,
    about: &'static str,
    /// Options that `--set` takes.
    options: &'static [Choice],
    input: Shape,
    classes: usize,
    definition: Definition,
}

/// An option of a named network.
struct Choice {
    name: &'static str,
    values: Values,
}

/// The values of an option, the default first.
enum Values {
    Words(&'static [&'static str]),
    /// A number: default, least, most.
    Number(f64, f64, f64),
}

/// How a named network is made.
enum Definition {
    /// A text in block notation.
    Notation(fn(&Settings) -> String),
    /// Layer by layer, for images of a shape and so many classes.
    Built(fn(&Settings, Shape, usize) -> std::result::Result<Network, String>),
}

/// The options of an entry, all known, each with an allowed value.
struct Settings<'a> {
    entry: &'a Entry,
    set: BTreeMap<&'a str, String>,
}

impl<'a> Settings<'a> {
    /// Reads options for an entry; those set to their default are as if not set.
    fn read(entry: &'a Entry, set: &'a BTreeMap<String, String>) -> Result<Self> {
        let mut read = BTreeMap::new();
        for (option, value) in set {
            let Some(choice) = entry.options.iter().find(|choice| choice.name == option) else {
                return Err(Error::request(no_option(entry, option)));
            };
            if let Some(value) = choice.values.read(entry, option, value)? {
                read.insert(option.as_str(), value);
            }
        }
        Ok(Self { entry, set: read })
    }

    /// Whether an option has this value.
    fn is(&self, option: &str, value: &str) -> bool {
        match self.set.get(option) {
            Some(set) => set == value,
            None => matches!(self.values(option), Some(Values::Words([first, ..])) if *first == value),
        }
    }

    /// The value of an option that is a number.
    fn number(&self, option: &str) -> f64 {
        let default = match self.values(option) {
            Some(Values::Number(default, ..)) => *default,
            _ => 0.0,
        };
        self.set.get(option).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    fn values(&self, option: &str) -> Option<&Values> {
        self.entry.options.iter().find(|choice| choice.name == option).map(|choice| &choice.values)
    }

    /// The name and what is set.
    fn text(&self) -> String {
        let set = self.set.iter().map(|(option, value)| format!(" {option}={value}"));
        std::iter::once(self.entry.name.to_owned()).chain(set).collect()
    }
}

impl Values {
    /// A value as it is written in a network's text; `None` where it is the default.
    fn read(&self, entry: &Entry, option: &str, value: &str) -> Result<Option<String>> {
        let name = entry.name;
        match self {
            Self::Words(allowed) if allowed.contains(&value) => {
                Ok((allowed.first() != Some(&value)).then(|| value.to_owned()))
            }
            Self::Words(allowed) => Err(Error::request(format!(
                "{name}: {option} cannot be `{value}` (values: {}){}",
                allowed.join(", "),
                did_you_mean(value, allowed.iter().copied())
            ))),
            Self::Number(default, least, most) => match value.parse::<f64>() {
                Ok(number) if (*least..=*most).contains(&number) => {
                    Ok((number != *default).then(|| number.to_string()))
                }
                _ => Err(Error::request(format!(
                    "{name}: {option} cannot be `{value}`; it is a number from {least} to {most}"
                ))),
            },
        }
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
            let built = build::network(&candidate, input, classes).map_err(impossible)?;
            Ok(Named { network: Network { name: name.into(), ..built }, text: candidate.text() })
        }
        Definition::Built(build) => {
            let built = build(&settings, input, classes).map_err(impossible)?;
            Ok(Named { network: Network { name: name.into(), ..built }, text: settings.text() })
        }
    }
}

fn no_option(entry: &Entry, option: &str) -> String {
    let known = || entry.options.iter().map(|choice| choice.name);
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

fn notation_with_options(network: &str, options: &Options) -> Result<Named> {
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
    let (input, classes) = (options.input.unwrap_or(Shape::new(3, 32, 32)), options.classes.unwrap_or(10));
    let built = build::network(&candidate, input, classes)
        .map_err(|what| Error::request(format!("{network} at {input}: {what}")))?;
    let text = candidate.text();
    Ok(Named { network: Network { name: text.clone(), ..built }, text })
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
