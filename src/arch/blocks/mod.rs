//! The blocks of the notation, one file each; the named networks use them too.

pub mod cse;
mod inverted_residual;
pub mod squeeze_excite;

use super::build::{Builder, ConvSpec};
use super::network::{LayerId, Op};
use crate::space::{Block, Stage};

/// Adds one block of a stage, its layers named under `name`; returns the block's output.
pub fn block(
    builder: &mut Builder,
    name: &str,
    from: LayerId,
    stage: &Stage,
    stride: usize,
) -> Result<LayerId, String> {
    // A shortcut between expansions reaches back over one block.
    let before = builder.expanded.take();
    let activation = stage.activation;
    match &stage.block {
        Block::InvertedResidual { .. } => inverted_residual::add(builder, name, from, before, stage, stride),
        Block::Cse { .. } => cse::add(builder, name, from, stage, stride),
        Block::DepthwiseSeparable => {
            let spec = ConvSpec::depthwise(builder.shape(from).c, stage.kernel, stride);
            let last = builder.conv_norm_act(&format!("{name}.depthwise"), from, spec, activation)?;
            let spec = ConvSpec::pointwise(stage.channels);
            builder.conv_norm_act(&format!("{name}.pointwise"), last, spec, activation)
        }
        Block::Conv => {
            let spec = ConvSpec::full(stage.channels, stage.kernel, stride);
            builder.conv_norm_act(&format!("{name}.conv"), from, spec, activation)
        }
    }
}

/// Adds `from` (through a 1x1 convolution with batch norm where the channels differ) to `body`.
fn project_and_add(
    builder: &mut Builder,
    name: &str,
    from: LayerId,
    body: LayerId,
) -> Result<LayerId, String> {
    let channels = builder.shape(body).c;
    let shortcut = if builder.shape(from).c == channels {
        from
    } else {
        builder.conv_norm(&format!("{name}.shortcut"), from, ConvSpec::pointwise(channels))?
    };
    builder.push(format!("{name}.add"), Op::Add, &[body, shortcut])
}
