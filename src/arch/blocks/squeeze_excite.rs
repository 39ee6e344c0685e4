//! Squeeze-and-excitation as MobileNetV3 has it: ReLU inside, hard sigmoid as the gate.

use crate::arch::build::Builder;
use crate::arch::network::{Elementwise, LayerId, Op};

/// The two published forms differ in the squeezed width and in the biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqueezeExcite {
    /// Outputs of the first fully connected layer.
    pub squeezed: usize,
    /// Whether both fully connected layers have biases.
    pub bias: bool,
}

impl SqueezeExcite {
    /// torchvision's: a multiple of 8 near `width`, with biases.
    pub fn rounded(width: f64) -> Self {
        Self { squeezed: divisible_by_8(width), bias: true }
    }
}

/// Adds the squeeze, two fully connected layers and the scaling.
pub fn add(builder: &mut Builder, name: &str, from: LayerId, se: SqueezeExcite) -> Result<LayerId, String> {
    let SqueezeExcite { squeezed, bias } = se;
    let channels = builder.shape(from).c;
    let pool = builder.push(format!("{name}.pool"), Op::GlobalAvgPool, &[from])?;
    let reduce = builder.push(format!("{name}.reduce"), Op::Linear { out: squeezed, bias }, &[pool])?;
    let relu = builder.push(format!("{name}.reduce_act"), Op::Elementwise(Elementwise::Relu), &[reduce])?;
    let restore = builder.push(format!("{name}.restore"), Op::Linear { out: channels, bias }, &[relu])?;
    let gate = builder.push(format!("{name}.gate"), Op::Elementwise(Elementwise::Hsigmoid), &[restore])?;
    builder.push(format!("{name}.scale"), Op::ScaleChannels, &[from, gate])
}

/// The multiple of 8 nearest to `width`, at least 8 and at least 90 % of it.
pub fn divisible_by_8(width: f64) -> usize {
    let rounded = (((width + 4.0) / 8.0).floor() * 8.0).max(8.0);
    let rounded = if rounded < 0.9 * width { rounded + 8.0 } else { rounded };
    rounded as usize
}
