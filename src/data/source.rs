//! From the `data` section to a data set in memory.

use std::path::Path;

use super::dataset::{Dataset, check_side};
use super::{cifar10, images, shapes};
use crate::config::{DataConfig, DataFormat};
use crate::error::{Error, Result};

/// Reads the data set that `config` names; `data_override` (`--data`) stands in for `config.path`.
///
/// # Errors
/// A side, path or file that is missing or wrong, with how to get a right one.
pub fn open(config: &DataConfig, data_override: Option<&Path>) -> Result<Dataset> {
    if let Some(side) = config.side {
        check_side(side)?;
    }
    let path = data_override.or(config.path.as_deref());
    match config.format {
        DataFormat::Shapes => shapes::open(config.side),
        DataFormat::Cifar10 => {
            let dataset = cifar10::open(existing(path, "cifar10", cifar10::HOW_TO_GET)?)?;
            Ok(match config.side {
                Some(side) => dataset.fitted(side),
                None => dataset,
            })
        }
        DataFormat::Images => images::open(existing(path, "images", images::HOW_TO_GET)?, config.side),
    }
}

fn existing<'a>(path: Option<&'a Path>, format: &str, how_to_get: &str) -> Result<&'a Path> {
    let Some(path) = path else {
        return Err(Error::request(format!(
            "data.path: missing, and `{format}` reads images from this disk: {how_to_get}"
        )));
    };
    match path.try_exists() {
        Ok(true) => Ok(path),
        Ok(false) => Err(Error::request(format!("{}: no such file or folder: {how_to_get}", path.display()))),
        Err(error) => {
            Err(Error::request(format!("{}: cannot be read ({error}): {how_to_get}", path.display())))
        }
    }
}
