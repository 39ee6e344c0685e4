//! Failed trials: tried again, put back, and what ends the study.

use std::fs;

use super::super::simulated::{Simulated, experiment, plan};
use super::super::{TrialStatus, folder, state};
use super::{count, events, run, run_simply, scratch};
use crate::config::Failures;

/// The second attempt is the whole trial: its numbers are those of one that never panicked.
#[test]
fn a_panic_is_tried_again() {
    let experiment = experiment(&["a", "flaky", "b"], &[0, 1]);
    let dir = scratch();
    let trainer = Simulated::new(3);
    let state = run(dir.path(), &experiment, &trainer, 2).unwrap();
    assert_eq!(state.count(TrialStatus::Finished), 6);
    assert_eq!(
        (count(&events(dir.path()), "trial_failed"), count(&events(dir.path()), "trial_retried")),
        (2, 2)
    );
    let mut panicked = trainer.panicked.into_inner().unwrap();
    panicked.sort_unstable();
    let log = fs::read_to_string(folder::log(dir.path(), panicked[0])).unwrap();
    assert!(log.starts_with("attempt 1 failed in epoch 2: panicked at "), "{log}");
    assert!(log.contains("epoch 1: lr 0.1"), "{log}");
    // Of a trainer that panicked before: this one does not any more.
    let calm = Simulated::new(3);
    calm.panicked.lock().unwrap().extend(1..=6);
    let straight = scratch();
    let expected = run(straight.path(), &experiment, &calm, 1).unwrap();
    assert_eq!(count(&events(straight.path()), "trial_retried"), 0);
    assert_eq!(state.results_hash(), expected.results_hash());
}

/// What panics always is tried as often as asked; what diverges would diverge again and is not.
#[test]
fn attempts_are_counted() {
    let dir = scratch();
    let mut experiment = experiment(&["panics", "diverges"], &[0]);
    experiment.failures.retry = 3;
    let state = run_simply(dir.path(), &experiment, 1).unwrap();
    assert_eq!(state.count(TrialStatus::Failed), 2);
    assert_eq!(
        (count(&events(dir.path()), "trial_failed"), count(&events(dir.path()), "trial_retried")),
        (5, 3)
    );
    let log = fs::read_to_string(folder::log(dir.path(), 1)).unwrap();
    assert_eq!(log.matches("attempt ").count(), 4, "{log}");
}

#[test]
fn failures_in_a_row_end_the_study_and_it_goes_on_after_that() {
    let labels = ["a", "diverges", "diverges", "b", "diverges", "diverges", "diverges", "c"];
    let mut experiment = experiment(&["x"], &[0]);
    let variant = experiment.variants.remove(0);
    experiment.variants = labels
        .iter()
        .map(|label| crate::config::Variant { name: (*label).into(), ..variant.clone() })
        .collect();
    experiment.failures.stop_after_consecutive = 3;
    let dir = scratch();
    let error = run_simply(dir.path(), &experiment, 1).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(
        error.to_string().contains("stopped at trial 7, which failed (the loss is NaN): 3 trials in a row"),
        "{error}"
    );
    assert!(error.to_string().contains("blocksmith retry"), "{error}");
    let state = state::read(dir.path()).unwrap();
    let before = (state.count(TrialStatus::Finished), state.count(TrialStatus::Failed), state.finished);
    assert_eq!(before, (2, 5, false));
    let state = run_simply(dir.path(), &experiment, 1).unwrap();
    assert_eq!((state.count(TrialStatus::Finished), state.count(TrialStatus::Failed)), (3, 5));
    assert!(state.finished);
}

#[test]
fn the_first_failure_ends_the_study_where_that_is_asked() {
    let mut experiment = experiment(&["a", "diverges", "b"], &[0]);
    experiment.failures = Failures { retry: 0, stop_after_consecutive: 0, fail_fast: true };
    let dir = scratch();
    let error = run_simply(dir.path(), &experiment, 1).unwrap_err();
    assert!(error.to_string().contains("failures.fail_fast"), "{error}");
    assert_eq!(plan(&experiment).len(), 3);
    assert_eq!(state::read(dir.path()).unwrap().count(TrialStatus::Queued), 1);
}
