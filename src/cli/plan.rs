//! The trials of an experiment in their order: the variants as the file lists them, then the searched candidates, each once
//! for every seed.

use std::collections::VecDeque;

use super::place::Place;
use super::profiled;
use crate::arch::{Network, Shape};
use crate::config::{Experiment, Variant};
use crate::cost;
use crate::error::Result;
use crate::study::event::CandidateRecord;
use crate::study::{Plan, PlannedTrial};

/// A candidate ready to be trained.
pub type Planned = (CandidateRecord, Network);

/// What a search proposes: candidates in a fixed order, pulled lazily, within the constraints and without repeats.
pub struct Searched {
    pub candidates: Box<dyn Iterator<Item = Result<Planned>> + Send>,
    /// How many there will be, where that is known beforehand.
    pub total: Option<usize>,
}

/// The plan of an experiment.
pub struct ExperimentPlan {
    seeds: Vec<u64>,
    variants: VecDeque<Planned>,
    searched: Searched,
    /// The candidate under way, with its seeds still to come.
    current: Option<(Planned, VecDeque<u64>)>,
}

impl ExperimentPlan {
    /// Variants and then `searched`, for images of shape `input` in `classes` classes; `place` is the experiment's file.
    ///
    /// # Errors
    /// A sentence where a variant is no network, or none for such images.
    pub fn new(
        experiment: &Experiment,
        place: Place,
        input: Shape,
        classes: usize,
        searched: Searched,
    ) -> Result<Self> {
        let variants = experiment.variants.iter().enumerate();
        let variants = variants.map(|(number, v)| variant(v, number, place, input, classes));
        Ok(Self {
            seeds: experiment.seeds.clone(),
            variants: variants.collect::<Result<_>>()?,
            searched,
            current: None,
        })
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
                Some(variant) => Some(Ok(variant)),
                None => self.searched.candidates.next(),
            };
            match next.transpose()? {
                // Without seeds there is nothing to train, however many candidates there are.
                Some(_) if self.seeds.is_empty() => return Ok(None),
                Some(planned) => self.current = Some((planned, self.seeds.iter().copied().collect())),
                None => return Ok(None),
            }
        }
    }

    fn total(&self) -> Option<usize> {
        let started = self.current.as_ref().map_or(0, |(_, seeds)| seeds.len());
        // Beyond what can be counted it is as good as not known.
        let candidates = self.variants.len().checked_add(self.searched.total?)?;
        candidates.checked_mul(self.seeds.len())?.checked_add(started)
    }
}

/// A variant as a candidate, its name the label.
fn variant(variant: &Variant, number: usize, place: Place, input: Shape, classes: usize) -> Result<Planned> {
    let (candidate, mut network) = profiled::variant(variant, number, place, input, classes)?;
    network.name = variant.network.clone();
    let cost = cost::of(&network);
    let record = CandidateRecord {
        label: variant.name.clone(),
        is_variant: true,
        text: candidate.text(),
        hash: candidate.hash(),
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
    use crate::study::simulated;

    fn nowhere() -> Place<'static> {
        Place { file: Path::new(""), what: "experiment file", set: &[] }
    }

    fn searched(total: Option<usize>) -> Searched {
        let experiment = simulated::experiment(&["drawn"], &[0]);
        let trial = simulated::plan(&experiment).remove(0);
        let candidates = std::iter::once(Ok((trial.candidate, trial.network)));
        Searched { candidates: Box::new(candidates), total }
    }

    #[test]
    fn variants_come_first_each_with_every_seed() {
        let experiment = simulated::experiment(&["mix", "cse_only"], &[3, 5]);
        let mut plan =
            ExperimentPlan::new(&experiment, nowhere(), Shape::new(3, 32, 32), 10, searched(Some(1)))
                .unwrap();
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
        let endless =
            ExperimentPlan::new(&experiment, nowhere(), Shape::new(3, 32, 32), 10, searched(None)).unwrap();
        assert_eq!(endless.total(), None);
    }

    #[test]
    fn a_wrong_variant_is_named() {
        let experiment = simulated::experiment(&["mux"], &[0]);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("e.yaml");
        std::fs::write(&file, "name: e\nvariants:\n- name: mux\n  network: mux\n").unwrap();
        let place = Place { file: &file, ..nowhere() };
        let plan = ExperimentPlan::new(&experiment, place, Shape::new(3, 32, 32), 10, searched(None));
        let error = plan.err().unwrap();
        assert_eq!(error.exit_code(), 2);
        let expected = format!("{}:4:12: variants[0].network: variant mux: ", file.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}
