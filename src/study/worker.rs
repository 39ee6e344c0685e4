//! The workers of a study: threads that take the next trial as soon as they are free, and one journal they write to.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::checkpoint;
use super::disk;
use super::display::Display;
use super::event::{EpochMetrics, Event, TimeLimit};
use super::folder;
use super::journal::Journal;
use super::observer::Observer;
use super::panics::caught;
use super::plan::{Plan, PlannedTrial};
use super::queue::{Numbered, Queue};
use super::quiet::Quiet;
use super::retention::{self, Room};
use super::runner::RunSettings;
use super::state::{StudyState, Trial, TrialStatus};
use crate::arch::Network;
use crate::config::{Experiment, Failures, Keep, LatencyConfig};
use crate::error::{Error, Result, Signal};
use crate::file;
use crate::train::contract::{Trainer, TrialEnd, TrialTask};

/// Trials keep their tensors on the heap; this is what a main thread usually has, for unoptimised builds.
const STACK: usize = 8 << 20;

/// A finished trial that waits for the test split.
pub struct Untested {
    pub trial: usize,
    /// Its network, where the plan could not give it again.
    pub network: Option<Network>,
}

impl Untested {
    /// Of a trial that `plan` planned.
    pub fn new(next: Numbered, plan: &dyn Plan) -> Self {
        let again = plan.has_network(&next.planned.candidate);
        let network = if again { None } else { Some(next.planned.network) };
        Self { trial: next.trial, network }
    }
}

/// All that the workers share.
pub struct Pool<'a> {
    pub(super) dir: &'a Path,
    study_seed: u64,
    /// Learning rate at which trials begin that inherit their weights.
    fine_tune_lr: f64,
    pub(super) trainer: &'a dyn Trainer,
    pub(super) display: &'a dyn Display,
    jobs: usize,
    pub(super) checkpoint_every: Duration,
    failures: Failures,
    keep: Keep,
    /// Whether finished trials keep what they need to go on.
    pub(super) keeps_checkpoints: bool,
    pub(super) room: Room,
    /// How the latency of candidates is measured, where it is, and the most that a searched one may have for an image.
    pub(super) latency: Option<LatencyConfig>,
    pub(super) max_latency: Option<f64>,
    pub(super) quiet: Quiet,
    failures_in_a_row: AtomicUsize,
    stop: &'a AtomicBool,
    /// What ended the study, the first of several.
    fatal: Mutex<Option<Error>>,
    failed: AtomicBool,
    // Locked in this order: queue, then written. Neither is held while a trial trains.
    pub(super) queue: Mutex<Queue<'a>>,
    /// A trial has ended, so that the plan may know more.
    pub(super) trial_ended: Condvar,
    untested: Mutex<Vec<Untested>>,
    pub(super) written: Mutex<(Journal, StudyState)>,
}

impl<'a> Pool<'a> {
    pub fn new(
        dir: &'a Path,
        experiment: &Experiment,
        trainer: &'a dyn Trainer,
        settings: &RunSettings<'a>,
        queue: Queue<'a>,
        untested: Vec<Untested>,
        written: (Journal, StudyState),
    ) -> Self {
        Self {
            dir,
            study_seed: experiment.seed,
            fine_tune_lr: {
                let netadapt = experiment.search.as_ref().and_then(|search| search.netadapt.as_ref());
                netadapt.map_or(experiment.train.lr, |netadapt| netadapt.rate(experiment.train.lr))
            },
            trainer,
            display: settings.display,
            jobs: settings.jobs.max(1),
            checkpoint_every: settings.checkpoint_every,
            failures: experiment.failures,
            keep: experiment.checkpoints.keep,
            keeps_checkpoints: retention::keeps_checkpoints(experiment),
            room: Room::new(dir, experiment.checkpoints.disk_budget),
            latency: experiment.latency,
            max_latency: experiment.search.as_ref().and_then(|search| search.max_latency),
            quiet: Quiet::default(),
            failures_in_a_row: AtomicUsize::new(0),
            stop: settings.stop,
            fatal: Mutex::new(None),
            failed: AtomicBool::new(false),
            queue: Mutex::new(queue),
            trial_ended: Condvar::new(),
            untested: Mutex::new(untested),
            written: Mutex::new(written),
        }
    }

    /// The state after the last event.
    pub fn into_state(self) -> StudyState {
        self.written.into_inner().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Trains all that is queued and planned.
    pub fn train_all(&self) -> Result<()> {
        self.in_parallel(|| {
            while let Some(next) = self.take()? {
                let trial = next.trial;
                self.train(next)?;
                self.tell(trial);
            }
            Ok(())
        })
    }

    /// Reads the test split for every trial that waits for it.
    pub fn test_all(&self) -> Result<()> {
        // Popped from the back, lowest number first.
        lock(&self.untested).sort_by_key(|n| std::cmp::Reverse(n.trial));
        self.in_parallel(|| {
            while !self.halted() {
                let Some(next) = lock(&self.untested).pop() else {
                    break;
                };
                self.test(next)?;
            }
            Ok(())
        })
    }

    /// Ends the study: weights that are not to be kept go, and the journal says that nothing is left to do.
    pub fn finish(&self) -> Result<()> {
        retention::prune(self.dir, &lock(&self.written).1, self.keep, |what| self.display.on_notice(what));
        if !self.keeps_checkpoints {
            let stopped: Vec<usize> = lock(&self.written)
                .1
                .trials
                .iter()
                .filter(|t| t.status == TrialStatus::Stopped && t.timed_out.is_none())
                .map(|t| t.number)
                .collect();
            stopped.into_iter().for_each(|trial| checkpoint::remove(self.dir, &self.room, trial));
        }
        self.record(vec![Event::StudyFinished])
    }

    /// Journals events, then tells of them.
    pub fn record(&self, events: Vec<Event>) -> Result<()> {
        let mut written = lock(&self.written);
        let (journal, state) = &mut *written;
        let records = journal.append(events, || state.retold())?;
        for record in records {
            state.apply(record.clone().without_choices()).map_err(Error::run)?;
            self.display.on_event(state, &record);
        }
        Ok(())
    }

    /// Runs `work` on every worker to its end.
    fn in_parallel(&self, work: impl Fn() -> Result<()> + Sync) -> Result<()> {
        let work = || {
            let ended = caught(&work).unwrap_or_else(|panic| {
                Err(Error::run(format!(
                    "a worker of the study {panic}: this is a mistake in blocksmith; \
                     the same command continues where it stopped"
                )))
            });
            if let Err(e) = ended {
                self.fail(e);
            }
        };
        thread::scope(|scope| {
            for n in 0..self.jobs {
                let named = thread::Builder::new().name(format!("worker {}", n + 1)).stack_size(STACK);
                if let Err(e) = named.spawn_scoped(scope, work) {
                    self.fail(Error::run(format!("cannot start worker {} ({e}): give fewer --jobs", n + 1)));
                }
            }
        });
        if let Some(e) = lock(&self.fatal).take() {
            return Err(e);
        }
        if self.stop.load(Ordering::SeqCst) {
            self.record(vec![Event::StudyInterrupted])?;
            // Which signal it was is known above.
            return Err(Error::Interrupted(Signal::Interrupt));
        }
        Ok(())
    }

    /// Trains a trial to its end, again where it failed and may end otherwise.
    fn train(&self, next: Numbered) -> Result<()> {
        let trial = next.trial;
        let task = self.task(&next);
        if !self.is_fit(&next, &task)? {
            return Ok(());
        }
        let _working = self.quiet.work(|| self.halted());
        for attempt in 0.. {
            let mut observer = Observer::begin(self, trial)?;
            let end = caught(|| self.trainer.train(&task, &mut observer));
            let (epoch, reason, may_end_otherwise) = match (end, observer.result) {
                (Ok(Err(e)), _) => return Err(e),
                (Ok(Ok(TrialEnd::Finished { .. })), Some(result)) if task.until.is_some() => {
                    self.record(vec![Event::TrialFinished { trial, result }])?;
                    self.failures_in_a_row.store(0, Ordering::SeqCst);
                    return Ok(());
                }
                (Ok(Ok(TrialEnd::Finished { weights })), Some(result)) => {
                    self.write_weights(trial, &weights)?;
                    let untested = Untested::new(next, &*lock(&self.queue).plan);
                    lock(&self.untested).push(untested);
                    self.record(vec![Event::TrialFinished { trial, result }])?;
                    // More epochs may be added later.
                    if !self.keeps_checkpoints {
                        checkpoint::remove(self.dir, &self.room, trial);
                    }
                    self.failures_in_a_row.store(0, Ordering::SeqCst);
                    return Ok(());
                }
                (Ok(Ok(TrialEnd::TimedOut)), Some(result)) => {
                    let limit = observer.timed_out.unwrap_or(TimeLimit::Train);
                    return self.record(vec![Event::TrialTimedOut { trial, limit, result }]);
                }
                (Ok(Ok(TrialEnd::Interrupted)), _) if self.halted() => return Ok(()),
                (Ok(Ok(TrialEnd::Failed { epoch, reason })), _) => (epoch, reason, false),
                (Ok(Ok(TrialEnd::Finished { .. } | TrialEnd::TimedOut)), None) => {
                    (1, "it ended without a single epoch".into(), false)
                }
                (Ok(Ok(TrialEnd::Interrupted)), _) => {
                    (observer.epoch, "it stopped though nobody had asked it to".into(), true)
                }
                (Err(panic), _) => (observer.epoch, panic, true),
            };
            // What made it fail may be in the checkpoint.
            checkpoint::remove(self.dir, &self.room, trial);
            self.log(trial, attempt + 1, epoch, &reason);
            let again = may_end_otherwise && attempt < self.failures.retry;
            let mut events = vec![Event::TrialFailed { trial, epoch, reason: reason.clone(), again }];
            events.extend(again.then_some(Event::TrialRetried { trial }));
            self.record(events)?;
            if !again {
                return self.failed(trial, &reason);
            }
            if self.halted() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The journal says that a trial is finished only when its weights are on the disk.
    fn write_weights(&self, trial: usize, weights: &[u8]) -> Result<()> {
        let path = folder::checkpoint(self.dir, trial);
        self.room.write(&path, "the weights", weights)
    }

    /// Adds an attempt to the trial's log. The journal has the reason too, so a log that cannot be written is only said.
    fn log(&self, trial: usize, attempt: usize, epoch: usize, reason: &str) {
        let mut text = format!("attempt {attempt} failed in epoch {epoch}: {reason}\n");
        for epoch in lock(&self.written).1.trial(trial).map_or(&[][..], |trial| &trial.epochs) {
            let EpochMetrics { epoch, lr, train, validation, seconds } = epoch;
            text += &format!(
                "  epoch {epoch}: lr {lr:.6}, training loss {:.4}, validation loss {:.4} accuracy {:.2} %, {seconds:.1} s\n",
                train.loss, validation.loss, validation.accuracy
            );
        }
        let path = folder::log(self.dir, trial);
        let before = file::read(&path).unwrap_or_default();
        let written = path.parent().map_or(Ok(()), disk::make_folder);
        let written = written.and_then(|()| folder::write_whole(&path, &[&before, text.as_bytes()].concat()));
        if let Err(e) = written {
            self.display.on_notice(&format!("{}: cannot write the log ({e})", path.display()));
        }
    }

    /// Whether the study goes on after a trial that failed for good.
    fn failed(&self, trial: usize, reason: &str) -> Result<()> {
        let in_a_row = self.failures_in_a_row.fetch_add(1, Ordering::SeqCst) + 1;
        let most = self.failures.stop_after_consecutive;
        let what = match most {
            _ if self.failures.fail_fast => "failures.fail_fast is set".to_owned(),
            1.. if in_a_row >= most => {
                format!("{in_a_row} trials in a row failed (failures.stop_after_consecutive)")
            }
            _ => return Ok(()),
        };
        let dir = self.dir.display();
        Err(Error::run(format!(
            "stopped at trial {trial}, which failed ({reason}): {what}; the same command goes on with the trials that are left, \
             and `blocksmith retry {dir} --failed` puts the failed ones back"
        )))
    }

    fn test(&self, next: Untested) -> Result<()> {
        let trial = next.trial;
        let tested = lock(&self.written).1.trial(trial).map(|trial| (trial.candidate.clone(), trial.seed));
        let planned = tested.and_then(|(candidate, seed)| {
            let network = next.network.or_else(|| lock(&self.queue).plan.network(&candidate))?;
            Some(PlannedTrial { candidate, network, seed, until: None, proposal: None })
        });
        let Some(planned) = planned else {
            return Err(Error::run(format!(
                "trial {trial} cannot be tested: its network cannot be built again, which is a mistake in blocksmith"
            )));
        };
        let path = folder::checkpoint(self.dir, trial);
        let weights = file::read(&path).map_err(|e| {
            Error::run(format!(
                "{}: cannot read the weights of trial {trial} ({e}): restore the file, or remove it to train the trial again",
                path.display()
            ))
        })?;
        let task = self.task(&Numbered { trial, planned });
        let test = caught(|| self.trainer.test(&task, &weights, &|| self.halted()));
        let test = test.unwrap_or_else(|panic| {
            Err(Error::run(format!("testing trial {trial} {panic}: the same command tries again")))
        })?;
        // Where the study stops, it is tested when the study goes on.
        test.map_or(Ok(()), |test| self.record(vec![Event::TestEvaluated { trial, test }]))
    }

    fn task(&self, next: &Numbered) -> TrialTask {
        TrialTask {
            trial: next.trial,
            network: next.planned.network.clone(),
            text: next.planned.candidate.text.clone(),
            candidate_hash: next.planned.candidate.hash.clone(),
            study_seed: self.study_seed,
            seed: next.planned.seed,
            until: lock(&self.written).1.trial(next.trial).and_then(Trial::until),
            fine_tune: next.planned.candidate.adapted.as_ref().map(|_| self.fine_tune_lr),
        }
    }

    /// Whether workers should stop: the user asked, or the study cannot go on.
    pub(super) fn halted(&self) -> bool {
        self.stop.load(Ordering::SeqCst) || self.failed.load(Ordering::SeqCst)
    }

    pub(super) fn fail(&self, e: Error) {
        lock(&self.fatal).get_or_insert(e);
        self.failed.store(true, Ordering::SeqCst);
    }
}

/// A worker that panicked while it held a lock has ended the study already; what it guarded is still whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
