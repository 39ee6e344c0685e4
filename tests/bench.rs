//! `blocksmith bench`, and the memory of a training step.

mod support;

use support::json;

#[test]
fn a_step_is_timed() {
    let network = "stem_c8_s2 ir_e2_c8";
    for mode in ["train", "infer"] {
        let args =
            ["bench", "--network", network, "--batch", "4", "--mode", mode, "--seconds", "0", "--json"];
        let measured = json(&args);
        for key in ["images_per_s", "median_ms", "peak_bytes", "gflops"] {
            assert!(measured[key].as_f64().unwrap() > 0.0, "{mode} {key}: {measured}");
        }
    }
}

/// Activations are freed as the tape lets them: without that the step would need twice its stored activations.
#[test]
fn a_training_step_of_mix_at_batch_128_fits_into_one_and_a_half_gib() {
    let measured = json(&["bench", "--network", "mix", "--batch", "128", "--seconds", "0", "--json"]);
    let peak = measured["peak_bytes"].as_f64().unwrap();
    assert!(peak < 1.5 * (1u64 << 30) as f64, "{measured}");
}
