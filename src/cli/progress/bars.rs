//! Progress on a terminal: a bar for each running trial, and one for the study below them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::estimate::Estimate;
use super::text;
use crate::study::event::{Event, Record};
use crate::study::{Display, StudyState, TrialStatus};

/// The bar of the study, and that of a running trial.
const OVERALL: &str = "{elapsed_precise} [{bar:24}] {wide_msg}";
const TRIAL: &str = "{prefix:28!} [{bar:24}] {wide_msg}";

/// Bars on standard error.
pub struct Bars {
    screen: MultiProgress,
    overall: ProgressBar,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    total: Option<usize>,
    epochs: usize,
    estimate: Estimate,
    /// The bar of each running trial, with the words after its last epoch.
    running: HashMap<usize, (ProgressBar, String)>,
    /// Trials done in earlier runs or in this one.
    tested: usize,
}

impl Bars {
    /// Bars that show nothing yet.
    pub fn new() -> Self {
        let screen = MultiProgress::new();
        let overall = screen.add(ProgressBar::no_length());
        overall.set_style(style(OVERALL));
        Self { screen, overall, inner: Mutex::default() }
    }

    fn with(&self, act: impl FnOnce(&mut Inner)) {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A line that stays, above the bars.
    fn line(&self, line: &str) {
        let _ = self.screen.println(line);
    }

    fn show_overall(&self, inner: &Inner, state: &StudyState) {
        let total = inner.total.unwrap_or(state.trials.len());
        let left = inner.estimate.seconds_left(state, total);
        self.overall.set_length(total.saturating_mul(inner.epochs) as u64);
        let done = |t: &crate::study::Trial| if t.ended() { inner.epochs } else { t.epochs.len() };
        self.overall.set_position(state.trials.iter().map(done).sum::<usize>() as u64);
        self.overall.set_message(text::overall(state, inner.total, left));
    }

    fn trial_ended(&self, inner: &mut Inner, state: &StudyState, number: usize, what: &str) {
        if let Some((bar, _)) = inner.running.remove(&number) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
        if let Some(trial) = state.trial(number) {
            self.line(&format!("{}: {what}", text::name(trial, inner.total)));
        }
        self.show_overall(inner, state);
    }

    fn clear(&self) {
        self.overall.finish_and_clear();
        let _ = self.screen.clear();
    }
}

#[cfg(test)]
impl Bars {
    /// What the bar of the study says.
    pub fn overall_message(&self) -> String {
        self.overall.message()
    }
}

impl Drop for Bars {
    /// Whatever ended the study, its message starts on a clean line.
    fn drop(&mut self) {
        self.clear();
    }
}

impl Display for Bars {
    fn on_begin(&self, state: &StudyState, total: Option<usize>) {
        self.with(|inner| {
            inner.total = total;
            inner.epochs = state.experiment.train.epochs;
            inner.tested = state.trials.iter().filter(|t| t.test.is_some()).count();
            if state.environments.len() > 1 {
                let so_far = text::overall(state, total, None);
                self.line(&format!("continuing study {}: {so_far}", state.experiment.name));
            }
            self.overall.enable_steady_tick(Duration::from_millis(500));
            self.show_overall(inner, state);
        });
    }

    fn on_event(&self, state: &StudyState, record: &Record) {
        self.with(|inner| match &record.event {
            Event::TrialStarted { trial } => {
                if let Some(trial) = state.trial(*trial) {
                    let bar = self.screen.insert_before(&self.overall, ProgressBar::new(1));
                    bar.set_style(style(TRIAL));
                    bar.set_prefix(text::label(trial));
                    bar.set_message(format!("epoch 1/{}", inner.epochs));
                    inner.running.insert(trial.number, (bar, String::new()));
                }
            }
            Event::EpochFinished { trial, epoch } => {
                if let Some(trial) = state.trial(*trial) {
                    inner.estimate.add(&trial.candidate, epoch.seconds);
                }
                if let Some((_, after)) = inner.running.get_mut(trial) {
                    *after = format!(" | val acc {:.1}%", epoch.validation.accuracy);
                }
                self.show_overall(inner, state);
            }
            Event::TrialFinished { trial, result } => {
                self.trial_ended(inner, state, *trial, &text::finished(result));
            }
            Event::TrialFailed { trial, epoch, reason, .. } => {
                self.trial_ended(inner, state, *trial, &format!("failed in epoch {epoch}: {reason}"));
            }
            Event::TestEvaluated { .. } => {
                inner.tested += 1;
                let all = state.count(TrialStatus::Finished);
                self.overall.set_message(format!("{}/{all} trials tested", inner.tested));
            }
            Event::StudyInterrupted | Event::StudyFinished => self.clear(),
            _ => {}
        });
    }

    fn on_step(&self, trial: usize, epoch: usize, done: usize, total: usize) {
        self.with(|inner| {
            let epochs = inner.epochs;
            if let Some((bar, after)) = inner.running.get(&trial) {
                bar.set_length((epochs * total) as u64);
                bar.set_position((epoch.saturating_sub(1) * total + done) as u64);
                bar.set_message(format!("epoch {epoch}/{epochs} batch {done}/{total}{after}"));
            }
        });
    }

    fn on_notice(&self, sentence: &str) {
        self.line(&format!("note: {sentence}"));
    }
}

/// A bar's style; the default one where the template does not parse, which a test rules out.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

#[cfg(test)]
#[test]
fn templates_parse() {
    for template in [OVERALL, TRIAL] {
        ProgressStyle::with_template(template).unwrap();
    }
}
