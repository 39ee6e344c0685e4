//! Searches of thousands of candidates: what they cost, and that they go on where they were.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// 331,776 candidates.
fn large() -> Arc<SearchSpace> {
    let stage = "- {block: ir, expand: [2, 3, 4], kernel: [3, 5], channels: [8, 12, 16, 24]}\n";
    space(&format!("stages:\n{}", stage.repeat(4)))
}

/// A search with the number of candidates that it has asked about.
struct Counted {
    search: Search,
    judged: Arc<AtomicUsize>,
}

fn counted(config: &SearchConfig) -> Counted {
    let judged = Arc::new(AtomicUsize::new(0));
    let (mut inner, count) = (judge(None), Arc::clone(&judged));
    let judge: Judge = Box::new(move |candidate: &Candidate| {
        count.fetch_add(1, Ordering::Relaxed);
        inner(candidate)
    });
    let search = Search::new(Settings { config, space: large(), seed: 3, epochs: 9, judge });
    Counted { search, judged }
}

/// Runs a search to its end, one trial at a time: its orders, and what it noted of its proposals.
fn follow(search: &mut Search) -> (Vec<(String, usize)>, Vec<Option<Proposal>>) {
    follow_with(search, |_| {})
}

/// As [`follow`]; `at` is told of each proposal how many came before.
fn follow_with(
    search: &mut Search,
    mut at: impl FnMut(usize),
) -> (Vec<(String, usize)>, Vec<Option<Proposal>>) {
    let (mut orders, mut proposals, mut texts) = (Vec::new(), Vec::new(), HashMap::new());
    loop {
        let (hash, epochs) = match search.order().unwrap() {
            Order::Train(made, epochs) => {
                texts.insert(made.hash.clone(), made.candidate.text());
                at(proposals.len());
                proposals.push(made.proposal.map(|proposal| *proposal));
                (made.hash, epochs)
            }
            Order::Continue(hash, epochs) => (hash, epochs),
            Order::Wait => panic!("everything has been told"),
            Order::End => return (orders, proposals),
        };
        orders.push((texts[&hash].clone(), epochs));
        let all = accuracy(&texts[&hash]);
        let accuracy = all * (epochs as f64 / 9.0).powf(0.2);
        search.tell(&hash, epochs, Some(Figures { accuracy, loss: 100.0 - all, latency: None }));
    }
}

fn with_rungs(strategy: StrategyKind, trials: usize) -> SearchConfig {
    let mut config = config(strategy, trials);
    config.budget = SearchConfig::usual_budget(StrategyKind::ShEmoa, 9);
    config
}

/// What was proposed before is not bred again: candidates are looked at once each, and what comes after is the same. With
/// 520 candidates both what is computed after each outcome and what is put off are in it.
#[test]
fn a_search_goes_on_from_its_proposals() {
    for (config, most) in [
        (config(StrategyKind::Tpe, 520), 0),
        (with_rungs(StrategyKind::Tpe, 300), 0),
        (config(StrategyKind::ShEmoa, 520), 1),
        (with_rungs(StrategyKind::ShEmoa, 200), 1),
    ] {
        let mut whole = counted(&config);
        let (orders, proposals) = follow(&mut whole.search);
        assert!(proposals.iter().all(Option::is_some));
        for known in [proposals.len() / 2, proposals.len() - 20, proposals.len()] {
            let mut again = counted(&config);
            again.search.recall(proposals[..known].to_vec());
            assert_eq!(follow(&mut again.search).0, orders, "{:?} from {known}", config.strategy);
            let (before, now) = (whole.judged.load(Ordering::Relaxed), again.judged.load(Ordering::Relaxed));
            if known == proposals.len() {
                assert_eq!(now, known, "{:?}: {before} before", config.strategy);
            }
            assert!(most == 0 || now < before, "{:?}: {now} of {before}", config.strategy);
        }
    }
}

/// Hundredths of a second that this thread has computed.
fn ticks() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(11)?.parse().ok()
}

/// A thousand candidates after 5,000 cost as much as after 1,000; were the whole quadratic, 3.7 times.
#[test]
fn cost_grows_as_the_work_grows() {
    for config in [
        config(StrategyKind::Tpe, 6000),
        config(StrategyKind::Local, 6000),
        with_rungs(StrategyKind::Random, 6000),
        with_rungs(StrategyKind::ShEmoa, 6000),
    ] {
        let mut seen = HashMap::new();
        follow_with(&mut counted(&config).search, |proposed| {
            if proposed % 1000 == 999 {
                seen.insert(proposed / 1000, ticks());
            }
        });
        let between = |from: usize, to: usize| Some((*seen.get(&to)?)? - (*seen.get(&from)?)?);
        let (Some(few), Some(many)) = (between(0, 1), between(4, 5)) else { return };
        // Some ticks are the least that can be told.
        assert!(many < 2.5 * few.max(10.0), "{:?}: {few} and {many} hundredths of a second", config.strategy);
    }
}
