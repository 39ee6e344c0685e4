//! The journal's trials among those that the experiment proposes now.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::event::CandidateRecord;
use super::plan::{Plan, PlannedTrial};
use super::state::Trial;
use crate::error::Result;

/// The plan, as far as it had to be pulled to find all trials of the journal.
#[derive(Debug, Default)]
pub struct Matched {
    /// Those of the journal, in its order.
    pub journaled: Vec<PlannedTrial>,
    /// Those not in the journal that came before the last that is.
    pub new: VecDeque<PlannedTrial>,
}

/// The journal has trials that are not proposed, or not in their places.
#[derive(Debug)]
pub struct Mismatch {
    /// Lines that say what differs, each indented.
    pub lines: String,
    /// All are proposed, if in another order.
    pub only_order: bool,
}

/// Most proposals that are looked at for the list of what changed.
const LOOKED_AT: usize = 10_000;
/// Most candidates that it names.
const NAMED: usize = 5;

/// Finds each trial in its place: the same experiment proposes the same trials in the same order.
///
/// # Errors
/// What the plan says.
pub fn in_order(trials: &[Trial], plan: &mut dyn Plan) -> Result<std::result::Result<Matched, Mismatch>> {
    let mut journaled = Vec::with_capacity(trials.len());
    for trial in trials {
        match plan.next()? {
            Some(next) if is_trial(&next, trial) => journaled.push(next),
            next => {
                let proposed = next.as_ref().map_or_else(|| "no such trial".into(), proposal);
                let first = format!(
                    "trial {} of the journal is {}, and the experiment now proposes {proposed}",
                    trial.number,
                    name(&trial.candidate, trial.seed)
                );
                journaled.extend(next);
                return Ok(Err(mismatch(first, trials, journaled, plan)?));
            }
        }
    }
    Ok(Ok(Matched { journaled, new: VecDeque::new() }))
}

/// Finds each trial wherever it is: an extended study has trials that a fresh one would number otherwise.
///
/// # Errors
/// What the plan says.
pub fn by_candidate(trials: &[Trial], plan: &mut dyn Plan) -> Result<std::result::Result<Matched, Mismatch>> {
    let places: HashMap<(&str, u64), usize> = trials
        .iter()
        .enumerate()
        .map(|(at, trial)| ((trial.candidate.hash.as_str(), trial.seed), at))
        .collect();
    let mut found: Vec<Option<PlannedTrial>> = trials.iter().map(|_| None).collect();
    let (mut new, mut missing) = (VecDeque::new(), trials.len());
    while missing > 0 {
        let Some(next) = plan.next()? else { break };
        let place = places.get(&(next.candidate.hash.as_str(), next.seed));
        match place.map(|at| (&mut found[*at], &trials[*at])) {
            Some((place @ None, trial)) if is_trial(&next, trial) => {
                *place = Some(next);
                missing -= 1;
            }
            // A searched candidate that has become a variant, or the other way about.
            Some(_) => break,
            None => new.push_back(next),
        }
    }
    if missing == 0 {
        return Ok(Ok(Matched { journaled: found.into_iter().flatten().collect(), new }));
    }
    let lost = trials.iter().zip(&found).find(|(_, found)| found.is_none());
    let first = lost.map_or_else(String::new, |(trial, _)| {
        format!(
            "trial {} of the journal is {}, which the experiment does not propose now",
            trial.number,
            name(&trial.candidate, trial.seed)
        )
    });
    let proposed = found.into_iter().flatten().chain(new).collect();
    Ok(Err(mismatch(first, trials, proposed, plan)?))
}

/// The same network with the same seed, under the same name where it has one.
fn is_trial(planned: &PlannedTrial, trial: &Trial) -> bool {
    let (now, before) = (&planned.candidate, &trial.candidate);
    let same_kind = now.is_variant == before.is_variant && (!now.is_variant || now.label == before.label);
    now.hash == before.hash && planned.seed == trial.seed && same_kind
}

fn name(candidate: &CandidateRecord, seed: u64) -> String {
    format!("{} ({}) seed {seed}", candidate.label, candidate.text)
}

fn proposal(planned: &PlannedTrial) -> String {
    name(&planned.candidate, planned.seed)
}

/// What changed, as far as the proposals tell.
fn mismatch(
    first: String,
    trials: &[Trial],
    mut proposed: Vec<PlannedTrial>,
    plan: &mut dyn Plan,
) -> Result<Mismatch> {
    let mut all = false;
    while proposed.len() < LOOKED_AT {
        let Some(next) = plan.next()? else {
            all = true;
            break;
        };
        proposed.push(next);
    }
    let mut lines = format!("\n  {first}");
    let now: HashMap<&str, &CandidateRecord> =
        proposed.iter().map(|planned| (planned.candidate.hash.as_str(), &planned.candidate)).collect();
    let before: HashSet<&str> = trials.iter().map(|trial| trial.candidate.hash.as_str()).collect();
    let mut listed = HashSet::new();
    let gone: Vec<&CandidateRecord> = trials
        .iter()
        .map(|trial| &trial.candidate)
        .filter(|candidate| !now.contains_key(candidate.hash.as_str()) && listed.insert(&candidate.hash))
        .collect();
    let new = now.keys().filter(|hash| !before.contains(*hash)).count();
    if !gone.is_empty() {
        let named: Vec<_> = gone.iter().take(NAMED).map(|c| format!("{} ({})", c.label, c.text)).collect();
        let more = if gone.len() > NAMED { ", and more" } else { "" };
        lines += &format!(
            "\n  {} of the journal's {} candidates are not proposed now: {}{more}",
            gone.len(),
            before.len(),
            named.join(", ")
        );
    }
    if new > 0 {
        let least = if all { "" } else { "at least " };
        lines += &format!("\n  {least}{new} candidates are proposed that the journal does not have");
    }
    if gone.is_empty() && new == 0 && all {
        lines += "\n  the candidates are the same";
    }
    lines += &levels(trials, &proposed);
    let pairs: HashSet<(&str, u64)> =
        proposed.iter().map(|planned| (planned.candidate.hash.as_str(), planned.seed)).collect();
    let only_order = trials.iter().all(|trial| pairs.contains(&(trial.candidate.hash.as_str(), trial.seed)));
    Ok(Mismatch { lines, only_order })
}

/// Factors whose levels differ between the journal's candidates and those proposed now.
fn levels(trials: &[Trial], proposed: &[PlannedTrial]) -> String {
    let mut factors: BTreeMap<&str, [BTreeSet<&str>; 2]> = BTreeMap::new();
    let before = trials.iter().map(|trial| (0, &trial.candidate));
    let now = proposed.iter().map(|planned| (1, &planned.candidate));
    for (side, candidate) in before.chain(now) {
        for (factor, level) in &candidate.choices {
            factors.entry(factor).or_default()[side].insert(level);
        }
    }
    let list = |levels: &BTreeSet<&str>| {
        if levels.is_empty() {
            "not chosen".into()
        } else {
            levels.iter().copied().collect::<Vec<_>>().join(", ")
        }
    };
    factors
        .iter()
        .filter(|(_, [before, now])| before != now)
        .map(|(factor, [before, now])| {
            format!("\n  {factor}: {} in the journal's candidates, {} now", list(before), list(now))
        })
        .collect()
}
