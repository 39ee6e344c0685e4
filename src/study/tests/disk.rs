//! A full disk, a disk budget, and which weights stay.

use std::fs;

use super::super::disk::fault::{Faults, Kind};
use super::super::simulated::{Simulated, experiment, plan};
use super::super::{RunSettings, Silent, Study, TrialStatus, folder, state};
use super::{never, run_simply, scratch};
use crate::config::Keep;
use crate::error::Error;

fn weights(dir: &std::path::Path, trials: usize) -> Vec<usize> {
    (1..=trials).filter(|trial| folder::checkpoint(dir, *trial).is_file()).collect()
}

/// What the words of `keep` say, applied by hand to the numbers of the study.
#[test]
fn weights_that_are_not_kept_go_after_the_test() {
    let mut experiment = experiment(&["a", "b", "c", "d"], &[0, 1]);
    let mut trials = plan(&experiment);
    // Two sizes: on the front are the more accurate of the small ones, and what is better than that among the large ones.
    for trial in &mut trials {
        trial.candidate.params = if "ab".contains(&trial.candidate.label) { 1000 } else { 2000 };
    }
    let stop = never();
    let settings = RunSettings {
        jobs: 1,
        checkpoint_every: std::time::Duration::from_secs(9),
        environment: super::super::simulated::environment(1, "data-hash"),
        stop: &stop,
        display: &Silent,
    };
    let mut run = |keep| {
        experiment.checkpoints.keep = keep;
        let dir = scratch();
        let trainer = Simulated::new(3);
        let study = Study::open(dir.path(), &experiment).unwrap();
        let state = study.run(&mut trials.clone().into_iter(), &trainer, &settings).unwrap();
        assert_eq!(trainer.tested.lock().unwrap().len(), 8, "all are tested");
        let kept = weights(dir.path(), 8);
        // Weights that went are not missed, and `all` brings none back.
        experiment.checkpoints.keep = Keep::All;
        let again = Study::open(dir.path(), &experiment).unwrap();
        assert!(again.finished(&mut trials.clone().into_iter()).unwrap().is_some());
        drop(again);
        let study = Study::open(dir.path(), &experiment).unwrap();
        let idle = Simulated::new(3);
        let after = study.run(&mut trials.clone().into_iter(), &idle, &settings).unwrap();
        assert!(idle.trained.lock().unwrap().is_empty() && idle.tested.lock().unwrap().is_empty());
        assert_eq!(after.results_hash(), state.results_hash());
        assert_eq!(weights(dir.path(), 8), kept);
        (state, kept)
    };
    let (state, all) = run(Keep::All);
    assert_eq!(all, [1, 2, 3, 4, 5, 6, 7, 8]);
    let accuracy = |trial: usize| state.trials[trial - 1].result.as_ref().unwrap().validation.accuracy;
    let best = (1..=8).max_by(|a, b| accuracy(*a).total_cmp(&accuracy(*b))).unwrap();
    assert_eq!(run(Keep::Best).1, [best]);
    assert_eq!(run(Keep::Last).1, [8]);
    let mean = |candidate: usize| (accuracy(2 * candidate + 1) + accuracy(2 * candidate + 2)) / 2.0;
    let small = if mean(0) > mean(1) { 0 } else { 1 };
    let large = if mean(2) > mean(3) { 2 } else { 3 };
    let mut front = vec![2 * small + 1, 2 * small + 2];
    if mean(large) > mean(small) {
        front.extend([2 * large + 1, 2 * large + 2]);
    }
    assert_eq!(run(Keep::Front).1, front);
}

#[test]
fn another_keep_applies_to_a_finished_study() {
    let mut experiment = experiment(&["a", "b"], &[0]);
    let dir = scratch();
    run_simply(dir.path(), &experiment, 1).unwrap();
    assert_eq!(weights(dir.path(), 2), [1, 2]);
    experiment.checkpoints.keep = Keep::Last;
    let study = Study::open(dir.path(), &experiment).unwrap();
    let state = study.finished(&mut plan(&experiment).into_iter()).unwrap().unwrap();
    assert_eq!(weights(dir.path(), 2), [2]);
    assert_eq!(state.count(TrialStatus::Finished), 2);
}

#[test]
fn a_budget_that_cannot_do_is_refused_before_training() {
    let mut experiment = experiment(&["a", "b"], &[0]);
    // Two networks of 362,992 params are 2.77 MiB in f32.
    experiment.checkpoints.disk_budget = Some(2 << 20);
    let dir = scratch();
    let error = run_simply(dir.path(), &experiment, 1).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let text = error.to_string();
    assert!(text.contains("disk_budget is 2.00 MiB") && text.contains("takes 2.77 MiB at least"), "{text}");
    assert_eq!(state::read(dir.path()).unwrap().trials.len(), 0);
    experiment.checkpoints.disk_budget = Some(3 << 20);
    assert!(run_simply(dir.path(), &experiment, 1).unwrap().finished);
}

#[test]
fn a_budget_that_is_used_up_pauses_the_study() {
    let mut experiment = experiment(&["a", "b", "c"], &[0]);
    let expected = run_simply(scratch().path(), &experiment, 1).unwrap().results_hash();
    let mut trials = plan(&experiment);
    trials.iter_mut().for_each(|trial| trial.candidate.params = 0);
    let stop = never();
    let settings = RunSettings {
        jobs: 2,
        checkpoint_every: std::time::Duration::ZERO,
        environment: super::super::simulated::environment(2, "data-hash"),
        stop: &stop,
        display: &Silent,
    };
    let dir = scratch();
    let mut pauses = 0;
    // A simulated trial's weights take 11 bytes and its checkpoints some 130: grown little by little, it pauses on the way.
    for budget in (50..1000).step_by(50) {
        experiment.checkpoints.disk_budget = Some(budget);
        let study = Study::open(dir.path(), &experiment).unwrap();
        match study.run(&mut trials.clone().into_iter(), &Simulated::new(3), &settings) {
            Ok(state) => {
                assert_eq!(state.results_hash(), expected);
                break;
            }
            Err(Error::Run(text)) => {
                assert!(text.contains(&format!("checkpoints.disk_budget is {budget} B")), "{text}");
                assert!(text.contains("--set checkpoints.disk_budget="), "{text}");
                pauses += 1;
            }
            Err(other) => panic!("{other}"),
        }
        let taken: u64 = fs::read_dir(dir.path().join("checkpoints"))
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert!(taken <= budget, "{taken} of {budget}");
    }
    assert!(pauses > 1 && state::read(dir.path()).unwrap().finished, "{pauses}");
}

#[test]
fn a_full_disk_says_what_is_needed() {
    let experiment = experiment(&["a"], &[0]);
    let dir = scratch();
    // The lock's three and the journal's four come first, with the two of the folder.
    let faults = Faults::start(dir.path(), Kind::Full, 40, true);
    let error = run_simply(dir.path(), &experiment, 1).unwrap_err();
    drop(faults);
    assert_eq!(error.exit_code(), 1);
    let text = error.to_string();
    for part in ["no space for the ", "which takes ", " is free", "os error 28", "same command again"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(run_simply(dir.path(), &experiment, 1).unwrap().finished);
}
