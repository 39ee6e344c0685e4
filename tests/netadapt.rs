//! NetAdapt as a user runs it: simulated and on images, resumed, reported, and refused where it makes no sense.

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{Folder, json, refusal, stdout};

const NETWORK: &str = "stem_k3_s2_c16 ir_r2_k3_s2_e4_c24 ir_r2_k3_s2_e4_c48_se0.25";

fn experiment(search: &str) -> String {
    format!(
        "name: adapted\nseeds: 2\ndata: {{format: cifar10}}\ntrain: {{epochs: 4}}\n\
         trainer: {{kind: simulated, noise: 2.0}}\nvariants: [{{name: same, network: {NETWORK}}}]\n\
         search: {{strategy: netadapt, from: {NETWORK}, cost: madds, target: 0.9M, delta: 0.04{search}}}\n"
    )
}

fn run(folder: &Folder, text: &str, name: &str, more: &[&str]) -> Value {
    let file = folder.write(&format!("{name}.yaml"), text);
    json(&[&["run", &file, "--out", &folder.at(name), "--json"], more].concat())
}

/// Trials have noise, so that what is taken depends on every seed.
#[test]
fn jobs_and_kills_change_nothing() {
    let folder = Folder::new();
    let whole = run(&folder, &experiment(""), "one", &["--jobs", "1"]);
    assert_eq!((whole["failed"].as_u64(), whole["done"].as_u64()), (Some(0), Some(4)));
    for jobs in ["2", "5"] {
        let other = run(&folder, &experiment(""), &format!("jobs-{jobs}"), &["--jobs", jobs]);
        assert_eq!(other["results_hash"], whole["results_hash"], "{jobs} jobs");
    }
    let journal = fs::read(Path::new(&folder.at("jobs-5")).join("journal.jsonl")).unwrap();
    let first = journal.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for cut in 0..12 {
        let at = first + (journal.len() - first) * cut / 12;
        let name = format!("cut-{cut}");
        fs::create_dir_all(folder.join(&name)).unwrap();
        fs::write(folder.join(&name).join("journal.jsonl"), &journal[..at]).unwrap();
        let again = run(&folder, &experiment(""), &name, &["--jobs", "3"]);
        assert_eq!(again["results_hash"], whole["results_hash"], "cut at {at}");
        assert_eq!(again["trials"], whole["trials"], "cut at {at}");
    }
}

#[test]
fn the_report_tells_the_steps_and_the_network() {
    let folder = Folder::new();
    run(&folder, &experiment(""), "study", &[]);
    let dir = folder.at("study");
    let found = json(&["report", &dir, "--json"]);
    let steps = found["netadapt"]["steps"].as_array().unwrap();
    assert!(steps.len() >= 3, "{found}");
    let first = found["netadapt"]["first"]["cost"].as_f64().unwrap();
    let mut before = first;
    for step in steps {
        let cost = step["taken"]["cost"].as_f64().unwrap();
        assert_eq!(step["taken"]["candidate"]["madds"].as_f64(), Some(cost));
        assert!(before - cost >= 0.04 * first, "{before} to {cost}");
        before = cost;
    }
    assert!(before <= 0.9e6);
    let last = steps.last().unwrap()["taken"]["candidate"]["text"].as_str().unwrap();
    let report = fs::read_to_string(folder.join("study").join("report.md")).unwrap();
    for part in [
        "## NetAdapt",
        "The target of 900,000 multiply-adds was reached with",
        &format!("network: \"{last}\""),
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert!(stdout(&["status", &dir]).contains(" fine-tuned"));
    // The network that it found is one that can be shrunk further, or profiled.
    let profile = json(&["profile", last, "--json"]);
    assert_eq!(profile["madds"].as_f64(), Some(before), "{profile}");
    // The best of that study is its first network, the only one with a whole training.
    let further = experiment("").replace(&format!("from: {NETWORK}"), &format!("from: {{study: {dir}}}"));
    run(&folder, &further, "further", &[]);
    let journal = fs::read_to_string(folder.join("further").join("journal.jsonl")).unwrap();
    assert!(journal.contains(&format!("\"notation\":\"{NETWORK}\"")));
    fs::remove_dir_all(&dir).unwrap();
    // Once begun, the study does not read the other one again.
    run(&folder, &further, "further", &[]);
    let file = folder.write("other.yaml", &further);
    assert!(refusal(&["run", &file, "--out", &folder.at("other")]).contains("there is no study here"));
}

/// The training losses of the first epochs of a study's trials, by block notation.
fn first_losses(dir: &Path) -> Vec<(String, f64)> {
    let journal = fs::read_to_string(dir.join("journal.jsonl")).unwrap();
    let lines: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| lines.iter().filter(move |line| line["event"] == *event).collect::<Vec<_>>();
    let first = of("epoch_finished").into_iter().filter(|line| line["epoch"]["epoch"] == 1);
    first
        .map(|line| {
            let queued =
                of("trial_queued").into_iter().find(|queued| queued["trial"] == line["trial"]).unwrap();
            let text = queued["candidate"]["text"].as_str().unwrap().to_owned();
            (text, line["epoch"]["train"]["loss"].as_f64().unwrap())
        })
        .collect()
}

/// On the built-in images: what inherits its weights begins far below the same network from scratch.
#[test]
fn inherited_weights_are_worth_having() {
    let folder = Folder::new();
    let images = "data: {format: shapes, validation: 0.2, limit: {train: 2500, test: 100}}\n\
                  train: {epochs: 6, batch: 32, lr: 0.1, warmup: 0.5, schedule: cosine}\n";
    let network = "stem_k3_s2_c16 ir_r2_k3_s2_e3_c24_se0.25 ir_r1_k3_s2_e3_c32";
    let search = format!(
        "name: real\n{images}search: {{strategy: netadapt, from: {network}, cost: params, target: 15k, delta: 0.1, fine_tune: 1}}\n"
    );
    let study = run(&folder, &search, "study", &["--jobs", "2"]);
    assert_eq!(study["failed"], 0);
    let found = json(&["report", &folder.at("study"), "--json"]);
    let steps = found["netadapt"]["steps"].as_array().unwrap();
    assert!(steps.len() >= 2, "the second step inherits from a checkpoint: {found}");
    let inherited = first_losses(&folder.join("study"));
    for (number, step) in steps.iter().enumerate() {
        let text = step["taken"]["candidate"]["text"].as_str().unwrap();
        let scratch = format!("name: scratch\n{images}variants: [{{name: scratch, network: {text}}}]\n");
        let name = format!("scratch-{number}");
        run(&folder, &scratch, &name, &["--set", "train.epochs=1"]);
        let (_, from_scratch) = first_losses(&folder.join(&name))[0];
        let (_, adapted) = inherited.iter().find(|(of, _)| of == text).unwrap();
        assert!(*adapted < 0.9 * from_scratch, "step {}: {adapted} and {from_scratch}", number + 1);
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = Folder::new();
    let refused = |from: &str, to: &str| {
        let text = experiment("");
        assert!(text.contains(from), "{from}");
        let file = folder.write("e.yaml", text.replace(from, to));
        refusal(&["run", &file, "--out", &folder.at("none")])
    };
    for (from, to, parts) in [
        (
            "target: 0.9M",
            "target: 20k",
            ["e.yaml:7:", "search.target: 20,000 madds cannot be reached from this network"],
        ),
        (
            "target: 0.9M",
            "target: 9M",
            ["search.target", "already, which is not above the target of 9,000,000; lower the target"],
        ),
        ("target: 0.9M", "target: 0", ["search.target", "a target is above 0"]),
        ("delta: 0.04", "delta: 0.6", ["search.delta", "0.6 is not a share of the first network's cost"]),
        ("delta: 0.04", "fine_tune: 9", ["search.fine_tune", "from 1 to train.epochs, 4"]),
        ("delta: 0.04", "detla: 0.04", ["search.detla", "did you mean `delta`?"]),
        (
            "delta: 0.04",
            "trials: 9",
            ["search.trials", "takes no `trials`: it ends when the cost has come down to `target`"],
        ),
        (
            "cost: madds",
            "cost: accuracy",
            ["search.cost", "is not a cost that NetAdapt lowers (params, madds,"],
        ),
        ("from: stem", "from: stam", ["search.from", "`stam` is not a block"]),
        (
            &format!("from: {NETWORK}"),
            "from: mobilenet_v3_small",
            ["search.from", "mobilenet_v3_small is not made of blocks that have a notation"],
        ),
        (&format!("from: {NETWORK}"), "from: {study: nowhere}", ["search.from", "there is no study here"]),
        (
            &format!("from: {NETWORK}"),
            "from: {stduy: nowhere}",
            ["search.from.stduy", "did you mean `study`?"],
        ),
        (
            &format!("from: {NETWORK}"),
            "from: ir_r1_k3_s4_e2_c8 ir_r1_k3_s4_e2_c8 ir_r1_k3_s2_e2_c8 cse_r1_k3_s2_c16_cap4_rr16",
            ["search.from", "the 1x1 map has fewer pixels than the reduction 16"],
        ),
    ] {
        let message = refused(from, to);
        assert!(parts.iter().all(|part| message.contains(part)), "{to}: {message}");
        assert!(!folder.join("none").exists(), "{to}");
    }
}
