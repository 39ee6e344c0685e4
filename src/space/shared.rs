//! Levels of fields: values, lists, and references to the `choices` section.

use super::level::Field;
use super::unit::Source;
use crate::config::yaml::{At, Keys, Node, Problem, Read, nearest};

/// Most items of a list in a field.
const MAX_LEVELS: usize = 4096;
/// Most levels of a shared choice: one bit for each.
const MAX_SHARED_LEVELS: usize = 64;

/// A decision made once for every field that refers to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SharedChoice {
    pub name: String,
    pub levels: Vec<String>,
}

/// The `choices` section, and which of its names fields refer to.
pub(super) struct Shared<'a> {
    choices: Vec<(String, At<'a>, Vec<At<'a>>)>,
    used: Vec<bool>,
}

impl<'a> Shared<'a> {
    pub fn read(keys: &Keys<'a>) -> Read<Self> {
        let mut choices = Vec::new();
        if let Some(section) = keys.optional("choices") {
            for (name, at) in section.any_keys("choices")?.iter() {
                if !fits_name(name) {
                    return Err(Problem {
                        path: at.path.clone(),
                        at_key: true,
                        message: format!(
                            "`{name}` is not a name for a choice: letters, digits, `_` and `-`, and not stem, head or conv_bias"
                        ),
                    });
                }
                let mut levels: Vec<At<'a>> = Vec::new();
                let items = at.list("a list of levels, such as [4, 8, 16]")?;
                if items.len() > MAX_LEVELS {
                    return Err(at.problem(format!("a list has at most {MAX_LEVELS} levels")));
                }
                for level in items {
                    if !levels.iter().any(|known| same_scalar(known.node, level.node)) {
                        levels.push(level);
                    }
                }
                if levels.is_empty() {
                    return Err(empty_list(&at));
                }
                if levels.len() > MAX_SHARED_LEVELS {
                    return Err(at.problem(format!("a choice has at most {MAX_SHARED_LEVELS} levels")));
                }
                choices.push((name.to_owned(), at, levels));
            }
        }
        let used = vec![false; choices.len()];
        Ok(Self { choices, used })
    }

    /// The choices, if each is used.
    pub fn finish(self) -> Read<Vec<SharedChoice>> {
        for ((name, at, _), used) in self.choices.iter().zip(&self.used) {
            if !used {
                return Err(Problem {
                    path: at.path.clone(),
                    at_key: true,
                    message: format!(
                        "no field refers to this choice; write ${name} in a field, or remove it"
                    ),
                });
            }
        }
        let label = |level: &At<'_>| match level.node {
            Node::Text(text) => text.clone(),
            Node::Null => "none".into(),
            other => other.describe(),
        };
        Ok(self
            .choices
            .iter()
            .map(|(name, _, levels)| SharedChoice {
                name: name.clone(),
                levels: levels.iter().map(label).collect(),
            })
            .collect())
    }

    /// A field's levels: one value, a list, or a reference such as `$cap`.
    pub fn source(&mut self, at: &At<'a>, field: Field) -> Read<Source> {
        if let Some(name) = reference(at) {
            return self.reference(at, field, name);
        }
        let Some(items) = at.items() else {
            return Ok(Source::Own(vec![field.read(at)?]));
        };
        if items.len() > MAX_LEVELS {
            return Err(at.problem(format!("a list has at most {MAX_LEVELS} levels")));
        }
        let mut levels = Vec::new();
        for item in &items {
            if reference(item).is_some() {
                return Err(item.problem(
                    "a reference stands alone, not inside a list; list its levels under `choices`",
                ));
            }
            let level = field.read(item)?;
            if !levels.contains(&level) {
                levels.push(level);
            }
        }
        if levels.is_empty() {
            return Err(empty_list(at));
        }
        Ok(Source::Own(levels))
    }

    fn reference(&mut self, at: &At<'a>, field: Field, name: &str) -> Read<Source> {
        let Some(number) = self.choices.iter().position(|(known, ..)| known == name) else {
            let known: Vec<_> = self.choices.iter().map(|(known, ..)| known.as_str()).collect();
            let remedy = match (nearest(name, known.iter().copied()), known.is_empty()) {
                (Some(near), _) => format!("did you mean ${near}?"),
                (None, true) => format!("add it: `choices: {{{name}: [...]}}`"),
                (None, false) => format!("known choices: {}", known.join(", ")),
            };
            return Err(at.problem(format!("there is no choice `{name}`; {remedy}")));
        };
        self.used[number] = true;
        let mut levels = Vec::new();
        for level in &self.choices[number].2 {
            let value = field.read(level).map_err(|problem| Problem {
                message: format!("{}; {} refers to it", problem.message, at.path),
                ..problem
            })?;
            if levels.contains(&value) {
                return Err(level.problem(format!(
                    "for {}, {} is the same as an earlier level; remove one",
                    at.path,
                    level.node.describe()
                )));
            }
            levels.push(value);
        }
        Ok(Source::Shared(number, levels))
    }
}

/// A choice's name stands beside the factors of fields, such as `stem.kernel` and `stem`.
fn fits_name(name: &str) -> bool {
    !name.is_empty()
        && !["stem", "head", "conv_bias"].contains(&name)
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

pub(super) fn empty_list(at: &At<'_>) -> Problem {
    at.problem("an empty list leaves nothing to choose from; give at least one level")
}

/// The name in `$name`.
fn reference<'a>(at: &At<'a>) -> Option<&'a str> {
    match at.node {
        Node::Text(text) => text.strip_prefix('$'),
        _ => None,
    }
}

fn same_scalar(a: &Node, b: &Node) -> bool {
    match (a, b) {
        (Node::Int(int), Node::Float(float)) | (Node::Float(float), Node::Int(int)) => *int as f64 == *float,
        _ => a == b,
    }
}
