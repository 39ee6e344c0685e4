//! Layers become fused steps.

use super::depthwise::Depthwise;
use super::fold;
use super::grouped::Grouped;
use super::patches::Patches;
pub use super::work::{Channels, Front, Product, Step, Work};
use crate::arch::{Elementwise, LayerId, Network, Op, Shape};
use crate::engine::act::Act;
use crate::engine::grad;
use crate::engine::keep;
use crate::engine::model::Model;
use crate::engine::ops::channels::{Run, Transpose};
use crate::engine::ops::conv::Geometry;
use crate::engine::ops::gate::Per;
use crate::engine::ops::matmul::{Mat, Packed};
use crate::engine::ops::pool2d::{Of, Pool2d};
use crate::engine::ops::response_norm::ResponseNorm;
use crate::engine::ops::squeeze::Over;
use crate::engine::real::Real;
use crate::engine::value::Affine;

/// Index of an activation in [`Plan::tensors`]; 0 is the images.
pub type TensorId = usize;

/// The steps in order, and the number of values of each activation for one image.
pub struct Plan<E: Real> {
    pub steps: Vec<Step<E>>,
    pub tensors: Vec<usize>,
}

/// Geometry of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Map {
    /// Input height, width, channels.
    pub input: (usize, usize, usize),
    /// Output height and width.
    pub out: (usize, usize),
    pub kernel: usize,
    pub stride: usize,
    pub pad: usize,
}

/// State of the planning.
struct Planner<'a, E: Real> {
    model: &'a Model<E>,
    network: &'a Network,
    /// Layers that read each layer, once for each time they do.
    readers: Vec<Vec<LayerId>>,
    /// The activation that holds a layer's output, once there is one.
    tensor: Vec<Option<TensorId>>,
    /// Layers that are part of a step.
    done: Vec<bool>,
    plan: Plan<E>,
}

/// The plan of a model.
pub fn plan<E: Real>(model: &Model<E>) -> Plan<E> {
    let network = &model.network;
    let readers = keep::readers(network);
    let mut tensor = vec![None; network.layers.len()];
    let mut done = vec![false; network.layers.len()];
    (tensor[0], done[0]) = (Some(0), true);
    let plan = Plan { steps: Vec::new(), tensors: vec![network.input().len()] };
    let mut planner = Planner { model, network, readers, tensor, done, plan };
    for id in 1..network.layers.len() {
        if !planner.done[id] {
            planner.layer(id);
        }
    }
    let mut plan = planner.plan;
    join_depthwise(&mut plan);
    plan
}

impl<E: Real> Planner<'_, E> {
    /// The layer that alone reads this one.
    fn sole_reader(&self, id: LayerId) -> Option<LayerId> {
        match self.readers[id][..] {
            [reader] => Some(reader),
            _ => None,
        }
    }

    /// The batch norm that alone reads a layer.
    fn norm_after(&self, id: LayerId) -> Option<LayerId> {
        self.sole_reader(id).filter(|&reader| matches!(self.network.layers[reader].op, Op::BatchNorm(_)))
    }

    /// The activation function that alone reads a layer, with its layer; else the layer itself.
    fn act_after(&self, id: LayerId) -> (Act<E>, LayerId) {
        match self.sole_reader(id).map(|reader| (self.act(reader), reader)) {
            Some((Some(act), reader)) => (act, reader),
            _ => (Act::Identity, id),
        }
    }

    fn act(&self, id: LayerId) -> Option<Act<E>> {
        match &self.network.layers[id].op {
            Op::Elementwise(Elementwise::Relu) => Some(Act::Relu),
            Op::Elementwise(Elementwise::Relu6) => Some(Act::Relu6),
            Op::Elementwise(Elementwise::Hswish) => Some(Act::Hswish),
            Op::Elementwise(Elementwise::Hsigmoid) => Some(Act::Hsigmoid),
            Op::Elementwise(Elementwise::Sigmoid) => Some(Act::Sigmoid),
            Op::Prelu => self.model.weight_and_bias(id).0.map(|slope| Act::Prelu(grad::values(slope)[0])),
            _ => None,
        }
    }

    /// The sum that alone reads a layer, where its other side is already there.
    fn sum_after(&self, id: LayerId) -> Option<(LayerId, TensorId)> {
        let sum = self.sole_reader(id).filter(|&reader| self.network.layers[reader].op == Op::Add)?;
        let other = self.network.layers[sum].inputs.iter().find(|&&input| input != id)?;
        Some((sum, self.tensor[*other]?))
    }

    /// Adds a step whose output is that of layer `last`; all layers in `of` are part of it.
    fn push(&mut self, work: Work<E>, x: TensorId, second: Option<TensorId>, of: &[LayerId], last: LayerId) {
        let out = self.plan.tensors.len();
        self.plan.tensors.push(self.network.layers[last].output.len());
        of.iter().for_each(|&layer| self.done[layer] = true);
        self.done[last] = true;
        self.tensor[last] = Some(out);
        let layer = of.first().copied().unwrap_or(last);
        self.plan.steps.push(Step { work, x, second, out, layer });
    }

    fn layer(&mut self, id: LayerId) {
        let network = self.network;
        let layer = &network.layers[id];
        let input = |at: usize| layer.inputs.get(at).and_then(|&from| self.tensor[from]);
        // Layers are in evaluation order, so every input is there.
        let Some(x) = input(0) else { return };
        let second = input(1);
        let from = layer.inputs.first().map_or(Shape::new(0, 0, 0), |&from| network.layers[from].output);
        let channels = from.c;
        match layer.op {
            Op::Conv { .. } | Op::Linear { .. } => self.weighted(id, x),
            Op::BatchNorm(_) => {
                let fold::ScaleShift { scale, shift } = fold::scale_shift(self.model, id);
                let affine = Affine { scale: fold::narrow(&scale), shift: fold::narrow(&shift) };
                let (act, last) = self.act_after(id);
                self.push(Work::Affine(Some(affine), act), x, None, &[id], last);
            }
            Op::Elementwise(_) | Op::Prelu => {
                let act = self.act(id).unwrap_or(Act::Identity);
                self.push(Work::Affine(None, act), x, None, &[id], id);
            }
            Op::Add => {
                let (act, last) = self.act_after(id);
                self.push(Work::Add(act), x, second, &[id], last);
            }
            Op::ChannelMean => self.push(Work::Mean(Over::Channels, channels), x, None, &[id], id),
            Op::GlobalAvgPool => self.push(Work::Mean(Over::Map, channels), x, None, &[id], id),
            Op::ScaleMap => self.push(Work::Scale(Per::Pixel, channels), x, second, &[id], id),
            Op::ScaleChannels => self.push(Work::Scale(Per::Channel, channels), x, second, &[id], id),
            Op::Concat => self.concat(id),
            Op::Slice { start, len } => {
                let copy = Channels { run: Run { from: start, to: 0, len }, from: channels, to: len };
                self.push(Work::Copy(copy), x, None, &[id], id);
            }
            Op::Shuffle { groups } => self.transposed(id, x, Transpose::shuffle(channels, groups)),
            Op::Flatten => self.transposed(id, x, Transpose::flatten(from)),
            Op::MaxPool(window) | Op::AvgPool(window) => {
                let of = if matches!(layer.op, Op::MaxPool(_)) { Of::Max } else { Of::Mean };
                let pool = Pool2d { of, window, input: from, output: layer.output };
                self.push(Work::Image(Box::new(pool)), x, None, &[id], id);
            }
            Op::LocalResponseNorm { size, alpha, beta, k } => {
                let norm = ResponseNorm { channels, size, alpha, beta, k };
                self.push(Work::Image(Box::new(norm)), x, None, &[id], id);
            }
            Op::Dropout { .. } => self.same(id, x),
            Op::Input => {}
        }
    }

    /// A layer whose output is its input.
    fn same(&mut self, id: LayerId, x: TensorId) {
        if id + 1 == self.network.layers.len() {
            // The output of the network is that of a step of its own.
            return self.push(Work::Affine(None, Act::Identity), x, None, &[id], id);
        }
        (self.tensor[id], self.done[id]) = (Some(x), true);
    }

    fn transposed(&mut self, id: LayerId, x: TensorId, transpose: Transpose) {
        if transpose.is_identity() {
            return self.same(id, x);
        }
        self.push(Work::Image(Box::new(transpose)), x, None, &[id], id);
    }

    /// One input after another is copied to its place.
    fn concat(&mut self, id: LayerId) {
        let network = self.network;
        let (mut at, to) = (0, network.layers[id].output.c);
        for &input in &network.layers[id].inputs {
            let Some(x) = self.tensor[input] else { continue };
            let len = network.layers[input].output.c;
            let copy = Channels { run: Run { from: 0, to: at, len }, from: len, to };
            match self.tensor[id] {
                None => self.push(Work::Copy(copy), x, None, &[id], id),
                Some(begun) => self.push(Work::Join(copy), begun, Some(x), &[id], id),
            }
            at += len;
        }
    }

    /// A convolution or a linear layer with the batch norm, the sum and the activation after it.
    fn weighted(&mut self, id: LayerId, x: TensorId) {
        let network = self.network;
        let layer = &network.layers[id];
        let from = network.layers[layer.inputs[0]].output;
        let norm = self.norm_after(id);
        let (weights, bias) = fold::weights(self.model, id, norm);
        let normed = norm.unwrap_or(id);
        let (kernel, stride, pad, groups) = match layer.op {
            Op::Conv { kernel, stride, pad, groups, .. } => (kernel, stride, pad, groups),
            _ => (1, 1, 0, 1),
        };
        let out = (layer.output.h, layer.output.w);
        let map = Map { input: (from.h, from.w, from.c), out, kernel, stride, pad };
        if groups > 1 || (groups == from.c && layer.output.c == from.c && kernel > 1) {
            let (act, last) = self.act_after(normed);
            let work = if groups == from.c && layer.output.c == from.c {
                Work::Depthwise(Depthwise::new(map, &weights, &bias, act))
            } else {
                let input = (from.h, from.w, from.c);
                let geometry =
                    Geometry { input, out, out_channels: layer.output.c, kernel, stride, pad, groups };
                Work::Grouped(Grouped::new(geometry, &weights, bias, act))
            };
            return self.push(work, x, None, &[id, normed], last);
        }
        let sum = self.sum_after(normed);
        let summed = sum.map_or(normed, |(sum, _)| sum);
        let (act, last) = self.act_after(summed);
        let is_pixel = kernel == 1 && stride == 1 && pad == 0;
        let front = if is_pixel { Front::Input } else { Front::Patches(Patches { map }) };
        let (depth, cols) = (kernel * kernel * from.c, layer.output.c);
        let weights = packed(&weights, (cols, from.c, kernel * kernel));
        let rows = out.0 * out.1;
        let product = Product { front, rows, depth, cols, weights, bias, act };
        self.push(Work::Product(product), x, sum.map(|(_, other)| other), &[id, normed, summed], last);
    }
}

/// Weights `(O, I, K*K)` as a right side of (K*K, I) rows.
fn packed<E: Real>(weights: &[E], (outputs, inputs, taps): (usize, usize, usize)) -> Packed<E> {
    let depth = inputs * taps;
    if taps == 1 {
        return Packed::new(depth, outputs, Mat::transposed(weights, depth));
    }
    let mut laid = vec![E::ZERO; weights.len()];
    for (o, row) in weights.chunks_exact(depth).enumerate() {
        for (at, weight) in row.iter().enumerate() {
            laid[(at % taps * inputs + at / taps) * outputs + o] = *weight;
        }
    }
    Packed::new(depth, outputs, Mat::rows(&laid, outputs))
}

/// A depthwise convolution that a product alone reads becomes the front of that product.
fn join_depthwise<E: Real>(plan: &mut Plan<E>) {
    let mut uses = vec![0; plan.tensors.len()];
    for step in &plan.steps {
        uses[step.x] += 1;
        step.second.into_iter().for_each(|second| uses[second] += 1);
    }
    let mut waiting: Vec<Step<E>> = Vec::new();
    let mut steps = Vec::new();
    for mut step in std::mem::take(&mut plan.steps) {
        if let Work::Product(product) = &mut step.work
            && matches!(product.front, Front::Input)
            && let Some(at) = waiting.iter().position(|before| before.out == step.x)
            && let Step { work: Work::Depthwise(depthwise), x, .. } = waiting.remove(at)
        {
            product.front = Front::Depthwise(depthwise);
            step.x = x;
        }
        let reader_may_take_it = matches!(step.work, Work::Depthwise(_)) && uses[step.out] == 1;
        if reader_may_take_it { waiting.push(step) } else { steps.push(step) }
    }
    plan.steps = steps;
    put_back(plan, waiting);
}

/// Puts back what no product took, before its reader.
fn put_back<E: Real>(plan: &mut Plan<E>, waiting: Vec<Step<E>>) {
    // The last first: one may read another.
    for step in waiting.into_iter().rev() {
        let reads = |other: &Step<E>| other.x == step.out || other.second == Some(step.out);
        let at = plan.steps.iter().position(reads).unwrap_or(plan.steps.len());
        plan.steps.insert(at, step);
    }
}
