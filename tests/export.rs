//! Exported networks: what ONNX Runtime and torchvision computed from our files (`tests/fixtures/make_export_fixtures.py`)
//! is what our inference computes, and the files written now are those that they read then.

#[path = "support/engine_networks.rs"]
#[allow(dead_code)]
mod engine_networks;
#[path = "support/export_cases.rs"]
mod export_cases;
#[path = "support/engine_fixtures.rs"]
#[allow(dead_code)]
mod fixtures;
mod support;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use ::safetensors::SafeTensors;
use ::safetensors::tensor::Dtype;
use blocksmith::engine::Model;
use blocksmith::export::{About, Naming, Weights, onnx, safetensors};
// `engine_networks` is part of the library's own tests too, where these are `crate::arch` and `crate::space`.
use blocksmith::{arch, space};
use export_cases::{Case, cases, images, model};
use fixtures::difference;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use support::{Folder, output, refusal, stdout};

/// Cases that torchvision has too.
const TORCHVISION: [&str; 4] = ["mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "shufflenet_v2"];

fn fixture() -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/export/cases.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn about(case: &Case, model: &Model<f32>) -> About {
    About { folded: case.fold, ..About::new(case.name, model.network.input(), model.network.classes) }
}

fn onnx_bytes(case: &Case, model: &Model<f32>) -> Vec<u8> {
    onnx::bytes(model, &about(case, model)).unwrap()
}

/// SHA-256 of the graph in an ONNX file: field 7 of the message. What is around it names the version of blocksmith.
fn graph_hash(file: &[u8]) -> String {
    let mut rest = file;
    let varint = |rest: &mut &[u8]| {
        let end = rest.iter().position(|byte| byte & 0x80 == 0).unwrap();
        let (head, tail) = rest.split_at(end + 1);
        *rest = tail;
        head.iter().rev().fold(0u64, |value, byte| value << 7 | u64::from(byte & 0x7f))
    };
    while !rest.is_empty() {
        let key = varint(&mut rest);
        let number = varint(&mut rest);
        if key & 7 == 2 {
            let (field, tail) = rest.split_at(number as usize);
            if key >> 3 == 7 {
                return blocksmith::text::hex(&Sha256::digest(field));
            }
            rest = tail;
        }
    }
    panic!("no graph");
}

/// Writes the files that `make_export_fixtures.py` reads, into the folder that it names.
#[test]
#[ignore = "the first half of making the fixtures"]
fn write_files_for_python() {
    let folder = std::env::var("BLOCKSMITH_EXPORT_FILES").expect("a folder");
    let folder = Path::new(&folder);
    let mut listed = Vec::new();
    for case in cases() {
        let model = model(&case);
        let file = onnx_bytes(&case, &model);
        let input = model.network.input();
        std::fs::write(folder.join(format!("{}.onnx", case.name)), &file).unwrap();
        if TORCHVISION.contains(&case.name) {
            let named = safetensors::bytes(&model, &about(&case, &model), Naming::Torchvision).unwrap();
            std::fs::write(folder.join(format!("{}.safetensors", case.name)), named).unwrap();
        }
        listed.push(serde_json::json!({
            "name": case.name, "input": [input.c, input.h, input.w], "graph": graph_hash(&file),
        }));
    }
    std::fs::write(folder.join("cases.json"), serde_json::to_vec(&listed).unwrap()).unwrap();
}

fn logits(values: &Json) -> Vec<f64> {
    serde_json::from_value(values.clone()).unwrap()
}

#[test]
fn onnx_runtime_computes_what_we_compute() {
    let fixture = fixture();
    let known = fixture["cases"].as_object().unwrap();
    let cases = cases();
    assert_eq!(known.len(), cases.len());
    for case in &cases {
        let model = model(case);
        let known = &known[case.name];
        assert_eq!(graph_hash(&onnx_bytes(case, &model)), known["graph"], "{}: another graph", case.name);
        let ours: Vec<f64> = model.logits(&images(case)).into_iter().map(f64::from).collect();
        let error = difference(&ours, &logits(&known["logits"]));
        assert!(error < 1e-4, "{}: logits differ by {error:.1e}", case.name);
        // Images must tell apart, or equal logits would say nothing.
        let (first, second) = ours.split_at(ours.len() / 2);
        assert!(difference(first, second) > 1e-3, "{}: both images have the same logits", case.name);
    }
}

/// torchvision loaded our files, all names and shapes its own; its own files load here.
#[test]
fn torchvision_has_our_names_and_logits() {
    let fixture = fixture();
    for case in cases().iter().filter(|case| TORCHVISION.contains(&case.name)) {
        let model = model(case);
        let known = &fixture["torchvision"][case.name];
        let ours: Vec<f64> = model.logits(&images(case)).into_iter().map(f64::from).collect();
        let error = difference(&ours, &logits(&known["logits"]));
        assert!(error < 1e-4, "{}: logits differ by {error:.1e}", case.name);

        let file = safetensors::bytes(&model, &about(case, &model), Naming::Torchvision).unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let shapes = tensors.tensors().into_iter().map(|(name, view)| (name, view.shape().to_vec()));
        let shapes: BTreeMap<String, Vec<usize>> = shapes.collect();
        let theirs: BTreeMap<String, Vec<usize>> = serde_json::from_value(known["shapes"].clone()).unwrap();
        assert_eq!(shapes, theirs, "{}", case.name);

        let mut back = blank(case);
        Weights::of_bytes("theirs", file).unwrap().load_into(&mut back).unwrap();
        assert_eq!(back.logits(&images(case)), model.logits(&images(case)));
    }
}

/// A case's network with other weights.
fn blank(case: &Case) -> Model<f32> {
    let workers = std::sync::Arc::new(blocksmith::engine::Workers::new(1).unwrap());
    Model::new(case.network.clone(), [9; 32], workers)
}

#[test]
fn what_is_written_is_read_back_with_what_it_says() {
    let cases = cases();
    let case = cases.iter().find(|case| case.name == "varied").unwrap();
    let model = model(case);
    let about = About { class_names: (0..10).map(|i| format!("class {i}")).collect(), ..about(case, &model) };
    let file = safetensors::bytes(&model, &about, Naming::Ours).unwrap();
    assert_eq!(file, safetensors::bytes(&model, &about, Naming::Ours).unwrap());
    let weights = Weights::of_bytes("ours", file).unwrap();
    assert_eq!(weights.about().unwrap(), Some(about));
    let mut back = blank(case);
    weights.load_into(&mut back).unwrap();
    assert_eq!(back.logits(&images(case)), model.logits(&images(case)));
    let error = safetensors::bytes(&model, &About::new("x", model.network.input(), 10), Naming::Torchvision);
    assert!(error.unwrap_err().to_string().contains("torchvision has no names for it"));
}

/// Half the bits, half the digits; all the bits, all the digits that f32 has.
#[test]
fn weights_in_other_numbers_are_converted() {
    let cases = cases();
    let case = cases.iter().find(|case| case.name == "varied").unwrap();
    let model = model(case);
    let file = safetensors::bytes(&model, &about(case, &model), Naming::Ours).unwrap();
    let exact = model.logits(&images(case));
    for (dtype, allowed) in [(Dtype::F64, 0.0), (Dtype::F16, 0.02), (Dtype::BF16, 0.1)] {
        let converted = convert(&SafeTensors::deserialize(&file).unwrap(), dtype);
        let mut back = blank(case);
        Weights::of_bytes("converted", converted).unwrap().load_into(&mut back).unwrap();
        let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
        let error = difference(&wide(back.logits(&images(case))), &wide(exact.clone()));
        assert!(error <= allowed, "{dtype:?}: {error}");
        assert!(allowed == 0.0 || error > 0.0, "{dtype:?}");
    }
}

/// The same tensors in other numbers, towards zero where they are shorter.
fn convert(tensors: &SafeTensors<'_>, dtype: Dtype) -> Vec<u8> {
    let number = |b: &[u8]| f32::from_le_bytes(b.try_into().unwrap());
    let narrow = |value: f32| -> Vec<u8> {
        match dtype {
            Dtype::F64 => f64::from(value).to_le_bytes().to_vec(),
            Dtype::BF16 => ((value.to_bits() >> 16) as u16).to_le_bytes().to_vec(),
            _ => f16(value).to_le_bytes().to_vec(),
        }
    };
    let views = tensors.tensors().into_iter().map(|(name, view)| {
        (name, view.shape().to_vec(), view.data().chunks_exact(4).flat_map(|b| narrow(number(b))).collect())
    });
    let views: Vec<(String, Vec<usize>, Vec<u8>)> = views.collect();
    let views = views.iter().map(|(name, shape, data)| {
        (name, ::safetensors::tensor::TensorView::new(dtype, shape.clone(), data).unwrap())
    });
    ::safetensors::serialize(views, None::<HashMap<String, String>>).unwrap()
}

/// IEEE 754's binary16, towards zero; what is too small for a whole fraction becomes zero.
fn f16(value: f32) -> u16 {
    let bits = value.to_bits();
    let (sign, exponent) = ((bits >> 16 & 0x8000) as u16, (bits >> 23 & 0xff) as i32 - 127 + 15);
    if exponent <= 0 { sign } else { sign | (exponent as u16) << 10 | (bits >> 13 & 0x3ff) as u16 }
}

#[test]
fn a_file_is_replaced_only_when_told_to() {
    let folder = Folder::new();
    let out = folder.at("a.onnx");
    let small = "stem_s2_c8 ir_s2_e2_c12";
    let said = stdout(&["export", small, "--out", &out]);
    assert!(said.contains("ONNX opset 17") && said.contains("weights at random from seed 1"), "{said}");
    let first = std::fs::read(&out).unwrap();
    let message = refusal(&["export", small, "--out", &out]);
    assert!(
        message.ends_with("the file is there already: name another, or replace it with --force"),
        "{message}"
    );
    stdout(&["export", small, "--out", &out, "--force", "--seed", "2"]);
    assert_ne!(std::fs::read(&out).unwrap(), first);
    stdout(&["export", small, "--out", &out, "--force", "--seed", "1"]);
    assert_eq!(std::fs::read(&out).unwrap(), first);
    // Nothing is left of temporary names.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn folded_weights_export_again_and_are_not_trained_from() {
    let folder = Folder::new();
    let (folded, onnx) = (folder.at("folded.safetensors"), folder.at("folded.onnx"));
    let small = "stem_s2_c8 ir_s2_e2_c12";
    stdout(&["export", small, "--out", &folded, "--fold"]);
    let said = stdout(&["export", &folded, "--out", &onnx]);
    assert!(said.contains("batch norm folded"), "{said}");
    let message = refusal(&[
        "export",
        small,
        "--weights",
        &folded,
        "--names",
        "torchvision",
        "--out",
        &folder.at("x.safetensors"),
    ]);
    assert!(message.contains("torchvision has no names for it"), "{message}");
}

#[test]
fn wrong_requests_are_sentences() {
    let folder = Folder::new();
    let at = |name: &str| folder.at(name);
    let good = at("good.safetensors");
    let small = "stem_s2_c8 ir_s2_e2_c12";
    stdout(&["export", small, "--out", &good]);
    let bytes = std::fs::read(&good).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let text = String::from_utf8(bytes[8..8 + header].to_vec()).unwrap();
    let changed =
        |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &bytes[8 + header..]].concat();
    folder.write("truncated.safetensors", &bytes[..bytes.len() - 100]);
    folder.write("cut-header.safetensors", &bytes[..60]);
    folder.write("text.safetensors", "this is no such file, but a text");
    folder.write("empty.safetensors", "");
    folder.write("missing.safetensors", changed(&text.replace("stem.weight", "stem.wait")));
    folder.write("whole-numbers.safetensors", changed(&text.replacen("F32", "I32", 1)));
    folder.write(
        "shape.safetensors",
        changed(&text.replace("[8,3,3,3]", "[8,9,1,3]").replace("[8, 3, 3, 3]", "[8, 9, 1, 3]")),
    );
    folder.write("nameless.safetensors", changed(&text.replace("\"network\"", "\"metwork\"")));
    // A header that claims more than any machine has, over a file that has it: all holes.
    let huge = format!(
        "{{\"a\":{{\"dtype\":\"F32\",\"shape\":[{}],\"data_offsets\":[0,{}]}}}}",
        1u64 << 42,
        1u64 << 44
    );
    folder.write("huge.safetensors", [&(huge.len() as u64).to_le_bytes()[..], huge.as_bytes()].concat());
    let file = std::fs::OpenOptions::new().write(true).open(folder.join("huge.safetensors")).unwrap();
    let is_sparse = file.set_len(8 + huge.len() as u64 + (1 << 44)).is_ok();
    let export = |weights: &str, more: &[&str]| {
        let (weights, out) = (at(weights), at("out.onnx"));
        let args = [&["export", small, "--weights", &weights, "--out", &out], more].concat();
        let message = refusal(&args);
        assert!(!folder.join("out.onnx").exists());
        message.replace(folder.path().to_str().unwrap(), "DIR")
    };
    for (weights, expected) in [
        ("none.safetensors", "DIR/none.safetensors: cannot be read (No such file"),
        ("truncated.safetensors", "DIR/truncated.safetensors: not a whole safetensors file"),
        (
            "cut-header.safetensors",
            "DIR/cut-header.safetensors: not a whole safetensors file: its header should have",
        ),
        ("text.safetensors", "DIR/text.safetensors: not a safetensors file"),
        ("empty.safetensors", "DIR/empty.safetensors: not a safetensors file: it has only 0 bytes"),
        (
            "missing.safetensors",
            "the weights do not fit: stem.weight is missing; stem.wait is not part of stem_k3_s2_c8",
        ),
        ("whole-numbers.safetensors", "holds I32, and only F16, BF16, F32 and F64 are read"),
        ("shape.safetensors", "stem.weight has shape [8, 9, 1, 3], not [8, 3, 3, 3]"),
        ("", "not a file: name a safetensors file"),
    ] {
        let message = export(weights, &[]);
        assert!(message.contains(expected), "{message}\n  does not contain\n{expected}");
    }
    if is_sparse {
        let message = export("huge.safetensors", &[]);
        assert!(message.contains("of memory are available"), "{message}");
    }
    let message = export("good.safetensors", &["--classes", "7"]);
    assert!(
        message.contains("its classifier tells 10 classes apart") && message.contains("tells 7"),
        "{message}"
    );
    let message = refusal(&["export", "mix", "--weights", &good, "--out", &at("mix.onnx")]);
    assert!(message.contains(" more") && message.matches("missing").count() <= 8, "{message}");
    let message = refusal(&["export", &at("nameless.safetensors"), "--out", &at("x.onnx")]);
    assert!(message.contains("does not say which network it is for"), "{message}");
    for (args, expected) in [
        (
            &["export", "mix", "--out", &at("mix.bin")][..],
            "end it in .onnx or .safetensors, or give --format",
        ),
        (
            &["export", "mix", "--out", &at("x.onnx"), "--names", "torchvision"],
            "the names of other libraries are for safetensors",
        ),
        (
            &["export", "mix", "--out", &at("x.safetensors"), "--names", "torchvision"],
            "torchvision has no names for it",
        ),
        (&["export", "mix", "--out", &at("x.onnx"), "--trial", "1"], "mix is not a study's folder"),
        (&["export", folder.path().to_str().unwrap(), "--out", &at("x.onnx")], "there is no study here"),
        (&["export", "mux", "--out", &at("x.onnx")], "neither a named network"),
        (
            &["export", "mix", "--out", folder.path().to_str().unwrap(), "--format", "onnx"],
            "this is a folder",
        ),
        (&["export", "stem_c65536 ir_r4_e64_c65536", "--out", &at("x.onnx")], "take a smaller network"),
    ] {
        let message = refusal(args);
        assert!(message.contains(expected), "{message}\n  does not contain\n{expected}");
    }
    let unwritable = output(&["export", small, "--out", &at("no/such/folder.onnx")]);
    // A folder that does not exist is a wrong request, as it is to `draw` and `table`.
    assert_eq!(unwritable.status.code(), Some(2));
}
