//! `predict` and training from given weights, as a user meets them: a small study, its trials, its exported files.

mod support;

use std::path::Path;

use blocksmith::config::Augment;
use blocksmith::config::{DataConfig, DataFormat, Limit};
use blocksmith::data::shapes;
use support::{Folder, json, output, refusal, stdout};

const EXPERIMENT: &str = "name: small
data: {format: shapes, side: 16, validation: 60, limit: {train: 240, test: 60}}
train: {epochs: 2, batch: 16, lr: 0.05}
variants:
- {name: narrow, network: stem_s2_c8 ir_s2_e2_c16}
";

/// A study of one trial.
fn study(folder: &Folder) -> String {
    let (file, dir) = (folder.write("small.yaml", EXPERIMENT), folder.at("study"));
    stdout(&["run", &file, "--out", &dir]);
    dir
}

/// The first images of the built-in set's test split as PNG files, `shape-0.png` on.
fn pictures(folder: &Folder, count: usize) -> Vec<String> {
    let pool = shapes::open(Some(16)).unwrap().test;
    let write = |at: usize| {
        let path = folder.at(&format!("shape-{at}.png"));
        image::RgbImage::from_raw(16, 16, pool.image(at).to_vec()).unwrap().save(&path).unwrap();
        path
    };
    (0..count).map(write).collect()
}

#[test]
fn a_trained_trial_classifies_as_the_study_measured_it() {
    let folder = Folder::new();
    let dir = study(&folder);
    // The study's test images are those of the whole set that its limit left.
    let config = DataConfig {
        format: DataFormat::Shapes,
        path: None,
        side: Some(16),
        validation: 60.0,
        limit: Limit { train: Some(240), validation: None, test: Some(60) },
        augment: Augment::OFF,
    };
    let data = blocksmith::data::load(&config, 1, None).unwrap();
    let test = data.test.open_test();
    let write = |at: usize| {
        let path = folder.at(&format!("test-{at}.png"));
        image::RgbImage::from_raw(16, 16, test.image(at).to_vec()).unwrap().save(&path).unwrap();
        path
    };
    let files: Vec<String> = (0..test.len()).map(write).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let predicted = json(&[&["predict", "--weights", &dir, "--json", "--top", "1"][..], &files].concat());
    let predicted = predicted.as_array().unwrap();
    let right = |at: &usize| predicted[*at]["predictions"][0]["index"] == test.label(*at);
    let right = (0..test.len()).filter(right).count();
    let journal = std::fs::read_to_string(Path::new(&dir).join("journal.jsonl")).unwrap();
    let tested: serde_json::Value =
        serde_json::from_str(journal.lines().find(|line| line.contains("test_evaluated")).unwrap()).unwrap();
    let accuracy = tested["test"]["accuracy"].as_f64().unwrap();
    assert_eq!(100.0 * right as f64 / test.len() as f64, accuracy);
}

#[test]
fn every_source_of_the_weights_says_the_same() {
    let folder = Folder::new();
    let dir = study(&folder);
    let picture = pictures(&folder, 1).remove(0);
    let said = stdout(&["predict", "--weights", &dir, &picture]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines.len(), lines[0]), (6, picture.as_str()), "{said}");
    let share = |line: &str| line.split('%').next().unwrap().trim().parse::<f64>().unwrap();
    assert!(lines[1..].is_sorted_by(|a, b| share(a) >= share(b)), "{said}");
    assert!(lines[1..].iter().all(|line| line.contains("striped") || line.contains("checked")), "{said}");
    let (exported, folded) = (folder.at("best.safetensors"), folder.at("folded.safetensors"));
    stdout(&["export", &dir, "--trial", "1", "--out", &exported]);
    stdout(&["export", &dir, "--out", &folded, "--fold"]);
    let checkpoint = format!("{dir}/checkpoints/trial-0001.safetensors");
    for weights in [&exported, &folded, &checkpoint] {
        assert_eq!(stdout(&["predict", "--weights", weights, &picture]), said, "{weights}");
    }
    assert_eq!(stdout(&["predict", "--weights", &dir, "--trial", "1", &picture]), said);
    let labels = folder.write("labels.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
    let one =
        json(&["predict", "--weights", &exported, "--labels", &labels, "--json", "--top", "20", &picture]);
    let predictions = one[0]["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 10);
    let sum: f64 = predictions.iter().map(|p| p["probability"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    assert!(predictions.iter().all(|p| p["class"].as_str().unwrap().len() == 1));
    // The ONNX file of a trial says how its images were normalised.
    let onnx = folder.at("best.onnx");
    stdout(&["export", &dir, "--out", &onnx]);
    let bytes = std::fs::read(onnx).unwrap();
    for said in ["normalisation", "class_names", "striped disc"] {
        assert!(bytes.windows(said.len()).any(|window| window == said.as_bytes()), "{said}");
    }
}

#[test]
fn what_is_no_image_is_named_and_the_others_classified() {
    let folder = Folder::new();
    let dir = study(&folder);
    let mut files = pictures(&folder, 2);
    files.insert(1, folder.write("text.png", "no image"));
    files.push(folder.at("none.png"));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let out = output(&[&["predict", "--weights", &dir][..], &files].concat());
    assert_eq!(out.status.code(), Some(2));
    let (said, error) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
    assert!(said.contains("shape-0.png") && said.contains("shape-1.png"), "{said}");
    assert!(error.starts_with("error: 2 of 4 images cannot be read: "), "{error}");
    assert!(error.contains("text.png (") && error.contains("none.png ("), "{error}");
    let json = output(&[&["predict", "--json", "--weights", &dir][..], &files].concat());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(json[1]["error"].is_string() && json[2]["predictions"].is_array());
}

#[test]
fn weights_that_cannot_classify_are_refused() {
    let folder = Folder::new();
    let dir = study(&folder);
    let picture = pictures(&folder, 1).remove(0);
    let random = folder.at("random.safetensors");
    stdout(&["export", "stem_s2_c8 ir_s2_e2_c16", "--out", &random]);
    let labels = folder.write("labels.txt", "a\nb\n");
    for (args, expected) in [
        (&["--weights", &random][..], "do not say how their images were normalised: give --mean and --std"),
        (&["--weights", &dir, "--trial", "2"], "there is no trial 2: the study has trials 1 to 1"),
        (&["--weights", &dir, "--network", "mix"], "a study's trial has its own"),
        (&["--weights", &dir, "--labels", &labels], "2 names for 10 classes"),
        (&["--weights", &random, "--trial", "1"], "is not a study's folder"),
        (
            &["--weights", &random, "--mean", "0,0,0", "--std", "1,1,0"],
            "--std: 0 is no standard deviation, which is above 0",
        ),
        (&["--weights", &random, "--network", "mix"], "the weights do not fit"),
        (&["--weights", &picture], "not a safetensors file"),
    ] {
        let message = refusal(&[&["predict"][..], args, &[&picture]].concat());
        assert!(message.contains(expected), "{message}\n  does not contain\n{expected}");
    }
    let means = ["--mean", "0.5,0.5,0.5", "--std", "0.2,0.2,0.2"];
    let said = stdout(&[&["predict", "--weights", &random][..], &means, &[&picture]].concat());
    assert!(said.contains("class "), "{said}");
}

/// Trials start where the weights left off: the first epoch of the second study is better than that of the first.
#[test]
fn training_starts_from_given_weights() {
    let folder = Folder::new();
    let dir = study(&folder);
    let weights = folder.at("w.safetensors");
    stdout(&["export", &dir, "--out", &weights]);
    let file =
        folder.write("again.yaml", EXPERIMENT.replace("lr: 0.05", "lr: 0.0001, weights: w.safetensors"));
    let (again, by_flag) = (folder.at("again"), folder.at("by-flag"));
    stdout(&["run", &file, "--out", &again]);
    let status = |dir: &str| json(&["status", dir, "--json"]);
    let loss = |dir: &str| -> Vec<f64> {
        let journal = std::fs::read_to_string(Path::new(dir).join("journal.jsonl")).unwrap();
        let epochs = journal.lines().filter(|line| line.contains("epoch_finished"));
        let loss = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["epoch"]["validation"]["loss"].as_f64().unwrap()
        };
        epochs.map(loss).collect()
    };
    let (first, second) = (loss(&dir), loss(&again));
    assert!((second[0] - first[1]).abs() < 0.1 * (first[0] - first[1]).abs() + 0.02, "{first:?} {second:?}");
    // The same by flag; and the study goes on with these weights alone.
    let small = folder.at("small.yaml");
    stdout(&["run", &small, "--weights", &weights, "--set", "train.lr=0.0001", "--out", &by_flag]);
    assert_eq!(status(&by_flag)["results_hash"], status(&again)["results_hash"]);
    let other = folder.at("other.safetensors");
    stdout(&["export", "stem_s2_c8 ir_s2_e2_c16", "--input", "3x16x16", "--out", &other]);
    let message =
        output(&["run", &small, "--weights", &other, "--set", "train.lr=0.0001", "--out", &by_flag]);
    let error = String::from_utf8(message.stderr).unwrap();
    assert_eq!(message.status.code(), Some(2));
    assert!(error.contains("train.weights.hash"), "{error}");
    let report = std::fs::read_to_string(Path::new(&again).join("report.md")).unwrap();
    assert!(report.contains("starting from the weights of w.safetensors"), "{report}");
}

#[test]
fn weights_of_another_network_are_refused_before_anything_is_trained() {
    let folder = Folder::new();
    let (seven, wide) = (folder.at("seven.safetensors"), folder.at("wide.safetensors"));
    stdout(&["export", "stem_s2_c8 ir_s2_e2_c16", "--classes", "7", "--out", &seven]);
    stdout(&["export", "stem_s2_c12 ir_s2_e2_c16", "--out", &wide]);
    let folded = folder.at("folded.safetensors");
    stdout(&["export", "stem_s2_c8 ir_s2_e2_c16", "--fold", "--out", &folded]);
    for (weights, expected) in [
        ("seven", "its classifier tells 7 classes apart, and stem_s2_c8 ir_s2_e2_c16 here tells 10"),
        ("wide", "stem.weight has shape [12, 3, 3, 3], not [8, 3, 3, 3]"),
        ("folded", "batch norm is folded into these weights"),
        ("none", "cannot be read"),
    ] {
        let weights = format!("weights: {weights}.safetensors");
        let file = folder.write("bad.yaml", EXPERIMENT.replace("lr: 0.05", &weights));
        let message = refusal(&["run", &file, "--out", &folder.at("out")]);
        assert!(
            message.contains("bad.yaml:3:40: train.weights: ") && message.contains(expected),
            "{message}"
        );
        assert!(!folder.join("out").exists());
    }
    let file = folder.write("good.yaml", EXPERIMENT);
    let message = refusal(&["run", &file, "--weights", &seven, "--out", &folder.at("out")]);
    assert!(message.starts_with("--weights ") && message.contains("7 classes"), "{message}");
}
