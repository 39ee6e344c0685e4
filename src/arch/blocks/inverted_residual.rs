//! Inverted residual: expand, depthwise, (squeeze-and-excitation), project (MobileNetV2, Figure 3; MobileNetV3, Figure 4).

use super::squeeze_excite;
use crate::arch::build::{Builder, ConvSpec};
use crate::arch::network::{LayerId, Op};
use crate::space::{Block, Expand, Shortcut, Stage};

/// Adds one inverted residual; the projection is linear.
pub fn add(
    builder: &mut Builder,
    name: &str,
    from: LayerId,
    stage: &Stage,
    stride: usize,
) -> Result<LayerId, String> {
    let Block::InvertedResidual { expand, se, shortcut, keep_expansion } = &stage.block else {
        return Err(format!("{name}: not an inverted residual"));
    };
    let inputs = builder.shape(from).c;
    let hidden = match expand {
        Expand::Ratio(t) => (t * inputs as f64).round() as usize,
        Expand::Hidden(h) => *h,
    };
    if hidden == 0 {
        return Err(format!("{name}: the expansion leaves no channels; use a larger one"));
    }
    let mut last = from;
    if *keep_expansion || *expand != Expand::Ratio(1.0) {
        let spec = ConvSpec::pointwise(hidden);
        last = builder.conv_norm_act(&format!("{name}.expand"), last, spec, stage.activation)?;
    }
    let spec = ConvSpec::depthwise(hidden, stage.kernel, stride);
    last = builder.conv_norm_act(&format!("{name}.depthwise"), last, spec, stage.activation)?;
    if let Some(ratio) = se {
        last = squeeze_excite::add(builder, &format!("{name}.se"), last, *ratio)?;
    }
    last = builder.conv_norm(&format!("{name}.project"), last, ConvSpec::pointwise(stage.channels))?;
    match shortcut {
        Shortcut::Identity if stride == 1 && inputs == stage.channels => {
            builder.push(format!("{name}.add"), Op::Add, &[last, from])
        }
        Shortcut::Project if stride == 1 => super::project_and_add(builder, name, from, last),
        _ => Ok(last),
    }
}
