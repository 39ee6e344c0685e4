//! Limits: time, threads, memory, and what must be refused or begun at once.
#![cfg(unix)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use support::{Folder, blocksmith, json, output, refusal, stdout};

const SPACE: &str = "name: s\ninput: 3x32x32\nclasses: 10\nstem: {channels: 8}\nhead: none\n\
                     stages:\n- {block: ir, expand: [2, 3, 4], kernel: [3, 5], channels: [8, 12, 16, 24]}\n";

/// Six epochs of ten simulated seconds each, for two variants and a search.
const TIMED: &str = "name: timed
trainer: {kind: simulated, accuracy: 50 + epoch, noise: 1, seconds_per_epoch: 10}
data: {format: shapes}
train: {epochs: 6}
search: {space: s.yaml, strategy: random, trials: 10}
variants: [{name: a, network: stem_c8 ir_e2_c16}]
";

fn status(dir: &str) -> serde_json::Value {
    json(&["status", dir, "--json"])
}

#[test]
fn a_trial_ends_with_its_time_and_goes_on_with_more() {
    let folder = Folder::new();
    folder.write("s.yaml", SPACE);
    let file = folder.write("e.yaml", TIMED);
    let (whole, dir) = (folder.at("whole"), folder.at("out"));
    let args = ["run", &file, "--jobs", "1"];
    let run = |dir: &str, more: &[&str]| stdout(&[&args[..], &["--out", dir], more].concat());
    run(&whole, &[]);
    assert_eq!(status(&whole)["reproducible"], true);
    let printed = output(&[&args[..], &["--out", &dir, "--set", "train.timeout=25s"]].concat());
    let stderr = String::from_utf8(printed.stderr).unwrap();
    assert!(stderr.contains("no more time (train.timeout) after epoch 3/6"), "{stderr}");
    // 30 seconds are over after the third epoch, the first at which 25 are.
    let ended = status(&dir);
    assert_eq!(
        (&ended["done"], &ended["timed_out"], &ended["state"]),
        (&0.into(), &11.into(), &"finished".into())
    );
    assert_eq!(ended["reproducible"], false);
    let trials = ended["trial_list"].as_array().unwrap();
    assert!(trials.iter().all(|trial| trial["epochs"] == 3 && trial["timed_out"] == "train"), "{ended}");
    assert!(stdout(&["status", &dir]).contains("no more time (train.timeout)"));
    assert!(stdout(&["status", &dir]).contains("11 without more time"));
    let report = fs::read_to_string(Path::new(&dir).join("report.md")).unwrap();
    assert!(
        report.contains("11 trials had no more time") && report.contains("another results hash"),
        "{report}"
    );
    let csv = fs::read_to_string(Path::new(&dir).join("trials.csv")).unwrap();
    assert_eq!(csv.matches(",timeout,").count(), 11, "{csv}");
    // The same again changes nothing.
    let before = fs::read(Path::new(&dir).join("journal.jsonl")).unwrap();
    run(&dir, &["--set", "train.timeout=25s"]);
    assert_eq!(fs::read(Path::new(&dir).join("journal.jsonl")).unwrap(), before);
    // With enough time it ends as though there had been no limit: every trial goes on from its checkpoint.
    run(&dir, &["--set", "train.timeout=1h"]);
    let after = status(&dir);
    assert_eq!((&after["done"], &after["timed_out"]), (&11.into(), &0.into()));
    assert_eq!(after["results_hash"], status(&whole)["results_hash"]);
    let journal = fs::read_to_string(Path::new(&dir).join("journal.jsonl")).unwrap();
    assert_eq!(journal.matches("\"trial_resumed\"").count(), 11);
    assert_eq!(journal.matches("\"trial_started\"").count(), 11);
}

#[test]
fn a_search_ends_with_its_time_and_goes_on_with_more() {
    let folder = Folder::new();
    folder.write("s.yaml", SPACE);
    let file = folder.write("e.yaml", TIMED);
    let (whole, dir) = (folder.at("whole"), folder.at("out"));
    for strategy in ["random", "evolution"] {
        let strategy = format!("search.strategy={strategy}");
        let (whole, dir) = (format!("{whole}-{strategy}"), format!("{dir}-{strategy}"));
        let args = ["run", &file, "--jobs", "1", "--set", &strategy];
        let run = |dir: &str, more: &[&str]| stdout(&[&args[..], &["--out", dir], more].concat());
        run(&whole, &[]);
        // Three candidates of 60 seconds, and the fourth until its second epoch.
        let limit = ["--out", &dir, "--set", "search.timeout=3m15s"];
        let printed = output(&[&args[..], &limit].concat());
        let stderr = String::from_utf8(printed.stderr).unwrap();
        assert!(stderr.contains("the search has no more time (search.timeout)"), "{stderr}");
        let ended = status(&dir);
        assert_eq!((&ended["done"], &ended["timed_out"]), (&4.into(), &1.into()), "{ended}");
        assert_eq!((&ended["state"], &ended["search_timed_out"]), (&"finished".into(), &true.into()));
        let trials = ended["trial_list"].as_array().unwrap();
        assert_eq!(trials.iter().filter(|trial| !trial["test_accuracy"].is_null()).count(), 4);
        assert_eq!(trials[4]["epochs"], 2);
        let report = fs::read_to_string(Path::new(&dir).join("report.md")).unwrap();
        assert!(report.contains("The search had no more time"), "{report}");
        // Again with the same limit: nothing is left to do.
        let again = run(&dir, &limit[2..]);
        assert!(again.contains("this study is finished"), "{again}");
        // What it has spent counts: a minute more is enough for one candidate and the rest of another.
        run(&dir, &["--set", "search.timeout=4m10s"]);
        assert_eq!((&status(&dir)["done"], &status(&dir)["timed_out"]), (&5.into(), &1.into()));
        run(&dir, &[]);
        let after = status(&dir);
        assert_eq!((&after["done"], &after["timed_out"]), (&11.into(), &0.into()));
        assert_eq!(after["results_hash"], status(&whole)["results_hash"], "{strategy}");
    }
}

/// With images the clock is the run's own.
#[test]
fn a_real_trial_ends_at_the_epoch_after_its_time() {
    let folder = Folder::new();
    let text = "name: real\ndata: {format: shapes, side: 16, validation: 60, limit: {train: 240, test: 60}}\n\
                train: {epochs: 100000, batch: 16, lr: 0.05, timeout: 1s}\n\
                variants: [{name: a, network: stem_s2_c8 ir_s2_e2_c16}]\n";
    let file = folder.write("e.yaml", text);
    let dir = folder.at("out");
    stdout(&["run", &file, "--out", &dir]);
    let trial = status(&dir)["trial_list"][0].clone();
    let epochs = trial["epochs"].as_u64().unwrap();
    assert!((1..100_000).contains(&epochs) && trial["timed_out"] == "train", "{trial}");
}

#[test]
fn a_time_without_a_unit_is_refused() {
    let folder = Folder::new();
    folder.write("s.yaml", SPACE);
    let file = folder.write("e.yaml", TIMED.replace("epochs: 6", "epochs: 6, timeout: 90"));
    let refused = refusal(&["run", &file, "--out", &folder.at("out")]);
    assert!(
        refused.starts_with(&format!("{file}:4:29: train.timeout: 90 is not a time with its unit")),
        "{refused}"
    );
    let refused = refusal(&["run", &file, "--set", "train.timeout=1h", "--set", "search.timeout=soon"]);
    assert!(refused.starts_with("--set search.timeout=soon: search.timeout: "), "{refused}");
}

/// A space of 10^17 candidates, none of which has so few params, or so many.
#[test]
fn constraints_that_nothing_satisfies_are_refused_in_a_second() {
    let folder = Folder::new();
    let stage = "- {block: ir, expand: [2, 3, 4, 5, 6], kernel: [3, 5, 7], channels: [64, 72, 80, 88, 96], repeats: [1, 2]}\n";
    for constraint in ["params: {max: 20k}", "madds: {max: 1000}", "params: {min: 900M}"] {
        let space = format!(
            "name: s\ninput: 3x32x32\nclasses: 10\nstem: {{channels: 16}}\nhead: none\nconstraints: {{{constraint}}}\nstages:\n{}",
            stage.repeat(8)
        );
        folder.write("s.yaml", space);
        for strategy in ["random", "grid", "nsga2"] {
            let text = TIMED.replace("strategy: random", &format!("strategy: {strategy}"));
            let file = folder.write("e.yaml", text);
            let start = Instant::now();
            let refused = refusal(&["run", &file, "--out", &folder.at("out")]);
            let seconds = start.elapsed().as_secs_f64();
            assert!(refused.contains("satisfies the constraints (the closest: "), "{strategy}: {refused}");
            // A second of an optimised build on a free machine.
            assert!(seconds < 20.0, "{strategy}, {constraint}: {seconds} s");
            println!("{strategy}, {constraint}: {seconds:.2} s");
        }
    }
}

#[test]
fn two_thousand_phases_start_in_seconds() {
    let folder = Folder::new();
    let mut text = "name: many\ndata: {format: shapes, side: 32, limit: {train: 4000, test: 500}}\ntrain: {epochs: 1}\nphases:\n".to_owned();
    for phase in 0..2000 {
        text += &format!("- name: p{phase}\n  variants: [{{name: a, network: stem_c8 ir_e2_c16}}]\n");
    }
    // The last of them is wrong, so that nothing is trained: all were read.
    text += "- name: last\n  variants: [{name: a, network: no_such_network}]\n";
    let file = folder.write("many.yaml", text);
    let start = Instant::now();
    let refused = refusal(&["run", &file, "--out", &folder.at("out")]);
    let seconds = start.elapsed().as_secs_f64();
    println!("2,001 phases were read and looked at in {seconds:.2} s");
    assert!(refused.contains("phases[2000].variants[0].network"), "{refused}");
    assert!(seconds < 60.0, "{seconds}");
}

#[test]
fn threads_without_end_are_not_started() {
    let folder = Folder::new();
    folder.write("s.yaml", SPACE);
    for threads in ["100000", "0", "many", "18446744073709551616"] {
        let out = blocksmith(&["enumerate", &folder.at("s.yaml")])
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        assert!(out.status.success(), "{threads}: {}", String::from_utf8_lossy(&out.stderr));
    }
    let file = folder.write("e.yaml", TIMED);
    let args = [
        "run",
        &file,
        "--out",
        &folder.at("out"),
        "--set",
        "seeds=1000",
        "--jobs",
        "1024",
        "--threads",
        "1024",
    ];
    let refused = refusal(&args);
    assert!(refused.contains("--jobs 1024 --threads 1024: 1048576 threads on "), "{refused}");
    assert!(!Path::new(&folder.at("out")).exists());
}

/// A network that the process may not have the memory for: its trial fails, and the other finishes.
#[test]
fn a_failed_allocation_is_the_failure_of_its_trial() {
    let folder = Folder::new();
    let text = "name: large\nfailures: {stop_after_consecutive: 0}\n\
                data: {format: shapes, side: 32, validation: 20, limit: {train: 120, test: 20}}\n\
                train: {epochs: 1, batch: 60, lr: 0.01}\nvariants:\n\
                - {name: huge, network: stem_k3_s1_c512 ir_r4_k3_s1_e6_c512}\n\
                - {name: small, network: stem_k3_s2_c8 ir_k3_s2_e2_c8}\n";
    let file = folder.write("e.yaml", text);
    let run = |dir: &str, more: &str| {
        let line = format!(
            "ulimit -v 3000000; exec {} run {file} --out {dir} --jobs 1 --threads 1 {more}",
            env!("CARGO_BIN_EXE_blocksmith")
        );
        Command::new("sh").args(["-c", &line]).output().unwrap()
    };
    // The limit is known, and a named network that cannot fit is refused beforehand.
    let out = run(&folder.at("known"), "");
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("variant huge needs "), "{stderr}");
    // Told that there is more, the system says no.
    let dir = folder.at("out");
    let out = run(&dir, "--memory 900GiB");
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{:?} {stderr}", out.status);
    let trials = status(&dir)["trial_list"].clone();
    assert_eq!(
        (&trials[0]["status"], &trials[1]["status"]),
        (&"failed".into(), &"finished".into()),
        "{stderr}"
    );
    assert!(trials[0]["failure"].as_str().unwrap().contains("the system gives no "), "{trials}");
    let csv = fs::read_to_string(Path::new(&dir).join("trials.csv")).unwrap();
    assert!(!csv.contains(",-0,") && csv.contains(",0,failed,"), "{csv}");
}

/// Texts of a megabyte in a journal of others: no table, picture or line panics over one.
#[test]
fn a_long_text_panics_nothing() {
    let folder = Folder::new();
    folder.write("s.yaml", SPACE);
    let file = folder.write("e.yaml", TIMED);
    let dir = folder.at("long");
    stdout(&["run", &file, "--out", &dir]);
    let journal = Path::new(&dir).join("journal.jsonl");
    // As a journal of format 2, which had no chain.
    let line = |line: &str| match line.rfind(",\"chain\":") {
        Some(at) => format!("{}}}\n", &line[..at]),
        None => format!("{line}\n"),
    };
    let text: String = fs::read_to_string(&journal).unwrap().lines().map(line).collect();
    let text = text.replace("\"format\":3", "\"format\":2");
    let long = "w".repeat(1 << 20);
    fs::remove_file(Path::new(&dir).join("journal.end")).unwrap();
    for (key, after) in
        [("label", "\"label\":\""), ("text", "\"text\":\""), ("name", "\"experiment\":{\"name\":\"")]
    {
        fs::write(&journal, text.replacen(after, &format!("{after}{long}"), 3)).unwrap();
        for args in [
            &["status", &dir][..],
            &["status", &dir, "--json"],
            &["ls", folder.path().to_str().unwrap()],
            &["report", &dir, "--out", &folder.at("look")],
            &["report", &dir, "--json", "--out", &folder.at("look")],
            &["table", &dir, "--out", &folder.at("t.csv")],
            &["export", &dir, "--out", &folder.at("w.safetensors")],
        ] {
            let out = output(args);
            let stderr = String::from_utf8_lossy(&out.stderr);
            assert!(
                out.status.success() || out.status.code() == Some(2),
                "{key} {args:?}: {:?} {}",
                out.status,
                &stderr[..stderr.len().min(500)]
            );
            assert!(!stderr.contains("panicked"), "{key} {args:?}: {}", &stderr[..stderr.len().min(500)]);
        }
    }
}
