//! Spaces by chance with their listings by brute force, written without the code that counts and lists: what tests compare with.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::*;

/// A space as lists of raw levels; `$x` refers to a choice.
#[derive(Debug, Clone, Default)]
pub struct Raw {
    pub choices: BTreeMap<String, Vec<String>>,
    /// Unit (`stem`, `0`, `1`, .., `head`), key, levels.
    pub fields: Vec<(String, String, Vec<String>)>,
}

impl Raw {
    pub fn yaml(&self) -> String {
        let mut out = String::from("name: t\ninput: 3x8x8\nclasses: 4\n");
        if !self.choices.is_empty() {
            out += "choices:\n";
            for (name, levels) in &self.choices {
                out += &format!("  {name}: [{}]\n", levels.join(", "));
            }
        }
        let mut unit = "";
        for (at, key, levels) in &self.fields {
            let stage = at.chars().all(char::is_numeric);
            if at != unit {
                if at == "0" {
                    out += "stages:\n";
                }
                out += &if stage { "-\n".to_owned() } else { format!("{at}:\n") };
                unit = at;
            }
            let value = match levels.as_slice() {
                [one] if one.starts_with('$') => one.clone(),
                levels => format!("[{}]", levels.join(", ")),
            };
            out += &format!("  {key}: {value}\n");
        }
        out
    }

    /// Every text, from every settlement of every field, whether it has an effect or not.
    pub fn brute_force(&self) -> BTreeSet<String> {
        let mut dimensions: Vec<Vec<String>> = self.choices.values().cloned().collect();
        let names: Vec<_> = self.choices.keys().cloned().collect();
        for (_, _, levels) in &self.fields {
            dimensions.push(if levels[0].starts_with('$') { vec![String::new()] } else { levels.clone() });
        }
        let mut found = BTreeSet::new();
        let mut odometer = vec![0; dimensions.len()];
        loop {
            let mut units: BTreeMap<String, HashMap<String, String>> = BTreeMap::new();
            for (i, (unit, key, levels)) in self.fields.iter().enumerate() {
                let value = match levels[0].strip_prefix('$') {
                    Some(name) => {
                        let choice = names.iter().position(|n| n == name).unwrap();
                        dimensions[choice][odometer[choice]].clone()
                    }
                    None => levels[odometer[names.len() + i]].clone(),
                };
                units.entry(unit.clone()).or_default().insert(key.clone(), value);
            }
            found.insert(candidate(&units).text());
            let Some(at) = (0..odometer.len()).rev().find(|i| odometer[*i] + 1 < dimensions[*i].len()) else {
                return found;
            };
            odometer[at] += 1;
            odometer[at + 1..].fill(0);
        }
    }
}

fn candidate(units: &BTreeMap<String, HashMap<String, String>>) -> Candidate {
    let number = |unit: &HashMap<String, String>, key: &str, default: usize| {
        unit.get(key).map_or(default, |v| v.parse().unwrap())
    };
    let activation =
        |unit: &HashMap<String, String>, default| match unit.get("activation").map(String::as_str) {
            None => default,
            Some("relu") => Activation::Relu,
            Some("relu6") => Activation::Relu6,
            Some("hswish") => Activation::Hswish,
            Some(_) => Activation::Prelu,
        };
    let stem = units.get("stem").map(|unit| Stem {
        kernel: number(unit, "kernel", 3),
        stride: number(unit, "stride", 1),
        channels: number(unit, "channels", 0),
        activation: activation(unit, Activation::Relu6),
    });
    let conv = units.get("head").map(|unit| HeadConv {
        channels: number(unit, "channels", 0),
        groups: number(unit, "groups", 1),
        activation: activation(unit, Activation::Relu6),
    });
    let stages = units.iter().filter(|(name, _)| name.chars().all(char::is_numeric)).map(|(_, unit)| {
        let is = |key: &str, value: &str| unit.get(key).is_some_and(|v| v == value);
        let cse = is("block", "cse");
        let block = if is("block", "dsa") {
            Block::DepthwiseSeparable
        } else if is("block", "cn") {
            Block::Conv
        } else if cse {
            Block::Cse {
                cap: unit.get("cap").and_then(|v| v.parse().ok()),
                reduction: number(unit, "reduction", 16),
                cap_mode: if is("cap_mode", "max") { CapMode::Max } else { CapMode::Min },
                form: if is("form", "lite") { CseForm::Lite } else { CseForm::Paper },
            }
        } else {
            Block::InvertedResidual {
                expand: match unit["expand"].strip_prefix('h') {
                    Some(hidden) => Expand::Hidden(hidden.parse().unwrap()),
                    None => Expand::Ratio(unit["expand"].parse().unwrap()),
                },
                se: unit.get("se").and_then(|v| v.parse().ok()),
                shortcut: match unit.get("shortcut").map(String::as_str) {
                    Some("project") => Shortcut::Project,
                    Some("expansion") => Shortcut::Expansion,
                    Some("none") => Shortcut::None,
                    _ => Shortcut::Identity,
                },
                keep_expansion: is("keep_expansion", "true"),
                projection: if is("projection", "nonlinear") {
                    Projection::Nonlinear
                } else {
                    Projection::Linear
                },
            }
        };
        Stage {
            block,
            kernel: number(unit, "kernel", 3),
            stride: number(unit, "stride", 1),
            channels: number(unit, "channels", 0),
            repeats: number(unit, "repeats", 1),
            activation: activation(unit, if cse { Activation::Prelu } else { Activation::Relu6 }),
        }
    });
    Candidate { stem, stages: stages.collect(), head: Head { conv, dropout: None }, conv_bias: false }
}

/// Levels a field may have, with repeats, so that a drawn list may name one twice.
const POOL: &[(&str, &[&str])] = &[
    ("block", &["ir", "cse", "dsa", "cn"]),
    ("form", &["paper", "lite"]),
    ("expand", &["1", "6", "h24", "1.0"]),
    ("keep_expansion", &["true", "false"]),
    ("se", &["off", "0.25", "none"]),
    ("cap", &["none", "4", "8"]),
    ("cap_mode", &["min", "max"]),
    ("reduction", &["16", "8"]),
    ("kernel", &["3", "5"]),
    ("stride", &["1", "2"]),
    ("channels", &["8", "16"]),
    ("repeats", &["1", "2"]),
    ("shortcut", &["identity", "project", "none", "expansion"]),
    ("projection", &["linear", "nonlinear"]),
    ("activation", &["relu", "hswish", "relu6"]),
];

/// A small space by chance: some fields given, some as lists, some shared.
pub fn random_raw(rng: &mut ChaCha8Rng) -> Raw {
    let mut raw = Raw::default();
    let mut settlements = 1usize;
    if rng.random_bool(0.3) {
        raw.fields.push(("stem".into(), "channels".into(), vec!["8".into(), "16".into()]));
        settlements *= 2;
    }
    for stage in 0..rng.random_range(1..4) {
        for (key, pool) in POOL {
            let must = ["block", "expand", "channels"].contains(key);
            if !must && rng.random_bool(0.35) {
                continue;
            }
            let few = rng.random_bool(0.4) || settlements > 3000;
            let levels: Vec<String> = if few {
                vec![(*pool.choose(rng).unwrap()).to_owned()]
            } else if rng.random_bool(0.45) {
                if !raw.choices.contains_key(*key) {
                    // Two spellings of a level are refused in a choice; the lists above have them.
                    let known: Vec<_> = pool.iter().filter(|l| !["1.0", "none"].contains(l)).collect();
                    let levels =
                        if *key == "shortcut" || *key == "cap" { pool.iter().collect() } else { known };
                    settlements *= levels.len();
                    raw.choices.insert((*key).into(), levels.iter().map(|l| (**l).to_owned()).collect());
                }
                vec![format!("${key}")]
            } else {
                let n = rng.random_range(1..=3);
                settlements *= n;
                (0..n).map(|_| (*pool.choose(rng).unwrap()).to_owned()).collect()
            };
            raw.fields.push((stage.to_string(), (*key).into(), levels));
        }
    }
    if rng.random_bool(0.3) {
        raw.fields.push(("head".into(), "channels".into(), vec!["32".into()]));
    }
    raw
}
