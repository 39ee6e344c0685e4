//! What an edited experiment file changes in a study that has already begun, and whether it only adds to it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use super::event::{CandidateRecord, Change};
use crate::config::netadapt::{NetAdaptConfig, Origin};
use crate::config::{BudgetKind, Experiment, Schedule, SearchConfig, TrainerConfig};
use crate::error::{Error, Result};
use crate::space::{Constraints, SearchSpace};
use crate::train::goes_on;

/// A setting that differs between the journal and the experiment file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Difference {
    change: Change,
    verdict: Verdict,
}

/// Whether a study can go on with a changed setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It adds trials or epochs to those there are, whose numbers stay what they are.
    Extends,
    /// Trials would have other numbers.
    Refused,
    /// The same, where that is not plain from the setting.
    Because(&'static str),
}

/// What changed between the journal's experiment and the file's, where the study in `dir` can go on with it.
///
/// # Errors
/// The list of what it cannot go on with, or, without `extend`, of all that changed.
pub fn accepted_changes(
    dir: &Path,
    journal: &Experiment,
    file: &Experiment,
    extend: bool,
) -> Result<Vec<Change>> {
    let mut differences = differences(journal, file);
    // What is asked for is tried; what is only offered must come true.
    if !extend
        && differences.iter().any(|d| d.change.path.starts_with(SPACE))
        && !keeps_trials(dir, journal, file)
    {
        let of_space = differences.iter_mut().filter(|d| d.change.path.starts_with(SPACE));
        of_space.for_each(|d| d.verdict = lost(d.verdict));
    }
    let all_extend = differences.iter().all(|d| d.verdict == Verdict::Extends);
    if all_extend && (extend || differences.is_empty()) {
        return Ok(differences.into_iter().map(|difference| difference.change).collect());
    }
    let some_extend = differences.iter().any(|d| d.verdict == Verdict::Extends);
    if extend {
        differences.retain(|difference| difference.verdict != Verdict::Extends);
    }
    let list: String = differences
        .iter()
        .map(|difference| {
            let Change { path, before, after } = &difference.change;
            let why = match difference.verdict {
                Verdict::Extends if !all_extend => " (--extend can add this)".to_owned(),
                Verdict::Because(why) => format!(" ({why})"),
                Verdict::Extends | Verdict::Refused => String::new(),
            };
            format!("\n  {path}: {before} in the journal, {after} in the file{why}")
        })
        .collect();
    let remedy = match (all_extend, extend && some_extend) {
        (true, _) => "give --extend to add this to the study, restore the settings to continue it as it was",
        (false, true) => "restore them, and --extend adds the rest",
        (false, false) => "restore them to continue it",
    };
    Err(Error::request(format!(
        "{}: this study was begun with other settings:{list}\n{remedy}, or start another study with --out FOLDER",
        dir.display()
    )))
}

/// That the space no longer has what was trained.
fn lost(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Extends => Verdict::Because("candidates that were trained are not in the space any more"),
        other => other,
    }
}

/// Whether the file's search space still has every candidate of the journal's search, as far as levels and constraints tell.
pub fn keeps_trials(dir: &Path, journal: &Experiment, file: &Experiment) -> bool {
    let content = |e: &'_ Experiment| e.search.as_ref().and_then(|search| search.content.clone());
    let (Some(before), Some(after)) = (content(journal), content(file)) else { return true };
    // What cannot be read is said by what reads it next.
    let Ok(trained) = super::state::searched(dir) else { return true };
    let constraints = file.search.as_ref().and_then(|search| SearchSpace::load(&search.space).ok());
    let fits = |candidate: &CandidateRecord| {
        let CandidateRecord { params, madds, activation_memory, .. } = *candidate;
        // Its size is not known here, and judged later.
        constraints.as_ref().is_none_or(|space| {
            let exact = Constraints { size: Default::default(), ..space.constraints };
            exact.violation(params, madds, activation_memory, 0).is_none()
        })
    };
    let levels = |factor: &str| -> BTreeSet<&str> {
        let chosen = trained.iter().flat_map(|candidate| &candidate.choices);
        chosen.filter(|(name, _)| name == factor).map(|(_, level)| level.as_str()).collect()
    };
    let keeps = |factor: &String| match after.factors.get(factor) {
        Some(now) => levels(factor).iter().all(|level| now.iter().any(|known| known == level)),
        // It does not vary any more: one of its levels is left.
        None => levels(factor).len() < 2,
    };
    before.factors.keys().all(keeps) && trained.iter().all(fits)
}

/// Settings that differ and on which some trial depends.
///
/// Words and places are left out: the name and description, the published figures, the baseline of the table, random search beside a search, what to do
/// about failures and old checkpoints, how long training may take, and where files lie (data, tables and weights are compared by their hashes, the search
/// space by what it holds, the study that NetAdapt begins from by the network that it gave).
fn differences(journal: &Experiment, file: &Experiment) -> Vec<Difference> {
    let (mut before, mut after) = (journal.clone(), file.clone());
    for experiment in [&mut before, &mut after] {
        experiment.name.clear();
        experiment.description = None;
        experiment.baseline = None;
        experiment.failures = Default::default();
        experiment.checkpoints = Default::default();
        experiment.data.path = None;
        experiment.train.timeout = None;
        if let Some(weights) = &mut experiment.train.weights {
            weights.path = Default::default();
        }
        if let TrainerConfig::Tabular(config) = &mut experiment.trainer {
            config.table = Default::default();
        }
        if let Some(search) = &mut experiment.search {
            search.space = Default::default();
            search.baseline = None;
            search.timeout = None;
            if let Some(NetAdaptConfig { origin: Origin::Study(folder), .. }) = &mut search.netadapt {
                *folder = Default::default();
            }
        }
        for variant in &mut experiment.variants {
            variant.published = None;
        }
    }
    // Journals of before did not say what the space held; a search that is new is said by its settings alone.
    let contents = [&before, &after].map(|e| e.search.as_ref().and_then(|search| search.content.as_ref()));
    if contents.iter().any(Option::is_none) {
        for experiment in [&mut before, &mut after] {
            experiment.search.iter_mut().for_each(|search| search.content = None);
        }
    }
    let mut changes = Vec::new();
    compare("", Some(&to_value(&before)), Some(&to_value(&after)), &mut changes);
    if changes.iter().any(|change| change.path.starts_with(SPACE)) {
        changes.retain(|change| change.path != FIRST);
    }
    changes
        .into_iter()
        .map(|change| Difference { verdict: verdict(&change.path, journal, file), change })
        .collect()
}

/// Where the factors and constraints of the search space are told.
const SPACE: &str = "search.space.";
/// The first candidate: said where nothing else about the space is.
const FIRST: &str = "search.space, its first candidate";

/// The experiment with variants by their names, and the content of the space as that of its key.
fn to_value(experiment: &Experiment) -> Value {
    // Paths that are not UTF-8 have no JSON; the two paths there are have been cleared.
    let mut value = serde_json::to_value(experiment).unwrap_or(Value::Null);
    let variants = experiment.variants.iter().map(|variant| {
        let mut value = serde_json::to_value(variant).unwrap_or(Value::Null);
        if let Value::Object(variant) = &mut value {
            variant.retain(|key, _| key != "name" && key != "published");
        }
        (format!("variants[{}]", variant.name), value)
    });
    if let Value::Object(sections) = &mut value {
        sections.remove("variants");
        sections.extend(variants);
    }
    if let Some(Value::Object(search)) = value.get_mut("search") {
        search.remove("space");
        search.remove("content");
        if let Some(content) = experiment.search.as_ref().and_then(|search| search.content.as_ref()) {
            let factors = content.factors.iter().map(|(name, levels)| (name.clone(), levels.clone().into()));
            let constraints = content
                .constraints
                .iter()
                .map(|(name, range)| (format!("constraints.{name}"), range.clone().into()));
            search.insert("space".into(), Value::Object(Map::from_iter(factors.chain(constraints))));
            search.insert("space, its first candidate".into(), content.first.clone().into());
        }
    }
    value
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Change>) {
    match (before, after) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let new_keys = b.keys().filter(|k| !a.contains_key(*k));
            for key in a.keys().chain(new_keys) {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(&below, a.get(key), b.get(key), found);
            }
        }
        (before, after) if before == after => {}
        (before, after) => {
            found.push(Change { path: path.to_owned(), before: show(before), after: show(after) })
        }
    }
}

fn show(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "nothing".into(),
        Some(value) => value.to_string(),
    }
}

/// Whether the setting at `path`, which differs, only adds to the study. What the space's candidates are is judged later, by
/// whether all that the journal has are still among them.
fn verdict(path: &str, journal: &Experiment, file: &Experiment) -> Verdict {
    let extends =
        |holds: bool, why: &'static str| if holds { Verdict::Extends } else { Verdict::Because(why) };
    let listens = |e: &Experiment| e.search.as_ref().is_some_and(SearchConfig::listens);
    let in_halves = file.search.as_ref().is_some_and(|s| s.budget.kind == BudgetKind::SuccessiveHalving);
    if listens(journal) && (path != "search.trials" || in_halves) {
        return Verdict::Because("what the search proposes depends on it");
    }
    let had_variant = || journal.variants.iter().any(|variant| format!("variants[{}]", variant.name) == path);
    match path {
        "seeds" => extends(
            journal.seeds.iter().all(|seed| file.seeds.contains(seed)),
            "a seed that has trials cannot be taken away",
        ),
        "train.epochs" if file.train.epochs < journal.train.epochs => {
            Verdict::Because("there can be more epochs, not fewer")
        }
        "train.epochs" if file.trainer.depends_on_epochs() => {
            Verdict::Because("a formula of the trainer takes their number, so every epoch would be another")
        }
        "train.epochs" => extends(
            goes_on(&journal.train.schedule) && goes_on(&file.train.schedule),
            "a cosine schedule runs over all epochs, so every learning rate would be another",
        ),
        "train.schedule" | "train.schedule.step.milestones" => {
            if later_milestones(journal, file) {
                Verdict::Extends
            } else {
                Verdict::Refused
            }
        }
        "search" => {
            if journal.search.is_none() {
                Verdict::Extends
            } else {
                Verdict::Refused
            }
        }
        "search.trials" => {
            let trials = |e: &Experiment| e.search.as_ref().and_then(|SearchConfig { trials, .. }| *trials);
            let more = trials(file).is_none_or(|after| trials(journal).is_some_and(|before| before < after));
            extends(more, "there can be more trials, not fewer")
        }
        FIRST => Verdict::Extends,
        path if path.starts_with(SPACE) => Verdict::Extends,
        path if path.starts_with("variants[") && path.ends_with(']') && !had_variant() => Verdict::Extends,
        _ => Verdict::Refused,
    }
}

/// Whether the file's schedule is the journal's with milestones after the journal's last epoch.
fn later_milestones(journal: &Experiment, file: &Experiment) -> bool {
    match (&journal.train.schedule, &file.train.schedule) {
        (
            Schedule::Step { milestones: before, gamma: was },
            Schedule::Step { milestones: after, gamma: is },
        ) => {
            let new = after.strip_prefix(before.as_slice());
            was == is && new.is_some_and(|new| new.iter().all(|milestone| *milestone >= journal.train.epochs))
        }
        _ => false,
    }
}
