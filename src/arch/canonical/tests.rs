//! One network has one text: for spellings by hand, and for many by chance.

use std::collections::HashMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::space::notation;

fn text(spelled: &str, input: Shape) -> String {
    let candidate = notation::parse(spelled).unwrap_or_else(|what| panic!("{spelled}: {what}"));
    network(&candidate, input, 10).unwrap_or_else(|what| panic!("{spelled}: {what}")).0.text()
}

const RGB: Shape = Shape::new(3, 32, 32);

/// By the notation's rules and by hand: every spelling of a line builds the layers of its first.
#[test]
fn spellings_of_one_network_print_alike() {
    for (canonical, spellings) in [
        // A squeeze of 8 is the least there is (torchvision's rounding).
        (
            "stem_k3_s1_c8 ir_r1_k3_s1_e2_c8_se0.25",
            &["stem_c8 ir_e2_c8_se0.125", "stem_c8 ir_h16_c8_se0.5", "stem_c8 ir_e2.02_c8_se0.01"][..],
        ),
        ("stem_k3_s1_c8 ir_r1_k3_s1_h17_c16", &["stem_c8 ir_e2.1_c16", "stem_c8 ir_e2.15_c16"]),
        (
            "stem_k3_s1_c8 ir_r2_k3_s1_e6_c24",
            &["stem_c8 ir_h48_c24 ir_e6_c24", "stem_c8 ir_e6_c24 ir_h144_c24"],
        ),
        (
            "stem_k3_s1_c8 ir_r5_k3_s1_e6_c24",
            &["stem_c8 ir_r2_e6_c24 ir_r3_e6_c24", "stem_c8 ir_e6_c24 ir_r4_h144_c24"],
        ),
        (
            "stem_k3_s1_c8 ir_r1_k3_s2_e6_c8 ir_r2_k3_s1_e6_c16",
            &["stem_c8 ir_s2_e6_c8_noskip ir_e6_c16 ir_e6_c16_project"],
        ),
        // Without expansion, and an activation after the projection: a depthwise separable block.
        (
            "stem_k3_s1_c8 dsa_r1_k3_s1_c16",
            &["stem_c8 ir_e1_c16_nonlinear", "stem_c8 ir_e1_c16_nonlinear_noskip"],
        ),
        ("stem_k3_s1_c8 ir_r1_k3_s1_e1_c8_nonlinear", &["stem_c8 ir_e1_c8_nonlinear_project"]),
        ("stem_k3_s1_c8 ir_r1_k3_s1_e1_c8_keep", &["stem_c8 ir_h8_c8", "stem_c8 ir_e1.01_c8"]),
        // A full convolution before anything else is a stem.
        ("stem_k3_s1_c8 cn_r2_k3_s1_c8", &["cn_r3_c8", "cn_c8 cn_c8 cn_c8", "stem_c8 cn_c8 cn_c8"]),
        // Over 64 pixels, all of these squeeze to 4.
        (
            "stem_k3_s4_c8 cse_r1_k3_s1_c16_rr16",
            &[
                "stem_s4_c8 cse_c16_cap8_rr16",
                "stem_s4_c8 cse_c16_cap4_rr8",
                "stem_s4_c8 cse_c16_cap4_rr17_max",
                "stem_s4_c8 cse_c16_rr16_max",
            ],
        ),
        ("stem_k3_s4_c8 cse_r2_k3_s1_c16_rr16_lite", &["stem_s4_c8 cse_r2_c16_cap4_rr2_lite_nhs"]),
        // A cap is kept where it has no effect any more, so that a network's stages read alike.
        (
            "stem_k3_s2_c8 cse_r1_k3_s2_c16_cap8_rr16 cse_r1_k3_s1_c24_cap8_rr16",
            &["stem_s2_c8 cse_s2_c16_cap8 cse_c24"],
        ),
        // At a single pixel no stride has an effect, but for the shortcut it leaves out.
        (
            "stem_k3_s4_c8 ir_r1_k3_s3_e2_c8 ir_r2_k3_s3_e2_c8_noskip",
            &["stem_s4_c8 ir_s3_e2_c8 ir_s4_e2_c8 ir_s2_e2_c8"],
        ),
        (
            "stem_k3_s1_c8 ir_r2_k3_s1_e2_c8_expansion head_c8",
            &["stem_c8 ir_e2_c8_noskip ir_e2_c8_expansion head_c8_g1"],
        ),
        ("stem_k3_s1_c1 dsa_r1_k3_s1_c8", &["cn_c1 ir_e1_c8_nonlinear", "stem_c1 dsa_c8_k3_nr6"]),
    ] {
        for spelled in spellings.iter().chain([&canonical]) {
            assert_eq!(text(spelled, RGB), canonical, "{spelled}");
        }
    }
}

/// Networks as they are published keep their texts.
#[test]
fn published_texts_stay() {
    for spelled in [
        "stem_k3_s1_c32 ir_r1_k3_s1_e1_c16_project_keep ir_r2_k3_s1_e6_c24_project ir_r3_k3_s1_e6_c32_project \
         cse_r4_k3_s2_c64_cap8_rr16 cse_r3_k3_s2_c96_cap8_rr16 cse_r3_k3_s1_c160_cap8_rr16 cse_r1_k3_s2_c320_cap8_rr16 \
         head_c1280_g320",
        "stem_k3_s1_c32 ir_r1_k3_s1_e1_c16 ir_r2_k3_s1_e6_c24 ir_r3_k3_s2_e6_c32 ir_r4_k3_s2_e6_c64 ir_r3_k3_s1_e6_c96 \
         ir_r3_k3_s2_e6_c160 ir_r1_k3_s1_e6_c320 head_c1280 dropout_p0.2",
        "stem_k3_s1_c32_nre dsa_r1_k3_s1_c64_nre dsa_r2_k3_s1_c128_nre dsa_r2_k3_s2_c256_nre dsa_r6_k3_s2_c512_nre \
         dsa_r2_k3_s2_c1024_nre",
        "stem_k3_s2_c16_nhs ir_r1_k5_s2_e4.5_c24_se0.25_nre ir_r1_k5_s1_h88_c24_nhs bias",
    ] {
        assert_eq!(text(spelled, RGB), spelled);
    }
}

/// Respellings of one another and neighbours that differ, by chance, on maps of every kind: texts are equal exactly where
/// layers are, and each text builds the layers that it was made of.
#[test]
fn texts_are_equal_exactly_where_layers_are() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut texts: HashMap<String, String> = HashMap::new();
    let (mut built, mut merged) = (0, 0);
    for _ in 0..20_000 {
        let side = [1, 2, 4, 4, 8, 8][rng.random_range(0..6)];
        let wide = if rng.random_bool(0.95) { side } else { side + 1 };
        let input = Shape::new([1, 3, 3][rng.random_range(0..3)], side, wide);
        let spelled = by_chance(&mut rng);
        let candidate = notation::parse(&spelled).unwrap_or_else(|what| panic!("{spelled}: {what}"));
        let Ok(plain) = build::network(&candidate, input, 10) else { continue };
        let canonical = spelled_back(&plain, &spelled);
        let again = build::network(&canonical, input, 10).unwrap_or_else(|what| panic!("{spelled}: {what}"));
        assert_eq!(again.hash(), plain.hash(), "{spelled} at {input} as {}", canonical.text());
        assert_eq!(notation::parse(&canonical.text()).as_ref(), Ok(&canonical), "{spelled}");
        let (key, text) = (plain.hash(), format!("{input} {}", canonical.text()));
        if let Some(other) = seen.insert(key.clone(), text.clone()) {
            merged += 1;
            assert_eq!(other, text, "{spelled}");
        }
        if let Some(other) = texts.insert(text, key.clone()) {
            assert_eq!(other, key, "{spelled}");
        }
        built += 1;
    }
    assert!(built > 5_000 && merged > 1_000, "{built} built, {merged} merged");
}

fn spelled_back(network: &Network, spelled: &str) -> Candidate {
    super::spelled(network).unwrap_or_else(|| panic!("{spelled} at {} is not read back", network.input()))
}

/// A text of few stages with values that coincide often.
fn by_chance(rng: &mut ChaCha8Rng) -> String {
    let mut pick = |words: &[&str]| words[rng.random_range(0..words.len())].to_owned();
    let mut tokens =
        vec![pick(&["", "stem_k3_s1_c8", "stem_k3_s1_c8", "stem_k3_s2_c8_nr6", "stem_k3_s1_c1"])];
    let count = pick(&["1", "1", "1", "1", "2", "2", "3"]).parse::<usize>().unwrap();
    for _ in 0..count {
        let common = format!(
            "_r{}_c{}{}",
            pick(&["1", "1", "1", "2"]),
            pick(&["8", "8", "8", "1"]),
            pick(&["", "", "_nr6"])
        );
        let stride = pick(&["", "", "_s2", "_s3"]);
        tokens.push(match pick(&["ir", "ir", "cse", "cn", "dsa"]).as_str() {
            "cse" => format!(
                "cse{common}{}{}{}{}{}",
                pick(&["", "", "_s2"]),
                pick(&["", "_cap2", "_cap4"]),
                pick(&["", "_rr4", "_rr15"]),
                pick(&["", "_max"]),
                pick(&["", "_lite"])
            ),
            "ir" => format!(
                "ir{common}{stride}{}{}{}{}{}",
                pick(&["_e1", "_e1", "_e2", "_e2.1", "_e2.15", "_h8", "_h16"]),
                pick(&["", "", "", "_se0.125", "_se0.25", "_se0.5"]),
                pick(&["", "", "_noskip", "_project", "_expansion"]),
                pick(&["", "", "_keep"]),
                pick(&["", "", "_nonlinear"])
            ),
            kind => format!("{kind}{common}{stride}{}", pick(&["", "", "_k5"])),
        });
    }
    tokens.push(pick(&["", "", "", "head_c8", "head_c8_g1", "dropout_p0.1", "bias"]));
    tokens.join(" ")
}
