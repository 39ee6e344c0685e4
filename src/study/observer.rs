//! What a running trial tells the study, and what it learns from it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::checkpoint;
use super::event::{EpochMetrics, Event, TimeLimit, TrialResult};
use super::folder;
use super::state::{Trial, TrialStatus};
use super::worker::{Pool, lock};
use crate::error::{Error, Result};
use crate::file;
use crate::train::contract::{Inherited, Left, TrialObserver};

/// One running trial's line to the study.
pub struct Observer<'p, 'a> {
    pool: &'p Pool<'a>,
    trial: usize,
    /// The epoch under way.
    pub epoch: usize,
    /// Figures of the last epoch.
    pub result: Option<TrialResult>,
    /// It may go on from where it stops.
    is_stopped_at_rung: bool,
    /// What an earlier attempt left.
    checkpoint: Option<Vec<u8>>,
    /// When the trial started, or was kept last.
    kept: Instant,
    /// How long it has waited for others who measured.
    paused: Cell<Duration>,
    /// What left it no more time.
    pub timed_out: Option<TimeLimit>,
}

impl<'p, 'a> Observer<'p, 'a> {
    /// Journals that a trial starts, or goes on from its checkpoint.
    pub fn begin(pool: &'p Pool<'a>, trial: usize) -> Result<Self> {
        let known = lock(&pool.written).1.trial(trial).cloned();
        let is_stopped_at_rung = known.as_ref().is_some_and(|trial| trial.until().is_some());
        let (checkpoint, kept) = (None, Instant::now());
        let paused = Cell::default();
        let (result, timed_out) = (None, None);
        let mut observer =
            Self { pool, trial, epoch: 1, result, is_stopped_at_rung, checkpoint, kept, paused, timed_out };
        let found = known.as_ref().map_or(Ok(None), |known| checkpoint::read(pool.dir, known));
        let found = found.unwrap_or_else(|why| {
            pool.display.on_notice(&format!("trial {trial} starts anew: its checkpoint {why}"));
            None
        });
        let (Some(found), Some(known)) = (found, known) else {
            pool.record(vec![Event::TrialStarted { trial }])?;
            return Ok(observer);
        };
        pool.record(vec![Event::TrialResumed { trial, epochs: found.epochs }])?;
        known.epochs.iter().take(found.epochs).for_each(|epoch| observer.add(epoch));
        observer.checkpoint = Some(found.bytes);
        Ok(observer)
    }

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

impl Observer<'_, '_> {
    /// What a trial left for others to inherit; else a clause that says why nothing.
    fn left(&self, parent: &Trial) -> std::result::Result<Inherited, String> {
        let number = parent.number;
        let weights = if parent.status == TrialStatus::Finished {
            let path = folder::checkpoint(self.pool.dir, number);
            let read = file::read(&path);
            Left::Weights(
                read.map_err(|e| format!("the weights of trial {number}, {}: {e}", path.display()))?,
            )
        } else {
            let path = folder::unfinished(self.pool.dir, number);
            let found = checkpoint::read(self.pool.dir, parent)?;
            let gone = || format!("the weights of trial {number}, {}, are gone", path.display());
            Left::Checkpoint(found.ok_or_else(gone)?.bytes)
        };
        let network = self.pool.network(&parent.candidate);
        let network =
            network.ok_or_else(|| format!("the network of trial {number} cannot be built again"))?;
        Ok(Inherited { network, weights })
    }
}

/// What ends a study whose trial has nothing to inherit.
fn missing(trial: usize, why: &str) -> String {
    format!(
        "trial {trial} cannot inherit its weights ({why}): restore the file and give the same command again, or start another \
         study with --out FOLDER"
    )
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
        let paused = self.pool.quiet.pause(|| self.pool.halted());
        self.paused.set(self.paused.get() + paused);
        self.pool.halted()
    }

    fn paused(&self) -> Duration {
        self.paused.get()
    }

    fn is_over_time(&mut self) -> bool {
        let pool = self.pool;
        let written = lock(&pool.written);
        self.timed_out = written.1.trial(self.trial).and_then(|trial| written.1.time_limit(trial));
        self.timed_out.is_some()
    }

    fn continues(&mut self) -> Option<Vec<u8>> {
        self.checkpoint.take()
    }

    fn inherited(&mut self) -> Result<std::result::Result<Inherited, String>> {
        let (parent, is_retried) = {
            let written = lock(&self.pool.written);
            let own = written.1.trial(self.trial);
            let adapted = own.and_then(|own| Some((own, own.candidate.adapted.as_ref()?)));
            let Some((own, adapted)) = adapted else {
                return Ok(Err("it inherits from no other candidate".into()));
            };
            let is_parent = |trial: &&Trial| {
                trial.candidate.hash == adapted.from && trial.seed == own.seed && !trial.candidate.is_variant
            };
            let parent = written.1.trials.iter().find(is_parent).cloned();
            (parent, own.rungs.iter().any(|rung| rung.end.is_some()))
        };
        let found = match &parent {
            None => Err("the trial from which it inherits was never queued".to_owned()),
            Some(parent) => self.left(parent),
        };
        found.map_or_else(
            // The step that it was of is over, and the weights that this step needed are gone.
            |why| if is_retried { Ok(Err(why)) } else { Err(Error::run(missing(self.trial, &why))) },
            |inherited| Ok(Ok(inherited)),
        )
    }

    fn wants_checkpoint(&self) -> bool {
        self.kept.elapsed() >= self.pool.checkpoint_every
    }

    fn wants_last_checkpoint(&self) -> bool {
        self.pool.keeps_checkpoints || self.is_stopped_at_rung
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<()> {
        let trial = lock(&self.pool.written).1.trial(self.trial).cloned();
        let kept =
            trial.map_or(Ok(()), |trial| checkpoint::write(self.pool.dir, &self.pool.room, &trial, bytes));
        self.kept = Instant::now();
        kept.inspect_err(|e| self.pool.fail(e.clone()))
    }
}
