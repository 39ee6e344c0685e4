//! A real study, killed at random moments and continued until it ends: the same results to the bit.
#![cfg(unix)]

mod support;

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use support::{Folder, blocksmith, json, stdout};

const EXPERIMENT: &str = "name: small
seeds: [1, 2]
data: {format: shapes, side: 16, validation: 60, limit: {train: 240, test: 60}}
train: {epochs: 3, batch: 16, lr: 0.05, schedule: cosine}
variants:
- {name: narrow, network: stem_s2_c8 ir_s2_e2_c16}
- {name: squeezed, network: stem_s2_c8 cse_s2_c16_cap4_rr4}
";

const KILLS: usize = 50;

/// What became of the kills.
#[derive(Debug, Default)]
struct Tally {
    /// In the middle of the study.
    kills: usize,
    /// Of these, with an unfinished trial's checkpoint on the disk.
    with_checkpoint: usize,
    /// Studies that were run to their end.
    studies: usize,
    /// Trials that went on from a checkpoint.
    resumed: usize,
}

#[test]
fn killed_at_random_moments_it_ends_with_the_same_results() {
    let folder = Folder::new();
    let file = folder.write("small.yaml", EXPERIMENT);
    let whole = folder.at("whole");
    stdout(&["run", &file, "--out", &whole, "--jobs", "2"]);
    let results = |dir: &str| json(&["status", dir, "--json"])["results_hash"].as_str().unwrap().to_owned();
    let expected = results(&whole);

    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(20);
    let mut tally = Tally::default();
    while tally.kills < KILLS {
        let dir = folder.at(&format!("killed-{}", tally.studies));
        loop {
            // Every step leaves a checkpoint, so that kills hit the writing of one too.
            let mut child =
                blocksmith(&["run", &file, "--out", &dir, "--jobs", "2", "--checkpoint-every", "0"])
                    .spawn()
                    .unwrap();
            std::thread::sleep(Duration::from_millis(rng.random_range(30..400)));
            if child.try_wait().unwrap().is_some_and(|status| status.success()) {
                break;
            }
            child.kill().unwrap();
            let ended = child.wait_with_output().unwrap();
            // It may have ended by itself between the two.
            if ended.status.success() {
                break;
            }
            assert_eq!(ended.status.code(), None, "{}", String::from_utf8_lossy(&ended.stderr));
            tally.kills += 1;
            let checkpoints = std::fs::read_dir(std::path::Path::new(&dir).join("checkpoints"));
            let unfinished =
                |entry: &std::fs::DirEntry| entry.path().extension().is_some_and(|e| e == "unfinished");
            let any = checkpoints.is_ok_and(|mut entries| entries.any(|entry| unfinished(&entry.unwrap())));
            tally.with_checkpoint += usize::from(any);
        }
        assert_eq!(results(&dir), expected, "after {} kills", tally.kills);
        let journal = std::fs::read_to_string(std::path::Path::new(&dir).join("journal.jsonl")).unwrap();
        tally.resumed += journal.matches("\"trial_resumed\"").count();
        tally.studies += 1;
    }
    println!("{tally:?}");
    assert!(tally.with_checkpoint > 0 && tally.resumed > 0, "{tally:?}");
}
