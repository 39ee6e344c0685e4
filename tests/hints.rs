//! What is asked and would have no effect is refused or said; a hint names what would be accepted.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use blocksmith::config::{Experiment, phases};
use support::{Folder, json, output, refusal, stdout};

const EXPERIMENT: &str = "name: e
data: {format: shapes, side: 16, validation: 60, limit: {train: 160, test: 60}}
train: {epochs: 1, batch: 16, lr: 0.05}
";
const VARIANTS: &str = "variants:
- {name: plain, network: stem_s2_c8 ir_s2_e2_c16}
- {name: wide, network: stem_s2_c8 ir_s2_e2_c24}
";

fn stderr(args: &[&str]) -> String {
    let output = output(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).unwrap()
}

/// Whoever names images means to train on them, whether they are there or not.
#[test]
fn images_that_would_not_be_read_are_refused() {
    let folder = Folder::new();
    let file = folder.write("e.yaml", format!("{EXPERIMENT}{VARIANTS}"));
    let pictures = folder.join("pictures/train/cat");
    std::fs::create_dir_all(&pictures).unwrap();
    let cifar = folder.join("cifar-10-batches-bin");
    std::fs::create_dir_all(&cifar).unwrap();
    for (path, format) in [
        ("pictures", "images"),
        ("absent", "images"),
        ("cifar-10-batches-bin", "cifar10"),
        ("cifar-10-binary.tar.gz", "cifar10"),
    ] {
        let path = folder.at(path);
        for more in [&[][..], &["--dry-run"], &["--json"]] {
            let out = folder.at("out");
            let message = refusal(&[&["run", &file, "--data", &path, "--out", &out], more].concat());
            let remedy = format!("add --set data.format={format}, or leave --data out");
            assert!(message.starts_with(&format!("--data {path}: nothing of it would be read")), "{message}");
            assert!(message.contains("data.format is shapes") && message.contains(&remedy), "{message}");
            assert!(!folder.join("out").exists());
        }
    }
    let shipped = refusal(&["run", "experiments/quickstart.yaml", "--data", &folder.at("pictures")]);
    assert!(shipped.contains("--set data.format=images"), "{shipped}");
    // In every phase, before the first begins.
    let phased =
        refusal(&["run", "experiments/mobilenet-v3-search.yaml", "--data", "x", "--out", &folder.at("out")]);
    assert!(phased.contains("--set data.format=images"), "{phased}");
    let named =
        folder.write("p.yaml", format!("{EXPERIMENT}{VARIANTS}").replace("side", "path: pictures, side"));
    let message = refusal(&["run", &named, "--out", &folder.at("out")]);
    assert!(message.contains("p.yaml:2:30: data.path: nothing of "), "{message}");
    assert!(message.contains("take `format: images`"), "{message}");
    // The remedy is accepted.
    let message =
        refusal(&["run", &named, "--out", &folder.at("out"), "--set", "data.path=", "--set", "seeds=0"]);
    assert!(message.contains("seeds: 0 is not"), "{message}");
    let simulated = ["run", &file, "--data", "x", "--set", "trainer=simulated", "--out", &folder.at("out")];
    let message = refusal(&simulated);
    assert!(message.contains("trains no network") && message.contains("--set trainer=network"), "{message}");
}

#[test]
fn flags_without_effect_are_said() {
    let folder = Folder::new();
    let file = folder.write("e.yaml", format!("{EXPERIMENT}{VARIANTS}trainer: simulated\n"));
    let (out, run) = (folder.at("study"), |more: &[&str]| {
        stderr(&[&["run", &file, "--out", &folder.at("study")], more].concat())
    });
    let said = run(&["--extend", "--threads", "2", "--memory", "1GiB", "--break-lock"]);
    for sentence in [
        "--extend has no effect: there is no study in",
        "--break-lock has no effect: there is no study in",
        "--threads, --memory have no effect: no network is trained",
    ] {
        assert!(said.contains(sentence), "{said}");
    }
    assert!(run(&["--extend"]).contains("--extend has no effect: the experiment has nothing that"));
    let more = run(&["--extend", "--set", "seeds=2"]);
    assert!(!more.contains("no effect"), "{more}");
    assert!(!run(&["--set", "seeds=2"]).contains("no effect"));
    let both = output(&["run", &file, "--out", &out, "--dry-run", "--break-lock"]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn keys_without_effect_are_refused() {
    let folder = Folder::new();
    let space = concat!(env!("CARGO_MANIFEST_DIR"), "/search-spaces/quickstart.yaml");
    for (search, expected) in [
        (
            "strategy: random, trials: 2, population: 8",
            "search.population: the strategy random has no population",
        ),
        ("strategy: tpe, trials: 2, population: 8", "search.population: the strategy tpe has no population"),
        (
            "strategy: random, trials: 2, fine_tune: 1",
            "search.fine_tune: `fine_tune` is for the strategy netadapt",
        ),
        (
            "strategy: random, trials: 2, budget: {kind: full, eta: 2}",
            "search.budget.eta: the budget full has no rungs",
        ),
        (
            "strategy: mnas, trials: 2, reward: {cost: params, target: 9k, w: mnasnet, alpha: 0, beta: -1}",
            "search.reward.w: `alpha` and `beta` say it all",
        ),
    ] {
        let file = folder.write("e.yaml", format!("{EXPERIMENT}search: {{space: {space}, {search}}}\n"));
        let message = refusal(&["run", &file, "--out", &folder.at("out")]);
        assert!(message.contains(expected), "{message}");
    }
    for (args, expected) in [
        (&["export", "mix", "--out", "x.pt"][..], "--out x.pt: .pt is the name of another format"),
        (&["export", "mix", "--out", "x.onnx", "--format", "safetensors"], "another format than --format"),
        (&["draw", "mix", "--trial", "3"], "--trial: mix is not a study's folder"),
        (&["profile", "experiments/mix-ablation.yaml", "--layers", "blocks"], "--layers: "),
    ] {
        let message = refusal(args);
        assert!(message.contains(expected), "{message}");
    }
}

/// The list of known keys, as the message for an unknown one has it.
fn listed(file: &Path, section: &str) -> Vec<String> {
    let message = load(file, &format!("{section}zzzzzzzz=1")).unwrap();
    let list = message.split_once("nown keys: ").unwrap_or_else(|| panic!("{section}: {message}")).1;
    list.split(", ").map(str::to_owned).collect()
}

/// What is said of an assignment, where it is refused.
fn load(file: &Path, set: &str) -> Option<String> {
    let set = [set.to_owned()];
    let read = phases::phases(file, &set).and_then(|phases| match phases {
        Some(_) => Ok(()),
        None => Experiment::load(file, &set).map(|_| ()),
    });
    read.err().map(|error| error.to_string())
}

/// Each key that a list names is read: a list of an empty list is no value of any.
#[test]
fn every_listed_key_is_read() {
    let folder = Folder::new();
    let space = concat!(env!("CARGO_MANIFEST_DIR"), "/search-spaces/quickstart.yaml");
    let search = |rest: &str| format!("{EXPERIMENT}search: {{space: {space}, {rest}}}\n");
    let table = folder.write("t.csv", "");
    let plain = format!("{EXPERIMENT}{VARIANTS}");
    let cases = [
        (plain.clone(), "", "phases"),
        (plain.clone(), "data.", "format"),
        (plain.clone(), "data.limit.", "validation"),
        (plain.replace("side", "augment: {flip: true}, side"), "data.augment.", "pad_crop"),
        (plain.clone(), "train.", "warmup"),
        (
            plain.replace("lr: 0.05", "schedule: {step: {milestones: [1], gamma: 0.1}}"),
            "train.schedule.step.",
            "gamma",
        ),
        (
            plain.replace("lr: 0.05", "schedule: {exponential: {gamma: 0.1}}"),
            "train.schedule.exponential.",
            "gamma",
        ),
        (plain.clone(), "variants[0].", "published"),
        (plain.replace("c16}", "c16, published: {params: 1}}"), "variants[0].published.", "accuracy"),
        (format!("{plain}trainer: {{kind: simulated}}\n"), "trainer.", "seconds_per_epoch"),
        (format!("{plain}failures: {{retry: 1}}\n"), "failures.", "fail_fast"),
        (format!("{plain}checkpoints: {{keep: all}}\n"), "checkpoints.", "disk_budget"),
        (format!("{plain}latency: {{batch: 1}}\n"), "latency.", "rounds"),
        (search("strategy: nsga2, trials: 4"), "search.", "population"),
        (
            search("trials: 4, budget: {kind: asha, min_epochs: 1}").replace("epochs: 1,", "epochs: 9,"),
            "search.budget.",
            "eta",
        ),
        (search("strategy: mnas, trials: 4, reward: {cost: params, target: 9k}"), "search.reward.", "alpha"),
        (
            format!("{EXPERIMENT}search: {{strategy: netadapt, from: mix, cost: madds, target: 1M}}\n"),
            "search.",
            "fine_tune_lr",
        ),
    ];
    for (text, section, one) in cases {
        // An epoch too few for a milestone, say: what matters is which keys are known.
        let file = folder.write(
            "e.yaml",
            text.replace("epochs: 1, batch: 16, schedule", "epochs: 2, batch: 16, schedule"),
        );
        let file = Path::new(&file);
        assert_eq!(load(file, "seed=1"), None, "{section}");
        let keys = listed(file, section);
        assert!(keys.iter().any(|key| key == one), "{section}: {keys:?}");
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{section}: {keys:?}");
        for key in keys {
            // A key of another trainer, which a message for the wrong one names.
            if section == "trainer." && key == "table" {
                continue;
            }
            let message = load(file, &format!("{section}{key}=[[]]"))
                .unwrap_or_else(|| panic!("{section}{key} is not read"));
            assert!(!message.contains("has no key"), "{message}");
        }
    }
    drop(table);
}

#[test]
fn names_of_torchvision_and_timm_lead_to_ours() {
    for (name, ours) in [
        ("shufflenet_v2_x1.5", "shufflenet_v2 width=1.5"),
        ("shufflenet_v2_x1_5", "shufflenet_v2 width=1.5"),
        ("mobilenet_v2_w0.5", "mobilenet_v2 width=0.5"),
        ("mobilenetv2_100", "mobilenet_v2"),
        ("mobilenetv3_small_075", "mobilenet_v3_small width=0.75 variant=paper"),
        ("tf_mobilenetv3_large_100", "mobilenet_v3_large"),
    ] {
        let message = refusal(&["profile", name]);
        assert!(message.contains(&format!("here it is `{ours}`")), "{message}");
        stdout(&["profile", ours]);
    }
    let message = refusal(&["profile", "mobilenet_v3_small", "--set", "se=off"]);
    assert!(message.contains("no option `se`") && !message.contains("did you mean"), "{message}");
    assert!(message.contains("block notation"), "{message}");
}

/// A study's folder stands for its best trial, and a trial has a number, a hash and, as a variant, a name.
#[test]
fn trials_are_named_as_reports_name_them() {
    let folder = Folder::new();
    folder.write(
        "s.yaml",
        "name: s\ninput: 3x16x16\nclasses: 10\nstem: {channels: 8, stride: 2}\nstages:\n\
         - {block: ir, expand: 2, kernel: [3, 5], stride: 2, channels: [8, 12]}\n",
    );
    let text = format!("{EXPERIMENT}{VARIANTS}search: {{space: s.yaml, strategy: grid}}\n");
    let (file, dir) = (folder.write("e.yaml", text), folder.at("study"));
    let printed = stdout(&["run", &file, "--out", &dir]);
    let trials = json(&["status", &dir, "--json"]);
    let trials = trials["trial_list"].as_array().unwrap().clone();
    let best = json(&["status", &dir, "--json"])["best"].clone();
    let label = best["label"].as_str().unwrap();
    let line = format!(
        "Highest validation accuracy: {:.2} % (trial {}, {label}, ",
        best["accuracy"].as_f64().unwrap(),
        best["trial"]
    );
    assert!(printed.contains(&line), "{printed}\n{line}");
    // The best, by default.
    let shown = json(&["profile", &dir, "--json"]);
    assert_eq!((&shown["text"], &shown["params"]), (&best["candidate"], &best["params"]));
    assert_eq!(shown["input"], serde_json::json!([3, 16, 16]));
    let searched = trials.iter().find(|trial| trial["label"].as_str().unwrap().len() == 8).unwrap();
    let (hash, number) = (searched["label"].as_str().unwrap(), searched["trial"].to_string());
    for pick in [&hash[..6], hash, &number] {
        let shown = json(&["profile", &dir, "--trial", pick, "--json"]);
        assert_eq!(shown["text"], searched["candidate"], "{pick}");
        let file = folder.at(&format!("{pick}.onnx"));
        let told = json(&["export", &dir, "--trial", pick, "--out", &file, "--json", "--force"]);
        assert_eq!(told["network"], searched["candidate"], "{pick}");
    }
    let told = json(&["export", &dir, "--trial", "wide", "--out", &folder.at("wide.safetensors"), "--json"]);
    assert!(told["source"].as_str().unwrap().contains("weights of trial"), "{told}");
    let svg = folder.at("best.svg");
    stdout(&["draw", &dir, "--out", &svg]);
    assert!(std::fs::read_to_string(&svg).unwrap().contains(label));
    for (args, expected) in [
        (&["profile", hash][..], "looks like the hash of a candidate"),
        (&["profile", &dir, "--trial", "nosuch"], "--trial nosuch: there is no trial of this number"),
        (&["profile", &dir, "--classes", "3"], "a study's trial has its own"),
        (&["profile", &folder.at("")], "there is no study here"),
        (&["export", &dir, "--seed", "4", "--out", "x.onnx"], "--seed: "),
        (&["predict", "--weights", &folder.at("wide.safetensors"), &dir], "a folder: name the images in it"),
        (
            &["predict", "--weights", &folder.at(&format!("{hash}.onnx")), &svg],
            "an ONNX file, which is for other programs: give the folder of the study",
        ),
    ] {
        let message = refusal(args);
        assert!(message.contains(expected), "{message}");
    }
}

/// The remedy that a message names is accepted: no `--extend` for a level that trials have.
#[test]
fn extend_is_offered_where_it_is_accepted() {
    let folder = Folder::new();
    let space = |levels: &str, more: &str| {
        folder.write(
            "s.yaml",
            format!(
                "name: s\ninput: 3x16x16\nclasses: 10\nstem: {{channels: 8, stride: 2}}\nstages:\n\
                 - {{block: ir, expand: 2, kernel: {levels}, stride: 2, channels: [8, 12]}}\n{more}"
            ),
        )
    };
    space("[3, 5]", "");
    let text = format!("{EXPERIMENT}trainer: simulated\nsearch: {{space: s.yaml, strategy: grid}}\n");
    let (file, dir) = (folder.write("e.yaml", text), folder.at("study"));
    stdout(&["run", &file, "--out", &dir]);
    let refused = |more: &[&str]| {
        let output = output(&[&["run", &file, "--out", &dir], more].concat());
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    for (levels, more) in
        [("[3, 7]", ""), ("3", ""), ("[5, 7]", ""), ("[3, 5]", "constraints: {params: <= 900}\n")]
    {
        space(levels, more);
        let message = refused(&[]);
        assert!(!message.contains("--extend"), "{levels} {more}: {message}");
        assert!(message.contains("candidates that were trained are not in the space any more"), "{message}");
        let dry = stdout(&["run", &file, "--out", &dir, "--dry-run"]);
        assert!(!dry.contains("--extend"), "{dry}");
    }
    space("[3, 5, 7]", "");
    assert!(refused(&[]).contains("give --extend to add this"));
    stdout(&["run", &file, "--out", &dir, "--extend"]);
}

#[test]
fn seeds_that_were_added_later_are_said_where_there_is_a_p() {
    let folder = Folder::new();
    let file = folder.write("e.yaml", format!("{EXPERIMENT}{VARIANTS}trainer: simulated\nseeds: 2\n"));
    let dir = folder.at("study");
    let sentence = "The study began with the seeds 1, 2; 3, 4 were added later (`--extend`)";
    let report = || std::fs::read_to_string(Path::new(&dir).join("report.md")).unwrap();
    stdout(&["run", &file, "--out", &dir]);
    assert!(!report().contains("added later"));
    let printed = stdout(&["run", &file, "--out", &dir, "--extend", "--set", "seeds=4"]);
    assert!(report().contains(sentence) && report().contains("p comes out too small"), "{}", report());
    assert!(printed.contains("p comes out too small"), "{printed}");
    // A study that had all its seeds from the start has nothing to say.
    let fresh = folder.at("fresh");
    stdout(&["run", &file, "--out", &fresh, "--set", "seeds=4"]);
    assert!(!std::fs::read_to_string(Path::new(&fresh).join("report.md")).unwrap().contains("added later"));
}

#[test]
fn effects_of_a_whole_grid_claim_no_other_differences() {
    let folder = Folder::new();
    folder.write(
        "s.yaml",
        "name: s\ninput: 3x16x16\nclasses: 10\nstem: {channels: 8, stride: 2}\nstages:\n\
         - {block: ir, expand: 2, kernel: [3, 5], stride: 2, channels: [8, 16]}\n",
    );
    for (search, is_grid) in [("strategy: grid", true), ("strategy: random, trials: 3", false)] {
        let text = format!("{EXPERIMENT}trainer: simulated\nsearch: {{space: s.yaml, {search}}}\n");
        let (file, dir) = (folder.write("e.yaml", text), folder.at(if is_grid { "grid" } else { "some" }));
        stdout(&["run", &file, "--out", &dir]);
        let report = std::fs::read_to_string(Path::new(&dir).join("report.md")).unwrap();
        let section = report.split("## Effects").nth(1).unwrap();
        assert_eq!(section.contains("Every combination of these levels was trained"), is_grid, "{section}");
        assert_eq!(section.contains("may differ in the other factors too"), !is_grid, "{section}");
    }
}
