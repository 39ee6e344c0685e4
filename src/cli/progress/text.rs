//! The words of the display, the same on a terminal and in a log.

use super::tally::{Point, Tally};
use crate::study::event::{EpochMetrics, TimeLimit, TrialResult};
use crate::study::{StudyState, Trial};
use crate::text::cut;

/// `trial 3/8 mix seed 1`, without the total where it is not known.
pub fn name(trial: &Trial, total: Option<usize>) -> String {
    let of = total.map_or_else(String::new, |total| format!("/{total}"));
    format!("trial {}{of} {}", trial.number, label(trial))
}

/// Most characters of a name in a line.
const LONGEST_NAME: usize = 120;

/// `mix seed 1`
pub fn label(trial: &Trial) -> String {
    format!("{} seed {}", cut(&trial.candidate.label, LONGEST_NAME), trial.seed)
}

/// `started | 0.363 M params, 81.43 M madds`
pub fn started(trial: &Trial) -> String {
    let millions = |n: u64| n as f64 / 1e6;
    format!(
        "started | {:.3} M params, {:.2} M madds",
        millions(trial.candidate.params),
        millions(trial.candidate.madds)
    )
}

/// `epoch 2/5 train loss 1.432 acc 47.3% | val loss 1.301 acc 52.6% | 34 s`
pub fn epoch(epoch: &EpochMetrics, epochs: usize) -> String {
    let EpochMetrics { train, validation, .. } = epoch;
    format!(
        "epoch {}/{epochs} train loss {:.3} acc {:.1}% | val loss {:.3} acc {:.1}% | {}",
        epoch.epoch,
        train.loss,
        train.accuracy,
        validation.loss,
        validation.accuracy,
        duration(epoch.seconds)
    )
}

/// `finished | val acc 52.6% | 170 s`
pub fn finished(result: &TrialResult) -> String {
    format!("finished | val acc {:.1}% | {}", result.validation.accuracy, duration(result.seconds))
}

/// `no more time (train.timeout) after epoch 3/5 | val acc 52.6% | 170 s`
pub fn timed_out(limit: TimeLimit, result: &TrialResult, epochs: usize) -> String {
    format!(
        "no more time ({}) after epoch {}/{epochs} | val acc {:.1}% | {}",
        limit.key(),
        result.epochs,
        result.validation.accuracy,
        duration(result.seconds)
    )
}

/// What ended a search.
pub fn search_timed_out(seconds: f64) -> String {
    format!(
        "the search has no more time (search.timeout) after {}: what it has not trained is left out; the same command with a \
         longer search.timeout goes on",
        duration(seconds)
    )
}

/// `3/8 trials done, 1 failed | about 12 min left | best mix seed 1 val acc 52.6%`
pub fn overall(state: &StudyState, tally: &Tally, seconds_left: Option<f64>) -> String {
    let done = tally.ended();
    let mut parts = vec![match tally.total {
        Some(total) => format!("{done}/{total} trials done"),
        None => format!("{done} trials done"),
    }];
    if tally.failed > 0 {
        parts[0] += &format!(", {} failed", tally.failed);
    }
    if let Some(seconds) = seconds_left.filter(|s| *s > 0.0) {
        parts.push(format!("about {} left", duration(seconds)));
    }
    if let Some(best) = best(state, tally) {
        parts.push(format!("best {best}"));
    }
    parts.join(" | ")
}

/// `mix seed 1 val acc 52.6%`
pub fn best(state: &StudyState, tally: &Tally) -> Option<String> {
    let (number, accuracy) = tally.best?;
    Some(format!("{} val acc {accuracy:.1}%", label(state.trial(number)?)))
}

/// `front: 12.3k 61.2 % | 24.8k 64.0 %`: params and mean validation accuracy, in `width` columns; of a longer front
/// as many as fit, evenly spread, and how many there are. `None` for none.
pub fn front(points: &[Point], width: usize) -> Option<String> {
    let show = |points: &[&Point], end: &str| {
        let points: Vec<String> =
            points.iter().map(|p| format!("{} {:.1} %", short(p.params), p.accuracy)).collect();
        format!("front: {}{end}", points.join(" | "))
    };
    let all = points.len();
    let last = points.last()?;
    // No point takes fewer than 9 columns with its bar.
    for shown in (2..=all.min(width / 9)).rev() {
        let spread: Vec<&Point> = (0..shown).map(|i| &points[i * (all - 1) / (shown - 1)]).collect();
        let end = if shown < all { format!(" ({shown} of {all})") } else { String::new() };
        let line = show(&spread, &end);
        if line.len() <= width {
            return Some(line);
        }
    }
    let end = if all > 1 { format!(" (1 of {all})") } else { String::new() };
    Some(show(&[last], &end))
}

/// A count in three digits: `950`, `12.3k`, `363k`, `2.25M`.
pub fn short(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["", "k", "M", "G"] {
        // 999.9 would be shown as 1000.
        if value < 999.5 || unit == "G" {
            let decimals = match value {
                _ if unit.is_empty() => 0,
                v if v < 9.995 => 2,
                v if v < 99.95 => 1,
                _ => 0,
            };
            return format!("{value:.decimals$}{unit}");
        }
        value /= 1e3;
    }
    count.to_string()
}

/// Seconds for people: `0.8 s`, `34 s`, `12 min`, `3 h 05 min`.
pub fn duration(seconds: f64) -> String {
    // -0 is 0.
    let seconds = seconds + 0.0;
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    if seconds < 600.0 {
        return format!("{seconds:.0} s");
    }
    let minutes = (seconds / 60.0).round() as u64;
    if minutes < 60 {
        format!("{minutes} min")
    } else {
        format!("{} h {:02} min", minutes / 60, minutes % 60)
    }
}
