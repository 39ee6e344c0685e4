//! The report's section on latency: the fastest candidates for their accuracy, and how latency was measured.

use std::fmt::Write as _;

use super::escape::inline;
use super::format::{self, NONE, counted};
use super::table::{Table, number, text};
use crate::analysis::{Split, Spread, StudySummary};
use crate::engine::latency::{Latency, Source};
use crate::text::time;

/// Candidates over the limit that are named.
const NAMED: usize = 5;

/// A candidate with its latency.
struct Row {
    name: String,
    is_variant: bool,
    latency: Latency,
    /// Mean accuracy over seeds, where one finished.
    accuracy: Option<Spread>,
}

/// The section; `None` where the study has no latencies.
pub fn section(study: &StudySummary) -> Option<String> {
    let first = study.latencies.values().next()?;
    let split = study.comparison_split();
    let mut rows = rows(study, split);
    rows.sort_by(|a, b| a.latency.median.total_cmp(&b.latency.median));
    let mut out = format!("## Latency\n\n{}\n\n", how(study, first));
    let best: Vec<&Row> = rows.iter().filter(|row| on_front(row, &rows)).collect();
    if !best.is_empty() {
        let finished = rows.iter().filter(|row| row.accuracy.is_some()).count();
        let _ = writeln!(
            out,
            "{} of {} on the front of latency against {} accuracy; what differs by noise counts as equal:\n\n{}",
            best.len(),
            counted(finished, "candidate"),
            split.name(),
            table(&best, split).markdown()
        );
    }
    if let Some(limited) = limited(study, &rows, split) {
        let _ = writeln!(out, "{limited}\n");
    }
    Some(out)
}

fn rows(study: &StudySummary, split: Split) -> Vec<Row> {
    let candidates = study.candidates();
    let row = |candidate: &crate::analysis::CandidateSummary<'_>| {
        Some(Row {
            name: candidate.name.clone(),
            is_variant: candidate.record.is_variant,
            latency: *study.latencies.get(&candidate.record.hash)?,
            accuracy: candidate.accuracy(split),
        })
    };
    candidates.iter().filter_map(row).collect()
}

/// Whether nobody is at least as accurate and as fast within noise, and better in one of the two.
fn on_front(row: &Row, all: &[Row]) -> bool {
    let Some(own) = row.accuracy else { return false };
    !all.iter().any(|other| {
        let Some(accuracy) = other.accuracy else { return false };
        let ties = other.latency.ties(&row.latency);
        let faster = !ties && other.latency.per_image() < row.latency.per_image();
        (faster && accuracy.mean >= own.mean) || (ties && accuracy.mean > own.mean)
    })
}

fn table(rows: &[&Row], split: Split) -> Table {
    let batch = rows.first().map_or(1, |row| row.latency.batch);
    let of_batch = if batch == 1 { "latency".to_owned() } else { format!("latency of {batch} images") };
    let accuracy = format!("{} accuracy (%)", split.name());
    let mut columns = vec![text("candidate"), number(&of_batch), number("MAD"), number("noise floor")];
    if batch > 1 {
        columns.push(number("an image"));
    }
    columns.push(number(&accuracy));
    let mut table = Table::new(columns);
    for Row { name, latency, accuracy, .. } in rows {
        let mut row = vec![name.clone(), time(latency.median), time(latency.mad), time(latency.floor)];
        if batch > 1 {
            row.push(time(latency.per_image()));
        }
        row.push(accuracy.map_or_else(|| NONE.into(), |accuracy| format::mean_sd(&accuracy)));
        table.push(row);
    }
    table
}

/// How the latencies came about, and what they can tell apart.
fn how(study: &StudySummary, first: &Latency) -> String {
    let Latency { batch, threads, rounds, .. } = *first;
    let (images, threads) = (counted(batch, "image"), counted(threads, "thread"));
    if first.source == Source::Simulated {
        return format!(
            "**Simulated: these latencies are computed from multiply-adds and params, not measured**, for a batch of {images} on {threads}."
        );
    }
    let pinned = study.latencies.values().filter(|latency| latency.pinned).count();
    let held = match study.latencies.len() - pinned {
        0 => "held to as many cores",
        _ if pinned == 0 => "not held to cores, which the system does not let them be",
        _ => "not held to cores for every candidate, where the system did not let them be",
    };
    let cpu = study.environments.first().map_or_else(String::new, |environment| inline(&environment.cpu));
    let reference = |of: fn(f64, f64) -> f64, start| {
        time(study.latencies.values().map(|latency| latency.reference).fold(start, of))
    };
    format!(
        "Measured inference of a batch of {images} on {threads} ({held}) of {cpu}, batch norm folded, before the candidate was \
         trained and while nothing else was: the median of {rounds} samples, taken in turn with those of a reference network, with \
         their median absolute deviation. Two latencies that differ by no more than the larger of their noise floors, as \
         shares, are ties. The reference network took {} to {}, so much did the machine itself change.",
        reference(f64::min, f64::INFINITY),
        reference(f64::max, f64::NEG_INFINITY),
    )
}

/// What became of the limit: who was not trained for it, the nearest first where nobody kept to it.
fn limited(study: &StudySummary, rows: &[Row], split: Split) -> Option<String> {
    let most = study.experiment.as_ref()?.search.as_ref()?.max_latency?;
    let searched: Vec<&Row> = rows.iter().filter(|row| !row.is_variant).collect();
    let over: Vec<&Row> = searched.iter().copied().filter(|row| row.latency.per_image() > most).collect();
    let (most, of) = (time(most), counted(searched.len(), "searched candidate"));
    if over.is_empty() || over.len() < searched.len() {
        return Some(format!(
            "{} of {of} took more than {most} for an image, and were not trained.",
            over.len()
        ));
    }
    let nearest =
        table(&over[..over.len().min(NAMED)], split).without(&[&format!("{} accuracy (%)", split.name())]);
    Some(format!(
        "**No searched candidate keeps to the limit of {most} for an image, so none was trained.** Raise \
         `search.constraints.latency`, or add smaller levels to the search space. The least over it:\n\n{}",
        nearest.markdown()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, median: f64, accuracy: Option<f64>) -> Row {
        let latency = Latency {
            source: Source::Measured,
            median,
            mad: 0.0,
            floor: 0.25,
            batch: 1,
            threads: 1,
            rounds: 10,
            pinned: true,
            reference: 1.0,
        };
        let accuracy = accuracy.map(|mean| Spread { n: 1, mean, sd: None });
        Row { name: name.into(), is_variant: false, latency, accuracy }
    }

    /// By hand, with a floor of 0.25: b is as fast as a and better; c is slower and no better than b; d is slower and better
    /// than all; e ties with d in latency and has its accuracy; f did not finish.
    #[test]
    fn noise_decides_nothing_on_the_front() {
        let rows = [
            row("a", 1.0, Some(50.0)),
            row("b", 1.25, Some(60.0)),
            row("c", 2.0, Some(60.0)),
            row("d", 3.0, Some(70.0)),
            row("e", 3.2, Some(70.0)),
            row("f", 0.5, None),
        ];
        let best: Vec<&str> =
            rows.iter().filter(|row| on_front(row, &rows)).map(|row| row.name.as_str()).collect();
        assert_eq!(best, ["b", "d", "e"]);
    }
}
