//! The tables of a report, from the analysis.

use super::figure::axis::short;
use super::format::{self, NONE};
use super::table::{Table, code, number, text};
use crate::analysis::effects::LevelEffect;
use crate::analysis::{Ablation, AblationRow, CandidateFront, CandidatePoint, Effect, StudySummary};
use crate::study::state::Failure;

/// The ablation: baseline first, a row per variant.
pub fn ablation(ablation: &Ablation) -> Table {
    let published = ablation.rows.iter().any(|r| r.published.is_some());
    let mut columns = vec![
        text("variant"),
        number("params"),
        number("% of baseline"),
        number("multiply-adds"),
        number("% of baseline"),
        number(&format!("{} accuracy (%)", ablation.split.name())),
        number("seeds"),
        number("difference (points)"),
        number("95 % interval"),
        number("p"),
    ];
    if published {
        columns.push(number("published params"));
        columns.push(number("published (%)"));
    }
    let mut table = Table::new(columns);
    for row in &ablation.rows {
        table.push(ablation_row(row, published));
    }
    table
}

fn ablation_row(row: &AblationRow, published: bool) -> Vec<String> {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| NONE.to_owned());
    let percent = |p: Option<f64>| or_none(p.map(|p| format!("{p:.1}")));
    let name = match row.is_baseline {
        true if !row.name.to_lowercase().contains("baseline") => format!("{}, baseline", row.name),
        _ => row.name.clone(),
    };
    let done = row.accuracy.map_or(0, |a| a.n);
    let seeds = if done == row.trials { done.to_string() } else { format!("{done} of {}", row.trials) };
    let difference = row.difference;
    let mut cells = vec![
        name,
        format::thousands(row.params),
        percent(row.params_percent),
        format::thousands(row.madds),
        percent(row.madds_percent),
        or_none(row.accuracy.map(|a| format::mean_sd(&a))),
        seeds,
        or_none(difference.map(|d| format::points(d.points))),
        or_none(difference.and_then(|d| d.interval).map(|i| format::interval(&i))),
        or_none(difference.and_then(|d| d.p).map(format::p_value)),
    ];
    if published {
        let figures = row.published;
        cells.push(or_none(figures.and_then(|p| p.params).map(published_count)));
        cells.push(or_none(figures.and_then(|p| p.accuracy).map(|a| format!("{a:.2}"))));
    }
    cells
}

/// A published count, as precisely as papers print them: 2.253M.
fn published_count(value: f64) -> String {
    if (1e5..1e9).contains(&value) {
        let text = format!("{:.3}", value / 1e6);
        return format!("{}M", text.trim_end_matches('0').trim_end_matches('.'));
    }
    short(value)
}

/// Rows that anyone reads of a front.
pub const MOST_ROWS: usize = 100;

/// So many of a list, evenly spread, with both ends; all of a shorter one.
pub fn spread<'a, T>(all: &[&'a T], most: usize) -> Vec<&'a T> {
    if all.len() <= most {
        return all.to_vec();
    }
    (0..most).map(|i| all[i * (all.len() - 1) / (most - 1).max(1)]).collect()
}

/// The candidates on a front, by rising cost; of a long one some, evenly spread.
pub fn front(front: &CandidateFront) -> Table {
    let tested = front.points.iter().any(|p| p.test.is_some());
    let split = front.split;
    let show_test = tested && split != crate::analysis::Split::Test;
    let mut columns = vec![
        text("candidate"),
        number("params"),
        number("multiply-adds"),
        number(&format!("{} accuracy (%)", split.name())),
    ];
    if show_test {
        columns.push(number("test accuracy (%)"));
    }
    columns.push(number("seeds"));
    columns.push(code("network"));
    let mut table = Table::new(columns);
    let all: Vec<&CandidatePoint> = front.front().collect();
    for p in spread(&all, MOST_ROWS) {
        let mut row = vec![
            p.name.clone(),
            format::thousands(p.params),
            format::thousands(p.madds),
            format::mean_sd(&p.accuracy),
        ];
        if show_test {
            row.push(p.test.map_or(NONE.to_owned(), |t| format::mean_sd(&t)));
        }
        row.push(p.accuracy.n.to_string());
        row.push(p.text.clone());
        table.push(row);
    }
    table
}

/// Mean accuracy of each level of each factor.
pub fn effects(effects: &[Effect], split: &str) -> Table {
    let mut table = Table::new(vec![
        text("factor"),
        number("range (points)"),
        text("level"),
        number("candidates"),
        number("networks"),
        number(&format!("mean {split} accuracy (%)")),
        number("sd"),
    ]);
    for effect in effects {
        for (i, level) in effect.levels.iter().enumerate() {
            let first = |value: String| if i == 0 { value } else { String::new() };
            table.push(vec![
                first(effect.factor.clone()),
                first(format!("{:.2}", effect.range)),
                level.level.clone(),
                level.accuracy.n.to_string(),
                level.networks.to_string(),
                format!("{:.2}", level.accuracy.mean),
                level.accuracy.sd.map_or(NONE.to_owned(), |sd| format!("{sd:.2}")),
            ]);
        }
    }
    // Only where some of them are the same.
    let is_merged = |level: &LevelEffect| level.networks != level.accuracy.n;
    if effects.iter().flat_map(|effect| &effect.levels).any(is_merged) {
        return table;
    }
    table.without(&["networks"])
}

/// Trials that failed, with their reasons.
pub fn failures(study: &StudySummary) -> Table {
    let mut table =
        Table::new(vec![number("trial"), text("candidate"), number("seed"), number("epoch"), text("reason")]);
    let names = study.candidates();
    for candidate in &names {
        for trial in &candidate.trials {
            if let Some(Failure { epoch, reason }) = &trial.failure {
                table.push(vec![
                    trial.number.to_string(),
                    candidate.name.clone(),
                    trial.seed.to_string(),
                    epoch.to_string(),
                    reason.clone(),
                ]);
            }
        }
    }
    table
}
