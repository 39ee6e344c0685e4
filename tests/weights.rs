//! Weights from elsewhere, as a user meets them: names of timm and of wrappers, classifiers of other classes, files of other
//! kinds, numbers that are none.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use blocksmith::arch::zoo;
use blocksmith::engine::weights::slots;
use blocksmith::export::Naming;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use support::{Folder, output, refusal, stdout};

/// Small enough to be trained in a moment.
const NETWORK: &str = "stem_s2_c8 ir_s2_e2_c16";
const EXPERIMENT: &str = "name: small
data: {format: shapes, side: 16, limit: {train: 60, test: 20}}
train: {epochs: 1, batch: 20, lr: 0.01, WEIGHTS}
variants:
- {name: net, network: stem_s2_c8 ir_s2_e2_c16}
";

/// What each tensor of a file becomes: another name, another kind of number, other bytes.
type Tensor = (String, Dtype, Vec<usize>, Vec<u8>);

/// Writes `to` with every tensor of `from` changed, or left out.
fn rewrite(from: &str, to: &str, change: impl Fn(Tensor) -> Option<Tensor>) {
    let bytes = std::fs::read(from).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |(name, view): (String, TensorView<'_>)| {
        change((name, view.dtype(), view.shape().to_vec(), view.data().to_vec()))
    };
    let tensors: Vec<Tensor> = file.tensors().into_iter().filter_map(tensor).collect();
    let views = tensors.iter().map(|(name, kind, shape, data)| {
        (name.clone(), TensorView::new(*kind, shape.clone(), data).unwrap())
    });
    std::fs::write(to, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// The file of a network with weights at random, in the folder.
fn exported(folder: &Folder, name: &str, more: &[&str]) -> String {
    let out = folder.at(name);
    stdout(&[&["export", "--out", &out], more].concat());
    out
}

/// The ONNX file that `weights` become: the same bytes mean the same weights.
fn onnx(folder: &Folder, weights: &str, network: &[&str]) -> (Vec<u8>, String) {
    let out = folder.at("same.onnx");
    let args = [&["export", "--weights", weights, "--out", &out, "--force"], network].concat();
    let output = output(&args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    (std::fs::read(out).unwrap(), stderr)
}

/// `tests/fixtures/make_timm_names.py` made the lists from timm's architecture strings; their sums are timm's published params.
#[test]
fn timm_has_our_names() {
    for (network, name) in [
        ("mobilenet_v2", "mobilenetv2_100"),
        ("mobilenet_v3_large", "mobilenetv3_large_100"),
        ("mobilenet_v3_small", "mobilenetv3_small_100"),
    ] {
        let path = format!("{}/tests/fixtures/timm/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        let list = std::fs::read_to_string(path).unwrap();
        let theirs: BTreeMap<String, Vec<usize>> = list
            .lines()
            .filter(|line| !line.contains("num_batches_tracked"))
            .map(|line| {
                let (name, shape) = line.split_once(' ').unwrap();
                (name.to_owned(), shape.split('x').map(|n| n.parse().unwrap()).collect())
            })
            .collect();
        let network = zoo::network(network, &zoo::Options::default()).unwrap();
        let entries = Naming::Timm.entries(&network, &slots(&network)).unwrap();
        let ours: BTreeMap<_, _> = entries.into_iter().map(|entry| (entry.name, entry.shape)).collect();
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn names_of_timm_and_of_wrappers_load() {
    let folder = Folder::new();
    let v3 = ["mobilenet_v3_small", "--classes", "10", "--input", "3x64x64"];
    let small = [NETWORK];
    for (network, names) in [
        (&v3[..], "timm"),
        (&v3, "torchvision"),
        (&["mobilenet_v2", "--classes", "10", "--set", "width=0.35"], "timm"),
        (&small, "ours"),
        (&["stem_c8 dsa_s2_c16 cn_c16 ir_e2_c16 head_c32"], "timm"),
    ] {
        let ours = exported(&folder, "ours.safetensors", &[network, &["--force"]].concat());
        let theirs =
            exported(&folder, "theirs.safetensors", &[network, &["--force", "--names", names]].concat());
        let (expected, note) = onnx(&folder, &ours, network);
        assert_eq!(note, "");
        for prefix in ["", "module.", "_orig_mod.", "model.", "backbone.", "module._orig_mod.", "ema.net.1."]
        {
            let wrapped = folder.at("wrapped.safetensors");
            rewrite(&theirs, &wrapped, |(name, kind, shape, data)| {
                Some((format!("{prefix}{name}"), kind, shape, data))
            });
            let (same, note) = onnx(&folder, &wrapped, network);
            assert!(same == expected, "{network:?} with {prefix} and the names of {names}");
            let said = note.contains(&format!("begin with `{prefix}`, which is passed over"));
            assert_eq!(said, !prefix.is_empty(), "{note}");
        }
    }
    let message = refusal(&["export", "squeezenet", "--names", "timm", "--out", &folder.at("x.safetensors")]);
    assert!(message.contains("timm has no names for it"), "{message}");
}

/// Values that f16 and bf16 hold exactly are the same weights in any of the kinds that are read; others are named.
#[test]
fn other_kinds_of_numbers_are_converted_or_named() {
    let folder = Folder::new();
    let random = exported(&folder, "random.safetensors", &[NETWORK]);
    // Multiples of 1/16 below 4: eight bits of mantissa hold them.
    let coarse = |v: f32| (v.clamp(-3.9, 3.9) * 16.0).round() / 16.0;
    let of = |kind: Dtype, v: f32| match kind {
        Dtype::F64 => f64::from(v).to_le_bytes().to_vec(),
        Dtype::BF16 => v.to_bits().to_le_bytes()[2..].to_vec(),
        Dtype::F16 => {
            // IEEE 754: sign, exponent less 127 - 15, ten bits of fraction; 0 is 0.
            let bits = v.to_bits();
            let half = if v == 0.0 { 0 } else { (((bits >> 23 & 255) - 112) << 10) | (bits >> 13 & 0x3ff) };
            ((bits >> 16 & 0x8000) as u16 | half as u16).to_le_bytes().to_vec()
        }
        _ => v.to_le_bytes().to_vec(),
    };
    let converted = |kind: Dtype| {
        let path = folder.at("converted.safetensors");
        rewrite(&random, &path, |(name, _, shape, data)| {
            let data = floats(&data).into_iter().flat_map(|v| of(kind, coarse(v))).collect();
            Some((name, kind, shape, data))
        });
        onnx(&folder, &path, &[NETWORK]).0
    };
    let expected = converted(Dtype::F32);
    for kind in [Dtype::F16, Dtype::BF16, Dtype::F64] {
        assert!(converted(kind) == expected, "{kind:?}");
    }
    let path = folder.at("bytes.safetensors");
    rewrite(&random, &path, |(name, _, shape, data)| {
        Some((name, Dtype::F8_E4M3, shape, data[..data.len() / 4].to_vec()))
    });
    let message = refusal(&["export", NETWORK, "--weights", &path, "--out", &folder.at("x.onnx")]);
    assert!(message.contains("holds F8_E4M3, and only F16, BF16, F32 and F64 are read"), "{message}");
}

#[test]
fn numbers_that_are_none_are_named_by_tensor() {
    let folder = Folder::new();
    let whole = exported(&folder, "whole.safetensors", &[NETWORK]);
    let broken = folder.at("broken.safetensors");
    for (tensor, value, said) in [
        (
            "stages.0.0.expand.weight",
            f32::NAN,
            "stages.0.0.expand.weight holds 2 of 128 values that are no finite f32 (the first: NaN)",
        ),
        (
            "stem_norm.running_var",
            f32::INFINITY,
            "stem_norm.running_var holds 2 of 8 values that are no finite f32 (the first: inf)",
        ),
        (
            "classifier.bias",
            f32::NEG_INFINITY,
            "classifier.bias holds 2 of 10 values that are no finite f32 (the first: -inf)",
        ),
    ] {
        rewrite(&whole, &broken, |(name, kind, shape, mut data)| {
            if name == tensor {
                data[4..8].copy_from_slice(&value.to_le_bytes());
                data[12..16].copy_from_slice(&value.to_le_bytes());
            }
            Some((name, kind, shape, data))
        });
        let file = folder.write("e.yaml", EXPERIMENT.replace("WEIGHTS", "weights: broken.safetensors"));
        for args in [
            vec!["export", NETWORK, "--weights", &broken, "--out", &folder.at("x.onnx")],
            vec!["run", &file, "--out", &folder.at("study")],
        ] {
            let message = refusal(&args);
            assert!(message.contains(said), "{message}");
            assert!(!folder.join("study").exists() && !folder.join("x.onnx").exists());
        }
    }
}

#[test]
fn files_of_other_kinds_are_named_for_what_they_are() {
    let folder = Folder::new();
    for (name, start, said) in [
        ("a.pth", &b"PK\x03\x04\x00\x00\x08\x08\x00\x00archive/data.pkl"[..], "a file of PyTorch's own"),
        ("pytorch_model.bin", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a file of PyTorch's own"),
        ("a.onnx", b"\x08\x08\x12\x07pytorch\x1a\x052.2.0", "an ONNX file"),
        ("a.h5", b"\x89HDF\r\n\x1a\n\x00\x00\x00\x00", "an HDF5 file"),
        ("a.safetensors", b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
    ] {
        let file = folder.write(name, start);
        let message = refusal(&["export", NETWORK, "--weights", &file, "--out", &folder.at("x.onnx")]);
        assert!(message.contains(name) && message.contains(said), "{message}");
    }
}

fn floats(data: &[u8]) -> Vec<f32> {
    data.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// Whether two tensors are the same but for steps of 1e-30, which show where a value is 0.
fn alike(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (floats(one), floats(other));
    one.len() == other.len() && one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-20)
}

/// The tensors of a study's only trial.
fn trained(dir: &str) -> BTreeMap<String, Vec<u8>> {
    let file = std::fs::read(Path::new(dir).join("checkpoints/trial-0001.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap().tensors();
    tensors.into_iter().map(|(name, view)| (name, view.data().to_vec())).collect()
}

/// With a learning rate of next to nothing a trial ends where it began: with the file's weights, but for a classifier that is as
/// without a file.
#[test]
fn a_fresh_classifier_takes_the_place_of_one_for_other_classes() {
    let folder = Folder::new();
    let seven = exported(&folder, "seven.safetensors", &[NETWORK, "--classes", "7", "--seed", "5"]);
    let experiment = |weights: &str| EXPERIMENT.replace("lr: 0.01", "lr: 1e-30").replace("WEIGHTS", weights);
    let refused = folder.write("refused.yaml", experiment("weights: seven.safetensors"));
    let message = refusal(&["run", &refused, "--out", &folder.at("refused")]);
    assert!(
        message.contains("its classifier tells 7 classes apart")
            && message.contains("`train.classifier: fresh`"),
        "{message}"
    );
    let run = |name: &str, weights: &str, more: &[&str]| {
        let (file, dir) = (folder.write(&format!("{name}.yaml"), experiment(weights)), folder.at(name));
        let output = output(&[&["run", &file, "--out", &dir], more].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        (dir, said)
    };
    let (plain, _) = run("plain", "momentum: 0.9", &[]);
    let plain = trained(&plain);
    let own = std::fs::read(&seven).unwrap();
    let own = SafeTensors::deserialize(&own).unwrap();
    // The backbone alone, as feature extractors are saved, wrapped.
    let headless = folder.at("headless.safetensors");
    rewrite(&seven, &headless, |(name, kind, shape, data)| {
        (!name.starts_with("classifier")).then(|| (format!("backbone.{name}"), kind, shape, data))
    });
    for (name, weights, more) in [
        ("fresh", "weights: seven.safetensors, classifier: fresh", &[][..]),
        ("by-flag", "momentum: 0.9", &["--weights", &seven, "--set", "train.classifier=fresh"]),
        ("headless", "weights: headless.safetensors, classifier: fresh", &[]),
    ] {
        let (dir, said) = run(name, weights, more);
        assert!(
            said.contains("the classifier starts fresh: classifier.weight and classifier.bias"),
            "{said}"
        );
        let (mut learned, mut classifier) = (0, 0);
        for (tensor, data) in trained(&dir) {
            if tensor.starts_with("classifier") {
                assert!(alike(&data, &plain[&tensor]), "{name}: {tensor} is not the trial's own");
                classifier += 1;
            } else if !tensor.contains("running_") {
                assert!(
                    alike(&data, own.tensor(&tensor).unwrap().data()),
                    "{name}: {tensor} is not the file's"
                );
                learned += 1;
            }
        }
        assert!(classifier == 2 && learned > 8, "{classifier} {learned}");
        let report = std::fs::read_to_string(Path::new(&dir).join("report.md")).unwrap();
        assert!(report.contains("with a classifier of fresh ones"), "{report}");
        let journal = std::fs::read_to_string(Path::new(&dir).join("journal.jsonl")).unwrap();
        assert!(journal.lines().next().unwrap().contains(r#""classifier":"fresh""#));
    }
    let alone = folder.write("alone.yaml", experiment("classifier: fresh"));
    let message = refusal(&["run", &alone, "--out", &folder.at("alone")]);
    assert!(message.contains("train.classifier: there are no weights to start from"), "{message}");
    let keys: BTreeSet<&str> = plain.keys().map(String::as_str).collect();
    assert!(keys.contains("classifier.weight"));
}

/// torchvision's MobileNetV2 of 1000 classes: refused with the remedy, and then trained from.
#[test]
fn torchvisions_weights_of_other_classes_start_with_a_fresh_classifier() {
    let folder = Folder::new();
    let theirs = exported(
        &folder,
        "theirs.safetensors",
        &["mobilenet_v2", "--set", "width=0.1", "--names", "torchvision"],
    );
    let experiment = |more: &str| {
        format!(
            "name: tr\nseeds: 1\ndata: {{format: shapes, side: 32, validation: 0.2, limit: {{train: 40, test: 20}}}}\n\
             train: {{epochs: 1, batch: 20, lr: 0.01, weights: {theirs}{more}}}\n\
             variants: [{{name: a, network: mobilenet_v2, set: {{width: 0.1}}}}]\n"
        )
    };
    let refused = folder.write("refused.yaml", experiment(""));
    let message = refusal(&["run", &refused, "--out", &folder.at("study")]);
    assert!(message.contains("tells 1000 classes apart, and mobilenet_v2 here tells 10"), "{message}");
    let file = folder.write("tr.yaml", experiment(", classifier: fresh"));
    let output = output(&["run", &file, "--out", &folder.at("study")]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("classifier.1.weight and classifier.1.bias are not taken"), "{said}");
}
