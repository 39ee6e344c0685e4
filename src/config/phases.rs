//! Experiments of several phases, each a study of its own: a search, its refinement, and what was found trained from scratch.
//!
//! A phase has all that the file says outside `phases`, with its own keys laid over it, one by one. Where it says
//! `{phase: NAME}` in the place of a network, it means what that earlier phase has found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::experiment::{Experiment, folder_name, place};
use super::yaml::{At, Document, Node, Step};
use crate::error::Result;

/// The key of the list, and of a reference to an item of it.
const LIST: &str = "phases";
const REFERENCE: &str = "phase";

/// A phase before its turn: where in the file it stands, and what it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    pub name: String,
    pub number: usize,
    /// Earlier phases whose finds it trains.
    pub needs: Vec<String>,
}

/// The phases of an experiment file, in their order.
#[derive(Debug, Clone)]
pub struct Phases {
    /// Of the whole experiment.
    pub name: String,
    pub list: Vec<Phase>,
    /// The file, read once: there may be thousands of phases.
    document: Document,
    path: PathBuf,
}

impl Phases {
    /// Networks that stand for what is not found yet: any will do to see whether the rest is right.
    pub fn stand_ins(&self) -> BTreeMap<String, String> {
        let network = |(i, phase): (usize, &Phase)| (phase.name.clone(), format!("ir_e2_k3_s1_c{}", 16 + i));
        self.list.iter().enumerate().map(network).collect()
    }

    /// The experiment of a phase, given what earlier ones have found, as block notation by their names.
    ///
    /// # Errors
    /// A sentence with file, line and column (or the assignment) for each mistake.
    pub fn load(&self, phase: &Phase, found: &BTreeMap<String, String>) -> Result<Experiment> {
        let part = part(phase);
        let (whole, own) = (self.document.at(&[]), self.document.at(&part));
        let node = merged(whole, own, &self.path, phase, found);
        Experiment::read(&At::root(&node), place(&self.path)).map_err(|problem| {
            let mut document = self.document.clone();
            document.enter(&part, |_, _| node);
            document.error(&problem)
        })
    }
}

/// The steps to a phase.
fn part(phase: &Phase) -> [Step; 2] {
    [Step::Key(LIST.to_owned()), Step::Item(phase.number)]
}

/// The phases of an experiment file; `None` where it is one study.
///
/// # Errors
/// A sentence with its place for each mistake in the list, and in the phases as far as they can be read now.
pub fn phases(path: &Path, overrides: &[String]) -> Result<Option<Phases>> {
    let mut document = Document::load(path, "experiment file")?;
    document.set(overrides)?;
    let read = document.read(|root| {
        let keys = root.any_keys("an experiment")?;
        let Some(at) = keys.optional(LIST) else { return Ok(None) };
        let mut phases: Vec<Phase> = Vec::new();
        let mut names = BTreeSet::new();
        for (number, item) in at.list("a list of phases (lines that start with `- `)")?.iter().enumerate() {
            let name = item.any_keys("a phase")?.required("name", "name: search")?;
            let text = folder_name(&name, "a phase")?;
            if !names.insert(text.clone()) {
                return Err(name.problem(format!("two phases have the name `{text}`; rename one")));
            }
            let mut needs = Vec::new();
            references(item.node, &mut needs);
            if let Some(unknown) = needs.iter().find(|need| **need == text || !names.contains(*need)) {
                return Err(item.problem(format!(
                    "`{{{REFERENCE}: {unknown}}}` names no earlier phase; the network comes from one of those before"
                )));
            }
            phases.push(Phase { name: text, number, needs });
        }
        if phases.is_empty() {
            return Err(at.problem("a list of phases has one at least"));
        }
        let name = keys.get("name").map(|at| folder_name(&at, "an experiment")).transpose()?;
        Ok(Some((name.unwrap_or_else(|| stem(path)), phases)))
    })?;
    let Some((name, list)) = read else { return Ok(None) };
    let phases = Phases { name, list, document, path: path.to_owned() };
    let found = phases.stand_ins();
    for phase in &phases.list {
        phases.load(phase, &found)?;
    }
    Ok(Some(phases))
}

/// The file's name, where the experiment has none.
fn stem(path: &Path) -> String {
    place(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned()
}

/// The document of a phase.
///
/// # Errors
/// As [`Phases::load`].
pub fn document(
    path: &Path,
    overrides: &[String],
    phase: &Phase,
    found: &BTreeMap<String, String>,
) -> Result<Document> {
    let mut document = Document::load(path, "experiment file")?;
    document.set(overrides)?;
    document.enter(&part(phase), |whole, own| merged(Some(&whole), Some(&own), path, phase, found));
    Ok(document)
}

/// The file without its phases, with one of them laid over it.
fn merged(
    whole: Option<&Node>,
    own: Option<&Node>,
    path: &Path,
    phase: &Phase,
    found: &BTreeMap<String, String>,
) -> Node {
    let (Some(Node::Map(whole)), Some(Node::Map(own))) = (whole, own) else { return Node::Null };
    let without = |entries: &[(String, Node)], left_out: &str| {
        Node::Map(entries.iter().filter(|(key, _)| key != left_out).cloned().collect())
    };
    let name = match whole.iter().find(|(key, _)| key == "name") {
        Some((_, Node::Text(name))) => name.clone(),
        _ => stem(path),
    };
    let mut node = without(whole, LIST);
    lay(&mut node, without(own, "name"));
    lay(&mut node, Node::Map(vec![("name".to_owned(), Node::Text(format!("{name}-{}", phase.name)))]));
    resolve(&mut node, found);
    node
}

/// Lays one value over another: key by key where both are mappings.
fn lay(under: &mut Node, over: Node) {
    match (under, over) {
        (Node::Map(under), Node::Map(over)) => {
            for (key, value) in over {
                match under.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, under)) => lay(under, value),
                    None => under.push((key, value)),
                }
            }
        }
        (under, over) => *under = over,
    }
}

/// The phase that `{phase: NAME}` refers to.
fn reference(node: &Node) -> Option<&str> {
    match node {
        Node::Map(entries) => match entries.as_slice() {
            [(key, Node::Text(name))] if key == REFERENCE => Some(name),
            _ => None,
        },
        _ => None,
    }
}

fn references(node: &Node, needs: &mut Vec<String>) {
    if let Some(name) = reference(node) {
        needs.push(name.to_owned());
        return;
    }
    match node {
        Node::Map(entries) => entries.iter().for_each(|(_, node)| references(node, needs)),
        Node::List(items) => items.iter().for_each(|node| references(node, needs)),
        _ => {}
    }
}

fn resolve(node: &mut Node, found: &BTreeMap<String, String>) {
    if let Some(text) = reference(node).and_then(|name| found.get(name)) {
        *node = Node::Text(text.clone());
        return;
    }
    match node {
        Node::Map(entries) => entries.iter_mut().for_each(|(_, node)| resolve(node, found)),
        Node::List(items) => items.iter_mut().for_each(|node| resolve(node, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "name: two\ndata: {format: shapes, limit: {train: 100, test: 50}}\ntrain: {epochs: 3, batch: 16}\nphases:\n\
        - name: first\n  seeds: 2\n  variants: [{name: mix, network: mix}]\n\
        - name: second\n  train: {epochs: 5}\n  variants:\n  - {name: found, network: {phase: first}}\n";

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("e.yaml");
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn a_phase_is_the_file_with_its_own_keys_over_it() {
        let (_dir, path) = file(FILE);
        let set = ["phases[1].train.lr=0.5".to_owned(), "train.batch=8".to_owned()];
        let read = phases(&path, &set).unwrap().unwrap();
        let Phases { name, list: phases, .. } = &read;
        assert_eq!(name, "two");
        let names: Vec<(&str, usize)> =
            phases.iter().map(|phase| (phase.name.as_str(), phase.needs.len())).collect();
        assert_eq!(names, [("first", 0), ("second", 1)]);
        let found = BTreeMap::from([("first".to_owned(), "ir_e6_k3_s1_c16".to_owned())]);
        let first = read.load(&phases[0], &found).unwrap();
        let second = read.load(&phases[1], &found).unwrap();
        assert_eq!((first.name.as_str(), second.name.as_str()), ("two-first", "two-second"));
        assert_eq!((first.seeds.len(), second.seeds.len()), (2, 1));
        let train = |e: &Experiment| (e.train.epochs, e.train.batch, e.train.lr);
        assert_eq!((train(&first).0, train(&first).1), (3, 8));
        assert_eq!(train(&second), (5, 8, 0.5));
        assert_eq!(second.variants[0].network, "ir_e6_k3_s1_c16");
        assert_eq!(second.data.limit, first.data.limit);
    }

    #[test]
    fn mistakes_have_their_places() {
        for (from, to, expected) in [
            ("epochs: 5", "epochs: -5", "e.yaml:9:19: phases[1].train.epochs: "),
            ("batch: 16", "batch: no", "e.yaml:3:27: train.batch: "),
            (
                "{phase: first}",
                "{phase: third}",
                "e.yaml:8:3: phases[1]: `{phase: third}` names no earlier phase",
            ),
            ("name: second", "name: first", "e.yaml:8:9: phases[1].name: two phases have the name `first`"),
            ("seeds: 2", "sed: 2", "e.yaml:6:3: phases[0].sed: "),
        ] {
            let (dir, path) = file(&FILE.replace(from, to));
            let error = phases(&path, &[]).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let error = error.to_string().replace(&format!("{}/", dir.path().display()), "");
            assert!(error.starts_with(expected), "{error}");
        }
        let (_dir, path) = file(FILE);
        let set = "phases[1].train.epochs=none".to_owned();
        let error = phases(&path, std::slice::from_ref(&set)).unwrap_err().to_string();
        assert!(error.starts_with("--set phases[1].train.epochs=none: "), "{error}");
        let error = Experiment::load(&path, &[]).unwrap_err().to_string();
        assert!(error.contains("phases"), "{error}");
        let (_dir, path) = file("name: one\ntrain: {epochs: 3}\n");
        assert!(phases(&path, &[]).unwrap().is_none());
    }
}
