//! The engine's ops and blocks, each as a small network with a given gradient on its output.

mod finite_differences;
#[path = "../../../../tests/support/engine_fixtures.rs"]
mod fixtures;
mod pytorch_ops;

use std::sync::Arc;

use dfdx::prelude::{Cpu, TensorFromVec};

use super::Model;
use super::forward::Mode;
use crate::arch::Network;
use crate::engine::grad;
use crate::engine::pool::Buf;
use crate::engine::real::Real;
use crate::engine::value::Value;
use crate::engine::workers::Workers;

/// What one pass forward and backward gave; activations are `(N, H, W, C)`.
struct Pass<E> {
    output: Vec<E>,
    /// Empty where it was not asked for.
    input_grad: Vec<E>,
    /// In the order of the model's parameters.
    param_grads: Vec<Vec<E>>,
}

/// A model of `network` on one thread.
fn model<E: Real>(network: Network) -> Model<E> {
    Model::new(network, [7; 32], Arc::new(Workers::new(1).unwrap()))
}

/// Output of the last layer.
fn output<E: Real>(model: &Model<E>, mode: Mode, images: &[E]) -> Vec<E> {
    let mut context = model.context(None);
    model.forward(&mut context, model.input(Buf::copy_of(images)), mode).0.materialised()
}

/// Forward and backward from `upstream`, the gradient of the output; running statistics are updated.
fn pass<E: Real>(model: &mut Model<E>, mode: Mode, images: &[E], upstream: &[E]) -> Pass<E> {
    let images = Value { needs_grad: true, ..model.input(Buf::copy_of(images)) };
    pass_from(model, mode, images, upstream)
}

/// As [`pass`], from an input that need not want a gradient.
fn pass_from<E: Real>(model: &mut Model<E>, mode: Mode, images: Value<E>, upstream: &[E]) -> Pass<E> {
    let mut context = model.context(Some(Default::default()));
    let (out, statistics) = model.forward(&mut context, images.clone(), mode);
    let output = out.materialised();
    assert_eq!(output.len(), upstream.len(), "the gradient does not fit the output");
    for (layer, mean, variance) in statistics {
        model.running[layer].as_mut().unwrap().update(&mean, &variance);
    }
    let mut gradient = Buf::take(upstream.len());
    gradient.copy_from_slice(upstream);
    context.record(move |_| {
        out.grad.put(gradient);
        Ok(())
    });
    // Any loss runs the tape backward.
    let one = || Cpu::default().tensor_from_vec(vec![E::of(1.0)], (1, 1));
    let mut grads = E::cross_entropy(one(), one(), context.tape).1.unwrap();
    let input_grad = images.take_grad().map_or(Vec::new(), |gradient| gradient.to_vec());
    let param_grads =
        model.params.iter().map(|p| grads.get_or_alloc_mut(&p.tensor).unwrap().to_vec()).collect();
    Pass { output, input_grad, param_grads }
}

fn narrow<E: Real>(values: &[f64]) -> Vec<E> {
    values.iter().map(|v| E::of(*v)).collect()
}

fn wide<E: Real>(values: &[E]) -> Vec<f64> {
    values.iter().map(|v| v.wide()).collect()
}

/// The largest logit alone is a hit: no tie, no NaN, no label beyond the classes.
#[test]
fn hits_are_counted() {
    let logits = [1.0, 3.0, 2.0, 5.0, 5.0, 4.0, f64::NAN, 1.0, 0.0, 7.0, 8.0, 9.0];
    assert_eq!(super::hits(&logits, &[1, 0, 1, 2], 3), 2);
    assert_eq!(super::hits(&logits, &[0, 1, 0, 3], 3), 0);
}
