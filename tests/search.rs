//! Searches that learn, with a simulated trainer: the same whatever runs at once, and whenever they are killed.

mod support;

use std::fs;
use std::path::Path;

use support::{Folder, blocksmith, json, output, stdout};

const SPACE: &str = "name: s
input: 3x32x32
classes: 10
stem: {channels: [8, 16], stride: 2}
stages:
- {block: ir, expand: [2, 4], kernel: [3, 5], stride: 2, channels: [16, 24], repeats: [1, 2], se: [none, 0.25]}
- {block: [ir, cse], expand: 4, cap: 8, reduction: 4, kernel: [3, 5], stride: 2, channels: [32, 64]}
";

/// An experiment of 9 epochs whose trials have noise, so that what is proposed depends on every seed.
fn experiment(search: &str, rest: &str) -> String {
    format!(
        "name: searched\nseeds: 2\ndata: {{format: cifar10}}\ntrain: {{epochs: 9, schedule: constant}}\n\
         trainer: {{kind: simulated, noise: 2.0}}\nvariants: [{{name: mix, network: mix}}]\n\
         search: {{space: s.yaml, {search}}}\n{rest}"
    )
}

fn run(folder: &Folder, search: &str, name: &str, more: &[&str]) -> serde_json::Value {
    folder.write("s.yaml", SPACE);
    let file = folder.write(&format!("{name}.yaml"), experiment(search, ""));
    let dir = folder.at(name);
    json(&[&["run", &file, "--out", &dir, "--json"], more].concat())
}

const SEARCHES: [&str; 9] = [
    "trials: 24",
    "strategy: local, trials: 20",
    "strategy: evolution, population: 6, trials: 20",
    "strategy: nsga2, population: 6, ahead: 2, trials: 20",
    "strategy: tpe, trials: 20",
    "strategy: mnas, trials: 20, reward: {cost: madds, target: 0.6M}",
    "strategy: random, trials: 20, budget: successive_halving",
    "strategy: tpe, trials: 20, budget: {kind: asha, min_epochs: 1, eta: 3, schedule: fit}",
    "strategy: nsga2, trials: 16, objectives: [loss, madds, activation_memory]",
];

#[test]
fn jobs_do_not_change_a_search() {
    for (n, search) in SEARCHES.into_iter().enumerate() {
        let folder = Folder::new();
        let one = run(&folder, search, "one", &["--jobs", "1"]);
        assert_eq!(one["failed"], 0, "{search}");
        for jobs in ["2", "5"] {
            let other = run(&folder, search, &format!("jobs-{jobs}"), &["--jobs", jobs]);
            assert_eq!(other["results_hash"], one["results_hash"], "{n}: {search} with {jobs} jobs");
        }
    }
}

/// A power cut is a journal cut somewhere: from wherever it is cut the same command ends with the same results.
#[test]
fn a_search_resumes_from_any_place() {
    let folder = Folder::new();
    for (n, search) in [
        "trials: 18",
        "strategy: evolution, population: 4, trials: 12",
        SEARCHES[6],
        "strategy: tpe, trials: 20",
    ]
    .iter()
    .enumerate()
    {
        let whole = run(&folder, search, &format!("whole-{n}"), &["--jobs", "2"]);
        let journal = fs::read(Path::new(&folder.at(&format!("whole-{n}"))).join("journal.jsonl")).unwrap();
        let first = journal.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        // Lines and their middles, some dozen places over all of it.
        let step = (journal.len() - first) / 12;
        let (mut tried, mut at) = (0, first);
        while at < journal.len() {
            let name = format!("cut-{n}-{at}");
            let dir = folder.at(&name);
            fs::create_dir_all(&dir).unwrap();
            fs::write(Path::new(&dir).join("journal.jsonl"), &journal[..at]).unwrap();
            let again = run(&folder, search, &name, &["--jobs", "3"]);
            assert_eq!(again["results_hash"], whole["results_hash"], "{search} cut at {at}");
            assert_eq!(again["trials"], whole["trials"], "{search} cut at {at}");
            tried += 1;
            at += step;
        }
        assert!(tried >= 12);
    }
}

/// Trials that reach a rung stop there, the best go on from where they are, and only whole trainings are compared.
#[test]
fn rungs_are_in_the_journal() {
    let folder = Folder::new();
    let search = "strategy: random, trials: 18, budget: successive_halving";
    let whole = run(&folder, search, "halving", &[]);
    // 18 candidates and the variant, 2 seeds each.
    assert_eq!(whole["trials"], 38);
    // Two of 18 survive two rungs by a third, and the variant has no rungs.
    assert_eq!(whole["done"], 2 * (2 + 1));
    let dir = folder.at("halving");
    let status = json(&["status", &dir, "--json"]);
    assert_eq!((status["done"].as_u64(), status["stopped"].as_u64()), (Some(6), Some(32)));
    let trials = status["trial_list"].as_array().unwrap();
    let with = |epochs: u64| trials.iter().filter(|t| t["epochs"] == epochs).count();
    assert_eq!((with(1), with(3), with(9)), (2 * 12, 2 * 4, 2 * 3));
    let journal = fs::read_to_string(Path::new(&dir).join("journal.jsonl")).unwrap();
    let count = |event: &str| journal.matches(&format!("\"event\":\"{event}\"")).count();
    assert_eq!((count("trial_continued"), count("trial_resumed")), (2 * (6 + 2), 2 * (6 + 2)));
    assert_eq!(count("test_evaluated"), 6, "what stopped at a rung is not tested");
    assert_eq!(count("epoch_finished"), 2 * (12 + 4 * 3 + 3 * 9), "nothing is trained twice");
    assert!(stdout(&["status", &dir]).contains("32 stopped at a rung"));
}

#[test]
fn a_search_that_learns_is_extended_by_trials_alone() {
    let folder = Folder::new();
    run(&folder, "strategy: evolution, population: 4, trials: 8", "study", &[]);
    let longer = run(&folder, "strategy: evolution, population: 4, trials: 14", "longer", &[]);
    let dir = folder.at("study");
    let file = folder.at("longer.yaml");
    let extended = json(&["run", &file, "--out", &dir, "--extend", "--set", "name=searched", "--json"]);
    assert_eq!(extended["results_hash"], longer["results_hash"]);
    let refused = output(&["run", &file, "--out", &dir, "--extend", "--set", "seeds=3"]);
    assert_eq!(refused.status.code(), Some(2));
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(message.contains("seeds: [1,2] in the journal, [1,2,3] in the file"), "{message}");
    assert!(message.contains("what the search proposes depends on it"), "{message}");
}

/// What failed counts as failed for the search, also after it was tried again with more luck.
#[test]
fn a_retried_trial_changes_no_proposal() {
    let folder = Folder::new();
    folder.write("s.yaml", SPACE);
    // Seconds that are not finite fail a trial: here of every candidate of more than 12,000 params, for now.
    let failing = experiment("strategy: evolution, population: 4, trials: 12", "")
        .replace("noise: 2.0", "noise: 2.0, seconds_per_epoch: \"1 / max(0, 12000 - params) + 1\"");
    let file = folder.write("e.yaml", failing.replace("variants: [{name: mix, network: mix}]\n", ""));
    let dir = folder.at("study");
    let first =
        blocksmith(&["run", &file, "--out", &dir, "--json", "--set", "failures.stop_after_consecutive=0"]);
    let first = {
        let mut first = first;
        first.output().unwrap()
    };
    let first: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    assert!(first["failed"].as_u64().unwrap() > 0, "{first}");
    stdout(&["retry", &dir, "--failed"]);
    let again = json(&["run", &file, "--out", &dir, "--json", "--set", "failures.stop_after_consecutive=0"]);
    assert_eq!(again["results_hash"], first["results_hash"]);
    assert_eq!(again["trials"], first["trials"]);
}
