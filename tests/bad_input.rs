//! Every wrong request is one sentence with place and remedy, exit code 2, and leaves nothing behind.

mod support;

use support::{Folder, output, refusal};

const DATA: &str =
    "data: {format: shapes, validation: 0.2, limit: {train: 300, validation: 60, test: 100}}\n";
const TRAIN: &str = "train: {epochs: 1, batch: 32, lr: 0.05}\n";
const VARIANT: &str = "variants:\n- name: tiny\n  network: stem_s2_c8 ir_s2_e1_c16\n";

fn experiment(rest: &str) -> String {
    format!("name: bad\n{DATA}{TRAIN}{rest}")
}

/// Runs an experiment that must be refused, into a folder that must not be there afterwards.
fn refused(folder: &Folder, text: impl AsRef<[u8]>, more: &[&str]) -> String {
    let file = folder.write("bad.yaml", text);
    let out = folder.at("out");
    let message = refusal(&[&["run", &file, "--out", &out], more].concat());
    assert!(!folder.join("out").exists(), "a study was begun: {message}");
    message.replace(folder.path().to_str().unwrap(), "DIR")
}

fn starts(message: &str, start: &str) {
    assert!(message.starts_with(start), "{message}\n  does not start with\n{start}");
}

#[test]
fn mistakes_in_the_experiment_file() {
    let folder = Folder::new();
    let cases = [
        (
            experiment("variant: []\n"),
            "DIR/bad.yaml:4:1: variant: an experiment has no key `variant`; did you mean `variants`?",
        ),
        (
            experiment(VARIANT).replace("epochs: 1", "epochs: many"),
            "DIR/bad.yaml:3:17: train.epochs: `many` is not",
        ),
        (
            experiment(VARIANT).replace("shapes", "shaped"),
            "DIR/bad.yaml:2:16: data.format: `shaped` is not a data format",
        ),
        (experiment("variants: []\n"), "DIR/bad.yaml:1:1: nothing to train; add `search`"),
        (
            experiment("search: {space: none.yaml, strategy: grid}\n"),
            "DIR/bad.yaml:4:17: search.space: there is no file",
        ),
        (
            experiment("variants:\n- name: a\n  network: mux\n"),
            "DIR/bad.yaml:6:12: variants[0].network: variant a: `mux` is neither",
        ),
        (
            experiment("variants:\n- name: a\n  network: mobilenet_v2\n  set: {stem: cifra}\n"),
            "DIR/bad.yaml:7:8: variants[0].set: variant a: mobilenet_v2: stem cannot be `cifra`",
        ),
    ];
    for (text, start) in cases {
        starts(&refused(&folder, text, &[]), start);
    }
    let mut latin = experiment(VARIANT).into_bytes();
    latin.extend(b"description: caf\xe9\n");
    starts(
        &refused(&folder, latin, &[]),
        "DIR/bad.yaml:7: this experiment file is not UTF-8 text; save it as UTF-8",
    );
    starts(&refused(&folder, "", &[]), "DIR/bad.yaml: this experiment file is empty");
}

#[test]
fn impossible_shapes_of_variants() {
    let folder = Folder::new();
    for (network, reason) in [
        // Padded kernels fit every map; this one halves the map and is not padded.
        (
            "stem_s4_c8 ir_s4_e1_c8 ir_s2_e1_c8 cse_s2_c8_rr1",
            "stages.2.0.down: a 2x2 kernel is larger than the 1x1 map; use fewer strides or a larger input",
        ),
        (
            "stem_c8 ir_e1_c24 head_c64_g48",
            "head: 24 input and 64 output channels do not divide into 48 groups",
        ),
        (
            "stem_s4_c8 ir_s2_e1_c8 cse_c8_rr64",
            "stages.1.0: the 4x4 map has fewer pixels than the reduction 64; lower",
        ),
    ] {
        let text = experiment(&format!("variants:\n- name: a\n  network: {network}\n"));
        let start =
            format!("DIR/bad.yaml:6:12: variants[0].network: variant a: {network} at 3x32x32: {reason}");
        starts(&refused(&folder, text, &[]), &start);
    }
}

#[test]
fn mistakes_in_the_search_space() {
    let folder = Folder::new();
    let header = "name: s\ninput: 3x32x32\nclasses: 10\nstem: {channels: 8, stride: 4}\nstages:\n";
    let stage = "- {block: ir, expand: [1, 2], channels: 8, stride: 4}\n";
    let cases = [
        (
            "- {block: ir, expand: 1, chanels: 8}\n",
            "DIR/s.yaml:6:26: stages[0].chanels: a stage has no key `chanels`; did you mean `channels`?",
        ),
        ("- {block: ir, expand: [], channels: 8}\n", "DIR/s.yaml:6:23: stages[0].expand: "),
        ("- {block: ir, expand: 1, kernel: 4, channels: 8}\n", "DIR/s.yaml:6:34: stages[0].kernel: 4 is not"),
        (
            &format!("{stage}- {{block: cse, channels: 8, reduction: [64, 128]}}\n"),
            "DIR/s.yaml:7:3: stages[1]: none of the 4 candidates can be built (the first: stages.1.0: the 2x2 map has fewer pixels than the reduction 64",
        ),
        (
            &format!("{stage}constraints:\n  params: <= 10\n"),
            "DIR/s.yaml:8:3: constraints: none of the 2 candidates satisfies the constraints",
        ),
    ];
    for (stages, start) in cases {
        folder.write("s.yaml", format!("{header}{stages}"));
        for strategy in ["grid", "random"] {
            let search = format!("search: {{space: s.yaml, strategy: {strategy}, trials: 4}}\n");
            starts(&refused(&folder, experiment(&search), &[]), start);
            // Nor is anything trained where there are variants beside the search.
            starts(&refused(&folder, experiment(&(search + VARIANT)), &[]), start);
        }
    }
    folder.write("s.yaml", format!("{header}{stage}").replace("3x32x32", "3x16x16"));
    let other = refused(&folder, experiment("search: {space: s.yaml, strategy: grid}\n"), &[]);
    starts(
        &other,
        "DIR/s.yaml:2:8: input: the space is for 3x16x16 images in 10 classes, but the data has 3x32x32",
    );
}

#[test]
fn data_that_is_missing_or_not_what_it_should_be() {
    let folder = Folder::new();
    let cifar = experiment(VARIANT).replace("shapes", "cifar10");
    starts(&refused(&folder, &cifar, &[]), "DIR/bad.yaml:2:7: data.path: missing");
    let absent = folder.at("absent");
    starts(&refused(&folder, &cifar, &["--data", &absent]), "DIR/absent: no such file or folder: download");
    let text = folder.write("notes.txt", "not images");
    let message = refused(&folder, &cifar, &["--data", &text]);
    starts(&message, "DIR/notes.txt: ");
    // The first bytes of a gzip file, and then nothing.
    let torn = folder.write("cifar-10-binary.tar.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xed\xd1");
    let message = refused(&folder, &cifar, &["--data", &torn]);
    starts(&message, "DIR/cifar-10-binary.tar.gz: not a whole archive");
    // A batch that is not a whole number of records.
    let batches = folder.join("cifar-10-batches-bin");
    std::fs::create_dir(&batches).unwrap();
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
    {
        std::fs::write(batches.join(format!("{name}.bin")), vec![0; 5000]).unwrap();
    }
    let names = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n";
    std::fs::write(batches.join("batches.meta.txt"), names).unwrap();
    let message = refused(&folder, &cifar, &["--data", batches.to_str().unwrap()]);
    starts(&message, "DIR/cifar-10-batches-bin/data_batch_1.bin: ");
    assert!(message.contains("download"), "{message}");
}

#[test]
fn wrong_arguments() {
    let folder = Folder::new();
    let text = experiment(VARIANT);
    starts(&refused(&folder, &text, &["--set", "epochs"]), "--set epochs: an assignment is KEY=VALUE");
    starts(&refused(&folder, &text, &["--set", "train.epoch=3"]), "--set train.epoch=3: train.epoch: ");
    starts(
        &refused(&folder, &text, &["--set", "train.epochs=-1"]),
        "--set train.epochs=-1: train.epochs: -1 is not",
    );
    // Below a regular file there can be no folder, not even for root.
    let file = folder.write("file", "");
    let bad = folder.write("bad.yaml", &text);
    let message = refusal(&["run", &bad, "--out", &format!("{file}/study")]);
    assert!(
        message.contains("cannot write this folder") && message.contains("name another folder with --out"),
        "{message}"
    );
    starts(
        &refusal(&["run", "no-such.yaml"]),
        "no-such.yaml: there is no such experiment file; check the path",
    );
    starts(&refusal(&["enumerate", "no-such.yaml"]), "no-such.yaml: there is no such search space file");
    starts(
        &refusal(&["profile", "mxi"]),
        "`mxi` is neither a named network (`blocksmith zoo` lists them) nor block notation such as `stem_c16 ir_s2_e4_c24`; did you mean `mix`?",
    );
    starts(&refusal(&["profile", "mix", "--input", "3x32"]), "--input 3x32: not channels x height x width");
    starts(
        &refusal(&["profile", "mix", "--input", "3x0x32"]),
        "--input 3x0x32: not channels x height x width",
    );
    starts(&refusal(&["profile", "mix", "--set", "bias"]), "--set bias: an option is KEY=VALUE");
    starts(&refusal(&["profile", "mobilenet_v2", "--set", "bias=true"]), "mobilenet_v2 has no option `bias`");
    starts(&refusal(&["profile", "mix", "--input", "3x4x4"]), "mix at 3x4x4: stages.");
    starts(&refusal(&["status", &folder.at("nowhere")]), &folder.at("nowhere"));
    starts(
        &refusal(&["bench", "--network", "mix", "--memory", "32MiB"]),
        "mix: a training step at batch 64 needs ",
    );
    // The command line's own mistakes come from the parser, with a hint at the nearest.
    let unknown = output(&["profil", "mix"]);
    let stderr = String::from_utf8(unknown.stderr).unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr.contains("'profil'") && stderr.contains("'profile'"), "{stderr}");
}

#[test]
fn networks_that_do_not_fit_into_the_memory() {
    let folder = Folder::new();
    let budget = ["--memory", "30MiB"];
    let wide = "- name: wide\n  network: stem_c64 ir_e6_c64\n";
    // The first variant fits.
    let message = refused(&folder, experiment(&format!("{VARIANT}{wide}")), &budget);
    starts(&message, "DIR/bad.yaml:8:12: variants[1].network: variant wide needs ");
    let end = "to be trained at batch 32 and evaluated, and the memory budget is 30.00 MiB (--memory): \
               lower train.batch, or give a larger --memory";
    assert!(message.ends_with(end), "{message}");

    let space = "name: s\ninput: 3x32x32\nclasses: 10\nstem: {channels: 32}\nstages:\n- {block: ir, expand: [4, 6], channels: 64}\n";
    folder.write("s.yaml", space);
    let search = experiment("search: {space: s.yaml, strategy: grid}\n");
    let what = "train.batch: the smallest of the search's first 2 candidates needs ";
    starts(&refused(&folder, &search, &budget), &format!("DIR/bad.yaml:3:27: {what}"));
    let more = [&budget[..], &["--set", "train.batch=256"]].concat();
    starts(&refused(&folder, &search, &more), &format!("--set train.batch=256: {what}"));
    // Nor are the variants trained where nothing of the search fits beside them.
    starts(&refused(&folder, search + VARIANT, &budget), &format!("DIR/bad.yaml:3:27: {what}"));

    let infer = ["bench", "--network", "mix", "--mode", "infer", "--batch", "65536", "--memory", "1 GB"];
    let message = refusal(&infer);
    starts(&message, "mix: inference at batch 65536 needs ");
    let end = "and the memory budget is 953.67 MiB (--memory): give a smaller --batch or a larger --memory";
    assert!(message.ends_with(end), "{message}");
}

/// In the parser's own words.
#[test]
fn sizes_and_counts_that_are_none() {
    for (args, reason) in [
        (["bench", "--memory", "8G"], "write 8GiB (binary) or 8GB (decimal)"),
        (["bench", "--memory", "lots"], "`` is not a number; write a size such as 8GiB"),
        (["bench", "--memory", "0"], "a memory budget is from 1 byte"),
        (["run", "--jobs", "some"], "give a number from 1 to 1024, or auto"),
        (["run", "--threads", "0"], "give a number from 1 to 1024, or auto"),
    ] {
        let output = output(&args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(args[1]) && stderr.contains(reason), "{args:?}: {stderr}");
    }
}
