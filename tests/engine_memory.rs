//! Activations are freed as the backward pass goes, and a step's memory is foretold.
//!
//! One test alone in its process, for the pool of buffers is the whole process's.

use std::sync::Arc;

use blocksmith::arch::build::{Builder, ConvSpec};
use blocksmith::arch::{self, Network, Op, Shape, Window, zoo};
use blocksmith::engine::{Batch, Model, Workers, foretell, keep, pool};
use blocksmith::space::{self, Activation::Relu};

#[path = "support/engine_networks.rs"]
mod networks;

const IMAGES: usize = 16;

/// One wide block, whose gradients are large, before a long chain of narrow ones, which stores more than those.
fn network() -> Network {
    let text = "stem_k3_s1_c16 ir_r1_k3_s2_e12_c16 ir_r60_k3_s1_e1_c16 head_c32";
    let options =
        zoo::Options { classes: Some(10), input: Some(Shape::new(3, 32, 32)), ..Default::default() };
    zoo::network(text, &options).unwrap()
}

/// Full convolutions and linear layers whose weights outweigh the activations, as VGG and AlexNet have them.
fn wide() -> Network {
    let mut builder = Builder::new(Shape::new(3, 32, 32), true).unwrap();
    let window = Window { kernel: 2, stride: 2, pad: 0, ceil: false };
    let mut x = 0;
    for (i, channels) in [64, 128, 256].into_iter().enumerate() {
        x = builder.conv_norm_act(&format!("{i}"), x, ConvSpec::full(channels, 3, 1), Relu).unwrap();
        x = builder.push(format!("{i}_pool"), Op::MaxPool(window), &[x]).unwrap();
    }
    x = builder.push("flat", Op::Flatten, &[x]).unwrap();
    x = builder.push("hidden", Op::Linear { out: 512, bias: true }, &[x]).unwrap();
    x = builder.activation("hidden", x, Relu).unwrap();
    x = builder.push("dropout", Op::Dropout { rate: 0.5 }, &[x]).unwrap();
    builder.push("classifier", Op::Linear { out: 10, bias: true }, &[x]).unwrap();
    builder.finish("wide", 10)
}

/// Bytes of the activations that a training step keeps.
fn stored(network: &Network) -> usize {
    let kept =
        keep::plan(network).into_iter().zip(&network.layers).filter(|(keep, _)| *keep == keep::Keep::Kept);
    4 * IMAGES * kept.map(|(_, layer)| layer.output.len()).sum::<usize>()
}

#[test]
fn memory() {
    backward_frees_activations_as_it_goes();
    steps_need_what_is_foretold();
}

/// The buffers of one step at most, against the walk that foretells them; tiles and planes come on top of it.
fn steps_need_what_is_foretold() {
    let stem = ("stem".to_owned(), "cifar".to_owned());
    let mixed = "stem_k3_s1_c12_nhs ir_r2_k5_s1_e3_c20_se0.25_nhs_project ir_r1_k7_s2_h30_c24_se0.5 cse_r2_k3_s2_c36_cap4_rr4 \
                 ir_r2_k3_s1_e2_c72 head_c72_g4";
    let zoo =
        [("mix", None), ("mobilenet_v2", Some(stem)), ("cse_only", None), ("optimized", None), (mixed, None)];
    let zoo = zoo.map(|(name, set)| {
        let options = zoo::Options {
            classes: Some(10),
            input: Some(Shape::new(3, 32, 32)),
            set: set.into_iter().collect(),
        };
        (name, zoo::network(name, &options).unwrap())
    });
    let built = [
        ("shuffle unit", networks::shuffle_unit(1, 96)),
        ("shuffle unit, stride 2", networks::shuffle_unit(2, 128)),
        ("inception", networks::inception(32)),
        ("residual pool", networks::residual_pool(45)),
        ("wide", wide()),
    ];
    for (name, network) in zoo.into_iter().chain(built) {
        let each = network.input().len();
        let foretold = 4 * foretell::training_values(&network, IMAGES) as usize;
        let mut model = Model::<f32>::new(network, [9; 32], Arc::new(Workers::new(1).unwrap()));
        let pixels = vec![0.5; IMAGES * each];
        pool::forget_most_live();
        drop(model.gradients(Batch { images: &pixels, labels: &[3; IMAGES] }, 0.0));
        let most = pool::most_live();
        println!("{name}: foretold {foretold} bytes, {most} at most");
        assert!(most as f64 >= 0.97 * foretold as f64, "{name}: foretold {foretold} bytes, {most} at most");
        assert!(
            most <= foretold + foretold / 20 + (3 << 20),
            "{name}: foretold {foretold} bytes, {most} at most"
        );
    }
}

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
