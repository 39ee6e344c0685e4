//! Where commands write, and where they do not: nothing of a user is replaced unasked, no device and no link ever.
#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use support::{Folder, blocksmith, output, refusal, stdout};

const SMALL: &str = "stem_s2_c8 ir_s2_e2_c12";
const EXPERIMENT: &str = "name: small\nseeds: [1]\ndata: {format: shapes, limit: {train: 200, validation: 50, test: 50}}\n\
    train: {epochs: 1, batch: 32, lr: 0.05}\nvariants:\n- {name: tiny, network: stem_s2_c8 ir_s2_e1_c16}\n";
/// In an experiment, it trains nothing.
const SIMULATED: [&str; 2] = ["--set", "trainer={kind: simulated, accuracy: 50}"];

fn fifo(folder: &Folder, name: &str) -> String {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.join(name), mode).unwrap();
    folder.at(name)
}

/// A study, and what writes a file from it or beside it: the arguments without the file.
fn writers(folder: &Folder) -> Vec<Vec<String>> {
    let file = folder.write("e.yaml", EXPERIMENT);
    let study = folder.at("study");
    stdout(&[&["run", &file, "--out", &study], &SIMULATED[..]].concat());
    let table = folder.at("table.csv");
    folder.write("s.yaml", SPACE);
    folder.write("search.yaml", SEARCH);
    stdout(&["run", &folder.at("search.yaml"), "--out", &folder.at("searched"), "--json"]);
    stdout(&["table", &folder.at("searched"), "--out", &table]);
    let compare = [
        "compare",
        &table,
        "--space",
        &folder.at("s.yaml"),
        "--strategies",
        "random",
        "--seeds",
        "1",
        "--budgets",
        "1",
        "--curves",
    ];
    let all: [&[&str]; 4] = [
        &["draw", SMALL, "--out"],
        &["export", SMALL, "--format", "onnx", "--out"],
        &["table", &folder.at("searched"), "--out"],
        &compare,
    ];
    all.iter().map(|args| args.iter().map(|arg| (*arg).to_owned()).collect()).collect()
}

const SPACE: &str = "name: s\ninput: 3x32x32\nclasses: 10\nstem: {channels: 8, stride: 2}\n\
    stages:\n- {block: ir, expand: [1, 2], channels: [8, 16], stride: 2}\n";
const SEARCH: &str = "name: searched\nseeds: [1]\ndata: {format: shapes}\ntrain: {epochs: 1}\n\
    trainer: {kind: simulated, accuracy: 90 - 3000 / params}\nsearch: {space: s.yaml, strategy: grid}\n";

fn with<'a>(args: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    args.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

#[test]
fn a_file_is_replaced_only_with_force_and_nothing_else_ever() {
    let folder = Folder::new();
    for args in writers(&folder) {
        let kept = folder.write("kept", "mine");
        let message = refusal(&with(&args, &[&kept]));
        assert!(message.contains("there already") && message.contains("--force"), "{message}");
        assert_eq!(fs::read_to_string(&kept).unwrap(), "mine");
        // A link stays, and what it names is written.
        let link = folder.at("link");
        symlink(&kept, &link).unwrap();
        assert!(refusal(&with(&args, &[&link])).contains("there already"));
        stdout(&with(&args, &[&link, "--force"]));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_ne!(fs::read(&kept).unwrap(), b"mine");
        // Folders are refused, with or without --force.
        for place in ["/", folder.path().to_str().unwrap()] {
            assert!(refusal(&with(&args, &[place, "--force"])).contains("folder"), "{args:?}");
        }
        // Devices and pipes are written through.
        stdout(&with(&args, &["/dev/null", "--force"]));
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        let pipe = fifo(&folder, "pipe");
        let from = pipe.clone();
        let reader = std::thread::spawn(move || fs::read(from).unwrap().len());
        stdout(&with(&args, &[&pipe, "--force"]));
        assert!(reader.join().unwrap() > 10, "{args:?}");
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        // And standard output holds the file alone.
        let through = blocksmith(&with(&args, &["/dev/stdout"])).output().unwrap();
        assert!(through.status.success());
        assert_eq!(through.stdout, fs::read(&kept).unwrap(), "{args:?}");
        for name in ["kept", "link", "pipe"] {
            fs::remove_file(folder.join(name)).unwrap();
        }
    }
}

#[test]
fn a_report_elsewhere_replaces_its_own_files_alone() {
    let folder = Folder::new();
    writers(&folder);
    let (study, elsewhere) = (folder.at("study"), folder.at("elsewhere"));
    for _ in 0..2 {
        stdout(&["report", &study, "--out", &elsewhere]);
    }
    fs::write(folder.join("elsewhere/report.md"), "# my own\n").unwrap();
    let message = refusal(&["report", &study, "--out", &elsewhere]);
    assert!(message.contains("report.md is there already") && message.contains("--force"), "{message}");
    stdout(&["report", &study, "--out", &elsewhere, "--force"]);
    // A link in the place of the report leads to something else.
    let theirs = folder.write("theirs.md", "theirs");
    fs::remove_file(folder.join("study/report.md")).unwrap();
    symlink(&theirs, folder.join("study/report.md")).unwrap();
    let message = refusal(&["report", &study]);
    assert!(message.contains("a symbolic link stands in its place"), "{message}");
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "theirs");
}

#[test]
fn a_study_goes_into_a_folder_of_its_own() {
    let folder = Folder::new();
    let file = folder.write("e.yaml", EXPERIMENT);
    let home = folder.at("home");
    fs::create_dir(&home).unwrap();
    fs::create_dir_all(folder.join("photos/train/cat")).unwrap();
    folder.write("photos/train/cat/notes.txt", "mine");
    fs::create_dir(folder.join("full")).unwrap();
    folder.write("full/thesis.tex", "mine");
    folder.write("file", "mine");
    symlink(folder.join("full"), folder.join("link")).unwrap();
    let refused = |out: &str, more: &[&str]| {
        let args = [&["run", &file, "--out", out], &SIMULATED[..], more].concat();
        let done = blocksmith(&args).env("HOME", &home).output().unwrap();
        let stderr = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{out}: {stderr}");
        assert!(stderr.contains("--out") && stderr.lines().count() == 1, "{stderr}");
        stderr
    };
    assert!(refused("/", &[]).contains("the root of the file system"));
    assert!(refused(&home, &[]).contains("your home folder"));
    assert!(refused(&folder.at("full"), &[]).contains("other contents (`thesis.tex`)"));
    assert!(refused(&folder.at("link"), &[]).contains("other contents"));
    assert!(refused(&folder.at("file"), &[]).contains("not a folder"));
    let photos = folder.at("photos");
    for out in
        [photos.clone(), folder.at("photos/train"), folder.at("photos/new"), folder.at("home/../photos")]
    {
        assert!(refused(&out, &["--data", &photos]).contains("images"), "{out}");
    }
    assert_eq!(fs::read_dir(&photos).unwrap().count(), 1);
    // A new one, an empty one, and its own again.
    fs::create_dir(folder.join("empty")).unwrap();
    for out in ["new", "empty", "new"] {
        stdout(&[&["run", &file, "--out", &folder.at(out)], &SIMULATED[..]].concat());
    }
    // What stands in the place of the journal or the lock is not followed.
    for name in ["journal.jsonl", "lock"] {
        let out = folder.at("again");
        stdout(&[&["run", &file, "--out", &out], &SIMULATED[..]].concat());
        let place = folder.join("again").join(name);
        let theirs = folder.at("theirs");
        if place.exists() {
            fs::rename(&place, &theirs).unwrap();
        } else {
            fs::write(&theirs, "theirs").unwrap();
        }
        let before = fs::read(&theirs).unwrap();
        symlink(&theirs, &place).unwrap();
        assert!(refused(&out, &[]).contains("a symbolic link stands in its place"), "{name}");
        assert_eq!(fs::read(&theirs).unwrap(), before);
        fs::remove_dir_all(&out).unwrap();
    }
}

/// A pipe without a writer, where a file is read: refused in a second, not waited for.
#[test]
fn pipes_are_not_waited_for() {
    let folder = Folder::new();
    let file = folder.write("e.yaml", EXPERIMENT);
    let pipe = fifo(&folder, "pipe");
    fs::create_dir(folder.join("study")).unwrap();
    fifo(&folder, "study/journal.jsonl");
    let study = folder.at("study");
    let experiment = |set: &'static str| ["run", &file, "--out", "none", "--set", set];
    let commands: Vec<Vec<&str>> = vec![
        vec!["run", &pipe],
        vec!["enumerate", &pipe],
        vec!["profile", &pipe],
        vec!["run", &file, "--out", "none", "--weights", &pipe],
        vec!["run", &file, "--out", &study],
        vec!["status", &study],
        vec!["report", &study],
        vec!["export", SMALL, "--weights", &pipe, "--out", "none.onnx"],
        vec!["predict", "--weights", &pipe, &file],
        vec!["compare", &pipe, "--space", &file],
        vec!["compare", &file, "--space", &pipe],
        experiment("nonsense=1").to_vec(),
    ];
    for args in &commands {
        let start = Instant::now();
        let mut child = blocksmith(args).stdout(Stdio::null()).spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            if start.elapsed() > Duration::from_secs(20) {
                child.kill().unwrap();
                panic!("{args:?} waits");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(child.wait().unwrap().code(), Some(2), "{args:?}");
    }
    assert!(!Path::new("none").exists());
}

/// What a shell makes of `<(command)`, and standard input by its names.
#[test]
fn experiments_come_from_pipes_and_are_read_once() {
    let folder = Folder::new();
    folder.write("e.yaml", EXPERIMENT);
    folder.write("bad.yaml", EXPERIMENT.replace("network: stem_s2_c8", "network: stem_s2_c9 mux"));
    folder.write("nameless.yaml", EXPERIMENT.replace("name: small\n", ""));
    folder.write("s.yaml", SPACE);
    let shell = |command: &str| {
        let command = command.replace("BIN", env!("CARGO_BIN_EXE_blocksmith"));
        let done =
            std::process::Command::new("bash").args(["-c", &command]).current_dir(folder.path()).output();
        let done = done.unwrap();
        (done.status.code().unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    let simulated = "--set 'trainer={kind: simulated, accuracy: 50}'";
    for (i, source) in ["<(cat e.yaml)", "/dev/stdin < e.yaml", "- < e.yaml"].iter().enumerate() {
        let (code, stderr) = shell(&format!("BIN run {source} --out study{i} {simulated}"));
        assert_eq!(code, 0, "{source}: {stderr}");
    }
    let (code, stderr) = shell(&format!("cat e.yaml | BIN run - {simulated}"));
    assert_eq!(code, 0, "{stderr}");
    assert!(folder.join("reports/small/report.md").exists());
    // Messages are about the text that was read, with its places.
    let (code, stderr) = shell("BIN run <(cat bad.yaml) --out bad");
    assert!(code == 2 && stderr.contains(":6:23: variants[0].network:"), "{stderr}");
    let (code, stderr) = shell("BIN run <(cat nameless.yaml) --out bad");
    assert!(code == 2 && stderr.contains("name"), "{stderr}");
    for command in ["BIN enumerate <(cat s.yaml)", "BIN profile <(cat s.yaml)", "BIN profile <(cat e.yaml)"] {
        let (code, stderr) = shell(command);
        assert_eq!(code, 0, "{command}: {stderr}");
    }
    assert!(output(&["run", "/dev/null"]).status.code() == Some(2));
}
