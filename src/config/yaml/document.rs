//! A YAML file in memory, with the assignments of `--set` laid over it.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::merge::written_at;
use super::node::{Node, build, written};
use super::path::{KeyPath, Step, locate};
use super::read::{At, Problem, Read};
use crate::error::{Error, Result};
use crate::file;
use crate::text::one_line;

/// Most steps of an assignment's path; real ones have five.
const MAX_STEPS: usize = 32;

/// Largest file that is read as YAML, in bytes; a data file given by mistake should not fill the memory.
const MAX_BYTES: u64 = 4 << 20;

/// A parsed file; reads values and turns [`Problem`]s into errors with their place.
#[derive(Debug, Clone)]
pub struct Document {
    file: String,
    text: String,
    /// The file as written, without assignments.
    written: Node,
    root: Node,
    assignments: Vec<Assignment>,
    /// The part that was entered, and the root as it was before.
    entered: Option<(Vec<Step>, Node)>,
}

#[derive(Debug, Clone)]
struct Assignment {
    text: String,
    path: KeyPath,
}

impl Document {
    /// Reads a file, or what a pipe gives. `what` names it in messages: `experiment file`.
    pub fn load(path: &Path, what: &str) -> Result<Self> {
        let text = match known(path) {
            Some(text) => text,
            None => {
                let text = read(path, what)?;
                remember(path, &text);
                text
            }
        };
        Self::parse(&name_of(path), text, what)
    }

    /// Parses a text; `file` is its name in messages.
    pub fn parse(file: &str, text: String, what: &str) -> Result<Self> {
        let root = build(&text).map_err(|error| {
            if error.message == "the file is empty" {
                return empty(file, what);
            }
            let place = match error.location {
                Some((line, column)) => format!("{file}:{line}:{column}"),
                None => file.to_owned(),
            };
            Error::request(sentence(&place, &error.path, &error.message))
        })?;
        if root == Node::Null {
            return Err(empty(file, what));
        }
        Ok(Self {
            file: file.to_owned(),
            text,
            written: root.clone(),
            root,
            assignments: Vec::new(),
            entered: None,
        })
    }

    /// Lays assignments such as `train.epochs=5` over the document, in order. The right side is YAML.
    pub fn set(&mut self, assignments: &[String]) -> Result<()> {
        for text in assignments {
            let fail = |message: String| Error::request(one_line(&format!("--set {text}: {message}")));
            let (left, right) = text
                .split_once('=')
                .ok_or_else(|| fail("an assignment is KEY=VALUE, such as train.epochs=5".to_owned()))?;
            let path = parse_path(left.trim()).map_err(&fail)?;
            let value = if right.trim().is_empty() {
                Node::Null
            } else {
                build(right).map_err(|error| {
                    let mut message = error.message;
                    if !error.path.steps().is_empty() {
                        message = format!("{}: {message}", error.path);
                    }
                    fail(message)
                })?
            };
            assign(&mut self.root, path.steps(), KeyPath::default(), value).map_err(&fail)?;
            self.assignments.push(Assignment { text: text.clone(), path });
        }
        Ok(())
    }

    /// Makes a document of the whole and a part of it: `merged` is given both. What comes from the part keeps its place there.
    pub fn enter(&mut self, part: &[Step], merged: impl FnOnce(Node, Node) -> Node) {
        let own = self.root.at(part).cloned().unwrap_or(Node::Null);
        let whole = std::mem::replace(&mut self.root, Node::Null);
        self.entered = Some((part.to_vec(), whole.clone()));
        self.root = merged(whole, own);
    }

    /// The value at a path.
    pub fn at(&self, path: &[Step]) -> Option<&Node> {
        self.root.at(path)
    }

    /// A path as the file has it.
    fn in_file(&self, path: &KeyPath) -> KeyPath {
        let Some((part, whole)) = &self.entered else { return path.clone() };
        let mut own = KeyPath::default();
        part.iter().chain(path.steps()).for_each(|step| own.push(step.clone()));
        if whole.at(own.steps()).is_some() { own } else { path.clone() }
    }

    /// Reads the document; a problem becomes an error with its place.
    pub fn read<T>(&self, reader: impl FnOnce(At<'_>) -> Read<T>) -> Result<T> {
        reader(At::root(&self.root)).map_err(|problem| self.error(&problem))
    }

    /// The error of a problem: the `--set` that made it, or file, line and column.
    pub fn error(&self, problem: &Problem) -> Error {
        let path = self.in_file(&problem.path);
        if let Some(assignment) = self.culprit(path.steps()) {
            let place = format!("--set {}", assignment.text);
            return Error::request(sentence(&place, &path, &problem.message));
        }
        // A path that only assignments made has no place of its own: its parent's is the nearest.
        let steps = path.steps();
        let written = written(&self.text).unwrap_or(Node::Null);
        let place = (0..=steps.len()).rev().find_map(|n| {
            // What came by a merge key stands where it was merged from.
            let steps_there = written_at(&written, &steps[..n])?;
            locate(&self.text, &steps_there, problem.at_key && n == steps.len())
        });
        let place = match place {
            Some((line, column)) => format!("{}:{line}:{column}", self.file),
            None => self.file.clone(),
        };
        Error::request(sentence(&place, &path, &problem.message))
    }

    /// The last assignment that wrote the value at `path`, or that made it where the file has none.
    fn culprit(&self, path: &[Step]) -> Option<&Assignment> {
        let new = self.written.at(path).is_none();
        self.assignments.iter().rev().find(|assignment| {
            let set = assignment.path.steps();
            path.starts_with(set) || (new && set.starts_with(path))
        })
    }
}

/// Files that were read, where each is read once.
static READ: Mutex<Option<HashMap<PathBuf, String>>> = Mutex::new(None);

/// From here on each file is read once in this process: a pipe cannot be read again, and messages are about the text that was
/// read, even where the file has changed since. For a program that ends with its command.
pub fn read_once() {
    READ.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
}

fn known(path: &Path) -> Option<String> {
    READ.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.get(path).cloned()
}

fn remember(path: &Path, text: &str) {
    if let Some(read) = READ.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        read.insert(path.to_owned(), text.to_owned());
    }
}

/// The name of a file in messages.
fn name_of(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

fn read(path: &Path, what: &str) -> Result<String> {
    let name = name_of(path);
    let fail = |message: String| Error::request(one_line(&format!("{name}: {message}")));
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => fail(format!("there is no such {what}; check the path")),
        ErrorKind::IsADirectory => fail(format!("this is a folder; name the {what} inside it")),
        _ => fail(format!("cannot read this {what}: {error}")),
    };
    let mut bytes = Vec::new();
    let file = file::stream(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fail(format!(
            "this file has more than {} MiB; is it the {what} you mean?",
            MAX_BYTES >> 20
        )));
    }
    file::text(bytes)
        .map_err(|file::NotText { line, why }| Error::request(format!("{name}:{line}: this {what} is {why}")))
}

fn empty(file: &str, what: &str) -> Error {
    Error::request(format!("{file}: this {what} is empty; copy one that comes with blocksmith and change it"))
}

fn sentence(place: &str, path: &KeyPath, message: &str) -> String {
    // Values and keys are quoted as the file has them, which may be over many lines.
    one_line(&if path.steps().is_empty() {
        format!("{place}: {message}")
    } else {
        format!("{place}: {path}: {message}")
    })
}

/// `variants[0].set.stem`, as steps.
fn parse_path(text: &str) -> std::result::Result<KeyPath, String> {
    let bad = || format!("`{text}` is not a key such as train.epochs or variants[0].network");
    let mut path = KeyPath::default();
    if text.matches(['.', '[']).count() >= MAX_STEPS {
        return Err(format!("a key with more than {MAX_STEPS} parts is none that a file has"));
    }
    for part in text.split('.') {
        let (key, items) = part.find('[').map_or((part, ""), |at| part.split_at(at));
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(bad());
        }
        path.push(Step::Key(key.to_owned()));
        let mut rest = items;
        while !rest.is_empty() {
            let (index, after) = rest.strip_prefix('[').and_then(|r| r.split_once(']')).ok_or_else(bad)?;
            path.push(Step::Item(index.parse().map_err(|_| bad())?));
            rest = after;
        }
    }
    Ok(path)
}

/// Puts a value at a path, making mappings on the way where nothing is.
fn assign(node: &mut Node, path: &[Step], here: KeyPath, value: Node) -> std::result::Result<(), String> {
    let Some((step, rest)) = path.split_first() else {
        *node = value;
        return Ok(());
    };
    if *node == Node::Null {
        *node = Node::Map(Vec::new());
    }
    let next = here.join(step.clone());
    match (node, step) {
        (Node::Map(entries), Step::Key(key)) => {
            let position = entries.iter().position(|(k, _)| k == key);
            let position = position.unwrap_or_else(|| {
                entries.push((key.clone(), Node::Null));
                entries.len() - 1
            });
            assign(&mut entries[position].1, rest, next, value)
        }
        (Node::List(items), Step::Item(index)) => {
            let count = items.len();
            match items.get_mut(*index) {
                Some(item) => assign(item, rest, next, value),
                None => Err(format!("{here} has {count} items, so there is no {next}")),
            }
        }
        (Node::List(items), Step::Key(key)) => Err(format!(
            "{here} is a list of {}; write {here}[0] for its first item, not {here}.{key}",
            items.len()
        )),
        (other, Step::Key(_)) => {
            Err(format!("{here} is {}, not a mapping, so there is no {next}", other.describe()))
        }
        (other, Step::Item(_)) => {
            Err(format!("{here} is {}, not a list, so there is no {next}", other.describe()))
        }
    }
}
