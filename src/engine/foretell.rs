//! The memory that training or running a network will need, before anything of it is allocated.

use crate::arch::{Network, Op};
use crate::cost;

/// Bytes of a value.
const VALUE: u64 = size_of::<f32>() as u64;
/// The process before its first buffer: code, tables, stacks, allocator.
const BASE: u64 = 24 << 20;

/// Bytes that a training step of `network` at batch size `batch` needs in this process, at its peak: the images, the
/// activations kept for the backward pass, the two widest gradients that are alive together, and weight, gradient and
/// velocity of every param. At most `u64::MAX`.
pub fn training_bytes(network: &Network, batch: usize) -> u64 {
    // Batch norm, activation functions and scalings are applied as their reader reads: they store nothing.
    let kept = |op: &Op| {
        !matches!(op, Op::BatchNorm | Op::Elementwise(_) | Op::Prelu | Op::ScaleMap | Op::ScaleChannels)
    };
    let stored = network.layers.iter().filter(|layer| kept(&layer.op)).map(|layer| layer.output.len() as u64);
    let values = stored.fold(2 * widest(network), u64::saturating_add);
    bytes(values, batch, 3, network)
}

/// Bytes that inference needs at batch size `batch`: twice the widest activation, what is read and what is written, and
/// the params. At most `u64::MAX`.
pub fn inference_bytes(network: &Network, batch: usize) -> u64 {
    bytes(2 * widest(network), batch, 1, network)
}

/// Values of the largest activation of one image.
fn widest(network: &Network) -> u64 {
    network.layers.iter().map(|layer| layer.output.len() as u64).max().unwrap_or(0)
}

fn bytes(values: u64, batch: usize, copies_of_params: u64, network: &Network) -> u64 {
    let activations = values.saturating_mul(batch as u64);
    let params = cost::of(network).params.saturating_mul(copies_of_params);
    activations.saturating_add(params).saturating_mul(VALUE).saturating_add(BASE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{Shape, build, zoo};
    use crate::space::notation;

    /// By hand: 3x8x8 images, a stem of 4 channels, one inverted residual that widens to 8, the pooled 4, 10 logits. Kept are
    /// images, stem, expansion, depthwise, projection, sum, pooled and logits; the widest is the expansion.
    #[test]
    fn a_small_network_by_hand() {
        let options =
            zoo::Options { classes: Some(10), input: Some(Shape::new(3, 8, 8)), ..Default::default() };
        let network = zoo::network("stem_c4 ir_e2_c4", &options).unwrap();
        let params = cost::of(&network).params;
        let values = (3 + 4 + 8 + 8 + 4 + 4 + 2 * 8) * 64 + 4 + 10;
        assert_eq!(training_bytes(&network, 5), (5 * values + 3 * params) * 4 + BASE);
        assert_eq!(inference_bytes(&network, 5), (5 * 2 * 8 * 64 + params) * 4 + BASE);
    }

    #[test]
    fn more_images_need_more_and_nothing_overflows() {
        let mix = zoo::network("mix", &zoo::Options::default()).unwrap();
        assert!(training_bytes(&mix, 128) > training_bytes(&mix, 64));
        assert!(inference_bytes(&mix, 64) < training_bytes(&mix, 64));
        // 2^16 channels at 4096 x 4096 are 2^40 values an image, and nobody has such a batch.
        let candidate = notation::parse("stem_c65536 ir_r4_e64_c65536").unwrap();
        let network = build::network(&candidate, Shape::new(1, 4096, 4096), 10).unwrap();
        assert_eq!(training_bytes(&network, usize::MAX), u64::MAX);
        assert_eq!(inference_bytes(&network, usize::MAX), u64::MAX);
    }
}
