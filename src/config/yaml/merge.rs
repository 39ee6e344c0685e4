//! Merge keys (<https://yaml.org/type/merge.html>): `<<: *base`, or `<<: [*a, *b]`, of which the earlier wins. What a mapping
//! says itself wins over both, wherever in the mapping it stands.

use std::collections::HashSet;

use super::node::Node;
use super::path::{KeyPath, Step};

const MERGE: &str = "<<";

/// Carries out the merge keys of a tree.
///
/// # Errors
/// The path of a merge key whose value is no mapping, and what is wrong with it.
pub(super) fn merged(node: Node) -> Result<Node, (KeyPath, String)> {
    within(node, &mut KeyPath::default())
}

fn within(node: Node, here: &mut KeyPath) -> Result<Node, (KeyPath, String)> {
    Ok(match node {
        Node::List(items) => {
            let items = items.into_iter().enumerate();
            Node::List(items.map(|(i, item)| step(item, here, Step::Item(i))).collect::<Result<_, _>>()?)
        }
        Node::Map(entries) => Node::Map(mapping(entries, here)?),
        scalar => scalar,
    })
}

fn step(node: Node, here: &mut KeyPath, step: Step) -> Result<Node, (KeyPath, String)> {
    here.push(step);
    let node = within(node, here)?;
    here.pop();
    Ok(node)
}

fn mapping(
    entries: Vec<(String, Node)>,
    here: &mut KeyPath,
) -> Result<Vec<(String, Node)>, (KeyPath, String)> {
    let own = entries.iter().map(|(key, _)| key.as_str()).filter(|key| *key != MERGE);
    let mut known: HashSet<String> = own.map(str::to_owned).collect();
    let mut all = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let value = step(value, here, Step::Key(key.clone()))?;
        if key != MERGE {
            all.push((key, value));
            continue;
        }
        for source in sources(value).map_err(|message| (here.join(Step::Key(key)), message))? {
            all.extend(source.into_iter().filter(|(key, _)| known.insert(key.clone())));
        }
    }
    Ok(all)
}

/// The mappings that a merge key names, first the one that wins.
fn sources(value: Node) -> Result<Vec<Vec<(String, Node)>>, String> {
    let wrong = |node: &Node| {
        format!(
            "`<<` merges a mapping, or a list of mappings, such as `<<: *base`; this is {}",
            node.describe()
        )
    };
    match value {
        Node::Map(entries) => Ok(vec![entries]),
        Node::List(items) => {
            let mapping = |item| match item {
                Node::Map(entries) => Ok(entries),
                other => Err(wrong(&other)),
            };
            items.into_iter().map(mapping).collect()
        }
        other => Err(wrong(&other)),
    }
}

/// Where a tree as it is written has the value that stands at `path` once its merge keys are carried out: the path there,
/// through the merge keys.
pub(super) fn written_at(written: &Node, path: &[Step]) -> Option<Vec<Step>> {
    let Some((first, rest)) = path.split_first() else { return Some(Vec::new()) };
    match (written, first) {
        (Node::List(items), Step::Item(index)) => prefixed(&[first], written_at(items.get(*index)?, rest)),
        (Node::Map(entries), Step::Key(key)) => {
            let find = |key: &str| entries.iter().find(|(known, _)| known == key).map(|(_, value)| value);
            if let Some(value) = find(key) {
                return prefixed(&[first], written_at(value, rest));
            }
            let merge = Step::Key(MERGE.to_owned());
            match find(MERGE)? {
                Node::List(sources) => sources.iter().enumerate().find_map(|(index, source)| {
                    prefixed(&[&merge, &Step::Item(index)], written_at(source, path))
                }),
                source => prefixed(&[&merge], written_at(source, path)),
            }
        }
        _ => None,
    }
}

fn prefixed(steps: &[&Step], rest: Option<Vec<Step>>) -> Option<Vec<Step>> {
    rest.map(|rest| steps.iter().map(|step| (*step).clone()).chain(rest).collect())
}
