//! `run` as a user meets it: to its report, killed, interrupted and continued, with any number of jobs.

mod support;

use std::process::Child;
use std::time::{Duration, Instant};

use support::{Folder, blocksmith, json, output, stdout};

const EXPERIMENT: &str = "name: small
seeds: [1, 2]
data: {format: shapes, side: 16, validation: 60, limit: {train: 240, test: 60}}
train: {epochs: 2, batch: 16, lr: 0.05, schedule: cosine}
variants:
- {name: narrow, network: stem_s2_c8 ir_s2_e2_c16}
- {name: squeezed, network: stem_s2_c8 cse_s2_c16_cap4_rr4}
";

/// Every file of a report with variants.
const REPORT: [&str; 4] = ["report.md", "trials.csv", "pareto-params.svg", "pareto-params.png"];

fn results(dir: &str) -> String {
    let status = json(&["status", dir, "--json"]);
    assert_eq!((status["done"].as_u64(), status["state"].as_str()), (Some(4), Some("finished")), "{status}");
    status["results_hash"].as_str().unwrap().to_owned()
}

/// Starts the run, with so many epochs that it is still at it when the journal has its first.
fn started(file: &str, out: &str) -> Child {
    let mut child = blocksmith(&["run", file, "--out", out, "--jobs", "1"]).spawn().unwrap();
    let journal = std::path::Path::new(out).join("journal.jsonl");
    let patience = Instant::now() + Duration::from_secs(60);
    let epochs = || std::fs::read_to_string(&journal).map_or(0, |text| text.matches("\"epoch_").count());
    while epochs() == 0 {
        assert!(Instant::now() < patience && child.try_wait().unwrap().is_none(), "no epoch was journaled");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

#[test]
fn a_run_ends_with_its_report_whatever_happens_on_the_way() {
    let folder = Folder::new();
    let file = folder.write("small.yaml", EXPERIMENT);
    let names = ["whole", "two", "threads", "killed", "stopped"];
    let [whole, two, threads, killed, stopped] = names.map(|name| folder.at(name));

    let printed = stdout(&["run", &file, "--out", &whole, "--jobs", "1"]);
    assert!(printed.contains("narrow") && printed.contains("squeezed"), "{printed}");
    for name in REPORT {
        let size = std::fs::metadata(folder.join("whole").join(name)).map_or(0, |meta| meta.len());
        assert!(size > 0, "{name} is missing");
    }
    let expected = results(&whole);

    stdout(&["run", &file, "--out", &two, "--jobs", "2"]);
    assert_eq!(results(&two), expected, "--jobs changed the numbers");

    stdout(&["run", &file, "--out", &threads, "--jobs", "auto", "--threads", "2"]);
    assert_eq!(results(&threads), expected, "--threads changed the numbers");

    let mut child = started(&file, &killed);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(json(&["status", &killed, "--json"])["state"], "stopped");
    stdout(&["run", &file, "--out", &killed, "--jobs", "2"]);
    assert_eq!(results(&killed), expected, "a kill changed the numbers");

    #[cfg(unix)]
    {
        let child = started(&file, &stopped);
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(130), "{stderr}");
        assert!(stderr.contains("the same command continues"), "{stderr}");
        stdout(&["run", &file, "--out", &stopped, "--jobs", "1"]);
        assert_eq!(results(&stopped), expected, "an interrupt changed the numbers");
    }

    // A finished study is not trained again, and one with other settings is another study.
    let again = stdout(&["run", &file, "--out", &whole]);
    assert!(again.contains("this study is finished, and its report is up to date"), "{again}");
    // A report that is older than its study is written again.
    let journal = folder.join("whole").join("journal.jsonl");
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    std::fs::File::options().append(true).open(&journal).unwrap().set_modified(later).unwrap();
    let again = stdout(&["run", &file, "--out", &whole]);
    assert!(again.contains("writing its report again") && again.contains("squeezed"), "{again}");
    let other = output(&["run", &file, "--out", &whole, "--set", "train.lr=0.1"]);
    assert_eq!(other.status.code(), Some(2), "{}", String::from_utf8_lossy(&other.stderr));
    assert_eq!(results(&whole), expected);
}

/// A search of three: one candidate does not fit and fails with its need, and beside the others there is no room for a
/// second trial.
#[test]
fn trials_keep_to_the_memory_budget() {
    let folder = Folder::new();
    let space = "name: s\ninput: 3x16x16\nclasses: 10\nstem: {channels: 8, stride: 2}\nhead: none\n\
                 stages:\n- {block: ir, expand: 2, channels: [16, 24, 2000]}\n";
    folder.write("s.yaml", space);
    let text = "name: small\nsearch: {space: s.yaml, strategy: grid}\n\
                data: {format: shapes, side: 16, validation: 60, limit: {train: 120, validation: 20, test: 20}}\n\
                train: {epochs: 1, batch: 16, lr: 0.05, schedule: cosine}\n";
    let file = folder.write("small.yaml", text);
    let candidate = |channels| format!("stem_k3_s2_c8 ir_r1_k3_s1_e2_c{channels}");
    let training = |channels| {
        let profile =
            json(&["profile", &candidate(channels), "--input", "3x16x16", "--batch", "16", "--json"]);
        assert_eq!(profile["batch"], 16);
        profile["training_memory_bytes"].as_u64().unwrap()
    };
    let (largest, beyond) = (training(24), training(2000));
    assert!(largest < beyond);
    let budget = (largest + 4096).to_string();
    assert!(largest + 4096 < beyond, "{largest} {beyond}");

    let out = folder.at("out");
    let run = output(&["run", &file, "--out", &out, "--jobs", "2", "--memory", &budget]);
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{stderr}");
    assert!(stderr.contains("note: 1 trial at once instead of 2: the largest network needs "), "{stderr}");
    assert!(stderr.contains("not started: it needs ") && stderr.contains("at batch 16"), "{stderr}");
    let status = json(&["status", &out, "--json"]);
    assert_eq!((status["done"].as_u64(), status["failed"].as_u64()), (Some(2), Some(1)), "{status}");
}
