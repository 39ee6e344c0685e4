//! Every op, and every reader of an activation of which something is pending, against PyTorch in f64.

use serde_json::Value as Json;

use super::fixtures::{Fixture, difference, parameter, transposed, unit};
use super::*;
use crate::arch::build::Builder;
use crate::arch::{Elementwise, LayerId, Norm, Op, Shape, Window};

fn size(json: &Json, key: &str) -> usize {
    json[key].as_u64().unwrap() as usize
}

fn number(json: &Json, key: &str) -> f64 {
    json[key].as_f64().unwrap()
}

fn window(layer: &Json) -> Window {
    let [kernel, stride, pad] = ["kernel", "stride", "pad"].map(|key| size(layer, key));
    Window { kernel, stride, pad, ceil: layer["ceil"] == true }
}

/// The op that a layer of a fixture's case describes.
fn op(layer: &Json) -> Op {
    match layer["op"].as_str().unwrap() {
        "conv" => Op::Conv {
            out_channels: size(layer, "out"),
            kernel: size(layer, "kernel"),
            stride: size(layer, "stride"),
            pad: size(layer, "pad"),
            groups: size(layer, "groups"),
            bias: layer["bias"] == true,
        },
        "linear" => Op::Linear { out: size(layer, "out"), bias: layer["bias"] == true },
        "batch_norm" => {
            let Norm { eps, momentum } = Norm::default();
            let or = |key: &str, usual: f64| layer.get(key).map_or(usual, |_| number(layer, key));
            Op::BatchNorm(Norm { eps: or("eps", eps), momentum: or("momentum", momentum) })
        }
        "prelu" => Op::Prelu,
        "relu" => Op::Elementwise(Elementwise::Relu),
        "relu6" => Op::Elementwise(Elementwise::Relu6),
        "hswish" => Op::Elementwise(Elementwise::Hswish),
        "hsigmoid" => Op::Elementwise(Elementwise::Hsigmoid),
        "sigmoid" => Op::Elementwise(Elementwise::Sigmoid),
        "add" => Op::Add,
        "concat" => Op::Concat,
        "slice" => Op::Slice { start: size(layer, "start"), len: size(layer, "len") },
        "shuffle" => Op::Shuffle { groups: size(layer, "groups") },
        "flatten" => Op::Flatten,
        "max_pool" => Op::MaxPool(window(layer)),
        "avg_pool" => Op::AvgPool(window(layer)),
        "local_norm" => Op::LocalResponseNorm {
            size: size(layer, "size"),
            alpha: number(layer, "alpha"),
            beta: number(layer, "beta"),
            k: number(layer, "k"),
        },
        "channel_mean" => Op::ChannelMean,
        "global_avg_pool" => Op::GlobalAvgPool,
        "scale_map" => Op::ScaleMap,
        "scale_channels" => Op::ScaleChannels,
        other => panic!("no op {other}"),
    }
}

fn network(case: &Json) -> Network {
    let side = |i: usize| case["input"][i].as_u64().unwrap() as usize;
    let mut builder = Builder::new(Shape::new(side(0), side(1), side(2)), false).unwrap();
    let mut names = vec!["input".to_string()];
    for layer in case["layers"].as_array().unwrap() {
        let from = |name: &Json| names.iter().position(|known| name == known).unwrap();
        let inputs: Vec<LayerId> = layer["inputs"].as_array().unwrap().iter().map(from).collect();
        let name = layer["name"].as_str().unwrap();
        builder.push(name, op(layer), &inputs).unwrap();
        names.push(name.into());
    }
    builder.finish("case", 2)
}

/// Runs one case; the parts that differ by more than `tolerance`, each with its difference.
fn run<E: Real>(fixture: &Fixture, case: &Json, tolerance: f64) -> Vec<String> {
    let name = case["name"].as_str().unwrap();
    let mut model = model::<E>(network(case));
    for at in 0..model.params.len() {
        let param = &model.params[at];
        let values = parameter(&format!("{name}/{}", param.name), &param.shape);
        model.set_param(at, &narrow(&values)).unwrap();
    }
    let is_training = case["train"] == true;
    for (layer, running) in model.network.layers.iter().zip(&mut model.running) {
        let (Some(running), false) = (running, is_training) else { continue };
        let values = |part: &str| unit(&format!("{name}/{}.{part}", layer.name), layer.output.c);
        running.mean = values("running_mean").iter().map(|u| E::of(u / 4.0)).collect();
        running.variance = values("running_var").iter().map(|u| E::of(1.0 + u / 2.0)).collect();
    }
    let (from, to) = (model.network.input(), model.network.layers.last().unwrap().output);
    let images = size(case, "images");
    let given: Vec<f64> =
        unit(&format!("{name}/input"), images * from.len()).iter().map(|u| 2.0 * u).collect();
    let upstream = unit(&format!("{name}/upstream"), images * to.len());
    let nhwc = |values: &[f64], shape: Shape| transposed(values, shape.c, shape.h * shape.w);
    let nchw = |values: &[E], shape: Shape| transposed(&wide(values), shape.h * shape.w, shape.c);
    let mode = if is_training { Mode::Train } else { Mode::Evaluate };
    let (given, upstream) = (narrow(&nhwc(&given, from)), narrow(&nhwc(&upstream, to)));
    let folded = (!is_training).then(|| model.logits(&given));
    let pass = pass(&mut model, mode, &given, &upstream);

    let mut wrong = Vec::new();
    let mut check = |part: &str, ours: &[f64]| {
        let difference = difference(ours, fixture.values(&format!("{name}/{part}")));
        if difference.is_nan() || difference > tolerance {
            wrong.push(format!("{name}/{part}: {difference:.1e}"));
        }
    };
    check("output", &nchw(&pass.output, to));
    if let Some(folded) = folded {
        check("output", &nchw(&folded, to));
    }
    check("grad/input", &nchw(&pass.input_grad, from));
    for (param, gradient) in model.params.iter().zip(&pass.param_grads) {
        check(&format!("grad/{}", param.name), &wide(gradient));
    }
    for (layer, running) in model.network.layers.iter().zip(&model.running) {
        if let (Some(running), true) = (running, is_training) {
            check(&format!("{}.running_mean", layer.name), &wide(&running.mean));
            check(&format!("{}.running_var", layer.name), &wide(&running.variance));
        }
    }
    // An input whose gradient nobody needs, as images are, must leave the parameters theirs, and get none.
    let images = model.input(Buf::copy_of(&given));
    let without = pass_from(&mut model, mode, images, &upstream);
    if without.param_grads != pass.param_grads {
        wrong.push(format!("{name}: gradients of parameters depend on whether the input needs its own"));
    }
    if !without.input_grad.is_empty() {
        wrong.push(format!("{name}: an input that needs no gradient gets one"));
    }
    wrong
}

fn all<E: Real>(tolerance: f64) {
    let fixture = Fixture::read("ops");
    assert!(fixture.cases.len() > 120, "{} cases", fixture.cases.len());
    let wrong: Vec<_> = fixture.cases.iter().flat_map(|case| run::<E>(&fixture, case, tolerance)).collect();
    assert!(wrong.is_empty(), "{} differ from PyTorch:\n{}", wrong.len(), wrong.join("\n"));
}

/// f64: what differs is the order of summation.
#[test]
fn ops_are_pytorchs_in_double_precision() {
    all::<f64>(1e-12);
}

/// f32: rounding, most where batch norm takes away most of a gradient.
#[test]
fn ops_are_pytorchs_in_single_precision() {
    all::<f32>(1e-4);
}
