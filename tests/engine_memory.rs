//! Activations are freed as the backward pass goes.
//!
//! One test alone in its process, for the pool of buffers is the whole process's.

use std::sync::Arc;

use blocksmith::arch::{Network, Op, Shape, zoo};
use blocksmith::engine::{Batch, Model, Real, Workers};

const IMAGES: usize = 16;

fn network(blocks: usize) -> Network {
    let text = format!("stem_k3_s1_c32 ir_r{blocks}_k3_s1_e2_c32 head_c64");
    let options = zoo::Options { classes: Some(10), input: Some(Shape::new(3, 32, 32)), ..Default::default() };
    zoo::network(&text, &options).unwrap()
}

/// Elements that a batch's stored activations have: batch norm and activation functions are never stored.
fn stored(network: &Network) -> usize {
    let is_stored =
        |op: &Op| !matches!(op, Op::BatchNorm | Op::Elementwise(_) | Op::Prelu | Op::ScaleMap | Op::ScaleChannels);
    let layers = network.layers.iter().filter(|layer| is_stored(&layer.op));
    IMAGES * layers.map(|layer| layer.output.len()).sum::<usize>()
}

#[test]
fn backward_frees_activations_as_it_goes() {
    let network = network(12);
    let stored = stored(&network);
    let widest = IMAGES * network.layers.iter().map(|layer| layer.output.len()).max().unwrap();
    let mut model = Model::<f32>::new(network, [9; 32], Arc::new(Workers::new(1).unwrap()));
    let pixels = vec![0.5; IMAGES * 3 * 32 * 32];
    let batch = Batch { images: &pixels, labels: &[3; IMAGES] };

    let idle = f32::pool().live();
    let outcome = model.evaluate(batch);
    assert!(outcome.loss.is_finite());
    // In evaluation an activation is dropped when its last reader has run.
    let peak = f32::pool().most_live();
    assert!(peak < 5 * widest, "evaluation: {peak} elements at once, the widest layer has {widest}");
    assert_eq!(f32::pool().live(), idle, "buffers lost after evaluation");

    for step in 0..3 {
        let (outcome, grads) = model.gradients(batch, 0.0);
        assert!(outcome.loss.is_finite());
        drop(grads);
        // Not all storage is a pool's; the rest may not grow.
        assert_eq!(f32::pool().live(), idle, "buffers lost after step {step}");
    }
    let peak = f32::pool().most_live();
    println!("{peak} elements at once; {stored} stored, the widest layer {widest}");
    // All activations, and gradients around one block: were activations kept until the end of backward, or gradients
    // (as many elements again), this would be near 2 * stored.
    assert!(peak >= stored, "{peak} elements at once, {stored} stored: the accounting is wrong");
    assert!(peak < stored + 4 * widest, "{peak} elements at once: {stored} stored, the widest layer {widest}");
    assert!(4 * widest < stored / 2, "the chain is too short to tell");
}
