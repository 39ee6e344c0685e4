//! ShuffleNet V2 (Ma et al. 2018, Table 5 and Figure 3), as torchvision has it.
//!
//! Parts of a unit: `branch2.reduce`, `branch2.depthwise`, `branch2.project`; at stride 2 also `branch1.depthwise` and
//! `branch1.project`, else `keep` and `take`, the two halves of the channels. Then `concat` and `shuffle`.
//! A book's listing makes the units of stride 1 without using them and has 1024 last channels at every width: not here.

use super::entry::{Choice, Definition, Entry, Settings, Values};
use super::shufflenet_v1::stem;
use crate::arch::build::{Builder, ConvSpec};
use crate::arch::network::{LayerId, Network, Op, Shape};
use crate::space::Activation::Relu;

pub(super) const SHUFFLENET_V2: Entry = Entry {
    name: "shufflenet_v2",
    about: "ShuffleNet V2 (Ma et al. 2018)",
    options: &[
        Choice {
            name: "width",
            about: "one of the paper's four widths",
            values: Values::Numbers(1.0, &[0.5, 1.0, 1.5, 2.0]),
        },
        Choice::stem("cifar: stem at stride 1 and no max pooling, for 32x32 images"),
        Choice::dropout(0.0),
    ],
    input: Shape::new(3, 224, 224),
    classes: 1000,
    definition: Definition::Built(network),
};

/// `stem=cifar` is the geometry of the networks that <https://github.com/chenyaofo/pytorch-cifar-models> trained on CIFAR:
/// stem at stride 1, no max pooling.
fn network(settings: &Settings, input: Shape, classes: usize) -> Result<Network, String> {
    let (first, head) = match settings.number("width") {
        0.5 => (48, 1024),
        1.5 => (176, 1024),
        2.0 => (244, 2048),
        _ => (116, 1024),
    };
    let mut builder = Builder::new(input, false)?;
    let mut last = stem(&mut builder, settings.is("stem", "cifar"))?;
    for (i, repeats) in [4, 8, 4].into_iter().enumerate() {
        for j in 0..repeats {
            last = unit(&mut builder, &format!("stages.{i}.{j}"), last, (first << i) / 2, j == 0)?;
        }
    }
    last = builder.conv_norm_act("head", last, ConvSpec::pointwise(head), Relu)?;
    builder.classify(last, settings.number("dropout"), classes)?;
    Ok(builder.finish("", classes))
}

/// A unit of Figure 3: (c), or where it halves the map (d); `half` channels come out of each branch.
fn unit(
    builder: &mut Builder,
    name: &str,
    from: LayerId,
    half: usize,
    halves: bool,
) -> Result<LayerId, String> {
    let inputs = builder.shape(from).c;
    let (stride, branch1, input2) = if halves {
        let depthwise = ConvSpec::depthwise(inputs, 3, 2);
        let last = builder.conv_norm(&format!("{name}.branch1.depthwise"), from, depthwise)?;
        let project = ConvSpec::pointwise(half);
        (2, builder.conv_norm_act(&format!("{name}.branch1.project"), last, project, Relu)?, from)
    } else {
        let slice = |start| Op::Slice { start, len: half };
        let keep = builder.push(format!("{name}.keep"), slice(0), &[from])?;
        (1, keep, builder.push(format!("{name}.take"), slice(half), &[from])?)
    };
    let branch2 = |part: &str| format!("{name}.branch2.{part}");
    let mut last = builder.conv_norm_act(&branch2("reduce"), input2, ConvSpec::pointwise(half), Relu)?;
    last = builder.conv_norm(&branch2("depthwise"), last, ConvSpec::depthwise(half, 3, stride))?;
    last = builder.conv_norm_act(&branch2("project"), last, ConvSpec::pointwise(half), Relu)?;
    last = builder.push(format!("{name}.concat"), Op::Concat, &[branch1, last])?;
    builder.push(format!("{name}.shuffle"), Op::Shuffle { groups: 2 }, &[last])
}
