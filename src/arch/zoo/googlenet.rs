//! GoogLeNet (Szegedy et al. 2015, Table 1): biases, 5x5 convolutions, local response normalisation, no batch norm; the
//! auxiliary classifiers, which serve training alone, are left out.
//!
//! Parts of an inception module: `branch1`, `branch2.reduce`, `branch2.conv`, `branch3.reduce`, `branch3.conv`,
//! `branch4.pool`, `branch4.project`, `concat`.

use super::entry::{Choice, Definition, Entry, Settings};
use super::squeezenet::conv;
use crate::arch::build::{Builder, ConvSpec};
use crate::arch::network::{LayerId, Network, Op, Shape, Window};

pub(super) const GOOGLENET: Entry = Entry {
    name: "googlenet",
    about: "GoogLeNet as first published, without auxiliary classifiers (Szegedy et al. 2015)",
    options: &[Choice::dropout(0.4)],
    input: Shape::new(3, 224, 224),
    classes: 1000,
    definition: Definition::Built(network),
};

/// Channels of an inception module, in the order of the paper's table: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj.
type Inception = [usize; 6];

/// The modules between the poolings.
const INCEPTIONS: [&[Inception]; 3] = [
    &[[64, 96, 128, 16, 32, 32], [128, 128, 192, 32, 96, 64]],
    &[
        [192, 96, 208, 16, 48, 64],
        [160, 112, 224, 24, 64, 64],
        [128, 128, 256, 24, 64, 64],
        [112, 144, 288, 32, 64, 64],
        [256, 160, 320, 32, 128, 128],
    ],
    &[[256, 160, 320, 32, 128, 128], [384, 192, 384, 48, 128, 128]],
];

const HALVED: Window = Window { kernel: 3, stride: 2, pad: 0, ceil: true };
/// With `AlexNet`'s constants (its section 3.3), as the authors' Caffe model has them.
const RESPONSE_NORM: Op = Op::LocalResponseNorm { size: 5, alpha: 1e-4, beta: 0.75, k: 1.0 };

fn network(settings: &Settings, input: Shape, classes: usize) -> Result<Network, String> {
    let mut builder = Builder::new(input, true)?;
    let mut last = conv(&mut builder, "stem", 0, ConvSpec::full(64, 7, 2))?;
    last = builder.push("stem_pool", Op::MaxPool(HALVED), &[last])?;
    last = builder.push("stem_lrn", RESPONSE_NORM, &[last])?;
    last = conv(&mut builder, "stages.0.0.reduce", last, ConvSpec::pointwise(64))?;
    last = conv(&mut builder, "stages.0.0.conv", last, ConvSpec::full(192, 3, 1))?;
    last = builder.push("stages.0.0.lrn", RESPONSE_NORM, &[last])?;
    for (i, modules) in INCEPTIONS.into_iter().enumerate() {
        last = builder.push(format!("stages.{i}.pool"), Op::MaxPool(HALVED), &[last])?;
        for (j, &module) in modules.iter().enumerate() {
            last = inception(&mut builder, &format!("stages.{}.{j}", i + 1), last, module)?;
        }
    }
    builder.classify(last, settings.number("dropout"), classes)?;
    Ok(builder.finish("", classes))
}

fn inception(builder: &mut Builder, name: &str, from: LayerId, module: Inception) -> Result<LayerId, String> {
    let [one, reduce3, three, reduce5, five, project] = module;
    let pointwise = ConvSpec::pointwise;
    let branch1 = conv(builder, &format!("{name}.branch1"), from, pointwise(one))?;
    let reduced = conv(builder, &format!("{name}.branch2.reduce"), from, pointwise(reduce3))?;
    let branch2 = conv(builder, &format!("{name}.branch2.conv"), reduced, ConvSpec::full(three, 3, 1))?;
    let reduced = conv(builder, &format!("{name}.branch3.reduce"), from, pointwise(reduce5))?;
    let branch3 = conv(builder, &format!("{name}.branch3.conv"), reduced, ConvSpec::full(five, 5, 1))?;
    let same = Window { kernel: 3, stride: 1, pad: 1, ceil: false };
    let pooled = builder.push(format!("{name}.branch4.pool"), Op::MaxPool(same), &[from])?;
    let branch4 = conv(builder, &format!("{name}.branch4.project"), pooled, pointwise(project))?;
    builder.push(format!("{name}.concat"), Op::Concat, &[branch1, branch2, branch3, branch4])
}
