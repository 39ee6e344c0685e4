//! Images: formats, splits and batches.
//!
//! [`load`] reads a data set ([`source`]), holds a validation split out of its training images ([`split`]), measures the
//! normalisation on what is left, and hands out splits that [`Batcher`] turns into batches. Images stay bytes in memory
//! until a batch is made.

mod archive;
pub mod batch;
pub mod cifar10;
pub mod dataset;
pub mod images;
pub mod measure;
pub mod normalise;
mod record;
pub mod shapes;
pub mod source;
pub mod split;
mod stream;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod real_data_tests;

use std::path::Path;
use std::sync::Arc;

pub use batch::{Batcher, epoch_images};
pub use dataset::{CHANNELS, Dataset, Pool};
pub use normalise::Normalisation;
pub use record::{DataRecord, Reading};
pub use split::{Split, TestSplit};

use crate::config::DataConfig;
use crate::error::{Error, Result};

/// A data set ready for training: three splits, the normalisation they share, and what the journal says of them.
#[derive(Debug, Clone)]
pub struct Data {
    pub train: Split,
    /// Held out of the training images; what candidates are compared by.
    pub validation: Split,
    /// Closed until [`TestSplit::open_test`].
    pub test: TestSplit,
    /// Measured on `train` (after hold-out and limit) alone, applied to all three splits.
    pub normalisation: Normalisation,
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// Height and width of every image in pixels.
    pub side: (usize, usize),
    pub record: DataRecord,
}

/// Reads the data set that `config` names and splits it by `study_seed`; `data_override` (`--data`) stands in for
/// `config.path`. The built-in `shapes` needs no path and ignores both.
///
/// # Errors
/// A missing, damaged or foreign file; a validation split or a limit that the data set cannot give.
pub fn load(config: &DataConfig, study_seed: u64, data_override: Option<&Path>) -> Result<Data> {
    Data::new(source::open(config, data_override)?, config, study_seed)
}

impl Data {
    /// Splits a data set that is already in memory: hold-out first, then the limits, then the normalisation.
    ///
    /// # Errors
    /// A validation split, a limit or a crop that the data set cannot give.
    pub fn new(dataset: Dataset, config: &DataConfig, study_seed: u64) -> Result<Data> {
        let (height, width) = dataset.side;
        if config.augment.pad_crop >= height.min(width) {
            return Err(Error::request(format!(
                "data.augment.pad_crop: {} is not below the images' side ({height}x{width}), so a crop could miss the whole image",
                config.augment.pad_crop
            )));
        }
        let rows = split::rows(&dataset, config.validation, &config.limit, study_seed)?;
        let record = DataRecord {
            description: dataset.description.clone(),
            hash: dataset.hash(),
            classes: dataset.classes.clone(),
            train: rows.train.len(),
            validation: rows.validation.len(),
            test: rows.test.len(),
            reading: Reading {
                warnings: split::warnings("validation", config.validation, dataset.train.len()),
            },
        };
        let Dataset { train: pool, test, classes, side, .. } = dataset;
        let pool = Arc::new(pool);
        let normalisation = Normalisation::measure(rows.train.iter().map(|&row| pool.image(row as usize)));
        let split = |pool: &Arc<Pool>, rows| Split::new(Arc::clone(pool), rows, side, normalisation);
        Ok(Data {
            train: split(&pool, rows.train),
            validation: split(&pool, rows.validation),
            test: TestSplit::new(split(&Arc::new(test), rows.test)),
            normalisation,
            classes,
            side,
            record,
        })
    }
}
