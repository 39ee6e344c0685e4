//! The walk over a network's layers, each turned into an op or into something pending.

use super::Model;
use crate::arch::{Elementwise, LayerId, Norm, Op, Shape};
use crate::engine::act::Act;
use crate::engine::grad;
use crate::engine::keep::{self, Keep};
use crate::engine::measure::Pass;
use crate::engine::ops::channels::{self, Run, Transpose};
use crate::engine::ops::dropout::Dropout;
use crate::engine::ops::norm::BatchNorm;
use crate::engine::ops::norm::moments::Moments;
use crate::engine::ops::pool2d::{Of, Pool2d};
use crate::engine::ops::response_norm::ResponseNorm;
use crate::engine::ops::{add, conv, depthwise, gate, image, norm, pointwise, squeeze, tile_rows};
use crate::engine::pool::Buf;
use crate::engine::real::{Flat, Real};
use crate::engine::value::{Context, Value};

/// Whose statistics batch norm uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The batch's; gradients are wanted.
    Train,
    /// The running ones: the tests of batch norm's backward pass with given statistics need it. What evaluates without
    /// gradients is `engine::infer`.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests want gradients in evaluation mode"))]
    Evaluate,
}

/// Statistics of one batch norm: layer, mean, unbiased variance.
type Statistics = Vec<(LayerId, Vec<f64>, Vec<f64>)>;

/// State of one walk.
struct Walk<E: Real> {
    values: Vec<Option<Value<E>>>,
    moments: Vec<Option<Vec<Moments>>>,
    /// Layers that read each layer.
    readers: Vec<Vec<LayerId>>,
    statistics: Statistics,
}

impl<E: Real> Model<E> {
    /// Output of the last layer, and in training the statistics of every batch norm.
    pub(super) fn forward(
        &self,
        context: &mut Context<E>,
        images: Value<E>,
        mode: Mode,
    ) -> (Value<E>, Statistics) {
        let layers = &self.network.layers;
        let readers = keep::readers(&self.network);
        let mut walk = Walk {
            values: vec![None; layers.len()],
            moments: layers.iter().map(|_| None).collect(),
            readers,
            statistics: Vec::new(),
        };
        walk.values[0] = Some(images);
        for (id, layer) in layers.iter().enumerate() {
            if walk.values[id].is_none() {
                context.layer = id;
                let value = match context.clock.clone() {
                    None => self.layer(context, &mut walk, id, mode),
                    Some(clock) => clock.time(id, Pass::Forward, || self.layer(context, &mut walk, id, mode)),
                };
                walk.values[id] = Some(value);
            }
            // What nobody reads any more is dropped; in training the tape keeps what backward needs.
            for &from in &layer.inputs {
                if walk.readers[from].last() == Some(&id) {
                    walk.values[from] = None;
                }
            }
        }
        let logits = walk.values.pop().flatten();
        (logits.unwrap_or_else(|| Value::plain(Buf::take(0), 0, (1, 1, 1), false)), walk.statistics)
    }

    fn layer(&self, context: &mut Context<E>, walk: &mut Walk<E>, id: LayerId, mode: Mode) -> Value<E> {
        let layer = &self.network.layers[id];
        let input = |walk: &Walk<E>, at: usize| -> Option<Value<E>> { walk.values[layer.inputs[at]].clone() };
        // Layers are in evaluation order, so every input is there.
        let Some(x) = input(walk, 0) else { return Value::plain(Buf::take(0), 0, (1, 1, 1), false) };
        let feeds_norm = mode == Mode::Train
            && walk.readers[id].iter().any(|&r| matches!(self.network.layers[r].op, Op::BatchNorm(_)));
        let weight = self.layers[id].weight.map(|at| &self.params[at].tensor);
        let bias = self.layers[id].bias.map(|at| &self.params[at].tensor);
        match (&layer.op, weight) {
            (Op::Conv { .. }, Some(weight)) => {
                let (value, moments) = self.convolution(context, &x, id, weight, bias, feeds_norm);
                walk.moments[id] = Some(moments);
                value
            }
            (Op::Linear { .. }, Some(weight)) => {
                let kept = pointwise::Output::Kept;
                let (value, moments) = pointwise::forward(context, &x, weight, bias, kept, feeds_norm);
                walk.moments[id] = Some(moments);
                value
            }
            (Op::BatchNorm(constants), _) => self.batch_norm(context, walk, id, x, *constants, mode),
            (Op::Elementwise(function), _) => {
                let x = plain(context, x);
                norm::forward(context, &x, None, act(*function), None, sole_reader(walk, id))
            }
            (Op::Prelu, Some(slope)) => {
                let act = Act::Prelu(grad::values(slope)[0]);
                let x = plain(context, x);
                norm::forward(context, &x, None, act, Some(slope.clone()), sole_reader(walk, id))
            }
            (Op::Add, _) => {
                let other = input(walk, 1);
                let output = match self.keep[id] {
                    Keep::Sum if mode == Mode::Train => add::Output::Recomputed,
                    _ => add::Output::Kept,
                };
                let (value, moments) = add::forward(context, &x, other.as_ref(), output, feeds_norm);
                walk.moments[id] = Some(moments);
                value
            }
            (Op::ChannelMean, _) => squeeze::forward(context, &x, squeeze::Over::Channels),
            (Op::GlobalAvgPool, _) => squeeze::forward(context, &x, squeeze::Over::Map),
            (Op::ScaleMap | Op::ScaleChannels, _) => {
                let per = if layer.op == Op::ScaleMap { gate::Per::Pixel } else { gate::Per::Channel };
                let x = if x.gate.is_some() { plain(context, x) } else { x };
                match input(walk, 1) {
                    Some(factors) => gate::forward(context, &x, &factors, per),
                    None => x,
                }
            }
            (Op::Concat, _) => {
                let mut to = 0;
                let runs = (0..layer.inputs.len()).filter_map(|at| input(walk, at)).map(|x| {
                    let run = Run { from: 0, to, len: x.c };
                    to += x.c;
                    (x, run)
                });
                channels::forward(context, &runs.collect::<Vec<_>>(), layer.output.c)
            }
            (&Op::Slice { start, len }, _) => {
                channels::forward(context, &[(x, Run { from: start, to: 0, len })], len)
            }
            (&Op::Shuffle { groups }, _) => {
                let shape = (x.h, x.w, x.c);
                image::apply(context, &x, Transpose::shuffle(x.c, groups), shape)
            }
            (Op::Flatten, _) => {
                let (flat, shape) = (Shape::new(x.c, x.h, x.w), (1, 1, x.per_image()));
                image::apply(context, &x, Transpose::flatten(flat), shape)
            }
            (&(Op::MaxPool(window) | Op::AvgPool(window)), _) => {
                let of = if matches!(layer.op, Op::MaxPool(_)) { Of::Max } else { Of::Mean };
                let pool = Pool2d { of, window, input: Shape::new(x.c, x.h, x.w), output: layer.output };
                image::apply(context, &x, pool, (layer.output.h, layer.output.w, layer.output.c))
            }
            (&Op::LocalResponseNorm { size, alpha, beta, k }, _) => {
                let (norm, shape) = (ResponseNorm { channels: x.c, size, alpha, beta, k }, (x.h, x.w, x.c));
                image::apply(context, &x, norm, shape)
            }
            (&Op::Dropout { rate }, _) => {
                let rate = if mode == Mode::Train { rate } else { 0.0 };
                let dropout = Dropout { rate, key: self.coins.of_layer(id) };
                let shape = (x.h, x.w, x.c);
                image::apply(context, &x, dropout, shape)
            }
            (Op::Input | Op::Conv { .. } | Op::Linear { .. } | Op::Prelu, _) => x,
        }
    }

    fn convolution(
        &self,
        context: &mut Context<E>,
        x: &Value<E>,
        id: LayerId,
        weight: &Flat<E>,
        bias: Option<&Flat<E>>,
        moments: bool,
    ) -> (Value<E>, Vec<Moments>) {
        let layer = &self.network.layers[id];
        let Op::Conv { out_channels, kernel, stride, pad, groups, .. } = layer.op else {
            return (x.clone(), Vec::new());
        };
        let out = (layer.output.h, layer.output.w);
        if keep::is_product(&layer.op) {
            let output = if moments && self.keep[id] == Keep::Recomputed {
                pointwise::Output::Recomputed(depthwise::channel_blocks(out_channels))
            } else {
                pointwise::Output::Kept
            };
            return pointwise::forward(context, x, weight, bias, output, moments);
        }
        if keep::is_depthwise(&layer.op, x.c) {
            let geometry = depthwise::Geometry { kernel, stride, pad, out };
            return depthwise::forward(context, x, weight, bias, geometry, moments);
        }
        let input = (x.h, x.w, x.c);
        let geometry = conv::Geometry { input, out, out_channels, kernel, stride, pad, groups };
        conv::forward(context, x, weight, bias, geometry, moments)
    }

    /// Batch norm, with the activation that follows it where nothing else reads it.
    fn batch_norm(
        &self,
        context: &mut Context<E>,
        walk: &mut Walk<E>,
        id: LayerId,
        x: Value<E>,
        constants: Norm,
        mode: Mode,
    ) -> Value<E> {
        let layers = &self.network.layers;
        let from = layers[id].inputs[0];
        let (moments, x) = match walk.moments[from].take() {
            Some(moments) if x.is_plain() => (Some(moments), x),
            _ => (None, plain(context, x)),
        };
        let (gamma, beta) = (self.layers[id].weight, self.layers[id].bias);
        let (Some(gamma), Some(beta)) = (gamma, beta) else { return x };
        let (mean, variance) = match (mode, &self.running[id]) {
            (Mode::Evaluate, Some(running)) => {
                let wide = |values: &[E]| values.iter().map(|v| v.wide()).collect();
                (wide(&running.mean), wide(&running.variance))
            }
            _ => Moments::merge(&moments.filter(|m| !m.is_empty()).unwrap_or_else(|| gather(&x))),
        };
        if mode == Mode::Train {
            let rows = (x.images() * x.pixels()) as f64;
            let unbiased = variance.iter().map(|v| v * rows / (rows - 1.0).max(1.0)).collect();
            walk.statistics.push((id, mean.clone(), unbiased));
        }
        let (mut act_of, mut slope, mut reader) = (Act::Identity, None, None);
        if let [next] = walk.readers[id][..] {
            match (&layers[next].op, self.layers[next].weight) {
                (Op::Elementwise(function), _) => (act_of, reader) = (act(*function), Some(next)),
                (Op::Prelu, Some(at)) => {
                    let tensor = self.params[at].tensor.clone();
                    act_of = Act::Prelu(grad::values(&tensor)[0]);
                    (slope, reader) = (Some(tensor), Some(next));
                }
                _ => {}
            }
        }
        let norm = BatchNorm {
            mean,
            variance,
            gamma: self.params[gamma].tensor.clone(),
            beta: self.params[beta].tensor.clone(),
            eps: constants.eps,
            of_batch: mode == Mode::Train,
        };
        let sole = sole_reader(walk, reader.unwrap_or(id));
        let value = norm::forward(context, &x, Some(norm), act_of, slope, sole);
        if let Some(next) = reader {
            walk.values[next] = Some(value.clone());
        }
        value
    }
}

/// Whether one layer alone reads a layer's output.
fn sole_reader<E: Real>(walk: &Walk<E>, id: LayerId) -> bool {
    walk.readers[id].len() == 1
}

/// `x` itself where nothing is pending, else a copy with everything applied.
fn plain<E: Real>(context: &mut Context<E>, x: Value<E>) -> Value<E> {
    if x.is_plain() { x } else { add::forward(context, &x, None, add::Output::Kept, false).0 }
}

/// Statistics of stored values that no op gathered.
fn gather<E: Real>(x: &Value<E>) -> Vec<Moments> {
    let mut moments = Moments::new(x.c);
    let (tile, rows) = (tile_rows(x.c), x.images() * x.pixels());
    let mut raw = Buf::take(x.raw_scratch(tile));
    for at in (0..rows).step_by(tile) {
        moments.add(x.raw_rows(at..rows.min(at + tile), &mut raw));
    }
    vec![moments]
}

fn act<E>(function: Elementwise) -> Act<E> {
    match function {
        Elementwise::Relu => Act::Relu,
        Elementwise::Relu6 => Act::Relu6,
        Elementwise::Hswish => Act::Hswish,
        Elementwise::Hsigmoid => Act::Hsigmoid,
        Elementwise::Sigmoid => Act::Sigmoid,
    }
}
