//! Text from others, whatever way it comes: files, names, paths, the command line, weights. None of it steers the terminal of who
//! reads what the program prints.
#![cfg(unix)]

mod support;

use std::fs;
use std::path::Path;

use support::{Folder, blocksmith, stdout};

/// A colour, a title of the window, C1, a backspace, turns of direction, a mark without width.
const EVIL: &str = "\u{1b}[31m\u{1b}]0;x\u{7}\u{9b}31m\u{8}\u{202e}\u{2066}\u{200f}\u{feff}";

/// Runs a command, and looks at every character that it prints.
fn clean(folder: &Folder, args: &[&str]) -> String {
    let done = blocksmith(args).current_dir(folder.path()).output().unwrap();
    let mut all = String::new();
    for bytes in [done.stdout, done.stderr] {
        let text = String::from_utf8(bytes).unwrap();
        let bad = text.chars().find(|c| (c.is_control() && *c != '\n') || is_turn(*c));
        assert_eq!(bad, None, "{args:?}: {text:?}");
        all += &text;
    }
    assert!(matches!(done.status.code(), Some(0..=2)), "{args:?}: {all}");
    all
}

/// Unicode 16, Bidi_Control, and marks without width.
fn is_turn(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        | '\u{2028}' | '\u{2029}')
}

/// As YAML writes it within double quotes.
fn quoted() -> String {
    let escape = |c: char| format!("\\U{:08x}", c as u32);
    format!("\"a{}\"", EVIL.chars().map(escape).collect::<String>())
}

const REST: &str = "seeds: [1]\ndata: {format: shapes, limit: {train: 200, validation: 50, test: 50}}\n\
    train: {epochs: 1, batch: 32, lr: 0.05}\nvariants:\n- {name: tiny, network: stem_s2_c8 ir_s2_e1_c16}\n";
const SIMULATED: &str = "trainer={kind: simulated, accuracy: 50}";

#[test]
fn experiment_files_and_the_command_line() {
    let folder = Folder::new();
    let evil = quoted();
    let description = format!("name: small\ndescription: {evil}\n{REST}");
    folder.write("e.yaml", &description);
    let said = clean(&folder, &["run", "e.yaml", "--out", "study", "--set", SIMULATED]);
    assert!(said.contains("report"), "{said}");
    for file in ["report.md", "trials.csv"] {
        let text = fs::read_to_string(folder.join("study").join(file)).unwrap();
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || is_turn(c)), "{file}");
    }
    let report = fs::read_to_string(folder.join("study/report.md")).unwrap();
    assert!(report.contains(r"\\u{1b}\[31m"), "{report}");
    for more in [
        format!("name: {evil}\n{REST}"),
        format!("name: x\n{evil}: 1\n{REST}"),
        format!("name: x\n{REST}").replace("tiny", "a\u{9b}b"),
        format!("name: x\n{REST}").replace("stem_s2_c8", EVIL),
        format!("name: x\n{REST}").replace("shapes", &evil),
        format!("name: x\nsearch: {{space: {evil}}}\n{REST}"),
    ] {
        folder.write("bad.yaml", more);
        clean(&folder, &["run", "bad.yaml", "--out", "none"]);
        clean(&folder, &["enumerate", "bad.yaml"]);
    }
    let name = format!("{EVIL}.yaml");
    folder.write(&name, &description);
    let twice = format!("{EVIL}\nerror: all is well");
    let set = format!("train.{EVIL}=1");
    for args in [
        vec!["run", &name, "--out", EVIL, "--set", SIMULATED],
        vec!["run", &name, "--out", EVIL, "--set", SIMULATED],
        vec!["status", EVIL],
        vec!["report", EVIL],
        vec!["report", EVIL, "--json"],
        vec!["status", EVIL, "--json"],
        vec!["ls", "."],
        vec!["ls", ".", "--json"],
        vec!["table", EVIL, "--out", &name],
        vec!["run", &name, "--set", &set],
        vec!["run", "e.yaml", "--set", EVIL],
        vec!["run", &twice],
        vec![EVIL],
        vec!["run", EVIL],
        vec!["run", "e.yaml", EVIL],
        vec!["run", "e.yaml", "--jobs", EVIL],
        vec!["run", "e.yaml", "--memory", EVIL],
        vec!["run", "e.yaml", "--device", EVIL],
        vec!["profile", EVIL],
        vec!["profile", "mix", "--set", EVIL],
        vec!["profile", "mix", "--input", EVIL],
        vec!["draw", EVIL],
        vec!["draw", "mix", "--width", EVIL],
        vec!["draw", "mix", "--out", &format!("{EVIL}.svg")],
        vec!["export", "mix", "--out", EVIL],
        vec!["predict", "--weights", EVIL, EVIL],
        vec!["compare", EVIL, "--space", EVIL],
        vec![&format!("--{EVIL}")],
    ] {
        clean(&folder, &args);
    }
    // What the program itself is called is from others too.
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_blocksmith"));
    std::os::unix::process::CommandExt::arg0(&mut command, EVIL);
    let done = command.arg("--help").output().unwrap();
    assert!(!String::from_utf8(done.stdout).unwrap().contains('\u{1b}'));
}

#[test]
fn names_of_classes_and_images_and_what_weights_say_of_themselves() {
    let folder = Folder::new();
    for (class, shade) in [(format!("a{EVIL}"), 0_u8), ("b\nb".to_owned(), 255)] {
        for split in ["train", "test"] {
            let at = folder.join("images").join(split).join(&class);
            fs::create_dir_all(&at).unwrap();
            for i in 0..4 {
                let picture = image::RgbImage::from_pixel(32, 32, image::Rgb([shade, i * 10, 7]));
                picture.save(at.join(format!("{EVIL}{i}.png"))).unwrap();
            }
        }
    }
    folder.write(
        "e.yaml",
        format!("name: small\n{REST}").replace(
            "shapes, limit: {train: 200, validation: 50, test: 50}",
            "images, path: images, validation: 0.25",
        ),
    );
    clean(&folder, &["run", "e.yaml", "--out", "study", "--set", "train.batch=2"]);
    for entry in fs::read_dir(folder.join("study")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| ["md", "csv", "svg"].iter().any(|known| end == *known)) {
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || is_turn(c)), "{}", path.display());
        }
    }
    let picture = format!("images/test/a{EVIL}/{EVIL}0.png");
    let said = clean(&folder, &["predict", "--weights", "study", &picture]);
    assert!(said.contains(r"a\u{1b}[31m") && said.contains(r"b\nb"), "{said}");
    clean(&folder, &["predict", "--weights", "study", &picture, "--json"]);
    clean(&folder, &["predict", "--weights", "study", &format!("{EVIL}.png")]);
    clean(&folder, &["export", "study", "--out", "a.safetensors"]);
    // Weights of others: the names of classes and of the network are in the file.
    let bytes = fs::read(folder.join("a.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    header["__metadata__"]["network"] = format!("mix{EVIL}").into();
    header["__metadata__"]["study"] = EVIL.into();
    let text = header.to_string();
    let forged = [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &bytes[8 + length..]].concat();
    fs::write(folder.join("forged.safetensors"), forged).unwrap();
    clean(&folder, &["predict", "--weights", "forged.safetensors", &picture]);
    clean(&folder, &["export", "forged.safetensors", "--out", "b.onnx"]);
    // And names in a list of their own.
    folder.write("labels.txt", format!("\u{feff}{EVIL}\nb\n"));
    clean(&folder, &["predict", "--weights", "a.safetensors", "--labels", "labels.txt", &picture]);
}

/// A byte order mark is none of the text, whoever reads it; `lab_bom.txt` of the files that were read wrongly begins so.
#[test]
fn a_byte_order_mark_is_passed_over_by_every_reader() {
    let folder = Folder::new();
    let mark = "\u{feff}";
    let space = "name: s\ninput: 3x32x32\nclasses: 10\nstem: {channels: 8, stride: 2}\n\
        stages:\n- {block: ir, expand: [1, 2], channels: [8, 16], stride: 2}\n";
    folder.write("s.yaml", format!("{mark}{space}"));
    folder.write("e.yaml", format!("{mark}name: searched\nseeds: [1]\ndata: {{format: shapes}}\ntrain: {{epochs: 1}}\n\
        trainer: {{kind: simulated, accuracy: 90 - 3000 / params}}\nsearch: {{space: s.yaml, strategy: grid}}\n"));
    clean(&folder, &["run", "e.yaml", "--out", "study"]);
    clean(&folder, &["table", "study", "--out", "t.csv"]);
    let table = fs::read_to_string(folder.join("t.csv")).unwrap();
    folder.write("t.csv", format!("{mark}{table}"));
    let said = clean(
        &folder,
        &[
            "compare",
            "t.csv",
            "--space",
            "s.yaml",
            "--strategies",
            "random",
            "--seeds",
            "1",
            "--budgets",
            "2",
        ],
    );
    assert!(said.contains("4 candidates"), "{said}");
    let weights = folder.at("w.safetensors");
    stdout(&["export", "stem_s2_c8 ir_s2_e1_c16", "--classes", "2", "--input", "3x32x32", "--out", &weights]);
    image::RgbImage::new(32, 32).save(folder.join("a.png")).unwrap();
    folder.write("labels.txt", format!("{mark}first\nsecond\n"));
    let said = clean(
        &folder,
        &[
            "predict",
            "--weights",
            &weights,
            "--labels",
            "labels.txt",
            "--mean",
            "0,0,0",
            "--std",
            "1,1,1",
            "a.png",
        ],
    );
    assert!(said.contains("  first") && !said.contains("u{feff}"), "{said}");
    for (name, args) in [("s.yaml", vec!["enumerate", "s.yaml"]), ("e.yaml", vec!["run", "e.yaml"])] {
        let utf16: Vec<u8> = "name: x\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        fs::write(folder.join(name), [&[0xff, 0xfe][..], &utf16].concat()).unwrap();
        assert!(clean(&folder, &args).contains("UTF-16"), "{name}");
    }
    assert!(!Path::new(&folder.at("none")).exists());
}
