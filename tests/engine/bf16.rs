//! Training with products in bf16. Where the machine has no units for it, only the refusal is tested.

use std::sync::Arc;

use blocksmith::arch::{Shape, zoo};
use blocksmith::config::Precision;
use blocksmith::engine::{Batch, Model, Workers, units};

fn model(network: &str, threads: usize) -> Model<f32> {
    let options =
        zoo::Options { classes: Some(10), input: Some(Shape::new(3, 32, 32)), ..Default::default() };
    let network = zoo::network(network, &options).unwrap();
    Model::new(network, [3; 32], Arc::new(Workers::new(threads).unwrap()))
}

fn pixels(images: usize) -> Vec<f32> {
    (0..images * 3 * 32 * 32).map(|i| ((i * 7919 % 1009) as f32 / 504.0) - 1.0).collect()
}

/// Loss and all gradients.
fn gradients(model: &mut Model<f32>) -> Vec<f32> {
    let (pixels, labels) = (pixels(13), (0..13).map(|i| i * 3 % 10).collect::<Vec<u32>>());
    let (outcome, mut grads) = model.gradients(Batch { images: &pixels, labels: &labels }, 0.1);
    let mut all = vec![outcome.loss as f32];
    for param in &model.params {
        all.extend(grads.get_or_alloc_mut(&param.tensor).unwrap().iter());
    }
    all
}

/// A model set to bf16; `None` where the machine cannot, with a sentence that says what to do.
fn in_bf16(network: &str, threads: usize) -> Option<Model<f32>> {
    let mut model = model(network, threads);
    match model.set_precision(Precision::Bf16) {
        Ok(()) => Some(model),
        Err(error) => {
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("set the precision to f32"), "{error}");
            eprintln!("skipped: no bf16 units");
            None
        }
    }
}

/// bf16 has 8 significant bits: each rounded side is off by 2^-9 at most, and a block has three products forward. (In a deep
/// network on few images activations flip at their kinks, and gradients differ by more.)
#[test]
fn gradients_are_those_of_f32_but_for_the_rounding() {
    let shallow = "stem_c16_s2 ir_k3_s1_e2_c24";
    let Some(mut rounded) = in_bf16(shallow, 1) else { return };
    let (ours, exact) = (gradients(&mut rounded), gradients(&mut model(shallow, 1)));
    let square = |v: f64| v * v;
    let error: f64 = ours.iter().zip(&exact).map(|(a, b)| square(f64::from(a - b))).sum();
    let norm: f64 = exact.iter().map(|v| square(f64::from(*v))).sum();
    let relative = (error / norm).sqrt();
    println!("relative error {relative}");
    assert!((1e-4..0.02).contains(&relative), "relative error {relative}");
}

#[test]
fn threads_do_not_matter() {
    let (Some(mut one), Some(mut three)) = (in_bf16("mix", 1), in_bf16("mix", 3)) else { return };
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    assert!(bits(gradients(&mut one)) == bits(gradients(&mut three)), "gradients depend on the threads");
}

#[test]
fn evaluation_stays_in_f32() {
    let Some(rounded) = in_bf16("mix", 1) else { return };
    assert_eq!(rounded.logits(&pixels(2)), model("mix", 1).logits(&pixels(2)));
    assert!(units(Precision::F32).unwrap().is_none());
}
