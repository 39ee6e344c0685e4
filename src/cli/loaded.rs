//! A network with weights, from wherever the command line says: a name, a file of weights, a trial of a study.

use std::path::Path;
use std::sync::Arc;

use super::memory::Budget;
use super::profiled::{self, Asked, Target};
use super::{numbers, output, studied};
use crate::arch::{Network, zoo};
use crate::config::Keep;
use crate::cost;
use crate::engine::{Model, Workers};
use crate::error::{Error, Result};
use crate::export::{About, Weights, fold};
use crate::study::{folder, state};

/// A model and what is known of it.
pub struct Loaded {
    pub model: Model<f32>,
    pub about: About,
    /// Where the weights are from, for people.
    pub source: String,
}

/// Copies of the weights that are in memory at once: the file read, the model, a folded one, the file to write.
const COPIES: u64 = 5;

/// A named network, block notation or a search space's first candidate, with weights at random from `seed`.
///
/// # Errors
/// There is no such network, or it is larger than memory.
pub fn of_network(network: &str, asked: &Asked<'_>, seed: u64) -> Result<Loaded> {
    let found = find(network, asked)?;
    let about = About::new(found.1, found.0.input(), found.0.classes);
    let mut stream = [0; 32];
    stream[..8].copy_from_slice(&seed.to_le_bytes());
    let model = fresh(found.0, stream)?;
    Ok(Loaded { model, about, source: format!("weights at random from seed {seed}") })
}

/// A file of weights, for the network that is named or that the file itself names.
///
/// # Errors
/// A sentence where the file does not read or name a network, or does not fit it.
pub fn of_file(path: &Path, network: Option<&str>, asked: &Asked<'_>) -> Result<Loaded> {
    let weights = Weights::read(path, Budget::new(None).bytes)?;
    let said = weights.about()?;
    let Some(name) = network.or(said.as_ref().map(|about| about.network.as_str())) else {
        return Err(Error::request(format!(
            "{}: the file does not say which network it is for (blocksmith's own files do): name the network too",
            path.display()
        )));
    };
    let asked = Asked {
        input: asked.input.or(said.as_ref().map(|about| about.input)),
        classes: asked.classes.or(said.as_ref().map(|about| about.classes)),
        ..asked.clone()
    };
    let (network, text) = find(name, &asked)?;
    let network = as_written(network, name, &weights, said.as_ref().is_some_and(|about| about.folded));
    let own = About::new(text, network.input(), network.classes);
    let about = match said {
        Some(said) => About { network: own.network, input: own.input, classes: own.classes, ..said },
        None => own,
    };
    load(network, about, &weights, format!("weights of {}", path.display()))
}

/// The network with the names of its text as it is written, where weights have those: files of before may.
fn as_written(network: Network, text: &str, weights: &Weights, folded: bool) -> Network {
    let fits = |network: &Network| match folded {
        true => weights.check(&fold::structure(network)).is_ok(),
        false => weights.check(network).is_ok(),
    };
    if fits(&network) {
        return network;
    }
    let options =
        zoo::Options { classes: Some(network.classes), input: Some(network.input()), ..Default::default() };
    let written = zoo::as_written(text, &options).ok().map(|named| named.network);
    match written.filter(|written| written.hash() == network.hash() && fits(written)) {
        Some(written) => Network { name: network.name, ..written },
        None => network,
    }
}

/// A trained trial of a study: the one that is named, or the one with the highest validation accuracy.
///
/// # Errors
/// A sentence where there is no such trial, it did not finish, or its weights are gone.
pub fn of_study(dir: &Path, pick: Option<&str>) -> Result<Loaded> {
    let study = state::read(dir)?;
    if !study.experiment.trainer.is_network() {
        return Err(Error::request(format!(
            "{}: this study is simulated, so its trials have no weights: name a study of trained networks",
            dir.display()
        )));
    }
    let trial = studied::choose(&study, dir, pick, true)?;
    let path = folder::checkpoint(dir, trial.number);
    let keep = study.experiment.checkpoints.keep;
    if keep != Keep::All && !path.exists() {
        return Err(Error::request(format!(
            "{}: the weights of trial {} were not kept (checkpoints.keep of the experiment is {keep}): name a trial whose \
             weights are in the folder checkpoints with --trial N",
            dir.display(),
            trial.number
        )));
    }
    let weights = Weights::read(&path, Budget::new(None).bytes)?;
    let said = weights.about()?;
    let record = study.environments.first().map(|environment| &environment.data);
    let class_names = record.map(|record| record.classes.clone()).unwrap_or_default();
    let named = studied::network(&study, dir, trial, said.as_ref())?;
    let network = named.network;
    let own = About { class_names, ..About::new(named.text, network.input(), network.classes) };
    let about = said.unwrap_or(own);
    let about = About { trial: Some((study.experiment.name.clone(), trial.number)), ..about };
    let source = format!("weights of trial {} of {}", trial.number, study.experiment.name);
    load(network, about, &weights, source)
}

/// The network of a name, and its text.
fn find(network: &str, asked: &Asked<'_>) -> Result<(Network, String)> {
    match profiled::find(network, asked)? {
        Target::Network(found) => Ok((found.network, found.text)),
        Target::Experiment(..) => Err(Error::request(format!(
            "{network}: an experiment has several networks: name one of them, or the folder of its study"
        ))),
    }
}

fn load(network: Network, about: About, weights: &Weights, source: String) -> Result<Loaded> {
    let network = if about.folded { fold::structure(&network) } else { network };
    // Before a model is made: what does not fit may be far too large.
    for note in weights.check(&network)? {
        output::complain(&format!("note: {note}"));
    }
    let mut model = fresh(network, [0; 32])?;
    weights.load_into(&mut model)?;
    Ok(Loaded { model, about, source })
}

/// A model with fresh weights, where there is room for them.
fn fresh(network: Network, stream: [u8; 32]) -> Result<Model<f32>> {
    let bytes = cost::of(&network).params.saturating_mul(4 * COPIES);
    let budget = Budget::new(None);
    if !budget.allows(bytes) {
        return Err(Error::request(format!(
            "{}: its weights need {} of memory, and {}: take a smaller network",
            network.name,
            numbers::bytes(bytes),
            budget.text()
        )));
    }
    Ok(Model::new(network, stream, Arc::new(Workers::new(1)?)))
}
