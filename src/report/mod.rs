//! The report of a study: tables, figures, `report.md` and `trials.csv`, from the journal's records alone.
//!
//! The same records give the same files to the byte.

mod against;
pub mod best;
pub mod drawing;
pub mod escape;
pub mod figure;
pub mod files;
pub mod format;
mod latency;
mod markdown;
mod merged;
mod netadapt;
pub mod pictures;
pub mod recipe;
pub mod table;
mod tables;
pub mod tabulated;
mod trials_csv;
pub mod unbuildable;
pub mod warnings;

#[cfg(test)]
mod foreign_tests;
#[cfg(test)]
pub(crate) mod synthetic;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use crate::analysis::{Ablation, Adaptation, CandidateFront, Cost, Effect, Progress, StudySummary, effects};
use crate::error::Result;
use crate::study::TrialStatus;
use crate::study::event::Record;
use against::AgainstRandom;
use figure::canvas;

/// What [`write()`] wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportFiles {
    /// `report.md`.
    pub report: PathBuf,
    /// Every file, `report.md` first.
    pub files: Vec<PathBuf>,
    /// The headline tables for a terminal, without a final line break.
    pub summary: String,
    /// What about the study looks wrong.
    pub warnings: Vec<String>,
}

/// Everything a report says, before it is text or picture.
#[derive(Debug, Clone)]
pub struct Findings {
    pub study: StudySummary,
    /// Where the study has variants.
    pub ablation: Option<Ablation>,
    /// By params, by multiply-adds.
    pub fronts: Vec<CandidateFront>,
    /// Where the study has a search.
    pub effects: Vec<Effect>,
    /// Whether these are of candidates with every combination of their levels.
    pub is_grid: bool,
    /// Where random search was run beside the search.
    pub against: Option<AgainstRandom>,
    /// Where its strategy is NetAdapt.
    pub adaptation: Option<Adaptation>,
}

/// The figures of a report as `report --json` prints them.
#[derive(Debug, Serialize)]
pub struct Headline<'a> {
    pub study: &'a str,
    pub state: Progress,
    /// Nothing was trained: accuracies and times are computed.
    pub simulated: bool,
    pub trials: usize,
    pub finished: usize,
    pub failed: usize,
    /// Trials for which the test split was read.
    pub tested: usize,
    /// What looks wrong: settings, published figures and data in units that cannot be meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    pub ablation: Option<&'a Ablation>,
    pub fronts: &'a [CandidateFront],
    pub effects: &'a [Effect],
    /// Against random search at the same cost, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against_random: Option<&'a AgainstRandom>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netadapt: Option<&'a Adaptation>,
}

impl Findings {
    /// Analyses a journal's records, beside those of random search at the same cost where there are some.
    pub fn beside(records: &[Record], random: Option<&[Record]>) -> Self {
        let findings = Self::of(records);
        let against = random.and_then(|random| AgainstRandom::of(&findings.study, records, random));
        Self { against, ..findings }
    }

    /// Analyses a journal's records.
    pub fn of(records: &[Record]) -> Self {
        let study = StudySummary::fold(records);
        Self {
            ablation: Ablation::of(&study),
            fronts: [Cost::Params, Cost::Madds]
                .into_iter()
                .map(|cost| CandidateFront::of(&study, cost))
                .collect(),
            effects: effects::effects(&study, study.comparison_split()),
            is_grid: effects::is_grid(&study, study.comparison_split()),
            against: None,
            adaptation: Adaptation::of(&study),
            study,
        }
    }

    /// The study's name.
    pub fn name(&self) -> &str {
        self.study.experiment.as_ref().map_or("unnamed study", |e| &e.name)
    }

    /// Whether nothing was trained.
    pub fn is_simulated(&self) -> bool {
        self.study.experiment.as_ref().is_some_and(|e| !e.trainer.is_network())
    }

    /// Whether any trial has finished.
    pub fn has_results(&self) -> bool {
        self.study.finished().next().is_some()
    }

    /// Whether candidates came from a search, not from the experiment's variants alone.
    pub fn searches(&self) -> bool {
        self.study.trials.iter().any(|t| !t.candidate.is_variant)
    }

    /// Finished trials for which the test split was read.
    pub fn tested(&self) -> usize {
        self.study.finished().filter(|t| t.test.is_some()).count()
    }

    /// Seconds of training, summed over all trials.
    pub fn seconds(&self) -> f64 {
        let epochs = self.study.trials.iter().flat_map(|t| &t.epochs);
        epochs.map(|e| e.seconds).sum()
    }

    /// What about the study looks wrong, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let (Some(experiment), Some(environment)) = (&self.study.experiment, self.study.environments.last())
        else {
            return Vec::new();
        };
        let candidates = self.study.candidates();
        let variants = candidates.iter().map(|of| of.record).filter(|of| of.is_variant);
        warnings::of(experiment, variants, &environment.data)
    }

    /// The figures for machines.
    pub fn headline(&self) -> Headline<'_> {
        Headline {
            study: self.name(),
            state: self.study.progress,
            simulated: self.is_simulated(),
            trials: self.study.trials.len(),
            finished: self.study.count(TrialStatus::Finished),
            failed: self.study.count(TrialStatus::Failed),
            tested: self.tested(),
            warnings: self.warnings(),
            ablation: self.ablation.as_ref(),
            fronts: &self.fronts,
            effects: &self.effects,
            against_random: self.against.as_ref(),
            netadapt: self.adaptation.as_ref(),
        }
    }

    /// The headline tables for a terminal: the ablation where there are variants, the front where there is a search.
    pub fn terminal(&self) -> String {
        let mut out = format!("{}: {}", self.name(), markdown::progress(self).replace(['*', '`'], ""));
        if let Some(simulated) = markdown::simulated(self) {
            let _ = write!(out, "\n{simulated}.");
        }
        for warning in self.warnings() {
            let _ = write!(out, "\nWarning: {warning}.");
        }
        if let Some(best) = best::lines(self) {
            let _ = write!(out, "\n{best}");
        }
        if let Some(ablation) = &self.ablation {
            let _ = write!(
                out,
                "\n\n{}",
                tables::ablation(ablation)
                    .without(&["% of baseline", "seeds", "published params"])
                    .terminal()
            );
        }
        let added = markdown::seeds_added(self);
        if !added.is_empty() {
            let _ = write!(out, "\n{}", added.trim_end());
        }
        if self.searches()
            && let Some(front) = self.fronts.first().filter(|f| !f.points.is_empty())
        {
            let _ = write!(
                out,
                "\n\nPareto front of {} against {} accuracy:\n{}",
                front.cost.name(),
                front.split.name(),
                tables::front(front).without(&["network"]).terminal()
            );
        }
        if let Some(adaptation) = &self.adaptation {
            let is_finished = self.study.progress == Progress::Finished;
            let _ = write!(
                out,
                "\n\nNetAdapt:\n{}\n{}",
                netadapt::table(adaptation).terminal(),
                netadapt::outcome(adaptation, is_finished).replace('`', "")
            );
        }
        if let Some(against) = &self.against {
            let _ = write!(out, "\n\n{}.", against.verdict());
        }
        let failures = tables::failures(&self.study);
        if !failures.is_empty() {
            let _ = write!(out, "\n\nFailed trials:\n{}", failures.terminal());
        }
        out
    }
}

/// What a report always is: itself and its table.
pub const FILES: [&str; 2] = ["report.md", "trials.csv"];

/// The first line of `report.md`.
pub fn title(records: &[Record]) -> String {
    markdown::title(&Findings::of(records))
}

/// Writes the report of a study into `out`: `report.md`, `trials.csv` and every figure as SVG and PNG.
///
/// `random` are the records of random search at the same cost, where it was run.
///
/// An empty or unfinished journal gives a report that says so.
///
/// # Errors
/// The folder cannot be written.
pub fn write(records: &[Record], random: Option<&[Record]>, out: &Path) -> Result<ReportFiles> {
    write_findings(&Findings::beside(records, random), out)
}

/// As [`write()`], of a study that is analysed already.
///
/// # Errors
/// As [`write()`].
pub fn write_findings(findings: &Findings, out: &Path) -> Result<ReportFiles> {
    let pictures = pictures::all(findings);
    let drawn: Vec<(String, Vec<u8>)> = pictures
        .par_iter()
        .flat_map_iter(|p| {
            let svg = canvas::svg(&p.scene).map(String::into_bytes);
            let png = canvas::png(&p.scene);
            [(svg, "svg"), (png, "png")].map(|(bytes, end)| Ok((format!("{}.{end}", p.file), bytes?)))
        })
        .collect::<Result<_>>()?;
    let mut paths = Vec::new();
    for (name, bytes) in &drawn {
        paths.push(files::write(out, name, bytes)?);
    }
    paths.push(files::write(out, "trials.csv", trials_csv::csv(&findings.study)?.as_bytes())?);
    // Last, so that a report never points at figures that are not there.
    let text = markdown::report(findings, &pictures);
    let report = files::write(out, "report.md", text.as_bytes())?;
    paths.insert(0, report.clone());
    Ok(ReportFiles { report, files: paths, summary: findings.terminal(), warnings: findings.warnings() })
}
