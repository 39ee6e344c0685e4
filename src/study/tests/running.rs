//! Trials in parallel, trials that fail, and the order of what is written.

use std::fs;
use std::time::Duration;

use super::super::event::{Event, Record};
use super::super::simulated::{Simulated, environment, experiment, plan};
use super::super::{RunSettings, Silent, Study, TrialStatus, folder, state};
use super::{count, events, journal_bytes, never, run, run_simply, scratch};
use crate::error::{Error, Signal};

#[test]
fn jobs_do_not_change_the_results() {
    let experiment = experiment(&["a", "b", "c", "diverges", "d"], &[0, 1, 2]);
    let hash = |jobs| {
        let dir = scratch();
        let state = run_simply(dir.path(), &experiment, jobs).unwrap();
        assert!(state.finished);
        assert_eq!(state, state::read(dir.path()).unwrap(), "memory and disk agree");
        state.results_hash()
    };
    let sequential = hash(1);
    assert_eq!(sequential, hash(2));
    assert_eq!(sequential, hash(8));
}

#[test]
fn results_hash_sees_the_last_bit() {
    let experiment = experiment(&["a"], &[0]);
    let dir = scratch();
    let state = run_simply(dir.path(), &experiment, 1).unwrap();
    let mut other = state.clone();
    let loss = &mut other.trials[0].epochs[1].train.loss;
    *loss = f64::from_bits(loss.to_bits() ^ 1);
    assert_ne!(state.results_hash(), other.results_hash());
    let mut slower = state.clone();
    slower.trials[0].epochs[1].seconds += 1.0;
    assert_eq!(state.results_hash(), slower.results_hash());
}

#[test]
fn a_failure_ends_its_trial_alone() {
    let experiment = experiment(&["a", "diverges", "panics", "gives-up", "b"], &[0]);
    let dir = scratch();
    let trainer = Simulated::new(3);
    let state = run(dir.path(), &experiment, &trainer, 2).unwrap();
    let status: Vec<_> = state.trials.iter().map(|t| t.status).collect();
    use TrialStatus::{Failed, Finished};
    assert_eq!(status, [Finished, Failed, Failed, Failed, Finished]);
    let failure = |n: usize| state.trial(n).unwrap().failure.clone().unwrap();
    assert_eq!((failure(2).epoch, failure(2).reason.as_str()), (2, "the loss is NaN"));
    assert_eq!(failure(3).epoch, 2);
    let reason = failure(3).reason;
    assert!(reason.starts_with("panicked at src/study/simulated.rs:"), "{reason}");
    assert!(reason.ends_with(": index 7 is out of range"), "{reason}");
    assert!(failure(4).reason.contains("nobody"));
    let mut tested = trainer.tested.lock().unwrap().clone();
    tested.sort_unstable();
    assert_eq!(tested, [1, 5], "failed trials are not tested");

    // Failed trials stay failed, and a finished study has nothing left to do.
    let mut again = plan(&experiment).into_iter();
    let study = Study::open(dir.path(), &experiment).unwrap();
    assert_eq!(study.finished(&mut again).unwrap().unwrap(), state);
}

#[test]
fn a_trainer_that_cannot_go_on_ends_the_study() {
    let experiment = experiment(&["ends-the-study", "a"], &[0]);
    let dir = scratch();
    let error = run_simply(dir.path(), &experiment, 1).unwrap_err();
    assert_eq!(error, Error::run("the data set is gone"));
    assert!(!state::read(dir.path()).unwrap().finished);
}

#[test]
fn journal_follows_the_files() {
    let experiment = experiment(&["a", "b"], &[0, 1]);
    let dir = scratch();
    let state = run_simply(dir.path(), &experiment, 2).unwrap();
    let events = events(dir.path());
    assert_eq!(events[0], "study_started");
    assert_eq!(events[1..5], ["trial_queued"; 4]);
    assert_eq!(events.last().unwrap(), "study_finished");
    assert_eq!(count(&events, "epoch_finished"), 12);
    // The test split is read after the last training, once for each trial.
    let last_training = events.iter().rposition(|e| e == "trial_finished").unwrap();
    let tests = &events[last_training + 1..events.len() - 1];
    assert_eq!(tests, ["test_evaluated"; 4]);
    for trial in &state.trials {
        let weights = fs::read(folder::checkpoint(dir.path(), trial.number)).unwrap();
        let expected = format!("17 {} {}", trial.candidate.hash, trial.seed);
        assert_eq!(weights, expected.as_bytes());
    }
    assert!(dir.path().join("checkpoints/trial-0001.safetensors").is_file());
    assert!(!dir.path().join("lock").exists());
}

#[test]
fn every_finished_trial_has_its_weights_at_once() {
    /// Looks for the file at the moment of the event.
    struct Watch<'a>(&'a std::path::Path);
    impl super::super::Display for Watch<'_> {
        fn on_begin(&self, _: &super::super::StudyState, _: Option<usize>) {}
        fn on_event(&self, _: &super::super::StudyState, record: &Record) {
            if let Event::TrialFinished { trial, .. } = record.event {
                assert!(folder::checkpoint(self.0, trial).is_file());
            }
        }
        fn on_step(&self, _: usize, _: usize, _: usize, _: usize) {}
        fn on_notice(&self, _: &str) {}
    }
    let experiment = experiment(&["a", "b", "c"], &[0]);
    let dir = scratch();
    let stop = never();
    let settings = RunSettings {
        jobs: 3,
        checkpoint_every: Duration::ZERO,
        environment: environment(3, "data-hash"),
        stop: &stop,
        display: &Watch(dir.path()),
    };
    let study = Study::open(dir.path(), &experiment).unwrap();
    let state = study.run(&mut plan(&experiment).into_iter(), &Simulated::new(1), &settings).unwrap();
    assert_eq!(state.count(TrialStatus::Finished), 3);
}

#[test]
fn a_long_plan_is_pulled_little_by_little() {
    let seeds: Vec<u64> = (0..3000).collect();
    let experiment = experiment(&["a"], &seeds);
    let dir = scratch();
    let stop = never();
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let settings = RunSettings {
        jobs: 2,
        checkpoint_every: Duration::ZERO,
        environment: environment(2, "data-hash"),
        stop: &stop,
        display: &Silent,
    };
    let study = Study::open(dir.path(), &experiment).unwrap();
    let mut trials = plan(&experiment).into_iter();
    let error = study.run(&mut trials, &Simulated::new(1), &settings).unwrap_err();
    assert_eq!(error, Error::Interrupted(Signal::Interrupt));
    assert_eq!(trials.len(), 3000, "nothing was planned after the stop");
    assert!(journal_bytes(dir.path()).ends_with(b"\n"));
}
