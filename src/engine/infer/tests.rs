//! Folded inference against the layers' definitions, spelled out in f64.

mod definition;

use std::sync::Arc;

use super::*;
use crate::arch::build::{self, Builder, ConvSpec};
use crate::arch::{Elementwise, Network, Norm, Op, Shape, Window, zoo};
use crate::engine::grad;
use crate::engine::model::networks::{inception, residual_pool, shuffle_unit};
use crate::engine::simd::Isa;
use crate::space::notation;
use definition::by_definition;

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

/// Kernels larger than their map, down to a map of one pixel: only the padding makes room for them. With kernels of their
/// own and without, strides that leave one pixel, channels within a vector and beyond one.
#[test]
fn kernels_larger_than_their_map() {
    for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2), (7, 1), (7, 2), (7, 3), (7, 4), (9, 1)] {
        for (h, w) in [(1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (1, 6), (4, 3)] {
            for channels in [5, 18] {
                let input = Shape::new(channels, h, w);
                let relu = Op::Elementwise(Elementwise::Relu);
                let name = |what| format!("{what} k{kernel} s{stride} on {input}");
                let depthwise = conv(ConvSpec::depthwise(channels, kernel, stride), true);
                check(&alone(&name("depthwise"), input, std::slice::from_ref(&depthwise)));
                let full = conv(ConvSpec::full(7, kernel, stride), false);
                let layers =
                    [relu, full, Op::BatchNorm(Norm::default()), Op::Elementwise(Elementwise::Hswish)];
                check(&alone(&name("full"), input, &layers));
            }
        }
    }
    let grouped = ConvSpec { groups: 2, ..ConvSpec::full(8, 5, 1) };
    check(&alone("grouped 5x5 on 2x1", Shape::new(6, 2, 1), &[conv(grouped, true)]));
    for (kernel, stride, pad, ceil) in [(3, 1, 1, false), (3, 2, 1, true), (5, 1, 2, false), (5, 2, 2, true)]
    {
        let window = Window { kernel, stride, pad, ceil };
        for op in [Op::MaxPool(window), Op::AvgPool(window)] {
            for (h, w) in [(1, 1), (1, 2), (3, 1)] {
                check(&alone(&format!("{op:?}"), Shape::new(5, h, w), std::slice::from_ref(&op)));
            }
        }
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
    for mut network in [shuffle_unit(2, 8), shuffle_unit(1, 10), inception(1), residual_pool(1)] {
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
