//! A study from start to end with a simulated trainer.

mod changes;
mod disk;
mod extend;
mod failures;
mod faults;
mod journal;
mod locking;
mod resume;
mod running;
mod scale;

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::display::Silent;
use super::event::Record;
use super::simulated::{Simulated, environment, plan};
use super::{Plan, RunSettings, Study, StudyState, folder};
use crate::config::Experiment;
use crate::error::Result;

/// A folder for one test, in memory where the system has such a place: syncs are what these tests would wait for.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Runs `experiment` in `dir` until it ends or stops itself.
fn run(dir: &Path, experiment: &Experiment, trainer: &Simulated, jobs: usize) -> Result<StudyState> {
    run_study(Study::open(dir, experiment)?, &mut plan(experiment).into_iter(), trainer, jobs)
}

/// Runs a study that is open, with any plan.
fn run_study(study: Study, plan: &mut dyn Plan, trainer: &Simulated, jobs: usize) -> Result<StudyState> {
    let settings = RunSettings {
        jobs,
        checkpoint_every: Duration::ZERO,
        environment: environment(jobs, "data-hash"),
        stop: &trainer.stop,
        display: &Silent,
    };
    study.run(plan, trainer, &settings)
}

/// As [`run`], with a trainer of three epochs.
fn run_simply(dir: &Path, experiment: &Experiment, jobs: usize) -> Result<StudyState> {
    run(dir, experiment, &Simulated::new(3), jobs)
}

fn never() -> AtomicBool {
    AtomicBool::new(false)
}

/// The journal's text.
fn journal_bytes(dir: &Path) -> Vec<u8> {
    fs::read(folder::journal(dir)).unwrap()
}

/// Names of the journal's events, in order.
fn events(dir: &Path) -> Vec<String> {
    String::from_utf8(journal_bytes(dir))
        .unwrap()
        .lines()
        .map(|line| {
            serde_json::from_str::<Record>(line).unwrap();
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["event"].as_str().unwrap().to_owned()
        })
        .collect()
}

fn count(events: &[String], name: &str) -> usize {
    events.iter().filter(|e| *e == name).count()
}
