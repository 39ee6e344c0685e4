//! The trials of an experiment in their order: the variants as the file lists them, then the searched candidates, each once
//! for every seed.

use std::collections::VecDeque;

use super::place::Place;
use super::profiled;
use crate::arch::zoo::Named;
use crate::arch::{Network, Shape, build};
use crate::config::yaml::Step;
use crate::config::{Experiment, Variant};
use crate::cost;
use crate::error::Result;
use crate::space::notation;
use crate::study::event::CandidateRecord;
use crate::study::{Plan, PlannedTrial};

/// A candidate ready to be trained.
pub type Planned = (CandidateRecord, Network);

/// What a search proposes: candidates in a fixed order, pulled lazily, within the constraints and without repeats.
pub struct Searched {
    pub candidates: Box<dyn Iterator<Item = Result<Planned>> + Send>,
    /// How many there will be, where that is known beforehand.
    pub total: Option<usize>,
    /// Shape and number of classes of the images that they take.
    pub images: (Shape, usize),
}

/// The plan of an experiment.
pub struct ExperimentPlan {
    seeds: Vec<u64>,
    variants: VecDeque<Planned>,
    /// Variants whose turn has come.
    planned_variants: Vec<Planned>,
    searched: Searched,
    /// Proposals of the search that were looked at before their turn.
    ahead: VecDeque<Result<Planned>>,
    /// The candidate under way, with its seeds still to come.
    current: Option<(Planned, VecDeque<u64>)>,
}

impl ExperimentPlan {
    /// `variants` and then `searched`, each once for every one of `seeds`.
    pub fn new(seeds: &[u64], variants: Vec<Planned>, searched: Searched) -> Self {
        Self {
            seeds: seeds.to_vec(),
            variants: variants.into(),
            planned_variants: Vec::new(),
            searched,
            ahead: VecDeque::new(),
            current: None,
        }
    }

    /// The candidates that come first, all variants and as many of the search that they are `most` trials; they stay in the
    /// plan. What ends the search early is not told before its turn.
    pub fn look_ahead(&mut self, most: usize) -> impl Iterator<Item = &Planned> {
        let candidates = (most / self.seeds.len().max(1)).max(1);
        while self.variants.len() + self.ahead.len() < candidates {
            let Some(next) = self.searched.candidates.next() else { break };
            let ended = next.is_err();
            self.ahead.push_back(next);
            if ended {
                break;
            }
        }
        self.variants.iter().chain(self.ahead.iter().flatten())
    }
}

impl Plan for ExperimentPlan {
    fn next(&mut self) -> Result<Option<PlannedTrial>> {
        loop {
            if let Some(((candidate, network), seeds)) = &mut self.current
                && let Some(seed) = seeds.pop_front()
            {
                return Ok(Some(PlannedTrial {
                    candidate: candidate.clone(),
                    network: network.clone(),
                    seed,
                }));
            }
            let next = match self.variants.pop_front() {
                Some(variant) => {
                    self.planned_variants.push(variant.clone());
                    Some(Ok(variant))
                }
                None => self.ahead.pop_front().or_else(|| self.searched.candidates.next()),
            };
            match next.transpose()? {
                // Without seeds there is nothing to train, however many candidates there are.
                Some(_) if self.seeds.is_empty() => return Ok(None),
                Some(planned) => self.current = Some((planned, self.seeds.iter().copied().collect())),
                None => return Ok(None),
            }
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
        let started = self.current.as_ref().map_or(0, |(_, seeds)| seeds.len());
        // Beyond what can be counted it is as good as not known.
        let candidates = self.variants.len().checked_add(self.searched.total?)?;
        candidates.checked_mul(self.seeds.len())?.checked_add(started)
    }
}

/// The variants of an experiment as candidates, for images of shape `input` in `classes` classes; `place` is its file.
///
/// # Errors
/// A sentence where a variant is no network, or none for such images, or the network of another variant: its trials
/// would be the other's to the bit, so a difference between the two could only mislead.
pub fn variants(experiment: &Experiment, place: Place, input: Shape, classes: usize) -> Result<Vec<Planned>> {
    let mut variants: Vec<Planned> = Vec::new();
    for (number, variant) in experiment.variants.iter().enumerate() {
        let planned = self::variant(variant, number, place, input, classes)?;
        if let Some((other, _)) = variants.iter().find(|(other, _)| other.hash == planned.0.hash) {
            let steps = [Step::Key("variants".into()), Step::Item(number), Step::Key("network".into())];
            let message = format!(
                "variant {} is the same network as variant {}, so it can tell nothing new; change it or take it away",
                variant.name, other.label
            );
            return Err(place.error(&steps, &message));
        }
        variants.push(planned);
    }
    Ok(variants)
}

/// A variant as a candidate, its name the label.
fn variant(variant: &Variant, number: usize, place: Place, input: Shape, classes: usize) -> Result<Planned> {
    let Named { mut network, text } = profiled::variant(variant, number, place, input, classes)?;
    network.name = variant.network.clone();
    let cost = cost::of(&network);
    let record = CandidateRecord {
        label: variant.name.clone(),
        is_variant: true,
        hash: crate::space::hash(&text),
        text,
        choices: Vec::new(),
        params: cost.params,
        madds: cost.madds,
        activation_memory: cost.activation_memory,
    };
    Ok((record, network))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::searched;
    use crate::search::Proposal;
    use crate::study::simulated;

    fn nowhere() -> Place<'static> {
        Place { file: Path::new(""), what: "experiment file", set: &[] }
    }

    fn searched(total: Option<usize>) -> Searched {
        let experiment = simulated::experiment(&["drawn"], &[0]);
        let trial = simulated::plan(&experiment).remove(0);
        let candidates = std::iter::once(Ok((trial.candidate, trial.network)));
        Searched { candidates: Box::new(candidates), total, images: (Shape::new(3, 32, 32), 10) }
    }

    #[test]
    fn variants_come_first_each_with_every_seed() {
        let experiment = simulated::experiment(&["mix", "cse_only"], &[3, 5]);
        let variants = || variants(&experiment, nowhere(), Shape::new(3, 32, 32), 10).unwrap();
        let mut plan = ExperimentPlan::new(&experiment.seeds, variants(), searched(Some(1)));
        assert_eq!(plan.total(), Some(6));
        // Looking changes nothing.
        let mut ahead = |most| plan.look_ahead(most).map(|(c, _)| c.label.clone()).collect::<Vec<_>>();
        assert_eq!(ahead(4), ["mix", "cse_only"]);
        assert_eq!(ahead(100), ["mix", "cse_only", "drawn"]);
        assert_eq!(plan.total(), Some(6));
        let mut seen = Vec::new();
        while let Some(trial) = plan.next().unwrap() {
            if trial.candidate.label == "mix" {
                // Counted from the original definition of the CSE paper's Mix model.
                assert_eq!((trial.candidate.params, trial.candidate.madds), (362_992, 81_434_112));
            }
            seen.push((trial.candidate.label, trial.seed));
        }
        let expected = ["mix", "cse_only", "drawn"].map(|l| [(l.to_owned(), 3), (l.to_owned(), 5)]);
        assert_eq!(seen, expected.concat());
        let endless = ExperimentPlan::new(&experiment.seeds, variants(), searched(None));
        assert_eq!(endless.total(), None);
    }

    #[test]
    fn networks_can_be_had_again() {
        let experiment = simulated::experiment(&["mix", "cse_only"], &[3, 5]);
        let images = (Shape::new(3, 32, 32), 10);
        let text = "stem_s2_c16_k3 ir_e2_k3_s2_c16_r1";
        let candidate = notation::parse(text).unwrap();
        let proposal = Proposal { candidate, choices: Vec::new() };
        let candidates = Box::new(std::iter::once(searched::planned(proposal, images.0, images.1)));
        let searched = Searched { candidates, total: Some(1), images };
        let variants = variants(&experiment, nowhere(), images.0, images.1).unwrap();
        let mut plan = ExperimentPlan::new(&experiment.seeds, variants, searched);
        let mut trials = Vec::new();
        while let Some(trial) = plan.next().unwrap() {
            trials.push(trial);
        }
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
        let error = variants(&experiment, place, Shape::new(3, 32, 32), 10).unwrap_err();
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
        let error = variants(&experiment, place, Shape::new(3, 32, 32), 10).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let error = error.to_string();
        assert!(error.contains(":3:26: variants[1].network: "), "{error}");
        assert!(error.contains("again is the same network as variant wide"), "{error}");
    }
}
