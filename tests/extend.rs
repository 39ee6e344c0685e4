//! `run --extend`: a study that is given more ends with the results of one that had it from the start.
#![cfg(unix)]

mod support;

use std::path::Path;

use rand::{RngExt, SeedableRng};
use support::{Folder, blocksmith, json, output, stdout};

const SPACE: &str = "name: s
input: 3x16x16
classes: 10
stem: {channels: 8, stride: 2}
stages:
- {block: ir, expand: 2, kernel: [3], stride: 2, channels: [8, 12]}
";

fn experiment(seeds: &str, train: &str, rest: &str) -> String {
    format!(
        "name: small\nseeds: {seeds}\n\
         data: {{format: shapes, side: 16, validation: 60, limit: {{train: 160, test: 60}}}}\n\
         train: {{batch: 16, lr: 0.05, {train}}}\n{rest}"
    )
}

const NARROW: &str = "variants:\n- {name: narrow, network: stem_s2_c8 ir_s2_e2_c16}\n";
const BOTH: &str = "variants:\n- {name: squeezed, network: stem_s2_c8 cse_s2_c16_cap4_rr4}\n\
                    - {name: narrow, network: stem_s2_c8 ir_s2_e2_c16}\n";
const GRID: &str = "search: {space: s.yaml, strategy: grid}\n";

fn results(dir: &str) -> String {
    json(&["status", dir, "--json"])["results_hash"].as_str().unwrap().to_owned()
}

fn journal(dir: &str) -> String {
    std::fs::read_to_string(Path::new(dir).join("journal.jsonl")).unwrap()
}

/// Runs a command that must be refused; its message in several lines.
fn refused(args: &[&str]) -> String {
    let output = output(args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    stderr
}

/// More seeds, variants, levels, and epochs all at once, killed at random moments.
#[test]
fn extended_and_killed_it_ends_as_a_fresh_study() {
    let folder = Folder::new();
    let (file, space) = (folder.write("e.yaml", ""), folder.write("s.yaml", SPACE));
    let before = experiment("[1]", "epochs: 2, schedule: constant", &format!("{NARROW}{GRID}"));
    let after = experiment("[2, 1]", "epochs: 3, schedule: constant", &format!("{BOTH}{GRID}"));
    let wider = SPACE.replace("kernel: [3]", "kernel: [5, 3]");

    let dir = folder.at("study");
    std::fs::write(&file, &before).unwrap();
    stdout(&["run", &file, "--out", &dir]);
    let begun = journal(&dir);
    std::fs::write(&file, &after).unwrap();
    std::fs::write(&space, &wider).unwrap();

    let message = refused(&["run", &file, "--out", &dir]);
    for line in [
        "search.space.stages[0].kernel: nothing in the journal, [\"5\",\"3\"] in the file",
        "seeds: [1] in the journal, [2,1] in the file",
        "train.epochs: 2 in the journal, 3 in the file",
        "variants[squeezed]: nothing in the journal, ",
        "give --extend to add this to the study",
    ] {
        assert!(message.contains(line), "{message}\n  does not have\n{line}");
    }
    assert_eq!(journal(&dir), begun);

    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let mut kills = 0;
    loop {
        let mut child = blocksmith(&["run", &file, "--out", &dir, "--extend", "--checkpoint-every", "0"])
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(rng.random_range(50..400)));
        if child.try_wait().unwrap().is_none() && kills < 10 {
            child.kill().unwrap();
            kills += 1;
        }
        let ended = child.wait_with_output().unwrap();
        if ended.status.success() {
            break;
        }
        assert_eq!(ended.status.code(), None, "{}", String::from_utf8_lossy(&ended.stderr));
    }
    let text = journal(&dir);
    assert!(text.starts_with(&begun), "nothing that was is changed");
    assert_eq!(text.matches("\"study_extended\"").count(), 1);
    // 3 variants and candidates with one seed before; 6 with two after.
    assert_eq!(text.matches("\"trial_queued\"").count(), 12);
    let first = text[begun.len()..]
        .lines()
        .filter(|line| line.contains("\"trial\":1,") && line.contains("epoch_finished"));
    assert!(
        first.clone().count() >= 1 && !first.clone().any(|line| line.contains("\"epoch\":{\"epoch\":1,")),
        "goes on"
    );

    let whole = folder.at("fresh");
    stdout(&["run", &file, "--out", &whole]);
    assert_eq!(results(&dir), results(&whole), "after {kills} kills");
    // And without the flag it is finished.
    assert!(stdout(&["run", &file, "--out", &dir]).contains("this study is finished"));
}

/// Random candidates of a wider space: those that are trained count, and the rest comes from the new space.
#[test]
fn searched_candidates_stay_and_count() {
    let folder = Folder::new();
    let space = folder.write("s.yaml", SPACE.replace("kernel: [3]", "kernel: [3, 5]"));
    let search = |trials: usize| format!("search: {{space: s.yaml, strategy: random, trials: {trials}}}\n");
    let file = folder.write("e.yaml", experiment("[1]", "epochs: 1", &search(2)));
    let dir = folder.at("study");
    stdout(&["run", &file, "--out", &dir]);
    let queued = |dir: &str| -> Vec<String> {
        let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let events =
            journal(dir).lines().map(line).filter(|e| e["event"] == "trial_queued").collect::<Vec<_>>();
        events.iter().map(|e| e["candidate"]["text"].as_str().unwrap().to_owned()).collect()
    };
    let first = queued(&dir);

    std::fs::write(
        &space,
        SPACE.replace("kernel: [3]", "kernel: [7, 3, 5]").replace("[8, 12]", "[8, 12, 16]"),
    )
    .unwrap();
    std::fs::write(&file, experiment("[1]", "epochs: 1", &search(5))).unwrap();
    stdout(&["run", &file, "--out", &dir, "--extend"]);
    let all = queued(&dir);
    assert_eq!(all[..2], first);
    assert_eq!(all.len(), 5, "{all:?}");
    assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), 5);

    // More of the same space is what a fresh study would have drawn.
    let (whole, part) = (folder.at("whole"), folder.at("part"));
    std::fs::write(&file, experiment("[1]", "epochs: 1", &search(3))).unwrap();
    stdout(&["run", &file, "--out", &part]);
    std::fs::write(&file, experiment("[1]", "epochs: 1", &search(6))).unwrap();
    stdout(&["run", &file, "--out", &part, "--extend"]);
    stdout(&["run", &file, "--out", &whole]);
    assert_eq!(results(&part), results(&whole));

    // A level of the journal's candidates that is gone is no extension.
    std::fs::write(&space, SPACE.replace("kernel: [3]", "kernel: [9]".replace('9', "7").as_str())).unwrap();
    let message = refused(&["run", &file, "--out", &part, "--extend"]);
    assert!(message.contains("of the journal's 6 candidates are not proposed now: "), "{message}");
    assert!(message.contains("stages[0].kernel: 3, 5, 7 in the journal's candidates"), "{message}");
}

#[test]
fn a_cosine_schedule_cannot_be_extended() {
    let folder = Folder::new();
    let file = folder.write("e.yaml", experiment("[1]", "epochs: 1", NARROW));
    let dir = folder.at("study");
    stdout(&["run", &file, "--out", &dir]);
    let message = refused(&["run", &file, "--out", &dir, "--set", "train.epochs=2", "--extend"]);
    let line = "train.epochs: 1 in the journal, 2 in the file (a cosine schedule runs over all epochs, so every learning rate \
                would be another)";
    assert!(message.contains(line), "{message}");
}
