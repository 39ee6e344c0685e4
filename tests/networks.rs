//! A network is what is built, not how it is written.

mod support;

use std::fs;

use serde_json::Value;
use support::{Folder, json, output, refusal, stdout};

/// Values by hand: 8 channels expanded twice are 16, and a squeeze of 16 is 8 at each of the ratios (torchvision's rounding).
#[test]
fn spellings_of_one_network_are_profiled_alike() {
    let profile = |network: &str| {
        let said = json(&["profile", network, "--json"]);
        (said["hash"].clone(), said["text"].clone())
    };
    let first = profile("stem_c8 ir_e2_c8_se0.125");
    assert_eq!(first.1, "stem_k3_s1_c8 ir_r1_k3_s1_e2_c8_se0.25");
    for spelled in
        ["stem_c8 ir_h16_c8_se0.25", "stem_c8 ir_e2.01_c8_se0.5", "stem_k3_s1_c8 ir_r1_e2_c8_se0.3_nr6"]
    {
        assert_eq!(profile(spelled), first, "{spelled}");
    }
    assert_ne!(profile("stem_c8 ir_e6_c8_se0.5").0, first.0);
    // A name and its definition are one network, too.
    let mix = profile("mix");
    assert_eq!(profile(mix.1.as_str().unwrap()), mix);
    assert_eq!(profile("mobilenet_v3_small width=0.501"), profile("mobilenet_v3_small width=0.5"));
}

#[test]
fn equal_variants_are_refused_whatever_they_say() {
    let folder = Folder::new();
    let file = folder.write(
        "e.yaml",
        "name: twice\ndata: {format: cifar10}\ntrain: {epochs: 1}\ntrainer: simulated\nvariants:\n\
         - {name: quarter, network: stem_c8 ir_e2_c8_se0.25}\n- {name: half, network: stem_c8 ir_h16_c8_se0.5}\n",
    );
    let said = refusal(&["run", &file, "--out", &folder.at("out")]);
    assert!(said.contains("variant half is the same network as variant quarter"), "{said}");
    assert!(said.contains("build the same layers, `stem_k3_s1_c8 ir_r1_k3_s1_e2_c8_se0.25`"), "{said}");
}

const SPACE: &str = "name: s\ninput: 3x32x32\nclasses: 10\nstem: {channels: 8}\nhead: none\n\
    stages: [{block: ir, expand: [2, 6], se: [0.125, 0.25, 0.5], channels: 8}]\n";

/// The grid of expand {2, 6} and se {0.125, 0.25, 0.5}, in which expand 2 has one network: 4 networks are trained, and all 6 cells
/// count. The expected means are those of the trials that ran, put into the cells by hand.
#[test]
fn a_merged_network_counts_at_every_level_that_leads_to_it() {
    let folder = Folder::new();
    let space = folder.write("s.yaml", SPACE);
    let told = stdout(&["enumerate", &space]);
    assert!(told.contains("networks    4 distinct"), "{told}");
    let coincide = "stages[0].se: 0.125, 0.25 and 0.5 are one network where stages[0].expand is 2";
    assert!(told.contains(coincide), "{told}");
    assert_eq!(json(&["enumerate", &space, "--json"])["networks"], 4);

    let file = folder.write(
        "e.yaml",
        "name: grid\nseeds: 1\ndata: {format: cifar10}\ntrain: {epochs: 2}\n\
         trainer: {kind: simulated, noise: 3.0}\nsearch: {space: s.yaml, strategy: grid}\n",
    );
    let dir = folder.at("out");
    assert_eq!(json(&["run", &file, "--out", &dir, "--json"])["trials"], 4);
    let report = fs::read_to_string(folder.join("out").join("report.md")).unwrap();
    assert!(report.contains("The 6 candidates are 4 distinct networks"), "{report}");
    assert!(report.contains(coincide), "{report}");

    let mut csv = csv::Reader::from_path(folder.join("out").join("trials.csv")).unwrap();
    let header = csv.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|found| found == name).unwrap();
    let (expand, se, accuracy) =
        (column("stages[0].expand"), column("stages[0].se"), column("validation_accuracy"));
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let cell = |wanted: &str, ratio: &str| -> f64 {
        let is_it =
            |row: &&csv::StringRecord| &row[expand] == wanted && row[se].split('|').any(|one| one == ratio);
        rows.iter().find(is_it).unwrap()[accuracy].parse().unwrap()
    };
    let means = ["0.125", "0.25", "0.5"].map(|ratio| (cell("2", ratio) + cell("6", ratio)) / 2.0);
    let range = means.iter().fold(f64::MIN, |a, b| a.max(*b)) - means.iter().fold(f64::MAX, |a, b| a.min(*b));
    let effects = json(&["report", &dir, "--json"])["effects"].clone();
    let effect = |factor: &str| -> Value {
        effects.as_array().unwrap().iter().find(|effect| effect["factor"] == factor).unwrap().clone()
    };
    let of_se = effect("stages[0].se");
    assert!((of_se["range"].as_f64().unwrap() - range).abs() < 1e-9, "{of_se}");
    for (level, mean) in of_se["levels"].as_array().unwrap().iter().zip(means) {
        assert!((level["accuracy"]["mean"].as_f64().unwrap() - mean).abs() < 1e-9, "{level}");
        assert_eq!(level["accuracy"]["n"], 2);
    }
    assert_eq!(effect("stages[0].expand")["levels"][0]["accuracy"]["n"], 3);
}

/// A study that began before networks were known by their layers, with two variants that are one network and one that is not
/// written as its layers are: it goes on from wherever it stopped, to the bit. `tests/fixtures/before` is the journal of
/// the version before with its experiment; the hash is what that version printed at the end.
#[test]
fn a_study_of_before_goes_on_to_the_bit() {
    const RESULTS: &str = "930d456f5321d580c7c4f81d3449219b1b9c1f8e69cf7081b3e5adcbab0c3ecb";
    let journal = fs::read_to_string("tests/fixtures/before/journal.jsonl").unwrap();
    let lines: Vec<&str> = journal.lines().collect();
    let first = lines.iter().position(|line| line.contains("\"trial_queued\"")).unwrap();
    for kept in [first + 1, first + 3, lines.len() / 4, lines.len() / 2, lines.len() - 3, lines.len()] {
        let folder = Folder::new();
        for name in ["e.yaml", "s.yaml"] {
            folder.write(name, fs::read_to_string(format!("tests/fixtures/before/{name}")).unwrap());
        }
        // Begun now, the two variants are one.
        let (file, dir) = (folder.at("e.yaml"), folder.at("out"));
        let said = refusal(&["run", &file, "--out", &dir]);
        assert!(said.contains("variant again is the same network as variant two"), "{said}");
        fs::create_dir(&dir).unwrap();
        let cut: String = lines[..kept].iter().map(|line| format!("{line}\n")).collect();
        folder.write("out/journal.jsonl", cut);
        let ran = output(&["run", &file, "--out", &dir, "--json"]);
        let stderr = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "after {kept} lines: {stderr}");
        let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(said["results_hash"], RESULTS, "after {kept} lines");
    }
}
