//! Silence for a measurement: while the latency of one candidate is measured, no trial takes a step.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::worker::lock;

/// How often somebody who waits looks whether the study is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Who makes noise, and who wants silence.
#[derive(Debug, Default)]
pub struct Quiet {
    /// Those who measure or wait for it: looked at before every step, so without the lock.
    wanted: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Trials that may take a step.
    working: usize,
    measuring: bool,
}

/// A trial that works until this is dropped.
pub struct Working<'a>(&'a Quiet);

impl Quiet {
    /// Begins to work, once nobody wants silence or the study stops.
    pub fn work(&self, halted: impl Fn() -> bool) -> Working<'_> {
        let mut state = self.until_noise(lock(&self.state), halted);
        state.working += 1;
        Working(self)
    }

    /// Between two steps of a trial that works: waits while somebody wants silence. Gives how long that was.
    pub fn pause(&self, halted: impl Fn() -> bool) -> Duration {
        if self.wanted.load(Ordering::SeqCst) == 0 {
            return Duration::ZERO;
        }
        let start = Instant::now();
        let mut state = lock(&self.state);
        state.working = state.working.saturating_sub(1);
        self.changed.notify_all();
        self.until_noise(state, halted).working += 1;
        start.elapsed()
    }

    /// Measures in silence, one at a time; `None` where the study stops before that. Whoever calls it does not work.
    pub fn measure<T>(&self, halted: impl Fn() -> bool, measure: impl FnOnce() -> T) -> Option<T> {
        let _wanted = Wanted::new(self);
        let mut state = lock(&self.state);
        while state.measuring || state.working > 0 {
            if halted() {
                return None;
            }
            state = self.wait(state);
        }
        state.measuring = true;
        drop(state);
        let _measuring = Measuring(self);
        Some(measure())
    }

    fn until_noise<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        halted: impl Fn() -> bool,
    ) -> MutexGuard<'a, State> {
        while self.wanted.load(Ordering::SeqCst) > 0 && !halted() {
            state = self.wait(state);
        }
        state
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, LOOK);
        waited.unwrap_or_else(std::sync::PoisonError::into_inner).0
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.working = state.working.saturating_sub(1);
        self.0.changed.notify_all();
    }
}

/// Somebody wants silence until this is dropped.
struct Wanted<'a>(&'a Quiet);

impl<'a> Wanted<'a> {
    fn new(quiet: &'a Quiet) -> Self {
        quiet.wanted.fetch_add(1, Ordering::SeqCst);
        Self(quiet)
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.0.wanted.fetch_sub(1, Ordering::SeqCst);
        // Under the lock, so that nobody who has just looked goes to sleep on it.
        let _state = lock(&self.0.state);
        self.0.changed.notify_all();
    }
}

/// Somebody measures until this is dropped.
struct Measuring<'a>(&'a Quiet);

impl Drop for Measuring<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).measuring = false;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    /// Four trials take steps, two others measure again and again: no step is under way while one measures.
    #[test]
    fn nobody_takes_a_step_while_one_measures() {
        let (quiet, steps, measuring) = (Quiet::default(), AtomicUsize::new(0), AtomicBool::new(false));
        let measured = AtomicUsize::new(0);
        // Nobody measures before all four work.
        let all = std::sync::Barrier::new(6);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let _working = quiet.work(|| false);
                    all.wait();
                    let mut paused = Duration::ZERO;
                    while measured.load(Ordering::SeqCst) < 20 {
                        paused += quiet.pause(|| false);
                        steps.fetch_add(1, Ordering::SeqCst);
                        assert!(!measuring.load(Ordering::SeqCst));
                        thread::sleep(Duration::from_micros(200));
                        assert!(!measuring.load(Ordering::SeqCst));
                        steps.fetch_sub(1, Ordering::SeqCst);
                    }
                    assert!(paused > Duration::ZERO);
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    all.wait();
                    for _ in 0..10 {
                        let of_it = quiet.measure(
                            || false,
                            || {
                                assert!(!measuring.swap(true, Ordering::SeqCst), "two at once");
                                assert_eq!(steps.load(Ordering::SeqCst), 0);
                                thread::sleep(Duration::from_micros(500));
                                measuring.store(false, Ordering::SeqCst);
                            },
                        );
                        assert!(of_it.is_some());
                        measured.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(quiet.wanted.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_study_that_stops_waits_for_nobody() {
        let quiet = Quiet::default();
        let working = quiet.work(|| false);
        assert_eq!(quiet.measure(|| true, || ()), None);
        drop(working);
        assert_eq!(quiet.measure(|| false, || 7), Some(7));
        assert_eq!(quiet.pause(|| false), Duration::ZERO);
    }
}
