//! The journal's trials among those that the experiment proposes now.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::Path;

use super::event::{CandidateRecord, Event, Latency};
use super::journal;
use super::plan::{Ended, Next, Plan, PlannedTrial};
use super::state::Trial;
use crate::error::Result;

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

/// Finds each trial in its place, and gives it to `each`: the same experiment proposes the same trials in the same order. The
/// plan is told how trials ended as it goes. Returns what it wants beyond the journal, where that came to light.
///
/// # Errors
/// What the plan says.
pub fn in_order(
    (trials, latencies): (&[Trial], &BTreeMap<String, Latency>),
    plan: &mut dyn Plan,
    journal: &Path,
    mut each: impl FnMut(PlannedTrial, &Trial, &dyn Plan),
) -> Result<std::result::Result<VecDeque<Next>, Mismatch>> {
    let mut at = 0;
    let mut continued: usize = trials.iter().map(|trial| trial.rungs.len() - 1).sum();
    let mut places: HashMap<(String, u64), (usize, usize)> = HashMap::new();
    let differs = |at: usize, pulled: Vec<PlannedTrial>, plan: &mut dyn Plan| -> Result<Mismatch> {
        let trial = &trials[at];
        let proposed = pulled
            .first()
            .map_or_else(|| "no such trial".into(), |planned| name(&planned.candidate, planned.seed));
        let first = format!(
            "trial {} of the journal is {}, and the experiment now proposes {proposed}",
            trial.number,
            name(&trial.candidate, trial.seed)
        );
        mismatch(first, trials, &trials[..at], pulled, plan, journal)
    };
    while at < trials.len() || continued > 0 {
        match plan.next()? {
            Next::New(next) if at < trials.len() => {
                let trial = &trials[at];
                let same_rung = trial.rungs.first().is_some_and(|rung| rung.until == next.until);
                if !is_trial(&next, trial) || !same_rung {
                    return Ok(Err(differs(at, vec![next], plan)?));
                }
                // Only what goes on is looked for again.
                if trial.rungs.len() > 1 || next.until.is_some() {
                    places.insert((next.candidate.hash.clone(), next.seed), (at, 0));
                }
                tell(trial, 0, latencies, plan);
                each(next, trial, plan);
                at += 1;
            }
            Next::Continue(next) => {
                let key = (next.candidate.hash.clone(), next.seed);
                let Some((place, rung)) = places.get_mut(&key) else {
                    return Ok(Ok([Next::Continue(next)].into()));
                };
                *rung += 1;
                match trials[*place].rungs.get(*rung) {
                    Some(known) if known.until == next.until => {
                        continued = continued.saturating_sub(1);
                        tell(&trials[*place], *rung, latencies, plan);
                    }
                    Some(_) => {
                        let place = *place;
                        return Ok(Err(differs(place, vec![next], plan)?));
                    }
                    None if at == trials.len() && continued == 0 => {
                        return Ok(Ok([Next::Continue(next)].into()));
                    }
                    // The process ended between the journal's last lines: the rest is beyond it too.
                    None => return Ok(Err(differs(at.min(trials.len() - 1), vec![next], plan)?)),
                }
            }
            next @ Next::New(_) => return Ok(Ok([next].into())),
            Next::Wait | Next::End if at == trials.len() => return Ok(Ok(VecDeque::new())),
            Next::Wait | Next::End => return Ok(Err(differs(at, Vec::new(), plan)?)),
        }
    }
    Ok(Ok(VecDeque::new()))
}

/// Tells the plan how a trial ended at a rung, where it has.
fn tell(trial: &Trial, rung: usize, latencies: &BTreeMap<String, Latency>, plan: &mut dyn Plan) {
    if let Some(ended) = trial.rungs.get(rung).and_then(|rung| Ended::at(trial, rung, latencies)) {
        plan.tell(&ended);
    }
}

/// Finds each trial wherever it is, and gives it to `each`: an extended study has trials that a fresh one would number
/// otherwise. Returns the proposals not in the journal that came before the last that is.
///
/// # Errors
/// What the plan says.
pub fn by_candidate(
    trials: &[Trial],
    plan: &mut dyn Plan,
    journal: &Path,
    mut each: impl FnMut(PlannedTrial, &Trial, &dyn Plan),
) -> Result<std::result::Result<VecDeque<Next>, Mismatch>> {
    let mut missing: HashMap<(&str, u64), &Trial> =
        trials.iter().map(|trial| ((trial.candidate.hash.as_str(), trial.seed), trial)).collect();
    let mut new = VecDeque::new();
    while !missing.is_empty() {
        let Next::New(next) = plan.next()? else { break };
        let place = missing.get(&(next.candidate.hash.as_str(), next.seed)).copied();
        match place {
            Some(trial) if is_trial(&next, trial) => {
                missing.remove(&(trial.candidate.hash.as_str(), trial.seed));
                each(next, trial, plan);
            }
            // A searched candidate that has become a variant, or the other way about.
            Some(_) => break,
            None => new.push_back(Next::New(next)),
        }
    }
    let is_missing = |trial: &&Trial| missing.contains_key(&(trial.candidate.hash.as_str(), trial.seed));
    let Some(lost) = trials.iter().find(is_missing) else {
        return Ok(Ok(new));
    };
    let first = format!(
        "trial {} of the journal is {}, which the experiment does not propose now",
        lost.number,
        name(&lost.candidate, lost.seed)
    );
    let found = trials.iter().filter(|trial| !is_missing(trial));
    let new = new.into_iter().filter_map(|next| match next {
        Next::New(planned) => Some(planned),
        _ => None,
    });
    Ok(Err(mismatch(first, trials, found, new, plan, journal)?))
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

/// What changed, as far as the proposals tell: those of the journal that were `found`, those `pulled` beside them, and some of
/// what is left in the plan.
fn mismatch<'a>(
    first: String,
    trials: &[Trial],
    found: impl IntoIterator<Item = &'a Trial>,
    pulled: impl IntoIterator<Item = PlannedTrial>,
    plan: &mut dyn Plan,
    journal: &Path,
) -> Result<Mismatch> {
    let of_journal = found.into_iter().map(|trial| (trial.candidate.clone(), trial.seed));
    let of_plan = pulled.into_iter().map(|planned| (planned.candidate, planned.seed));
    let mut proposed: Vec<(CandidateRecord, u64)> = of_journal.chain(of_plan).collect();
    let mut all = false;
    while proposed.len() < LOOKED_AT {
        match plan.next()? {
            Next::New(next) => proposed.push((next.candidate, next.seed)),
            Next::Continue(_) => {}
            Next::End => {
                all = true;
                break;
            }
            Next::Wait => break,
        }
    }
    let now: HashMap<&str, &CandidateRecord> =
        proposed.iter().map(|(candidate, _)| (candidate.hash.as_str(), candidate)).collect();
    let before: HashSet<&str> = trials.iter().map(|trial| trial.candidate.hash.as_str()).collect();
    let mut listed = HashSet::new();
    let gone: Vec<&CandidateRecord> = trials
        .iter()
        .map(|trial| &trial.candidate)
        .filter(|candidate| !now.contains_key(candidate.hash.as_str()) && listed.insert(&candidate.hash))
        .collect();
    let new = now.keys().filter(|hash| !before.contains(*hash)).count();
    let mut lines = format!("\n  {first}");
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
    lines += &levels(journal, &proposed, &now);
    let pairs: HashSet<(&str, u64)> =
        proposed.iter().map(|(candidate, seed)| (candidate.hash.as_str(), *seed)).collect();
    let only_order = trials.iter().all(|trial| pairs.contains(&(trial.candidate.hash.as_str(), trial.seed)));
    Ok(Mismatch { lines, only_order })
}

/// Factors whose levels differ between the journal's candidates and those proposed now. What the journal's chose is read from
/// it once more: a state does not keep it.
fn levels(
    journal: &Path,
    proposed: &[(CandidateRecord, u64)],
    now: &HashMap<&str, &CandidateRecord>,
) -> String {
    let mut factors: BTreeMap<String, [BTreeSet<String>; 2]> = BTreeMap::new();
    let mut add = |candidate: &CandidateRecord, sides: &[usize]| {
        for (factor, level) in &candidate.choices {
            let levels = factors.entry(factor.clone()).or_default();
            for side in sides {
                levels[*side].insert(level.clone());
            }
        }
    };
    for (candidate, _) in proposed {
        add(candidate, &[1]);
    }
    let read = journal::replay(journal, |record| {
        if let Event::TrialQueued { candidate, .. } = record.event {
            let sides = if now.contains_key(candidate.hash.as_str()) { &[0, 1][..] } else { &[0] };
            add(&candidate, sides);
        }
        Ok(())
    });
    if read.is_err() {
        return String::new();
    }
    let list = |levels: &BTreeSet<String>| {
        if levels.is_empty() {
            "not chosen".into()
        } else {
            levels.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
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
