//! The README's commands, typed as a newcomer would: in order, in a folder with the shipped files and CIFAR-10 beside them.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use support::Folder;

/// Commands that would train for days get a budget of seconds; everything else runs as it stands.
const REDUCED: &[(&str, &str)] = &[
    (
        "blocksmith run experiments/mix-ablation.yaml --data cifar-10-binary.tar.gz",
        "--set train.epochs=1 --set seeds=1 --set data.validation=20",
    ),
    (
        "blocksmith run experiments/mix-ablation.yaml --data data/cifar-10-batches-bin",
        "--set train.epochs=1 --set seeds=1 --set train.warmup=0 --set data.validation=20 --set data.limit.train=40 \
         --set data.limit.validation=10 --out reports/smaller",
    ),
    ("blocksmith compare", "--seeds 4 --strategies sh_emoa,random --budgets 50,100"),
    (
        "blocksmith run experiments/mobilenet-v3-search.yaml",
        "--set train.epochs=1 --set phases[2].train.epochs=1 --set phases[2].seeds=1 --set phases[0].search.trials=2 \
         --set phases[1].search.delta=0.2 --set data.limit.train=80 --set data.limit.test=20",
    ),
    (
        "blocksmith run experiments/mix-sweep.yaml",
        "--set train.epochs=1 --set train.batch=16 --set train.warmup=0 --set search.trials=1 --set data.validation=20",
    ),
];

#[test]
fn every_command_works() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let folder = Folder::new();
    for shipped in ["experiments", "search-spaces", "reports/tabular"] {
        copy(&root().join(shipped), &folder.join(shipped));
    }
    write_cifar(folder.path());

    let (mut ran, mut quick_start, mut tests) = (0, false, false);
    for block in blocks(&readme) {
        match block.language {
            "yaml" => fs::write(folder.join(block.file.unwrap()), &block.text).unwrap(),
            "sh" => {
                for line in block.text.lines() {
                    let (command, comment) = line.split_once(" #").unwrap_or((line, ""));
                    let command = command.trim().replace("cargo run --release --", "blocksmith");
                    if command == "cargo test --release" {
                        // The command that runs this test; the project's checks run the same one.
                        let checks = fs::read_to_string(root().join(".ci/run")).unwrap();
                        assert!(checks.lines().any(|line| line == command));
                        tests = true;
                        continue;
                    }
                    quick_start |= command == "blocksmith run experiments/quickstart.yaml";
                    let out = run(&command, folder.path());
                    for number in comment.split_whitespace().filter(|word| word.contains(',')) {
                        assert!(
                            out.contains(number.trim_end_matches(',')),
                            "{command}: no {number} in\n{out}"
                        );
                    }
                    ran += 1;
                }
            }
            other => panic!("a block of `{other}` that this test does not know"),
        }
    }
    assert!(quick_start && tests && ran >= 12, "ran {ran} commands");
    the_quick_start_is_worth_looking_at(&folder);
}

/// Networks learn (chance is 10 %), and the front shows a trade.
fn the_quick_start_is_worth_looking_at(folder: &Folder) {
    let report = run("blocksmith report reports/quickstart --json", folder.path());
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let text = report.to_string();
    let status = run("blocksmith status reports/quickstart --json", folder.path());
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["done"], status["trials"], "{text}");
    let best = status["best"]["accuracy"].as_f64().unwrap();
    assert!(best > 40.0, "best validation accuracy {best}");
    for picture in ["pareto-params.svg", "pareto-params.png", "effects.svg", "learning-curves.png"] {
        assert!(folder.join("reports/quickstart").join(picture).exists(), "{picture}");
    }
}

/// Standard output of a command line, run in `folder`; it must succeed.
fn run(command: &str, folder: &Path) -> String {
    let reduced = REDUCED.iter().find(|(start, _)| command.starts_with(start));
    let full = format!("{command} {}", reduced.map_or("", |(_, settings)| settings));
    let words = words(&full);
    assert_eq!(words[0], "blocksmith", "{command}");
    let output = Command::new(env!("CARGO_BIN_EXE_blocksmith"))
        .args(&words[1..])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{full}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Splits a command line at spaces, keeping what stands in quotes together.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in command.split(['"', '\'']).enumerate() {
        match i % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

/// A fenced block of the README.
struct Block<'a> {
    language: &'a str,
    /// The name in "Save this as `name`" before it.
    file: Option<&'a str>,
    text: String,
}

fn blocks(readme: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let (mut inside, mut file) = (false, None);
    for line in readme.lines() {
        if let Some(language) = line.strip_prefix("```") {
            inside = !inside;
            if inside {
                blocks.push(Block { language, file, text: String::new() });
            }
        } else if inside {
            let block = blocks.last_mut().unwrap();
            block.text.push_str(line);
            block.text.push('\n');
        } else if let Some((_, rest)) = line.split_once("ave this as `") {
            file = rest.split('`').next();
        }
    }
    blocks
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The official layout with 20 noise images a batch, packed and unpacked: one label byte, then 3072 pixel bytes.
fn write_cifar(folder: &Path) {
    let unpacked = folder.join("data/cifar-10-batches-bin");
    fs::create_dir_all(&unpacked).unwrap();
    let file = fs::File::create(folder.join("cifar-10-binary.tar.gz")).unwrap();
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
    let names = (1..=5).map(|i| format!("data_batch_{i}.bin")).chain(["test_batch.bin".into()]);
    for (batch, name) in names.enumerate() {
        let mut bytes = Vec::new();
        for image in 0..20u32 {
            bytes.push((image % 10) as u8);
            let noise =
                (0..3072u32).map(|i| (i * 31 + image * 977 + batch as u32 * 7).wrapping_mul(2_654_435_761));
            bytes.extend(noise.map(|hash| (hash >> 24) as u8));
        }
        fs::write(unpacked.join(&name), &bytes).unwrap();
        append(&mut archive, &name, &bytes);
    }
    let classes = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n";
    fs::write(unpacked.join("batches.meta.txt"), classes).unwrap();
    append(&mut archive, "batches.meta.txt", classes.as_bytes());
    archive.into_inner().unwrap().finish().unwrap();
}

fn append<W: std::io::Write>(archive: &mut tar::Builder<W>, name: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, format!("cifar-10-batches-bin/{name}"), bytes).unwrap();
}
