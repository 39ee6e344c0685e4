//! The same bits whatever the number of threads, and in every repetition.

use std::sync::Arc;

use blocksmith::arch::{Network, Shape, zoo};
use blocksmith::engine::simd::Isa;
use blocksmith::engine::{Batch, Model, Sgd, SgdSettings, Workers, grad};

/// A network with squeeze-and-excitation, h-swish, 5x5 and 7x7 kernels, a projected shortcut and a CSE block.
const SE: &str = "stem_k3_s2_c12_nhs ir_r2_k5_s1_e3_c20_se0.25_nhs_project ir_r1_k7_s2_h30_c24_se0.5 \
                  cse_r2_k3_s2_c36_cap4_rr4 head_c72_g4";

/// A network by name or notation, or one that has no notation.
fn network(name: &str) -> Network {
    let options =
        zoo::Options { classes: Some(10), input: Some(Shape::new(3, 32, 32)), ..Default::default() };
    match name {
        "shuffle unit" => crate::networks::shuffle_unit(1, 20),
        "shuffle unit, stride 2" => crate::networks::shuffle_unit(2, 20),
        "inception" => crate::networks::inception(1),
        "residual pool" => crate::networks::residual_pool(1),
        _ => zoo::network(name, &options).unwrap(),
    }
}

/// What block notation has no word for: slices, concatenations, shuffles, grouped convolutions, pools, response norm, dropout.
const BUILT: [&str; 4] = ["shuffle unit", "shuffle unit, stride 2", "inception", "residual pool"];

/// Everything that three training steps and an evaluation leave behind, as bits.
fn bits(name: &str, images: usize, threads: usize) -> Vec<u32> {
    let network = network(name);
    let each = network.input().len();
    let mut model = Model::<f32>::new(network, [3; 32], Arc::new(Workers::new(threads).unwrap()));
    let settings =
        SgdSettings { momentum: 0.9, nesterov: true, weight_decay: 1e-4, decay_norm_and_bias: false };
    let mut sgd = Sgd::new(settings);
    let pixels: Vec<f32> = (0..images * each).map(|i| ((i * 7919 % 1009) as f32 / 504.0) - 1.0).collect();
    let labels: Vec<u32> = (0..images as u32).map(|i| i * 3 % 10).collect();
    let batch = Batch { images: &pixels, labels: &labels };
    let mut all = Vec::new();
    for step in 0..3 {
        model.set_step(step);
        let (outcome, mut grads) = model.gradients(batch, 0.1);
        assert!(outcome.loss.is_finite());
        all.extend([(outcome.loss as f32).to_bits(), outcome.correct as u32]);
        for param in &model.params {
            let gradient = grads.get_or_alloc_mut(&param.tensor).unwrap();
            all.extend(gradient.iter().map(|g| g.to_bits()));
        }
        sgd.update(&mut model, &mut grads, 0.1).unwrap();
    }
    for param in &model.params {
        all.extend(grad::values(&param.tensor).iter().map(|v| v.to_bits()));
    }
    for running in model.running.iter().flatten() {
        all.extend(running.mean.iter().chain(&running.variance).map(|v| v.to_bits()));
    }
    all.extend(model.logits(&pixels).iter().map(|l| l.to_bits()));
    all
}

fn check(network: &str, batches: &[usize]) {
    for &images in batches {
        let one = bits(network, images, 1);
        for threads in [1, 2, 3] {
            let other = bits(network, images, threads);
            let differing = one.iter().zip(&other).filter(|(a, b)| a != b).count();
            assert!(
                one.len() == other.len() && differing == 0,
                "{network}, {images} images: {differing} of {} numbers depend on {threads} threads",
                one.len()
            );
        }
    }
}

#[test]
fn mix_does_not_depend_on_threads() {
    check("mix", &[2, 13]);
}

#[test]
fn squeeze_and_excitation_does_not_depend_on_threads() {
    check(SE, &[2, 5, 8, 13]);
}

#[test]
fn channels_pools_and_dropout_do_not_depend_on_threads() {
    for name in BUILT {
        check(name, &[2, 5, 13]);
    }
}

/// A step drops the same values whenever it comes, and another step others: a training that goes on from the start of an
/// epoch is the one that was never stopped.
#[test]
fn what_is_dropped_is_the_steps_alone() {
    let images: Vec<f32> = (0..4 * 3 * 16 * 15).map(|i| ((i * 7919 % 1009) as f32 / 504.0) - 1.0).collect();
    let batch = Batch { images: &images, labels: &[1, 2, 3, 4] };
    let workers = Arc::new(Workers::new(1).unwrap());
    let losses = |seed: u8, steps: &[u64]| -> Vec<f64> {
        let mut model = Model::<f32>::new(crate::networks::inception(1), [seed; 32], workers.clone());
        let mut loss = |step: &u64| {
            model.set_step(*step);
            model.gradients(batch, 0.0).0.loss
        };
        steps.iter().map(&mut loss).collect()
    };
    let [a, b, c] = losses(3, &[0, 1, 2])[..] else { unreachable!() };
    assert_eq!(losses(3, &[2, 0, 1, 0]), [c, a, b, a]);
    assert!(a != b && b != c && a != c);
}

/// Every instruction set gives the same numbers, so that a study can go on on another machine, and what is proved of one
/// set's gradients holds for all.
#[test]
fn nothing_depends_on_the_instruction_set() {
    for network in ["mix", SE].into_iter().chain(BUILT) {
        let mut first: Option<Vec<u32>> = None;
        for isa in Isa::available() {
            isa.select();
            let bits = bits(network, 3, 1);
            let first = first.get_or_insert_with(|| bits.clone());
            let differing = first.iter().zip(&bits).filter(|(a, b)| a != b).count();
            assert!(
                differing == 0,
                "{network}: {differing} of {} numbers are others with {isa:?}",
                bits.len()
            );
        }
    }
}

/// One image at a time gives the bits that it gives in a batch, and evaluation leaves no trace.
#[test]
fn evaluation_is_per_image() {
    let options =
        zoo::Options { classes: Some(10), input: Some(Shape::new(3, 32, 32)), ..Default::default() };
    for name in ["mix", SE] {
        let network = zoo::network(name, &options).unwrap();
        let model = Model::<f32>::new(network, [3; 32], Arc::new(Workers::new(2).unwrap()));
        let each = 3 * 32 * 32;
        let pixels: Vec<f32> = (0..13 * each).map(|i| ((i * 7919 % 1009) as f32 / 504.0) - 1.0).collect();
        let together = model.logits(&pixels);
        let alone: Vec<f32> = pixels.chunks(each).flat_map(|image| model.logits(image)).collect();
        let bits = |logits: &[f32]| logits.iter().map(|l| l.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&alone), bits(&together), "{name}: alone, and in a batch");
        assert_eq!(model.logits(&pixels), together, "{name}: evaluating changed the model");
    }
}
