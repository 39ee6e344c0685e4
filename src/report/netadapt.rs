//! What NetAdapt did: a row for each step, and the network it came to.

use std::fmt::Write as _;

use super::escape::code;
use super::format::{self, NONE, thousands};
use super::table::{self, Table, number};
use crate::analysis::{Adaptation, Waypoint};
use crate::config::Objective;
use crate::text;

/// The steps, the first network before them.
pub fn table(adaptation: &Adaptation) -> Table {
    let cost = name(adaptation);
    let mut table = Table::new(vec![
        number("step"),
        table::text("change"),
        number(cost),
        number("% of the first"),
        number("validation accuracy (%)"),
        number(&format!("points for 1 % of {cost}")),
        number("proposals"),
    ]);
    let Some(first) = &adaptation.first else { return table };
    let share = |point: &Waypoint| format!("{:.1}", 100.0 * point.cost / first.cost);
    let accuracy = |point: &Waypoint| format!("{:.2}", point.accuracy);
    let costs = |point: &Waypoint| thousands(point.cost as u64);
    let none = || NONE.to_owned();
    table.push(vec![
        "0".into(),
        "the first network".into(),
        costs(first),
        share(first),
        accuracy(first),
        none(),
        none(),
    ]);
    for step in &adaptation.steps {
        let proposals = match step.failed {
            0 => step.proposals.to_string(),
            failed => format!("{} ({failed} failed)", step.proposals),
        };
        let taken = step.taken.as_ref();
        let change =
            taken.and_then(|taken| taken.candidate.adapted.as_ref()).map(|adapted| adapted.change.clone());
        table.push(vec![
            step.step.to_string(),
            change.unwrap_or_else(none),
            taken.map_or_else(none, costs),
            taken.map_or_else(none, share),
            taken.map_or_else(none, accuracy),
            step.ratio.map_or_else(none, |ratio| format::points(ratio * first.cost / 100.0)),
            proposals,
        ]);
    }
    table
}

/// Whether the target was reached, and with what network.
pub fn outcome(adaptation: &Adaptation, is_finished: bool) -> String {
    let (cost, target) = (name(adaptation), thousands(adaptation.target as u64));
    let Some(last) = adaptation.last() else {
        return if is_finished {
            "The first network could not be trained, so nothing was shrunk.".into()
        } else {
            "The first network has not been trained yet.".into()
        };
    };
    let reached = format!("{} {cost}, {}", thousands(last.cost as u64), code(&last.candidate.text));
    if adaptation.is_reached() {
        return format!("The target of {target} {cost} was reached with {reached}.");
    }
    let why = match adaptation.steps.last() {
        _ if !is_finished => "is not reached yet",
        Some(step) if step.failed == step.proposals => {
            "was not reached: all proposals of the last step failed (`blocksmith status` says why)"
        }
        _ => "was not reached: no block can be narrower in a way that lowers it",
    };
    format!("The target of {target} {cost} {why}; the last network has {reached}.")
}

/// The section of `report.md`.
pub fn section(adaptation: &Adaptation, is_finished: bool) -> String {
    let mut out = format!(
        "## NetAdapt\n\nEach step proposes networks that are narrower in one respect, trains each for a few epochs with the weights \
         that it inherits (the first channels of every layer), and takes the one with the largest change of accuracy for its \
         change of {}. Blocks are counted from 1.\n\n{}\n{}\n",
        name(adaptation),
        table(adaptation).markdown(),
        outcome(adaptation, is_finished)
    );
    if let Some(last) = adaptation.last().filter(|_| !adaptation.steps.is_empty()) {
        let _ = writeln!(
            out,
            "\nIts weights have been fine-tuned for a few epochs at a time, at widths that were chosen by these very accuracies. To \
             know what it is worth, train it from scratch, beside a network of the same cost; in an experiment file:\n\n\
             ```yaml\nvariants:\n  - {{name: netadapt, network: \"{}\"}}\n```\n",
            text::line(&last.candidate.text)
        );
    } else {
        out.push('\n');
    }
    out
}

/// The name of the cost.
fn name(adaptation: &Adaptation) -> &'static str {
    match adaptation.cost {
        Objective::Madds => "multiply-adds",
        Objective::ActivationMemory => "bytes of activations",
        Objective::Size => "bytes of weights",
        _ => "params",
    }
}
