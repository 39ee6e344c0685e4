//! Watching a study, listing studies, and foretelling one, as a user meets them; simulated studies of hundreds of trials.

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Folder, blocksmith, json, output, refusal, stdout};

const TRAINED: &str = "name: small
seeds: [1, 2]
data: {format: shapes, side: 16, validation: 60, limit: {train: 240, test: 60}}
train: {epochs: 3, batch: 16, lr: 0.05, schedule: cosine}
variants:
- {name: narrow, network: stem_s2_c8 ir_s2_e2_c16}
- {name: squeezed, network: stem_s2_c8 cse_s2_c16_cap4_rr4}
";

const SPACE: &str = "name: s
input: 3x16x16
classes: 10
stem: {channels: 8, stride: 2}
head: none
stages:
- {block: ir, expand: [2, 3, 4], kernel: [3, 5], channels: [8, 12, 16, 20, 24], repeats: [1, 2]}
";

/// 60 candidates with 2 seeds.
const SIMULATED: &str = "name: imagined
seeds: 2
trainer: {kind: simulated, accuracy: 90 - 300 / sqrt(params) - 20 / epoch, noise: 1, seconds_per_epoch: madds / 1e5}
train: {epochs: 4}
search: {space: s.yaml, strategy: grid}
";

/// Waits until the journal of a study has an epoch.
fn wait_for_an_epoch(child: &mut Child, dir: &str) {
    let journal = Path::new(dir).join("journal.jsonl");
    let patience = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"epoch_")) {
        assert!(Instant::now() < patience && child.try_wait().unwrap().is_none(), "no epoch was journaled");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn lines(command: &mut Command) -> (Child, Vec<String>) {
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    (child, lines)
}

#[test]
fn a_study_is_followed_to_its_end() {
    let folder = Folder::new();
    let file = folder.write("small.yaml", TRAINED);
    let out = folder.at("out");
    let args = ["run", &file, "--out", &out, "--jobs", "1", "--set", "train.epochs=60"];
    let mut run = blocksmith(&args).spawn().unwrap();
    wait_for_an_epoch(&mut run, &out);
    let mut plain = blocksmith(&["status", &out, "--follow"]).spawn().unwrap();
    let (mut follow, objects) = lines(&mut blocksmith(&["status", &out, "--follow", "--json"]));
    assert!(follow.wait().unwrap().success());
    assert!(plain.wait().unwrap().success());
    assert!(run.wait().unwrap().success());

    let objects: Vec<Value> = objects.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(objects.len() > 3, "{} changes were seen", objects.len());
    assert_eq!(objects[0]["state"], "running");
    assert!(objects[0]["seconds_left"].as_f64().unwrap() > 0.0, "{}", objects[0]);
    let epochs: Vec<u64> = objects.iter().map(|o| o["epochs"].as_u64().unwrap()).collect();
    assert!(epochs.is_sorted(), "{epochs:?}");
    assert!(objects.windows(2).all(|pair| pair[0] != pair[1]), "a line that says nothing new");
    let last = objects.last().unwrap();
    assert_eq!(
        (&last["done"], &last["epochs"], &last["seconds_left"]),
        (&4.into(), &240.into(), &0.0.into())
    );

    let mut plain_lines = BufReader::new(plain.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = plain_lines.next().unwrap();
    assert!(first.starts_with("running: ") && first.contains("/4 trials done"), "{first}");
    let end = plain_lines.next_back_line();
    assert!(end.contains("4/4 trials done"), "{end}");

    // Afterwards it is over at once, and says the same as without --follow but for the list of trials.
    let (mut again, objects) = lines(&mut blocksmith(&["status", &out, "--follow", "--json"]));
    assert!(again.wait().unwrap().success());
    let mut status = json(&["status", &out, "--json"]);
    assert_eq!(status["trial_list"].as_array().unwrap().len(), 4);
    status.as_object_mut().unwrap().remove("trial_list");
    assert_eq!(objects.len(), 1);
    assert_eq!(serde_json::from_str::<Value>(&objects[0]).unwrap(), status);

    // The front is that of the means over seeds, as the report has them.
    let front = status["front"].as_array().unwrap();
    assert!(!front.is_empty() && front.iter().all(|point| point["seeds"] == 2), "{status}");
    let report = json(&["report", &out, "--json"]);
    let in_report = report["fronts"][0]["points"].as_array().unwrap().len();
    assert_eq!(in_report, 2);
    assert!(refusal(&["status", &folder.at("nothing"), "--follow"]).contains("there is no study here"));
}

trait LastLine {
    fn next_back_line(self) -> String;
}

impl<I: Iterator<Item = String>> LastLine for I {
    fn next_back_line(self) -> String {
        self.last().unwrap()
    }
}

#[test]
fn a_simulated_study_is_the_same_with_any_number_of_jobs() {
    let folder = Folder::new();
    folder.write("s.yaml", SPACE);
    let file = folder.write("e.yaml", SIMULATED);
    let run = |name: &str, jobs: &str| {
        let out = folder.at(name);
        let done = json(&["run", &file, "--out", &out, "--jobs", jobs, "--json"]);
        assert_eq!((&done["trials"], &done["done"], &done["failed"]), (&120.into(), &120.into(), &0.into()));
        assert_eq!((&done["simulated"], &done["dir"]), (&true.into(), &out.as_str().into()));
        assert!(Path::new(done["report"].as_str().unwrap()).exists());
        (done["results_hash"].as_str().unwrap().to_owned(), out)
    };
    let foretold = json(&["run", &file, "--out", &folder.at("one"), "--dry-run", "--json", "--jobs", "1"]);
    assert!(!folder.join("one").exists(), "a dry run writes nothing");
    let (hash, out) = run("one", "1");
    for jobs in ["2", "7"] {
        assert_eq!(run(jobs, jobs).0, hash, "--jobs {jobs}");
    }
    // Another study seed is another noise.
    let other = folder.at("other");
    let done = json(&["run", &file, "--out", &other, "--set", "seed=2", "--json"]);
    assert_ne!(done["results_hash"], hash.as_str());

    // The dry run knew it all: with one job, simulated time is the sum of the trials'.
    assert_eq!((&foretold["trials"], &foretold["exact"]), (&120.into(), &true.into()));
    assert_eq!((&foretold["candidates"], &foretold["epochs"]), (&60.into(), &480.into()));
    let journal = std::fs::read_to_string(Path::new(&out).join("journal.jsonl")).unwrap();
    let finished = journal.lines().filter_map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        (event["event"] == "trial_finished").then(|| event["result"]["seconds"].as_f64().unwrap())
    });
    let (seconds, sum) = (foretold["seconds"].as_f64().unwrap(), finished.sum::<f64>());
    assert!((seconds - sum).abs() < 1e-6 * sum, "{seconds} {sum}");

    // Whoever reads it is told that nothing was trained.
    let report = std::fs::read_to_string(Path::new(&out).join("report.md")).unwrap();
    assert!(report.lines().nth(2).unwrap().starts_with("**Simulated: no network was trained"), "{report}");
    let status = stdout(&["status", &out]);
    assert!(status.lines().nth(1).unwrap().starts_with("simulated: no network is trained"), "{status}");
    let refused = refusal(&["export", &out, "--out", &folder.at("best.onnx")]);
    assert!(refused.contains("this study is simulated"), "{refused}");
}

/// Checkpoints of a simulation are a few bytes, but they are the same way back.
#[test]
fn a_killed_simulation_goes_on_to_the_same_results() {
    let folder = Folder::new();
    folder.write("s.yaml", SPACE);
    let file = folder.write("e.yaml", SIMULATED);
    let (whole, killed) = (folder.at("whole"), folder.at("killed"));
    let expected = json(&["run", &file, "--out", &whole, "--json"])["results_hash"].clone();
    let args = ["run", &file, "--out", &killed, "--jobs", "2", "--checkpoint-every", "0"];
    let mut child = blocksmith(&args).spawn().unwrap();
    wait_for_an_epoch(&mut child, &killed);
    child.kill().unwrap();
    child.wait().unwrap();
    let done = json(&["run", &file, "--out", &killed, "--json"]);
    assert_eq!(done["results_hash"], expected);
}

#[test]
fn a_dry_run_foretells_what_a_run_does() {
    let folder = Folder::new();
    let file = folder.write("small.yaml", TRAINED);
    let out = folder.at("out");
    let foretold = json(&["run", &file, "--out", &out, "--jobs", "1", "--dry-run", "--json"]);
    assert!(!folder.join("out").exists(), "a dry run writes nothing");
    // 240 images in batches of 16; three epochs of four trials.
    assert_eq!(
        (&foretold["trials"], &foretold["epochs"], &foretold["steps"]),
        (&4.into(), &12.into(), &180.into())
    );
    assert_eq!(foretold["measured"].as_array().unwrap().len(), 2);
    assert!(foretold["memory_bytes"].as_u64().unwrap() > 0);

    stdout(&["run", &file, "--out", &out, "--jobs", "1"]);
    let size = |name: &str| std::fs::metadata(Path::new(&out).join(name)).unwrap().len();
    let near = |what: &str, found: u64, within: f64| {
        let told = foretold["disk"][what].as_u64().unwrap();
        let ratio = told as f64 / found as f64;
        assert!((1.0 / within..within).contains(&ratio), "{what}: foretold {told}, found {found}");
    };
    near("journal_bytes", size("journal.jsonl"), 1.25);
    let weights =
        (1..=4).map(|n| size(&format!("checkpoints/trial-000{n}.safetensors")).next_multiple_of(4096));
    near("weights_bytes", weights.sum(), 1.25);
    // Times on a machine that others use: the right order of magnitude.
    let journal = std::fs::read_to_string(Path::new(&out).join("journal.jsonl")).unwrap();
    let seconds = journal.lines().filter_map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["result"]["seconds"].as_f64()
    });
    let (told, took) = (foretold["seconds"].as_f64().unwrap(), seconds.sum::<f64>());
    assert!((0.1..10.0).contains(&(told / took)), "foretold {told} s, took {took} s");

    // Of a study that is finished nothing is left; as text it says so.
    let again = json(&["run", &file, "--out", &out, "--dry-run", "--json"]);
    assert_eq!((&again["ended"], &again["epochs"], &again["seconds"]), (&4.into(), &0.into(), &0.0.into()));
    let text = stdout(&["run", &file, "--out", &out, "--dry-run"]);
    assert!(text.contains("4 ended, 0 left"), "{text}");
    let text = stdout(&["run", &file, "--out", &folder.at("new"), "--dry-run"]);
    assert!(
        text.contains("trials  4: 2 candidates with 2 seeds each") && text.contains("ms a step"),
        "{text}"
    );
    assert!(!folder.join("new").exists());
}

#[test]
fn studies_are_listed_the_damaged_ones_too() {
    let folder = Folder::new();
    folder.write("s.yaml", SPACE);
    let file = folder.write("e.yaml", SIMULATED);
    let reports = folder.at("reports");
    std::fs::create_dir(&reports).unwrap();
    assert!(stdout(&["ls", &reports]).contains("no studies here"));
    assert_eq!(json(&["ls", &reports, "--json"]), serde_json::json!([]));
    let at = |name: &str| format!("{reports}/{name}");
    stdout(&["run", &file, "--out", &at("a"), "--json"]);
    for name in ["b-damaged", "c-not-a-study"] {
        std::fs::create_dir(at(name)).unwrap();
    }
    let journal = std::fs::read_to_string(Path::new(&at("a")).join("journal.jsonl")).unwrap();
    let damaged = journal.replacen("\"trial_queued\"", "\"trial_quoted\"", 1);
    std::fs::write(Path::new(&at("b-damaged")).join("journal.jsonl"), damaged).unwrap();
    let first: String = journal.lines().take(40).map(|line| format!("{line}\n")).collect();
    std::fs::create_dir(at("d-begun")).unwrap();
    std::fs::write(Path::new(&at("d-begun")).join("journal.jsonl"), first).unwrap();

    let list = json(&["ls", &reports, "--json"]);
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 3, "{list:?}");
    assert_eq!(
        (&list[0]["state"], &list[0]["done"], &list[0]["total"]),
        (&"finished".into(), &120.into(), &120.into())
    );
    assert!(
        list[0]["best"].as_f64().unwrap() > 50.0 && list[0]["begun"].as_u64() <= list[0]["changed"].as_u64()
    );
    assert!(
        list[1]["error"].as_str().unwrap().contains("journal.jsonl:2: this is not an event"),
        "{}",
        list[1]
    );
    assert_eq!((&list[2]["state"], &list[2]["done"]), (&"stopped".into(), &0.into()));
    let text = stdout(&["ls", &reports]);
    assert!(text.contains("finished (simulated)") && text.contains("unreadable"), "{text}");
    assert!(text.contains("journal.jsonl:2: "), "{text}");
    // A study's own folder is a list of one.
    assert_eq!(json(&["ls", &at("a"), "--json"]).as_array().unwrap().len(), 1);
    assert!(refusal(&["ls", &at("nothing")]).contains("cannot list the studies"));
}

#[test]
fn scripts_are_told_what_was_put_back_and_written() {
    let folder = Folder::new();
    let text = SIMULATED
        .replace("search: {space: s.yaml, strategy: grid}", "variants: [{name: a, network: mix}]")
        + "failures: {stop_after_consecutive: 0}\n";
    let file = folder.write("e.yaml", text);
    let out = folder.at("out");
    // No accuracy in the second epoch.
    let run = output(&["run", &file, "--out", &out, "--json", "--set", "trainer.accuracy=ln(2 - epoch)"]);
    assert_eq!(run.status.code(), Some(1));
    let done: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&done["failed"], &done["done"]), (&2.into(), &0.into()));
    let reason = json(&["status", &out, "--json"])["trial_list"][0]["failure"].as_str().unwrap().to_owned();
    assert!(reason.contains("the simulated accuracy is -inf after epoch 2"), "{reason}");
    assert_eq!(json(&["retry", &out, "--failed", "--json"])["retried"], serde_json::json!([1, 2]));
    assert_eq!(json(&["retry", &out, "--failed", "--json"])["retried"], serde_json::json!([]));
    let exported = json(&["export", "mix", "--out", &folder.at("mix.onnx"), "--json"]);
    assert_eq!((&exported["params"], &exported["format"]), (&362_992.into(), &"onnx".into()));
    let size = std::fs::metadata(folder.join("mix.onnx")).unwrap().len();
    assert_eq!(exported["bytes"], size);
}
