//! Reading typed values out of a tree, each failure a sentence with the path of its value.

use std::ops::RangeBounds;

use super::node::Node;
use super::path::{KeyPath, Step};

/// What is wrong with a value (or, with `at_key`, with its key).
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub path: KeyPath,
    pub at_key: bool,
    pub message: String,
}

/// A value read, or the problem with it.
pub type Read<T> = std::result::Result<T, Problem>;

/// The known name nearest to a misspelt one, if any is near: of a short one no more than a letter may be wrong.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&lower, &k.to_lowercase()), k))
        .filter(|(distance, k)| {
            let (short, long) = (k.len().min(name.len()), k.len().max(name.len()));
            let most = if long <= 5 { 1 } else { (1 + long / 4).min((short / 2).max(1)) };
            *distance <= most
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct At<'a> {
    pub node: &'a Node,
    pub path: KeyPath,
}

impl<'a> At<'a> {
    pub fn root(node: &'a Node) -> Self {
        Self { node, path: KeyPath::default() }
    }

    /// A problem with this value.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { path: self.path.clone(), at_key: false, message: message.into() }
    }

    /// The value is not what it should be: `4 is not a kernel size (3, 5, 7)`.
    pub fn is_not(&self, what: &str) -> Problem {
        self.problem(format!("{} is not {what}", self.node.describe()))
    }

    /// Whether a key is written without a value, or with `null`.
    pub fn is_null(&self) -> bool {
        *self.node == Node::Null
    }

    /// Whether this is the given text.
    pub fn is_text(&self, text: &str) -> bool {
        matches!(self.node, Node::Text(t) if t == text)
    }

    /// A mapping with no keys but `known`.
    pub fn keys(&self, what: &str, known: &[&'static str]) -> Read<Keys<'a>> {
        let keys = Keys { known: Some(known.to_vec()), ..self.any_keys(what)? };
        for (key, _) in keys.entries {
            if !known.contains(&key.as_str()) {
                let near = match nearest(key, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`? Known keys"),
                    None => "known keys".to_owned(),
                };
                return Err(Problem {
                    path: self.path.join(Step::Key(key.clone())),
                    at_key: true,
                    message: format!("{what} has no key `{key}`; {near}: {}", known.join(", ")),
                });
            }
        }
        Ok(keys)
    }

    /// A mapping with keys of the user's own.
    pub fn any_keys(&self, what: &str) -> Read<Keys<'a>> {
        match self.node {
            Node::Map(entries) => Ok(Keys { at: self.clone(), what: what.to_owned(), entries, known: None }),
            _ => Err(self.problem(format!(
                "{what} is a mapping (lines of `key: value`), not {}",
                self.node.describe()
            ))),
        }
    }

    /// The items of a list, each with its path; `None` where this is no list.
    pub fn items(&self) -> Option<Vec<At<'a>>> {
        let Node::List(items) = self.node else {
            return None;
        };
        Some(
            items
                .iter()
                .enumerate()
                .map(|(i, node)| At { node, path: self.path.join(Step::Item(i)) })
                .collect(),
        )
    }

    /// The items of a list that must be one.
    pub fn list(&self, what: &str) -> Read<Vec<At<'a>>> {
        self.items().ok_or_else(|| self.is_not(what))
    }

    /// A text; a number is one only in quotes.
    pub fn text(&self) -> Read<&'a str> {
        match self.node {
            Node::Text(text) => Ok(text),
            Node::Int(_) | Node::Float(_) | Node::Bool(_) => Err(self.problem(format!(
                "a text is expected here, and {} is not one; put it in quotes",
                self.node.describe()
            ))),
            _ => Err(self.is_not("a text")),
        }
    }

    /// `true` or `false`.
    pub fn bool(&self) -> Read<bool> {
        match self.node {
            Node::Bool(value) => Ok(*value),
            _ => Err(self.is_not("true or false")),
        }
    }

    /// A whole number within a range; `what` describes both: `a number of epochs (a whole number from 1)`.
    pub fn whole(&self, range: impl RangeBounds<u64>, what: &str) -> Read<u64> {
        match self.node {
            Node::Int(value) => u64::try_from(*value).ok(),
            Node::Float(value) if value.fract() == 0.0 && *value >= 0.0 && *value < 1e15 => {
                Some(*value as u64)
            }
            _ => None,
        }
        .filter(|value| range.contains(value))
        .ok_or_else(|| self.is_not(what))
    }

    /// As [`whole`](Self::whole), for sizes and counts in memory.
    pub fn count(&self, range: impl RangeBounds<u64>, what: &str) -> Read<usize> {
        let value = self.whole(range, what)?;
        usize::try_from(value).map_err(|_| self.is_not(what))
    }

    /// A finite number within a range; `what` describes both.
    pub fn number(&self, range: impl RangeBounds<f64>, what: &str) -> Read<f64> {
        match self.node {
            Node::Int(value) => Some(*value as f64),
            Node::Float(value) => Some(*value),
            _ => None,
        }
        .filter(|value| value.is_finite() && range.contains(value))
        .ok_or_else(|| self.is_not(what))
    }

    /// One of some names.
    pub fn one_of<T: Clone>(&self, what: &str, names: &[(&'static str, T)]) -> Read<T> {
        if let Node::Text(text) = self.node
            && let Some((_, value)) = names.iter().find(|(name, _)| name == text)
        {
            return Ok(value.clone());
        }
        let known: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        let near = match self.node {
            Node::Text(text) => nearest(text, known.iter().copied()),
            _ => None,
        };
        let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        Err(self.problem(format!("{} is not {what} ({}){near}", self.node.describe(), known.join(", "))))
    }
}

/// The entries of a mapping.
#[derive(Debug, Clone)]
pub struct Keys<'a> {
    at: At<'a>,
    what: String,
    entries: &'a [(String, Node)],
    /// All keys that there can be; `None` where they are the user's own.
    known: Option<Vec<&'static str>>,
}

impl<'a> Keys<'a> {
    /// The value of a key, if the key is there.
    pub fn get(&self, key: &str) -> Option<At<'a>> {
        // A key that is read and not listed is refused wherever it is given.
        let is_listed = self.known.as_ref().is_none_or(|known| known.contains(&key));
        assert!(is_listed || !cfg!(test), "{} reads `{key}`, which it does not list", self.what);
        self.entries
            .iter()
            .find(|(k, _)| k == key)
            .map(|(k, node)| At { node, path: self.at.path.join(Step::Key(k.clone())) })
    }

    /// The value of a key that may be left out, or be `null`.
    pub fn optional(&self, key: &str) -> Option<At<'a>> {
        self.get(key).filter(|at| !at.is_null())
    }

    /// The value of a key that must be there; `example` shows it.
    pub fn required(&self, key: &str, example: &str) -> Read<At<'a>> {
        self.optional(key).ok_or_else(|| {
            self.get(key)
                .unwrap_or_else(|| self.at.clone())
                .problem(format!("{} needs the key `{key}`, such as `{example}`", self.what))
        })
    }

    /// The value read from a key, or a default where the key is absent. A key without a value is a mistake.
    pub fn or<T>(&self, key: &str, default: T, read: impl FnOnce(At<'a>) -> Read<T>) -> Read<T> {
        match self.get(key) {
            Some(at) if at.is_null() => {
                Err(at.problem("no value is given; give one, or remove the key for its default"))
            }
            Some(at) => read(at),
            None => Ok(default),
        }
    }

    /// Every entry.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, At<'a>)> + '_ {
        self.entries.iter().map(|(key, node)| {
            let path = self.at.path.join(Step::Key(key.clone()));
            (key.as_str(), At { node, path })
        })
    }

    /// The mapping itself.
    pub fn at(&self) -> &At<'a> {
        &self.at
    }
}
