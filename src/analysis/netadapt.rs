//! The way of a NetAdapt search: step by step what was proposed, what was taken, and what came of it.

use serde::Serialize;

use super::StudySummary;
use crate::config::{NetAdaptConfig, Objective};
use crate::search::netadapt::{Reached, chosen};
use crate::study::event::CandidateRecord;
use crate::study::state::{RungEnd, Trial};

/// A network on the way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waypoint {
    pub candidate: CandidateRecord,
    pub cost: f64,
    /// Mean validation accuracy over seeds, percent, after the epochs that it was given.
    pub accuracy: f64,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AdaptedStep {
    /// Counted from 1.
    pub step: usize,
    pub proposals: usize,
    /// Of these, all of whose trials failed.
    pub failed: usize,
    /// What was taken; `None` where all failed, or not all is known yet.
    pub taken: Option<Waypoint>,
    /// Points of accuracy for each unit of cost, of what was taken.
    pub ratio: Option<f64>,
}

/// From the first network towards the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Adaptation {
    pub cost: Objective,
    pub target: f64,
    /// The network that was shrunk; `None` where it has not been trained, or failed.
    pub first: Option<Waypoint>,
    pub steps: Vec<AdaptedStep>,
}

impl Adaptation {
    /// That of a study; `None` where its strategy is another.
    pub fn of(study: &StudySummary) -> Option<Self> {
        let NetAdaptConfig { cost, target, .. } =
            study.experiment.as_ref()?.search.as_ref()?.netadapt.clone()?;
        let searched: Vec<Group<'_>> = groups(study);
        let (first, proposals): (Vec<_>, Vec<_>) =
            searched.into_iter().partition(|group| group.record.adapted.is_none());
        // What it costs the proposals made of it tell.
        let cost_of_first =
            proposals.first().and_then(|group| group.record.adapted.as_ref()).map(|a| a.cost_before);
        let first = first
            .first()
            .and_then(|group| group.waypoint(cost_of_first.or_else(|| known(group.record, cost))?));
        let (mut before, mut steps) = (first.clone(), Vec::new());
        for step in 1.. {
            let of_step: Vec<&Group<'_>> =
                proposals.iter().filter(|group| group.step() == Some(step)).collect();
            let Some(from) = before.take().filter(|_| !of_step.is_empty()) else { break };
            let from = Reached { accuracy: from.accuracy, cost: from.cost };
            let waypoints: Vec<Option<Waypoint>> = of_step.iter().map(|group| group.adapted()).collect();
            let reached: Vec<Option<Reached>> = waypoints
                .iter()
                .map(|waypoint| waypoint.as_ref().map(|w| Reached { accuracy: w.accuracy, cost: w.cost }))
                .collect();
            let number = chosen(&from, &reached).filter(|_| of_step.iter().all(|group| group.has_ended()));
            before = number.and_then(|number| waypoints[number].clone());
            steps.push(AdaptedStep {
                step,
                proposals: of_step.len(),
                failed: of_step
                    .iter()
                    .filter(|group| group.has_ended() && group.accuracy().is_none())
                    .count(),
                taken: before.clone(),
                ratio: number.and_then(|number| reached[number]).map(|reached| reached.ratio(&from)),
            });
        }
        Some(Self { cost, target, first, steps })
    }

    /// The last network that was taken, or the first of all.
    pub fn last(&self) -> Option<&Waypoint> {
        self.steps.iter().rev().find_map(|step| step.taken.as_ref()).or(self.first.as_ref())
    }

    /// Whether the target was reached.
    pub fn is_reached(&self) -> bool {
        self.last().is_some_and(|last| last.cost <= self.target)
    }
}

/// The trials of a candidate.
struct Group<'a> {
    record: &'a CandidateRecord,
    trials: Vec<&'a Trial>,
}

/// The searched candidates in the order of their first trials.
fn groups(study: &StudySummary) -> Vec<Group<'_>> {
    let searched = study.candidates().into_iter().filter(|candidate| !candidate.record.is_variant);
    searched
        .map(|candidate| {
            let mut trials = candidate.trials;
            // As the search sums them.
            trials.sort_by_key(|trial| trial.seed);
            Group { record: candidate.record, trials }
        })
        .collect()
}

impl Group<'_> {
    fn step(&self) -> Option<usize> {
        self.record.adapted.as_ref().map(|adapted| adapted.step)
    }

    /// How its trials ended at first, which is what the search heard.
    fn ends(&self) -> impl Iterator<Item = Option<RungEnd>> {
        self.trials.iter().map(|trial| trial.rungs.last().and_then(|rung| rung.end))
    }

    fn has_ended(&self) -> bool {
        self.ends().all(|end| end.is_some())
    }

    fn accuracy(&self) -> Option<f64> {
        let reached: Vec<f64> = self
            .ends()
            .filter_map(|end| match end? {
                RungEnd::Reached(metrics) => Some(metrics.accuracy),
                RungEnd::TimedOut(_) | RungEnd::Failed | RungEnd::Rejected => None,
            })
            .collect();
        (!reached.is_empty()).then(|| reached.iter().sum::<f64>() / reached.len() as f64)
    }

    fn waypoint(&self, cost: f64) -> Option<Waypoint> {
        let accuracy = self.accuracy()?;
        Some(Waypoint { candidate: self.record.clone(), cost, accuracy })
    }

    fn adapted(&self) -> Option<Waypoint> {
        self.waypoint(self.record.adapted.as_ref()?.cost)
    }
}

/// A cost, where the journal tells it of every candidate.
fn known(record: &CandidateRecord, cost: Objective) -> Option<f64> {
    match cost {
        Objective::Params => Some(record.params as f64),
        Objective::Madds => Some(record.madds as f64),
        Objective::ActivationMemory => Some(record.activation_memory as f64),
        Objective::Size | Objective::Accuracy | Objective::Loss | Objective::Latency => None,
    }
}
