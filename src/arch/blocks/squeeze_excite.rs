//! Squeeze-and-excitation as MobileNetV3 has it: ReLU inside, hard sigmoid as the gate, biases in both layers.

use crate::arch::build::Builder;
use crate::arch::network::{Elementwise, LayerId, Op};

/// Adds the squeeze, two fully connected layers and the scaling; the squeezed width is `ratio` of the channels,
/// rounded to a multiple of 8 (torchvision's `_make_divisible`).
pub fn add(builder: &mut Builder, name: &str, from: LayerId, ratio: f64) -> Result<LayerId, String> {
    let channels = builder.shape(from).c;
    let squeezed = divisible_by_8(ratio * channels as f64);
    let pool = builder.push(format!("{name}.pool"), Op::GlobalAvgPool, &[from])?;
    let reduce = builder.push(format!("{name}.reduce"), Op::Linear { out: squeezed, bias: true }, &[pool])?;
    let relu = builder.push(format!("{name}.reduce_act"), Op::Elementwise(Elementwise::Relu), &[reduce])?;
    let restore =
        builder.push(format!("{name}.restore"), Op::Linear { out: channels, bias: true }, &[relu])?;
    let gate = builder.push(format!("{name}.gate"), Op::Elementwise(Elementwise::Hsigmoid), &[restore])?;
    builder.push(format!("{name}.scale"), Op::ScaleChannels, &[from, gate])
}

/// The multiple of 8 nearest to `width`, at least 8 and at least 90 % of it.
pub fn divisible_by_8(width: f64) -> usize {
    let rounded = (((width + 4.0) / 8.0).floor() * 8.0).max(8.0);
    let rounded = if rounded < 0.9 * width { rounded + 8.0 } else { rounded };
    rounded as usize
}
