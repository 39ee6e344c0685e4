//! Inverted residual: expand, depthwise, (squeeze-and-excitation), project (MobileNetV2, Figure 3; MobileNetV3, Figure 4).

use super::squeeze_excite::{self, SqueezeExcite};
use crate::arch::build::{Builder, ConvSpec};
use crate::arch::network::{LayerId, Op};
use crate::space::{Block, Expand, Projection, Shortcut, Stage};

/// Adds one inverted residual; `before` is the previous block's expanded tensor, if it has one.
pub fn add(
    builder: &mut Builder,
    name: &str,
    from: LayerId,
    before: Option<LayerId>,
    stage: &Stage,
    stride: usize,
) -> Result<LayerId, String> {
    let Block::InvertedResidual { expand, se, shortcut, keep_expansion, projection } = &stage.block else {
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
        let expand = format!("{name}.expand");
        last = builder.conv_norm(&expand, last, spec)?;
        if let (Shortcut::Expansion, Some(before)) = (shortcut, before)
            && builder.shape(before) == builder.shape(last)
        {
            last = builder.push(format!("{expand}_add"), Op::Add, &[last, before])?;
        }
        last = builder.activation(&expand, last, stage.activation)?;
        builder.expanded = Some(last);
    }
    let spec = ConvSpec::depthwise(hidden, stage.kernel, stride);
    last = builder.conv_norm_act(&format!("{name}.depthwise"), last, spec, stage.activation)?;
    if let Some(ratio) = se {
        let se = SqueezeExcite::rounded(ratio * hidden as f64);
        last = squeeze_excite::add(builder, &format!("{name}.se"), last, se)?;
    }
    let project = format!("{name}.project");
    last = builder.conv_norm(&project, last, ConvSpec::pointwise(stage.channels))?;
    if *projection == Projection::Nonlinear {
        last = builder.activation(&project, last, stage.activation)?;
    }
    match shortcut {
        Shortcut::Identity if stride == 1 && inputs == stage.channels => {
            builder.push(format!("{name}.add"), Op::Add, &[last, from])
        }
        Shortcut::Project if stride == 1 => super::project_and_add(builder, name, from, last),
        _ => Ok(last),
    }
}
