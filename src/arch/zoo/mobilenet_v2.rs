//! MobileNetV2 (Sandler et al. 2018, Table 2), width 1.

use super::{Choice, Definition, Entry, Settings, Values};
use crate::arch::network::Shape;

pub(super) const MOBILENET_V2: Entry = Entry {
    name: "mobilenet_v2",
    about: "MobileNetV2 1.0 (Sandler et al. 2018, Table 2)",
    options: &[
        Choice { name: "conv_bias", values: Values::Words(&["false", "true"]) },
        Choice { name: "stem", values: Values::Words(&["imagenet", "cifar"]) },
    ],
    input: Shape::new(3, 224, 224),
    classes: 1000,
    definition: Definition::Notation(candidate),
};

/// `stem=cifar` is the literature's 32x32 geometry: stem and second stage at stride 1.
fn candidate(settings: &Settings) -> String {
    let early = if settings.is("stem", "cifar") { 1 } else { 2 };
    let bias = if settings.is("conv_bias", "true") { " bias" } else { "" };
    format!(
        "stem_k3_s{early}_c32 ir_r1_k3_s1_e1_c16 ir_r2_k3_s{early}_e6_c24 ir_r3_k3_s2_e6_c32 \
         ir_r4_k3_s2_e6_c64 ir_r3_k3_s1_e6_c96 ir_r3_k3_s2_e6_c160 ir_r1_k3_s1_e6_c320 head_c1280{bias}"
    )
}
