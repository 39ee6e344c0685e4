//! A journal of a million trials: how long it takes to open, and how much memory.

mod support;

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use blocksmith::config::Experiment;
use blocksmith::study::event::{
    CandidateRecord, DataRecord, Environment, EpochMetrics, Event, FORMAT, Metrics, Record, TrialResult,
};
use blocksmith::study::{Link, folder, journal, state};
use support::{Folder, blocksmith};

const EXPERIMENT: &str = "name: large
seeds: [1]
data: {format: shapes}
train: {epochs: 3}
variants:
- {name: a, network: mix}
";

const EPOCHS: usize = 3;

/// Some number that has all its digits, as accuracies and losses have.
fn number(trial: usize, epoch: usize, most: f64) -> f64 {
    let mixed = (trial as u64 * 31 + epoch as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    most * (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

/// What a search of so many candidates leaves: six choices each, three epochs, tested.
fn write_journal(path: &Path, experiment: Experiment, trials: usize) -> u64 {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let mut link = Link::default();
    let mut write = |event| {
        let record = Record { at: 1_700_000_000_000, event };
        file.write_all(&journal::chained(&[record], &mut link).unwrap()).unwrap();
    };
    write(Event::StudyStarted {
        format: FORMAT,
        experiment: Box::new(experiment),
        environment: Box::new(Environment {
            version: "0.1.0".into(),
            command: "blocksmith run large.yaml".into(),
            os: "Linux".into(),
            cpu: "a processor".into(),
            cores: 2,
            jobs: 2,
            threads_per_job: 1,
            data: DataRecord {
                description: "shapes".into(),
                hash: "00".repeat(32),
                classes: vec!["disc".into()],
                train: 90,
                validation: 10,
                test: 10,
                reading: Default::default(),
            },
        }),
    });
    for trial in 1..=trials {
        let choices = ["block", "kernel", "expand", "cap", "channels", "repeats"];
        let candidate = CandidateRecord {
            label: format!("candidate-{trial}"),
            is_variant: false,
            text: format!(
                "stem_k3_s2_c16 ir_r2_k3_s1_e1_c{trial} ir_r3_k3_s2_e6_c24 cse_r4_k5_s2_e3_c40_cap8_rr16 \
                 ir_r2_k3_s2_e6_c80 cse_r3_k3_s1_e6_c112_cap8_rr16 head_c960"
            ),
            hash: format!("{:016x}", (trial as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            choices: choices.map(|name| (format!("stages[3].{name}"), (trial % 7).to_string())).to_vec(),
            merged: None,
            params: 362_992 + trial as u64,
            madds: 81_434_112,
            activation_memory: 1 << 20,
            adapted: None,
        };
        write(Event::TrialQueued { trial, candidate, seed: 1, until: None, proposal: None });
        write(Event::TrialStarted { trial });
        let metrics = |epoch| Metrics {
            loss: number(trial, epoch, 2.3),
            accuracy: number(trial, epoch + 7, 100.0),
            images: 5000,
        };
        for epoch in 1..=EPOCHS {
            let (train, validation) = (metrics(epoch), metrics(epoch + 50));
            let seconds = number(trial, epoch, 9.0);
            let lr = number(trial, epoch, 0.1);
            write(Event::EpochFinished {
                trial,
                epoch: EpochMetrics { epoch, lr, train, validation, seconds },
            });
        }
        let result = TrialResult {
            epochs: EPOCHS,
            train: metrics(EPOCHS),
            validation: metrics(EPOCHS + 50),
            seconds: number(trial, 3, 27.0),
        };
        write(Event::TrialFinished { trial, result });
        write(Event::TestEvaluated { trial, test: metrics(99) });
    }
    write(Event::StudyFinished);
    file.flush().unwrap();
    std::fs::metadata(path).unwrap().len()
}

/// A figure of /proc/PID/status in MiB; 0 where there is none.
fn mebibytes(pid: &str, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap_or(0) / 1024
}

/// Runs the binary; seconds, most memory in MiB, and what it printed.
fn measured(args: &[&str]) -> (f64, u64, String) {
    let start = Instant::now();
    let mut child = blocksmith(args).stdout(Stdio::piped()).spawn().unwrap();
    let mut printed = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        printed.read_to_string(&mut text).unwrap();
        text
    });
    let pid = child.id().to_string();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = most.max(mebibytes(&pid, "VmHWM:"));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    (start.elapsed().as_secs_f64(), most, reader.join().unwrap())
}

fn opens(trials: usize) {
    let folder = Folder::new();
    let file = folder.write("large.yaml", EXPERIMENT);
    let dir = folder.at("large");
    std::fs::create_dir_all(&dir).unwrap();
    let experiment = Experiment::load(Path::new(&file), &[]).unwrap();
    let bytes = write_journal(&folder::journal(Path::new(&dir)), experiment, trials);
    println!("a journal of {trials} trials of {EPOCHS} epochs: {} MiB", bytes >> 20);

    for args in [&["status", &dir][..], &["status", &dir, "--json"]] {
        let (seconds, memory, printed) = measured(args);
        println!(
            "blocksmith {} DIR {}: {seconds:.1} s, {memory} MiB, prints {} MiB",
            args[0],
            args[2..].join(" "),
            printed.len() >> 20
        );
        if args.len() == 3 {
            let status: serde_json::Value = serde_json::from_str(&printed).unwrap();
            assert_eq!(
                (status["trials"].as_u64(), status["done"].as_u64()),
                (Some(trials as u64), Some(trials as u64))
            );
        }
    }
    let (before, start) = (mebibytes("self", "VmRSS:"), Instant::now());
    let state = state::read(Path::new(&dir)).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let memory = mebibytes("self", "VmRSS:").saturating_sub(before);
    println!("the journal read into a state: {seconds:.1} s, {memory} MiB");
    let start = Instant::now();
    let hash = state.results_hash();
    println!("results hash {}...: {:.1} s", &hash[..8], start.elapsed().as_secs_f64());
    assert_eq!(state.trials.len(), trials);
}

#[test]
fn a_thousand_trials_open() {
    opens(1000);
}

#[test]
#[ignore = "a journal of 2 GB: cargo test --release --test scale -- --ignored --nocapture"]
fn a_million_trials_open() {
    opens(1_000_000);
}
