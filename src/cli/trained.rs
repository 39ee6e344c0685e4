//! What the trials of an experiment are trained on, and what trains them.

use std::path::Path;
use std::sync::Arc;

use super::place::Place;
use super::plan::Planned;
use super::profiled;
use super::start::Start;
use crate::arch::{Network, Shape};
use crate::config::yaml::Step;
use crate::config::{DataFormat, Experiment, RungSchedule, SimulatedConfig, TrainConfig};
use crate::data::{self, Data, DataRecord, Reading, epoch_images};
use crate::engine::units;
use crate::error::{Error, Result};
use crate::report::format::{counted, thousands};
use crate::space::SearchSpace;
use crate::study::event::CandidateRecord;
use crate::train::memory::trial_bytes;
use crate::train::{
    Memory, NetworkTrainer, SimulatedTrainer, Table, TabularTrainer, Trainer, simulated, tabular,
};

/// Images with what they need to train on, the settings of a simulation, or a table to replay.
pub enum Trained<'a> {
    Images(Arc<Data>),
    Simulated { config: &'a SimulatedConfig, input: Shape, classes: usize },
    Tabular { table: Arc<Table>, hash: String, file: &'a Path },
}

impl<'a> Trained<'a> {
    /// Loads the images, where there is training to be done on them.
    ///
    /// # Errors
    /// A sentence, with its place, for what is wrong with the `data` section or its files, or what this machine cannot do.
    pub fn load(experiment: &'a Experiment, path: Option<&Path>, place: Place) -> Result<Self> {
        if !experiment.trainer.is_network() && experiment.train.weights.is_some() {
            let message = "a simulation trains nothing, so it starts from no weights: leave them out, or take `trainer` away";
            return Err(place.error(&keys(&["train", "weights"]), message));
        }
        if let Some(config) = experiment.trainer.tabular() {
            return Self::table(experiment, &config.table, place);
        }
        if let Some(config) = experiment.trainer.simulated() {
            let (input, classes) = simulated_images(experiment, place)?;
            return Ok(Self::Simulated { config, input, classes });
        }
        units(experiment.train.precision)
            .map_err(|error| place.located(Error::request(format!("train.precision: {error}"))))?;
        let loaded = data::load(&experiment.data, experiment.seed, path);
        let data = loaded.map_err(|error| match (&experiment.data.path, path) {
            // What is wrong with the file that `data.path` names is wrong there.
            (Some(named), None) if error.to_string().starts_with(&*named.to_string_lossy()) => {
                place.located(Error::request(format!("data.path: {error}")))
            }
            _ => place.located(error),
        })?;
        let TrainConfig { batch, drop_last, .. } = experiment.train;
        if epoch_images(data.train.len(), batch, drop_last) == 0 {
            let message = format!(
                "{} training images do not fill a batch of {batch}, so an epoch would have none: lower train.batch, or take \
                 drop_last away",
                thousands(data.train.len() as u64)
            );
            return Err(place.error(&keys(&["train", "drop_last"]), &message));
        }
        Ok(Self::Images(Arc::new(data)))
    }

    /// The table of a file, which must have as many epochs as the experiment asks for.
    fn table(experiment: &Experiment, file: &'a Path, place: Place) -> Result<Self> {
        let table = Table::read(file)?;
        let epochs = experiment.train.epochs;
        if epochs > table.epochs {
            let message = tabular::too_many_epochs(&table, &file.display().to_string(), epochs);
            return Err(place.error(&keys(&["train", "epochs"]), &message));
        }
        Ok(Self::Tabular { hash: table.hash()?, table: Arc::new(table), file })
    }

    /// Whether every variant can be trained, or replayed.
    ///
    /// # Errors
    /// A sentence, with its place, for the first variant that the table lacks.
    pub fn check(&self, variants: &[Planned], place: Place) -> Result<()> {
        let Self::Tabular { table, file, .. } = self else { return Ok(()) };
        let lacks = |(_, (record, _)): &(usize, &Planned)| !table.has(&record.text);
        let Some((number, (record, _))) = variants.iter().enumerate().find(lacks) else { return Ok(()) };
        let steps = [Step::Key("variants".into()), Step::Item(number), Step::Key("network".into())];
        Err(place.error(&steps, &tabular::missing(table, &file.display().to_string(), &record.text)))
    }

    /// The images, where there are any.
    pub fn images(&self) -> Option<&Data> {
        match self {
            Self::Images(data) => Some(data),
            Self::Simulated { .. } | Self::Tabular { .. } => None,
        }
    }

    /// Simulated seconds of a trial of a candidate, where nothing is trained; 0 where the trial cannot be replayed.
    pub fn simulated_seconds(&self, record: &CandidateRecord, epochs: usize) -> Option<f64> {
        match self {
            Self::Images(_) => None,
            Self::Simulated { config, .. } => {
                let of_epoch = |epoch| {
                    let known = simulated::known(record.params, record.madds, epoch, epochs);
                    config.seconds_per_epoch.value(&known)
                };
                Some((1..=epochs).map(of_epoch).filter(|seconds| seconds.is_finite()).sum())
            }
            Self::Tabular { table, .. } => {
                Some(table.seconds(&record.text).map_or(0.0, |seconds| seconds * epochs as f64))
            }
        }
    }

    /// Shape of the images that every network takes, and number of classes.
    pub fn shape(&self) -> (Shape, usize) {
        match self {
            Self::Images(data) => (Shape::new(3, data.side.0, data.side.1), data.classes.len()),
            Self::Simulated { input, classes, .. } => (*input, *classes),
            Self::Tabular { table, .. } => (table.about.input, table.about.classes),
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
                reading: Default::default(),
            },
            Self::Tabular { table, hash, file } => {
                let [train, validation, test] = table.about.images;
                DataRecord {
                    description: format!(
                        "no images: trials are replayed from {} of the study {} ({} of {}, {}; {}, {})",
                        file.file_name().unwrap_or_default().to_string_lossy(),
                        table.about.study,
                        thousands(table.rows().len() as u64) + " trials",
                        counted(table.candidates(), "candidate"),
                        counted(table.epochs, "epoch"),
                        table.about.source,
                        table.about.data,
                    ),
                    hash: hash.clone(),
                    classes: (1..=table.about.classes).map(|class| format!("class {class}")).collect(),
                    train,
                    validation,
                    test,
                    reading: Reading { warnings: table.warnings() },
                }
            }
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
            Self::Tabular { table, file, .. } => Box::new(TabularTrainer {
                table: Arc::clone(table),
                file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                epochs: experiment.train.epochs,
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

/// The steps to a key of a key.
fn keys(keys: &[&str]) -> Vec<Step> {
    keys.iter().map(|key| Step::Key((*key).to_owned())).collect()
}

/// Shape and classes of the images that nobody reads: those that the search space is made for, or of the format.
fn simulated_images(experiment: &Experiment, place: Place) -> Result<(Shape, usize)> {
    if let Some(search) = experiment.search.as_ref().filter(|search| search.netadapt.is_none()) {
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
