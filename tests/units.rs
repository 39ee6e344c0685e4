//! Numbers of another unit than the one that is meant, padding and last batches, as a user meets them.

mod support;

use std::path::Path;

use support::{Folder, json, output, refusal, stdout};

const SPACE: &str = "name: s
input: 3x16x16
classes: 10
stem: {channels: [8, 12], stride: 2}
head: none
stages:
- {block: ir, expand: [2, 4], channels: 16}
";

/// A simulated study, whose table has validation, training and test accuracies in percent.
const SIMULATED: &str = "name: imagined
trainer: {kind: simulated, accuracy: 90 - 300 / sqrt(params) - 20 / epoch, noise: 1}
train: {epochs: 2}
search: {space: s.yaml, strategy: grid}
";

const REPLAYED: &str = "name: again
trainer: {kind: tabular, table: table.csv}
train: {epochs: 2}
search: {space: s.yaml, strategy: grid}
";

const SHAPES: &str = "name: e
data: {format: shapes, validation: 10%, limit: {train: 150, test: 20}}
train: {epochs: 1, batch: 20, lr: 0.05}
variants: [{name: a, network: stem_k3_s2_c8 ir_r1_k3_s2_e2_c8}]
";

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// What a run writes to the terminal as its log, once it has ended well.
fn log(args: &[&str]) -> String {
    let output = output(args);
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    log
}

/// The text of a table with some columns divided by 100 in the rows that are asked for.
fn divided(table: &str, columns: &[&str], rows: fn(usize) -> bool) -> String {
    let mut lines = table.lines();
    let mut text = String::new();
    let header = loop {
        let line = lines.next().unwrap();
        text += &format!("{line}\n");
        if !line.starts_with('#') {
            break line;
        }
    };
    let places: Vec<usize> =
        header.split(',').enumerate().filter(|(_, name)| columns.contains(name)).map(|(at, _)| at).collect();
    assert_eq!(places.len(), columns.len(), "{header}");
    for (number, line) in lines.enumerate() {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        for &place in places.iter().filter(|_| rows(number)) {
            cells[place] = (cells[place].parse::<f64>().unwrap() / 100.0).to_string();
        }
        text += &format!("{}\n", cells.join(","));
    }
    text
}

#[test]
fn fractions_in_a_table_are_named_wherever_it_is_used() {
    let folder = Folder::new();
    folder.write("s.yaml", SPACE);
    let simulated = folder.write("simulated.yaml", SIMULATED);
    let file = folder.write("again.yaml", REPLAYED);
    stdout(&["run", &simulated, "--out", &folder.at("study"), "--json"]);
    let table = folder.at("table.csv");
    stdout(&["table", &folder.at("study"), "--out", &table]);
    let good = read(&table);

    let clean = log(&["run", &file, "--out", &folder.at("good")]);
    assert!(!clean.contains("warning"), "{clean}");
    assert!(!read(folder.join("good/report.md")).contains("Warning"));

    // One column (as in a table that was put together of two sources), some rows, and all accuracies.
    let all = ["acc_1", "acc_2", "train_acc_1", "train_acc_2", "test_acc"];
    for (name, text, part) in [
        (
            "column",
            divided(&good, &all[..2], |_| true),
            "8 of the 20 accuracies in the table are above 0 and at most 1 %",
        ),
        ("rows", divided(&good, &all, |row| row == 1), "5 of the 20 accuracies in the table"),
        ("all", divided(&good, &all, |_| true), "no accuracy of the table is above 1 %"),
    ] {
        folder.write("table.csv", &text);
        let out = folder.at(name);
        let dry = stdout(&["run", &file, "--out", &out, "--dry-run"]);
        assert!(dry.contains("warning: ") && dry.contains(part), "{dry}");
        let said = log(&["run", &file, "--out", &out]);
        assert!(
            said.contains("warning: ") && said.contains(part) && said.contains("by 100"),
            "{name}: {said}"
        );
        let report = read(folder.join(name).join("report.md"));
        assert!(report.contains("**Warnings**") && report.contains(part), "{report}");
        let headline = json(&["report", &out, "--json"]);
        assert!(headline["warnings"][0].as_str().unwrap().contains(part), "{headline}");
        let race = ["compare", &table, "--space", &folder.at("s.yaml"), "--seeds", "2", "--budgets", "2"];
        let raced = output(&race);
        assert!(String::from_utf8_lossy(&raced.stderr).contains(part), "{raced:?}");
        let raced = json(&[&race[..], &["--json"]].concat());
        assert!(raced["warnings"][0].as_str().unwrap().contains(part), "{raced}");
    }
}

#[test]
fn means_and_deviations_of_bytes_are_refused() {
    let folder = Folder::new();
    let weights = folder.at("w.safetensors");
    stdout(&["export", "mix", "--out", &weights]);
    let predict = |mean: &str, std: &str| {
        refusal(&["predict", "--weights", &weights, "--mean", mean, "--std", std, "no-such.png"])
    };
    let said = predict("123.675,116.28,103.53", "58.395,57.12,57.375");
    assert!(
        said.contains("--mean: 123.675 is outside 0 to 1") && said.contains("(0.485,0.456,0.406)"),
        "{said}"
    );
    let said = predict("0.485,0.456,0.406", "58.395,57.12,57.375");
    assert!(
        said.contains("--std: 58.395 is outside 0 to 1") && said.contains("(0.229,0.224,0.225)"),
        "{said}"
    );
    assert!(predict("0.485,0.456,-0.406", "0.2,0.2,0.2").contains("--mean: -0.406 is outside 0 to 1"));
    assert!(predict("0.5,0.5,0.5", "0.2,0,0.2").contains("--std: 0 is no standard deviation"));
    assert!(predict("0.5,0.5,0.5", "0.0009,0.0009,0.0009").contains("divided by 255 twice"));
    // Right ones come as far as the image.
    assert!(predict("0.485,0.456,0.406", "0.229,0.224,0.225").contains("no-such.png"));
}

#[test]
fn settings_in_another_unit_are_refused_or_named() {
    let folder = Folder::new();
    let with = |from: &str, to: &str| {
        assert!(SHAPES.contains(from));
        folder.write("e.yaml", SHAPES.replace(from, to))
    };
    let refused =
        |from: &str, to: &str| refusal(&["run", &with(from, to), "--out", &folder.at("none"), "--dry-run"]);
    let said = refused("network:", "published: {accuracy: 0.91}, network:");
    assert!(
        said.contains("published.accuracy: 0.91 looks like a fraction") && said.contains("write 91"),
        "{said}"
    );
    let said = refused("network:", "published: {params: 2.25}, network:");
    assert!(said.contains("write 2.25M for 2,250,000"), "{said}");
    assert!(refused("lr: 0.05", "momentum: 90").contains("for 90 % write 0.9"));

    let named = |name: &str, from: &str, to: &str| {
        let file = with(from, to);
        let out = folder.at(name);
        let said = log(&["run", &file, "--out", &out]);
        (said, read(folder.join(name).join("report.md")))
    };
    let (said, report) = named("lr", "lr: 0.05", "lr: 2");
    let part = "train.lr: 2 is large for batches of 20; rates are factors, so for 2 % write 0.02";
    assert!(said.contains(&format!("warning: {part}")) && report.contains(part), "{said}");
    let (said, report) = named("held", "validation: 10%", "validation: 20");
    let part = "data.validation: 20 holds out 20 of ";
    assert!(said.contains(part) && said.contains("for 20 % write 0.2") && report.contains(part), "{said}");
    let (said, report) = named("published", "network:", "published: {params: 2}, network:");
    assert!(
        said.contains("published.params of a: 2 where the network has")
            && report.contains("write such as 2M"),
        "{said}"
    );
}

#[test]
fn the_images_of_an_epoch_are_told_and_the_last_batch_is_as_asked() {
    let folder = Folder::new();
    let file = folder.write("e.yaml", SHAPES);
    let run = |name: &str, set: &[&str]| {
        let out = folder.at(name);
        let sets: Vec<&str> = set.iter().flat_map(|set| ["--set", *set]).collect();
        let said = log(&[&["run", file.as_str(), "--out", &out, "--jobs", "1"], &sets[..]].concat());
        let report = read(folder.join(name).join("report.md"));
        let journal = read(folder.join(name).join("journal.jsonl"));
        let epoch = journal.lines().find(|line| line.contains("epoch_finished")).unwrap();
        let epoch: serde_json::Value = serde_json::from_str(epoch).unwrap();
        let taken = epoch["epoch"]["train"]["images"].as_u64().unwrap();
        let line = report.lines().find_map(|line| line.strip_prefix("- **Epoch**: ")).unwrap().to_owned();
        assert!(said.contains(&format!("an epoch takes {line}")), "{said}");
        (taken, line)
    };
    // 150 images in batches of 20: 10 are left, which is half a batch; of 149 9 are.
    assert_eq!(run("half", &[]), (150, "all 150 training images in 8 batches of 20, the last of 10".into()));
    let (taken, line) = run("less", &["data.limit.train=149"]);
    let left = "140 of the 149 training images in 7 batches of 20; the other 9, different ones in every epoch, are less than half a batch";
    assert!(taken == 140 && line.starts_with(left), "{taken} {line}");
    let kept = run("kept", &["data.limit.train=149", "train.drop_last=false"]);
    assert_eq!(kept, (149, "all 149 training images in 8 batches of 20, the last of 9".into()));
    let (taken, line) = run("dropped", &["train.drop_last=true"]);
    assert!(taken == 140 && line.ends_with("do not fill a batch (train.drop_last)"), "{taken} {line}");
    let too_few = [
        "run",
        &file,
        "--out",
        &folder.at("none"),
        "--set",
        "train.drop_last=true",
        "--set",
        "data.limit.train=19",
    ];
    assert!(refusal(&too_few).contains("19 training images do not fill a batch of 20"));
    let dry = stdout(&["run", &file, "--out", &folder.at("none"), "--dry-run"]);
    assert!(dry.contains("each takes all 150 training images in 8 batches of 20, the last of 10"), "{dry}");
}

#[test]
fn paddings_give_other_trainings_and_are_told() {
    let folder = Folder::new();
    let file = folder.write("e.yaml", SHAPES);
    let run = |name: &str, augment: &str| {
        let set = format!("data.augment={augment}");
        let out = folder.at(name);
        let done = json(&["run", &file, "--out", &out, "--json", "--set", &set]);
        (done["results_hash"].as_str().unwrap().to_owned(), read(folder.join(name).join("report.md")))
    };
    let (unsaid, report) = run("unsaid", "{pad_crop: 4}");
    assert!(
        report.contains("padded by 4 pixels of zeros after normalisation (the mean colour) and cropped"),
        "{report}"
    );
    assert_eq!(run("zero", "{pad_crop: 4, pad: zero}").0, unsaid);
    let (black, report) = run("black", "{pad_crop: 4, pad: black}");
    assert!(
        black != unsaid && report.contains("padded by 4 pixels of black (zeros before normalisation)"),
        "{report}"
    );
    let (reflect, report) = run("reflect", "{pad_crop: 4, pad: reflect}");
    assert!(
        reflect != unsaid && reflect != black && report.contains("of the image reflected at its edge"),
        "{report}"
    );
    let said = refusal(&["run", &file, "--out", &folder.at("none"), "--set", "data.augment.pad=black"]);
    assert!(said.contains("add `pad_crop: 4`"), "{said}");
}
