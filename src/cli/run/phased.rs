//! An experiment of several phases: each a study in a folder of its own, one after another.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Args, run_study, unused};
use crate::analysis::{Adaptation, StudySummary};
use crate::cli::memory::Budget;
use crate::cli::place::Place;
use crate::cli::plan;
use crate::cli::recorded::Recorded;
use crate::cli::trained::Trained;
use crate::cli::{adapted, claim, interrupt, output};
use crate::config::Experiment;
use crate::config::phases::{Phase, Phases};
use crate::error::{Error, Result};
use crate::report::escape::inline;
use crate::report::format::{counted, duration, thousands};
use crate::report::{best, files};
use crate::study::{StudyState, Trial, TrialStatus, state};
use crate::text;

/// A phase that is over.
struct Over<'a> {
    phase: &'a Phase,
    dir: PathBuf,
    state: StudyState,
    /// Block notation of what it found, where a later phase asks for it.
    found: Option<String>,
}

/// Runs the phases that are not finished, and says what came of all.
///
/// # Errors
/// As a run of each; a sentence where a phase has found nothing that a later one could train.
pub fn execute(args: &Args, phases: &Phases) -> Result<()> {
    if args.extend {
        return Err(Error::request(
            "--extend: an experiment of phases cannot be extended, since later phases depend on what earlier ones found; \
             run it in another folder with --out",
        ));
    }
    let dir = args.out.clone().unwrap_or_else(|| Path::new("reports").join(&phases.name));
    let names: Vec<&str> = phases.list.iter().map(|phase| phase.name.as_str()).collect();
    claim::check(&dir, &names, args.data.as_deref(), args.out.is_some())?;
    check(args, phases, &dir)?;
    let mut found = BTreeMap::new();
    let mut over: Vec<Over<'_>> = Vec::new();
    let mut results = Vec::new();
    for (number, phase) in phases.list.iter().enumerate() {
        interrupt::check()?;
        let folder = dir.join(&phase.name);
        if let Some(missing) = phase.needs.iter().find(|need| !found.contains_key(*need)) {
            // Only a dry run comes here.
            output::print(&format!(
                "\nphase {}: trains what the phase {missing} finds, so its cost is known once that one is over",
                phase.name
            ))?;
            continue;
        }
        if !args.json {
            let break_before = if number == 0 { "" } else { "\n" };
            output::print(&format!(
                "{break_before}phase {} of {}: {} ({})",
                number + 1,
                phases.list.len(),
                phase.name,
                folder.display()
            ))?;
        }
        let experiment = phases.load(phase, &found)?;
        let place = Place {
            file: &args.experiment,
            what: "experiment file",
            set: &args.set,
            phase: Some((phase, &found)),
        };
        results.extend(run_study(args, experiment, &folder, place)?);
        let is_needed = phases.list.iter().any(|later| later.needs.contains(&phase.name));
        if args.dry_run && !state::read(&folder).is_ok_and(|state| state.finished) {
            continue;
        }
        let state = state::read(&folder)?;
        let text = is_needed.then(|| find(&folder, &state)).transpose()?;
        if let Some(text) = &text {
            found.insert(phase.name.clone(), text.clone());
        }
        over.push(Over { phase, dir: folder, state, found: text });
    }
    if args.dry_run {
        return Ok(());
    }
    let report = files::write(&dir, "report.md", markdown(&phases.name, &over).as_bytes())?;
    if args.json {
        return output::print_json(&json!({
            "dir": dir,
            "phases": results,
            "found": found,
            "report": report,
        }));
    }
    output::print(&format!("\nall phases: {}", report.display()))
}

/// What is wrong with the data and the named networks of any phase is said before the first begins: hours may lie between them.
fn check(args: &Args, phases: &Phases, dir: &Path) -> Result<()> {
    let found = phases.stand_ins();
    let mut images = HashMap::new();
    for phase in &phases.list {
        let experiment = phases.load(phase, &found)?;
        let place = Place {
            file: &args.experiment,
            what: "experiment file",
            set: &args.set,
            phase: Some((phase, &found)),
        };
        unused::check(args, &experiment, place)?;
        let data = args.data.as_deref().or(experiment.data.path.as_deref());
        claim::check(&dir.join(&phase.name), &[], data, args.out.is_some())?;
        // Thousands of phases may train on the same images.
        let same = images_key(&experiment);
        let (input, classes) = match images.get(&same) {
            Some(known) => *known,
            None => *images.entry(same).or_insert(
                Trained::load(&experiment, args.data.as_deref(), Budget::new(args.memory), place)?.shape(),
            ),
        };
        plan::variants(&experiment, place, (input, classes), &Recorded::default())?;
    }
    Ok(())
}

/// All that decides what images a phase trains on.
fn images_key(experiment: &Experiment) -> String {
    let Experiment { data, seed, trainer, train, search, .. } = experiment;
    let space = search.as_ref().map(|search| &search.space);
    let (epochs, precision, weights) = (train.epochs, train.precision, &train.weights);
    format!("{data:?} {seed} {trainer:?} {epochs} {precision:?} {weights:?} {space:?}")
}

/// What a study has found, as block notation: where `netadapt` came to, else its best candidate.
fn find(dir: &Path, state: &StudyState) -> Result<String> {
    let summary = StudySummary::of(state::read(dir)?);
    match Adaptation::of(&summary) {
        Some(adaptation) => adaptation.last().map(|last| last.candidate.text.clone()).ok_or_else(|| {
            Error::run(format!(
                "{}: nothing was found here that a later phase could train: none of its first trials finished; start \
                 again with --out FOLDER and another recipe",
                dir.display()
            ))
        }),
        None => adapted::best(state, dir),
    }
}

/// What came of each phase, with the way to its own report.
fn markdown(name: &str, over: &[Over<'_>]) -> String {
    let mut text = format!("# {name}\n\nAn experiment of {}.\n", counted(over.len(), "phase"));
    for Over { phase, dir, state, found } in over {
        let folder = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let seconds = state.trials.iter().map(Trial::seconds).sum::<f64>() + 0.0;
        text += &format!(
            "\n## {}\n\n{}; {} of training, summed over trials. Tables and plots: [{folder}/report.md]({folder}/report.md).\n",
            phase.name,
            ended(state),
            duration(seconds),
        );
        let summary = StudySummary::of(state.clone());
        if let Some(highest) = best::highest(&summary, inline) {
            let of = if summary.adapts() { " of a network trained for all epochs" } else { "" };
            text += &format!("\nHighest validation accuracy{of}: {highest}.\n");
        }
        if let Some(found) = found {
            let of_it = state.trials.iter().map(|trial| &trial.candidate).find(|of| of.text == *found);
            let costs = of_it.map_or(String::new(), |of| {
                format!(
                    " ({}, {} params, {} multiply-adds)",
                    inline(&of.label),
                    thousands(of.params),
                    thousands(of.madds)
                )
            });
            let why = why(
                state,
                found,
                best::trial(&summary).is_some_and(|(trial, _)| trial.candidate.text == *found),
            );
            text += &format!(
                "\nFound, and given to later phases{costs}{why}:\n\n```\n{}\n```\n",
                text::line(found)
            );
        }
    }
    text
}

/// How the trials of a phase ended, as far as there are any that did so.
fn ended(state: &StudyState) -> String {
    let adapts = state.experiment.search.as_ref().and_then(|search| search.netadapt.as_ref());
    let stopped = adapts.map_or("stopped early".to_owned(), |config| {
        format!("proposals of NetAdapt, fine-tuned for {} each", counted(config.fine_tune, "epoch"))
    });
    let whole = format!("trained for all {}", counted(state.experiment.train.epochs, "epoch"));
    let parts = [
        (TrialStatus::Finished, whole.as_str()),
        (TrialStatus::Stopped, &stopped),
        (TrialStatus::Failed, "failed"),
        (TrialStatus::Rejected, "not trained for their latency"),
    ];
    let counts =
        parts.iter().map(|(status, what)| (state.count(*status), what)).filter(|(count, _)| *count > 0);
    let list: Vec<String> =
        counts.map(|(count, what)| format!("{} {what}", thousands(count as u64))).collect();
    format!("{}: {}", counted(state.trials.len(), "trial"), list.join(", "))
}

/// Why it is this network that was found, where that is not the one with the highest accuracy.
fn why(state: &StudyState, found: &str, is_highest: bool) -> String {
    if is_highest {
        return ", the network with the highest accuracy".into();
    }
    let search = state.experiment.search.as_ref();
    if search.is_some_and(|search| search.netadapt.is_some()) {
        let tuned = state.trials.iter().find(|trial| trial.candidate.text == found);
        let accuracy = tuned
            .and_then(|trial| trial.epochs.last())
            .map_or(String::new(), |epoch| format!(": {:.2} % so", epoch.validation.accuracy));
        return format!(
            ". It is the network of NetAdapt's last step, fine-tuned with inherited weights and not trained for all epochs{accuracy}"
        );
    }
    match search.and_then(|search| search.reward.as_ref()) {
        Some(reward) => format!(
            ". It is not the network with the highest accuracy: it has the highest reward, {}",
            best::reward_text(reward)
        ),
        None => {
            ". It has the highest mean accuracy over its seeds, which is not the highest of a single trial"
                .into()
        }
    }
}
