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

/// Activations are freed as the tape lets them: without that the step would need twice its stored activations.
#[test]
fn a_training_step_of_mix_at_batch_128_fits_into_one_and_a_half_gib() {
    let measured = json(&["bench", "--network", "mix", "--batch", "128", "--seconds", "0", "--json"]);
    let peak = measured["peak_bytes"].as_f64().unwrap();
    assert!(peak < 1.5 * (1u64 << 30) as f64, "{measured}");
}
