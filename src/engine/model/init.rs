//! Parameters of a network, with their first values.

use dfdx::prelude::{Cpu, TensorFromVec};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Uniform};

use super::{LayerParams, Param};
use crate::arch::{Layer, Network, Op};
use crate::engine::real::Real;

/// Where a parameter's first values come from.
enum First {
    Constant(f64),
    Normal(f64),
    /// Between minus and plus this.
    Uniform(f64),
}

/// All parameters in layer order, and where each layer's lie.
pub(super) fn params<E: Real>(network: &Network, stream: [u8; 32]) -> (Vec<Param<E>>, Vec<LayerParams>) {
    let mut rng = ChaCha8Rng::from_seed(stream);
    let mut params = Vec::new();
    let mut places = vec![LayerParams::default(); network.layers.len()];
    for (id, layer) in network.layers.iter().enumerate() {
        let is_classifier = id + 1 == network.layers.len();
        let inputs = layer.inputs.first().map_or(0, |&from| network.layers[from].output.c);
        let mut add = |part: &str, shape: Vec<usize>, first: First| {
            params.push(param(layer, part, shape, first, &mut rng));
            Some(params.len() - 1)
        };
        match layer.op {
            Op::Conv { out_channels, kernel, groups, bias, .. } => {
                let fan_out = (out_channels / groups * kernel * kernel) as f64;
                let shape = vec![out_channels, inputs / groups, kernel, kernel];
                places[id].weight = add("weight", shape, First::Normal((2.0 / fan_out).sqrt()));
                if bias {
                    places[id].bias = add("bias", vec![out_channels], First::Constant(0.0));
                }
            }
            Op::Linear { out, bias } => {
                let width = 1.0 / (inputs as f64).sqrt();
                let (weights, biases) = match is_classifier {
                    true => (First::Normal(0.01), First::Constant(0.0)),
                    false => (First::Uniform(width), First::Uniform(width)),
                };
                places[id].weight = add("weight", vec![out, inputs], weights);
                if bias {
                    places[id].bias = add("bias", vec![out], biases);
                }
            }
            Op::BatchNorm(_) => {
                places[id].weight = add("weight", vec![inputs], First::Constant(1.0));
                places[id].bias = add("bias", vec![inputs], First::Constant(0.0));
            }
            Op::Prelu => places[id].weight = add("weight", vec![1], First::Constant(0.25)),
            _ => {}
        }
    }
    (params, places)
}

/// The seed of dropout's coins, from the same stream; no other draw of it is a weight.
pub(super) fn coins(stream: [u8; 32]) -> u64 {
    let mut rng = ChaCha8Rng::from_seed(stream);
    rng.set_stream(1);
    rng.next_u64()
}

fn param<E: Real>(
    layer: &Layer,
    part: &str,
    shape: Vec<usize>,
    first: First,
    rng: &mut ChaCha8Rng,
) -> Param<E> {
    let len = shape.iter().product();
    let values: Vec<E> = match first {
        First::Constant(value) => vec![E::of(value); len],
        // Deviations and bounds are finite and positive, for which neither distribution fails.
        First::Normal(deviation) => match Normal::new(0.0f64, deviation) {
            Ok(normal) => (0..len).map(|_| E::of(normal.sample(rng))).collect(),
            Err(_) => vec![E::ZERO; len],
        },
        First::Uniform(bound) => match Uniform::new_inclusive(-bound, bound) {
            Ok(uniform) => (0..len).map(|_| E::of(uniform.sample(rng))).collect(),
            Err(_) => vec![E::ZERO; len],
        },
    };
    Param {
        name: format!("{}.{part}", layer.name),
        is_norm_or_bias: part == "bias" || matches!(layer.op, Op::BatchNorm(_) | Op::Prelu),
        tensor: Cpu::default().tensor_from_vec(values, (len,)),
        shape,
    }
}
