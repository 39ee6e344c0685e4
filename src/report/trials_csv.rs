//! `trials.csv`: one row per trial.

use crate::analysis::StudySummary;
use crate::error::{Error, Result};
use crate::study::event::{Latency, Metrics};
use crate::study::{Trial, TrialStatus};
use crate::text::cell;

const BEFORE: [&str; 9] =
    ["trial", "label", "variant", "network", "hash", "seed", "params", "madds", "activation_memory"];
/// Where latency is measured, or simulated: seconds of a batch.
const LATENCY: [&str; 4] = ["latency", "latency_mad", "latency_floor", "latency_source"];
const AFTER: [&str; 11] = [
    "epochs",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "test_accuracy",
    "seconds",
    "status",
    "failed_epoch",
    "reason",
];

/// The file's text: a column per factor between what a trial is and what it reached.
///
/// # Errors
/// Only where the CSV writer fails, which it should not.
pub fn csv(study: &StudySummary) -> Result<String> {
    let mut factors: Vec<&str> = Vec::new();
    for trial in &study.trials {
        for (factor, ..) in trial.candidate.levels() {
            if !factors.contains(&factor) {
                factors.push(factor);
            }
        }
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let latency = if study.latencies.is_empty() { &[][..] } else { &LATENCY };
    let header = BEFORE
        .iter()
        .chain(latency)
        .map(|c| (*c).to_owned())
        .chain(factors.iter().map(|f| text(&factor_column(f))))
        .chain(AFTER.iter().map(|c| (*c).to_owned()));
    writer.write_record(header).map_err(failed)?;
    for trial in &study.trials {
        writer.write_record(row(study, trial, &factors)).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(failed)?;
    String::from_utf8(bytes).map_err(failed)
}

/// Text from others, as a spreadsheet shows it.
fn text(text: &str) -> String {
    cell::write(text).into_owned()
}

/// A factor keeps its name unless a column of the trial has it already.
fn factor_column(factor: &str) -> String {
    if BEFORE.contains(&factor) || LATENCY.contains(&factor) || AFTER.contains(&factor) {
        format!("choice.{factor}")
    } else {
        factor.to_owned()
    }
}

fn row(study: &StudySummary, trial: &Trial, factors: &[&str]) -> Vec<String> {
    let c = &trial.candidate;
    let mut cells = vec![
        trial.number.to_string(),
        text(&c.label),
        c.is_variant.to_string(),
        text(&c.text),
        text(&c.hash),
        trial.seed.to_string(),
        c.params.to_string(),
        c.madds.to_string(),
        c.activation_memory.to_string(),
    ];
    if !study.latencies.is_empty() {
        let known = study.latencies.get(&c.hash);
        let seconds =
            |of: fn(&Latency) -> f64| known.map_or(String::new(), |latency| of(latency).to_string());
        cells.extend([seconds(|l| l.median), seconds(|l| l.mad), seconds(|l| l.floor)]);
        cells.push(known.map_or("", |latency| latency.source.name()).to_owned());
    }
    for factor in factors {
        cells.push(c.level(factor).map_or_else(String::new, |level| text(&level)));
    }
    let result = trial.result.as_ref();
    let epochs = result.map_or(trial.epochs.len(), |r| r.epochs);
    cells.push(epochs.to_string());
    cells.extend(metrics(result.map(|r| &r.train)));
    cells.extend(metrics(result.map(|r| &r.validation)));
    cells.extend(metrics(trial.test.as_ref()));
    let seconds = result.map_or_else(|| trial.seconds(), |r| r.seconds);
    cells.push(seconds.to_string());
    cells.push(if trial.timed_out.is_some() { "timeout" } else { status(trial.status) }.to_owned());
    let failure = trial.failure.as_ref();
    cells.push(failure.map_or(String::new(), |f| f.epoch.to_string()));
    cells.push(failure.map_or(String::new(), |f| text(&f.reason)));
    cells
}

fn metrics(m: Option<&Metrics>) -> [String; 2] {
    m.map_or_else(Default::default, |m| [m.loss.to_string(), m.accuracy.to_string()])
}

fn status(status: TrialStatus) -> &'static str {
    match status {
        TrialStatus::Queued => "queued",
        TrialStatus::Running => "running",
        TrialStatus::Stopped => "stopped",
        TrialStatus::Finished => "finished",
        TrialStatus::Failed => "failed",
        TrialStatus::Rejected => "rejected",
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::run(format!("trials.csv could not be written: {error}"))
}
