//! What a study costs beside its training.

use std::path::Path;
use std::time::{Duration, Instant};

use super::super::simulated::{Simulated, environment, experiment, plan};
use super::super::{RunSettings, Silent, Study, disk};
use super::{never, scratch};

/// Seconds a trial of no length takes, with so many jobs.
fn overhead(dir: &Path, trials: u64, jobs: usize) -> f64 {
    let experiment = experiment(&["a"], &(0..trials).collect::<Vec<_>>());
    let stop = never();
    let settings = RunSettings {
        jobs,
        checkpoint_every: Duration::from_secs(30),
        environment: environment(jobs, "data-hash"),
        stop: &stop,
        display: &Silent,
    };
    let trainer = Simulated { paced: false, ..Simulated::new(1) };
    let study = Study::open(dir, &experiment).unwrap();
    let start = Instant::now();
    let state = study.run(&mut plan(&experiment).into_iter(), &trainer, &settings).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert!(state.finished && state.trials.len() as u64 == trials);
    seconds / trials as f64
}

/// Without a disk to wait for, a trial costs a small part of the 10 ms that are 1 % of a second.
#[test]
fn a_trial_costs_little_beside_its_training() {
    let dir = scratch();
    let seconds = overhead(dir.path(), 300, 2);
    assert!(seconds < 0.010, "{seconds}");
}

/// Numbers printed go to reports/reliability.md.
#[test]
#[ignore = "measures the disk: cargo test --release --lib -- --ignored --nocapture overhead_of_a_trial"]
fn overhead_of_a_trial() {
    let syncs = tempfile::tempdir().unwrap();
    let path = syncs.path().join("file");
    let mut file = disk::open(&path).unwrap();
    let start = Instant::now();
    for _ in 0..500 {
        disk::write(&mut file, &path, &[b'.'; 300]).unwrap();
        disk::sync(&file, &path).unwrap();
    }
    println!("a sync of the disk after 300 bytes: {:.3} ms", start.elapsed().as_secs_f64() * 2.0);
    for jobs in [1, 2] {
        let (memory, disk) = (scratch(), tempfile::tempdir().unwrap());
        let in_memory = 1e3 * overhead(memory.path(), 4000, jobs);
        let on_disk = 1e3 * overhead(disk.path(), 4000, jobs);
        println!("{jobs} jobs: {in_memory:.3} ms a trial in memory, {on_disk:.3} ms on the disk");
    }
}
