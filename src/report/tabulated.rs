//! A study as a table, on which strategies can be compared without training.

use super::recipe;
use crate::analysis::StudySummary;
use crate::arch::Shape;
use crate::config::{Experiment, TrainerConfig};
use crate::error::{Error, Result};
use crate::study::Trial;
use crate::train::Table;
use crate::train::table::{About, End, Epoch, Row};

/// A study's table, and how many trials are not in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tabulated {
    pub table: Table,
    /// Trials that have not ended.
    pub unfinished: usize,
    /// Trials that finished with fewer epochs than others.
    pub short: usize,
    /// Trials for which the test split has not been read.
    pub untested: usize,
}

/// The table of a study whose networks take images of shape `input`; `results` is the study's results hash. Trials that
/// failed are in it with their reason.
///
/// # Errors
/// A sentence where no trial can be in a table.
pub fn table(study: &StudySummary, input: Shape, results: &str) -> Result<Tabulated> {
    let (Some(experiment), Some(environment)) = (&study.experiment, study.environments.first()) else {
        return Err(Error::request("the study has not begun: its table can be made once it has finished"));
    };
    let epochs = study.finished().filter_map(|trial| trial.result.as_ref()).map(|result| result.epochs).max();
    let Some(epochs) = epochs.filter(|epochs| *epochs > 0) else {
        return Err(Error::request("no trial of the study has finished: its table can be made once it has"));
    };
    let mut factors: Vec<String> = Vec::new();
    for (factor, ..) in study.trials.iter().flat_map(|trial| trial.candidate.levels()) {
        if !factors.iter().any(|known| known == factor) {
            factors.push(factor.to_owned());
        }
    }
    let (mut rows, mut unfinished, mut short, mut untested) = (Vec::new(), 0, 0, 0);
    for trial in &study.trials {
        let end = match (&trial.result, &trial.test, &trial.failure) {
            (_, _, Some(failure)) => End::Failed { reason: failure.reason.clone() },
            (Some(result), _, _) if result.epochs < epochs || trial.epochs.len() < epochs => {
                short += 1;
                continue;
            }
            (Some(_), Some(test), _) => End::Finished { accuracy: test.accuracy, loss: test.loss },
            (Some(_), None, _) => {
                untested += 1;
                continue;
            }
            (None, _, None) => {
                unfinished += 1;
                continue;
            }
        };
        rows.push(row(trial, &factors, epochs, end));
    }
    if rows.is_empty() {
        return Err(Error::request(format!(
            "no trial of the study can be in a table ({untested} finished, but the test split is read at the study's end): \
             the command that began the study continues it"
        )));
    }
    let data = &environment.data;
    let subset = experiment.trainer.is_network().then(|| recipe::subset(&experiment.data)).flatten();
    let about = About {
        space: space(experiment),
        study: experiment.name.clone(),
        source: match &experiment.trainer {
            TrainerConfig::Network => "trained",
            TrainerConfig::Simulated(_) => "simulated",
            TrainerConfig::Tabular(_) => "replayed",
        }
        .into(),
        results: results.to_owned(),
        input,
        classes: data.classes.len(),
        images: [data.train, data.validation, data.test],
        data: data.description.clone(),
        data_hash: data.hash.clone(),
        recipe: [Some(format!("study seed {}; {}", experiment.seed, recipe::any(experiment))), subset]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
    };
    let table = Table::new(about, factors, epochs, rows)
        .map_err(|clash| Error::run(format!("the journal has a trial twice: {}", clash.message)))?;
    Ok(Tabulated { table, unfinished, short, untested })
}

/// Name of the search space; of an experiment with variants alone its own.
fn space(experiment: &Experiment) -> String {
    let stem = experiment.search.as_ref().and_then(|search| search.space.file_stem());
    stem.map_or_else(|| experiment.name.clone(), |stem| stem.to_string_lossy().into_owned())
}

fn row(trial: &Trial, factors: &[String], epochs: usize, end: End) -> Row {
    let candidate = &trial.candidate;
    let level = |factor: &String| candidate.level(factor).unwrap_or_default();
    let told = trial.epochs.get(..epochs).unwrap_or(&trial.epochs);
    Row {
        candidate: candidate.text.clone(),
        choices: factors.iter().map(level).collect(),
        params: candidate.params,
        madds: candidate.madds,
        activation_memory: candidate.activation_memory,
        seed: trial.seed,
        seconds: told.iter().map(|epoch| epoch.seconds).sum::<f64>() / told.len().max(1) as f64 + 0.0,
        epochs: told
            .iter()
            .map(|epoch| Epoch {
                accuracy: epoch.validation.accuracy,
                loss: epoch.validation.loss,
                train_accuracy: epoch.train.accuracy,
                train_loss: epoch.train.loss,
            })
            .collect(),
        end,
    }
}
