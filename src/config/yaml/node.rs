//! A YAML document as a tree, built through `serde_yaml` with the checks that a tree alone cannot make later.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};

use super::path::{KeyPath, Step, locate};
use super::{depth, merge};

/// Values a file may hold once its aliases are written out. A guard against alias bombs: real files hold hundreds.
const MAX_VALUES: usize = 100_000;

/// One YAML value. Keys of a mapping keep their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value for messages: scalars as they are, anything larger by its kind.
    pub fn describe(&self) -> String {
        match self {
            Node::Null => "nothing".into(),
            Node::Bool(value) => value.to_string(),
            Node::Int(value) => value.to_string(),
            Node::Float(value) => value.to_string(),
            Node::Text(value) => format!("`{value}`"),
            Node::List(_) => "a list".into(),
            Node::Map(_) => "a mapping".into(),
        }
    }

    /// The value at a path, if there is one.
    pub fn at(&self, path: &[Step]) -> Option<&Node> {
        let Some((step, rest)) = path.split_first() else {
            return Some(self);
        };
        match (self, step) {
            (Node::Map(entries), Step::Key(key)) => entries.iter().find(|(k, _)| k == key)?.1.at(rest),
            (Node::List(items), Step::Item(index)) => items.get(*index)?.at(rest),
            _ => None,
        }
    }
}

/// A document that could not become a tree: what is wrong, and where.
#[derive(Debug)]
pub(super) struct BuildError {
    pub path: KeyPath,
    pub message: String,
    pub location: Option<(usize, usize)>,
}

/// The tree of a YAML text, its merge keys carried out.
pub(super) fn build(text: &str) -> Result<Node, BuildError> {
    merge::merged(written(text)?).map_err(|(path, message)| {
        let location = locate(text, path.steps(), false);
        BuildError { path, message, location }
    })
}

/// The tree of a YAML text as it is written, with its merge keys.
pub(super) fn written(text: &str) -> Result<Node, BuildError> {
    depth::check(text)?;
    let context = Context::default();
    Builder(&context).deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| {
        let location = error.location().map(|at| (at.line(), at.column()));
        match context.problem.take() {
            Some(message) => BuildError { path: context.path.take(), message, location },
            None => {
                BuildError { path: KeyPath::default(), message: syntax_message(&error.to_string()), location }
            }
        }
    })
}

/// A parser's complaint as a sentence of ours.
fn syntax_message(raw: &str) -> String {
    if raw.starts_with("EOF while parsing") {
        return "the file is empty".into();
    }
    if raw.starts_with("repetition limit") {
        return "aliases (`*name`) repeat too much here; write the values out".into();
    }
    if raw.starts_with("recursion limit") {
        return "lists and mappings are nested too deeply here".into();
    }
    if raw.contains("more than one document") {
        return "the file holds more than one YAML document; keep one and remove the `---` between them"
            .into();
    }
    if raw.starts_with("unknown anchor") {
        return "not valid YAML: an alias (`*name`) stands here, but no anchor (`&name`) of that name comes before it; a text that starts with * needs quotes".into();
    }
    let mut message = raw.to_owned();
    while let Some(start) = message.find(" at line ") {
        let end = message[start + 1..].find(',').map_or(message.len(), |comma| start + 1 + comma);
        message.replace_range(start..end, "");
    }
    format!("not valid YAML: {message}")
}

#[derive(Default)]
struct Context {
    values: Cell<usize>,
    path: RefCell<KeyPath>,
    problem: RefCell<Option<String>>,
}

impl Context {
    /// Records a message of ours; serde's own error then only carries the location.
    fn fail<E: de::Error>(&self, message: String) -> E {
        self.problem.replace(Some(message));
        E::custom("")
    }

    fn count<E: de::Error>(&self) -> Result<(), E> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > MAX_VALUES {
            return Err(self.fail(format!(
                "the file holds more than {MAX_VALUES} values once its aliases are written out"
            )));
        }
        Ok(())
    }
}

struct Builder<'a>(&'a Context);

impl<'de> DeserializeSeed<'de> for Builder<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Builder<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        self.0.count()?;
        Ok(Node::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        self.0.count()?;
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        self.visit_i128(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        self.visit_i128(value.into())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Node, E> {
        self.0.count()?;
        Ok(Node::Int(value))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Node, E> {
        match i128::try_from(value) {
            Ok(value) => self.visit_i128(value),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        self.0.count()?;
        Ok(Node::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        self.0.count()?;
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        self.0.count()?;
        let mut list = Vec::new();
        loop {
            self.0.path.borrow_mut().push(Step::Item(list.len()));
            match items.next_element_seed(Builder(self.0))? {
                Some(item) => list.push(item),
                None => break,
            }
            self.0.path.borrow_mut().pop();
        }
        self.0.path.borrow_mut().pop();
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        self.0.count()?;
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key_seed(Key { context: self.0, seen: &mut seen })? {
            self.0.path.borrow_mut().push(Step::Key(key.clone()));
            let value = map.next_value_seed(Builder(self.0))?;
            self.0.path.borrow_mut().pop();
            entries.push((key, value));
        }
        Ok(Node::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(self.0.fail("YAML tags (`!name`) have no meaning here; remove the tag".into()))
    }
}

/// A key of a mapping: a scalar, and not a second time.
struct Key<'a> {
    context: &'a Context,
    seen: &'a mut HashSet<String>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        // As text, so that a key such as 3 or true is read as it is written.
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<String, E> {
        if !self.seen.insert(key.to_owned()) {
            return Err(self
                .context
                .fail(format!("the key `{key}` is here a second time; remove one of them")));
        }
        Ok(key.to_owned())
    }
}
