//! A study as a table, and studies that replay it, as a user meets them.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Folder, blocksmith, json, output, refusal, stdout};

/// A choice of the block, so that caps have an effect in half of the candidates: 3 * (2 + 2) of them.
const SPACE: &str = "name: s
input: 3x16x16
classes: 10
stem: {channels: [8, 12, 16], stride: 2}
head: none
stages:
- {block: [ir, cse], expand: [2, 4], cap: [4, 8], reduction: 4, channels: 16}
";

const SIMULATED: &str = "name: imagined
seeds: 2
trainer: {kind: simulated, accuracy: 90 - 300 / sqrt(params) - 20 / epoch, noise: 1, seconds_per_epoch: madds / 1e5}
train: {epochs: 4}
search: {space: s.yaml, strategy: grid}
";

const REPLAYED: &str = "name: again
seeds: 2
trainer: {kind: tabular, table: table.csv}
train: {epochs: 4}
search: {space: s.yaml, strategy: grid}
";

/// A study with its table beside it.
fn with_table() -> Folder {
    let folder = Folder::new();
    folder.write("s.yaml", SPACE);
    let file = folder.write("simulated.yaml", SIMULATED);
    folder.write("tabular.yaml", REPLAYED);
    stdout(&["run", &file, "--out", &folder.at("study"), "--json"]);
    stdout(&["table", &folder.at("study"), "--out", &folder.at("table.csv")]);
    folder
}

/// Validation accuracy and loss by (candidate, seed, epoch), and test accuracy as epoch 0.
fn figures(dir: &str) -> BTreeMap<(String, u64, u64), (f64, f64)> {
    let journal = std::fs::read_to_string(Path::new(dir).join("journal.jsonl")).unwrap();
    let (mut trials, mut figures) = (BTreeMap::new(), BTreeMap::new());
    for line in journal.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let pair =
            |metrics: &Value| (metrics["accuracy"].as_f64().unwrap(), metrics["loss"].as_f64().unwrap());
        let trial = event["trial"].as_u64();
        let key = |trials: &BTreeMap<Option<u64>, (String, u64)>, epoch| {
            let (candidate, seed) = trials[&trial].clone();
            (candidate, seed, epoch)
        };
        match event["event"].as_str().unwrap() {
            "trial_queued" => {
                let candidate = event["candidate"]["text"].as_str().unwrap().to_owned();
                trials.insert(trial, (candidate, event["seed"].as_u64().unwrap()));
            }
            "epoch_finished" => {
                let epoch = &event["epoch"];
                figures.insert(key(&trials, epoch["epoch"].as_u64().unwrap()), pair(&epoch["validation"]));
            }
            "test_evaluated" => {
                figures.insert(key(&trials, 0), pair(&event["test"]));
            }
            _ => {}
        }
    }
    figures
}

#[test]
fn a_study_is_replayed_from_its_table() {
    let folder = with_table();
    let (study, again) = (folder.at("study"), folder.at("again"));
    let file = folder.at("tabular.yaml");
    let made = json(&["table", &study, "--json"]);
    assert_eq!((&made["trials"], &made["candidates"], &made["failed"]), (&24.into(), &12.into(), &0.into()));
    assert_eq!((&made["epochs"], &made["seeds"], &made["left_out"]), (&4.into(), &[1, 2].into(), &0.into()));
    let table = std::fs::read_to_string(folder.join("table.csv")).unwrap();
    assert_eq!(std::fs::read_to_string(folder.join("study/table.csv")).unwrap(), table);
    let header = table.lines().find(|line| !line.starts_with('#')).unwrap();
    assert!(
        header.starts_with(
            "candidate,choice.stem.channels,choice.stages[0].block,choice.stages[0].expand,choice.stages[0].cap,params,"
        ),
        "{header}"
    );
    for line in
        ["# space: s", "# study: imagined", "# source: simulated", "# input: 3x16x16", "# classes: 10"]
    {
        assert!(table.lines().any(|found| found == line), "{table}");
    }

    let foretold = json(&["run", &file, "--out", &again, "--dry-run", "--json", "--jobs", "1"]);
    let done = json(&["run", &file, "--out", &again, "--json", "--jobs", "2"]);
    assert_eq!((&done["done"], &done["failed"], &done["simulated"]), (&24.into(), &0.into(), &true.into()));
    let (before, after) = (figures(&study), figures(&again));
    assert_eq!(before.len(), 24 * 5);
    assert!(before.keys().eq(after.keys()));
    for (key, (accuracy, loss)) in &before {
        let (replayed, close) = after[key];
        assert_eq!(replayed, *accuracy, "{key:?}");
        assert!((close - loss).abs() < 1e-5, "{key:?}: {close} {loss}");
    }
    // Times too: the mean of a trial's epochs, as often as it has epochs.
    let simulated = json(&["run", &folder.at("simulated.yaml"), "--dry-run", "--json", "--jobs", "1"]);
    let (a, b) = (foretold["seconds"].as_f64().unwrap(), simulated["seconds"].as_f64().unwrap());
    assert!((a - b).abs() < 1e-4 * b, "{a} {b}");

    // Whoever reads it is told.
    let report = std::fs::read_to_string(folder.join("again/report.md")).unwrap();
    assert!(
        report.lines().nth(2).unwrap().starts_with("**Replayed: no network was trained in this study"),
        "{report}"
    );
    assert!(report.contains(made["hash"].as_str().unwrap()) && report.contains("table.csv"), "{report}");
    let status = stdout(&["status", &again]);
    assert!(status.lines().nth(1).unwrap().starts_with("replayed: no network is trained"), "{status}");
}

#[test]
fn a_killed_study_goes_on_and_another_table_is_refused() {
    let folder = with_table();
    let (file, whole, killed) = (folder.at("tabular.yaml"), folder.at("whole"), folder.at("killed"));
    let expected = json(&["run", &file, "--out", &whole, "--json"])["results_hash"].clone();
    let args = ["run", &file, "--out", &killed, "--jobs", "2", "--checkpoint-every", "0"];
    let mut child = blocksmith(&args).spawn().unwrap();
    let journal = folder.join("killed/journal.jsonl");
    let patience = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"epoch_")) {
        assert!(Instant::now() < patience, "no epoch was journaled");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();

    // In gzip at another place it is the same table; with one figure changed it is not.
    stdout(&["table", &folder.at("study"), "--out", &folder.at("packed.csv.gz")]);
    let table = std::fs::read_to_string(folder.join("table.csv")).unwrap();
    let changed = table.replacen(",1,", ",3,", 1);
    folder.write("other.csv", changed);
    let other = ["run", &file, "--out", &killed, "--set", "trainer.table=other.csv"];
    let refused = refusal(&other);
    assert!(
        refused.contains("begun with other data") && refused.contains("replayed from other.csv"),
        "{refused}"
    );
    let packed = ["run", &file, "--out", &killed, "--json", "--set", "trainer.table=packed.csv.gz"];
    assert_eq!(json(&packed)["results_hash"], expected);
}

#[test]
fn seeds_and_epochs_beyond_the_table() {
    let folder = with_table();
    let file = folder.at("tabular.yaml");
    // Of the seeds 1 and 2 the even seed 4 takes the first, the odd seed 5 the second.
    stdout(&["run", &file, "--out", &folder.at("other"), "--set", "seeds=[4, 5]", "--set", "train.epochs=2"]);
    let (before, after) = (figures(&folder.at("study")), figures(&folder.at("other")));
    for ((candidate, seed, epoch), (accuracy, _)) in &after {
        // The table has test figures for its last epoch alone.
        let epoch = if *epoch == 0 { 2 } else { *epoch };
        assert_eq!(before[&(candidate.clone(), *seed - 3, epoch)].0, *accuracy, "{candidate} {seed} {epoch}");
    }
    let refused = refusal(&["run", &file, "--out", &folder.at("long"), "--set", "train.epochs=5"]);
    assert!(refused.contains("train.epochs") && refused.contains("has 4 epochs of each trial"), "{refused}");
    assert!(!folder.join("long").exists());
}

#[test]
fn candidates_that_are_not_in_the_table() {
    let folder = with_table();
    let larger = SPACE.replace("[8, 12, 16]", "[8, 12, 20]");
    folder.write("s.yaml", larger);
    // Three in a row end the study, lest the whole of a wrong table is tried.
    let args = ["run", &folder.at("tabular.yaml"), "--out", &folder.at("larger"), "--json"];
    let stopped = output(&args);
    let stderr = String::from_utf8(stopped.stderr).unwrap();
    assert!(stderr.contains("3 trials in a row failed") && stopped.status.code() == Some(1), "{stderr}");
    let all = ["--set", "failures.stop_after_consecutive=0"];
    let done = json(&[&args[..], &all].concat());
    assert_eq!((&done["done"], &done["failed"]), (&16.into(), &8.into()));
    let trials = std::fs::read_to_string(folder.join("larger/trials.csv")).unwrap();
    assert_eq!(trials.matches("is not among the 12 candidates of").count(), 8, "{trials}");

    // A table keeps what failed, with its reason, and it fails again.
    let made = json(&["table", &folder.at("larger"), "--out", &folder.at("failed.csv"), "--json"]);
    assert_eq!((&made["trials"], &made["failed"]), (&24.into(), &8.into()));
    let args = ["run", &folder.at("tabular.yaml"), "--out", &folder.at("failed"), "--json"];
    let done = json(&[&args[..], &all, &["--set", "trainer.table=failed.csv"]].concat());
    assert_eq!((&done["done"], &done["failed"]), (&16.into(), &8.into()));

    let variant = "name: v\ntrainer: {kind: tabular, table: table.csv}\ntrain: {epochs: 4}\nvariants:\n- {name: a, network: stem_c8 ir_e2_c8}\n";
    let file = folder.write("v.yaml", variant);
    let refused = refusal(&["run", &file, "--out", &folder.at("v")]);
    assert!(refused.contains("v.yaml:5:") && refused.contains("variants[0].network: `stem_"), "{refused}");
    assert!(refused.contains("is not among the 12 candidates of"), "{refused}");
}

#[test]
fn bad_tables_are_refused_with_their_lines() {
    let folder = with_table();
    let file = folder.at("tabular.yaml");
    let table = std::fs::read_to_string(folder.join("table.csv")).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    let header = lines.iter().position(|line| !line.starts_with('#')).unwrap();
    let refused = |text: String| {
        let path = folder.write("table.csv", text);
        let refused = refusal(&["run", &file, "--out", &folder.at("bad")]);
        assert!(!folder.join("bad").exists());
        refused.strip_prefix(&format!("{path}:")).unwrap_or(&refused).to_owned()
    };
    let missing = refused(table.replacen(",madds,", ",macs,", 1));
    assert!(missing.starts_with(&format!("{}: the column `madds` is missing", header + 1)), "{missing}");
    let doubled = refused(format!("{table}{}\n", lines[header + 1]));
    let (first, last) = (header + 2, lines.len() + 1);
    assert!(
        doubled
            .starts_with(&format!("{last}: the same candidate with the same seed (1), as in line {first}")),
        "{doubled}"
    );
    let cells = lines[header + 1].rsplit_once(",,").unwrap().0;
    let words = refused(table.replacen(cells, &format!("{}x", cells), 1));
    assert!(
        words.starts_with(&format!("{first}: test_loss: `")) && words.ends_with("x` is not a number"),
        "{words}"
    );

    let none = refusal(&["run", &file, "--out", &folder.at("bad"), "--set", "trainer.table=none.csv"]);
    assert!(
        none.contains("trainer.table: there is no file") && none.contains("blocksmith table DIR"),
        "{none}"
    );
    folder.write("bare.yaml", REPLAYED.replace("{kind: tabular, table: table.csv}", "tabular"));
    let bare = refusal(&["run", &folder.at("bare.yaml")]);
    assert!(bare.contains("bare.yaml:3:10: trainer: the tabular trainer needs the key `table`"), "{bare}");

    // The command itself.
    let there = refusal(&["table", &folder.at("study"), "--out", &folder.at("table.csv")]);
    assert!(there.contains("the file is there already"), "{there}");
    stdout(&["table", &folder.at("study"), "--out", &folder.at("table.csv"), "--force"]);
    assert_eq!(std::fs::read_to_string(folder.join("table.csv")).unwrap(), table);
    assert!(refusal(&["table", &folder.at("nothing")]).contains("there is no study here"));
}

/// What is not finished is left out, and counted.
#[test]
fn a_study_that_was_stopped_gives_no_table_until_it_goes_on() {
    let folder = with_table();
    let journal = std::fs::read_to_string(folder.join("study/journal.jsonl")).unwrap();
    let tests: BTreeSet<usize> = journal
        .lines()
        .enumerate()
        .filter_map(|(line, text)| text.contains("\"test_evaluated\"").then_some(line))
        .collect();
    let upto = |end: usize| journal.lines().take(end).map(|line| format!("{line}\n")).collect::<String>();
    std::fs::create_dir(folder.join("stopped")).unwrap();
    folder.write("stopped/journal.jsonl", upto(*tests.first().unwrap()));
    let refused = refusal(&["table", &folder.at("stopped")]);
    assert!(refused.contains("24 finished, but the test split is read at the study's end"), "{refused}");
    folder.write("stopped/journal.jsonl", upto(*tests.iter().nth(10).unwrap()));
    let out = output(&["table", &folder.at("stopped")]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("10 trials of") && text.contains("14 left out for which the test split"), "{text}");
}
