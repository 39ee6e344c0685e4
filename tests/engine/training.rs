//! A small network learns fixed images, and then says in evaluation mode what it said in training mode.

use std::sync::Arc;

use blocksmith::arch::{Shape, zoo};
use blocksmith::engine::{Batch, Model, Outcome, Sgd, SgdSettings, Workers};

const SIDE: usize = 12;
const IMAGES: usize = 60;
const CLASSES: usize = 4;

/// Stripes of four directions, phase from image to image, under noise as large as they are.
fn images() -> (Vec<f32>, Vec<u32>) {
    let mut noise = 12345u32;
    let mut next = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut pixels = Vec::new();
    let labels: Vec<u32> = (0..IMAGES).map(|i| (i % CLASSES) as u32).collect();
    for (image, label) in labels.iter().enumerate() {
        for y in 0..SIDE {
            for x in 0..SIDE {
                let along = [x, y, x + y, x + SIDE - y][*label as usize];
                let stripe = if (along + image / CLASSES) % 4 < 2 { 1.0 } else { -1.0 };
                pixels.extend((0..3).map(|_| stripe + next()));
            }
        }
    }
    (pixels, labels)
}

/// Trains on all images in batches of `size`; the model, and its last outcome on all images in training mode.
fn train(network: &str, size: usize, steps: usize) -> (Model<f32>, Outcome, Outcome) {
    let (pixels, labels) = images();
    let input = Some(Shape::new(3, SIDE, SIDE));
    let options = zoo::Options { classes: Some(CLASSES), input, ..Default::default() };
    let network = zoo::network(network, &options).unwrap();
    let mut model = Model::<f32>::new(network, [5; 32], Arc::new(Workers::new(1).unwrap()));
    let settings =
        SgdSettings { momentum: 0.9, nesterov: true, weight_decay: 1e-4, decay_norm_and_bias: false };
    let mut sgd = Sgd::new(settings);
    for step in 0..steps {
        // Linear to zero, so that the running statistics settle, as every schedule lets them.
        let lr = 0.05 * (1.0 - step as f64 / steps as f64);
        let start = step * size % IMAGES;
        let (from, to) = (start, (start + size).min(IMAGES));
        let each = 3 * SIDE * SIDE;
        let batch = Batch { images: &pixels[from * each..to * each], labels: &labels[from..to] };
        let (_, mut grads) = model.gradients(batch, 0.0);
        sgd.update(&mut model, &mut grads, lr).unwrap();
    }
    let all = Batch { images: &pixels, labels: &labels };
    let evaluation = model.evaluate(all);
    let (training, _) = model.gradients(all, 0.0);
    (model, training, evaluation)
}

fn check(network: &str, size: usize) {
    let (_, training, evaluation) = train(network, size, 120);
    let report = format!(
        "{network}, batches of {size}: training mode loss {:.4}, {} of {IMAGES}; evaluation mode {:.4}, {}",
        training.loss, training.correct, evaluation.loss, evaluation.correct
    );
    println!("{report}");
    assert!(training.correct * 100 >= IMAGES * 90, "did not learn: {report}");
    assert!(training.correct.abs_diff(evaluation.correct) <= IMAGES / 20, "{report}");
    assert!((training.loss - evaluation.loss).abs() < 0.1, "{report}");
}

#[test]
fn evaluation_mode_agrees_with_training_mode() {
    // All images a step; then a batch size that does not divide 60, so that the last batch is smaller.
    for size in [60, 25] {
        check("stem_k3_s1_c8 ir_r2_k3_s2_e3_c12 cse_r1_k3_s1_c16_cap8_rr4 head_c32", size);
        check("stem_k3_s1_c8_nhs ir_r2_k5_s2_e3_c12_se0.25_nhs head_c32_nhs", size);
    }
}

/// With weights at rest, running statistics approach the batch's as 1 - 0.9^k: after 200 passes they are the batch's,
/// but for the variance's n/(n-1), and evaluation is the training-mode pass.
#[test]
fn running_statistics_settle_on_the_batch() {
    let (mut model, ..) =
        train("stem_k3_s1_c8 ir_r1_k3_s2_e3_c12 cse_r1_k3_s1_c16_cap8_rr4 head_c32", 60, 10);
    let (pixels, labels) = images();
    let all = Batch { images: &pixels, labels: &labels };
    let before = model.running.clone();
    model.gradients(all, 0.0);
    let once = model.running.clone();
    for _ in 1..200 {
        model.gradients(all, 0.0);
    }
    for ((before, once), settled) in before.iter().zip(&once).zip(&model.running) {
        let (Some(before), Some(once), Some(settled)) = (before, once, settled) else { continue };
        for i in 0..settled.mean.len() {
            let mean = 0.9 * before.mean[i] + 0.1 * settled.mean[i];
            assert!((once.mean[i] - mean).abs() < 1e-4 * (1.0 + mean.abs()), "{} {mean}", once.mean[i]);
            let variance = 0.9 * before.variance[i] + 0.1 * settled.variance[i];
            assert!(
                (once.variance[i] - variance).abs() < 1e-4 * (1.0 + variance),
                "{} {variance}",
                once.variance[i]
            );
        }
    }
    let evaluation = model.evaluate(all);
    let (training, _) = model.gradients(all, 0.0);
    assert_eq!(evaluation.correct, training.correct);
    let (evaluation, training) = (evaluation.loss, training.loss);
    assert!((evaluation - training).abs() < 2e-3, "evaluation {evaluation}, training {training}");
}
