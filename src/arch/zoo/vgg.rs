//! VGG-16 (Simonyan and Zisserman 2015, Table 1, column D).
//!
//! At 224x224 torchvision's adaptive pooling to 7x7 changes nothing and is left out: at another size the first linear
//! layer has another width.

use super::alexnet::{hidden, scaled};
use super::entry::{Choice, Definition, Entry, Settings};
use crate::arch::build::{Builder, ConvSpec};
use crate::arch::network::{Network, Op, Shape, Window};
use crate::space::Activation::Relu;

pub(super) const VGG16: Entry = Entry {
    name: "vgg16",
    about: "VGG-16 without batch norm (Simonyan and Zisserman 2015)",
    options: &[Choice::width(), Choice::dropout(0.5)],
    input: Shape::new(3, 224, 224),
    classes: 1000,
    definition: Definition::Built(network),
};

fn network(settings: &Settings, input: Shape, classes: usize) -> Result<Network, String> {
    let width = settings.number("width");
    let mut builder = Builder::new(input, true)?;
    let mut last = 0;
    for (i, (channels, repeats)) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)].into_iter().enumerate()
    {
        for j in 0..repeats {
            let name = format!("stages.{i}.{j}.conv");
            last = builder.conv(name.as_str(), last, ConvSpec::full(scaled(channels, width), 3, 1))?;
            last = builder.activation(&name, last, Relu)?;
        }
        let halved = Window { kernel: 2, stride: 2, pad: 0, ceil: false };
        last = builder.push(format!("stages.{i}.pool"), Op::MaxPool(halved), &[last])?;
    }
    last = builder.push("flatten", Op::Flatten, &[last])?;
    for i in 0..2 {
        last = hidden(&mut builder, i, last, width)?;
        last = builder.dropout(&format!("dropout.{i}"), last, settings.number("dropout"))?;
    }
    builder.push("classifier", Op::Linear { out: classes, bias: true }, &[last])?;
    Ok(builder.finish("", classes))
}
