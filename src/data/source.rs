//! From the `data` section to a data set in memory.

use std::path::Path;

use super::dataset::{CHANNELS, Dataset, check_side};
use super::{cifar10, images, shapes};
use crate::config::{DataConfig, DataFormat};
use crate::error::{Error, Result};
use crate::text;

/// Reads the data set that `config` names, in at most `memory` bytes; `data_override` (`--data`) stands in for `config.path`.
///
/// # Errors
/// A side, path or file that is missing or wrong, with how to get a right one.
pub fn open(config: &DataConfig, data_override: Option<&Path>, memory: Option<u64>) -> Result<Dataset> {
    if let Some(side) = config.side {
        check_side(side)?;
    }
    let path = data_override.or(config.path.as_deref());
    match config.format {
        DataFormat::Shapes => {
            fits(shapes::TRAIN + shapes::TEST, config.side, memory)?;
            shapes::open(config.side)
        }
        DataFormat::Cifar10 => {
            let dataset = cifar10::open(existing(path, "cifar10", cifar10::HOW_TO_GET)?, memory)?;
            fits(dataset.train.len() + dataset.test.len(), config.side, memory)?;
            Ok(match config.side {
                Some(side) => dataset.fitted(side),
                None => dataset,
            })
        }
        DataFormat::Images => {
            let options = images::Options {
                side: config.side,
                background: config.background,
                test: config.test,
                memory,
            };
            images::open(existing(path, "images", images::HOW_TO_GET)?, &options)
        }
    }
}

/// Whether so many images of a side fit the memory; where no side is given they have the few pixels of their format.
fn fits(images: usize, side: Option<usize>, memory: Option<u64>) -> Result<()> {
    let bytes = side.map_or(0, |side| (images * side * side * CHANNELS) as u64);
    match memory {
        Some(memory) if bytes > memory => Err(Error::request(format!(
            "data.side: {} of it need {}, and the memory budget is {}: lower data.side, or give a larger --memory",
            text::counted(images, "image"),
            text::bytes(bytes),
            text::bytes(memory)
        ))),
        _ => Ok(()),
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
