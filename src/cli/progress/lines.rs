//! Progress as plain lines, for logs: no time of day, no cursor movement, one line an event.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use super::tally::Tally;
use super::text;
use crate::study::event::{Event, Record};
use crate::study::{Display, StudyState};
use crate::text::one_line;

/// Writes lines to `out`. A reader that has gone away ends the lines, not the study.
pub struct Lines<W> {
    inner: Mutex<Inner<W>>,
}

struct Inner<W> {
    out: W,
    tally: Tally,
}

impl<W: Write + Send> Lines<W> {
    /// A display that writes to `out`.
    pub fn new(out: W) -> Self {
        Self { inner: Mutex::new(Inner { out, tally: Tally::default() }) }
    }

    fn with(&self, act: impl FnOnce(&mut Inner<W>)) {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<W: Write> Inner<W> {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.out, "{}", one_line(line));
    }

    fn of_trial(&mut self, state: &StudyState, number: usize, what: &str) {
        if let Some(trial) = state.trial(number) {
            let line = format!("{}: {what}", text::name(trial, self.tally.total));
            self.line(&line);
        }
    }

    fn overall(&mut self, state: &StudyState) {
        let line = text::overall(state, &self.tally, self.tally.seconds_left());
        self.line(&line);
    }

    /// The lines of an event.
    fn tell(&mut self, state: &StudyState, record: &Record) {
        match &record.event {
            Event::TrialStarted { trial } => {
                let what = state.trial(*trial).map(text::started).unwrap_or_default();
                self.of_trial(state, *trial, &what);
            }
            Event::EpochFinished { trial, epoch } => {
                self.of_trial(state, *trial, &text::epoch(epoch, state.experiment.train.epochs));
            }
            Event::TrialFinished { trial, result } => {
                self.of_trial(state, *trial, &text::finished(result));
                self.overall(state);
            }
            Event::TrialTimedOut { trial, limit, result } => {
                self.of_trial(state, *trial, &text::timed_out(*limit, result, state.experiment.train.epochs));
                self.overall(state);
            }
            Event::SearchTimedOut { seconds } => self.line(&text::search_timed_out(*seconds)),
            Event::TrialFailed { trial, epoch, reason, .. } => {
                self.of_trial(state, *trial, &format!("failed in epoch {epoch}: {reason}"));
                self.overall(state);
            }
            Event::TrialRejected { trial, reason } => {
                self.of_trial(state, *trial, reason);
                self.overall(state);
            }
            Event::TestEvaluated { trial, test } => {
                self.of_trial(state, *trial, &format!("test acc {:.1}%", test.accuracy));
            }
            _ => {}
        }
    }
}

impl<W: Write + Send> Display for Lines<W> {
    fn on_begin(&self, state: &StudyState, total: Option<usize>) {
        self.with(|inner| {
            inner.tally = Tally::of(state, total);
            if state.environments.len() > 1 {
                let so_far = text::overall(state, &inner.tally, None);
                inner.line(&format!("continuing study {}: {so_far}", state.experiment.name));
            }
        });
    }

    fn on_event(&self, state: &StudyState, record: &Record) {
        self.with(|inner| {
            inner.tally.hear(state, record);
            inner.tell(state, record);
        });
    }

    fn on_step(&self, _trial: usize, _epoch: usize, _done: usize, _total: usize) {}

    fn on_notice(&self, sentence: &str) {
        self.with(|inner| inner.line(&format!("note: {sentence}")));
    }

    fn on_warning(&self, sentence: &str) {
        self.with(|inner| inner.line(&format!("warning: {sentence}")));
    }
}
