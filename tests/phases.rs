//! Experiments of several phases, and searches beside random search, with a simulated trainer.

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{Folder, json, refusal, stdout};

const SPACE: &str = "name: s
input: 3x32x32
classes: 10
stem: {channels: [8, 16], stride: 2, activation: hswish}
stages:
- {block: ir, expand: [2, 4, 6], kernel: [3, 5], stride: 2, channels: [16, 24], repeats: [1, 2], se: [none, 0.25]}
- {block: ir, expand: [3, 6], kernel: [3, 5], stride: 2, channels: [32, 48], repeats: [1, 2], activation: [relu, hswish]}
";

const PHASES: &str = "name: way
data: {format: cifar10}
trainer: {kind: simulated, noise: 1.0}
train: {epochs: 3, schedule: constant}
phases:
- name: search
  search: {space: s.yaml, strategy: mnas, trials: 12, reward: {cost: madds, target: 0.6M, w: mobilenet_v3_small}}
- name: netadapt
  search: {strategy: netadapt, from: {phase: search}, cost: madds, target: 0.3M, delta: 0.05, fine_tune: 1}
- name: final
  seeds: 2
  train: {epochs: 6}
  variants:
  - {name: small, network: mobilenet_v3_small, set: {width: 0.35}}
  - {name: found, network: {phase: netadapt}}
";

fn folder(experiment: &str) -> (Folder, String) {
    let folder = Folder::new();
    folder.write("s.yaml", SPACE);
    let file = folder.write("way.yaml", experiment);
    (folder, file)
}

fn hashes(result: &Value) -> Vec<&Value> {
    result["phases"].as_array().unwrap().iter().map(|phase| &phase["results_hash"]).collect()
}

#[test]
fn a_later_phase_trains_what_an_earlier_one_found() {
    let (folder, file) = folder(PHASES);
    let dir = folder.at("way");
    let run = |jobs: &str| json(&["run", &file, "--out", &dir, "--jobs", jobs, "--json"]);
    let first = run("2");
    assert_eq!(first["phases"].as_array().unwrap().len(), 3);
    for command in ["status", "report", "profile", "draw"] {
        let told = refusal(&[command, &dir]);
        let expected = format!(
            "there is no study here, but 3 in its folders, as phases of an experiment have them: name one, such as {dir}/"
        );
        assert!(told.contains(&expected), "{told}");
    }
    let found = first["found"]["netadapt"].as_str().unwrap();
    let status = |phase: &str| json(&["status", &folder.at(&format!("way/{phase}")), "--json"]);
    // What NetAdapt came to is within its target, and is what the last phase trained.
    let adapted = status("netadapt");
    let trial = adapted["trial_list"].as_array().unwrap();
    let of_found = trial.iter().find(|trial| trial["candidate"] == found).expect("it is among its trials");
    assert!(of_found["madds"].as_u64().unwrap() <= 300_000, "{of_found}");
    let finals = status("final");
    let texts: Vec<&str> =
        finals["trial_list"].as_array().unwrap().iter().map(|t| t["candidate"].as_str().unwrap()).collect();
    assert_eq!(texts.iter().filter(|text| **text == found).count(), 2, "{texts:?}");
    assert_eq!(finals["trials"], 4);
    // The seed network of NetAdapt is the best of the search by its reward, counted here anew.
    let searched = status("search");
    let reward = |trial: &Value| {
        let cost = trial["madds"].as_f64().unwrap();
        trial["accuracy"].as_f64().unwrap() / 100.0 * (cost / 0.6e6).powf(-0.15)
    };
    let best =
        searched["trial_list"].as_array().unwrap().iter().max_by(|a, b| reward(a).total_cmp(&reward(b)));
    assert_eq!(first["found"]["search"], best.unwrap()["candidate"]);
    // As a whole it says where everything is.
    let report = fs::read_to_string(Path::new(&dir).join("report.md")).unwrap();
    assert!(report.contains(found) && report.contains("[final/report.md](final/report.md)"), "{report}");

    // The same command again writes no report of a phase again, unless it is missing.
    let reports = ["search", "netadapt", "final"].map(|phase| Path::new(&dir).join(phase).join("report.md"));
    let written = || reports.clone().map(|report| fs::metadata(report).unwrap().modified().unwrap());
    let before = written();
    assert_eq!(hashes(&run("2")), hashes(&first));
    assert_eq!(written(), before);
    fs::remove_file(&reports[1]).unwrap();
    assert_eq!(hashes(&run("2")), hashes(&first));
    let now = written();
    assert!(now[1] > before[1] && [now[0], now[2]] == [before[0], before[2]]);

    // Cut in the middle of its second phase, it goes on to the same.
    fs::remove_dir_all(folder.at("way/final")).unwrap();
    let journal = folder.at("way/netadapt/journal.jsonl");
    let text = fs::read(&journal).unwrap();
    fs::write(&journal, &text[..text.len() / 2]).unwrap();
    // Half of a finished journal is damage, where it is known how far it went.
    let end = folder.at("way/netadapt/journal.end");
    let refused = support::refusal(&["run", &file, "--out", &folder.at("way"), "--json"]);
    assert!(
        refused.contains("more lines were there when a run ended") && refused.contains(&end),
        "{refused}"
    );
    fs::remove_file(&end).unwrap();
    let again = run("3");
    assert_eq!(hashes(&again), hashes(&first));
    assert_eq!(again["found"], first["found"]);
}

#[test]
fn a_dry_run_says_what_it_cannot_know_yet() {
    let (folder, file) = folder(PHASES);
    let text = stdout(&["run", &file, "--out", &folder.at("way"), "--dry-run"]);
    assert!(text.contains("phase 1 of 3: search"), "{text}");
    assert!(text.contains("phase netadapt: trains what the phase search finds"), "{text}");
    assert!(!Path::new(&folder.at("way")).exists(), "it writes nothing");
}

#[test]
fn mistakes_in_phases_are_sentences() {
    for (from, to, more, expected) in [
        ("{phase: netadapt}", "{phase: refine}", &[][..], "names no earlier phase"),
        ("network: mobilenet_v3_small", "network: mobilenet_v9", &[], "mobilenet_v9"),
        ("w: mobilenet_v3_small", "w: 3", &[], "way.yaml:7:"),
        ("name: way", "name: way", &["--extend"], "an experiment of phases cannot be extended"),
        (
            "name: way",
            "name: way",
            &["--set", "phases[1].search.target=no"],
            "--set phases[1].search.target=no: ",
        ),
    ] {
        let (folder, file) = folder(&PHASES.replace(from, to));
        let dir = folder.at("way");
        let args = [&["run", &file, "--out", &dir], more].concat();
        let text = refusal(&args);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_search_stands_beside_random_search_at_its_cost() {
    let experiment = "name: way\ndata: {format: cifar10}\nseeds: 2\ntrain: {epochs: 9, schedule: constant}\n\
        trainer: {kind: simulated, noise: 0.5}\n\
        search: {space: s.yaml, trials: 30, baseline: random, objectives: [accuracy, madds]}\n";
    let (folder, file) = folder(experiment);
    let dir = folder.at("way");
    let result = json(&["run", &file, "--out", &dir, "--json"]);
    let epochs = |dir: &str| json(&["status", dir, "--json"])["epochs"].as_u64().unwrap();
    let (ours, theirs) = (epochs(&dir), epochs(&folder.at("way/random")));
    // As many epochs, in whole trainings of two seeds.
    assert!(theirs >= ours && theirs < ours + 18, "{ours} {theirs}");
    assert_eq!(result["random"]["study"], "way-random");
    let report = fs::read_to_string(Path::new(&dir).join("report.md")).unwrap();
    assert!(report.contains("## Against random search"), "{report}");
    assert!(report.contains("random search at this budget: after "), "{report}");
    assert!(
        report.contains("(against-random-epochs.svg)") && report.contains("(against-random-seconds.svg)")
    );
    assert!(Path::new(&dir).join("against-random-seconds.png").exists());
    let figures = json(&["report", &dir, "--json"]);
    let against = &figures["against_random"]["against"];
    assert_eq!(against["epochs"], ours);
    let p = against["p"].as_f64().unwrap();
    assert!(p > 0.0 && p <= 1.0);
    // The same again, and nothing is trained anew.
    let again = json(&["run", &file, "--out", &dir, "--json"]);
    assert_eq!(again["random"]["results_hash"], result["random"]["results_hash"]);

    let text = refusal(&["run", &file, "--out", &folder.at("b"), "--set", "search.strategy=random"]);
    assert!(text.contains("random search is its own baseline"), "{text}");
}
