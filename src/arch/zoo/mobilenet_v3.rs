//! MobileNetV3 Large and Small (Howard et al. 2019, Tables 1 and 2), as torchvision, the paper and a book's listing have them.
//!
//! Torchvision's and the paper's are one network at width 1. At another width torchvision scales every width, the hidden ones
//! and the layer before the classifier too. In the paper's, as TensorFlow and timm have it, the layer before the classifier
//! keeps its width, a block expands by a ratio of the channels that it gets, and below width 0.75 the stem keeps its 16.
//!
//! Parts of a block: `expand`, `depthwise`, `se.reduce`, `se.restore`, `project`. A stage is a run of blocks of one width.

use super::entry::{Choice, Definition, Entry, Settings};
use crate::arch::blocks::{self, squeeze_excite};
use crate::arch::build::{Builder, ConvSpec};
use crate::arch::network::{LayerId, Network, Norm, Op, Shape};
use crate::space::{Activation, Block, Expand, Projection, Shortcut, Stage};
use Activation::{Hswish, Relu};

pub(super) const LARGE: Entry = Entry {
    name: "mobilenet_v3_large",
    about: "MobileNetV3-Large (Howard et al. 2019)",
    options: OPTIONS,
    input: Shape::new(3, 224, 224),
    classes: 1000,
    definition: Definition::Built(large),
};

pub(super) const SMALL: Entry = Entry {
    name: "mobilenet_v3_small",
    about: "MobileNetV3-Small (Howard et al. 2019)",
    options: OPTIONS,
    input: Shape::new(3, 224, 224),
    classes: 1000,
    definition: Definition::Built(small),
};

const OPTIONS: &[Choice] = &[
    Choice::words(
        "variant",
        "torchvision's definition; the paper's, whose last layer keeps its width when others are scaled (timm's too; the same at \
         width 1); or a book's listing",
        &["torchvision", "paper", "book"],
    ),
    Choice::scaled(
        "multiplies the channels of every layer; of the last layers too, unless variant=paper (which papers' figures mean)",
    ),
    Choice::stem("cifar: stem and first strided block at stride 1, for 32x32 images"),
    Choice::dropout(0.2),
];

/// Channels of the stem.
const STEM: usize = 16;

/// A block: kernel, expanded width, output channels, squeeze-and-excitation, activation, stride.
type Row = (usize, usize, usize, bool, Activation, usize);

const LARGE_ROWS: [Row; 15] = [
    (3, 16, 16, false, Relu, 1),
    (3, 64, 24, false, Relu, 2),
    (3, 72, 24, false, Relu, 1),
    (5, 72, 40, true, Relu, 2),
    (5, 120, 40, true, Relu, 1),
    (5, 120, 40, true, Relu, 1),
    (3, 240, 80, false, Hswish, 2),
    (3, 200, 80, false, Hswish, 1),
    (3, 184, 80, false, Hswish, 1),
    (3, 184, 80, false, Hswish, 1),
    (3, 480, 112, true, Hswish, 1),
    (3, 672, 112, true, Hswish, 1),
    (5, 672, 160, true, Hswish, 2),
    (5, 960, 160, true, Hswish, 1),
    (5, 960, 160, true, Hswish, 1),
];

const SMALL_ROWS: [Row; 11] = [
    (3, 16, 16, true, Relu, 2),
    (3, 72, 24, false, Relu, 2),
    (3, 88, 24, false, Relu, 1),
    (5, 96, 40, true, Hswish, 2),
    (5, 240, 40, true, Hswish, 1),
    (5, 240, 40, true, Hswish, 1),
    (5, 120, 48, true, Hswish, 1),
    (5, 144, 48, true, Hswish, 1),
    (5, 288, 96, true, Hswish, 2),
    (5, 576, 96, true, Hswish, 1),
    (5, 576, 96, true, Hswish, 1),
];

fn large(settings: &Settings, input: Shape, classes: usize) -> Result<Network, String> {
    let last = if settings.is("variant", "torchvision") { scaled(settings, 1280) } else { 1280 };
    network(settings, &LARGE_ROWS, last, input, classes)
}

fn small(settings: &Settings, input: Shape, classes: usize) -> Result<Network, String> {
    let last = if settings.is("variant", "torchvision") {
        scaled(settings, 1024)
    } else if settings.is("variant", "paper") {
        1024
    } else {
        1280
    };
    network(settings, &SMALL_ROWS, last, input, classes)
}

/// Channels at the asked width: torchvision takes the nearest multiple of 8, the listing the next.
fn scaled(settings: &Settings, channels: usize) -> usize {
    let width = channels as f64 * settings.number("width");
    if settings.is("variant", "book") {
        ((width / 8.0).ceil() * 8.0) as usize
    } else {
        squeeze_excite::divisible_by_8(width)
    }
}

/// `stem=cifar` puts stem and first strided block at stride 1: a last map of 4x4 for 32x32 images, as in `MobileNetV2`'s
/// geometry. The Small network has 17.5M multiply-adds then, which published CIFAR-10 results state.
fn network(
    settings: &Settings,
    rows: &[Row],
    last_width: usize,
    input: Shape,
    classes: usize,
) -> Result<Network, String> {
    let book = settings.is("variant", "book");
    let cifar = settings.is("stem", "cifar");
    let mut builder = Builder::new(input, false)?;
    if !book {
        builder.norm = Norm { eps: 0.001, momentum: 0.01 };
    }
    let is_paper = settings.is("variant", "paper");
    let keeps_stem = is_paper && settings.number("width") < 0.75;
    let stem = if keeps_stem { STEM } else { scaled(settings, STEM) };
    let stem = ConvSpec::full(stem, 3, if cifar { 1 } else { 2 });
    let mut last = builder.conv_norm_act("stem", 0, stem, Hswish)?;
    let (mut i, mut j) = (0, 0);
    let mut early = cifar;
    for (number, &(kernel, expanded, channels, se, activation, stride)) in rows.iter().enumerate() {
        if number > 0 {
            (i, j) = if channels == rows[number - 1].2 { (i, j + 1) } else { (i + 1, 0) };
        }
        let stride = if stride > 1 && std::mem::take(&mut early) { 1 } else { stride };
        let before = if number > 0 { rows[number - 1].2 } else { STEM };
        let expanded = match builder.shape(last).c {
            from if is_paper && expanded == before => from,
            from if is_paper => {
                squeeze_excite::divisible_by_8(from as f64 * (expanded as f64 / before as f64))
            }
            _ => scaled(settings, expanded),
        };
        let channels = scaled(settings, channels);
        let name = format!("stages.{i}.{j}");
        last = if book {
            listed(&mut builder, &name, last, (kernel, expanded, channels, se, activation, stride))?
        } else {
            let keep = expanded != builder.shape(last).c;
            let block = Block::InvertedResidual {
                expand: if keep { Expand::Hidden(expanded) } else { Expand::Ratio(1.0) },
                se: se.then_some(0.25),
                shortcut: Shortcut::Identity,
                keep_expansion: false,
                projection: Projection::Linear,
            };
            let stage = Stage { block, kernel, stride, channels, repeats: 1, activation };
            blocks::block(&mut builder, &name, last, &stage, stride)?
        };
    }
    let head = match rows.last() {
        Some(row) if is_paper => scaled(settings, 6 * row.2),
        _ => 6 * builder.shape(last).c,
    };
    let head = ConvSpec::pointwise(head);
    last = builder.conv_norm_act("head", last, head, Hswish)?;
    last = builder.push("pool", Op::GlobalAvgPool, &[last])?;
    last = builder.push("pre_classifier", Op::Linear { out: last_width, bias: true }, &[last])?;
    last = builder.activation("pre_classifier", last, Hswish)?;
    last = builder.dropout("dropout", last, settings.number("dropout"))?;
    builder.push("classifier", Op::Linear { out: classes, bias: true }, &[last])?;
    Ok(builder.finish("", classes))
}

/// The listing's block: the expansion is there even where it does not widen; squeeze-and-excitation, a quarter wide and
/// without biases, stands between the depthwise layer's norm and its activation.
fn listed(builder: &mut Builder, name: &str, from: LayerId, row: Row) -> Result<LayerId, String> {
    let (kernel, expanded, channels, se, activation, stride) = row;
    let expand = ConvSpec::pointwise(expanded);
    let mut last = builder.conv_norm_act(&format!("{name}.expand"), from, expand, activation)?;
    let depthwise = format!("{name}.depthwise");
    last = builder.conv_norm(&depthwise, last, ConvSpec::depthwise(expanded, kernel, stride))?;
    if se {
        let se = squeeze_excite::SqueezeExcite { squeezed: expanded / 4, bias: false };
        last = squeeze_excite::add(builder, &format!("{name}.se"), last, se)?;
    }
    last = builder.activation(&depthwise, last, activation)?;
    last = builder.conv_norm(&format!("{name}.project"), last, ConvSpec::pointwise(channels))?;
    if builder.shape(last) == builder.shape(from) {
        last = builder.push(format!("{name}.add"), Op::Add, &[last, from])?;
    }
    Ok(last)
}
