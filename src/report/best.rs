//! Which trial has the highest validation accuracy, and which network a search has found: by its reward that is often another.

use super::Findings;
use super::format::{counted, thousands};
use crate::analysis::{CandidateSummary, Split, StudySummary};
use crate::config::{Objective, RewardConfig};
use crate::search::Reward;
use crate::study::Trial;
use crate::study::event::CandidateRecord;

/// How names from elsewhere are shown.
type Show = fn(&str) -> String;

/// A name on one line of a terminal.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The trial with the highest validation accuracy; the first of equals.
pub fn trial(study: &StudySummary) -> Option<(&Trial, f64)> {
    let mut best: Option<(&Trial, f64)> = None;
    for trial in study.finished() {
        let Some(result) = &trial.result else { continue };
        if best.is_none_or(|(_, highest)| result.validation.accuracy > highest) {
            best = Some((trial, result.validation.accuracy));
        }
    }
    best
}

/// `49.86 % (trial 12, 84a01036, seed 1; 80,210 params, 3,883,776 multiply-adds) after 3 epochs on 6,250 images`
///
/// `show` makes a name fit to be shown.
pub fn highest(study: &StudySummary, show: Show) -> Option<String> {
    let (trial, accuracy) = trial(study)?;
    let of = &trial.candidate;
    let images = study.environments.last().map_or(0, |environment| environment.data.train);
    let images = match images {
        0 => String::new(),
        images => format!(" on {} images", thousands(images as u64)),
    };
    Some(format!(
        "{accuracy:.2} % (trial {}, {}, seed {}; {} params, {} multiply-adds) after {}{images}",
        trial.number,
        show(&of.label),
        trial.seed,
        thousands(of.params),
        thousands(of.madds),
        counted(trial.epochs.len(), "epoch"),
    ))
}

/// What a search has found by its reward.
struct Found<'a> {
    record: &'a CandidateRecord,
    name: String,
    /// Mean over seeds.
    accuracy: f64,
    /// Whether it is the one with the highest accuracy too.
    is_same: bool,
}

/// The candidate with the highest reward, where the search has one.
fn rewarded(findings: &Findings) -> Option<Found<'_>> {
    let config = reward(findings)?;
    let candidates = findings.study.candidates();
    let value = |candidate: &CandidateSummary<'_>| {
        let cost = cost(config, candidate)?;
        let RewardConfig { target, alpha, beta, .. } = *config;
        let reward = Reward { target, alpha, beta }.of(candidate.accuracy(Split::Validation)?.mean, cost);
        reward.is_finite().then_some(reward)
    };
    let mut best: Option<(f64, &CandidateSummary<'_>)> = None;
    for candidate in candidates.iter().filter(|candidate| !candidate.record.is_variant) {
        if let Some(value) = value(candidate)
            && best.is_none_or(|(highest, _)| value > highest)
        {
            best = Some((value, candidate));
        }
    }
    let (_, found) = best?;
    let is_same = trial(&findings.study).is_some_and(|(trial, _)| trial.candidate.hash == found.record.hash);
    let accuracy = found.accuracy(Split::Validation).map_or(f64::NAN, |accuracy| accuracy.mean);
    Some(Found { record: found.record, name: found.name.clone(), accuracy, is_same })
}

fn reward(findings: &Findings) -> Option<&RewardConfig> {
    findings.study.experiment.as_ref()?.search.as_ref()?.reward.as_ref()
}

/// What a search is rewarded for, in words.
pub fn reward_text(config: &RewardConfig) -> String {
    let RewardConfig { cost, target, alpha, beta } = *config;
    let cost = match cost {
        Objective::Params => "params",
        Objective::Madds => "multiply-adds",
        Objective::ActivationMemory => "activation memory",
        Objective::Size => "size",
        Objective::Latency => "latency",
        Objective::Accuracy | Objective::Loss => "cost",
    };
    let target = if target >= 1.0 { thousands(target as u64) } else { target.to_string() };
    let power =
        if alpha == beta { alpha.to_string() } else { format!("{alpha} below the target, {beta} above") };
    format!("accuracy * ({cost} / {target})^w, w = {power}")
}

/// A cost that the journal tells.
fn cost(config: &RewardConfig, candidate: &CandidateSummary<'_>) -> Option<f64> {
    match config.cost {
        Objective::Params => Some(candidate.record.params as f64),
        Objective::Madds => Some(candidate.record.madds as f64),
        Objective::ActivationMemory => Some(candidate.record.activation_memory as f64),
        _ => None,
    }
}

/// What is the best of a study, a sentence each; `None` before a trial has finished.
pub fn sentences(findings: &Findings, show: Show) -> Option<String> {
    let highest = highest(&findings.study, show)?;
    let (of, others) = match findings.adaptation {
        Some(_) => {
            (WHOLE, " Networks that NetAdapt proposed were fine-tuned with inherited weights instead.")
        }
        None => ("", ""),
    };
    let mut text = format!("Highest validation accuracy{of}: {highest}.{others}");
    if let (Some(found), Some(config)) = (rewarded(findings), reward(findings)) {
        text.push_str(&format!(
            "\nFound, by the search's reward ({}): {}{} ({:.2} %, {} params, {} multiply-adds).",
            reward_text(config),
            show(&found.name),
            if found.is_same { ", the same network" } else { "" },
            found.accuracy,
            thousands(found.record.params),
            thousands(found.record.madds)
        ));
    }
    Some(text)
}

/// As [`sentences`], in lines for a terminal; tables have the costs.
pub fn lines(findings: &Findings) -> Option<String> {
    let (trial, accuracy) = trial(&findings.study)?;
    let of = if findings.adaptation.is_some() { WHOLE } else { "" };
    let label = plain(&trial.candidate.label);
    let mut text = format!(
        "Highest validation accuracy{of}: {accuracy:.2} % (trial {}, {label}, seed {})",
        trial.number, trial.seed
    );
    if let Some(found) = rewarded(findings) {
        let (name, accuracy) = (plain(&found.name), found.accuracy);
        let same = if found.is_same { ", the same network" } else { "" };
        text.push_str(&format!("\nFound, by the search's reward: {name}{same} ({accuracy:.2} %)"));
    }
    Some(text)
}

const WHOLE: &str = " of a network trained for all epochs";
