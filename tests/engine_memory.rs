//! Activations are freed as the backward pass goes.
//!
//! One test alone in its process, for the pool of buffers is the whole process's.

use std::sync::Arc;

use blocksmith::arch::{Network, Op, Shape, zoo};
use blocksmith::engine::{Batch, Model, Workers, pool};

const IMAGES: usize = 16;

/// One wide block, whose gradients are large, before a long chain of narrow ones, which stores more than those.
fn network() -> Network {
    let text = "stem_k3_s1_c16 ir_r1_k3_s2_e12_c16 ir_r60_k3_s1_e1_c16 head_c32";
    let options =
        zoo::Options { classes: Some(10), input: Some(Shape::new(3, 32, 32)), ..Default::default() };
    zoo::network(text, &options).unwrap()
}

/// Bytes that a batch's stored activations have: batch norm and activation functions are never stored.
fn stored(network: &Network) -> usize {
    let is_stored = |op: &Op| {
        !matches!(op, Op::BatchNorm | Op::Elementwise(_) | Op::Prelu | Op::ScaleMap | Op::ScaleChannels)
    };
    let layers = network.layers.iter().filter(|layer| is_stored(&layer.op));
    4 * IMAGES * layers.map(|layer| layer.output.len()).sum::<usize>()
}

#[test]
fn backward_frees_activations_as_it_goes() {
    let network = network();
    let stored = stored(&network);
    let widest = 4 * IMAGES * network.layers.iter().map(|layer| layer.output.len()).max().unwrap();
    let mut model = Model::<f32>::new(network, [9; 32], Arc::new(Workers::new(1).unwrap()));
    let pixels = vec![0.5; IMAGES * 3 * 32 * 32];
    let batch = Batch { images: &pixels, labels: &[3; IMAGES] };

    let idle = pool::live();
    let outcome = model.evaluate(batch);
    assert!(outcome.loss.is_finite());
    // In evaluation an activation is dropped when its last reader has run.
    let peak = pool::most_live();
    assert!(peak < 2 * widest, "evaluation: {peak} bytes at once, the widest layer has {widest}");
    assert_eq!(pool::live(), idle, "buffers lost after evaluation");

    for step in 0..3 {
        let (outcome, grads) = model.gradients(batch, 0.0);
        assert!(outcome.loss.is_finite());
        drop(grads);
        assert_eq!(pool::live(), idle, "buffers lost after step {step}");
    }
    let peak = pool::most_live();
    println!("{peak} bytes at once; {stored} stored, the widest layer {widest}");
    // The most is needed when backward begins: all activations, and the gradients of a narrow block. Were activations
    // kept, the wide block's backward pass would need `widest` more than all of them.
    assert!(peak >= stored, "{peak} bytes at once, {stored} stored: the accounting is wrong");
    assert!(peak < stored + widest / 2, "{peak} bytes at once: {stored} stored, the widest layer {widest}");
    assert!(stored > 4 * widest, "the chain is too short to tell");
}
