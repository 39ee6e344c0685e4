//! A candidate: one network of a search space, as plain values.

use sha2::{Digest, Sha256};

use crate::text::hex;

/// One network of a space: stem, stages and head with every choice made.
///
/// Two candidates that build the same layers are one network, whatever they say: [`arch::canonical`](crate::arch::canonical)
/// gives both the same text.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// First convolution; `None` where the first stage reads the image itself.
    pub stem: Option<Stem>,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// What follows the last stage, up to the classifier.
    pub head: Head,
    /// A bias on every convolution (the CSE paper's baseline has them, beside batch norm).
    pub conv_bias: bool,
}

/// First convolution, with batch norm and activation.
#[derive(Debug, Clone, PartialEq)]
pub struct Stem {
    pub kernel: usize,
    pub stride: usize,
    pub channels: usize,
    pub activation: Activation,
}

/// `repeats` blocks of one kind; the first has the stride, the others stride 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    pub block: Block,
    /// Depthwise kernel size: 3, 5 or 7.
    pub kernel: usize,
    pub stride: usize,
    /// Output channels.
    pub channels: usize,
    pub repeats: usize,
    /// The block's activation; an inverted residual's default is ReLU6, a CSE block's PReLU.
    pub activation: Activation,
}

/// The kind of a block with the parameters that only this kind has.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Inverted residual (MobileNetV2, section 3.3; MobileNetV3 adds `se`).
    InvertedResidual {
        expand: Expand,
        /// Squeeze-and-excitation ratio of the hidden width, if any (0.25 in MobileNetV3).
        se: Option<f64>,
        shortcut: Shortcut,
        /// Keep the expansion convolution where it does not widen (t = 1), as the CSE paper does.
        keep_expansion: bool,
        projection: Projection,
    },
    /// Depthwise then 1x1 convolution, each with batch norm and activation, no shortcut (MobileNetV1, Figure 3; timm's `dsa`).
    DepthwiseSeparable,
    /// Full convolution with batch norm and activation (timm's `cn`).
    Conv,
    /// Channel-wise squeeze and excitation ('Further Optimize MobileNetV2 with Channel-wise Squeeze and Excitation').
    Cse {
        /// Guard of the squeeze width; `None` is no guard.
        cap: Option<usize>,
        /// The squeeze width is side * side / reduction, guarded by `cap`.
        reduction: usize,
        cap_mode: CapMode,
        form: CseForm,
    },
}

/// Hidden width of an inverted residual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expand {
    /// Hidden width = ratio * input channels of each block (rounded to the nearest integer).
    Ratio(f64),
    /// Hidden width, exactly.
    Hidden(usize),
}

/// Shortcut of an inverted residual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortcut {
    /// Where stride is 1 and the channels stay (MobileNetV2). The default.
    Identity,
    /// Wherever stride is 1; a 1x1 convolution with batch norm where the channels change (the CSE paper).
    Project,
    /// Between expanded tensors (MobileNetV2, Figure 6b): the previous block's expanded tensor, after its activation, is
    /// added to this block's, before its activation, where both blocks expand and the shapes agree.
    Expansion,
    /// Never.
    None,
}

/// What follows the last convolution and batch norm of an inverted residual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// Nothing: a linear bottleneck (MobileNetV2, section 3.2). The default.
    Linear,
    /// The block's activation, before the shortcut is added (MobileNetV2, Figure 6a).
    Nonlinear,
}

/// How `cap` guards the squeeze width side*side/reduction of a CSE block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapMode {
    /// A ceiling: min(cap, side*side/reduction). Reproduces the paper's printed counts. The default.
    Min,
    /// A floor, as the paper's text reads: max(cap, side*side/reduction).
    Max,
}

/// Layout of a CSE block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CseForm {
    /// The definition that gives the paper's Mix model: 1x1, depthwise, map, shortcut always, 2x2 depthwise for the stride.
    Paper,
    /// The stand-in for 'CSE block only': 1x1 only where channels change, strided depthwise, map after the stride,
    /// shortcut only where shapes match, no activations.
    Lite,
}

/// Activations a space may choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    Relu,
    Relu6,
    Hswish,
    /// PReLU with one learned slope.
    Prelu,
}

/// Last convolution (1x1, batch norm, activation), then global average pooling, dropout and a linear classifier with bias.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Output channels of the last convolution; `None` leaves it out.
    pub conv: Option<HeadConv>,
    /// Rate of the dropout before the classifier; `None` is no dropout.
    pub dropout: Option<f64>,
}

/// The head's 1x1 convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadConv {
    pub channels: usize,
    pub groups: usize,
    pub activation: Activation,
}

impl Candidate {
    /// The block notation of this candidate, as it stands: parses back to the same value.
    pub fn text(&self) -> String {
        super::notation::print(self)
    }
}

/// SHA-256 of a network's text, first 16 hex digits: what journals of before knew a network by.
pub fn text_hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes())[..8])
}

impl Candidate {
    /// Checks every value's range; shapes are checked when the network is built.
    ///
    /// # Errors
    /// A sentence that names the place (`stages[3]`) and the allowed range.
    pub fn check(&self) -> Result<(), String> {
        if self.stages.is_empty() {
            return Err("a candidate needs at least one stage".into());
        }
        if self.stages.len() > MAX_STAGES {
            return Err(format!("{} stages; a network has 1 to {MAX_STAGES}", self.stages.len()));
        }
        if let Some(stem) = &self.stem {
            kernel("stem", stem.kernel)?;
            within("stem", "stride", stem.stride, 1..=4)?;
            within("stem", "channels", stem.channels, CHANNELS)?;
        }
        for (i, stage) in self.stages.iter().enumerate() {
            stage.check(&format!("stages[{i}]"))?;
        }
        if let Some(conv) = &self.head.conv {
            within("head", "channels", conv.channels, CHANNELS)?;
            within("head", "groups", conv.groups, CHANNELS)?;
        }
        match self.head.dropout {
            Some(rate) if !(rate > 0.0 && rate < 1.0) => {
                Err(format!("dropout: the rate is {rate}; it must be above 0, below 1"))
            }
            _ => Ok(()),
        }
    }
}

/// Most stages of a network; far above every published one.
pub(super) const MAX_STAGES: usize = 128;

/// Channels of any layer; wide enough for every published network, narrow enough that no product overflows.
const CHANNELS: std::ops::RangeInclusive<usize> = 1..=65536;

impl Stage {
    fn check(&self, place: &str) -> Result<(), String> {
        kernel(place, self.kernel)?;
        within(place, "channels", self.channels, CHANNELS)?;
        within(place, "repeats", self.repeats, 1..=256)?;
        match &self.block {
            Block::InvertedResidual { expand, se, .. } => {
                within(place, "stride", self.stride, 1..=4)?;
                match expand {
                    Expand::Hidden(h) => within(place, "hidden", *h, CHANNELS)?,
                    Expand::Ratio(t) if *t > 0.0 && *t <= 64.0 => {}
                    Expand::Ratio(t) => {
                        return Err(format!("{place}: expand is {t}; it must be above 0, at most 64"));
                    }
                }
                match se {
                    Some(ratio) if !(*ratio > 0.0 && *ratio <= 1.0) => {
                        Err(format!("{place}: se is {ratio}; it must be above 0, at most 1"))
                    }
                    _ => Ok(()),
                }
            }
            Block::DepthwiseSeparable | Block::Conv => within(place, "stride", self.stride, 1..=4),
            Block::Cse { cap, reduction, .. } => {
                within(place, "stride", self.stride, 1..=2)?;
                within(place, "cap", cap.unwrap_or(1), CHANNELS)?;
                within(place, "reduction", *reduction, CHANNELS)
            }
        }
    }
}

fn kernel(place: &str, value: usize) -> Result<(), String> {
    match value {
        3 | 5 | 7 => Ok(()),
        other => Err(format!("{place}: {other} is not a kernel size (3, 5, 7)")),
    }
}

fn within(
    place: &str,
    what: &str,
    value: usize,
    range: std::ops::RangeInclusive<usize>,
) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    let (low, high) = (range.start(), range.end());
    Err(format!("{place}: {what} is {value}; it must be between {low} and {high}"))
}
