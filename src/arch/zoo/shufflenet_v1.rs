//! ShuffleNet V1 (Zhang et al. 2018, Table 1 and Figure 2).
//!
//! Parts of a unit: `reduce` (1x1 in groups), `shuffle`, `depthwise`, `expand` (1x1 in groups), then `add`, or at stride 2
//! `shortcut_pool` and `concat`.

use super::entry::{Choice, Definition, Entry, Settings, Values};
use crate::arch::build::{Builder, ConvSpec};
use crate::arch::network::{LayerId, Network, Op, Shape, Window};
use crate::space::Activation::Relu;

pub(super) const SHUFFLENET_V1: Entry = Entry {
    name: "shufflenet_v1",
    about: "ShuffleNet V1 (Zhang et al. 2018)",
    options: &[
        Choice {
            name: "groups",
            about: "groups of the 1x1 convolutions; the paper's table has channels for each",
            values: Values::Numbers(3.0, &[1.0, 2.0, 3.0, 4.0, 8.0]),
        },
        Choice {
            name: "width",
            about: "multiplies the channels of the stages; the stem keeps 24",
            values: Values::Number(1.0, 0.05, 4.0),
        },
        Choice::stem("cifar: stem at stride 1 and no max pooling, for 32x32 images"),
        Choice::dropout(0.0),
    ],
    input: Shape::new(3, 224, 224),
    classes: 1000,
    definition: Definition::Built(network),
};

/// The pooling of stems and shortcuts.
pub(super) const HALVED: Window = Window { kernel: 3, stride: 2, pad: 1, ceil: false };

/// The first stage's channels go to the nearest multiple of 4 * groups, so that a quarter of them divides into groups;
/// those of the paper are such multiples. `stem=cifar` follows what is usual for `ShuffleNet` V2: see there.
fn network(settings: &Settings, input: Shape, classes: usize) -> Result<Network, String> {
    let groups = settings.number("groups") as usize;
    let published = match groups {
        1 => 144,
        2 => 200,
        3 => 240,
        4 => 272,
        _ => 384,
    };
    let unit = 4 * groups;
    let width = settings.number("width");
    let first = (published as f64 * width / unit as f64).round() as usize * unit;
    if first <= STEM {
        return Err(format!(
            "width {width} leaves {first} channels in the first stage, which must have more than the stem's {STEM}; use a larger width"
        ));
    }
    let mut builder = Builder::new(input, false)?;
    let mut last = stem(&mut builder, settings.is("stem", "cifar"))?;
    for (i, repeats) in [4, 8, 4].into_iter().enumerate() {
        for j in 0..repeats {
            let unit = Unit { channels: first << i, groups, first_grouped: i + j > 0, halves: j == 0 };
            last = unit.add(&mut builder, &format!("stages.{i}.{j}"), last)?;
        }
    }
    builder.classify(last, settings.number("dropout"), classes)?;
    Ok(builder.finish("", classes))
}

/// Channels of the stem.
const STEM: usize = 24;

/// The stem of both ShuffleNets: a convolution and, but for small images, max pooling.
pub(super) fn stem(builder: &mut Builder, cifar: bool) -> Result<LayerId, String> {
    let last = builder.conv_norm_act("stem", 0, ConvSpec::full(STEM, 3, if cifar { 1 } else { 2 }), Relu)?;
    if cifar { Ok(last) } else { builder.push("stem_pool", Op::MaxPool(HALVED), &[last]) }
}

/// A unit of Figure 2: (b), or where it halves the map (c).
struct Unit {
    channels: usize,
    groups: usize,
    /// The very first 1x1 convolution has too few input channels to be grouped.
    first_grouped: bool,
    halves: bool,
}

impl Unit {
    fn add(&self, builder: &mut Builder, name: &str, from: LayerId) -> Result<LayerId, String> {
        let Self { channels, groups, .. } = *self;
        let bottleneck = channels / 4;
        let pointwise = |c, groups| ConvSpec { groups, ..ConvSpec::pointwise(c) };
        let first = pointwise(bottleneck, if self.first_grouped { groups } else { 1 });
        let mut last = builder.conv_norm_act(&format!("{name}.reduce"), from, first, Relu)?;
        if groups > 1 {
            last = builder.push(format!("{name}.shuffle"), Op::Shuffle { groups }, &[last])?;
        }
        let depthwise = ConvSpec::depthwise(bottleneck, 3, if self.halves { 2 } else { 1 });
        last = builder.conv_norm(&format!("{name}.depthwise"), last, depthwise)?;
        let rest = if self.halves { channels - builder.shape(from).c } else { channels };
        last = builder.conv_norm(&format!("{name}.expand"), last, pointwise(rest, groups))?;
        let (joined, op, shortcut) = if self.halves {
            let pool = builder.push(format!("{name}.shortcut_pool"), Op::AvgPool(HALVED), &[from])?;
            ("concat", Op::Concat, [pool, last])
        } else {
            ("add", Op::Add, [last, from])
        };
        let joined = format!("{name}.{joined}");
        last = builder.push(joined.as_str(), op, &shortcut)?;
        builder.activation(&joined, last, Relu)
    }
}
