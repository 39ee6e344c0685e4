//! A study killed at any moment continues to the same end.

use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use super::super::retention::Room;
use super::super::simulated::{Simulated, environment, experiment, plan};
use super::super::{
    Display, RunSettings, Silent, Study, StudyState, Trial, TrialStatus, checkpoint, folder, state,
};
use super::{count, events, journal_bytes, never, run, run_simply, scratch};
use crate::error::{Error, Signal};

#[test]
fn killed_at_every_byte() {
    let experiment = experiment(&["a", "diverges", "flaky"], &[0]);
    let whole = scratch();
    let unpaced = || Simulated { paced: false, ..Simulated::new(2) };
    let finished = run(whole.path(), &experiment, &unpaced(), 1).unwrap();
    let journal = journal_bytes(whole.path());
    let (mut points, mut planted, mut resumed) = (0, 0, 0);
    for kept in 0..=journal.len() {
        // Between two events every sort of checkpoint, within a line each in turn.
        let between = kept == 0 || journal[kept - 1] == b'\n';
        for sort in 0..SORTS {
            if !between && sort != kept % SORTS {
                continue;
            }
            let dir = scratch();
            // Weights are written before the journal speaks of them: what a kill leaves may have more of them, never fewer.
            folder::create(dir.path()).unwrap();
            for trial in 1..=3 {
                let _ =
                    fs::copy(folder::checkpoint(whole.path(), trial), folder::checkpoint(dir.path(), trial));
            }
            fs::write(folder::journal(dir.path()), &journal[..kept]).unwrap();

            let before = state::replay(dir.path()).unwrap().0;
            let trials = before.map_or(Vec::new(), |state| state.trials);
            let done_before = trials.iter().filter(|trial| trial.ended()).count();
            let may_be_kept =
                trials.iter().filter(|trial| !trial.ended() && trial.status != TrialStatus::Queued);
            planted += may_be_kept.map(|trial| usize::from(plant(dir.path(), trial, sort))).sum::<usize>();
            let trainer = unpaced();
            let state = run(dir.path(), &experiment, &trainer, 2).unwrap();

            assert_eq!(
                state.results_hash(),
                finished.results_hash(),
                "killed after {kept} bytes, sort {sort}"
            );
            assert_eq!(state, state::read(dir.path()).unwrap());
            assert!(state.finished);
            let trained = trainer.trained.lock().unwrap().len();
            assert!(trained <= 3 - done_before, "finished trials are not run again");
            let events = events(dir.path());
            assert_eq!(count(&events, "test_evaluated"), 2, "tested once each");
            assert_eq!(count(&events, "trial_queued"), 3);
            points += 1;
            let went_on = count(&events, "trial_resumed");
            assert!(went_on == 0 || sort < 2, "sort {sort} is no checkpoint of the trial");
            resumed += went_on;
        }
    }
    println!(
        "{points} points in a journal of {} bytes; {planted} checkpoints left by the kill, {resumed} of them gone on from",
        journal.len()
    );
    assert!(resumed > 0);
}

/// Sorts of checkpoints that [`plant`] knows.
const SORTS: usize = 10;

/// Leaves a checkpoint of a running trial: the last one (0), one of before its last epoch (1), cut at several places (2 to 5),
/// with a bit flipped (6), of another trial (7), of an epoch that the journal has lost (8), none (9).
fn plant(dir: &std::path::Path, trial: &Trial, sort: usize) -> bool {
    let mut said = trial.clone();
    let epochs = |trial: &Trial| trial.epochs.len().to_string();
    let mut bytes = epochs(&said);
    match sort {
        1 => {
            said.epochs.pop();
            bytes = epochs(&said);
        }
        7 => said.seed += 1,
        8 => match trial.epochs.last() {
            Some(epoch) => said.epochs.push(epoch.clone()),
            None => return false,
        },
        9 => return false,
        _ => {}
    }
    checkpoint::write(dir, &Room::new(dir, None), &said, bytes.as_bytes()).unwrap();
    let path = folder::unfinished(dir, trial.number);
    let mut whole = fs::read(&path).unwrap();
    match sort {
        2 => whole.clear(),
        3 => whole.truncate(whole.len() / 2),
        4 => whole.truncate(whole.len() - 2),
        5 => whole.truncate(whole.len() - 1),
        6 => whole[20] ^= 1,
        _ => {}
    }
    fs::write(path, whole).unwrap();
    true
}

#[test]
fn an_interrupted_study_continues() {
    let experiment = experiment(&["a", "stop", "b", "c"], &[0]);
    let dir = scratch();
    let trainer = Simulated::new(3);
    let error = run(dir.path(), &experiment, &trainer, 2).unwrap_err();
    assert_eq!(error, Error::Interrupted(Signal::Interrupt));
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
    fs::remove_file(dir.path().join("journal.end")).unwrap();
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
