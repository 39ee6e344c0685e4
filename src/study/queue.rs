//! Trials that wait for a worker: numbered and journaled ahead of the workers, as the plan gives them.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

use super::checkpoint;
use super::event::{CandidateRecord, Event};
use super::plan::{Ended, Next, Plan, PlannedTrial};
use super::state::{Trial, TrialStatus};
use super::worker::{Pool, lock};
use crate::arch::Network;
use crate::error::{Error, Result};
use crate::search::Adapted;

/// Trials queued ahead of the workers: enough for `status` to show what is to come, and bounded for spaces without end.
const AHEAD: usize = 1024;

/// A planned trial with its number.
pub struct Numbered {
    pub trial: usize,
    pub planned: PlannedTrial,
}

/// Trials waiting for a worker, topped up from the plan.
pub struct Queue<'a> {
    pub(super) plan: &'a mut dyn Plan,
    ready: VecDeque<Numbered>,
    plan_ended: bool,
    /// Trials that workers have taken and not ended.
    under_way: usize,
}

impl<'a> Queue<'a> {
    /// A queue of `ready` trials, which are journaled, then of what is left in `plan`.
    pub fn new(plan: &'a mut dyn Plan, ready: VecDeque<Numbered>) -> Self {
        Self { plan, ready, plan_ended: false, under_way: 0 }
    }
}

impl Pool<'_> {
    /// The next trial to train; `None` at the end of the plan or of the study.
    pub(super) fn take(&self) -> Result<Option<Numbered>> {
        let mut queue = lock(&self.queue);
        loop {
            if self.halted() {
                return Ok(None);
            }
            self.end_search(&mut queue)?;
            if !queue.plan_ended && queue.ready.len() <= AHEAD / 2 {
                self.top_up(&mut queue)?;
            }
            if let Some(next) = queue.ready.pop_front() {
                queue.under_way += 1;
                return Ok(Some(next));
            }
            if queue.plan_ended {
                return Ok(None);
            }
            if queue.under_way == 0 {
                return Err(Error::run(
                    "the search waits for a trial though none is under way: this is a mistake in blocksmith",
                ));
            }
            // Looked at again after a while, for a study that is stopped.
            let waited = self.trial_ended.wait_timeout(queue, Duration::from_millis(100));
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Leaves out what is left of a search that has no more time. Variants come before it.
    fn end_search(&self, queue: &mut Queue<'_>) -> Result<()> {
        let seconds = {
            let state = &lock(&self.written).1;
            let limit = state.experiment.search.as_ref().and_then(|search| search.timeout);
            let seconds = state.search_seconds();
            if state.search_timed_out || limit.is_none_or(|limit| seconds < limit.seconds()) {
                return Ok(());
            }
            seconds
        };
        let before = queue.ready.len();
        queue.ready.retain(|next| next.planned.candidate.is_variant);
        if queue.ready.len() == before && queue.plan_ended {
            return Ok(());
        }
        queue.plan_ended = true;
        self.record(vec![Event::SearchTimedOut { seconds }])
    }

    /// Tells the plan how a trial ended.
    pub(super) fn tell(&self, trial: usize) {
        let mut queue = lock(&self.queue);
        queue.under_way -= 1;
        let written = lock(&self.written);
        let latencies = &written.1.latencies;
        let ended = written.1.trial(trial).and_then(|t| Ended::at(t, t.rungs.last()?, latencies));
        if let Some(ended) = ended {
            queue.plan.tell(&ended);
        }
        self.trial_ended.notify_all();
    }

    /// Numbers the next trials of the plan and journals them, with one sync for all.
    fn top_up(&self, queue: &mut Queue<'_>) -> Result<()> {
        let first = lock(&self.written).1.trials.len() + 1;
        let mut events = Vec::new();
        let mut trial = first;
        while queue.ready.len() < AHEAD {
            let planned = match queue.plan.next()? {
                Next::New(planned) => planned,
                Next::Continue(planned) => {
                    let trial = self.number(&planned)?;
                    events.push(Event::TrialContinued { trial, until: planned.until });
                    queue.ready.push_back(Numbered { trial, planned });
                    continue;
                }
                Next::Wait => break,
                Next::End => {
                    queue.plan_ended = true;
                    break;
                }
            };
            events.push(Event::TrialQueued {
                trial,
                candidate: planned.candidate.clone(),
                seed: planned.seed,
                until: planned.until,
            });
            queue.ready.push_back(Numbered { trial, planned });
            trial += 1;
        }
        if events.is_empty() {
            return Ok(());
        }
        self.room.foresee(self.dir, queue.ready.iter().map(|next| next.planned.candidate.params))?;
        self.record(events)?;
        if let Some(adapted) = queue.ready.back().and_then(|next| next.planned.candidate.adapted.as_ref()) {
            self.forget_steps_before(adapted);
        }
        Ok(())
    }

    /// Removes the checkpoints of trials that inherited their weights in a step that is over: nothing inherits from them but
    /// the step under way from the one that was chosen.
    fn forget_steps_before(&self, now: &Adapted) {
        let is_over = |trial: &&Trial| {
            let adapted = trial.candidate.adapted.as_ref();
            trial.status == TrialStatus::Stopped
                && adapted.is_some_and(|adapted| adapted.step < now.step)
                && trial.candidate.hash != now.from
        };
        let over: Vec<usize> =
            lock(&self.written).1.trials.iter().filter(is_over).map(|t| t.number).collect();
        over.into_iter().for_each(|trial| checkpoint::remove(self.dir, &self.room, trial));
    }

    /// The network of a candidate that was planned.
    pub(super) fn network(&self, candidate: &CandidateRecord) -> Option<Network> {
        lock(&self.queue).plan.network(candidate)
    }

    /// The number of a trial that goes on.
    fn number(&self, planned: &PlannedTrial) -> Result<usize> {
        let written = lock(&self.written);
        let is_it =
            |trial: &&Trial| trial.candidate.hash == planned.candidate.hash && trial.seed == planned.seed;
        written.1.trials.iter().find(is_it).map(|trial| trial.number).ok_or_else(|| {
            Error::run("a trial is to go on that never began: this is a mistake in blocksmith")
        })
    }
}
