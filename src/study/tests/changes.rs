//! What may not change between two runs of one study.

use super::super::simulated::{Simulated, environment, experiment, plan};
use super::super::{RunSettings, Silent, Study, state};
use super::{events, journal_bytes, never, run_simply, scratch};
use crate::config::Schedule;
use std::time::Duration;

#[test]
fn changed_settings_are_listed() {
    let before = experiment(&["a", "b"], &[0]);
    let dir = scratch();
    run_simply(dir.path(), &before, 1).unwrap();
    let journal = journal_bytes(dir.path());

    let mut after = before.clone();
    after.train.epochs = 10;
    after.train.lr = 0.05;
    after.train.schedule = Schedule::Step { milestones: vec![4, 8], gamma: 0.1 };
    after.seeds = vec![0, 1];
    after.variants.pop();
    after.data.limit.train = Some(500);
    let error = Study::open(dir.path(), &after).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let expected = format!(
        r#"{}: this study was begun with other settings:
  data.limit.train: nothing in the journal, 500 in the file
  seeds: [0] in the journal, [0,1] in the file (--extend can add this)
  train.epochs: 3 in the journal, 10 in the file (a cosine schedule runs over all epochs, so every learning rate would be another)
  train.lr: 0.1 in the journal, 0.05 in the file
  train.schedule: "cosine" in the journal, {{"step":{{"gamma":0.1,"milestones":[4,8]}}}} in the file
  variants[b]: {{"network":"b","set":{{}}}} in the journal, nothing in the file
restore them to continue it, or start another study with --out FOLDER"#,
        dir.path().display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(journal_bytes(dir.path()), journal, "a refusal writes nothing");
}

#[test]
fn words_and_places_may_change() {
    let before = experiment(&["a", "b"], &[0]);
    let dir = scratch();
    let finished = run_simply(dir.path(), &before, 1).unwrap();
    let mut after = before.clone();
    after.description = Some("a better sentence".into());
    after.baseline = Some("b".into());
    after.variants[0].published = None;
    after.data.path = Some("elsewhere".into());

    let study = Study::open(dir.path(), &after).unwrap();
    let state = study.finished(&mut plan(&after).into_iter()).unwrap().unwrap();
    assert_eq!(state.experiment, after);
    assert_eq!(state.results_hash(), finished.results_hash());
    assert_eq!(events(dir.path()).last().unwrap(), "experiment_edited");
    assert_eq!(state::read(dir.path()).unwrap(), state, "the report reads the new words");
}

#[test]
fn other_data_is_refused() {
    let experiment = experiment(&["a"], &[0]);
    let dir = scratch();
    run_simply(dir.path(), &experiment, 1).unwrap();
    let stop = never();
    let settings = RunSettings {
        jobs: 1,
        checkpoint_every: Duration::ZERO,
        environment: environment(1, "other-hash"),
        stop: &stop,
        display: &Silent,
    };
    let study = Study::open(dir.path(), &experiment).unwrap();
    let error = study.run(&mut plan(&experiment).into_iter(), &Simulated::new(3), &settings).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let text = error.to_string();
    assert!(text.contains("data-hash") && text.contains("other-hash") && text.contains("--data"));
}

#[test]
fn other_candidates_are_refused() {
    let experiment = experiment(&["a", "b"], &[0]);
    let dir = scratch();
    run_simply(dir.path(), &experiment, 1).unwrap();
    let refused = |trials: Vec<super::super::PlannedTrial>| {
        let study = Study::open(dir.path(), &experiment).unwrap();
        let error = study.finished(&mut trials.into_iter()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    };
    let mut trials = plan(&experiment);
    trials[1].candidate.hash = "another".into();
    trials[1].candidate.text = "ir_r2".into();
    let text = refused(trials);
    assert!(
        text.contains(
            "trial 2 of the journal is b (text of b) seed 0, and the experiment now proposes b (ir_r2) seed 0"
        ),
        "{text}"
    );
    let mut fewer = plan(&experiment);
    fewer.pop();
    assert!(refused(fewer).contains("proposes no such trial"));
    let mut more = plan(&experiment);
    more.push(more[0].clone());
    assert!(refused(more).contains("now proposes more trials"));
}
