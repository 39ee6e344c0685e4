//! Sizes against listings by brute force, order, sampling, and messages.

use std::collections::{BTreeSet, HashMap, HashSet};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::brute_force::random_raw;
use super::*;

fn space(text: &str) -> SearchSpace {
    SearchSpace::parse("s.yaml", text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A space of one stage or more from its `stages` lines.
fn stages(lines: &str) -> SearchSpace {
    space(&format!("name: t\ninput: 3x32x32\nclasses: 10\n{lines}\n"))
}

fn texts(space: &SearchSpace) -> Vec<String> {
    space.iter().map(|drawn| drawn.candidate.text()).collect()
}

#[test]
fn size_and_listing_agree_with_brute_force_on_random_spaces() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut shared = 0;
    for round in 0..250 {
        let raw = random_raw(&mut rng);
        let yaml = raw.yaml();
        let space = space(&yaml);
        let expected = raw.brute_force();
        assert_eq!(space.size(), expected.len() as u128, "round {round}\n{yaml}");
        let listed = texts(&space);
        assert_eq!(listed.len(), expected.len(), "round {round}\n{yaml}");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected, "round {round}\n{yaml}");
        shared += usize::from(raw.fields.iter().filter(|(_, _, l)| l[0].starts_with('$')).count() > 3);
    }
    assert!(shared > 60, "the random spaces must share choices; {shared} did");
}

#[test]
fn every_candidate_parses_back_to_itself() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for _ in 0..50 {
        for drawn in space(&random_raw(&mut rng).yaml()).iter() {
            assert_eq!(notation::parse(&drawn.candidate.text()), Ok(drawn.candidate));
        }
    }
}

#[test]
fn choices_are_those_with_an_effect_and_tell_candidates_apart() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for _ in 0..100 {
        let yaml = random_raw(&mut rng).yaml();
        let space = space(&yaml);
        let all: HashSet<_> = space.iter().map(|drawn| drawn.choices).collect();
        assert_eq!(all.len() as u128, space.size(), "{yaml}");
        let factors: HashMap<_, _> = space.factors().into_iter().map(|f| (f.name, f.levels)).collect();
        for (factor, level) in all.into_iter().flatten() {
            assert!(factors[&factor].contains(&level), "{factor} = {level}\n{yaml}");
        }
    }
    let one = stages("stages: [{block: [ir, cse], expand: 6, cap: [4, 8], channels: 16}]");
    let choices: Vec<_> = one.iter().map(|drawn| drawn.choices).collect();
    let pair = |a: &str, b: &str| (format!("stages[0].{a}"), b.to_owned());
    assert_eq!(
        choices,
        [
            vec![pair("block", "ir")],
            vec![pair("block", "cse"), pair("cap", "4")],
            vec![pair("block", "cse"), pair("cap", "8")],
        ]
    );
}

#[test]
fn genomes_make_the_candidates_of_the_space() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut checked = 0;
    for _ in 0..150 {
        let raw = random_raw(&mut rng);
        let Ok(space) = SearchSpace::parse("s.yaml", &raw.yaml()) else { continue };
        if space.size() > 3000 {
            continue;
        }
        let all: BTreeSet<String> = raw.brute_force();
        for drawn in space.iter() {
            let genome = space.genome(drawn.index).unwrap();
            assert_eq!(space.make(&genome), Some((drawn.candidate, drawn.choices)), "{genome:?}");
            checked += 1;
        }
        // Any levels at all, also of factors without effect.
        for _ in 0..20 {
            let genome: Vec<usize> = space.genes().iter().map(|n| rng.random_range(0..*n)).collect();
            let (candidate, choices) = space.make(&genome).unwrap();
            assert!(all.contains(&candidate.text()), "{}", candidate.text());
            let factors = space.factors();
            let told = choices.iter().all(|(name, level)| {
                let at = factors.iter().position(|factor| factor.name == *name);
                at.is_none_or(|at| factors[at].levels.contains(level))
            });
            assert!(told, "{choices:?}");
        }
        let genes = space.genes();
        assert_eq!(genes, space.factors().iter().map(|factor| factor.levels.len()).collect::<Vec<_>>());
        assert!(space.make(&genes).is_none(), "levels count from 0");
        assert!(genes.is_empty() || space.make(&genes[1..]).is_none());
    }
    assert!(checked > 1000, "{checked}");
}

#[test]
fn a_shared_choice_is_one_decision() {
    let tied = stages(
        "choices: {cap: [4, 8, 16]}\nstages:\n- {block: cse, cap: $cap, channels: 16}\n- {block: cse, cap: $cap, channels: 32}",
    );
    assert_eq!(tied.size(), 3);
    assert_eq!(texts(&tied)[1], "cse_r1_k3_s1_c16_cap8_rr16 cse_r1_k3_s1_c32_cap8_rr16");
    assert_eq!(tied.get(2).unwrap().choices, [("cap".to_owned(), "16".to_owned())]);
    // Closed form: with blocks free, 1 (ir, ir) + 3 * 3 (at least one cse).
    let free = stages(
        "choices: {cap: [4, 8, 16]}\nstages:\n- {block: [ir, cse], expand: 6, cap: $cap, channels: 16}\n- {block: [ir, cse], expand: 6, cap: $cap, channels: 32}",
    );
    assert_eq!(free.size(), 10);
}

#[test]
fn huge_spaces_are_counted_and_drawn_from_at_once() {
    // Twelve stages of 10 levels: 10^12; then 38 stages: 10^38, still below 2^128.
    for (count, size) in [(12, 10u128.pow(12)), (38, 10u128.pow(38))] {
        let stage = "- {block: ir, expand: 6, channels: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}\n";
        let space = stages(&format!("stages:\n{}", stage.repeat(count)));
        assert_eq!(space.size(), size);
        let last = space.get(size - 1).unwrap();
        assert!(last.choices.iter().all(|(_, level)| level == "10"));
        assert!(space.get(size).is_none());
    }
    let shared = (0..9).map(|i| format!("  c{i}: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n")).collect::<String>();
    let stage =
        |i| format!("- {{block: [ir, cse], expand: 6, cap: $c{i}, channels: 16, kernel: [3, 5, 7]}}\n");
    let list = (0..18).map(|i| stage(i % 9)).collect::<String>();
    let space = stages(&format!("choices:\n{shared}stages:\n{list}"));
    // Each choice is in two stages: 9 (ir, ir) + 3 * 9 * 10 with a cap shown; nine such pairs.
    assert_eq!(space.size(), 279u128.pow(9));
}

#[test]
fn too_large_a_space_is_refused() {
    let stage = "- {block: ir, expand: 6, channels: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}\n";
    let text = format!("name: big\ninput: 3x32x32\nclasses: 10\nstages:\n{}", stage.repeat(39));
    let error = SearchSpace::parse("s.yaml", &text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "s.yaml:1:1: the space `big` holds more than 3.4e38 candidates, more than can be counted; remove some levels"
    );
}

#[test]
fn sampling_is_uniform_over_distinct_candidates_and_repeats_with_its_seed() {
    let space = stages("stages: [{block: [ir, cse], expand: 6, cap: [4, 8, 16, 32], channels: 16}]");
    let draw = |seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..5000).map(|_| space.sample(&mut rng).unwrap().index).collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    let mut counts = [0usize; 5];
    draw(3).into_iter().for_each(|index| counts[index as usize] += 1);
    // Chi-squared with 4 degrees of freedom: 99.9 % lie below 18.5.
    let chi: f64 = counts.iter().map(|n| (*n as f64 - 1000.0).powi(2) / 1000.0).sum();
    assert!(chi < 18.5, "{counts:?}");
}

#[test]
fn stem_and_head_may_be_choices() {
    let space = stages(
        "stem: [none, {channels: [16, 32], activation: hswish}]\nstages: [{block: ir, expand: 6, channels: 16}]\nhead: {channels: 64, groups: [1, 16]}\nconv_bias: [false, true]",
    );
    assert_eq!(space.size(), 3 * 2 * 2);
    assert_eq!(
        space.get(11).unwrap().candidate.text(),
        "stem_k3_s1_c32_nhs ir_r1_k3_s1_e6_c16 head_c64_g16 bias"
    );
    let names: Vec<_> = space.factors().into_iter().map(|factor| factor.name).collect();
    assert_eq!(names, ["stem", "stem.channels", "head.groups", "conv_bias"]);
}

#[test]
fn constraints_say_what_they_reject() {
    let space = stages(
        "stages: [{block: ir, expand: 6, channels: 16}]\nconstraints: {params: [10k, 0.5M], madds: <= 90M, activation_memory: {max: 2MiB}, size: <= 2M}",
    );
    let constraints = space.constraints;
    assert_eq!(constraints.violation(500_000, 90_000_000, 2 << 20, 2_000_000), None);
    assert_eq!(
        constraints.violation(500_001, 0, 0, 0).unwrap(),
        "params 500,001 is not between 10,000 and 500,000"
    );
    assert_eq!(
        constraints.violation(10_000, 90_000_001, 0, 0).unwrap(),
        "madds 90,000,001 is not at most 90,000,000"
    );
    assert_eq!(
        constraints.violation(10_000, 0, 0, 2_000_001).unwrap(),
        "size 2,000,001 is not at most 2,000,000"
    );
    assert!((constraints.excess(10_000, 0, 0, 3_000_000) - 0.5).abs() < 1e-12);
}

#[test]
fn long_entangled_spaces_are_counted_or_refused_in_time() {
    // 128 stages, every field one decision: 2 blocks, of which ir shows e, a and cse cap, a: 3 * 2 + 2 * 2.
    let stage = "- {block: $b, expand: $e, cap: $cap, activation: $a, channels: 16}\n".repeat(128);
    let shared = stages(&format!(
        "choices: {{b: [ir, cse], e: [2, 3, 6], cap: [4, 8], a: [relu, hswish]}}\nstages:\n{stage}"
    ));
    assert_eq!(shared.size(), 10);
    // Twenty choices, each shown or not, or shown as none, by two distant stages: more states than are kept.
    let names = (0..20).map(|i| format!("  c{i}: [none, 4, 8]\n")).collect::<String>();
    let half: String =
        (0..20).map(|i| format!("- {{block: [ir, cse], expand: 6, cap: $c{i}, channels: 16}}\n")).collect();
    let text = format!("name: t\ninput: 3x32x32\nclasses: 10\nchoices:\n{names}stages:\n{half}{half}");
    assert_eq!(
        SearchSpace::parse("s.yaml", &text).unwrap_err().to_string(),
        "s.yaml:1:1: the shared choices of the space `t` depend on each other in too many ways; share fewer of them between distant stages"
    );
}
