//! The Pareto front of a study's candidates.

use serde::Serialize;

use super::hypervolume::hypervolume;
use super::stats::Spread;
use super::summary::{Split, StudySummary};
use crate::search::pareto;
use crate::study::event::CandidateRecord;

/// A cost known exactly before training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    Params,
    Madds,
}

impl Cost {
    /// The value of this cost.
    pub fn of(self, record: &CandidateRecord) -> u64 {
        match self {
            Cost::Params => record.params,
            Cost::Madds => record.madds,
        }
    }

    /// The words for tables and axes.
    pub fn name(self) -> &'static str {
        match self {
            Cost::Params => "params",
            Cost::Madds => "multiply-adds",
        }
    }
}

/// Candidates by one cost against accuracy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CandidateFront {
    pub cost: Cost,
    pub split: Split,
    /// Every candidate with a finished trial, by rising cost.
    pub points: Vec<CandidatePoint>,
    /// Share, in percent, of the box from 0 to 1.1 times the largest cost and from chance to 100 % that the front dominates.
    pub hypervolume_percent: f64,
}

/// One candidate of a front's plot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CandidatePoint {
    pub name: String,
    pub text: String,
    pub hash: String,
    pub params: u64,
    pub madds: u64,
    pub accuracy: Spread,
    /// Test accuracy, where it was read.
    pub test: Option<Spread>,
    pub on_front: bool,
}

impl CandidateFront {
    /// The front of a study on its comparison split.
    pub fn of(study: &StudySummary, cost: Cost) -> Self {
        Self::on(study, cost, study.comparison_split())
    }

    /// The front of a study on a split.
    pub fn on(study: &StudySummary, cost: Cost, split: Split) -> Self {
        let mut points: Vec<(u64, CandidatePoint)> = study
            .candidates()
            .iter()
            .filter_map(|c| {
                let accuracy = c.accuracy(split)?;
                let point = CandidatePoint {
                    name: c.name.clone(),
                    text: c.record.text.clone(),
                    hash: c.record.hash.clone(),
                    params: c.record.params,
                    madds: c.record.madds,
                    accuracy,
                    test: c.accuracy(Split::Test),
                    on_front: false,
                };
                Some((cost.of(c.record), point))
            })
            .collect();
        points.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.accuracy.mean.total_cmp(&a.1.accuracy.mean)));
        let plane: Vec<(f64, f64)> = points.iter().map(|(x, p)| (*x as f64, p.accuracy.mean)).collect();
        for i in pareto::front(&plane) {
            points[i].1.on_front = true;
        }
        // A tenth beyond the largest, so that the most accurate network counts even where it is the costliest.
        let largest = 1.1 * plane.iter().map(|p| p.0).fold(0.0, f64::max);
        let classes = study.environments.last().map_or(0, |e| e.data.classes.len());
        let chance = 100.0 / classes.max(1) as f64;
        let chance = if classes > 1 { chance } else { 0.0 };
        let box_area = largest * (100.0 - chance);
        let area = hypervolume(&plane, (largest, chance));
        Self {
            cost,
            split,
            points: points.into_iter().map(|(_, p)| p).collect(),
            hypervolume_percent: if box_area > 0.0 { 100.0 * area / box_area } else { 0.0 },
        }
    }

    /// The candidates on the front, by rising cost.
    pub fn front(&self) -> impl Iterator<Item = &CandidatePoint> {
        self.points.iter().filter(|p| p.on_front)
    }
}
