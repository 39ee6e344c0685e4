//! What makes two networks one: the layers that are built, as a hash.
//!
//! Two networks are the same where the same inputs go through the same layers: kinds, shapes, constants and wiring. Names, and
//! the order in which independent layers are listed, do not matter, nor which of two equal shapes an addition names first.
//! Layers that pass every value on as it is are left out: a dropout of rate 0, a shuffle of one group or of groups of one
//! channel, a slice of all channels, a concatenation of one input, 1x1 pooling at stride 1, global pooling of a 1x1 map, the
//! flattening of what is flat. A stride does not matter where a single window is all there is. Everything else does: layers
//! that compute the same from other parameters (a 1x1 convolution of a 1x1 map and a linear layer) begin from other weights.

use sha2::{Digest, Sha256};

use super::network::{Elementwise, Layer, LayerId, Network, Norm, Op, Shape, Window};
use crate::text::hex;

/// First bytes of every encoding: what follows is read by this version of it.
const VERSION: &[u8] = b"blocksmith network 1\n";

/// SHA-256 over the layers of a network.
pub fn fingerprint(network: &Network) -> [u8; 32] {
    let graph = Graph::new(network);
    let mut bytes = VERSION.to_vec();
    let mut numbers: Vec<Option<u64>> = vec![None; network.layers.len()];
    let mut count = 0;
    // What the output does not need is there too, if it was built: it costs parameters.
    for root in (0..network.layers.len()).rev() {
        if numbers[graph.source[root]].is_some() {
            continue;
        }
        for id in graph.postorder(root, &numbers) {
            bytes.extend_from_slice(graph.encoded(id));
            number(&mut bytes, graph.inputs[id].len());
            for input in &graph.inputs[id] {
                number(&mut bytes, numbers[*input].unwrap_or(u64::MAX) as usize);
            }
            numbers[id] = Some(count);
            count += 1;
        }
    }
    Sha256::digest(&bytes).into()
}

/// The first 16 hex digits of the [`fingerprint`]: what journals and file names know a network by.
pub fn hash(network: &Network) -> String {
    hex(&fingerprint(network)[..8])
}

/// The layers without those that change nothing.
struct Graph<'a> {
    network: &'a Network,
    /// Of each layer the one whose values it passes on: itself, unless it changes nothing.
    source: Vec<LayerId>,
    /// Of each layer the sources it reads; those of an addition in an order that does not depend on how it was written.
    inputs: Vec<Vec<LayerId>>,
    /// Kind, constants and output of all layers, as bytes, and where those of each end.
    encoded: Vec<u8>,
    ends: Vec<usize>,
}

impl<'a> Graph<'a> {
    fn new(network: &'a Network) -> Self {
        let count = network.layers.len();
        let mut graph = Self {
            network,
            source: Vec::with_capacity(count),
            inputs: Vec::with_capacity(count),
            encoded: Vec::with_capacity(64 * count),
            ends: Vec::with_capacity(count),
        };
        // A number for each layer with all that leads to it, where an addition is to order what it reads.
        let adds = network.layers.iter().any(|layer| layer.op == Op::Add);
        let mut trees: Vec<u64> = Vec::with_capacity(count);
        for (id, layer) in network.layers.iter().enumerate() {
            let mut inputs: Vec<LayerId> = layer.inputs.iter().map(|input| graph.source[*input]).collect();
            let source = match inputs.first() {
                Some(first) if passes_on(&layer.op, network.layers[*first].output, inputs.len()) => *first,
                _ => id,
            };
            if layer.op == Op::Add {
                inputs.sort_by_key(|input| trees[*input]);
            }
            graph.source.push(source);
            graph.encode(layer, inputs.first().copied());
            if adds {
                let read = inputs.iter().flat_map(|input| trees[*input].to_le_bytes());
                trees.push(fnv(graph.encoded(id).iter().copied().chain(read)));
            }
            graph.inputs.push(inputs);
        }
        graph
    }

    /// The layers that lead to `root` and are not numbered yet, each after those that it reads.
    fn postorder(&self, root: LayerId, numbered: &[Option<u64>]) -> Vec<LayerId> {
        let (mut order, mut stack) = (Vec::new(), vec![(self.source[root], 0)]);
        let mut seen = vec![false; numbered.len()];
        while let Some((id, next)) = stack.pop() {
            if next == 0 && (numbered[id].is_some() || std::mem::replace(&mut seen[id], true)) {
                continue;
            }
            match self.inputs[id].get(next) {
                Some(input) => {
                    stack.push((id, next + 1));
                    stack.push((*input, 0));
                }
                None => order.push(id),
            }
        }
        order
    }

    /// Kind, constants and output of a layer, as bytes.
    fn encoded(&self, id: LayerId) -> &[u8] {
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.encoded[start..self.ends[id]]
    }

    fn encode(&mut self, layer: &Layer, first: Option<LayerId>) {
        let input = first.map_or(layer.output, |first| self.network.layers[first].output);
        let bytes = &mut self.encoded;
        op(bytes, &layer.op, input, layer.output);
        let Shape { c, h, w } = layer.output;
        [c, h, w].into_iter().for_each(|side| number(bytes, side));
        self.ends.push(bytes.len());
    }
}

/// Whether an op gives out its first input, of shape `x`, as it is.
fn passes_on(op: &Op, x: Shape, inputs: usize) -> bool {
    let is_point = x.h == 1 && x.w == 1;
    match *op {
        Op::Dropout { rate } => rate == 0.0,
        Op::Shuffle { groups } => groups == 1 || groups == x.c,
        Op::Slice { start, len } => start == 0 && len == x.c,
        Op::Concat => inputs == 1,
        Op::MaxPool(Window { kernel, stride, pad, .. }) | Op::AvgPool(Window { kernel, stride, pad, .. }) => {
            kernel == 1 && pad == 0 && (stride == 1 || is_point)
        }
        Op::GlobalAvgPool | Op::Flatten => is_point,
        Op::ChannelMean => is_point && x.c == 1,
        _ => false,
    }
}

/// A number for each kind of layer, which must never be given to another, and its constants.
fn op(bytes: &mut Vec<u8>, op: &Op, input: Shape, output: Shape) {
    // Where there is one window, it does not matter how far the next would be.
    let stride = |stride: usize| if output.h == 1 && output.w == 1 { 1 } else { stride };
    let mut put = |kind: u8, numbers: &[usize], reals: &[f64]| {
        bytes.push(kind);
        numbers.iter().for_each(|n| number(bytes, *n));
        reals.iter().for_each(|x| bytes.extend(x.to_bits().to_le_bytes()));
    };
    match *op {
        Op::Input => put(0, &[], &[]),
        Op::Conv { out_channels, kernel, stride: by, pad, groups, bias } => {
            put(1, &[out_channels, kernel, stride(by), pad, groups, usize::from(bias)], &[]);
        }
        Op::BatchNorm(Norm { eps, momentum }) => put(2, &[], &[eps, momentum]),
        Op::Elementwise(function) => {
            let function = match function {
                Elementwise::Relu => 0,
                Elementwise::Relu6 => 1,
                Elementwise::Hswish => 2,
                Elementwise::Hsigmoid => 3,
                Elementwise::Sigmoid => 4,
            };
            put(3, &[function], &[]);
        }
        Op::Prelu => put(4, &[], &[]),
        Op::Linear { out, bias } => put(5, &[out, usize::from(bias)], &[]),
        Op::Add => put(6, &[], &[]),
        Op::Concat => put(7, &[], &[]),
        Op::Slice { start, len } => put(8, &[start, len], &[]),
        Op::Shuffle { groups } => put(9, &[groups], &[]),
        Op::MaxPool(Window { kernel, stride: by, pad, .. }) => put(10, &[kernel, stride(by), pad], &[]),
        Op::AvgPool(Window { kernel, stride: by, pad, .. }) => put(11, &[kernel, stride(by), pad], &[]),
        Op::LocalResponseNorm { size, alpha, beta, k } => put(12, &[size], &[alpha, beta, k]),
        Op::Dropout { rate } => put(13, &[], &[rate]),
        Op::Flatten => put(14, &[], &[]),
        // The mean over one channel is that channel.
        Op::ChannelMean if input.c == 1 => put(14, &[], &[]),
        Op::ChannelMean => put(15, &[], &[]),
        Op::GlobalAvgPool => put(16, &[], &[]),
        Op::ScaleMap => put(17, &[], &[]),
        Op::ScaleChannels => put(18, &[], &[]),
    }
}

fn number(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend((number as u64).to_le_bytes());
}

/// FNV-1a of 64 bits (Fowler, Noll and Vo), which is the same in every version of Rust.
fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network of some layers after the input: op, inputs, output.
    fn network(input: Shape, layers: &[(Op, &[LayerId], Shape)]) -> Network {
        let layer = |(i, (op, inputs, output)): (usize, &(Op, &[LayerId], Shape))| Layer {
            name: format!("layer {i}"),
            op: op.clone(),
            inputs: inputs.to_vec(),
            output: *output,
        };
        let first = Layer { name: "input".into(), op: Op::Input, inputs: vec![], output: input };
        let layers = std::iter::once(first).chain(layers.iter().enumerate().map(layer)).collect();
        Network { name: "n".into(), classes: 2, layers }
    }

    const X: Shape = Shape::new(4, 8, 8);
    const POINT: Shape = Shape::new(4, 1, 1);

    fn conv(stride: usize, kernel: usize) -> Op {
        Op::Conv { out_channels: 4, kernel, stride, pad: kernel / 2, groups: 1, bias: false }
    }

    /// The encoding, byte by byte: an input of 4x8x8 and a ReLU. From Python 3.12:
    /// `q=lambda *n: b''.join(struct.pack('<Q',i) for i in n)`,
    /// `sha256(b'blocksmith network 1\n'+b'\0'+q(4,8,8)+q(0)+b'\3'+q(0)+q(4,8,8)+q(1,0)).hexdigest()[:16]`.
    #[test]
    fn the_encoding_is_fixed() {
        let relu = network(X, &[(Op::Elementwise(Elementwise::Relu), &[0], X)]);
        assert_eq!(hash(&relu), "47b2e2e0fedc15ca");
    }

    #[test]
    fn order_and_names_do_not_matter() {
        let a: &[(Op, &[LayerId], Shape)] =
            &[(conv(1, 3), &[0], X), (conv(1, 5), &[0], X), (Op::Add, &[1, 2], X)];
        let b: &[(Op, &[LayerId], Shape)] =
            &[(conv(1, 5), &[0], X), (conv(1, 3), &[0], X), (Op::Add, &[1, 2], X)];
        assert_eq!(hash(&network(X, a)), hash(&network(X, b)));
        let concat: &[(Op, &[LayerId], Shape)] =
            &[a[0].clone(), a[1].clone(), (Op::Concat, &[1, 2], Shape::new(8, 8, 8))];
        let turned: &[(Op, &[LayerId], Shape)] =
            &[a[0].clone(), a[1].clone(), (Op::Concat, &[2, 1], Shape::new(8, 8, 8))];
        assert_ne!(hash(&network(X, concat)), hash(&network(X, turned)), "channels have an order");
        let twice: &[(Op, &[LayerId], Shape)] =
            &[(conv(1, 3), &[0], X), (conv(1, 3), &[0], X), (Op::Add, &[1, 2], X)];
        let shared: &[(Op, &[LayerId], Shape)] = &[(conv(1, 3), &[0], X), (Op::Add, &[1, 1], X)];
        assert_ne!(
            hash(&network(X, twice)),
            hash(&network(X, shared)),
            "two layers have two sets of weights"
        );
    }

    #[test]
    fn what_changes_nothing_is_left_out() {
        let plain = network(X, &[(conv(1, 3), &[0], X)]);
        let window = Window { kernel: 1, stride: 1, pad: 0, ceil: true };
        for op in [
            Op::Dropout { rate: 0.0 },
            Op::Shuffle { groups: 1 },
            Op::Shuffle { groups: 4 },
            Op::Slice { start: 0, len: 4 },
            Op::Concat,
            Op::MaxPool(window),
            Op::AvgPool(window),
        ] {
            let before = network(X, &[(op.clone(), &[0], X), (conv(1, 3), &[1], X)]);
            let after = network(X, &[(conv(1, 3), &[0], X), (op.clone(), &[1], X)]);
            assert_eq!([hash(&before), hash(&after)], [hash(&plain), hash(&plain)], "{op:?}");
        }
        for op in [Op::Dropout { rate: 0.1 }, Op::Shuffle { groups: 2 }, Op::Elementwise(Elementwise::Relu)] {
            assert_ne!(
                hash(&network(X, &[(op.clone(), &[0], X), (conv(1, 3), &[1], X)])),
                hash(&plain),
                "{op:?}"
            );
        }
        let point = network(POINT, &[(conv(1, 3), &[0], POINT)]);
        let pooled = network(POINT, &[(conv(3, 3), &[0], POINT), (Op::GlobalAvgPool, &[1], POINT)]);
        assert_eq!(
            hash(&point),
            hash(&pooled),
            "one window has no stride, and a point has a mean of its own"
        );
        assert_ne!(
            hash(&point),
            hash(&network(POINT, &[(conv(1, 5), &[0], POINT)])),
            "padding has weights too"
        );
    }
}
