//! The events of which a state is the sum: what can be saved of a study whose journal is lost while it runs.

use std::collections::HashSet;

use super::event::{Event, FORMAT, TrialResult};
use super::state::{StudyState, Trial, TrialStatus};
use super::trial::RungEnd;

impl StudyState {
    /// Events that lead to this state, in another order than they happened, and without what a state does not keep: the
    /// choices of candidates, and attempts of trials that came to nothing.
    pub fn retold(&self) -> Vec<Event> {
        let mut environments = self.environments.iter().cloned().map(Box::new);
        let experiment = || Box::new(self.experiment.clone());
        let mut events = Vec::new();
        events.extend(environments.next().map(|environment| Event::StudyStarted {
            format: FORMAT,
            experiment: experiment(),
            environment,
        }));
        events.extend(environments.map(|environment| Event::StudyResumed { environment }));
        if self.extended {
            events.push(Event::StudyExtended { experiment: experiment(), changes: Vec::new() });
        }
        let mut measured = HashSet::new();
        for trial in &self.trials {
            events.push(Event::TrialQueued {
                trial: trial.number,
                candidate: trial.candidate.clone(),
                seed: trial.seed,
                until: trial.rungs.first().and_then(|rung| rung.until),
            });
            if let Some(latency) = self.latencies.get(&trial.candidate.hash)
                && measured.insert(&trial.candidate.hash)
            {
                events.push(Event::LatencyMeasured { trial: trial.number, latency: *latency });
            }
        }
        let is_last = |trial: &&Trial| Some(trial.number) == self.last_finished;
        let (last, before): (Vec<_>, Vec<_>) = self.trials.iter().partition(is_last);
        before.into_iter().chain(last).for_each(|trial| trial.retell(&mut events));
        let seconds = self.search_seconds();
        events.extend(self.search_timed_out.then_some(Event::SearchTimedOut { seconds }));
        events.extend(self.finished.then_some(Event::StudyFinished));
        events.extend(self.interrupted.then_some(Event::StudyInterrupted));
        events
    }
}

impl Trial {
    /// Its events after that it was queued.
    fn retell(&self, events: &mut Vec<Event>) {
        let trial = self.number;
        let mut told = 0;
        for (index, rung) in self.rungs.iter().enumerate() {
            if index > 0 {
                events.push(Event::TrialContinued { trial, until: rung.until });
            }
            let is_last = index + 1 == self.rungs.len();
            if rung.end == Some(RungEnd::Rejected) {
                events.push(Event::TrialRejected { trial, reason: "its latency".into() });
                continue;
            }
            // What was heard of it first counts, whatever came of another attempt.
            if rung.end == Some(RungEnd::Failed) && !(is_last && self.status == TrialStatus::Failed) {
                events.push(Event::TrialStarted { trial });
                events.push(self.failed());
                events.push(Event::TrialRetried { trial });
                told = 0;
            }
            let until = rung.until.filter(|_| !is_last).unwrap_or(self.epochs.len()).min(self.epochs.len());
            if told < until || self.status != TrialStatus::Queued {
                self.attempt(told, until, events);
            }
            told = until;
            if !is_last {
                events.extend(self.reached(until));
            }
        }
        match self.status {
            TrialStatus::Finished => {
                events.extend(self.result.clone().map(|result| Event::TrialFinished { trial, result }));
                events.extend(self.test.map(|test| Event::TestEvaluated { trial, test }));
            }
            TrialStatus::Stopped => match (self.timed_out, self.reached(told)) {
                (Some(limit), Some(Event::TrialFinished { result, .. })) => {
                    events.push(Event::TrialTimedOut { trial, limit, result });
                }
                (_, reached) => events.extend(reached),
            },
            TrialStatus::Failed => events.push(self.failed()),
            TrialStatus::Queued | TrialStatus::Running | TrialStatus::Rejected => {}
        }
    }

    /// It runs from one epoch to another.
    fn attempt(&self, from: usize, to: usize, events: &mut Vec<Event>) {
        let trial = self.number;
        events.push(match from {
            0 => Event::TrialStarted { trial },
            epochs => Event::TrialResumed { trial, epochs },
        });
        let epochs = self.epochs.iter().take(to).skip(from).cloned();
        events.extend(epochs.map(|epoch| Event::EpochFinished { trial, epoch }));
    }

    /// It reaches a rung after so many epochs.
    fn reached(&self, epochs: usize) -> Option<Event> {
        let last = self.epochs.get(epochs.checked_sub(1)?)?;
        let seconds = self.epochs.iter().take(epochs).map(|epoch| epoch.seconds).sum::<f64>() + 0.0;
        let result = TrialResult { epochs, train: last.train, validation: last.validation, seconds };
        Some(Event::TrialFinished { trial: self.number, result })
    }

    fn failed(&self) -> Event {
        let failure = self.failure.clone();
        let (epoch, reason) =
            failure.map_or((1, "an earlier attempt".to_owned()), |failure| (failure.epoch, failure.reason));
        Event::TrialFailed { trial: self.number, epoch, reason, again: false }
    }
}
