//! A study that is given more to do ends as a fresh one with all of it.

use std::fs;
use std::path::Path;

use super::super::event::Event;
use super::super::simulated::{Simulated, experiment, plan};
use super::super::{PlannedTrial, Study, StudyState, TrialStatus, folder, journal, state};
use super::{count, events, journal_bytes, run, run_study, scratch};
use crate::config::{Experiment, Schedule};
use crate::error::Result;

fn constant(labels: &[&str], seeds: &[u64], epochs: usize) -> Experiment {
    let mut experiment = experiment(labels, seeds);
    experiment.train.schedule = Schedule::Constant;
    experiment.train.epochs = epochs;
    experiment
}

fn trainer(experiment: &Experiment) -> Simulated {
    Simulated { paced: false, ..Simulated::new(experiment.train.epochs) }
}

fn extend(dir: &Path, experiment: &Experiment) -> Result<(StudyState, Simulated)> {
    let trainer = trainer(experiment);
    let state = run_study(Study::extend(dir, experiment)?, &mut plan(experiment).into_iter(), &trainer, 2)?;
    Ok((state, trainer))
}

fn fresh(experiment: &Experiment) -> StudyState {
    run(scratch().path(), experiment, &trainer(experiment), 1).unwrap()
}

/// The changes that the journal's last extension tells of.
fn recorded(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    journal::replay(&folder::journal(dir), |record| {
        if let Event::StudyExtended { changes, .. } = record.event {
            found = changes.iter().map(|c| format!("{}: {} -> {}", c.path, c.before, c.after)).collect();
        }
        Ok(())
    })
    .unwrap();
    found
}

#[test]
fn more_seeds_and_variants_are_added_and_the_old_trials_stay() {
    let before = experiment(&["a", "diverges"], &[3]);
    let dir = scratch();
    run(dir.path(), &before, &trainer(&before), 1).unwrap();
    // In the middle and before what there is: positions do not matter.
    let after = experiment(&["new", "a", "diverges"], &[1, 3]);

    let error = Study::open(dir.path(), &after).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let expected = format!(
        "{}: this study was begun with other settings:\n  \
         seeds: [3] in the journal, [1,3] in the file\n  \
         variants[new]: nothing in the journal, {{\"network\":\"new\",\"set\":{{}}}} in the file\n\
         give --extend to add this to the study, restore the settings to continue it as it was, or start another study with \
         --out FOLDER",
        dir.path().display()
    );
    assert_eq!(error.to_string(), expected);

    let (state, trainer) = extend(dir.path(), &after).unwrap();
    assert_eq!(state.results_hash(), fresh(&after).results_hash());
    let trials: Vec<_> = state.trials.iter().map(|t| (t.candidate.label.as_str(), t.seed)).collect();
    assert_eq!(trials, [("a", 3), ("diverges", 3), ("new", 1), ("new", 3), ("a", 1), ("diverges", 1)]);
    let mut trained = trainer.trained.into_inner().unwrap();
    trained.sort_unstable();
    assert_eq!(trained, [3, 4, 5], "neither the finished nor the failed trial is run again");
    assert_eq!(
        recorded(dir.path()),
        ["seeds: [3] -> [1,3]", "variants[new]: nothing -> {\"network\":\"new\",\"set\":{}}"]
    );
    assert_eq!(state::read(dir.path()).unwrap(), state);

    // From here on it is a study like any other, without the flag too.
    let study = Study::open(dir.path(), &after).unwrap();
    assert_eq!(study.finished(&mut plan(&after).into_iter()).unwrap().unwrap(), state);
    drop(study);
    assert!(Study::open(dir.path(), &before).unwrap_err().to_string().contains("cannot be taken away"));
}

#[test]
fn more_epochs_go_on_from_the_checkpoints() {
    let before = constant(&["a", "b", "diverges"], &[0], 3);
    let dir = scratch();
    run(dir.path(), &before, &trainer(&before), 1).unwrap();
    let after = constant(&["a", "b", "diverges"], &[0], 7);
    // One of the checkpoints is lost: that trial alone is trained from its start.
    assert!(folder::unfinished(dir.path(), 1).is_file());
    fs::remove_file(folder::unfinished(dir.path(), 2)).unwrap();
    let (state, _) = extend(dir.path(), &after).unwrap();
    assert_eq!(state.results_hash(), fresh(&after).results_hash());
    let text = String::from_utf8(journal_bytes(dir.path())).unwrap();
    let extension = &text[text.find("study_extended").unwrap()..];
    let epochs = |trial: usize| extension.matches(&format!(r#""epoch_finished","trial":{trial},"#)).count();
    assert_eq!(
        (epochs(1), epochs(2), epochs(3)),
        (5, 7, 0),
        "the simulated trainer keeps its last checkpoint after epoch 2"
    );
    assert_eq!(state.trials[0].result.as_ref().unwrap().epochs, 7);
    assert_eq!(recorded(dir.path()), ["train.epochs: 3 -> 7"]);
    assert_eq!(count(&events(dir.path()), "test_evaluated"), 4, "the figures of 7 epochs replace those of 3");
}

/// Figures of two budgets are never side by side: what has not gone on yet has no result.
#[test]
fn until_it_has_gone_on_a_trial_has_no_result() {
    let before = constant(&["a", "diverges"], &[0], 3);
    let mut state = fresh(&before);
    assert!(state.best().is_some());
    let after = constant(&["a", "diverges"], &[0], 4);
    let extended = Event::StudyExtended { experiment: Box::new(after), changes: Vec::new() };
    state.apply(super::Record { at: 0, event: extended }).unwrap();
    assert!(state.extended && !state.finished);
    let [waits, failed] = &state.trials[..] else { panic!("{:?}", state.trials) };
    assert_eq!((waits.status, &waits.result, waits.test), (TrialStatus::Queued, &None, None));
    assert_eq!((waits.epochs.len(), failed.status), (3, TrialStatus::Failed));
    assert!(state.best().is_none());
}

#[test]
fn epochs_are_refused_where_rates_would_change() {
    let dir = scratch();
    let before = experiment(&["a"], &[0]);
    run(dir.path(), &before, &trainer(&before), 1).unwrap();
    let journal = journal_bytes(dir.path());
    let refused = |change: &dyn Fn(&mut Experiment)| {
        let mut after = before.clone();
        change(&mut after);
        let error = Study::extend(dir.path(), &after).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert_eq!(journal_bytes(dir.path()), journal);
        error.to_string()
    };
    let text = refused(&|e| e.train.epochs = 9);
    assert!(
        text.contains(
            "train.epochs: 3 in the journal, 9 in the file (a cosine schedule runs over all epochs"
        ),
        "{text}"
    );
    let text = refused(&|e| e.train.epochs = 2);
    assert!(text.contains("(there can be more epochs, not fewer)"), "{text}");
    // What can be added is not what is wrong.
    let text = refused(&|e| {
        e.train.lr = 0.2;
        e.train.batch = 64;
        e.seed = 9;
        e.data.validation = 0.3;
        e.seeds.push(8);
    });
    for line in ["train.lr: 0.1", "train.batch: 128", "seed: 17", "data.validation: 0.1"] {
        assert!(text.contains(&format!("\n  {line} in the journal, ")), "{text}");
    }
    assert!(!text.contains("seeds") && text.contains("restore them, and --extend adds the rest"), "{text}");
    let text = refused(&|e| e.variants[0].network = "other".into());
    assert!(text.contains("variants[a].network: \"a\" in the journal, \"other\" in the file"), "{text}");
    let text = refused(&|e| e.variants.clear());
    assert!(text.contains("variants[a]: {"), "{text}");
}

#[test]
fn later_milestones_go_with_more_epochs() {
    let step = |milestones: &[usize], epochs| {
        let mut experiment = constant(&["a"], &[0], epochs);
        experiment.train.schedule = Schedule::Step { milestones: milestones.to_vec(), gamma: 0.1 };
        experiment
    };
    let dir = scratch();
    let before = step(&[2], 4);
    run(dir.path(), &before, &trainer(&before), 1).unwrap();
    assert!(Study::extend(dir.path(), &step(&[2, 3], 8)).is_err(), "epoch 3 was trained at another rate");
    assert!(Study::extend(dir.path(), &step(&[3], 8)).is_err());
    let after = step(&[2, 4, 6], 8);
    let (state, _) = extend(dir.path(), &after).unwrap();
    assert_eq!(state.results_hash(), fresh(&after).results_hash());
}

/// Candidates that a plan has in another order are matched by what they are.
#[test]
fn a_wider_plan_may_have_another_order() {
    let wide = experiment(&["a", "b", "c", "d"], &[0, 1]);
    let narrow = experiment(&["d", "b"], &[0, 1]);
    let dir = scratch();
    let searched = |experiment: &Experiment| -> Vec<PlannedTrial> {
        let mut trials = plan(experiment);
        trials.iter_mut().for_each(|trial| trial.candidate.is_variant = false);
        trials
    };
    let run_searched = |study: Study, trials: Vec<PlannedTrial>| {
        run_study(study, &mut trials.into_iter(), &trainer(&wide), 2).unwrap()
    };
    run_searched(Study::open(dir.path(), &narrow).unwrap(), searched(&narrow));
    let study = Study::extend(dir.path(), &wide).unwrap();
    let kept: Vec<_> = study.searched().unwrap().into_iter().map(|candidate| candidate.label).collect();
    assert_eq!(kept, ["d", "b"]);
    let state = run_searched(study, searched(&wide));
    let other = scratch();
    let straight = run_searched(Study::open(other.path(), &wide).unwrap(), searched(&wide));
    assert_eq!(state.results_hash(), straight.results_hash());
    assert_eq!(count(&events(dir.path()), "trial_queued"), 8);

    // A candidate that is gone cannot be extended away.
    let without: Vec<_> = searched(&wide).into_iter().filter(|t| t.candidate.label != "b").collect();
    let study = Study::extend(dir.path(), &wide).unwrap();
    let error = study.finished(&mut without.into_iter()).unwrap_err().to_string();
    assert!(
        error.contains("\n  1 of the journal's 4 candidates are not proposed now: b (text of b)\n"),
        "{error}"
    );
    assert!(!error.contains("--extend"), "{error}");
}

#[test]
fn an_extension_killed_at_every_event_ends_the_same() {
    let before = constant(&["a", "diverges"], &[0], 2);
    let after = constant(&["a", "b", "diverges"], &[0, 1], 4);
    let whole = scratch();
    run(whole.path(), &before, &trainer(&before), 1).unwrap();
    let begun = journal_bytes(whole.path()).len();
    let expected = extend(whole.path(), &after).unwrap().0.results_hash();
    assert_eq!(expected, fresh(&after).results_hash());
    let journal = journal_bytes(whole.path());
    let ends =
        journal.iter().enumerate().skip(begun).filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    for kept in ends.chain([begun]) {
        let dir = scratch();
        folder::create(dir.path()).unwrap();
        for trial in 1..=6 {
            for name in [folder::checkpoint, folder::unfinished] {
                let _ = fs::copy(name(whole.path(), trial), name(dir.path(), trial));
            }
        }
        fs::write(folder::journal(dir.path()), &journal[..kept]).unwrap();
        // The same command again, flag and all.
        let (state, _) = extend(dir.path(), &after).unwrap();
        assert_eq!(state.results_hash(), expected, "killed after {kept} bytes");
        assert!(state.finished);
        assert_eq!(count(&events(dir.path()), "study_extended"), 1, "recorded once");
    }
}
