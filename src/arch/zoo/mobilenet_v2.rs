//! MobileNetV2 (Sandler et al. 2018, Table 2), with the ablations of its Figure 6.
//!
//! Parts of a block: `expand`, `depthwise`, `project`.

use super::entry::{Choice, Definition, Entry, Settings};
use crate::arch::blocks::squeeze_excite::divisible_by_8;
use crate::arch::network::Shape;

pub(super) const MOBILENET_V2: Entry = Entry {
    name: "mobilenet_v2",
    about: "MobileNetV2 (Sandler et al. 2018)",
    options: &[
        Choice::width(),
        Choice::words(
            "conv_bias",
            "a bias on every convolution, as the CSE paper's baseline has",
            &["false", "true"],
        ),
        Choice::stem("cifar: stem and second stage at stride 1, for 32x32 images"),
        Choice::words("projection", "linear, or ReLU6 after it (Figure 6a)", &["linear", "relu6"]),
        Choice::words("shortcut", "what it joins (Figure 6b)", &["bottleneck", "expansion", "none"]),
        Choice::dropout(0.0),
    ],
    input: Shape::new(3, 224, 224),
    classes: 1000,
    definition: Definition::Notation(candidate),
};

/// Widths round to multiples of 8, never below 90 % of the asked width; the last convolution never narrows.
///
/// `stem=cifar` is the geometry of the networks that <https://github.com/chenyaofo/pytorch-cifar-models> trained on CIFAR:
/// stem and second stage at stride 1. The paper does not say what exactly a shortcut between expansions joins: here it
/// adds the previous block's expanded tensor (after its `ReLU6`, before its depthwise convolution) to this block's before
/// its `ReLU6`, wherever the shapes agree; so there are ten, as many as between bottlenecks.
fn candidate(settings: &Settings) -> String {
    let width = settings.number("width");
    let scaled = |channels: usize| divisible_by_8(channels as f64 * width);
    let early = if settings.is("stem", "cifar") { 1 } else { 2 };
    let shortcut = if settings.is("shortcut", "expansion") {
        "_expansion"
    } else if settings.is("shortcut", "none") {
        "_noskip"
    } else {
        ""
    };
    let projection = if settings.is("projection", "relu6") { "_nonlinear" } else { "" };
    let stages = [
        (1, 16, 1, 1),
        (6, 24, 2, early),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]
    .map(|(t, c, n, s)| format!("ir_r{n}_k3_s{s}_e{t}_c{}{shortcut}{projection}", scaled(c)));
    let head = divisible_by_8(1280.0 * width.max(1.0));
    let bias = if settings.is("conv_bias", "true") { " bias" } else { "" };
    format!(
        "stem_k3_s{early}_c{} {} head_c{head}{}{bias}",
        scaled(32),
        stages.join(" "),
        settings.dropout_token()
    )
}
