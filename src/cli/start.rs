//! The weights that an experiment's trials start from.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::memory::Budget;
use super::place::Place;
use crate::arch::Network;
use crate::config::yaml::Step;
use crate::config::{Experiment, StartClassifier, StartWeights};
use crate::error::{Error, Result};
use crate::export::Weights;

/// Weights to start from, and how they were asked for.
pub struct Start {
    pub weights: Option<Arc<Weights>>,
    /// On the command line, not in the experiment file.
    by_flag: bool,
}

impl Start {
    /// Reads the file that `--weights` or the experiment names; the experiment then says which it was.
    ///
    /// # Errors
    /// A sentence, with its place, where the file does not read.
    pub fn read(
        experiment: &mut Experiment,
        flag: Option<&PathBuf>,
        budget: Budget,
        place: Place<'_>,
    ) -> Result<Self> {
        let by_flag = flag.is_some();
        if let Some(path) = flag {
            experiment.train.weights = Some(StartWeights { path: path.clone(), hash: None });
        }
        let fresh_classifier = experiment.train.classifier == StartClassifier::Fresh;
        let Some(asked) = &mut experiment.train.weights else {
            if fresh_classifier {
                let message = "there are no weights to start from but for the classifier: name them with `train.weights` or \
                               --weights, or leave this out";
                let steps = [Step::Key("train".into()), Step::Key("classifier".into())];
                return Err(place.error(&steps, message));
            }
            return Ok(Self { weights: None, by_flag });
        };
        let none = Self { weights: None, by_flag };
        let weights = Weights::read(&asked.path, budget.bytes).map_err(|e| none.placed(&e, place))?;
        asked.hash = Some(weights.sha256());
        let weights = if fresh_classifier { weights.with_fresh_classifier() } else { weights };
        Ok(Self { weights: Some(Arc::new(weights)), by_flag })
    }

    /// Whether the weights are those of every network; what the user should know of how they are read, each once.
    ///
    /// # Errors
    /// A sentence, with its place, for the first that they do not fit.
    pub fn check<'a>(
        &self,
        networks: impl IntoIterator<Item = &'a Network>,
        place: Place<'_>,
    ) -> Result<BTreeSet<String>> {
        let mut notes = BTreeSet::new();
        let Some(weights) = &self.weights else { return Ok(notes) };
        for network in networks {
            notes.extend(weights.check(network).map_err(|error| self.placed(&error, place))?);
        }
        Ok(notes)
    }

    fn placed(&self, error: &Error, place: Place<'_>) -> Error {
        if self.by_flag {
            return Error::request(format!("--weights {error}"));
        }
        place.error(&[Step::Key("train".into()), Step::Key("weights".into())], &error.to_string())
    }
}
