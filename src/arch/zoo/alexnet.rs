//! AlexNet in one column (Krizhevsky 2014, 'One weird trick for parallelizing convolutional neural networks'), as
//! torchvision has it.
//!
//! At 224x224 torchvision's adaptive pooling to 6x6 changes nothing and is left out: at another size the first linear
//! layer has another width.

use super::entry::{Choice, Definition, Entry, Settings};
use crate::arch::build::{Builder, ConvSpec};
use crate::arch::network::{LayerId, Network, Op, Shape, Window};
use crate::space::Activation::Relu;

pub(super) const ALEXNET: Entry = Entry {
    name: "alexnet",
    about: "AlexNet in one column (Krizhevsky 2014)",
    options: &[Choice::width(), Choice::dropout(0.5)],
    input: Shape::new(3, 224, 224),
    classes: 1000,
    definition: Definition::Built(network),
};

const POOL: Window = Window { kernel: 3, stride: 2, pad: 0, ceil: false };

fn network(settings: &Settings, input: Shape, classes: usize) -> Result<Network, String> {
    let width = settings.number("width");
    let mut builder = Builder::new(input, true)?;
    let rows = [
        (64, 11, 4, 2, true),
        (192, 5, 1, 2, true),
        (384, 3, 1, 1, false),
        (256, 3, 1, 1, false),
        (256, 3, 1, 1, true),
    ];
    let mut last = 0;
    for (i, (channels, kernel, stride, pad, pools)) in rows.into_iter().enumerate() {
        let name = format!("stages.0.{i}");
        let spec = ConvSpec { out_channels: scaled(channels, width), kernel, stride, pad, groups: 1 };
        last = builder.conv(format!("{name}.conv"), last, spec)?;
        last = builder.activation(&format!("{name}.conv"), last, Relu)?;
        if pools {
            last = builder.push(format!("{name}.pool"), Op::MaxPool(POOL), &[last])?;
        }
    }
    last = builder.push("flatten", Op::Flatten, &[last])?;
    let rate = settings.number("dropout");
    for i in 0..2 {
        last = builder.dropout(&format!("dropout.{i}"), last, rate)?;
        last = hidden(&mut builder, i, last, width)?;
    }
    builder.push("classifier", Op::Linear { out: classes, bias: true }, &[last])?;
    Ok(builder.finish("", classes))
}

/// One of the two fully connected layers before the classifier, with its `ReLU`, of `AlexNet` and `VGG`.
pub(super) fn hidden(builder: &mut Builder, i: usize, from: LayerId, width: f64) -> Result<LayerId, String> {
    let name = format!("pre_classifier.{i}");
    let last = builder.push(name.as_str(), Op::Linear { out: scaled(4096, width), bias: true }, &[from])?;
    builder.activation(&name, last, Relu)
}

/// Channels of a layer at a width, at least one.
pub(super) fn scaled(channels: usize, width: f64) -> usize {
    ((channels as f64 * width) as usize).max(1)
}
