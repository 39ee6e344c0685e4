//! The layers' definitions, spelled out in f64.

use crate::arch::{Elementwise, Layer, Op, Shape, Window};
use crate::engine::grad;
use crate::engine::model::Model;

/// One image through the network, layer by layer as `Op` defines them; activations are (H, W, C).
pub fn by_definition(model: &Model<f64>, image: &[f64]) -> Vec<f64> {
    let layers = &model.network.layers;
    let mut values: Vec<Vec<f64>> = vec![image.to_vec()];
    for (id, layer) in layers.iter().enumerate().skip(1) {
        let x = &values[layer.inputs[0]];
        let from = layers[layer.inputs[0]].output;
        let (weight, bias) = model.weight_and_bias(id);
        let weight = weight.map(grad::values).unwrap_or_default();
        let bias = bias.map(grad::values);
        let c = from.c;
        let each = |f: &dyn Fn(f64, usize) -> f64| x.iter().enumerate().map(|(i, v)| f(*v, i)).collect();
        let out: Vec<f64> = match &layer.op {
            Op::Conv { .. } => convolution(layer, from, x, &weight, bias.as_deref()),
            Op::Linear { out, .. } => (0..*out)
                .map(|o| {
                    let sum: f64 = x.iter().zip(&weight[o * c..][..c]).map(|(x, w)| x * w).sum();
                    sum + bias.as_ref().map_or(0.0, |b| b[o])
                })
                .collect(),
            Op::BatchNorm(norm) => {
                let (running, beta) = (model.running[id].as_ref().unwrap(), bias.unwrap());
                each(&|v, i| {
                    let i = i % c;
                    (v - running.mean[i]) / (running.variance[i] + norm.eps).sqrt() * weight[i] + beta[i]
                })
            }
            Op::Elementwise(function) => each(&|v, _| match function {
                Elementwise::Relu => v.max(0.0),
                Elementwise::Relu6 => v.clamp(0.0, 6.0),
                Elementwise::Hswish => v * (v + 3.0).clamp(0.0, 6.0) / 6.0,
                Elementwise::Hsigmoid => (v + 3.0).clamp(0.0, 6.0) / 6.0,
                Elementwise::Sigmoid => 1.0 / (1.0 + (-v).exp()),
            }),
            Op::Prelu => each(&|v, _| if v > 0.0 { v } else { v * weight[0] }),
            Op::Add => each(&|v, i| v + values[layer.inputs[1]][i]),
            Op::ChannelMean => x.chunks(c).map(|row| row.iter().sum::<f64>() / c as f64).collect(),
            Op::GlobalAvgPool => {
                let pixels = (from.h * from.w) as f64;
                (0..c).map(|i| x.iter().skip(i).step_by(c).sum::<f64>() / pixels).collect()
            }
            Op::ScaleMap => each(&|v, i| v * values[layer.inputs[1]][i / c]),
            Op::ScaleChannels => each(&|v, i| v * values[layer.inputs[1]][i % c]),
            Op::Concat => (0..from.h * from.w)
                .flat_map(|pixel| {
                    let rows = layer.inputs.iter().map(move |&id| (id, layers[id].output.c));
                    rows.flat_map(|(id, c)| values[id][pixel * c..][..c].to_vec()).collect::<Vec<_>>()
                })
                .collect(),
            Op::Slice { start, len } => x.chunks(c).flat_map(|row| row[*start..][..*len].to_vec()).collect(),
            // Channel i * groups + g of the output is channel g * (C / groups) + i.
            Op::Shuffle { groups } => (0..x.len())
                .map(|at| x[at / c * c + at % c % groups * (c / groups) + at % c / groups])
                .collect(),
            Op::MaxPool(window) => windows(*window, from, layer.output, x)
                .map(|(inside, _)| inside.into_iter().fold(f64::NEG_INFINITY, f64::max))
                .collect(),
            Op::AvgPool(window) => windows(*window, from, layer.output, x)
                .map(|(inside, places)| inside.iter().sum::<f64>() / places as f64)
                .collect(),
            Op::LocalResponseNorm { size, alpha, beta, k } => each(&|v, i| {
                let (pixel, channel) = (i / c, i % c);
                let window = channel.saturating_sub(size / 2)..c.min(channel + (size - 1) / 2 + 1);
                let sum: f64 = window.map(|c2| x[pixel * c + c2].powi(2)).sum();
                v / (k + alpha / *size as f64 * sum).powf(*beta)
            }),
            Op::Dropout { .. } => x.clone(),
            Op::Flatten => (0..c).flat_map(|i| x.iter().skip(i).step_by(c).copied()).collect(),
            Op::Input => unreachable!(),
        };
        values.push(out);
    }
    values.pop().unwrap()
}

fn convolution(layer: &Layer, from: Shape, x: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
    let Op::Conv { kernel, stride, pad, groups, .. } = layer.op else { unreachable!() };
    let Shape { c: outputs, h: oh, w: ow } = layer.output;
    let inputs = from.c / groups;
    let mut out = Vec::new();
    for (y, column, o) in
        (0..oh).flat_map(|y| (0..ow).flat_map(move |x| (0..outputs).map(move |o| (y, x, o))))
    {
        let mut sum = bias.map_or(0.0, |b| b[o]);
        for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
            let (iy, ix) = ((y * stride + ky).wrapping_sub(pad), (column * stride + kx).wrapping_sub(pad));
            if iy >= from.h || ix >= from.w {
                continue;
            }
            for i in 0..inputs {
                let channel = o / (outputs / groups) * inputs + i;
                sum += x[(iy * from.w + ix) * from.c + channel]
                    * weight[((o * inputs + i) * kernel + ky) * kernel + kx];
            }
        }
        out.push(sum);
    }
    out
}

/// For every output value: what its window holds of the map, and its places in the padded map.
fn windows(
    window: Window,
    from: Shape,
    to: Shape,
    x: &[f64],
) -> impl Iterator<Item = (Vec<f64>, usize)> + '_ {
    let Window { kernel, stride, pad, .. } = window;
    (0..to.h * to.w * to.c).map(move |at| {
        let (pixel, channel) = (at / to.c, at % to.c);
        let (mut inside, mut places) = (Vec::new(), 0);
        for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
            let (y, column) = (pixel / to.w * stride + ky, pixel % to.w * stride + kx);
            if y < from.h + 2 * pad && column < from.w + 2 * pad {
                places += 1;
                if (pad..from.h + pad).contains(&y) && (pad..from.w + pad).contains(&column) {
                    inside.push(x[((y - pad) * from.w + column - pad) * from.c + channel]);
                }
            }
        }
        (inside, places)
    })
}
