//! What the trials of an experiment are trained on, and what trains them.

use std::path::Path;
use std::sync::Arc;

use super::place::Place;
use super::profiled;
use super::start::Start;
use crate::arch::{Network, Shape};
use crate::config::yaml::Step;
use crate::config::{DataFormat, Experiment, RungSchedule, SimulatedConfig};
use crate::data::{self, Data, DataRecord};
use crate::engine::units;
use crate::error::{Error, Result};
use crate::space::SearchSpace;
use crate::train::memory::trial_bytes;
use crate::train::{Memory, NetworkTrainer, SimulatedTrainer, Trainer};

/// Images with what they need to train on, or the settings of a simulation.
pub enum Trained<'a> {
    Images(Arc<Data>),
    Simulated { config: &'a SimulatedConfig, input: Shape, classes: usize },
}

impl<'a> Trained<'a> {
    /// Loads the images, where there is training to be done on them.
    ///
    /// # Errors
    /// A sentence, with its place, for what is wrong with the `data` section or its files, or what this machine cannot do.
    pub fn load(experiment: &'a Experiment, path: Option<&Path>, place: Place) -> Result<Self> {
        if let Some(config) = experiment.trainer.simulated() {
            let (input, classes) = simulated_images(experiment, place)?;
            return Ok(Self::Simulated { config, input, classes });
        }
        units(experiment.train.precision)
            .map_err(|error| place.located(Error::request(format!("train.precision: {error}"))))?;
        let loaded = data::load(&experiment.data, experiment.seed, path);
        loaded.map(|data| Self::Images(Arc::new(data))).map_err(|error| match (&experiment.data.path, path) {
            // What is wrong with the file that `data.path` names is wrong there.
            (Some(named), None) if error.to_string().starts_with(&*named.to_string_lossy()) => {
                place.located(Error::request(format!("data.path: {error}")))
            }
            _ => place.located(error),
        })
    }

    /// The images, where there are any.
    pub fn images(&self) -> Option<&Data> {
        match self {
            Self::Images(data) => Some(data),
            Self::Simulated { .. } => None,
        }
    }

    /// Shape of the images that every network takes, and number of classes.
    pub fn shape(&self) -> (Shape, usize) {
        match self {
            Self::Images(data) => (Shape::new(3, data.side.0, data.side.1), data.classes.len()),
            Self::Simulated { input, classes, .. } => (*input, *classes),
        }
    }

    /// What the journal says of the images.
    pub fn record(&self) -> DataRecord {
        match self {
            Self::Images(data) => data.record.clone(),
            Self::Simulated { input, classes, .. } => DataRecord {
                description: format!(
                    "no images: trials are simulated for {input} images in {classes} classes"
                ),
                hash: "simulated".into(),
                classes: (1..=*classes).map(|class| format!("class {class}")).collect(),
                train: 0,
                validation: 0,
                test: 0,
            },
        }
    }

    /// Bytes that a trial of `network` needs at its peak.
    pub fn need(&self, network: &Network, batch: usize) -> u64 {
        self.images().map_or(0, |data| trial_bytes(network, batch, data))
    }

    /// The trainer, each trial on `threads` threads and all together within `memory` bytes.
    pub fn trainer(
        &self,
        experiment: &Experiment,
        start: &Start,
        threads: usize,
        memory: Option<u64>,
    ) -> Box<dyn Trainer> {
        match self {
            Self::Images(data) => Box::new(NetworkTrainer {
                data: Arc::clone(data),
                config: experiment.train.clone(),
                augment: experiment.data.augment,
                threads,
                memory: Memory::new(memory),
                start: start.weights.clone(),
                rungs: fitted_rungs(experiment),
            }),
            Self::Simulated { config, classes, .. } => Box::new(SimulatedTrainer {
                config: (*config).clone(),
                epochs: experiment.train.epochs,
                classes: *classes,
            }),
        }
    }
}

/// The rungs to each of which the learning rate is fitted, where the search asks for that.
fn fitted_rungs(experiment: &Experiment) -> Vec<usize> {
    let budget = experiment.search.as_ref().map(|search| search.budget);
    let fitted = budget.filter(|budget| budget.schedule == RungSchedule::Fit);
    fitted.map_or_else(Vec::new, |budget| budget.epochs(experiment.train.epochs))
}

/// Shape and classes of the images that nobody reads: those that the search space is made for, or of the format.
fn simulated_images(experiment: &Experiment, place: Place) -> Result<(Shape, usize)> {
    if experiment.train.weights.is_some() {
        let message = "a simulation trains nothing, so it starts from no weights: leave them out, or take `trainer` away";
        return Err(place.error(&[Step::Key("train".into()), Step::Key("weights".into())], message));
    }
    if let Some(search) = &experiment.search {
        let space = SearchSpace::load(&search.space)?;
        let [c, h, w] = space.input;
        return Ok((Shape::new(c, h, w), space.classes));
    }
    match (profiled::images_of(experiment), experiment.data.format) {
        (Some(input), DataFormat::Shapes | DataFormat::Cifar10) => Ok((input, 10)),
        _ => Err(place.key(
            "data",
            "a simulation reads no images, so it cannot know their classes; take `format: shapes` or `cifar10`, or a `search`",
        )),
    }
}
