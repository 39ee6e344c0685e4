//! The trials of an experiment in their order: the variants as the file lists them, then the searched candidates, each once
//! for every seed.

use std::collections::{HashMap, VecDeque};

use super::place::Place;
use super::recorded::Recorded;
use super::{profiled, searched};
use crate::arch::zoo::Named;
use crate::arch::{Network, Shape, build};
use crate::config::yaml::Step;
use crate::config::{Experiment, Variant};
use crate::cost;
use crate::error::{Error, Result};
use crate::search::{Figures, Order, Search, Timed};
use crate::space::{notation, text_hash};
use crate::study::event::{CandidateRecord, Metrics};
use crate::study::{Ended, Next, Plan, PlannedTrial};

/// A candidate ready to be trained.
pub type Planned = (CandidateRecord, Network);

/// The searched part of a plan.
#[derive(Debug)]
pub struct Searched {
    /// Candidates that an extended study has already.
    pub kept: Vec<Planned>,
    /// What proposes the others; `None` where there is no search.
    pub search: Option<Search>,
    /// How many candidates there will be, where that is known beforehand.
    pub total: Option<usize>,
    /// Shape and number of classes of the images that they take.
    pub images: (Shape, usize),
    /// What a study of before has recorded.
    pub recorded: Recorded,
}

/// A candidate that is to be trained, or to go on, up to a rung; with the seeds still to come.
#[derive(Debug)]
struct Ordered {
    planned: Planned,
    goes_on: bool,
    until: Option<usize>,
    seeds: VecDeque<u64>,
}

/// How the trials of a searched candidate ended.
#[derive(Debug)]
struct Group {
    record: CandidateRecord,
    /// Seeds whose trials have not failed.
    seeds: Vec<u64>,
    /// At the rung under way: of each seed, validation figures where it did not fail.
    ended: Vec<(u64, Option<Metrics>)>,
    until: Option<usize>,
}

/// The plan of an experiment.
#[derive(Debug)]
pub struct ExperimentPlan {
    seeds: Vec<u64>,
    /// Of a whole training.
    epochs: usize,
    variants: VecDeque<Planned>,
    /// Variants whose turn has come.
    planned_variants: Vec<Planned>,
    kept: VecDeque<Planned>,
    searched: Searched,
    /// Orders of the search that were looked at before their turn.
    ahead: VecDeque<Ordered>,
    /// What the search said after these, where it was not an order.
    said: Option<Result<Next>>,
    current: Option<Ordered>,
    groups: HashMap<String, Group>,
}

impl ExperimentPlan {
    /// `variants` and then `searched`, each once for every one of `seeds`, for `epochs` unless the search says fewer.
    pub fn new(seeds: &[u64], epochs: usize, variants: Vec<Planned>, mut searched: Searched) -> Self {
        Self {
            seeds: seeds.to_vec(),
            epochs,
            variants: variants.into(),
            planned_variants: Vec::new(),
            kept: std::mem::take(&mut searched.kept).into(),
            searched,
            ahead: VecDeque::new(),
            said: None,
            current: None,
            groups: HashMap::new(),
        }
    }

    /// The candidates that come first, all variants and as many of the search that they are `most` trials, or as it can name
    /// before it is told of any; they stay in the plan. What ends the search early is not told before its turn.
    pub fn look_ahead(&mut self, most: usize) -> impl Iterator<Item = &Planned> {
        let candidates = (most / self.seeds.len().max(1)).max(1);
        while self.said.is_none() && self.variants.len() + self.kept.len() + self.ahead.len() < candidates {
            match self.order() {
                Ok(Ok(ordered)) => self.ahead.push_back(ordered),
                Ok(Err(said)) => self.said = Some(Ok(said)),
                Err(e) => self.said = Some(Err(e)),
            }
        }
        let searched = self.kept.iter().chain(self.ahead.iter().map(|ordered| &ordered.planned));
        self.variants.iter().chain(searched.take(candidates.saturating_sub(self.variants.len())))
    }

    /// The next order of the search; within, what it says instead.
    fn order(&mut self) -> Result<std::result::Result<Ordered, Next>> {
        let Some(search) = &mut self.searched.search else { return Ok(Err(Next::End)) };
        let until = |epochs: usize| (epochs < self.epochs).then_some(epochs);
        let (planned, goes_on, until, seeds) = match search.order()? {
            Order::Train(made, epochs) => {
                let parent = made.adapted.as_ref().map(|adapted| adapted.from.clone());
                let planned = searched::planned(*made, self.searched.images, &self.searched.recorded)?;
                let (until, seeds) = match parent {
                    // It inherits from the trials of the same seeds, and stops whatever a whole training is.
                    Some(parent) => {
                        (Some(epochs), self.groups.get(&parent).map_or(&[][..], |g| &g.seeds).to_vec())
                    }
                    None => (until(epochs), self.seeds.clone()),
                };
                if search.listens() {
                    let (record, seeds) = (planned.0.clone(), seeds.clone());
                    let group = Group { record, seeds, ended: Vec::new(), until };
                    self.groups.insert(planned.0.hash.clone(), group);
                }
                (planned, false, until, seeds)
            }
            Order::Continue(hash, epochs) => {
                let until = until(epochs);
                let missing = || {
                    Error::run("a candidate is to go on that never began: this is a mistake in blocksmith")
                };
                let group = self.groups.get_mut(&hash).ok_or_else(missing)?;
                (group.until, group.ended) = (until, Vec::new());
                let (record, seeds) = (group.record.clone(), group.seeds.clone());
                let network = self.network(&record).ok_or_else(missing)?;
                ((record, network), true, until, seeds)
            }
            Order::Wait => return Ok(Err(Next::Wait)),
            Order::End => return Ok(Err(Next::End)),
        };
        Ok(Ok(Ordered { planned, goes_on, until, seeds: seeds.into() }))
    }

    /// The order after the current one; within, what the search says instead.
    fn ordered(&mut self) -> Result<std::result::Result<Ordered, Next>> {
        let whole = |planned: Planned| Ordered {
            planned,
            goes_on: false,
            until: None,
            seeds: self.seeds.clone().into(),
        };
        if let Some(variant) = self.variants.pop_front() {
            self.planned_variants.push(variant.clone());
            return Ok(Ok(whole(variant)));
        }
        if let Some(kept) = self.kept.pop_front() {
            return Ok(Ok(whole(kept)));
        }
        match self.ahead.pop_front() {
            Some(ordered) => Ok(Ok(ordered)),
            None => match self.said.take() {
                // It may have been told more since.
                None | Some(Ok(Next::Wait)) => self.order(),
                Some(said) => said.map(Err),
            },
        }
    }
}

impl Plan for ExperimentPlan {
    fn next(&mut self) -> Result<Next> {
        // Without seeds there is nothing to train, however many candidates there are.
        if self.seeds.is_empty() {
            return Ok(Next::End);
        }
        loop {
            if let Some(Ordered { planned: (candidate, network), goes_on, until, seeds }) = &mut self.current
                && let Some(seed) = seeds.pop_front()
            {
                let (candidate, network) = (candidate.clone(), network.clone());
                let planned = PlannedTrial { candidate, network, seed, until: *until };
                return Ok(if *goes_on { Next::Continue(planned) } else { Next::New(planned) });
            }
            match self.ordered()? {
                Ok(ordered) => self.current = Some(ordered),
                Err(said) => return Ok(said),
            }
        }
    }

    fn tell(&mut self, ended: &Ended<'_>) {
        let Ended { candidate, seed, until, validation, latency } = *ended;
        let latency = latency.map(|l| Timed { seconds: l.per_image(), floor: l.floor_per_image() });
        let Some(group) = self.groups.get_mut(&candidate.hash).filter(|_| !candidate.is_variant) else {
            return;
        };
        let heard = group.ended.iter().any(|(of, _)| *of == seed);
        if group.until != until || heard || !group.seeds.contains(&seed) {
            return;
        }
        group.ended.push((seed, validation));
        if group.ended.len() < group.seeds.len() {
            return;
        }
        // In the order of the seeds, so that sums do not depend on who ended first.
        group.ended.sort_by_key(|(seed, _)| *seed);
        let metrics: Vec<Metrics> = group.ended.iter().filter_map(|(_, metrics)| *metrics).collect();
        let reached = |seed: &u64| group.ended.iter().any(|(of, metrics)| of == seed && metrics.is_some());
        let seeds: Vec<u64> = group.seeds.iter().copied().filter(reached).collect();
        group.seeds = seeds;
        let mean = |of: fn(&Metrics) -> f64| metrics.iter().map(of).sum::<f64>() / metrics.len() as f64;
        let figures = (!metrics.is_empty()).then(|| Figures {
            accuracy: mean(|metrics| metrics.accuracy),
            loss: mean(|metrics| metrics.loss),
            latency,
        });
        if let Some(search) = &mut self.searched.search {
            let untrained = latency.filter(|latency| search.rejects(*latency)).map(Figures::untrained);
            let figures = figures.or(untrained);
            search.tell(&candidate.hash, until.unwrap_or(self.epochs), figures);
        }
    }

    fn network(&self, candidate: &CandidateRecord) -> Option<Network> {
        if candidate.is_variant {
            let variant = self.planned_variants.iter().find(|(variant, _)| variant.label == candidate.label);
            return variant.map(|(_, network)| network.clone());
        }
        let (input, classes) = self.searched.images;
        let parsed = notation::parse(&candidate.text).ok()?;
        build::network(&parsed, input, classes).ok()
    }

    fn total(&self) -> Option<usize> {
        let started = self.current.as_ref().map_or(0, |ordered| ordered.seeds.len());
        // Beyond what can be counted it is as good as not known.
        let candidates = self.variants.len().checked_add(self.searched.total?)?;
        candidates.checked_mul(self.seeds.len())?.checked_add(started)
    }
}

/// The variants of an experiment as candidates, for images of shape `input` in `classes` classes; `place` is its file, and
/// `recorded` what its study has of before: what that trained as two networks it keeps as two.
///
/// # Errors
/// A sentence where a variant is no network, or none for such images, or the network of another variant: its trials
/// would be the other's to the bit, so a difference between the two could only mislead.
pub fn variants(
    experiment: &Experiment,
    place: Place,
    (input, classes): (Shape, usize),
    recorded: &Recorded,
) -> Result<Vec<Planned>> {
    let mut variants: Vec<Planned> = Vec::new();
    for (number, variant) in experiment.variants.iter().enumerate() {
        let planned = self::variant(variant, number, place, (input, classes), recorded)?;
        if let Some(other) = variants.iter().position(|(other, _)| other.hash == planned.0.hash) {
            let steps = [Step::Key("variants".into()), Step::Item(number), Step::Key("network".into())];
            let message = same(variant, &experiment.variants[other], &planned.0.text);
            return Err(place.error(&steps, &message));
        }
        variants.push(planned);
    }
    Ok(variants)
}

/// Why two variants are refused: they are one network, and which, where they are written otherwise.
fn same(variant: &Variant, other: &Variant, text: &str) -> String {
    let (name, before) = (&variant.name, &other.name);
    let is_written_alike = (&variant.network, &variant.set) == (&other.network, &other.set);
    let why = if is_written_alike {
        String::new()
    } else {
        format!(" (`{}` and `{}` build the same layers, `{text}`)", variant.network, other.network)
    };
    format!(
        "variant {name} is the same network as variant {before}{why}, so it can tell nothing new; change it or take it away"
    )
}

/// A variant as a candidate, its name the label.
fn variant(
    variant: &Variant,
    number: usize,
    place: Place,
    (input, classes): (Shape, usize),
    recorded: &Recorded,
) -> Result<Planned> {
    let Named { mut network, mut text, written } = profiled::variant(variant, number, place, input, classes)?;
    let mut hash = network.hash();
    if let Some((known, named)) = recorded.variant(&variant.name, &written, &network) {
        (hash, text, network) = (text_hash(&known), known, named);
    }
    network.name = variant.network.clone();
    let cost = cost::of(&network);
    let record = CandidateRecord {
        label: variant.name.clone(),
        is_variant: true,
        hash,
        text,
        choices: Vec::new(),
        merged: None,
        params: cost.params,
        madds: cost.madds,
        activation_memory: cost.activation_memory,
        adapted: None,
    };
    Ok((record, network))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::study::simulated;

    fn nowhere() -> Place<'static> {
        Place { file: Path::new(""), what: "experiment file", set: &[], phase: None }
    }

    fn searched(total: Option<usize>) -> Searched {
        let experiment = simulated::experiment(&["drawn"], &[0]);
        let trial = simulated::plan(&experiment).remove(0);
        let kept = vec![(trial.candidate, trial.network)];
        Searched {
            kept,
            search: None,
            total,
            images: (Shape::new(3, 32, 32), 10),
            recorded: Recorded::default(),
        }
    }

    fn all(plan: &mut ExperimentPlan) -> Vec<PlannedTrial> {
        let mut trials = Vec::new();
        while let Next::New(trial) = plan.next().unwrap() {
            trials.push(trial);
        }
        assert_eq!(plan.next().unwrap(), Next::End);
        trials
    }

    #[test]
    fn variants_come_first_each_with_every_seed() {
        let experiment = simulated::experiment(&["mix", "cse_only"], &[3, 5]);
        let variants =
            || variants(&experiment, nowhere(), (Shape::new(3, 32, 32), 10), &Recorded::default()).unwrap();
        let mut plan = ExperimentPlan::new(&experiment.seeds, 3, variants(), searched(Some(1)));
        assert_eq!(plan.total(), Some(6));
        // Looking changes nothing.
        let mut ahead = |most| plan.look_ahead(most).map(|(c, _)| c.label.clone()).collect::<Vec<_>>();
        assert_eq!(ahead(4), ["mix", "cse_only"]);
        assert_eq!(ahead(100), ["mix", "cse_only", "drawn"]);
        assert_eq!(plan.total(), Some(6));
        let mut seen = Vec::new();
        for trial in all(&mut plan) {
            if trial.candidate.label == "mix" {
                // Counted from the original definition of the CSE paper's Mix model.
                assert_eq!((trial.candidate.params, trial.candidate.madds), (362_992, 81_434_112));
            }
            seen.push((trial.candidate.label, trial.seed));
        }
        let expected = ["mix", "cse_only", "drawn"].map(|l| [(l.to_owned(), 3), (l.to_owned(), 5)]);
        assert_eq!(seen, expected.concat());
        let endless = ExperimentPlan::new(&experiment.seeds, 3, variants(), searched(None));
        assert_eq!(endless.total(), None);
    }

    #[test]
    fn networks_can_be_had_again() {
        let experiment = simulated::experiment(&["mix", "cse_only"], &[3, 5]);
        let images = (Shape::new(3, 32, 32), 10);
        let candidate = notation::parse("stem_s2_c16_k3 ir_e2_k3_s2_c16_r1").unwrap();
        let network = build::network(&candidate, images.0, images.1).unwrap();
        let record = simulated::plan(&simulated::experiment(&["drawn"], &[0])).remove(0).candidate;
        let record =
            CandidateRecord { text: candidate.text(), hash: network.hash(), is_variant: false, ..record };
        let recorded = Recorded::default();
        let searched =
            Searched { kept: vec![(record, network)], search: None, total: Some(1), images, recorded };
        let variants = variants(&experiment, nowhere(), images, &Recorded::default()).unwrap();
        let mut plan = ExperimentPlan::new(&experiment.seeds, 3, variants, searched);
        let trials = all(&mut plan);
        assert_eq!(trials.len(), 6);
        for trial in trials {
            assert_eq!(plan.network(&trial.candidate), Some(trial.network), "{}", trial.candidate.label);
        }
    }

    #[test]
    fn a_wrong_variant_is_named() {
        let experiment = simulated::experiment(&["mux"], &[0]);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("e.yaml");
        std::fs::write(&file, "name: e\nvariants:\n- name: mux\n  network: mux\n").unwrap();
        let place = Place { file: &file, ..nowhere() };
        let error =
            variants(&experiment, place, (Shape::new(3, 32, 32), 10), &Recorded::default()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let expected = format!("{}:4:12: variants[0].network: variant mux: ", file.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
    }

    #[test]
    fn two_spellings_of_one_network_are_refused_as_variants() {
        let mut experiment = simulated::experiment(&["wide", "again"], &[0]);
        experiment.variants[0].network = "stem_c16_s2 ir_s2_e2_c16".into();
        experiment.variants[1].network = "stem_s2_c16_k3 ir_e2_k3_s2_c16_r1".into();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("e.yaml");
        std::fs::write(&file, "variants:\n- {name: wide, network: a}\n- {name: again, network: b}\n")
            .unwrap();
        let place = Place { file: &file, ..nowhere() };
        let error =
            variants(&experiment, place, (Shape::new(3, 32, 32), 10), &Recorded::default()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let error = error.to_string();
        assert!(error.contains(":3:26: variants[1].network: "), "{error}");
        assert!(error.contains("again is the same network as variant wide"), "{error}");
        assert!(error.contains("build the same layers, `stem_k3_s2_c16 ir_r1_k3_s2_e2_c16`)"), "{error}");
    }

    /// Each pair builds the same layers by the rules of the notation, however far apart the texts are.
    #[test]
    fn equal_networks_are_refused_as_variants_whatever_they_say() {
        for (one, other) in [
            ("stem_c8 ir_e2_c8_se0.125", "stem_c8 ir_h16_c8_se0.5"),
            ("stem_c8 ir_e2.1_c16", "stem_c8 ir_e2.15_c16"),
            ("stem_c16 ir_r2_e6_c24", "stem_c16 ir_e6_c24 ir_h144_c24"),
            ("cn_r2_c8", "stem_c8 cn_c8"),
            ("stem_c8 dsa_c16", "stem_c8 ir_e1_c16_nonlinear"),
            ("mobilenet_v3_small width=0.5", "mobilenet_v3_small width=0.501"),
            ("mix", "mix cap_mode=min"),
        ] {
            let mut experiment = simulated::experiment(&["a", "b"], &[0]);
            experiment.variants[0].network = one.into();
            experiment.variants[1].network = other.into();
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("e.yaml");
            std::fs::write(&file, "variants:\n- {name: a, network: a}\n- {name: b, network: b}\n").unwrap();
            let place = Place { file: &file, ..nowhere() };
            let found = variants(&experiment, place, (Shape::new(3, 32, 32), 10), &Recorded::default());
            let error = found.expect_err(other).to_string();
            assert!(error.contains("variant b is the same network as variant a"), "{error}");
        }
    }
}
