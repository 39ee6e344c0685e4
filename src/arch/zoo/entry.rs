//! What a named network is before its options are known, and the reading of those options.

use std::collections::BTreeMap;

use crate::arch::network::{Network, Shape};
use crate::config::yaml::nearest;
use crate::error::{Error, Result};
use crate::text;

/// A named network before its options: how it is made and what it is made for.
pub(super) struct Entry {
    pub name: &'static str,
    pub about: &'static str,
    /// Options that `--set` takes.
    pub options: &'static [Choice],
    pub input: Shape,
    pub classes: usize,
    pub definition: Definition,
}

/// An option of a named network.
pub(super) struct Choice {
    pub name: &'static str,
    pub about: &'static str,
    pub values: Values,
}

impl Choice {
    /// An option with values that are words, the default first.
    pub const fn words(name: &'static str, about: &'static str, values: &'static [&'static str]) -> Self {
        Self { name, about, values: Values::Words(values) }
    }

    /// The width multiplier of a network that takes any.
    pub const fn width() -> Self {
        Self::scaled("multiplies the channels of every layer")
    }

    /// As [`width`](Self::width), with what it multiplies.
    pub const fn scaled(about: &'static str) -> Self {
        let values = Values::Number(1.0, 0.05, 4.0);
        Self { name: "width", about, values }
    }

    /// The rate of the dropout before the classifier.
    pub const fn dropout(default: f64) -> Self {
        let values = Values::Number(default, 0.0, 0.95);
        Self { name: "dropout", about: "rate of the dropout before the classifier", values }
    }

    /// The geometry for images of 224x224 or of 32x32.
    pub const fn stem(about: &'static str) -> Self {
        Self::words("stem", about, &["imagenet", "cifar"])
    }
}

/// The values of an option.
pub(super) enum Values {
    /// Words, the default first.
    Words(&'static [&'static str]),
    /// Numbers, in order, with the default.
    Numbers(f64, &'static [f64]),
    /// Any number: default, least, most.
    Number(f64, f64, f64),
}

/// How a named network is made.
pub(super) enum Definition {
    /// A text in block notation.
    Notation(fn(&Settings) -> String),
    /// Layer by layer, for images of a shape and so many classes.
    Built(fn(&Settings, Shape, usize) -> std::result::Result<Network, String>),
}

/// The options of an entry, all known, each with an allowed value.
#[derive(Clone)]
pub(super) struct Settings<'a> {
    entry: &'a Entry,
    set: BTreeMap<&'a str, String>,
}

impl<'a> Settings<'a> {
    /// Reads options for an entry; those set to their default are as if not set.
    pub fn read(entry: &'a Entry, set: &'a BTreeMap<String, String>) -> Result<Self> {
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
    pub fn is(&self, option: &str, value: &str) -> bool {
        match self.set.get(option) {
            Some(set) => set == value,
            None => matches!(self.values(option), Some(Values::Words([first, ..])) if *first == value),
        }
    }

    /// The notation's token for the rate of `dropout`, with a space before it; nothing where there is none.
    pub fn dropout_token(&self) -> String {
        match self.number("dropout") {
            0.0 => String::new(),
            rate => format!(" dropout_p{rate}"),
        }
    }

    /// The value of an option that is a number.
    pub fn number(&self, option: &str) -> f64 {
        let default = match self.values(option) {
            Some(Values::Number(default, ..) | Values::Numbers(default, _)) => *default,
            _ => 0.0,
        };
        self.set.get(option).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    /// The options that are set.
    pub fn options(&self) -> Vec<&'a str> {
        self.set.keys().copied().collect()
    }

    /// With an option at another value; at its default where there is none.
    pub fn with(&self, option: &'a str, value: Option<String>) -> Self {
        let mut settings = self.clone();
        let default = self.values(option).map(Values::default_text);
        match value.filter(|value| Some(value) != default.as_ref()) {
            Some(value) => settings.set.insert(option, value),
            None => settings.set.remove(option),
        };
        settings
    }

    /// The values of an option.
    pub fn values(&self, option: &str) -> Option<&'a Values> {
        self.entry.options.iter().find(|choice| choice.name == option).map(|choice| &choice.values)
    }

    /// The name and what is set.
    pub fn text(&self) -> String {
        let set = self.set.iter().map(|(option, value)| format!(" {option}={value}"));
        std::iter::once(self.entry.name.to_owned()).chain(set).collect()
    }
}

impl Values {
    /// The value that need not be set.
    pub fn default_text(&self) -> String {
        match self {
            Self::Words(words) => words.first().copied().unwrap_or_default().to_owned(),
            Self::Number(default, ..) | Self::Numbers(default, _) => default.to_string(),
        }
    }

    /// What may be set: `1, 2, 4` or `0.05 to 4`.
    pub fn allowed_text(&self) -> String {
        match self {
            Self::Words(words) => words.join(", "),
            Self::Numbers(_, numbers) => list(numbers),
            Self::Number(_, least, most) => format!("{least} to {most}"),
        }
    }

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
            Self::Numbers(default, allowed) => match value.parse::<f64>() {
                Ok(number) if allowed.contains(&number) => {
                    Ok((number != *default).then(|| number.to_string()))
                }
                _ => Err(Error::request(format!(
                    "{name}: {option} cannot be `{value}` (values: {}){}",
                    list(allowed),
                    if_percent(value, |share| allowed.contains(&share))
                ))),
            },
            Self::Number(default, least, most) => match value.parse::<f64>() {
                Ok(number) if (*least..=*most).contains(&number) => {
                    Ok((number != *default).then(|| number.to_string()))
                }
                _ => Err(Error::request(format!(
                    "{name}: {option} cannot be `{value}`; it is a number from {least} to {most}{}",
                    if_percent(value, |share| (*least..=*most).contains(&share))
                ))),
            },
        }
    }
}

/// `; for 75 % write 0.75`, where a value is right as a percentage.
fn if_percent(value: &str, is_allowed: impl Fn(f64) -> bool) -> String {
    let percent =
        value.trim_end_matches('%').trim_end().parse::<f64>().ok().filter(|percent| *percent >= 1.0);
    percent.and_then(|percent| text::if_percent(percent, is_allowed)).unwrap_or_default()
}

fn no_option(entry: &Entry, option: &str) -> String {
    let known = || entry.options.iter().map(|choice| choice.name);
    let name = entry.name;
    if entry.options.is_empty() {
        return format!("{name} has no options, so no `{option}` either; take it away");
    }
    let (list, near) = (known().collect::<Vec<_>>().join(", "), did_you_mean(option, known()));
    let of_blocks = if near.is_empty() && BLOCK.contains(&option) {
        "; what its blocks have is as published: to change that, write the network in block notation, such as \
         `stem_c16 ir_k3_s2_e4_c24_se0.25`"
    } else {
        ""
    };
    format!("{name} has no option `{option}` (options: {list}){near}{of_blocks}")
}

/// What is a part of a block, and no option of a network.
const BLOCK: [&str; 14] = [
    "se",
    "kernel",
    "expand",
    "expansion",
    "hidden",
    "act",
    "activation",
    "hswish",
    "channels",
    "repeats",
    "stride",
    "block",
    "cap",
    "reduction",
];

/// `; did you mean ...?`, where one of `known` is near.
pub(super) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(name, known).map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

fn list(numbers: &[f64]) -> String {
    numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")
}
