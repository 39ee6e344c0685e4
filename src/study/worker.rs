//! The workers of a study: threads that take the next trial as soon as they are free, and one journal they write to.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::checkpoint;
use super::display::Display;
use super::event::{EpochMetrics, Event, TrialResult};
use super::folder;
use super::journal::Journal;
use super::panics::caught;
use super::plan::{Plan, PlannedTrial};
use super::runner::RunSettings;
use super::state::StudyState;
use crate::error::{Error, Result};
use crate::train::contract::{Trainer, TrialEnd, TrialObserver, TrialTask};

/// Trials queued ahead of the workers: enough for `status` to show what is to come, and bounded for spaces without end.
const AHEAD: usize = 1024;

/// Trials keep their tensors on the heap; this is what a main thread usually has, for unoptimised builds.
const STACK: usize = 8 << 20;

/// A planned trial with its number.
pub struct Numbered {
    pub trial: usize,
    pub planned: PlannedTrial,
}

/// Trials waiting for a worker, topped up from the plan.
pub struct Queue<'a> {
    plan: &'a mut dyn Plan,
    ready: VecDeque<Numbered>,
    plan_ended: bool,
}

impl<'a> Queue<'a> {
    /// A queue of `ready` trials, which are journaled, then of what is left in `plan`.
    pub fn new(plan: &'a mut dyn Plan, ready: VecDeque<Numbered>) -> Self {
        Self { plan, ready, plan_ended: false }
    }
}

/// All that the workers share.
pub struct Pool<'a> {
    dir: &'a Path,
    study_seed: u64,
    trainer: &'a dyn Trainer,
    display: &'a dyn Display,
    jobs: usize,
    checkpoint_every: Duration,
    stop: &'a AtomicBool,
    /// What ended the study, the first of several.
    fatal: Mutex<Option<Error>>,
    failed: AtomicBool,
    // Locked in this order: queue, then written. Neither is held while a trial trains.
    queue: Mutex<Queue<'a>>,
    untested: Mutex<VecDeque<Numbered>>,
    written: Mutex<(Journal, StudyState)>,
}

impl<'a> Pool<'a> {
    pub fn new(
        dir: &'a Path,
        study_seed: u64,
        trainer: &'a dyn Trainer,
        settings: &RunSettings<'a>,
        queue: Queue<'a>,
        untested: VecDeque<Numbered>,
        written: (Journal, StudyState),
    ) -> Self {
        Self {
            dir,
            study_seed,
            trainer,
            display: settings.display,
            jobs: settings.jobs.max(1),
            checkpoint_every: settings.checkpoint_every,
            stop: settings.stop,
            fatal: Mutex::new(None),
            failed: AtomicBool::new(false),
            queue: Mutex::new(queue),
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
                self.train(next)?;
            }
            Ok(())
        })
    }

    /// Reads the test split for every trial that waits for it.
    pub fn test_all(&self) -> Result<()> {
        // Popped from the back, lowest number first.
        lock(&self.untested).make_contiguous().sort_by_key(|n| std::cmp::Reverse(n.trial));
        self.in_parallel(|| {
            while !self.halted() {
                let Some(next) = lock(&self.untested).pop_back() else {
                    break;
                };
                self.test(next)?;
            }
            Ok(())
        })
    }

    /// Journals events, then tells of them.
    pub fn record(&self, events: Vec<Event>) -> Result<()> {
        let mut written = lock(&self.written);
        let (journal, state) = &mut *written;
        for record in journal.append(events)? {
            state.apply(record.clone()).map_err(Error::run)?;
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
            return Err(Error::Interrupted);
        }
        Ok(())
    }

    /// The next trial to train; `None` at the end of the plan or of the study.
    fn take(&self) -> Result<Option<Numbered>> {
        let mut queue = lock(&self.queue);
        if self.halted() {
            return Ok(None);
        }
        if !queue.plan_ended && queue.ready.len() <= AHEAD / 2 {
            self.top_up(&mut queue)?;
        }
        Ok(queue.ready.pop_front())
    }

    /// Numbers the next trials of the plan and journals them, with one sync for all.
    fn top_up(&self, queue: &mut Queue<'_>) -> Result<()> {
        let first = lock(&self.written).1.trials.len() + 1;
        let mut events = Vec::new();
        while queue.ready.len() < AHEAD {
            let Some(planned) = queue.plan.next()? else {
                queue.plan_ended = true;
                break;
            };
            let trial = first + events.len();
            events.push(Event::TrialQueued {
                trial,
                candidate: planned.candidate.clone(),
                seed: planned.seed,
            });
            queue.ready.push_back(Numbered { trial, planned });
        }
        if events.is_empty() {
            return Ok(());
        }
        self.record(events)
    }

    fn train(&self, next: Numbered) -> Result<()> {
        let trial = next.trial;
        let task = self.task(&next);
        let mut observer = self.begin(trial)?;
        let end = match caught(|| self.trainer.train(&task, &mut observer)) {
            Ok(end) => end?,
            Err(panic) => TrialEnd::Failed { epoch: observer.epoch, reason: panic },
        };
        let failed = |epoch, reason: &str| Event::TrialFailed { trial, epoch, reason: reason.into() };
        let event = match (end, observer.result) {
            (TrialEnd::Finished { weights }, Some(result)) => {
                // The journal says that a trial is finished only when its weights are on the disk.
                let path = folder::checkpoint(self.dir, trial);
                folder::write_whole(&path, &weights).map_err(|e| {
                    Error::run(format!(
                        "{}: cannot write the weights ({e}): free some space or restore access, and give the same command again",
                        path.display()
                    ))
                })?;
                lock(&self.untested).push_back(next);
                Event::TrialFinished { trial, result }
            }
            (TrialEnd::Finished { .. }, None) => failed(1, "it ended without a single epoch"),
            (TrialEnd::Failed { epoch, reason }, _) => failed(epoch, &reason),
            (TrialEnd::Interrupted, _) if self.halted() => return Ok(()),
            (TrialEnd::Interrupted, _) => failed(observer.epoch, "it stopped though nobody had asked it to"),
        };
        self.record(vec![event])?;
        checkpoint::remove(self.dir, trial);
        Ok(())
    }

    /// Journals that a trial starts, or goes on from its checkpoint.
    fn begin(&self, trial: usize) -> Result<Observer<'_, 'a>> {
        let mut observer =
            Observer { pool: self, trial, epoch: 1, result: None, checkpoint: None, kept: Instant::now() };
        let known = lock(&self.written).1.trial(trial).cloned();
        let found = known.as_ref().map_or(Ok(None), |known| checkpoint::read(self.dir, known));
        let found = found.unwrap_or_else(|why| {
            self.display.on_notice(&format!("trial {trial} starts anew: its checkpoint {why}"));
            None
        });
        let (Some(found), Some(known)) = (found, known) else {
            self.record(vec![Event::TrialStarted { trial }])?;
            return Ok(observer);
        };
        self.record(vec![Event::TrialResumed { trial, epochs: found.epochs }])?;
        known.epochs.iter().take(found.epochs).for_each(|epoch| observer.add(epoch));
        observer.checkpoint = Some(found.bytes);
        Ok(observer)
    }

    fn test(&self, next: Numbered) -> Result<()> {
        let trial = next.trial;
        let path = folder::checkpoint(self.dir, trial);
        let weights = std::fs::read(&path).map_err(|e| {
            Error::run(format!(
                "{}: cannot read the weights of trial {trial} ({e}): restore the file, or remove it to train the trial again",
                path.display()
            ))
        })?;
        let task = self.task(&next);
        let test = caught(|| self.trainer.test(&task, &weights)).unwrap_or_else(|panic| {
            Err(Error::run(format!("testing trial {trial} {panic}: the same command tries again")))
        })?;
        self.record(vec![Event::TestEvaluated { trial, test }])
    }

    fn task(&self, next: &Numbered) -> TrialTask {
        TrialTask {
            trial: next.trial,
            network: next.planned.network.clone(),
            candidate_hash: next.planned.candidate.hash.clone(),
            study_seed: self.study_seed,
            seed: next.planned.seed,
        }
    }

    /// Whether workers should stop: the user asked, or the study cannot go on.
    fn halted(&self) -> bool {
        self.stop.load(Ordering::SeqCst) || self.failed.load(Ordering::SeqCst)
    }

    fn fail(&self, e: Error) {
        lock(&self.fatal).get_or_insert(e);
        self.failed.store(true, Ordering::SeqCst);
    }
}

/// One running trial's line to the study.
struct Observer<'p, 'a> {
    pool: &'p Pool<'a>,
    trial: usize,
    /// The epoch under way.
    epoch: usize,
    result: Option<TrialResult>,
    /// What an earlier attempt left.
    checkpoint: Option<Vec<u8>>,
    /// When the trial started, or was kept last.
    kept: Instant,
}

impl Observer<'_, '_> {
    /// Counts an epoch into the result.
    fn add(&mut self, epoch: &EpochMetrics) {
        self.epoch = epoch.epoch + 1;
        let before = self.result.take().map_or(0.0, |r| r.seconds);
        self.result = Some(TrialResult {
            epochs: epoch.epoch,
            train: epoch.train,
            validation: epoch.validation,
            seconds: before + epoch.seconds,
        });
    }
}

impl TrialObserver for Observer<'_, '_> {
    fn on_step(&mut self, epoch: usize, done: usize, total: usize) {
        self.epoch = epoch;
        self.pool.display.on_step(self.trial, epoch, done, total);
    }

    fn on_epoch(&mut self, epoch: &EpochMetrics) -> Result<()> {
        self.add(epoch);
        let event = Event::EpochFinished { trial: self.trial, epoch: epoch.clone() };
        // Failing here and not only in the return value: no trainer can overlook that the journal is lost.
        self.pool.record(vec![event]).inspect_err(|e| self.pool.fail(e.clone()))
    }

    fn should_stop(&self) -> bool {
        self.pool.halted()
    }

    fn continues(&mut self) -> Option<Vec<u8>> {
        self.checkpoint.take()
    }

    fn wants_checkpoint(&self) -> bool {
        self.kept.elapsed() >= self.pool.checkpoint_every
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<()> {
        let trial = lock(&self.pool.written).1.trial(self.trial).cloned();
        let kept = trial.map_or(Ok(()), |trial| checkpoint::write(self.pool.dir, &trial, bytes));
        self.kept = Instant::now();
        kept.inspect_err(|e| self.pool.fail(e.clone()))
    }
}

/// A worker that panicked while it held a lock has ended the study already; what it guarded is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
