//! What ends a run from outside: signals, a journal that goes while the study runs, and what killed processes leave.
#![cfg(unix)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{Folder, blocksmith, json, stdout};

/// Enough short epochs for a signal to come in time.
const LONG: &str = "name: long
seeds: 1
data: {format: shapes, side: 16, validation: 60, limit: {train: 240, test: 60}}
train: {epochs: 24, batch: 16, lr: 0.05}
variants: [{name: a, network: stem_s2_c8 ir_s2_e2_c16}]
";

fn send(signal: &str, child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

fn wait_for(child: &mut Child, what: &str, is_there: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(120);
    while !is_there() {
        assert!(Instant::now() < patience && child.try_wait().unwrap().is_none(), "no {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn journal(dir: &str) -> std::path::PathBuf {
    Path::new(dir).join("journal.jsonl")
}

/// Waits until the study in `dir` has its first epoch.
fn wait_for_an_epoch(child: &mut Child, dir: &str) {
    wait_for(child, "epoch", || fs::read_to_string(journal(dir)).is_ok_and(|text| text.contains("\"epoch_")));
}

#[test]
fn every_signal_that_asks_to_end_leaves_a_checkpoint() {
    let folder = Folder::new();
    let file = folder.write("long.yaml", LONG);
    let whole = folder.at("whole");
    stdout(&["run", &file, "--out", &whole]);
    let hash = |dir: &str| json(&["status", dir, "--json"])["results_hash"].clone();
    for (signal, code, name) in [("-TERM", 143, "SIGTERM"), ("-HUP", 129, "SIGHUP"), ("-INT", 130, "Ctrl-C")]
    {
        let dir = folder.at(name);
        let mut child = blocksmith(&["run", &file, "--out", &dir]).spawn().unwrap();
        wait_for_an_epoch(&mut child, &dir);
        let start = Instant::now();
        send(signal, &child);
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(code), "{stderr}");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert!(stderr.contains(&format!("{name}: stopping after the step under way")), "{stderr}");
        assert!(
            stderr.contains(&format!(
                "interrupted by {name}: the same command continues where this run stopped"
            )),
            "{stderr}"
        );
        assert!(Path::new(&dir).join("checkpoints/trial-0001.unfinished").is_file());
        assert!(fs::read_to_string(journal(&dir)).unwrap().contains("study_interrupted"));
        stdout(&["run", &file, "--out", &dir]);
        assert!(
            fs::read_to_string(journal(&dir)).unwrap().contains("trial_resumed"),
            "it went on from there"
        );
        assert_eq!(hash(&dir), hash(&whole), "{name} changed the numbers");
    }
}

/// `nohup` has a process ignore SIGHUP before it begins.
#[test]
fn a_hang_up_that_is_ignored_stays_ignored() {
    let folder = Folder::new();
    let file = folder.write("long.yaml", LONG);
    let dir = folder.at("out");
    let run = format!("trap '' HUP; exec {} run {file} --out {dir}", env!("CARGO_BIN_EXE_blocksmith"));
    let mut child = Command::new("sh").args(["-c", &run]).stdout(Stdio::null()).spawn().unwrap();
    wait_for_an_epoch(&mut child, &dir);
    send("-HUP", &child);
    assert!(child.wait().unwrap().success());
    assert_eq!(json(&["status", &dir, "--json"])["state"], "finished");
}

/// Where there is nothing to finish the first signal ends the command at once, with its code.
#[test]
fn commands_that_train_no_study_end_at_once() {
    let folder = Folder::new();
    // Images of this size take a while to be made, and the networks to be measured.
    let slow = LONG.replace("train: 240", "train: 100000").replace("side: 16", "side: 32");
    let file = folder.write("slow.yaml", &slow);
    let out = folder.at("out");
    let latency = ["latency", "mobilenet_v2", "--rounds", "10000"];
    for args in [&["run", &file, "--out", &out][..], &latency] {
        let child = blocksmith(args).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(400));
        let start = Instant::now();
        send("-TERM", &child);
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(143), "{args:?}: {stderr}");
        assert!(start.elapsed() < Duration::from_secs(5), "{args:?}: {:?}", start.elapsed());
        assert_eq!(stderr.trim(), "interrupted by SIGTERM", "{args:?}");
    }
    assert!(!Path::new(&out).exists(), "a study that has not begun leaves nothing");
}

#[test]
fn phases_stop_too() {
    let folder = Folder::new();
    let text = LONG.replace("seeds: 1\n", "").replace(
        "variants: [{name: a, network: stem_s2_c8 ir_s2_e2_c16}]",
        "phases:\n- name: one\n  seeds: 1\n  variants: [{name: a, network: stem_s2_c8 ir_s2_e2_c16}]\n\
         - name: two\n  seeds: 1\n  variants: [{name: b, network: stem_s2_c8 ir_s2_e2_c8}]",
    );
    let file = folder.write("phases.yaml", text);
    let out = folder.at("out");
    let mut child = blocksmith(&["run", &file, "--out", &out]).spawn().unwrap();
    wait_for_an_epoch(&mut child, &format!("{out}/one"));
    send("-TERM", &child);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(143), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(!Path::new(&out).join("two").exists());
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = Folder::new();
    let file = folder.write("long.yaml", LONG);
    let dir = folder.at("out");
    let mut child = blocksmith(&["run", &file, "--out", &dir]).spawn().unwrap();
    wait_for_an_epoch(&mut child, &dir);
    send("-TERM", &child);
    send("-TERM", &child);
    // Two of one kind that come at once may be told as one.
    let ended = child.wait().unwrap();
    assert_eq!(ended.code(), Some(143));
}

/// A reader that goes away is no error, whichever of the two outputs it read.
#[test]
fn a_closed_output_is_no_error() {
    let folder = Folder::new();
    let small = LONG.replace("epochs: 24", "epochs: 2");
    let file = folder.write("small.yaml", small);
    for (n, close) in ["| true", ">&-", "2>&-", ">&- 2>&-", "2>&1 | head -n 1 >/dev/null"].iter().enumerate()
    {
        let dir = folder.at(&format!("out-{n}"));
        let run = format!(
            "{{ {} run {file} --out {dir}; echo $? >{dir}.code; }} {close}",
            env!("CARGO_BIN_EXE_blocksmith")
        );
        Command::new("sh").args(["-c", &run]).status().unwrap();
        assert_eq!(fs::read_to_string(format!("{dir}.code")).unwrap().trim(), "0", "{close}");
        assert_eq!(json(&["status", &dir, "--json"])["state"], "finished", "{close}");
    }
}

/// The journal goes while the study runs: at its next event the run says so, saves all that it knows, and ends with 1; put back,
/// the study goes on to the same numbers.
#[test]
fn a_journal_that_goes_is_noticed_at_the_next_event() {
    let folder = Folder::new();
    let file = folder.write("long.yaml", LONG);
    let whole = folder.at("whole");
    stdout(&["run", &file, "--out", &whole]);
    let hash = |dir: &str| json(&["status", dir, "--json"])["results_hash"].clone();
    type Harm = fn(&Path);
    let harms: [(&str, &str, Harm); 4] = [
        ("removed", "removed or renamed", |journal| fs::remove_file(journal).unwrap()),
        ("replaced", "replaced by another file", |journal| {
            fs::write(journal.with_extension("new"), "{}\n").unwrap();
            fs::rename(journal.with_extension("new"), journal).unwrap();
        }),
        ("cut", "was cut", |journal| fs::write(journal, "").unwrap()),
        ("folder", "removed or renamed", |journal| {
            let study = journal.parent().unwrap();
            fs::rename(study, study.with_extension("elsewhere")).unwrap();
        }),
    ];
    for (name, what, harm) in harms {
        let dir = folder.at(name);
        let mut child = blocksmith(&["run", &file, "--out", &dir]).spawn().unwrap();
        wait_for_an_epoch(&mut child, &dir);
        harm(&journal(&dir));
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{name}: {stderr}");
        assert!(stderr.contains(what) && stderr.contains("while the study ran"), "{name}: {stderr}");
        let saved = stderr.split("is saved in ").nth(1).unwrap().split([' ', ':']).next().unwrap();
        assert!(stderr.contains(&format!("(mv {saved} {})", journal(&dir).display())), "{stderr}");
        fs::create_dir_all(&dir).unwrap();
        fs::rename(saved, journal(&dir)).unwrap();
        stdout(&["run", &file, "--out", &dir]);
        assert_eq!(hash(&dir), hash(&whole), "{name}");
    }
}

/// What a report that was killed left half written goes at the next start; what another process still writes stays.
#[test]
fn files_of_killed_processes_go() {
    let folder = Folder::new();
    let small = LONG.replace("epochs: 24", "epochs: 1");
    let file = folder.write("small.yaml", small);
    let dir = folder.at("out");
    stdout(&["run", &file, "--out", &dir]);
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let left = |process: u32| Path::new(&dir).join(format!("report.md.blocksmith-{process}.tmp"));
    fs::write(left(gone.id()), "half").unwrap();
    fs::write(left(std::process::id()), "half").unwrap();
    stdout(&["report", &dir]);
    assert!(!left(gone.id()).exists() && left(std::process::id()).exists());
}
