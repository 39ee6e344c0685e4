//! SqueezeNet 1.0 (Iandola et al. 2016, Table 1), as torchvision has it.
//!
//! Parts of a fire module: `squeeze`, `expand1x1`, `expand3x3`, `concat`. The classifier is a 1x1 convolution; the mean of
//! its maps are the logits.

use super::entry::{Choice, Definition, Entry, Settings};
use crate::arch::build::{Builder, ConvSpec};
use crate::arch::network::{LayerId, Network, Op, Shape, Window};
use crate::space::Activation::Relu;

pub(super) const SQUEEZENET: Entry = Entry {
    name: "squeezenet",
    about: "SqueezeNet 1.0 (Iandola et al. 2016)",
    options: &[Choice::dropout(0.5)],
    input: Shape::new(3, 224, 224),
    classes: 1000,
    definition: Definition::Built(network),
};

const POOL: Window = Window { kernel: 3, stride: 2, pad: 0, ceil: true };

/// Squeezed width and half the output channels of the fire modules, between the poolings.
const FIRES: [&[(usize, usize)]; 3] =
    [&[(16, 64), (16, 64), (32, 128)], &[(32, 128), (48, 192), (48, 192), (64, 256)], &[(64, 256)]];

fn network(settings: &Settings, input: Shape, classes: usize) -> Result<Network, String> {
    let mut builder = Builder::new(input, true)?;
    let stem = ConvSpec { pad: 0, ..ConvSpec::full(96, 7, 2) };
    let mut last = conv(&mut builder, "stem", 0, stem)?;
    last = builder.push("stem_pool", Op::MaxPool(POOL), &[last])?;
    for (i, fires) in FIRES.into_iter().enumerate() {
        for (j, &fire) in fires.iter().enumerate() {
            last = self::fire(&mut builder, &format!("stages.{i}.{j}"), last, fire)?;
        }
        if i + 1 < FIRES.len() {
            last = builder.push(format!("stages.{i}.pool"), Op::MaxPool(POOL), &[last])?;
        }
    }
    last = builder.dropout("dropout", last, settings.number("dropout"))?;
    last = conv(&mut builder, "classifier", last, ConvSpec::pointwise(classes))?;
    builder.push("pool", Op::GlobalAvgPool, &[last])?;
    Ok(builder.finish("", classes))
}

fn fire(
    builder: &mut Builder,
    name: &str,
    from: LayerId,
    (squeezed, half): (usize, usize),
) -> Result<LayerId, String> {
    let squeeze = conv(builder, &format!("{name}.squeeze"), from, ConvSpec::pointwise(squeezed))?;
    let narrow = conv(builder, &format!("{name}.expand1x1"), squeeze, ConvSpec::pointwise(half))?;
    let wide = conv(builder, &format!("{name}.expand3x3"), squeeze, ConvSpec::full(half, 3, 1))?;
    builder.push(format!("{name}.concat"), Op::Concat, &[narrow, wide])
}

/// A convolution with its `ReLU`.
pub(super) fn conv(
    builder: &mut Builder,
    name: &str,
    from: LayerId,
    spec: ConvSpec,
) -> Result<LayerId, String> {
    let last = builder.conv(name, from, spec)?;
    builder.activation(name, last, Relu)
}
