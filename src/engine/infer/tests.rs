//! Folded inference against the layers' definitions, spelled out in f64.

use std::sync::Arc;

use super::*;
use crate::arch::build::{self, Builder, ConvSpec};
use crate::arch::{Elementwise, Layer, Network, Norm, Op, Shape, Window, zoo};
use crate::engine::grad;
use crate::engine::model::networks::{inception, residual_pool, shuffle_unit};
use crate::engine::simd::Isa;
use crate::space::notation;

/// Numbers between -1 and 1 that look like nothing.
fn noise(len: usize, seed: usize) -> Vec<f64> {
    let hash = |i: usize| ((i + 7919 * seed) as u32).wrapping_mul(2_654_435_761).wrapping_add(0x9e37) >> 8;
    (0..len).map(|i| f64::from(hash(i)) / f64::from(1 << 23) - 1.0).collect()
}

/// A model whose every parameter and running statistic is of no special value.
fn model<E: Real>(network: Network, threads: usize) -> Model<E> {
    let mut model = Model::<E>::new(network, [5; 32], Arc::new(Workers::new(threads).unwrap()));
    for at in 0..model.params.len() {
        let (len, is_weight) = (model.params[at].shape.iter().product(), !model.params[at].is_norm_or_bias);
        let old = grad::values(&model.params[at].tensor);
        let values: Vec<E> = noise(len, at)
            .iter()
            .zip(&old)
            .map(|(n, old)| if is_weight { *old } else { E::of(old.wide() + n / 4.0) })
            .collect();
        model.set_param(at, &values).unwrap();
    }
    for (at, running) in model.running.iter_mut().enumerate() {
        let Some(running) = running else { continue };
        let c = running.mean.len();
        running.mean = noise(c, at + 1).iter().map(|n| E::of(n / 4.0)).collect();
        running.variance = noise(c, at + 2).iter().map(|n| E::of(1.0 + n / 2.0)).collect();
    }
    model
}

/// One image through the network, layer by layer as `Op` defines them; activations are (H, W, C).
fn by_definition(model: &Model<f64>, image: &[f64]) -> Vec<f64> {
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

/// Relative L2 difference.
fn difference(ours: impl Iterator<Item = f64>, exact: &[f64]) -> f64 {
    let error: f64 = ours.zip(exact).map(|(a, b)| (a - b).powi(2)).sum();
    (error / exact.iter().map(|b| b * b).sum::<f64>()).sqrt()
}

/// Against the definition in f64 and f32, on every instruction set; the same bits alone and in batches.
fn check(network: &Network) {
    let name = &network.name;
    let each = network.input().len();
    let pixels = noise(5 * each, 99);
    let exact = model::<f64>(network.clone(), 1);
    let expected: Vec<f64> = pixels.chunks(each).flat_map(|image| by_definition(&exact, image)).collect();
    assert!(expected.iter().all(|v| v.is_finite()) && expected.iter().any(|v| *v != 0.0), "{name}");
    let wide = exact.inference().logits(&pixels);
    assert_eq!(wide.len(), expected.len(), "{name}");
    let error = difference(wide.into_iter(), &expected);
    assert!(error < 1e-12, "{name}: f64 is off by {error:.1e}");
    let pixels: Vec<f32> = pixels.iter().map(|v| *v as f32).collect();
    let inference = model::<f32>(network.clone(), 1).inference();
    let together = inference.logits(&pixels);
    let error = difference(together.iter().map(|v| f64::from(*v)), &expected);
    assert!(error < 1e-5, "{name}: f32 is off by {error:.1e}");
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    for size in [1, 2, 3] {
        let parts: Vec<f32> = pixels.chunks(size * each).flat_map(|part| inference.logits(part)).collect();
        assert_eq!(bits(&parts), bits(&together), "{name}: in batches of {size}");
    }
    let threaded = model::<f32>(network.clone(), 3).inference().logits(&pixels);
    assert_eq!(bits(&threaded), bits(&together), "{name}: with three threads");
    let best = Isa::current();
    for isa in Isa::available() {
        isa.select();
        let other = model::<f32>(network.clone(), 1).inference().logits(&pixels);
        best.select();
        assert_eq!(bits(&other), bits(&together), "{name}: {isa:?}");
    }
}

fn alone(name: &str, input: Shape, ops: &[Op]) -> Network {
    let mut builder = Builder::new(input, false).unwrap();
    for (at, op) in ops.iter().enumerate() {
        builder.push(format!("{at}"), op.clone(), &[at]).unwrap();
    }
    builder.finish(name, 2)
}

fn conv(spec: ConvSpec, bias: bool) -> Op {
    let ConvSpec { out_channels, kernel, stride, pad, groups } = spec;
    Op::Conv { out_channels, kernel, stride, pad, groups, bias }
}

/// Kernel sizes with and without kernels of their own, strides, odd channel counts, maps with all borders.
#[test]
fn depthwise_convolutions() {
    for (kernel, stride, pad, channels, side) in [
        (3, 1, 1, 16, 4),
        (3, 1, 1, 24, 9),
        (3, 2, 1, 33, 8),
        (3, 2, 1, 5, 7),
        (3, 1, 0, 40, 6),
        (5, 1, 2, 17, 11),
        (5, 2, 2, 20, 8),
        (7, 1, 3, 23, 9),
        (7, 2, 3, 16, 14),
        (2, 2, 0, 18, 8),
        (2, 1, 0, 3, 5),
        (4, 1, 2, 6, 6),
        (3, 3, 1, 9, 10),
        (7, 1, 3, 4, 7),
        (3, 1, 3, 4, 3),
        (1, 2, 0, 7, 5),
        (3, 1, 1, 64, 16),
    ] {
        let spec = ConvSpec { pad, ..ConvSpec::depthwise(channels, kernel, stride) };
        let relu = Op::Elementwise(Elementwise::Relu);
        let name = format!("depthwise k{kernel} s{stride} p{pad} c{channels}");
        let input = Shape::new(channels, side, side + 1);
        check(&alone(&name, input, &[conv(spec, true)]));
        let then =
            [conv(spec, false), Op::BatchNorm(Norm::default()), relu, conv(ConvSpec::pointwise(19), false)];
        check(&alone(&format!("{name}, product"), input, &then));
    }
}

#[test]
fn other_convolutions() {
    for (channels, spec) in [
        (3, ConvSpec::full(32, 3, 1)),
        (3, ConvSpec::full(7, 3, 2)),
        (5, ConvSpec::full(20, 5, 2)),
        (17, ConvSpec { pad: 0, ..ConvSpec::full(6, 2, 1) }),
        (6, ConvSpec { stride: 2, ..ConvSpec::pointwise(4) }),
        (6, ConvSpec { pad: 1, ..ConvSpec::pointwise(4) }),
        (1, ConvSpec::full(1, 3, 1)),
        (6, ConvSpec { groups: 3, ..ConvSpec::pointwise(9) }),
        (6, ConvSpec { groups: 2, ..ConvSpec::full(8, 3, 2) }),
        (4, ConvSpec { groups: 4, ..ConvSpec::full(8, 5, 1) }),
        (130, ConvSpec::pointwise(70)),
    ] {
        for bias in [false, true] {
            let layers =
                [conv(spec, bias), Op::BatchNorm(Norm::default()), Op::Elementwise(Elementwise::Hswish)];
            check(&alone(&format!("{channels} {spec:?}"), Shape::new(channels, 9, 7), &layers));
        }
    }
}

/// Batch norms that have nothing to fold into, activations alone, sums of one activation with itself, chains of
/// depthwise convolutions, layers that nobody reads.
#[test]
fn what_does_not_fold() {
    use Elementwise::{Hsigmoid, Hswish, Relu, Relu6, Sigmoid};
    let input = Shape::new(5, 4, 3);
    for act in [Relu, Relu6, Hswish, Hsigmoid, Sigmoid].map(Op::Elementwise).into_iter().chain([Op::Prelu]) {
        check(&alone(&format!("{act:?} alone"), input, &[act.clone(), act.clone()]));
        check(&alone(&format!("norm and {act:?}"), input, &[Op::BatchNorm(Norm::default()), act.clone()]));
        check(&alone(
            &format!("linear, {act:?}"),
            input,
            &[Op::GlobalAvgPool, Op::Linear { out: 9, bias: false }, act],
        ));
    }
    let norms = [
        Op::BatchNorm(Norm::default()),
        Op::BatchNorm(Norm::default()),
        conv(ConvSpec::pointwise(8), false),
        Op::BatchNorm(Norm::default()),
        Op::BatchNorm(Norm::default()),
    ];
    check(&alone("norms", input, &norms));
    let depthwise = conv(ConvSpec::depthwise(5, 3, 1), true);
    check(&alone(
        "depthwise twice",
        input,
        &[depthwise.clone(), depthwise.clone(), conv(ConvSpec::pointwise(3), true)],
    ));
    let mut builder = Builder::new(input, false).unwrap();
    let z = builder.conv("z", 0, ConvSpec::pointwise(5)).unwrap();
    builder.conv("unread", z, ConvSpec::depthwise(5, 3, 1)).unwrap();
    let twice = builder.push("twice", Op::Add, &[z, z]).unwrap();
    let more = builder.conv_norm("more", twice, ConvSpec::pointwise(5)).unwrap();
    let own = builder.push("own", Op::Add, &[more, twice]).unwrap();
    let act = builder.activation("own", own, crate::space::Activation::Prelu).unwrap();
    let left = builder.conv_norm("left", act, ConvSpec::pointwise(5)).unwrap();
    let right = builder.conv_norm("right", act, ConvSpec::depthwise(5, 3, 1)).unwrap();
    let sum = builder.push("sum", Op::Add, &[left, right]).unwrap();
    let normed = builder.norm("sum", sum).unwrap();
    builder.push("last", Op::Add, &[normed, 0]).unwrap();
    check(&builder.finish("sums", 2));
}

/// Windows with and without padding, overlapping and apart, cut off and left out at the border.
#[test]
fn pools() {
    for (kernel, stride, pad, ceil) in [
        (2, 2, 0, false),
        (3, 2, 0, true),
        (3, 2, 1, false),
        (3, 2, 1, true),
        (3, 1, 1, false),
        (2, 3, 1, true),
        (4, 3, 2, true),
        (7, 7, 0, false),
    ] {
        let window = Window { kernel, stride, pad, ceil };
        for op in [Op::MaxPool(window), Op::AvgPool(window)] {
            for (channels, h, w) in [(5, 7, 8), (18, 9, 7)] {
                check(&alone(&format!("{op:?}"), Shape::new(channels, h, w), std::slice::from_ref(&op)));
            }
        }
    }
}

#[test]
fn response_norms() {
    for (size, alpha, beta, k) in [
        (5, 1e-4, 0.75, 2.0),
        (4, 0.5, 0.75, 1.0),
        (3, 2.0, 0.6, 0.5),
        (1, 1.0, 1.0, 1.0),
        (30, 1.0, 0.75, 1.0),
    ] {
        let norm = Op::LocalResponseNorm { size, alpha, beta, k };
        check(&alone(&format!("{norm:?}"), Shape::new(23, 3, 2), &[norm]));
    }
}

/// Channels put together, taken apart and in another order: each shape of transposition, with something pending before
/// and after, inputs that are read again and outputs of the network.
#[test]
fn channels() {
    for (channels, groups) in [(6, 2), (12, 3), (20, 4), (40, 8), (10, 5), (21, 7), (12, 6), (7, 1), (7, 7)] {
        check(&alone(
            &format!("{channels} in {groups}"),
            Shape::new(channels, 3, 4),
            &[Op::Shuffle { groups }],
        ));
    }
    for shape in [Shape::new(18, 5, 7), Shape::new(3, 2, 2), Shape::new(5, 1, 1), Shape::new(1, 3, 3)] {
        let relu = Op::Elementwise(Elementwise::Relu6);
        check(&alone("flat", shape, &[Op::Flatten]));
        let linear = Op::Linear { out: 7, bias: true };
        check(&alone("classifier", shape, &[relu, Op::Flatten, Op::Dropout { rate: 0.5 }, linear]));
    }
    check(&alone("dropout", Shape::new(3, 4, 5), &[Op::Dropout { rate: 0.5 }]));
    let hswish = Op::Elementwise(Elementwise::Hswish);
    check(&alone("dropout, act", Shape::new(3, 4, 5), &[hswish, Op::Dropout { rate: 0.5 }, Op::Prelu]));
    for mut network in [shuffle_unit(2, 8), shuffle_unit(1, 10), inception(), residual_pool()] {
        network.name = "unit".into();
        check(&network);
    }
    let mut builder = Builder::new(Shape::new(5, 4, 3), false).unwrap();
    let a = builder.conv("a", 0, ConvSpec::pointwise(4)).unwrap();
    let twice = builder.push("twice", Op::Concat, &[a, 0, a, 0]).unwrap();
    let b = builder.conv("b", twice, ConvSpec::depthwise(18, 3, 1)).unwrap();
    let one = builder.push("one", Op::Concat, &[b]).unwrap();
    builder.push("out", Op::Concat, &[one, twice, a]).unwrap();
    check(&builder.finish("concat of concats", 2));
}

/// Every kind of block in the notation.
#[test]
fn blocks() {
    for text in [
        "stem_k3_s1_c6 ir_r2_k3_s1_e2_c6",
        "stem_k3_s2_c6_nhs ir_r2_k5_s1_e3_c20_se0.25_nhs_project ir_r1_k7_s2_h30_c24_se0.5 cse_r2_k3_s2_c36_cap4_rr4 head_c72_g4",
        "stem_k3_s1_c6 ir_r2_k7_s1_h10_c7_nre_project bias",
        "stem_k3_s1_c6 ir_r1_k3_s1_e1_c5_noskip_keep_npr",
        "stem_k3_s1_c6 cse_r2_k5_s1_c7_cap3_rr4_nhs_max head_c14_g7",
        "cse_r2_k3_s2_c5_cap3_rr4_lite head_c10_g5",
    ] {
        let mut network = build::network(&notation::parse(text).unwrap(), Shape::new(3, 32, 32), 3).unwrap();
        network.name = text.into();
        check(&network);
    }
}

/// The networks that are measured, at their own sizes: groups of several images, bands of rows.
#[test]
fn named_networks() {
    let set = [("stem".to_string(), "cifar".to_string())].into();
    let cifar = zoo::Options { set, classes: Some(10), input: Some(Shape::new(3, 32, 32)) };
    check(&zoo::network("mobilenet_v2", &cifar).unwrap());
    check(&zoo::network("mix", &zoo::Options::default()).unwrap());
}

/// Many images: whole groups, and one that is not.
#[test]
fn groups_do_not_matter() {
    let network = zoo::network("stem_k3_s2_c8 ir_r2_k3_s2_e2_c8 head_c32", &zoo::Options::default()).unwrap();
    let each = network.input().len();
    let pixels: Vec<f32> = noise(75 * each, 3).iter().map(|v| *v as f32).collect();
    let inference = model::<f32>(network, 1).inference();
    let alone: Vec<f32> = pixels.chunks(each).flat_map(|image| inference.logits(image)).collect();
    assert_eq!(inference.logits(&pixels), alone);
}
