//! The words of the display, the same on a terminal and in a log.

use crate::study::event::{EpochMetrics, TrialResult};
use crate::study::{StudyState, Trial, TrialStatus};

/// `trial 3/8 mix seed 1`, without the total where it is not known.
pub fn name(trial: &Trial, total: Option<usize>) -> String {
    let of = total.map_or_else(String::new, |total| format!("/{total}"));
    format!("trial {}{of} {}", trial.number, label(trial))
}

/// `mix seed 1`
pub fn label(trial: &Trial) -> String {
    format!("{} seed {}", trial.candidate.label, trial.seed)
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

/// `3/8 trials done, 1 failed | about 12 min left | best mix seed 1 val acc 52.6%`
pub fn overall(state: &StudyState, total: Option<usize>, seconds_left: Option<f64>) -> String {
    let done = state.trials.iter().filter(|t| t.ended()).count();
    let mut parts = vec![match total {
        Some(total) => format!("{done}/{total} trials done"),
        None => format!("{done} trials done"),
    }];
    let failed = state.count(TrialStatus::Failed);
    if failed > 0 {
        parts[0] += &format!(", {failed} failed");
    }
    if let Some(seconds) = seconds_left.filter(|s| *s > 0.0) {
        parts.push(format!("about {} left", duration(seconds)));
    }
    if let Some(best) = best(state) {
        parts.push(format!("best {best}"));
    }
    parts.join(" | ")
}

/// `mix seed 1 val acc 52.6%`
pub fn best(state: &StudyState) -> Option<String> {
    let trial = state.best()?;
    let accuracy = trial.result.as_ref()?.validation.accuracy;
    Some(format!("{} val acc {accuracy:.1}%", label(trial)))
}

/// Seconds for people: `0.8 s`, `34 s`, `12 min`, `3 h 05 min`.
pub fn duration(seconds: f64) -> String {
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
