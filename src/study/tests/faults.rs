//! Every write of a study fails once, in every way; the same command then ends with the same results.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::super::disk::Op;
use super::super::disk::fault::{Faults, Kind};
use super::super::simulated::{Simulated, experiment};
use super::super::{StudyState, folder, state};
use super::{run, scratch};
use crate::config::{Experiment, Keep};
use crate::error::{Error, Result};

/// A study with all there is: a trial that finishes, one that panics and is tried again, one that fails, weights that go.
fn small() -> Experiment {
    let mut experiment = experiment(&["a", "flaky", "diverges"], &[0]);
    experiment.checkpoints.keep = Keep::Best;
    experiment
}

fn unpaced() -> Simulated {
    Simulated { paced: false, ..Simulated::new(2) }
}

fn weights(dir: &Path) -> Vec<usize> {
    (1..=3).filter(|trial| folder::checkpoint(dir, *trial).is_file()).collect()
}

/// Runs the study below a fault, looks at what it left, and runs it again without.
fn survives(kind: Kind, at: usize, and_all_after: bool, whole: &StudyState) -> Option<(Op, usize)> {
    let (dir, experiment) = (scratch(), small());
    let faults = Faults::start(dir.path(), kind, at, and_all_after);
    let ended: Result<StudyState> = run(dir.path(), &experiment, &unpaced(), 1 + at % 2);
    let (failed, failures) = faults.failed();
    drop(faults);
    let what = format!("operation {at} ({failed:?}, {kind:?}, {and_all_after}): {:?}", ended.as_ref().err());
    match &ended {
        Ok(state) => assert_eq!(state.results_hash(), whole.results_hash(), "{what}"),
        Err(Error::Run(sentence)) => {
            assert!(sentence.contains(&*dir.path().to_string_lossy()), "no place: {what}");
            assert!(sentence.contains("same command again"), "no remedy: {what}");
            assert_eq!(sentence.contains("no space for"), kind != Kind::Broken, "{what}");
        }
        Err(_) => panic!("{what}"),
    }
    let left = state::replay(dir.path()).expect(&what).0;
    let done = left.map_or(0, |state| state.trials.iter().filter(|trial| trial.ended()).count());

    let trainer = unpaced();
    let state = run(dir.path(), &experiment, &trainer, 2).expect(&what);
    assert_eq!(state.results_hash(), whole.results_hash(), "{what}");
    assert_eq!(state, state::read(dir.path()).unwrap(), "{what}");
    assert!(trainer.trained.lock().unwrap().len() <= 3 - done, "a finished trial was run again: {what}");
    assert_eq!(weights(dir.path()), [whole.best().unwrap().number], "{what}");
    let files = ["checkpoints", "logs"].map(|folder| fs::read_dir(dir.path().join(folder)));
    for entry in files.into_iter().flatten().flatten() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".tmp"), "{name} is left: {what}");
    }
    failed.map(|op| (op, failures))
}

/// Numbers printed go to reports/reliability.md.
#[test]
fn every_write_may_fail() {
    let dir = scratch();
    let counting = Faults::start(dir.path(), Kind::Full, usize::MAX, false);
    let whole = run(dir.path(), &small(), &unpaced(), 1).unwrap();
    let operations = counting.operations();
    assert_eq!(weights(dir.path()), [whole.best().unwrap().number]);
    for op in [Op::MakeFolder, Op::Open, Op::Write, Op::Cut, Op::Sync, Op::SyncFolder, Op::Rename, Op::Remove]
    {
        assert!(operations.contains(&op), "{op:?} is not tried");
    }
    let mut injected: BTreeMap<(String, Op), usize> = BTreeMap::new();
    let mut all = (0, 0);
    for (kind, and_all_after) in [
        (Kind::Short, false),
        (Kind::Full, false),
        (Kind::Broken, false),
        (Kind::Short, true),
        (Kind::Broken, true),
    ] {
        for at in 0..operations.len() {
            // With two jobs there may be one or two operations fewer.
            let Some((op, failures)) = survives(kind, at, and_all_after, &whole) else { continue };
            let after = if and_all_after { ", and all after it" } else { "" };
            *injected.entry((format!("{kind:?}{after}"), op)).or_default() += 1;
            all = (all.0 + 1, all.1 + failures);
        }
    }
    println!(
        "{} operations of a study; runs with a fault: {}; operations that failed: {}",
        operations.len(),
        all.0,
        all.1
    );
    for ((kind, op), runs) in injected {
        println!("{kind}: {op:?}: {runs}");
    }
    assert!(all.0 > 4 * operations.len());
}
