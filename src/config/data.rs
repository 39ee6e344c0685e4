//! The `data` section.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which images, and how they are split and augmented.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    pub format: DataFormat,
    /// File or folder; `--data` overrides it. Not needed for `shapes`.
    pub path: Option<PathBuf>,
    /// Side in pixels that images are brought to; the format's own side where absent.
    pub side: Option<usize>,
    /// Images held out of the training set for validation (stratified, from the study's seed):
    /// a fraction below 1, or a number of images.
    pub validation: f64,
    /// Caps for runs on a budget; the report says so when they are set.
    pub limit: Limit,
    pub augment: Augment,
}

/// At most this many images of each split, stratified, chosen from the study's seed. `None` takes all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    pub train: Option<usize>,
    pub validation: Option<usize>,
    pub test: Option<usize>,
}

/// Format of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataFormat {
    /// The built-in procedural set: textured shapes, ten classes, no download.
    Shapes,
    /// CIFAR-10 binary batches: a folder or `cifar-10-binary.tar.gz`.
    Cifar10,
    /// `train/<class>/*` and `test|val/<class>/*`: a folder, or inside a tar or tar.gz.
    Images,
}

/// Augmentation of training images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Augment {
    /// Zero padding (after normalisation) on each side before a random crop back to size; 0 is off.
    pub pad_crop: usize,
    /// Horizontal flip with probability one half.
    pub flip: bool,
}
