//! Channel-wise squeeze and excitation ('Further Optimize MobileNetV2 with Channel-wise Squeeze and Excitation').
//!
//! The squeeze is the mean over channels; two fully connected layers turn the flattened map into a gate per pixel.

use crate::arch::build::{Builder, ConvSpec};
use crate::arch::network::{Elementwise, LayerId, Op};
use crate::space::{Block, CapMode, CseForm, Stage};

/// Adds one CSE block in the stage's form. No convolution of it has a bias in the paper's networks.
pub fn add(
    builder: &mut Builder,
    name: &str,
    from: LayerId,
    stage: &Stage,
    stride: usize,
) -> Result<LayerId, String> {
    let Block::Cse { cap, reduction, cap_mode, form } = &stage.block else {
        return Err(format!("{name}: not a CSE block"));
    };
    let guard = Guard { cap: *cap, reduction: *reduction, mode: *cap_mode };
    match form {
        CseForm::Paper => paper(builder, name, from, stage, stride, guard),
        CseForm::Lite => lite(builder, name, from, stage, stride, guard),
    }
}

/// 1x1, BN, activation; depthwise, BN, activation; map; shortcut always; 2x2 depthwise where the stride is 2.
fn paper(
    builder: &mut Builder,
    name: &str,
    from: LayerId,
    stage: &Stage,
    stride: usize,
    guard: Guard,
) -> Result<LayerId, String> {
    let channels = stage.channels;
    let pointwise = ConvSpec::pointwise(channels);
    let mut last = builder.conv_norm_act(&format!("{name}.pointwise"), from, pointwise, stage.activation)?;
    let depthwise = ConvSpec::depthwise(channels, stage.kernel, 1);
    last = builder.conv_norm_act(&format!("{name}.depthwise"), last, depthwise, stage.activation)?;
    last = excite(builder, name, last, guard)?;
    last = super::project_and_add(builder, name, from, last)?;
    if stride == 2 {
        let down = ConvSpec { kernel: 2, stride: 2, pad: 0, ..ConvSpec::depthwise(channels, 2, 2) };
        last = builder.conv(format!("{name}.down"), last, down)?;
    }
    Ok(last)
}

/// The stand-in for the paper's undefined 'CSE block only' network: see `CseForm::Lite`.
fn lite(
    builder: &mut Builder,
    name: &str,
    from: LayerId,
    stage: &Stage,
    stride: usize,
    guard: Guard,
) -> Result<LayerId, String> {
    let mut last = from;
    if builder.shape(from).c != stage.channels {
        let pointwise = ConvSpec::pointwise(stage.channels);
        last = builder.conv_norm(&format!("{name}.pointwise"), last, pointwise)?;
    }
    let depthwise = ConvSpec::depthwise(stage.channels, stage.kernel, stride);
    last = builder.conv_norm(&format!("{name}.depthwise"), last, depthwise)?;
    last = excite(builder, name, last, guard)?;
    if builder.shape(from) == builder.shape(last) {
        last = builder.push(format!("{name}.add"), Op::Add, &[last, from])?;
    }
    Ok(last)
}

/// What limits the width of the squeezed map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    pub cap: Option<usize>,
    pub reduction: usize,
    pub mode: CapMode,
}

impl Guard {
    /// The width for a map of so many pixels.
    pub fn width(&self, pixels: usize) -> usize {
        let reduced = pixels / self.reduction;
        match (self.cap, self.mode) {
            (None, _) => reduced,
            (Some(cap), CapMode::Min) => reduced.min(cap),
            (Some(cap), CapMode::Max) => reduced.max(cap),
        }
    }
}

/// The map: channel mean, FC to the guarded width, ReLU, FC back, sigmoid, times every channel.
fn excite(builder: &mut Builder, name: &str, from: LayerId, guard: Guard) -> Result<LayerId, String> {
    let map = builder.shape(from);
    let pixels = map.h * map.w;
    let width = guard.width(pixels);
    if width == 0 {
        return Err(format!(
            "{name}: the {}x{} map has fewer pixels than the reduction {}; lower `reduction`, stride later or use `cap_mode: max`",
            map.h, map.w, guard.reduction
        ));
    }
    let squeeze = builder.push(format!("{name}.squeeze"), Op::ChannelMean, &[from])?;
    let reduce =
        builder.push(format!("{name}.reduce"), Op::Linear { out: width, bias: false }, &[squeeze])?;
    let relu = builder.push(format!("{name}.reduce_act"), Op::Elementwise(Elementwise::Relu), &[reduce])?;
    let restore =
        builder.push(format!("{name}.restore"), Op::Linear { out: pixels, bias: false }, &[relu])?;
    let gate = builder.push(format!("{name}.gate"), Op::Elementwise(Elementwise::Sigmoid), &[restore])?;
    builder.push(format!("{name}.scale"), Op::ScaleMap, &[from, gate])
}
