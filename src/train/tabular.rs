//! A trainer that trains nothing: each trial's figures are those that a table recorded, in simulated time, so that strategies
//! are compared on real curves in moments.

use std::sync::Arc;

use super::replay::{check, replay, weights};
use super::table::{End, Row, Table};
use super::{Trainer, TrialEnd, TrialObserver, TrialTask, simulated};
use crate::config::LatencyConfig;
use crate::engine::Latency;
use crate::error::{Error, Result};
use crate::study::event::{EpochMetrics, Metrics};
use crate::text::thousands;

/// Whose weights they are.
const KIND: &str = "tabular";

/// Replays the trials of a table.
///
/// A seed that the table lacks takes the figures of one that it has ([`Table::trial`]). A trial of fewer epochs than the table
/// has is the beginning of the table's; the test split was read at the table's last epoch alone, so for such a trial the
/// validation figures of its last epoch stand for those of the test split.
#[derive(Debug, Clone)]
pub struct TabularTrainer {
    pub table: Arc<Table>,
    /// Name of the table's file, for reasons of failures: without its folder, on which results must not depend.
    pub file: String,
    /// Epochs of every trial.
    pub epochs: usize,
}

impl TabularTrainer {
    /// Epochs of one trial.
    fn epochs(&self, task: &TrialTask) -> usize {
        task.until.unwrap_or(self.epochs)
    }

    /// Why a trial cannot be replayed for so many epochs, where it cannot.
    fn row(&self, task: &TrialTask, epochs: usize) -> std::result::Result<&Row, String> {
        if epochs > self.table.epochs {
            return Err(too_many_epochs(&self.table, &self.file, epochs));
        }
        self.table.trial(&task.text, task.seed).ok_or_else(|| missing(&self.table, &self.file, &task.text))
    }
}

/// A sentence about a candidate that the table lacks.
pub fn missing(table: &Table, file: &str, candidate: &str) -> String {
    format!(
        "`{candidate}` is not among the {} candidates of {file}: search the space that the table is of{}, or train networks",
        thousands(table.candidates() as u64),
        if table.about.space.is_empty() { String::new() } else { format!(" ({})", table.about.space) }
    )
}

/// A sentence about more epochs than the table has.
pub fn too_many_epochs(table: &Table, file: &str, epochs: usize) -> String {
    format!(
        "{file} has {} epochs of each trial, so {epochs} cannot be replayed; take at most {}",
        table.epochs, table.epochs
    )
}

impl Trainer for TabularTrainer {
    fn train(&self, task: &TrialTask, observer: &mut dyn TrialObserver) -> Result<TrialEnd> {
        let epochs = self.epochs(task);
        let [train, validation, _] = self.table.about.images;
        let of_epoch = |epoch: usize| {
            let row = self.row(task, epochs)?;
            let figures = epoch.checked_sub(1).and_then(|before| row.epochs.get(before));
            match (figures, &row.end) {
                (Some(figures), _) => Ok(EpochMetrics {
                    epoch,
                    lr: 0.0,
                    train: figures.train(train),
                    validation: figures.validation(validation),
                    seconds: row.seconds,
                }),
                (None, End::Failed { reason }) => Err(reason.clone()),
                (None, End::Finished { .. }) => Err(too_many_epochs(&self.table, &self.file, epoch)),
            }
        };
        replay(epochs, weights(KIND, task), observer, of_epoch)
    }

    fn test(&self, task: &TrialTask, kept: &[u8], _: &(dyn Fn() -> bool + Sync)) -> Result<Option<Metrics>> {
        check(KIND, task, kept)?;
        let epochs = self.epochs(task);
        let row = self.row(task, epochs).map_err(Error::request)?;
        let [_, validation, test] = self.table.about.images;
        match (&row.end, row.epochs.get(epochs.saturating_sub(1))) {
            (End::Finished { accuracy, loss }, _) if epochs == self.table.epochs => {
                Ok(Some(Metrics { loss: *loss, accuracy: *accuracy, images: test }))
            }
            (_, Some(last)) => Ok(Some(last.validation(validation))),
            // A trial that failed was never finished, so nobody asks.
            (_, None) => Err(Error::run(format!("trial {}: {} has no figures of it", task.trial, self.file))),
        }
    }

    /// A table has no latencies: they are computed as [`simulated::latency`] does.
    fn latency(
        &self,
        task: &TrialTask,
        config: &LatencyConfig,
        _: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Latency>> {
        Ok(Some(simulated::latency(&task.network, config)))
    }
}
