//! The memory that trials share: each reserves what it is foretold to need before it starts.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::trainer::EVALUATION_BATCH;
use crate::arch::Network;
use crate::data::Data;
use crate::engine::foretell;
use crate::text;

/// How often a trial that waits for memory looks whether the study is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Bytes that a trial of `network` needs at its peak: those of a training step of `batch` images, or of an evaluation.
pub fn trial_bytes(network: &Network, batch: usize, data: &Data) -> u64 {
    let training = foretell::training_bytes(network, batch.min(data.train.len()));
    let evaluated = data.validation.len().max(data.test.len());
    training.max(foretell::inference_bytes(network, EVALUATION_BATCH.min(evaluated)))
}

/// Why a trial that needs `need` bytes is not started, as a sentence for the journal.
pub fn beyond(need: u64, batch: usize, limit: u64) -> String {
    format!(
        "not started: it needs {} to be trained at batch {batch} and evaluated, and the memory budget is {}; lower \
         train.batch, or give a larger --memory",
        text::bytes(need),
        text::bytes(limit)
    )
}

/// Whether the system gives so many bytes at once. They go back at once, and no page of them is touched: a limit on the
/// process's memory shows here, before a buffer that cannot be had would end the whole process.
pub fn is_given(bytes: u64) -> bool {
    let mut room: Vec<u8> = Vec::new();
    usize::try_from(bytes).is_ok_and(|bytes| room.try_reserve_exact(bytes).is_ok())
}

/// A number of bytes that trials take from and give back to.
#[derive(Debug, Default)]
pub struct Memory {
    /// `None`: there is always enough.
    limit: Option<u64>,
    taken: Mutex<u64>,
    given_back: Condvar,
}

/// What came of a wish for memory.
#[derive(Debug)]
pub enum Wish<'a> {
    /// Taken until this is dropped.
    Granted(Reserved<'a>),
    /// More than there is, whoever gives back.
    Beyond {
        limit: u64,
    },
    Stopped,
}

/// Bytes taken, given back when dropped.
#[derive(Debug)]
pub struct Reserved<'a> {
    memory: &'a Memory,
    bytes: u64,
}

impl Memory {
    /// `limit` bytes; without bounds where it is `None`.
    pub fn new(limit: Option<u64>) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Takes `bytes`, after waiting until others have given back enough, or until `stop`.
    pub fn reserve(&self, bytes: u64, stop: impl Fn() -> bool) -> Wish<'_> {
        let limit = self.limit.unwrap_or(u64::MAX);
        if bytes > limit {
            return Wish::Beyond { limit };
        }
        let mut taken = self.taken();
        let is_short = |taken: u64| taken.saturating_add(bytes) > limit && self.limit.is_some();
        while is_short(*taken) {
            // Without the lock: it may wait there for others, who first give back.
            drop(taken);
            if stop() {
                return Wish::Stopped;
            }
            taken = self.taken();
            if is_short(*taken) {
                let waited = self.given_back.wait_timeout(taken, LOOK);
                taken = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        *taken = taken.saturating_add(bytes);
        Wish::Granted(Reserved { memory: self, bytes })
    }

    /// A number is whole whoever panicked while holding it.
    fn taken(&self) -> MutexGuard<'_, u64> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let mut taken = self.memory.taken();
        *taken = taken.saturating_sub(self.bytes);
        self.memory.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    fn granted<'a>(memory: &'a Memory, bytes: u64) -> Wish<'a> {
        memory.reserve(bytes, || true)
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let memory = Memory::new(Some(10));
        let first = granted(&memory, 6);
        assert!(matches!(first, Wish::Granted(_)));
        assert!(matches!(granted(&memory, 4), Wish::Granted(_)), "given back at once");
        assert!(matches!(granted(&memory, 5), Wish::Stopped), "11 of 10");
        assert!(matches!(granted(&memory, 11), Wish::Beyond { limit: 10 }));
        drop(first);
        assert!(matches!(granted(&memory, 10), Wish::Granted(_)));
        let endless = Memory::default();
        let all = granted(&endless, u64::MAX);
        assert!(matches!((all, granted(&endless, u64::MAX)), (Wish::Granted(_), Wish::Granted(_))));
    }

    /// Eight threads that want 1 to 8 of 10: never more than 10 at once, and all get theirs.
    #[test]
    fn trials_wait_for_each_other() {
        let (memory, in_use, granted) = (Memory::new(Some(10)), AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for bytes in 1..=8 {
                let (memory, in_use, granted) = (&memory, &in_use, &granted);
                scope.spawn(move || {
                    for _ in 0..20 {
                        let wish = memory.reserve(bytes, || false);
                        assert!(matches!(wish, Wish::Granted(_)));
                        assert!(in_use.fetch_add(bytes, Ordering::SeqCst) + bytes <= 10);
                        thread::yield_now();
                        in_use.fetch_sub(bytes, Ordering::SeqCst);
                        granted.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(granted.into_inner(), 8 * 20);
    }
}
