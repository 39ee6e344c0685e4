//! Which figures a study has, and what stands in them.

use std::cmp::Reverse;

use super::Findings;
use super::figure::curves::{self, Curves};
use super::figure::scatter::{Point, Reference, Scatter};
use super::figure::{Scene, ablation, effects};
use super::format::counted;
use crate::analysis::{CandidateFront, CandidateSummary, Cost, LearningCurve, Progress, Split};
use crate::search::pareto::Total;

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// File name without its ending.
    pub file: &'static str,
    /// What it shows, for readers who do not see it.
    pub caption: String,
    pub scene: Scene,
}

/// The figures of a study, in the report's order.
pub fn all(findings: &Findings) -> Vec<Picture> {
    let mut pictures = Vec::new();
    let name = findings.name();
    let budget = budget(findings);
    if let Some(table) = &findings.ablation
        && table.rows.iter().any(|r| r.difference.is_some())
    {
        pictures.push(Picture {
            file: "ablation",
            caption: "Difference of each variant from the baseline".to_owned(),
            scene: ablation::scene(table, &format!("{name}: what each variant changes"), &budget),
        });
    }
    for front in &findings.fronts {
        if !front.points.is_empty() {
            pictures.push(pareto(findings, front, &budget));
        }
    }
    if let Some(against) = &findings.against {
        pictures.extend(against.pictures(name));
    }
    if let Some(picture) = learning_curves(findings, &budget) {
        pictures.push(picture);
    }
    if !findings.effects.is_empty() {
        let accuracy = axis_name(findings.study.comparison_split());
        pictures.push(Picture {
            file: "effects",
            caption: "Mean accuracy by the level of each factor".to_owned(),
            scene: effects::scene(
                &findings.effects,
                &format!("{name}: accuracy by the level of each factor"),
                &budget,
                &accuracy,
            ),
        });
    }
    pictures
}

/// Epochs, seeds and images in one line.
fn budget(findings: &Findings) -> String {
    let mut parts = Vec::new();
    if let Some(e) = &findings.study.experiment {
        parts.push(counted(e.train.epochs, "epoch"));
        parts.push(counted(e.seeds.len(), "seed"));
    }
    if let Some(environment) = findings.study.environments.last() {
        let data = &environment.data;
        parts.push(counted(data.train, "training image"));
        parts.push(data.description.clone());
    }
    if findings.study.progress != Progress::Finished {
        parts.push("the study is not finished".to_owned());
    }
    parts.join(", ")
}

fn axis_name(split: Split) -> String {
    match split {
        Split::Validation => "Validation accuracy (%)".to_owned(),
        Split::Test => "Test accuracy (%)".to_owned(),
    }
}

fn pareto(findings: &Findings, front: &CandidateFront, budget: &str) -> Picture {
    let (file, x_name, cost) = match front.cost {
        Cost::Params => ("pareto-params", "Parameters (log scale)", "parameters"),
        Cost::Madds => ("pareto-madds", "Multiply-adds per image (log scale)", "multiply-adds"),
    };
    let finite = front.points.iter().filter(|p| p.accuracy.mean.is_finite());
    let points = finite.map(|p| Point {
        name: p.name.clone(),
        cost: match front.cost {
            Cost::Params => p.params,
            Cost::Madds => p.madds,
        } as f64,
        accuracy: p.accuracy.mean,
        sd: p.accuracy.sd,
        on_front: p.on_front,
    });
    let published = findings.study.candidates();
    let published = published.iter().filter_map(|c| {
        let figures = findings.study.published(c.record)?;
        let cost = match front.cost {
            Cost::Params => figures.params?,
            Cost::Madds => figures.madds?,
        };
        let accuracy = figures.accuracy?;
        Some(Reference { name: c.name.clone(), cost, accuracy })
    });
    let searches = findings.study.trials.iter().any(|t| !t.candidate.is_variant);
    let plot = Scatter {
        title: format!("{}: accuracy against {cost}", findings.name()),
        subtitle: budget.to_owned(),
        x_name: x_name.to_owned(),
        y_name: axis_name(front.split),
        noun: if searches { "candidates" } else { "variants" }.to_owned(),
        points: points.collect(),
        published: published
            .filter(|r| r.cost > 0.0 && r.cost.is_finite() && r.accuracy.is_finite())
            .collect(),
    };
    Picture {
        file,
        caption: format!("Pareto front of {cost} against {} accuracy", front.split.name()),
        scene: plot.scene(),
    }
}

/// What sets the training line apart from the validation line, beside the split.
fn train_name(findings: &Findings) -> String {
    let Some(e) = &findings.study.experiment else {
        return "train".to_owned();
    };
    let mut notes = Vec::new();
    if e.data.augment.flip || e.data.augment.pad_crop > 0 {
        notes.push("augmented images");
    }
    if e.train.label_smoothing > 0.0 {
        notes.push("smoothed labels");
    }
    if notes.is_empty() { "train".to_owned() } else { format!("train ({})", notes.join(", ")) }
}

fn learning_curves(findings: &Findings, budget: &str) -> Option<Picture> {
    let candidates = findings.study.candidates();
    let mut shown: Vec<&CandidateSummary<'_>> =
        candidates.iter().filter(|c| c.trials.iter().any(|t| !t.epochs.is_empty())).collect();
    if shown.is_empty() {
        return None;
    }
    let of = shown.len();
    // Variants first (the baseline before the others), then the search's best: what fits the colours.
    let variant = |c: &CandidateSummary<'_>| {
        let rows = findings.ablation.as_ref().map(|a| &a.rows);
        let at = rows.and_then(|rows| rows.iter().position(|r| c.record.is_variant && r.name == c.name));
        at.unwrap_or(usize::MAX)
    };
    let score = |c: &CandidateSummary<'_>| {
        let split = Split::Validation;
        let last = || c.trials.iter().filter_map(|t| t.epochs.last()).map(|e| e.validation.accuracy);
        c.accuracy(split).map_or_else(|| last().fold(-1.0, f64::max) - 1000.0, |a| a.mean)
    };
    shown.sort_by_cached_key(|c| (variant(c), Reverse(Total::of(score(c)))));
    shown.truncate(curves::MOST);
    let what = if shown.iter().all(|c| c.record.is_variant) { "variants" } else { "candidates" };
    let subset = match of - shown.len() {
        0 => String::new(),
        _ => format!(" ({} of {of} {what})", shown.len()),
    };
    let plot = Curves {
        title: format!("{}: learning curves{subset}", findings.name()),
        subtitle: budget.to_owned(),
        train_name: train_name(findings),
        band: shown.iter().any(|c| c.trials.len() > 1),
        curves: shown.iter().map(|c| LearningCurve::of(c)).collect(),
    };
    Some(Picture {
        file: "learning-curves",
        caption: format!("Learning curves{subset}"),
        scene: plot.scene(),
    })
}
