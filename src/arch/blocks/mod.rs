//! The blocks of the notation, one file each.

mod cse;
mod inverted_residual;
mod squeeze_excite;

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
    match &stage.block {
        Block::InvertedResidual { .. } => inverted_residual::add(builder, name, from, stage, stride),
        Block::Cse { .. } => cse::add(builder, name, from, stage, stride),
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
