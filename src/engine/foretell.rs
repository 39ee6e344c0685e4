//! The memory that training or running a network will need, before anything of it is allocated.

use std::rc::Rc;

use super::keep::{self, Keep};
use super::workers::chunks;
use crate::arch::{LayerId, Network, Op};
use crate::cost;

/// Bytes of a value.
const VALUE: u64 = size_of::<f32>() as u64;
/// The process before its first buffer: code, tables, stacks, allocator.
const BASE: u64 = 24 << 20;
/// Images that inference has under way at most, a few threads counted in.
const AT_ONCE: usize = 128;
/// Tiles and planes of a training step.
const SCRATCH: u64 = 4 << 20;

/// Bytes that a training step of `network` at batch size `batch` needs in this process, at its peak: the images, the
/// activations kept for the backward pass, the gradients alive with them, and weight, gradient and velocity of every
/// param. At most `u64::MAX`.
pub fn training_bytes(network: &Network, batch: usize) -> u64 {
    bytes(training_values(network, batch), 3, network).saturating_add(SCRATCH)
}

/// The most values that buffers hold at once in a training step: a walk forward and back over the layers, with what each
/// op takes and gives back.
pub fn training_values(network: &Network, batch: usize) -> u64 {
    let plan = keep::plan(network);
    let readers = keep::readers(network);
    let layers = &network.layers;
    let needs = needs_grad(network);
    let mut walk = Backward { gradients: vec![None; layers.len()], live: 0, peak: 0 };
    let size = |id: LayerId| (layers[id].output.len() as u64).saturating_mul(batch as u64);
    let stored = |id: LayerId| match plan[id] {
        Keep::Kept | Keep::Written => size(id),
        Keep::Recomputed | Keep::Sum | Keep::Pending => 0,
    };
    (0..layers.len()).for_each(|id| walk.take(stored(id)));
    if let Some(last) = layers.len().checked_sub(1) {
        let gradient = walk.fresh(size(last));
        walk.put(last, gradient);
    }
    for id in (0..layers.len()).rev() {
        let layer = &layers[id];
        let Some(gradient) = walk.gradients[id].take() else {
            walk.give(stored(id));
            continue;
        };
        let from = layer.inputs.first().copied().unwrap_or(0);
        match layer.op {
            Op::Input => {}
            // The images' gradient is nobody's, nor is that of what is made of them without params.
            Op::Conv { .. } | Op::Linear { .. } if !needs[from] => {}
            _ if !needs[id] => {}
            Op::Conv { stride: 1, kernel, pad, .. }
                if keep::is_depthwise(&layer.op, layers[from].output.c)
                    && 2 * pad + 1 == kernel
                    && walk.gradients[from].is_none() =>
            {
                let own = walk.own(gradient.clone());
                walk.put(from, own);
            }
            Op::Add => layer.inputs.iter().for_each(|&input| walk.add(input, gradient.clone())),
            Op::BatchNorm(_) | Op::Elementwise(_) | Op::Prelu => {
                // The reader has done the pass on the way where it is one product or depthwise convolution.
                let done = matches!(readers[id][..], [reader] if keep::is_product(&layers[reader].op)
                    || keep::is_depthwise(&layers[reader].op, layer.output.c));
                let acts = !matches!(layer.op, Op::BatchNorm(_));
                let moved = if done || !acts { gradient.clone() } else { walk.fresh(size(id)) };
                walk.add(from, moved);
            }
            Op::ScaleMap | Op::ScaleChannels => {
                let own = walk.own(gradient.clone());
                walk.add(from, own);
                if let Some(&factors) = layer.inputs.get(1) {
                    let own = walk.fresh(size(factors));
                    walk.add(factors, own);
                }
            }
            Op::Conv { .. }
            | Op::Linear { .. }
            | Op::ChannelMean
            | Op::GlobalAvgPool
            | Op::Concat
            | Op::Slice { .. }
            | Op::Shuffle { .. }
            | Op::MaxPool(_)
            | Op::AvgPool(_)
            | Op::LocalResponseNorm { .. }
            | Op::Dropout { .. }
            | Op::Flatten => {
                for &input in layer.inputs.iter().filter(|&&input| needs[input]) {
                    if walk.gradients[input].is_none() {
                        let fresh = walk.fresh(size(input));
                        walk.put(input, fresh);
                    }
                }
                // Weights laid out for the product, and a gradient of them for each chunk of images.
                let is_product = matches!(layer.op, Op::Conv { .. } | Op::Linear { .. })
                    && !keep::is_depthwise(&layer.op, layers[from].output.c);
                let copies = if is_product { 1 + chunks(batch).len() as u64 } else { 0 };
                let weights = cost::params(network, id).saturating_mul(copies);
                walk.take(weights);
                walk.give(weights);
            }
        }
        walk.drop(gradient);
        walk.give(stored(id));
    }
    walk.peak
}

/// Whether each layer's gradient is needed: by params of its own, or of a layer before it.
fn needs_grad(network: &Network) -> Vec<bool> {
    let mut needs: Vec<bool> = Vec::with_capacity(network.layers.len());
    for (id, layer) in network.layers.iter().enumerate() {
        needs.push(cost::params(network, id) > 0 || layer.inputs.iter().any(|&from| needs[from]));
    }
    needs
}

/// The buffers of a backward pass: a gradient is its number of values, shared by those who read it.
struct Backward {
    gradients: Vec<Option<Rc<u64>>>,
    live: u64,
    peak: u64,
}

impl Backward {
    fn take(&mut self, values: u64) {
        self.live = self.live.saturating_add(values);
        self.peak = self.peak.max(self.live);
    }

    fn give(&mut self, values: u64) {
        self.live = self.live.saturating_sub(values);
    }

    /// A new buffer.
    fn fresh(&mut self, values: u64) -> Rc<u64> {
        self.take(values);
        Rc::new(values)
    }

    fn put(&mut self, id: LayerId, gradient: Rc<u64>) {
        self.gradients[id] = Some(gradient);
    }

    /// A gradient to write to: a copy where others read it too. Its holder counts as one of two.
    fn own(&mut self, gradient: Rc<u64>) -> Rc<u64> {
        if Rc::strong_count(&gradient) > 2 { self.fresh(*gradient) } else { gradient }
    }

    /// Adds to a layer's gradient, or is it.
    fn add(&mut self, id: LayerId, more: Rc<u64>) {
        match self.gradients[id].take() {
            None => self.put(id, more),
            Some(sum) => {
                let sum = if Rc::strong_count(&sum) > 1 { self.fresh(*sum) } else { sum };
                self.put(id, sum);
                if Rc::strong_count(&more) == 1 {
                    self.drop(more);
                }
            }
        }
    }

    fn drop(&mut self, gradient: Rc<u64>) {
        if let Ok(values) = Rc::try_unwrap(gradient) {
            self.give(values);
        }
    }
}

/// Bytes that inference needs at batch size `batch`: the images, twice the widest activation of those under way, the params
/// and their folded copy. More than it takes: wide activations never exist for many images at once. At most `u64::MAX`.
pub fn inference_bytes(network: &Network, batch: usize) -> u64 {
    let at_once = widest(network).saturating_mul(2).saturating_mul(batch.min(AT_ONCE) as u64);
    let images = (network.input().len() as u64).saturating_mul(batch as u64);
    bytes(at_once.saturating_add(images), 2, network)
}

/// Values of the largest activation of one image.
fn widest(network: &Network) -> u64 {
    network.layers.iter().map(|layer| layer.output.len() as u64).max().unwrap_or(0)
}

fn bytes(values: u64, copies_of_params: u64, network: &Network) -> u64 {
    let params = cost::of(network).params.saturating_mul(copies_of_params);
    values.saturating_add(params).saturating_mul(VALUE).saturating_add(BASE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{Shape, build, zoo};
    use crate::space::notation;

    /// By hand: 3x8x8 images, a stem of 4 channels, one inverted residual that widens to 8, the pooled 4, 10 logits. Kept are
    /// images, stem, depthwise, projection, sum, pooled and logits, not the expansion, whose 8 channels are computed anew
    /// from 4. The most is needed when the depthwise convolution's gradient comes beside all of these but sum, pooled and
    /// logits; the sum's gradient is still there for the shortcut.
    #[test]
    fn a_small_network_by_hand() {
        let options =
            zoo::Options { classes: Some(10), input: Some(Shape::new(3, 8, 8)), ..Default::default() };
        let network = zoo::network("stem_c4 ir_e2_c4", &options).unwrap();
        let params = cost::of(&network).params;
        let values = (3 + 4 + 8 + 4) * 64 + (4 + 8) * 64;
        let weights_and_parts = (1 + 5) * 8 * 4;
        assert_eq!(training_values(&network, 5), 5 * values + weights_and_parts);
        assert_eq!(
            training_bytes(&network, 5),
            (5 * values + weights_and_parts + 3 * params) * 4 + BASE + SCRATCH
        );
        assert_eq!(inference_bytes(&network, 5), (5 * (2 * 8 + 3) * 64 + 2 * params) * 4 + BASE);
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
