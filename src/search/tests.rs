//! What strategies and wrappers propose, candidate by candidate.

use std::path::PathBuf;

use super::*;

fn space(text: &str) -> Arc<SearchSpace> {
    let text = format!("name: t\ninput: 3x32x32\nclasses: 10\n{text}\n");
    Arc::new(SearchSpace::parse("s.yaml", &text).unwrap())
}

/// Four candidates: ir, and cse with three caps.
fn four() -> Arc<SearchSpace> {
    space("stages: [{block: [ir, cse], expand: 6, cap: [4, 8, 16], channels: 16}]")
}

const TEXTS: [&str; 4] = [
    "ir_r1_k3_s1_e6_c16",
    "cse_r1_k3_s1_c16_cap4_rr16",
    "cse_r1_k3_s1_c16_cap8_rr16",
    "cse_r1_k3_s1_c16_cap16_rr16",
];

fn all(mut strategy: impl Strategy) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(proposal) = strategy.ask().unwrap() {
        texts.push(proposal.candidate.text());
    }
    texts
}

fn anything(_: &Candidate) -> std::result::Result<(), String> {
    Ok(())
}

/// Proposes the first candidate for ever.
struct Stuck(Arc<SearchSpace>);

impl Strategy for Stuck {
    fn ask(&mut self) -> Result<Option<Proposal>> {
        Ok(self.0.get(0).map(Proposal::from))
    }
}

#[test]
fn grid_lists_the_space_in_order() {
    assert_eq!(all(Grid::new(four())), TEXTS);
}

#[test]
fn random_draws_each_candidate_once_and_repeats_with_its_seed() {
    let first = all(Random::new(four(), 1));
    assert_eq!(first, all(Random::new(four(), 1)));
    let mut sorted = first.clone();
    sorted.sort();
    let mut expected = TEXTS.to_vec();
    expected.sort_unstable();
    assert_eq!(sorted, expected);
}

#[test]
fn random_orders_are_uniform() {
    // 24 orders of 4 candidates, 4800 seeds: chi-squared with 23 degrees of freedom, 99.9 % below 49.7.
    let mut counts = std::collections::HashMap::new();
    for seed in 0..4800 {
        *counts.entry(all(Random::new(four(), seed))).or_insert(0usize) += 1;
    }
    assert_eq!(counts.len(), 24);
    let chi: f64 = counts.values().map(|n| (*n as f64 - 200.0).powi(2) / 200.0).sum();
    assert!(chi < 49.7, "{chi}");
}

#[test]
fn random_draws_from_a_huge_space_at_once() {
    let stage = "- {block: ir, expand: 6, channels: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}\n";
    let huge = space(&format!("stages:\n{}", stage.repeat(12)));
    let drawn = all(Limited::new(Random::new(huge, 5), 1000));
    let distinct: std::collections::HashSet<_> = drawn.iter().collect();
    assert_eq!((drawn.len(), distinct.len()), (1000, 1000));
}

#[test]
fn dedup_drops_what_came_before() {
    let mut dedup = Dedup::new(Limited::new(Stuck(four()), 5));
    assert!(dedup.ask().unwrap().is_some());
    assert!(dedup.ask().unwrap().is_none());
}

#[test]
fn the_limit_counts_accepted_candidates() {
    let config =
        SearchConfig { space: PathBuf::new(), strategy: StrategyKind::Grid, trials: Some(2), content: None };
    let no_ir = |candidate: &Candidate| match candidate.text().starts_with("ir") {
        true => Err("ir".to_owned()),
        false => Ok(()),
    };
    assert_eq!(all(strategy(&config, four(), 1, no_ir)), TEXTS[1..3]);
    let config = SearchConfig { strategy: StrategyKind::Random, trials: Some(99), ..config };
    assert_eq!(all(strategy(&config, four(), 1, anything)).len(), 4);
}

#[test]
fn unsatisfiable_constraints_are_a_sentence() {
    let reject = |_: &Candidate| Err("params 9 is not at most 8".to_owned());
    let error = Constrained::new(Stuck(four()), reject, 50).ask().unwrap_err();
    assert_eq!(
        error.to_string(),
        "50 candidates in a row break the constraints (the last: params 9 is not at most 8), so they look unsatisfiable; loosen the search space's constraints or widen its choices"
    );
    assert_eq!(error.exit_code(), 2);
    let error = Constrained::new(Grid::new(four()), reject, 50).ask().unwrap_err();
    assert_eq!(
        error.to_string(),
        "none of the 4 candidates satisfies the constraints (the last: params 9 is not at most 8); loosen the search space's constraints or widen its choices"
    );
}
