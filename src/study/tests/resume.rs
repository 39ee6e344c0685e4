//! A study killed at any moment continues to the same end.

use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use super::super::simulated::{Simulated, environment, experiment, plan};
use super::super::{Display, RunSettings, Silent, Study, StudyState, TrialStatus, folder, state};
use super::{count, events, journal_bytes, never, run, run_simply, scratch};
use crate::error::Error;

#[test]
fn killed_at_every_byte() {
    let experiment = experiment(&["a", "diverges"], &[0, 1]);
    let whole = scratch();
    let unpaced = || Simulated { paced: false, ..Simulated::new(2) };
    let finished = run(whole.path(), &experiment, &unpaced(), 1).unwrap();
    let journal = journal_bytes(whole.path());
    for kept in 0..=journal.len() {
        let dir = scratch();
        // Weights are written before the journal speaks of them: what a kill leaves may have more of them, never fewer.
        folder::create(dir.path()).unwrap();
        for trial in 1..=4 {
            let _ = fs::copy(folder::checkpoint(whole.path(), trial), folder::checkpoint(dir.path(), trial));
        }
        fs::write(folder::journal(dir.path()), &journal[..kept]).unwrap();

        let done_before =
            state::replay(dir.path()).unwrap().0.map_or(0, |s| s.trials.iter().filter(|t| t.ended()).count());
        let trainer = unpaced();
        let state = run(dir.path(), &experiment, &trainer, 2).unwrap();

        assert_eq!(state.results_hash(), finished.results_hash(), "killed after {kept} bytes");
        assert_eq!(state, state::read(dir.path()).unwrap());
        assert!(state.finished);
        let trained = trainer.trained.lock().unwrap().len();
        assert!(trained <= 4 - done_before, "finished trials are not run again");
        let events = events(dir.path());
        assert_eq!(count(&events, "test_evaluated"), 2, "tested once each");
        assert_eq!(count(&events, "trial_queued"), 4);
    }
}

#[test]
fn an_interrupted_study_continues() {
    let experiment = experiment(&["a", "stop", "b", "c"], &[0]);
    let dir = scratch();
    let trainer = Simulated::new(3);
    let error = run(dir.path(), &experiment, &trainer, 2).unwrap_err();
    assert_eq!(error, Error::Interrupted);
    assert_eq!(error.exit_code(), 130);
    assert_eq!(events(dir.path()).last().unwrap(), "study_interrupted");
    let stopped = state::read(dir.path()).unwrap();
    assert_eq!(stopped.count(TrialStatus::Running), 0, "what ran is queued again");
    assert!(!stopped.finished);

    let trainer = Simulated::new(3);
    // The same trainer label would ask to stop again: this time nobody listens.
    let listening = never();
    let settings = RunSettings {
        jobs: 2,
        checkpoint_every: Duration::ZERO,
        environment: environment(2, "data-hash"),
        stop: &listening,
        display: &Silent,
    };
    let study = Study::open(dir.path(), &experiment).unwrap();
    let state = study.run(&mut plan(&experiment).into_iter(), &trainer, &settings).unwrap();
    assert_eq!(state.environments.len(), 2);
    let straight = scratch();
    let study = Study::open(straight.path(), &experiment).unwrap();
    let uninterrupted = study.run(&mut plan(&experiment).into_iter(), &trainer, &settings).unwrap();
    assert_eq!(state.results_hash(), uninterrupted.results_hash());
}

#[test]
fn lost_weights_are_trained_again_and_said_so() {
    struct Notices(Mutex<Vec<String>>);
    impl Display for Notices {
        fn on_begin(&self, _: &StudyState, _: Option<usize>) {}
        fn on_event(&self, _: &StudyState, _: &super::super::event::Record) {}
        fn on_step(&self, _: usize, _: usize, _: usize, _: usize) {}
        fn on_notice(&self, sentence: &str) {
            self.0.lock().unwrap().push(sentence.into());
        }
    }
    let experiment = experiment(&["a", "b"], &[0]);
    let dir = scratch();
    let finished = run_simply(dir.path(), &experiment, 1).unwrap();
    // Cut the journal before the first test, and remove the second trial's weights.
    let text = String::from_utf8(journal_bytes(dir.path())).unwrap();
    let trained = text.find(r#""event":"test_evaluated""#).unwrap();
    let line = text[..trained].rfind('\n').unwrap() + 1;
    fs::write(folder::journal(dir.path()), &text[..line]).unwrap();
    fs::remove_file(folder::checkpoint(dir.path(), 2)).unwrap();

    let (stop, notices, trainer) = (never(), Notices(Mutex::default()), Simulated::new(3));
    let settings = RunSettings {
        jobs: 1,
        checkpoint_every: Duration::ZERO,
        environment: environment(1, "data-hash"),
        stop: &stop,
        display: &notices,
    };
    let study = Study::open(dir.path(), &experiment).unwrap();
    let state = study.run(&mut plan(&experiment).into_iter(), &trainer, &settings).unwrap();
    assert_eq!(*trainer.trained.lock().unwrap(), [2]);
    assert_eq!(*trainer.tested.lock().unwrap(), [1, 2]);
    assert_eq!(state.results_hash(), finished.results_hash());
    let notices = notices.0.into_inner().unwrap();
    assert!(notices[0].starts_with("trial 2 (b seed 0) is trained again"), "{notices:?}");
}
