//! The network that `netadapt` shrinks: from a text, a name, or the best candidate of another study.

use std::collections::HashMap;
use std::path::Path;

use super::place::Place;
use crate::arch::{Shape, build, zoo};
use crate::config::netadapt::Origin;
use crate::config::yaml::Step;
use crate::config::{Experiment, NetAdaptConfig, Objective, RewardConfig, SpaceContent, TrainerConfig};
use crate::error::{Error, Result};
use crate::search::Reward;
use crate::space::notation;
use crate::study::event::CandidateRecord;
use crate::study::{StudyState, TrialStatus, state};

/// Notes in the experiment which network `netadapt` begins from, in block notation. Where the study in `dir` (`None`: there is
/// none yet) began from the same place, it is the network that it found there then.
///
/// # Errors
/// A sentence, with its place, where there is no such network, or none whose blocks can be shrunk.
pub fn note_origin(experiment: &mut Experiment, dir: Option<&Path>, place: Place) -> Result<()> {
    let is_tabular = matches!(experiment.trainer, TrainerConfig::Tabular(_));
    let Some(search) = &mut experiment.search else { return Ok(()) };
    let Some(config) = &mut search.netadapt else { return Ok(()) };
    let at = |key: &str, message: String| {
        let steps = ["search", key].map(|key| Step::Key(key.to_owned()));
        place.error(&steps, &message)
    };
    if is_tabular {
        let message = "a table has no network but those that were trained for it, and netadapt makes new ones: train \
                       networks, or take `trainer: simulated`";
        return Err(at("strategy", message.into()));
    }
    config.notation = match &config.origin {
        Origin::Network(text) => of_text(text),
        Origin::Study(folder) => match dir.and_then(|dir| known(dir, config)) {
            Some(known) => Ok(known),
            None => state::read(folder).and_then(|state| best(&state, folder)),
        },
    }
    .map_err(|error| at("from", error.to_string()))?;
    search.content = Some(SpaceContent {
        factors: Default::default(),
        constraints: Default::default(),
        first: config.notation.clone(),
        unbuildable: None,
    });
    Ok(())
}

/// What the study in `dir` began from, where it was to begin from the same place.
fn known(dir: &Path, config: &NetAdaptConfig) -> Option<String> {
    let before = state::read(dir).ok()?.experiment.search?.netadapt?;
    let is_same = match (&before.origin, &config.origin) {
        // Seen from another folder it has another path.
        (Origin::Study(before), Origin::Study(now)) => before.file_name() == now.file_name(),
        (before, now) => before == now,
    };
    (is_same && !before.notation.is_empty()).then_some(before.notation)
}

/// The block notation of a named network, or of a text in it.
fn of_text(text: &str) -> Result<String> {
    let name = text.split_whitespace().next().unwrap_or_default();
    let known = zoo::catalogue().into_iter().any(|about| about.name == name);
    // A text is built for the images of the study later, a name has to be looked up.
    if let (false, Ok(candidate)) = (known, notation::parse(text)) {
        return Ok(candidate.text());
    }
    let named = zoo::resolve(text, &zoo::Options::default())?;
    let candidate = notation::parse(&named.text).map_err(|_| {
        Error::request(format!(
            "{name} is not made of blocks that have a notation, so they cannot be shrunk one by one: write a network like it in \
             block notation, such as `stem_k3_s2_c16_nhs ir_r1_k3_s2_h72_c24_nre`"
        ))
    })?;
    Ok(candidate.text())
}

/// A candidate with the figures of its finished trials.
struct Finished<'a> {
    record: &'a CandidateRecord,
    accuracies: Vec<f64>,
}

/// The best candidate of a finished study: by the reward of its search, else by mean validation accuracy; the first of equals.
/// Variants count where the study searched for nothing.
pub fn best(state: &StudyState, folder: &Path) -> Result<String> {
    let dir = folder.display();
    if !state.finished {
        return Err(Error::request(format!(
            "the study in {dir} is not finished: give its `run` command again, or name a network in block notation"
        )));
    }
    let reward = state.experiment.search.as_ref().and_then(|search| search.reward.as_ref());
    let has_search = state.experiment.search.is_some();
    let mut candidates: Vec<Finished<'_>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for trial in state.trials.iter().filter(|trial| trial.status == TrialStatus::Finished) {
        let record = &trial.candidate;
        let Some(result) = trial.result.as_ref().filter(|_| record.is_variant != has_search) else {
            continue;
        };
        if notation::parse(&record.text).is_err() {
            continue;
        }
        let place = *places.entry(&record.hash).or_insert_with(|| {
            candidates.push(Finished { record, accuracies: Vec::new() });
            candidates.len() - 1
        });
        candidates[place].accuracies.push(result.validation.accuracy);
    }
    let mut best: Option<(f64, &CandidateRecord)> = None;
    for Finished { record, accuracies } in &candidates {
        let accuracy = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
        let value = match reward {
            Some(reward) => rewarded(reward, accuracy, cost(state, record, reward.cost).ok_or_else(|| {
                Error::request(format!(
                    "the reward of the study in {dir} is of a cost that its journal does not tell: name the network in block notation"
                ))
            })?),
            None => accuracy,
        };
        if value.is_finite() && best.is_none_or(|(highest, _)| value > highest) {
            best = Some((value, record));
        }
    }
    best.map(|(_, record)| record.text.clone()).ok_or_else(|| {
        Error::request(format!(
            "the study in {dir} has no finished candidate in block notation: name another study, or a network"
        ))
    })
}

fn rewarded(config: &RewardConfig, accuracy: f64, cost: f64) -> f64 {
    let RewardConfig { target, alpha, beta, .. } = *config;
    Reward { target, alpha, beta }.of(accuracy, cost)
}

/// A cost of a candidate, as far as it is known from its journal and notation.
fn cost(state: &StudyState, record: &CandidateRecord, cost: Objective) -> Option<f64> {
    Some(match cost {
        Objective::Params => record.params as f64,
        Objective::Madds => record.madds as f64,
        Objective::ActivationMemory => record.activation_memory as f64,
        Objective::Size => {
            let [c, h, w] =
                crate::space::SearchSpace::load(&state.experiment.search.as_ref()?.space).ok()?.input;
            let classes = state.environments.first()?.data.classes.len();
            let candidate = notation::parse(&record.text).ok()?;
            crate::cost::of(&build::network(&candidate, Shape::new(c, h, w), classes).ok()?).size as f64
        }
        Objective::Accuracy | Objective::Loss | Objective::Latency => return None,
    })
}
