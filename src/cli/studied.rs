//! A trial of a study as a network: which trial is meant, its images, its layers.

use std::path::Path;

use super::profiled;
use crate::arch::{Shape, zoo};
use crate::error::{Error, Result};
use crate::export::{About, Weights};
use crate::space::SearchSpace;
use crate::study::{StudyState, Trial, TrialStatus, folder};

/// The trial that `pick` names: its number, its candidate's name, or the beginning of its hash; of several the
/// best. Without one it is the trial with the highest validation accuracy.
///
/// # Errors
/// A sentence where there is no such trial, or, with `finished`, where it has not finished.
pub fn choose<'a>(
    study: &'a StudyState,
    dir: &Path,
    pick: Option<&str>,
    finished: bool,
) -> Result<&'a Trial> {
    let wrong = |what: String| Error::request(format!("{}: {what}", dir.display()));
    let Some(pick) = pick else {
        return study.best().or_else(|| study.trials.first().filter(|_| !finished)).ok_or_else(|| {
            wrong("no trial of this study has finished yet: give the command again once one has".into())
        });
    };
    if let Some(trial) = pick.parse().ok().and_then(|number| study.trial(number)) {
        return if finished { has_finished(trial, dir) } else { Ok(trial) };
    }
    let meant = named(study, pick);
    let hash = |trial: &Trial| trial.candidate.hash.clone();
    if let Some(other) = meant.iter().find(|trial| hash(trial) != hash(meant[0])) {
        return Err(wrong(format!(
            "--trial {pick}: several candidates have hashes that begin so, {} and {} among them: give more of it",
            hash(meant[0]),
            hash(other)
        )));
    }
    let accuracy = |trial: &&&Trial| trial.result.as_ref().map(|result| result.validation.accuracy);
    let best = meant
        .iter()
        .rev()
        .max_by(|a, b| accuracy(a).partial_cmp(&accuracy(b)).unwrap_or(std::cmp::Ordering::Equal));
    match best {
        Some(trial) if finished => has_finished(trial, dir),
        Some(trial) => Ok(trial),
        None => Err(wrong(format!(
            "--trial {pick}: there is no trial of this number, and no candidate with this name or a hash that begins so: the study has \
             trials 1 to {}, and its report lists them",
            study.trials.len()
        ))),
    }
}

/// Trials of the variant or candidate of this name, else of the candidates whose hashes begin so.
fn named<'a>(study: &'a StudyState, pick: &str) -> Vec<&'a Trial> {
    let of = |is: &dyn Fn(&Trial) -> bool| study.trials.iter().filter(|trial| is(trial)).collect::<Vec<_>>();
    let labelled = of(&|trial| trial.candidate.label == pick);
    // Fewer characters are rather a mistake than a hash.
    let is_hash = pick.len() >= SHORTEST && pick.chars().all(|c| c.is_ascii_hexdigit());
    match labelled.is_empty() && is_hash {
        true => of(&|trial| trial.candidate.hash.starts_with(&pick.to_ascii_lowercase())),
        false => labelled,
    }
}

/// Characters of a hash that are enough to look for it.
const SHORTEST: usize = 4;

fn has_finished<'a>(trial: &'a Trial, dir: &Path) -> Result<&'a Trial> {
    let (number, dir) = (trial.number, dir.display());
    match (trial.status, &trial.failure) {
        (TrialStatus::Finished, _) => Ok(trial),
        (_, Some(failure)) => Err(Error::request(format!(
            "{dir}: trial {number} failed ({}), so it has no weights: name another with --trial",
            failure.reason
        ))),
        _ => Err(Error::request(format!(
            "{dir}: trial {number} has not finished, so it has no weights yet: name another with --trial"
        ))),
    }
}

/// The network of a trial, without its weights.
///
/// # Errors
/// A sentence where nothing says which images it takes, or it cannot be built.
pub fn network(study: &StudyState, dir: &Path, trial: &Trial, said: Option<&About>) -> Result<zoo::Named> {
    let classes = study.environments.first().map(|environment| environment.data.classes.len());
    let options = zoo::Options { classes, input: input(study, dir, trial, said), ..Default::default() };
    // Its weights have the names of the text that they were trained under.
    let mut named = zoo::as_written(&trial.candidate.text, &options)?;
    named.network.name.clone_from(&trial.candidate.label);
    Ok(named)
}

/// The images of a trial: as its weights say, the experiment, or the search space.
fn input(study: &StudyState, dir: &Path, trial: &Trial, said: Option<&About>) -> Option<Shape> {
    let of_weights = || {
        let weights = Weights::read(&folder::checkpoint(dir, trial.number), None).ok()?;
        weights.about().ok()?.map(|about| about.input)
    };
    let of_space = || {
        let [c, h, w] = SearchSpace::load(&study.experiment.search.as_ref()?.space).ok()?.input;
        Some(Shape::new(c, h, w))
    };
    said.map(|about| about.input)
        .or_else(|| profiled::images_of(&study.experiment))
        .or_else(of_weights)
        .or_else(of_space)
}
