//! Progress on a terminal: a bar for each running trial, and one for the study below them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::super::output;
use super::tally::Tally;
use super::text;
use crate::study::event::{Event, Record};
use crate::study::{Display, StudyState};

/// The bar of the study, the line of its front below that, and the bar of a running trial.
const OVERALL: &str = "{elapsed_precise} [{bar:24}] {wide_msg}";
const FRONT: &str = "{wide_msg}";
const TRIAL: &str = "{prefix:28!} [{bar:24}] {wide_msg}";

/// Columns of the line of the front: those of the narrowest terminal in use.
const WIDTH: usize = 80;

/// Bars on standard error.
pub struct Bars {
    screen: MultiProgress,
    overall: ProgressBar,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    tally: Tally,
    /// The line of the front, once there is one.
    front: Option<ProgressBar>,
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
        output::line_above(&self.screen, line);
    }

    fn show_overall(&self, inner: &mut Inner, state: &StudyState) {
        let tally = &mut inner.tally;
        self.overall.set_length(tally.trials().saturating_mul(tally.epochs) as u64);
        self.overall.set_position(tally.epochs_over() as u64);
        output::set_message(&self.overall, &text::overall(state, tally, tally.seconds_left()));
        if let Some(front) = text::front(tally.front(), WIDTH) {
            let line = inner.front.get_or_insert_with(|| {
                let line = self.screen.insert_after(&self.overall, ProgressBar::no_length());
                line.set_style(style(FRONT));
                line
            });
            output::set_message(line, &front);
        }
    }

    fn trial_ended(&self, inner: &mut Inner, state: &StudyState, number: usize, what: &str) {
        if let Some((bar, _)) = inner.running.remove(&number) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
        if let Some(trial) = state.trial(number) {
            self.line(&format!("{}: {what}", text::name(trial, inner.tally.total)));
        }
        self.show_overall(inner, state);
    }

    fn show(&self, inner: &mut Inner, state: &StudyState, record: &Record) {
        match &record.event {
            Event::TrialStarted { trial } => {
                if let Some(trial) = state.trial(*trial) {
                    let bar = self.screen.insert_before(&self.overall, ProgressBar::new(1));
                    bar.set_style(style(TRIAL));
                    output::set_prefix(&bar, &text::label(trial));
                    output::set_message(&bar, &format!("epoch 1/{}", inner.tally.epochs));
                    inner.running.insert(trial.number, (bar, String::new()));
                }
            }
            Event::EpochFinished { trial, epoch } => {
                if let Some((_, after)) = inner.running.get_mut(trial) {
                    *after = format!(" | val acc {:.1}%", epoch.validation.accuracy);
                }
                self.show_overall(inner, state);
            }
            Event::TrialFinished { trial, result } => {
                self.trial_ended(inner, state, *trial, &text::finished(result));
            }
            Event::TrialTimedOut { trial, limit, result } => {
                let what = text::timed_out(*limit, result, inner.tally.epochs);
                self.trial_ended(inner, state, *trial, &what);
            }
            Event::SearchTimedOut { seconds } => self.line(&text::search_timed_out(*seconds)),
            Event::TrialFailed { trial, epoch, reason, .. } => {
                self.trial_ended(inner, state, *trial, &format!("failed in epoch {epoch}: {reason}"));
            }
            Event::TrialRejected { .. } => self.show_overall(inner, state),
            Event::TestEvaluated { .. } => {
                inner.tested += 1;
                let all = inner.tally.done;
                output::set_message(&self.overall, &format!("{}/{all} trials tested", inner.tested));
            }
            Event::StudyInterrupted | Event::StudyFinished => self.clear(inner),
            _ => {}
        }
    }

    fn clear(&self, inner: &mut Inner) {
        if let Some(front) = inner.front.take() {
            front.finish_and_clear();
        }
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

    /// What the line of the front says.
    pub fn front_message(&self) -> Option<String> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.front.as_ref().map(ProgressBar::message)
    }
}

impl Drop for Bars {
    /// Whatever ended the study, its message starts on a clean line.
    fn drop(&mut self) {
        self.with(|inner| self.clear(inner));
    }
}

impl Display for Bars {
    fn on_begin(&self, state: &StudyState, total: Option<usize>) {
        self.with(|inner| {
            inner.tally = Tally::of(state, total);
            inner.tested = state.trials.iter().filter(|t| t.test.is_some()).count();
            if state.environments.len() > 1 {
                let so_far = text::overall(state, &inner.tally, None);
                self.line(&format!("continuing study {}: {so_far}", state.experiment.name));
            }
            self.overall.enable_steady_tick(Duration::from_millis(500));
            self.show_overall(inner, state);
        });
    }

    fn on_event(&self, state: &StudyState, record: &Record) {
        self.with(|inner| {
            inner.tally.hear(state, record);
            self.show(inner, state, record);
        });
    }

    fn on_step(&self, trial: usize, epoch: usize, done: usize, total: usize) {
        self.with(|inner| {
            let epochs = inner.tally.epochs;
            if let Some((bar, after)) = inner.running.get(&trial) {
                bar.set_length((epochs * total) as u64);
                bar.set_position((epoch.saturating_sub(1) * total + done) as u64);
                output::set_message(bar, &format!("epoch {epoch}/{epochs} batch {done}/{total}{after}"));
            }
        });
    }

    fn on_notice(&self, sentence: &str) {
        self.line(&format!("note: {sentence}"));
    }

    fn on_warning(&self, sentence: &str) {
        self.line(&format!("warning: {sentence}"));
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
    for template in [OVERALL, FRONT, TRIAL] {
        ProgressStyle::with_template(template).unwrap();
    }
}
