//! The `data` section.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::yaml::{At, Node, Read};

/// Which images, and how they are split and augmented.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    pub format: DataFormat,
    /// File or folder; `--data` overrides it. In the file it is relative to the file's folder. Not needed for `shapes`.
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
    /// Pixels of padding on each side before a random crop back to size; 0 is off.
    pub pad_crop: usize,
    /// Horizontal flip with probability one half.
    pub flip: bool,
    /// What the padding is.
    #[serde(default, skip_serializing_if = "Pad::is_zero")]
    pub pad: Pad,
}

/// What lies around an image that is padded before it is cropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pad {
    /// Zeros after normalisation: pixels of the mean colour.
    #[default]
    Zero,
    /// Black pixels: zeros before normalisation, as torchvision's `RandomCrop(padding=N)` has them in its usual place before
    /// `Normalize`.
    Black,
    /// The image mirrored at its edge, which is not repeated (`reflect` of NumPy and torchvision).
    Reflect,
}

impl Pad {
    const NAMED: [(&'static str, Self); 3] =
        [("zero", Self::Zero), ("black", Self::Black), ("reflect", Self::Reflect)];

    fn is_zero(&self) -> bool {
        *self == Self::Zero
    }
}

impl DataConfig {
    /// The built-in shapes, all as it is where nothing is said.
    pub fn of_shapes() -> Self {
        let format = DataFormat::Shapes;
        Self {
            format,
            path: None,
            side: None,
            validation: 0.1,
            limit: Limit::default(),
            augment: Augment::default_of(format),
        }
    }

    /// Reads the section. Only `format` must be there.
    pub(super) fn read(at: &At<'_>) -> Read<Self> {
        if let Some(at) = at.any_keys("data")?.get("drop_last") {
            return Err(
                at.problem("`drop_last` stands in the section `train`, next to `batch`; move it there")
            );
        }
        let keys = at.keys("data", &["format", "path", "side", "validation", "limit", "augment"])?;
        let format = keys.required("format", "format: cifar10")?.one_of(
            "a data format",
            &[
                ("shapes", DataFormat::Shapes),
                ("cifar10", DataFormat::Cifar10),
                ("images", DataFormat::Images),
            ],
        )?;
        let side = |at: At<'_>| at.count(8..=1024, "a side in pixels (a whole number, 8 to 1024)");
        Ok(Self {
            format,
            path: keys.optional("path").map(|at| at.text().map(PathBuf::from)).transpose()?,
            side: keys.optional("side").map(side).transpose()?,
            validation: keys.or("validation", 0.1, |at| validation(&at))?,
            limit: match keys.optional("limit") {
                Some(at) => Limit::read(&at)?,
                None => Limit::default(),
            },
            augment: match keys.optional("augment") {
                Some(at) => Augment::read(&at, format)?,
                None => Augment::default_of(format),
            },
        })
    }
}

/// A fraction, or a number of images: 1 would be both everything and one image, so it is neither.
fn validation(at: &At<'_>) -> Read<f64> {
    let what = "a validation split (a fraction above 0 and below 1, or a number of images from 2)";
    if matches!(at.node, Node::Text(_)) {
        return at.share(f64::MIN_POSITIVE..1.0, what);
    }
    let value = at.number(f64::MIN_POSITIVE..1e12, what)?;
    if value < 1.0 || (value >= 2.0 && value.fract() == 0.0) {
        return Ok(value);
    }
    let remedy = at.if_percent(f64::MIN_POSITIVE..1.0).unwrap_or_default();
    Err(at.problem(format!("{} is not {what}{remedy}", at.node.describe())))
}

impl Limit {
    fn read(at: &At<'_>) -> Read<Self> {
        let keys = at.keys("limit", &["train", "validation", "test"])?;
        let images = |key| {
            let count =
                |at: At<'_>| at.count(1..=1 << 40, "a number of images (a whole number from 1, not a share)");
            keys.optional(key).map(count).transpose()
        };
        Ok(Self { train: images("train")?, validation: images("validation")?, test: images("test")? })
    }
}

impl Augment {
    /// Images as they are.
    pub const OFF: Self = Self { pad_crop: 0, flip: false, pad: Pad::Zero };
    /// What is usual for photographs of 32x32.
    pub const USUAL: Self = Self { pad_crop: 4, flip: true, pad: Pad::Zero };

    /// Nothing for the built-in shapes, whose classes a flip may change; the usual 4 pixels and flip for photographs.
    fn default_of(format: DataFormat) -> Self {
        match format {
            DataFormat::Shapes => Self::OFF,
            DataFormat::Cifar10 | DataFormat::Images => Self::USUAL,
        }
    }

    /// A mapping, or `off`.
    fn read(at: &At<'_>, format: DataFormat) -> Read<Self> {
        if at.is_text("off") || at.is_text("none") || *at.node == Node::Bool(false) {
            return Ok(Self::OFF);
        }
        let default = Self::default_of(format);
        let keys = at.keys("augment", &["pad_crop", "flip", "pad"])?;
        let pad = |at: At<'_>| at.count(0..=256, "a padding in pixels (a whole number, 0 to 256; 0 is off)");
        let augment = Self {
            pad_crop: keys.or("pad_crop", default.pad_crop, pad)?,
            flip: keys.or("flip", default.flip, |at| at.bool())?,
            pad: keys.or("pad", default.pad, |at| at.one_of("a padding", &Pad::NAMED))?,
        };
        match keys.get("pad") {
            Some(at) if augment.pad_crop == 0 => Err(at.problem(
                "`pad` says what the padding of `pad_crop` is, and there is none: add `pad_crop: 4`, say, or take `pad` away",
            )),
            _ => Ok(augment),
        }
    }
}
