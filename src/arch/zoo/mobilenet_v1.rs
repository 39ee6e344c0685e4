//! MobileNetV1 (Howard et al. 2017, Table 1).
//!
//! The table prints stride 2 for the last depthwise layer, from a 7x7 to a 7x7 map: it is 1, as the printed multiply-adds
//! need. Parts of a block: `depthwise`, `pointwise`; of a full convolution `conv`.

use super::entry::{Choice, Definition, Entry, Settings};
use crate::arch::network::Shape;

pub(super) const MOBILENET_V1: Entry = Entry {
    name: "mobilenet_v1",
    about: "MobileNetV1 (Howard et al. 2017); its resolution is --input",
    options: &[
        Choice::width(),
        Choice::words(
            "variant",
            "depthwise separable, full 3x3 convolutions, or without the five 14x14x512 layers",
            &["separable", "full", "shallow"],
        ),
        Choice::stem("cifar: stem and first strided block at stride 1, for 32x32 images"),
        Choice::dropout(0.0),
    ],
    input: Shape::new(3, 224, 224),
    classes: 1000,
    definition: Definition::Notation(candidate),
};

/// Widths are cut to whole channels, at least 8, as in the authors' TensorFlow models. `stem=cifar` ends in a 4x4 map as
/// that of `MobileNetV2` does; other code for CIFAR keeps the second block's stride and ends in 2x2.
fn candidate(settings: &Settings) -> String {
    let width = settings.number("width");
    let scaled = |channels: usize| ((channels as f64 * width) as usize).max(8);
    let early = if settings.is("stem", "cifar") { 1 } else { 2 };
    let block = if settings.is("variant", "full") { "cn" } else { "dsa" };
    let middle = if settings.is("variant", "shallow") { 1 } else { 6 };
    let stages = [(64, 1, 1), (128, 2, early), (256, 2, 2), (512, middle, 2), (1024, 2, 2)]
        .map(|(c, n, s)| format!("{block}_r{n}_k3_s{s}_c{}_nre", scaled(c)));
    let stem = format!("stem_k3_s{early}_c{}_nre", scaled(32));
    format!("{stem} {}{}", stages.join(" "), settings.dropout_token())
}
