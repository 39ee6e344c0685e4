//! The `data` section.

use std::fmt;
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
    /// What transparent images are shown on; white where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Background>,
    /// Images held out as the test split (stratified by class, drawn from the images themselves) where the folders have none:
    /// a fraction below 1, or a number of images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<f64>,
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
    /// `train/<class>/*` and `test|val/<class>/*`, or `<class>/*` with `test`: a folder, or inside a tar or zip archive.
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
            background: None,
            test: None,
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
        let keys = at.keys(
            "data",
            &["format", "path", "side", "background", "test", "validation", "limit", "augment"],
        )?;
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
            background: keys.get("background").map(|at| background(&at, format)).transpose()?,
            test: keys.optional("test").map(|at| test(&at, format)).transpose()?,
            validation: keys.or("validation", 0.1, |at| held_out(&at, "validation"))?,
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
fn held_out(at: &At<'_>, split: &str) -> Read<f64> {
    let what = format!("a {split} split (a fraction above 0 and below 1, or a number of images from 2)");
    if matches!(at.node, Node::Text(_)) {
        return at.share(f64::MIN_POSITIVE..1.0, &what);
    }
    let value = at.number(f64::MIN_POSITIVE..1e12, &what)?;
    if value < 1.0 || (value >= 2.0 && value.fract() == 0.0) {
        return Ok(value);
    }
    let remedy = at.if_percent(f64::MIN_POSITIVE..1.0).unwrap_or_default();
    Err(at.problem(format!("{} is not {what}{remedy}", at.node.describe())))
}

/// Only pictures of files are transparent.
fn background(at: &At<'_>, format: DataFormat) -> Read<Background> {
    if format != DataFormat::Images {
        return Err(at.problem("only `format: images` has transparent pictures: leave this key out"));
    }
    Background::read(at)
}

fn test(at: &At<'_>, format: DataFormat) -> Read<f64> {
    if format != DataFormat::Images {
        return Err(at.problem(
            "only `format: images` may lack a test split; the other formats have one of their own: leave this key out",
        ));
    }
    held_out(at, "test")
}

/// A colour: red, green, blue. Written `#ffffff`, or by a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Background(pub [u8; 3]);

impl Background {
    pub const WHITE: Self = Self([255; 3]);

    const NAMED: [(&'static str, [u8; 3]); 6] = [
        ("white", [255; 3]),
        ("black", [0; 3]),
        ("gray", [128; 3]),
        ("red", [255, 0, 0]),
        ("green", [0, 128, 0]),
        ("blue", [0, 0, 255]),
    ];

    /// `#ffffff`, `#fff`, or a name of CSS: white, black, gray, red, green, blue.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.trim().to_lowercase().replace("grey", "gray");
        if let Some((_, colour)) = Self::NAMED.iter().find(|(name, _)| *name == lower) {
            return Some(Self(*colour));
        }
        let digits: Option<Vec<u8>> =
            lower.strip_prefix('#')?.chars().map(|digit| Some(digit.to_digit(16)? as u8)).collect();
        match digits?[..] {
            [r, g, b] => Some(Self([r, g, b].map(|digit| 17 * digit))),
            [r, r1, g, g1, b, b1] => Some(Self([16 * r + r1, 16 * g + g1, 16 * b + b1])),
            _ => None,
        }
    }

    fn read(at: &At<'_>) -> Read<Self> {
        let what = "a colour (white, black, gray, red, green, blue, or '#ffffff' in quotes)";
        let Node::Text(text) = at.node else { return Err(at.is_not(what)) };
        Self::parse(text).ok_or_else(|| at.is_not(what))
    }
}

impl fmt::Display for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMED.iter().find(|(_, colour)| *colour == self.0) {
            Some((name, _)) => f.write_str(name),
            None => {
                let [r, g, b] = self.0;
                write!(f, "#{r:02x}{g:02x}{b:02x}")
            }
        }
    }
}

impl From<Background> for String {
    fn from(colour: Background) -> Self {
        colour.to_string()
    }
}

impl TryFrom<String> for Background {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not a colour"))
    }
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
