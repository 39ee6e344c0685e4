//! How a study tells of its progress. The runner never prints.

use super::event::Record;
use super::state::StudyState;

/// Hears of every event after it is in the journal. Called from all workers.
pub trait Display: Sync {
    /// The study is about to run, `total` trials in all where that is known; `state` has what earlier runs did.
    fn on_begin(&self, state: &StudyState, total: Option<usize>);

    /// An event was journaled; `state` includes it.
    fn on_event(&self, state: &StudyState, record: &Record);

    /// A batch of a running trial is done: `done` of `total` in this epoch.
    fn on_step(&self, trial: usize, epoch: usize, done: usize, total: usize);

    /// Something the user should know, in one sentence.
    fn on_notice(&self, sentence: &str);

    /// Something that looks wrong, in one sentence.
    fn on_warning(&self, sentence: &str) {
        self.on_notice(sentence);
    }
}

/// Shows nothing.
#[cfg(test)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

#[cfg(test)]
impl Display for Silent {
    fn on_begin(&self, _state: &StudyState, _total: Option<usize>) {}
    fn on_event(&self, _state: &StudyState, _record: &Record) {}
    fn on_step(&self, _trial: usize, _epoch: usize, _done: usize, _total: usize) {}
    fn on_notice(&self, _sentence: &str) {}
}
