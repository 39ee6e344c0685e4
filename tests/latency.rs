//! Latency: measured by a command and in studies, and simulated, so that searches with it can be compared to the bit.

mod support;

use std::fs;
use std::path::Path;

use support::{Folder, json, refusal, stdout};

const SPACE: &str = "name: s
input: 3x32x32
classes: 10
stem: {channels: [8, 16], stride: 2}
stages:
- {block: ir, expand: [2, 4], kernel: [3, 5], stride: 2, channels: [16, 24], repeats: [1, 2], se: [none, 0.25]}
- {block: ir, expand: 4, kernel: [3, 5], stride: 2, channels: [32, 64]}
";

/// Simulated: 100 microseconds and one for 10,000 multiply-adds and one for 2,500 params.
fn experiment(search: &str) -> String {
    format!(
        "name: searched\nseeds: 2\ntrain: {{epochs: 9, schedule: constant}}\ntrainer: {{kind: simulated, noise: 2.0}}\n\
         variants: [{{name: mix, network: mix}}]\nsearch: {{space: s.yaml, {search}}}\n"
    )
}

fn run(folder: &Folder, text: &str, name: &str, more: &[&str]) -> serde_json::Value {
    folder.write("s.yaml", SPACE);
    let file = folder.write(&format!("{name}.yaml"), text);
    let dir = folder.at(name);
    json(&[&["run", &file, "--out", &dir, "--json"], more].concat())
}

fn journal(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.join(name).join("journal.jsonl")).unwrap()
}

const SEARCHES: [&str; 3] = [
    "trials: 24, objectives: [accuracy, latency]",
    "strategy: nsga2, population: 6, trials: 20, objectives: [accuracy, latency], constraints: {latency: <= 250us}",
    "strategy: mnas, trials: 20, reward: {cost: latency, target: 200us, w: mobilenet_v3_small}",
];

#[test]
fn jobs_do_not_change_a_search_for_latency() {
    for search in SEARCHES {
        let (folder, text) = (Folder::new(), experiment(search));
        let one = run(&folder, &text, "one", &["--jobs", "1"]);
        assert_eq!(one["failed"], 0, "{search}");
        for jobs in ["2", "5"] {
            let other = run(&folder, &text, &format!("jobs-{jobs}"), &["--jobs", jobs]);
            assert_eq!(other["results_hash"], one["results_hash"], "{search} with {jobs} jobs");
            assert_eq!(other["trials"], one["trials"], "{search} with {jobs} jobs");
        }
        // Once for each candidate, not for each seed.
        let journal = journal(&folder, "one");
        let candidates = one["trials"].as_u64().unwrap() as usize / 2;
        assert_eq!(journal.matches("\"event\":\"latency_measured\"").count(), candidates, "{search}");
    }
}

/// What the journal has is heard again, not measured again: with latencies that no formula gives, the rest follows.
#[test]
fn a_search_goes_on_from_the_latencies_of_its_journal() {
    for search in SEARCHES {
        let (folder, text) = (Folder::new(), experiment(search));
        let whole = run(&folder, &text, "whole", &["--jobs", "1"]);
        let lines: Vec<String> = journal(&folder, "whole").lines().map(str::to_owned).collect();
        for share in [3, 5, 7] {
            let name = format!("cut-{share}");
            fs::create_dir_all(folder.join(&name)).unwrap();
            let kept = &lines[..lines.len() * share / 8];
            fs::write(folder.join(&name).join("journal.jsonl"), kept.join("\n") + "\n").unwrap();
            let again = run(&folder, &text, &name, &["--jobs", "3"]);
            assert_eq!(again["results_hash"], whole["results_hash"], "{search} after {share} eighths");
            let all = journal(&folder, &name);
            let count = |text: &str| text.matches("\"event\":\"latency_measured\"").count();
            assert_eq!(count(&all), count(&lines.join("\n")), "{search}: nothing is measured twice");
        }
        // Ten times as slow, as on another machine: proposals must follow the journal, so replaying it is still in order.
        let slower = |line: &String| {
            let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
            if value["event"] == "latency_measured" {
                let seconds = value["latency"]["median"].as_f64().unwrap();
                value["latency"]["median"] = (seconds * 10.0).into();
            }
            // An edited journal has no chain; those of format 2 had none.
            value.as_object_mut().unwrap().remove("chain");
            if value["event"] == "study_started" {
                value["format"] = 2.into();
            }
            value.to_string()
        };
        // A study that has finished would not be planned again.
        let is_open = |line: &&String| !line.contains("\"event\":\"study_finished\"");
        let changed: Vec<String> = lines.iter().filter(is_open).map(slower).collect();
        let dir = folder.join("slower");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("journal.jsonl"), changed.join("\n") + "\n").unwrap();
        let file = folder.at("whole.yaml");
        let out = support::output(&["run", &file, "--out", dir.to_str().unwrap(), "--json"]);
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        if search.contains("constraints") {
            // With its limit everything else would have been proposed: the search did hear the journal.
            assert_eq!(out.status.code(), Some(2), "{search}: {told}");
            assert!(told.contains("of the journal is"), "{told}");
        }
    }
}

#[test]
fn a_candidate_over_its_limit_is_not_trained() {
    let folder = Folder::new();
    let text = experiment("strategy: random, trials: 20, constraints: {latency: <= 200us}");
    let run_of = run(&folder, &text, "limited", &[]);
    let status = json(&["status", &folder.at("limited"), "--json"]);
    let (done, rejected) = (status["done"].as_u64().unwrap(), status["rejected"].as_u64().unwrap());
    assert!(rejected > 0 && done > 2, "{status}");
    assert_eq!((done + rejected, run_of["failed"].as_u64()), (42, Some(0)));
    let report = fs::read_to_string(folder.join("limited").join("report.md")).unwrap();
    assert!(report.contains("## Latency"), "{report}");
    assert!(report.contains("**Simulated: these latencies are computed"), "{report}");
    assert!(report.contains("took more than 200 µs for an image, and were not trained."), "{report}");
    let csv = fs::read_to_string(folder.join("limited").join("trials.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    for row in reader.records() {
        let row = row.unwrap();
        let cell = |name: &str| row.get(column(name)).unwrap().to_owned();
        let seconds: f64 = cell("latency").parse().unwrap();
        let (madds, params): (f64, f64) = (cell("madds").parse().unwrap(), cell("params").parse().unwrap());
        assert!((seconds - (1e-4 + madds / 1e10 + 4.0 * params / 1e10)).abs() < 1e-12);
        // The variant is trained whatever it takes.
        let over = seconds > 200e-6 && cell("variant") == "false";
        assert_eq!(cell("status"), if over { "rejected" } else { "finished" });
    }
    // The same again changes nothing.
    let again = run(&folder, &text, "limited", &[]);
    assert_eq!(again["results_hash"], run_of["results_hash"]);
    // Nothing keeps to it: the study ends and says so, with the nearest.
    let none = text.replace("200us", "101us");
    run(&folder, &none, "none", &[]);
    let report = fs::read_to_string(folder.join("none").join("report.md")).unwrap();
    assert!(report.contains("**No searched candidate keeps to the limit of 101 µs"), "{report}");
    assert!(report.contains("The least over it:"), "{report}");
}

/// A limit with rungs and several seeds: whoever is over it goes nowhere, and the search ends.
#[test]
fn rungs_leave_out_who_is_over_the_limit() {
    let folder = Folder::new();
    for budget in ["asha", "successive_halving"] {
        let text = experiment(&format!(
            "strategy: random, trials: 18, budget: {budget}, constraints: {{latency: <= 160us}}"
        ));
        run(&folder, &text, budget, &["--jobs", "3"]);
        let status = json(&["status", &folder.at(budget), "--json"]);
        assert!(status["rejected"].as_u64().unwrap() > 0, "{status}");
        assert!(status["done"].as_u64().unwrap() >= 4 && status["queued"] == 0, "{status}");
    }
}

/// Networks are trained and measured for real, more than one at once; the numbers of training are not changed by it.
#[test]
fn a_study_measures_while_it_trains() {
    let folder = Folder::new();
    let text = "name: measured\nseeds: 2\ndata: {format: shapes, validation: 0.5, limit: {train: 64, test: 16}}\n\
        train: {epochs: 1, batch: 16}\nvariants:\n- {name: small, network: stem_c8_s2 ir_e2_c8}\n\
        - {name: larger, network: stem_c16_s2 ir_e4_k5_c16}\n";
    let file = folder.write("e.yaml", format!("{text}latency: {{batch: 2, rounds: 10}}\n"));
    let measured = json(&["run", &file, "--out", &folder.at("measured"), "--jobs", "2", "--json"]);
    let plain = folder.write("p.yaml", text);
    let plain = json(&["run", &plain, "--out", &folder.at("plain"), "--jobs", "2", "--json"]);
    assert_eq!(measured["results_hash"], plain["results_hash"]);
    let mut latencies = 0;
    for line in journal(&folder, "measured").lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        if event["event"] == "latency_measured" {
            let latency = &event["latency"];
            assert_eq!((&latency["source"], &latency["batch"]), (&"measured".into(), &2.into()));
            assert!(
                latency["median"].as_f64().unwrap() > 0.0 && latency["reference"].as_f64().unwrap() > 0.0
            );
            latencies += 1;
        }
    }
    assert_eq!(latencies, 2);
    let report = fs::read_to_string(folder.join("measured").join("report.md")).unwrap();
    assert!(report.contains("Measured inference of a batch of 2 images on 1 thread"), "{report}");
    assert!(report.contains("| latency of 2 images |"), "{report}");
    assert!(!Path::new(&folder.at("plain")).join("report.md").metadata().unwrap().is_dir());
}

#[test]
fn the_command_ranks_networks() {
    let (small, large) = ("stem_c8_s2 ir_e2_c8", "mix");
    let args = ["latency", large, small, "--input", "3x32x32", "--rounds", "10", "--batch", "2"];
    let told = json(&[&args[..], &["--json"]].concat());
    let networks = told["networks"].as_array().unwrap();
    assert_eq!(networks.len(), 2);
    // Fastest first; 100 times the multiply-adds are no tie, whatever else the machine does.
    assert_eq!((&networks[0]["rank"], &networks[1]["rank"]), (&1.into(), &2.into()), "{told}");
    assert_eq!(networks[1]["network"], "mix");
    for network in networks {
        let seconds = |key: &str| network[key].as_f64().unwrap();
        assert_eq!(seconds("per_image_s"), seconds("median_s") / 2.0);
        assert!(
            seconds("median_s") > 0.0
                && seconds("floor_s") >= 0.0
                && network["ties"] == serde_json::json!([])
        );
    }
    let text = stdout(&args);
    assert!(text.contains("noise floor") && text.contains("medians of 10 samples each"), "{text}");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let refused = refusal(&["latency", "mixx"]);
    assert!(refused.contains("mixx"), "{refused}");
    let refused = refusal(&["latency", "mix", "--batch", "60000", "--memory", "1MiB"]);
    assert!(refused.contains("give a smaller --batch"), "{refused}");
}
