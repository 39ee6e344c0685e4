//! `blocksmith bench`, and the memory of a training step.

mod support;

use support::{json, stdout};

#[test]
fn a_step_is_timed() {
    let network = "stem_c8_s2 ir_e2_c8";
    for mode in ["train", "infer"] {
        let args =
            ["bench", "--network", network, "--batch", "4", "--mode", mode, "--seconds", "0", "--json"];
        let measured = json(&args);
        for key in ["images_per_s", "median_ms", "peak_bytes", "gflops", "data_ms"] {
            assert!(measured[key].as_f64().unwrap() > 0.0, "{mode} {key}: {measured}");
        }
    }
}

/// No data set has images of one channel.
#[test]
fn making_a_batch_is_timed_where_there_can_be_one() {
    let args =
        ["bench", "--network", "stem_c8_s2 ir_e2_c8", "--input", "1x28x28", "--batch", "4", "--seconds", "0"];
    assert!(json(&[&args[..], &["--json"]].concat())["data_ms"].is_null());
    assert!(!stdout(&args).contains("data"));
    let args = ["bench", "--network", "stem_c8_s2 ir_e2_c8", "--batch", "4", "--seconds", "0"];
    assert!(stdout(&args).contains(" ms a batch ("));
}

/// What a step keeps, what readers compute anew, and what is freed on the way back, all of it together: the process at its
/// peak, as `profile` foretells it.
#[test]
fn training_steps_at_batch_128_fit_and_are_foretold() {
    let cifar = ["--set", "stem=cifar", "--input", "3x32x32"];
    for (network, more, most) in [("mix", &[][..], 0.9), ("mobilenet_v2", &cifar[..], 1.0)] {
        let bench = ["bench", "--network", network, "--batch", "128", "--seconds", "0", "--json"];
        let peak = json(&[&bench[..], more].concat())["peak_bytes"].as_f64().unwrap();
        assert!(peak <= most * (1u64 << 30) as f64, "{network}: {peak} bytes");
        let profile = ["profile", network, "--batch", "128", "--json"];
        let foretold = json(&[&profile[..], more].concat())["training_memory_bytes"].as_f64().unwrap();
        assert!((foretold / peak - 1.0).abs() < 0.1, "{network}: {foretold} bytes foretold, {peak} at most");
    }
}

/// Layers have shares of the step, and products a rate and a place under the roofline.
#[test]
fn layers_are_timed() {
    for mode in ["train", "infer"] {
        let args =
            ["bench", "--network", "stem_c8_s2 ir_e2_c8", "--batch", "4", "--mode", mode, "--seconds", "0"];
        let measured = json(&[&args[..], &["--layers", "--json"]].concat());
        let layers = measured["layers"].as_array().unwrap();
        let share: f64 = layers.iter().map(|layer| layer["share"].as_f64().unwrap()).sum();
        assert!(share > 0.0, "{mode}: {measured}");
        let project = layers.iter().find(|layer| layer["name"] == "stages.0.0.project").unwrap();
        assert!(project["gflops"].as_f64().unwrap() > 0.0 && project["roofline"].as_f64().unwrap() > 0.0);
        assert!(stdout(&[&args[..], &["--layers"]].concat()).contains("of roofline"));
    }
}
