//! What an edited experiment file changes in a study that has already begun.

use serde_json::Value;

use crate::config::Experiment;

/// A setting that differs between the journal and the experiment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Dotted path, such as `train.epochs` or `variants[1].network`.
    pub path: String,
    /// The value in the journal, as JSON; `nothing` where it is absent.
    pub journal: String,
    /// The value in the file.
    pub file: String,
}

/// Settings that differ and on which some trial depends.
///
/// Words and places are left out: the name and description, the published figures, the baseline of the table, what to do
/// about failures and old checkpoints, and where files lie (data and weights are compared by their hashes, the search space
/// by the candidates it proposes).
pub fn differences(journal: &Experiment, file: &Experiment) -> Vec<Difference> {
    let (mut before, mut after) = (journal.clone(), file.clone());
    for experiment in [&mut before, &mut after] {
        experiment.name.clear();
        experiment.description = None;
        experiment.baseline = None;
        experiment.failures = Default::default();
        experiment.checkpoints = Default::default();
        experiment.data.path = None;
        if let Some(weights) = &mut experiment.train.weights {
            weights.path = Default::default();
        }
        if let Some(search) = &mut experiment.search {
            search.space = Default::default();
        }
        for variant in &mut experiment.variants {
            variant.published = None;
        }
    }
    let mut found = Vec::new();
    compare("", Some(&to_value(&before)), Some(&to_value(&after)), &mut found);
    found
}

fn to_value(experiment: &Experiment) -> Value {
    // Paths that are not UTF-8 have no JSON; the two paths there are have been cleared.
    serde_json::to_value(experiment).unwrap_or(Value::Null)
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    match (before, after) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let new_keys = b.keys().filter(|k| !a.contains_key(*k));
            for key in a.keys().chain(new_keys) {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(&below, a.get(key), b.get(key), found);
            }
        }
        // A list of plain values reads best whole; a list of sections, section by section.
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.iter().chain(b).any(Value::is_object) => {
            for i in 0..a.len().max(b.len()) {
                compare(&format!("{path}[{i}]"), a.get(i), b.get(i), found);
            }
        }
        (before, after) if before == after => {}
        (before, after) => {
            found.push(Difference { path: path.to_owned(), journal: show(before), file: show(after) })
        }
    }
}

fn show(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "nothing".into(),
        Some(value) => value.to_string(),
    }
}
