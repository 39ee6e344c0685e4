//! The networks of 'Further Optimize MobileNetV2 with Channel-wise Squeeze and Excitation'.
//!
//! The paper's Table 1 prints repeats (1,1,2,4,3,3,1) and t=2 for the CSE stages, which do not give its printed
//! params; the definitions here do.

use super::entry::{Choice, Definition, Entry, Settings};
use crate::arch::network::Shape;

const CAP_MODE: Choice = Choice::words(
    "cap_mode",
    "min: the cap is a ceiling of the squeeze width, as the printed counts need; max: a floor, as the paper's text reads",
    &["min", "max"],
);

pub(super) const MIX: Entry = Entry {
    name: "mix",
    about: "CSE paper's Mix model (3 bottleneck and 4 CSE stages) for CIFAR",
    options: &[CAP_MODE],
    input: Shape::new(3, 32, 32),
    classes: 10,
    definition: Definition::Notation(mix),
};

pub(super) const MIX_IMAGENETTE: Entry = Entry {
    name: "mix_imagenette",
    about: "CSE paper's Mix model for Imagenette (geometry fitted to the printed count)",
    options: &[CAP_MODE],
    input: Shape::new(3, 224, 224),
    classes: 10,
    definition: Definition::Notation(mix_imagenette),
};

pub(super) const CSE_ONLY: Entry = Entry {
    name: "cse_only",
    about: "stand-in for the CSE paper's 'CSE block only, cap 8' (not defined in the paper)",
    options: &[CAP_MODE],
    input: Shape::new(3, 32, 32),
    classes: 10,
    definition: Definition::Notation(cse_only),
};

pub(super) const OPTIMIZED: Entry = Entry {
    name: "optimized",
    about: "stand-in for the CSE paper's 'MobileNetV2 optimized for CIFAR-10' (not defined in the paper)",
    options: &[],
    input: Shape::new(3, 32, 32),
    classes: 10,
    definition: Definition::Notation(optimized),
};

fn mix(settings: &Settings) -> String {
    mix_with_strides(settings, 1, [1, 1, 1, 2, 2, 1, 2])
}

fn mix_imagenette(settings: &Settings) -> String {
    mix_with_strides(settings, 2, [1, 1, 2, 2, 2, 1, 1])
}

fn mix_with_strides(settings: &Settings, stem: usize, s: [usize; 7]) -> String {
    let max = if settings.is("cap_mode", "max") { "_max" } else { "" };
    format!(
        "stem_k3_s{stem}_c32 ir_r1_k3_s{}_e1_c16_project_keep ir_r2_k3_s{}_e6_c24_project \
         ir_r3_k3_s{}_e6_c32_project cse_r4_k3_s{}_c64_cap8_rr16{max} cse_r3_k3_s{}_c96_cap8_rr16{max} \
         cse_r3_k3_s{}_c160_cap8_rr16{max} cse_r1_k3_s{}_c320_cap8_rr16{max} head_c1280_g320",
        s[0], s[1], s[2], s[3], s[4], s[5], s[6]
    )
}

fn cse_only(settings: &Settings) -> String {
    let max = if settings.is("cap_mode", "max") { "_max" } else { "" };
    let stages = [(16, 1, 1), (24, 2, 1), (32, 3, 1), (64, 4, 2), (96, 3, 2), (160, 3, 1), (320, 1, 2)];
    let stages = stages.map(|(c, n, s)| format!("cse_r{n}_k3_s{s}_c{c}_cap8_rr16{max}_lite"));
    format!("{} head_c1280_g320", stages.join(" "))
}

/// Hidden width = output channels: 1x1, depthwise, 1x1, with identity shortcuts only.
fn optimized(_: &Settings) -> String {
    let stages = [(24, 1, 1), (32, 2, 1), (64, 4, 2), (96, 3, 2), (160, 3, 1), (320, 1, 2)];
    let stages = stages.map(|(c, n, s)| format!("ir_r{n}_k3_s{s}_h{c}_c{c}"));
    format!("stem_k3_s1_c32 ir_r1_k3_s1_e1_c16_keep {} head_c1280_g320", stages.join(" "))
}
