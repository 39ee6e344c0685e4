//! NetAdapt on networks small enough to count by hand.

use std::sync::Arc;

use super::shrink::{Axis, axes, narrowest};
use super::*;
use crate::config::SearchConfig;
use crate::config::netadapt::Origin;
use crate::search::{Costs, Figures, Judged, Order, Search, Settings};
use crate::space::{Block, Expand, SearchSpace};

fn parse(text: &str) -> Candidate {
    notation::parse(text).unwrap()
}

/// Of 16 and 24 channels: block 1 has a shortcut from the stem, block 3 one from block 2.
const NETWORK: &str = "stem_k3_s2_c16 ir_r1_k3_s1_h64_c16 ir_r2_k3_s2_e4_c24";

/// Weights, as counted by hand: 27 for each channel of the stem, of a block in * h + 9 * h + h * out, 10 for each channel that
/// the classifier reads.
fn weights(stem: usize, blocks: &[(usize, usize)]) -> f64 {
    let mut inputs = stem;
    let mut sum = 27 * stem;
    for (hidden, out) in blocks {
        sum += inputs * hidden + 9 * hidden + hidden * out;
        inputs = *out;
    }
    (sum + 10 * inputs) as f64
}

/// The widths of a network of inverted residuals that was split.
fn widths(candidate: &Candidate) -> (usize, Vec<(usize, usize)>) {
    let hidden = |block: &Block| match block {
        Block::InvertedResidual { expand: Expand::Hidden(hidden), .. } => *hidden,
        other => panic!("{other:?}"),
    };
    let blocks = candidate.stages.iter().map(|stage| (hidden(&stage.block), stage.channels)).collect();
    (candidate.stem.as_ref().unwrap().channels, blocks)
}

fn cost(candidate: &Candidate) -> f64 {
    let (stem, blocks) = widths(&split(candidate, 3));
    weights(stem, &blocks)
}

#[test]
fn blocks_of_a_stage_become_stages_of_the_same_widths() {
    assert_eq!(
        split(&parse(NETWORK), 3).text(),
        "stem_k3_s2_c16 ir_r1_k3_s1_h64_c16 ir_r1_k3_s2_h64_c24 ir_r1_k3_s1_h96_c24"
    );
    // What does not expand has no hidden width of its own, and a kept expansion has.
    assert_eq!(
        split(&parse("ir_r1_k3_s1_e1_c8 ir_r1_k3_s1_e1_c8_keep"), 3).text(),
        "ir_r1_k3_s1_e1_c8 ir_r1_k3_s1_h8_c8"
    );
}

/// 11,904 weights; a twentieth is 595.2. One hidden channel of the blocks has 41, 49 and 57, one of the 16 channels 27 + 3 * 64 and
/// one of the 24 has 64 + 2 * 96 + 10.
#[test]
fn each_proposal_is_the_widest_that_cuts_enough() {
    let network = split(&parse(NETWORK), 3);
    assert_eq!(cost(&network), 11_904.0);
    let found: Vec<(String, f64)> = proposals(&network, 3, 0.95 * 11_904.0, |c| Some(cost(c)))
        .into_iter()
        .map(|proposal| {
            assert_eq!(cost(&proposal.candidate), proposal.cost);
            (proposal.change, proposal.cost)
        })
        .collect();
    let expected = [
        ("hidden 64 to 48 in block 1", 16 * 41),
        ("hidden 64 to 48 in block 2", 16 * 49),
        ("hidden 96 to 80 in block 3", 16 * 57),
        ("channels 16 to 12 in the stem and block 1", 4 * 219),
        ("channels 24 to 20 in blocks 2, 3", 4 * 266),
    ];
    assert_eq!(found, expected.map(|(change, cut)| (change.to_owned(), f64::from(11_904 - cut))));
}

/// Where nothing cuts as much as asked, each axis gives what it has.
#[test]
fn the_last_cuts_are_smaller() {
    let network = split(&parse("stem_k3_s2_c2 ir_r1_k3_s2_h4_c3"), 3);
    let found = proposals(&network, 3, 1.0, |c| Some(cost(c)));
    let texts: Vec<String> = found.iter().map(|proposal| proposal.candidate.text()).collect();
    assert_eq!(texts, ["stem_k3_s2_c2 ir_r1_k3_s2_h1_c3", "stem_k3_s2_c2 ir_r1_k3_s2_h4_c1"]);
    assert_eq!(narrowest(&network, 3).text(), "stem_k3_s2_c2 ir_r1_k3_s2_h1_c1");
    assert!(proposals(&narrowest(&network, 3), 3, 1.0, |c| Some(cost(c))).is_empty());
}

#[test]
fn layers_stay_what_they_are() {
    let widths = |text: &str, axis: usize| -> Vec<usize> {
        let network = split(&parse(text), 3);
        let axis = &axes(&network, 3)[axis];
        let most = |width: usize| move |c: &Candidate| Some(if axis.width(c) <= width { 0.0 } else { 1.0 });
        let at = |width| {
            let found = proposals(&network, 3, 0.0, most(width));
            found.into_iter().map(|proposal| axis.width(&proposal.candidate)).min().unwrap()
        };
        (1..axis.width(&network))
            .map(at)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .rev()
            .collect()
    };
    // From 16 to 16 channels there would be a shortcut, where there was none.
    let apart = "stem_k3_s2_c8 ir_r1_k3_s2_h16_c16 ir_r1_k3_s1_h64_c24";
    assert_eq!(widths(apart, 3), [20, 14, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(widths(apart, 1), [56, 48, 40, 32, 28, 24, 20, 16, 14, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1]);
    // Filters of a grouped convolution would meet other channels.
    assert_eq!(axes(&parse("ir_r1_k3_s1_h16_c8 head_c16_g4"), 3), [Axis::Hidden(0)]);
    // A shortcut between expanded tensors needs both as they are.
    let expanded = "stem_k3_s2_c8 ir_r1_k3_s1_h16_c8_noskip ir_r1_k3_s1_h16_c8_expansion";
    let found = proposals(&parse(expanded), 3, 1e9, |_| Some(1.0));
    let changes: Vec<&str> = found.iter().map(|proposal| proposal.change.as_str()).collect();
    assert_eq!(changes, ["channels 8 to 7 in blocks 1, 2"]);
}

fn config(target: f64, delta: f64) -> SearchConfig {
    let netadapt = NetAdaptConfig {
        origin: Origin::Network(NETWORK.into()),
        notation: NETWORK.into(),
        cost: Objective::Params,
        target,
        delta,
        fine_tune: 2,
        fine_tune_lr: None,
    };
    SearchConfig {
        objectives: vec![Objective::Accuracy, Objective::Params],
        netadapt: Some(netadapt),
        ..SearchConfig::new("".into(), crate::config::StrategyKind::NetAdapt, None)
    }
}

fn search(config: &SearchConfig) -> Search {
    let judge = Box::new(|candidate: &Candidate| {
        let params = cost(candidate) as u64;
        let costs = Costs { params, madds: 1, activation_memory: 1, size: 4 * params };
        Judged::Fits(costs, crate::space::text_hash(&candidate.text()))
    });
    let space = Arc::new(SearchSpace::fixed([3, 32, 32], 10).unwrap());
    Search::new(Settings { config, space, seed: 1, epochs: 9, judge })
}

/// Stands for the accuracy: more for wide layers, each of its own worth.
fn accuracy(stem: usize, blocks: &[(usize, usize)]) -> f64 {
    let of = |(number, (hidden, out)): (usize, &(usize, usize))| {
        (number as f64 + 1.0) * (*hidden as f64).ln() + 3.0 * (*out as f64).sqrt() / (number as f64 + 2.0)
    };
    50.0 + 0.3 * stem as f64 + blocks.iter().enumerate().map(of).sum::<f64>()
}

/// Runs to the end with `jobs` under way; each order's text, its epochs and whose weights it has. `fails` says what fails.
fn run(
    mut search: Search,
    jobs: usize,
    fails: impl Fn(&str) -> bool,
) -> Vec<(String, usize, Option<String>)> {
    let (mut orders, mut open) = (Vec::new(), Vec::<(Candidate, String, usize)>::new());
    loop {
        let waits = match search.order().unwrap() {
            Order::Train(made, epochs) => {
                let from = made.adapted.map(|adapted| adapted.from);
                orders.push((made.candidate.text(), epochs, from));
                open.push((made.candidate, made.hash, epochs));
                false
            }
            Order::Wait => true,
            Order::End => return orders,
            Order::Continue(hash, _) => panic!("{hash} goes on"),
        };
        assert!(!(waits && open.is_empty()), "it waits for nothing");
        while open.len() >= jobs || (waits && !open.is_empty()) {
            let (candidate, hash, epochs) = open.pop().unwrap();
            let (stem, blocks) = widths(&split(&candidate, 3));
            let figures = Figures { accuracy: accuracy(stem, &blocks), loss: 1.0, latency: None };
            search.tell(&hash, epochs, (!fails(&candidate.text())).then_some(figures));
        }
    }
}

/// The widths that there are, by hand.
const LADDER: [usize; 24] =
    [96, 88, 80, 72, 64, 56, 48, 40, 32, 28, 24, 20, 16, 14, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1];

/// The stem's channels, then of each block the hidden width and the channels.
type Widths = (usize, Vec<(usize, usize)>);

/// The way that an independent listing of every step takes: the texts of what each step takes.
fn listed(target: f64, delta: f64) -> Vec<String> {
    let mut now = (16, vec![(64, 16), (64, 24), (96, 24)]);
    let cut = delta * weights(now.0, &now.1);
    let mut taken = Vec::new();
    while weights(now.0, &now.1) > target {
        let (before, reached) = (weights(now.0, &now.1), accuracy(now.0, &now.1));
        // Every narrower network: one list for each axis, the widest first.
        let mut axes: Vec<Vec<Widths>> = Vec::new();
        for block in 0..3 {
            let of = |width: &usize| {
                let (stem, mut blocks) = now.clone();
                (*width < blocks[block].0).then(|| blocks[block].0 = *width)?;
                Some((stem, blocks))
            };
            axes.push(LADDER.iter().filter_map(of).collect());
        }
        for first in 0..3 {
            let (stem, blocks) = now.clone();
            let size = blocks[first].1;
            if blocks[..first].iter().all(|(_, out)| *out != size) {
                let of = |width: &usize| {
                    let block =
                        |(hidden, out): &(usize, usize)| (*hidden, if *out == size { *width } else { *out });
                    Some((if first == 0 { *width } else { stem }, blocks.iter().map(block).collect()))
                };
                axes.push(LADDER.iter().filter(|width| **width < size).filter_map(of).collect());
            }
        }
        let enough = |(stem, blocks): &&Widths| weights(*stem, blocks) <= before - cut;
        let mut proposals: Vec<&Widths> = axes.iter().filter_map(|axis| axis.iter().find(enough)).collect();
        if proposals.is_empty() {
            proposals = axes.iter().filter_map(|axis| axis.last()).collect();
        }
        let mut best: Option<(f64, Widths)> = None;
        for (stem, blocks) in proposals {
            let ratio = (accuracy(*stem, blocks) - reached) / (before - weights(*stem, blocks));
            if best.as_ref().is_none_or(|(highest, _)| ratio > *highest) {
                best = Some((ratio, (*stem, blocks.clone())));
            }
        }
        now = best.unwrap().1;
        let (stem, b) = &now;
        taken.push(format!(
            "stem_k3_s2_c{stem} ir_r1_k3_s1_h{}_c{} ir_r1_k3_s2_h{}_c{} ir_r1_k3_s1_h{}_c{}",
            b[0].0, b[0].1, b[1].0, b[1].1, b[2].0, b[2].1
        ));
    }
    taken
}

#[test]
fn the_way_is_that_of_an_independent_listing() {
    for (target, delta) in [(6000.0, 0.05), (3000.0, 0.02), (9000.0, 0.01), (2000.0, 0.1)] {
        let expected = listed(target, delta);
        let orders = run(search(&config(target, delta)), 1, |_| false);
        assert_eq!((orders[0].0.as_str(), orders[0].1, &orders[0].2), (NETWORK, 9, &None));
        assert!(orders[1..].iter().all(|(_, epochs, _)| *epochs == 2));
        // What was taken is what the next step's proposals inherit from.
        let mut from: Vec<String> = orders[1..].iter().filter_map(|(_, _, from)| from.clone()).collect();
        from.dedup();
        assert_eq!(from[0], crate::space::text_hash(NETWORK));
        let hashes: Vec<String> = expected.iter().map(|text| crate::space::text_hash(text)).collect();
        assert_eq!(from[1..], hashes[..hashes.len() - 1], "to {target} by {delta}");
        // The last that was taken is among the last proposals.
        let last =
            orders.iter().any(|(text, _, of)| Some(text) == expected.last() && *of == from.last().cloned());
        assert!(last, "to {target} by {delta}");
        for jobs in [2, 5, 100] {
            assert_eq!(run(search(&config(target, delta)), jobs, |_| false), orders, "{jobs} jobs");
        }
    }
}

#[test]
fn what_fails_is_not_taken() {
    let orders = run(search(&config(6000.0, 0.05)), 3, |_| false);
    let taken = orders[6].2.clone().unwrap();
    let failed = orders.iter().find(|(text, ..)| crate::space::text_hash(text) == taken).unwrap().0.clone();
    let others = run(search(&config(6000.0, 0.05)), 3, |text| text == failed);
    assert_eq!(others[..6], orders[..6]);
    assert_ne!(others[6].2, Some(taken));
    // With nothing to go on from it ends.
    assert_eq!(run(search(&config(6000.0, 0.05)), 3, |text| text != NETWORK).len(), 6);
    assert_eq!(run(search(&config(6000.0, 0.05)), 3, |_| true).len(), 1);
}

/// With all widths at 1 the stem has 27, the classifier 10 and each block 11 weights.
#[test]
fn targets_that_make_no_sense_are_refused() {
    let refused = |target: f64| search(&config(target, 0.01)).order().unwrap_err().to_string();
    let message = refused(69.0);
    assert!(message.starts_with("search.target: 69 params cannot be reached from this network"), "{message}");
    assert!(
        message.contains("it still has 70, the closest that is reachable (`stem_k3_s2_c1 ir_r1_k3_s1_h1_c1"),
        "{message}"
    );
    assert!(search(&config(70.0, 0.01)).order().is_ok());
    let message = refused(11_904.0);
    assert!(
        message.contains("has 11,904 params already, which is not above the target of 11,904"),
        "{message}"
    );
}

#[test]
fn ratios_compare_points_by_cost() {
    let before = Reached { accuracy: 50.0, cost: 1000.0 };
    let at = |accuracy, cost| Some(Reached { accuracy, cost });
    // -0.01, -0.02 and +0.001 points for each unit.
    assert_eq!(chosen(&before, &[at(49.0, 900.0), at(48.0, 900.0), at(50.5, 500.0)]), Some(2));
    assert_eq!(chosen(&before, &[None, at(49.0, 900.0), at(49.0, 900.0)]), Some(1));
    assert_eq!(chosen(&before, &[None, at(f64::NAN, 900.0)]), None);
}
