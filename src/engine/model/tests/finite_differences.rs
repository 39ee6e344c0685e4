//! Gradients against central differences in f64, for every op and one block of each kind.

use super::fixtures::{parameter, unit};
use super::*;
use crate::arch::build::{self, Builder, ConvSpec};
use crate::arch::{Elementwise, LayerId, Norm, Op, Shape, Window};
use crate::engine::model::networks::{inception, residual_pool, shuffle_unit};
use crate::space::notation;

/// Step of the differences: rounding then costs about 1e-9 of the sum.
const STEP: f64 = 1e-6;
/// Difference allowed, relative to the largest derivative of the tensor.
const TOLERANCE: f64 = 1e-6;
/// Elements of each tensor that are checked, evenly spread.
const CHECKED: usize = 60;

/// Compares every gradient of sum(output * upstream) with differences.
fn check(network: Network, mode: Mode, images: usize) {
    let name = network.name.clone();
    let mut model = model::<f64>(network);
    for at in 0..model.params.len() {
        let param = &model.params[at];
        let values = parameter(&format!("differences/{name}/{}", param.name), &param.shape);
        model.set_param(at, &values).unwrap();
    }
    let (from, to) = (model.network.input(), model.network.layers.last().unwrap().output);
    let mut x: Vec<f64> = unit(&name, images * from.len()).iter().map(|u| 2.0 * u).collect();
    let upstream = unit(&format!("{name}/upstream"), images * to.len());
    let sum = |model: &Model<f64>, x: &[f64]| -> f64 {
        output(model, mode, x).iter().zip(&upstream).map(|(o, u)| o * u).sum()
    };
    // Statistics other than 0 and 1 before anything is measured.
    pass(&mut model, Mode::Train, &x, &upstream);
    let gradients = pass(&mut model, mode, &x, &upstream);

    let differences = |at: &mut dyn FnMut(usize, f64) -> f64, gradient: &[f64], what: &str| {
        let scale = gradient.iter().fold(1e-2f64, |m, g| m.max(g.abs()));
        for i in (0..gradient.len()).step_by(gradient.len().div_ceil(CHECKED)) {
            let difference = (at(i, STEP) - at(i, -STEP)) / (2.0 * STEP);
            let error = (difference - gradient[i]).abs() / scale;
            assert!(
                error < TOLERANCE,
                "{name}: {what}[{i}] is {}, differences say {difference}",
                gradient[i]
            );
        }
    };
    let mut moved = |i: usize, by: f64| {
        let before = x[i];
        x[i] += by;
        let value = sum(&model, &x);
        x[i] = before;
        value
    };
    differences(&mut moved, &gradients.input_grad, "input");
    for at in 0..model.params.len() {
        let what = model.params[at].name.clone();
        let before = grad::values(&model.params[at].tensor);
        let mut moved = |i: usize, by: f64| {
            let mut values = before.clone();
            values[i] += by;
            model.set_param(at, &values).unwrap();
            sum(&model, &x)
        };
        differences(&mut moved, &gradients.param_grads[at], &what);
        model.set_param(at, &before).unwrap();
    }
}

/// A network of `layers` on an input of `channels` x 5 x 4, each reading the one before and those it names.
fn chain(name: &str, channels: usize, layers: &[(Op, Option<LayerId>)]) -> Network {
    let mut builder = Builder::new(Shape::new(channels, 5, 4), false).unwrap();
    for (i, (op, second)) in layers.iter().enumerate() {
        let part = match op {
            Op::BatchNorm(_) => "norm",
            Op::Prelu => "act",
            _ => "op",
        };
        let inputs: Vec<LayerId> = std::iter::once(i).chain(*second).collect();
        builder.push(format!("{i}_{part}"), op.clone(), &inputs).unwrap();
    }
    builder.finish(name, 2)
}

fn conv(spec: ConvSpec, bias: bool) -> Op {
    let ConvSpec { out_channels, kernel, stride, pad, groups } = spec;
    Op::Conv { out_channels, kernel, stride, pad, groups, bias }
}

#[test]
fn convolutions() {
    let down = ConvSpec { kernel: 2, stride: 2, pad: 0, ..ConvSpec::depthwise(5, 2, 2) };
    for (name, channels, spec, bias) in [
        ("pointwise", 5, ConvSpec::pointwise(9), true),
        ("pointwise_wide", 24, ConvSpec::pointwise(20), false),
        ("strided_1x1", 3, ConvSpec { stride: 2, ..ConvSpec::pointwise(4) }, false),
        ("depthwise_3", 20, ConvSpec::depthwise(20, 3, 1), true),
        ("depthwise_3_s2", 5, ConvSpec::depthwise(5, 3, 2), false),
        ("depthwise_3_s3", 5, ConvSpec::depthwise(5, 3, 3), false),
        ("depthwise_72", 72, ConvSpec::depthwise(72, 3, 2), false),
        ("down", 5, down, false),
        ("full", 3, ConvSpec::full(7, 3, 1), true),
        ("full_s2", 3, ConvSpec::full(7, 3, 2), false),
        ("grouped_1x1", 6, ConvSpec { groups: 3, ..ConvSpec::pointwise(9) }, true),
        ("grouped_3x3", 6, ConvSpec { groups: 2, ..ConvSpec::full(8, 3, 2) }, true),
    ] {
        check(chain(name, channels, &[(conv(spec, bias), None)]), Mode::Train, 2);
    }
}

/// On a larger map than `convolutions`, which holds the kernel, and on maps that only padding makes large enough, down to one
/// pixel.
#[test]
fn large_kernels() {
    for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2), (7, 1), (7, 2), (7, 3), (7, 4), (9, 1)] {
        for (h, w) in [(7, 8), (1, 1), (1, 2), (2, 2), (3, 1), (4, 3)] {
            let on = |name: &str, spec| {
                let mut builder = Builder::new(Shape::new(5, h, w), true).unwrap();
                builder.conv("z", 0, spec).unwrap();
                check(builder.finish(format!("{name}_{kernel}_s{stride}_{h}x{w}"), 2), Mode::Train, 2);
            };
            on("depthwise", ConvSpec::depthwise(5, kernel, stride));
            on("full", ConvSpec::full(4, kernel, stride));
        }
    }
    // Batch norm's share and pending activations before and after, on maps of two pixels and of one.
    for (text, side) in [
        ("stem_k3_s2_c6 ir_r2_k7_s1_e2_c6_se0.25 ir_r1_k5_s2_e2_c8", 3),
        ("cn_k7_s2_c6 dsa_r2_k5_s2_c8 head_c10", 6),
        ("cse_r2_k7_s1_c5_cap3_rr4_nhs", 3),
    ] {
        let candidate = notation::parse(text).unwrap();
        let mut network = build::network(&candidate, Shape::new(3, side, side), 3).unwrap();
        network.name = text.into();
        check(network, Mode::Train, 3);
    }
}

#[test]
fn batch_norm_and_activations() {
    use Elementwise::{Hsigmoid, Hswish, Relu, Relu6, Sigmoid};
    let activations = [Relu, Relu6, Hswish, Hsigmoid, Sigmoid].map(Op::Elementwise);
    for act in activations.into_iter().chain([Op::Prelu]) {
        for mode in [Mode::Train, Mode::Evaluate] {
            let layers = [
                (conv(ConvSpec::pointwise(9), false), None),
                (Op::BatchNorm(Norm::default()), None),
                (act.clone(), None),
            ];
            check(chain(&format!("norm_{act:?}_{mode:?}"), 5, &layers), mode, 3);
        }
        let alone = [(conv(ConvSpec::pointwise(9), false), None), (act.clone(), None)];
        check(chain(&format!("{act:?}"), 5, &alone), Mode::Train, 3);
    }
    let bare = [(conv(ConvSpec::pointwise(9), true), None), (Op::BatchNorm(Norm::default()), None)];
    check(chain("norm", 5, &bare), Mode::Train, 3);
}

#[test]
fn squeezes_gates_and_sums() {
    let linear = |out| Op::Linear { out, bias: true };
    let first = (conv(ConvSpec::pointwise(9), false), None);
    let front = [first, (Op::BatchNorm(Norm::default()), None), (Op::Elementwise(Elementwise::Hswish), None)];
    let with = |tail: &[(Op, Option<LayerId>)]| [&front, tail].concat();
    check(chain("channel_mean", 5, &with(&[(Op::ChannelMean, None)])), Mode::Train, 2);
    check(chain("pool", 5, &with(&[(Op::GlobalAvgPool, None), (linear(4), None)])), Mode::Train, 2);
    check(
        chain("add", 5, &with(&[(conv(ConvSpec::pointwise(9), true), None), (Op::Add, Some(3))])),
        Mode::Train,
        2,
    );
    for (name, squeeze, scale, width) in
        [("map", Op::ChannelMean, Op::ScaleMap, 20), ("channel", Op::GlobalAvgPool, Op::ScaleChannels, 9)]
    {
        let mut builder = Builder::new(Shape::new(5, 5, 4), false).unwrap();
        let x =
            builder.conv_norm_act("a", 0, ConvSpec::pointwise(9), crate::space::Activation::Prelu).unwrap();
        let s = builder.push("squeeze", squeeze, &[x]).unwrap();
        let f = builder.push("fc", linear(width), &[s]).unwrap();
        let g = builder.push("gate", Op::Elementwise(Elementwise::Sigmoid), &[f]).unwrap();
        let gated = builder.push("scale", scale, &[x, g]).unwrap();
        let z = builder.conv("z", gated, ConvSpec::depthwise(9, 3, 1)).unwrap();
        builder.push("add", Op::Add, &[z, gated]).unwrap();
        check(builder.finish(name, 2), Mode::Train, 2);
    }
}

/// Ops on a whole image or its channels: on the input, on something of which norm and activation are pending, read twice.
#[test]
fn channels_pools_and_response_norms() {
    let window = |kernel, stride, pad, ceil| Window { kernel, stride, pad, ceil };
    let local = |size, beta| Op::LocalResponseNorm { size, alpha: 0.7, beta, k: 1.5 };
    for op in [
        Op::Slice { start: 3, len: 4 },
        Op::Shuffle { groups: 3 },
        Op::Flatten,
        Op::MaxPool(window(3, 2, 1, false)),
        Op::MaxPool(window(2, 3, 0, true)),
        Op::AvgPool(window(3, 2, 1, true)),
        Op::AvgPool(window(3, 1, 1, false)),
        local(5, 0.75),
        local(4, 0.6),
        Op::Dropout { rate: 0.3 },
    ] {
        let name = |what: &str| format!("{op:?}_{what}");
        check(chain(&name("alone"), 9, &[(op.clone(), None)]), Mode::Train, 2);
        let mut builder = Builder::new(Shape::new(5, 5, 4), false).unwrap();
        let x = builder.conv_norm("a", 0, ConvSpec::pointwise(9)).unwrap();
        let x = builder.activation("a", x, crate::space::Activation::Hswish).unwrap();
        let one = builder.push("one", op.clone(), &[x]).unwrap();
        let again = builder.conv("again", x, ConvSpec::depthwise(9, 3, 1)).unwrap();
        let two = builder.push("two", op.clone(), &[x]).unwrap();
        let changed = builder.push("two_act", Op::Prelu, &[two]).unwrap();
        let again = builder.push("again_too", op.clone(), &[again]).unwrap();
        builder.push("all", Op::Concat, &[one, changed, again, one]).unwrap();
        check(builder.finish(name("shared"), 2), Mode::Train, 2);
    }
    for network in [shuffle_unit(2, 8), shuffle_unit(1, 10), inception(1), residual_pool(1)] {
        check(network, Mode::Train, 2);
    }
}

/// Each kind of block, through the block notation.
#[test]
fn blocks() {
    for text in [
        "stem_k3_s1_c6 ir_r2_k3_s1_e2_c6",
        "stem_k3_s2_c6 ir_r1_k3_s1_e1_c5",
        "stem_k3_s1_c6_nhs ir_r1_k5_s2_e3_c8_se0.25_nhs head_c12_g4",
        "stem_k3_s1_c6 ir_r2_k7_s1_h10_c7_nre_project bias",
        "stem_k3_s1_c6 ir_r1_k3_s1_e1_c5_noskip_keep_npr",
        "stem_k3_s1_c6 cse_r2_k3_s2_c6_cap3_rr4",
        "stem_k3_s1_c6 cse_r2_k5_s1_c7_cap3_rr4_nhs_max head_c14_g7",
        "cse_r2_k3_s2_c5_cap3_rr4_lite head_c10_g5",
    ] {
        let mut network = build::network(&notation::parse(text).unwrap(), Shape::new(3, 8, 8), 3).unwrap();
        network.name = text.into();
        check(network, Mode::Train, 3);
    }
}
