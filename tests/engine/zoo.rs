//! Published networks against torchvision's, and candidates of a search space against PyTorch:
//! `tests/fixtures/make_zoo_fixtures.py` made the numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fixtures::{Fixture, difference, labels, parameter, transposed, unit};
use blocksmith::arch::{Network, Shape, zoo};
use blocksmith::engine::grad::Grads;
use blocksmith::engine::{Batch, Model, Real, Workers, weights};
use blocksmith::export::Naming;
use serde_json::Value as Json;

fn size(case: &Json, key: &str) -> usize {
    case[key].as_u64().unwrap() as usize
}

fn name(case: &Json) -> &str {
    case["name"].as_str().unwrap()
}

fn network(case: &Json) -> Network {
    let set = case["set"].as_object().into_iter().flatten();
    let mut set: BTreeMap<_, _> = set.map(|(k, v)| (k.clone(), v.as_str().unwrap().to_string())).collect();
    if case["notation"].is_null() && !["shufflenet_v2", "mobilenet_v2"].contains(&name(case)) {
        set.insert("dropout".into(), "0".into());
    }
    let side = size(case, "side");
    let input = Some(Shape::new(3, side, side));
    let classes = Some(size(case, "classes"));
    let text = case["notation"].as_str().unwrap_or(name(case));
    zoo::as_written(text, &zoo::Options { set, classes, input }).unwrap().network
}

/// PyTorch's name and shape of every parameter, in the order of ours.
fn parameters<E: Real>(case: &Json, model: &Model<E>) -> Vec<(String, Vec<usize>)> {
    let theirs: Vec<(String, Vec<usize>)> = serde_json::from_value(case["params"].clone()).unwrap();
    assert_eq!(theirs.len(), model.params.len(), "{}", name(case));
    let names: Vec<String> = match (case["notation"].as_str(), name(case)) {
        (Some(_), _) => model.params.iter().map(|param| param.name.clone()).collect(),
        // These have one way through, and layers in the order of torchvision's.
        (None, "vgg16" | "alexnet" | "squeezenet") => theirs.iter().map(|(name, _)| name.clone()).collect(),
        _ => torchvision_names(model),
    };
    let shapes: BTreeMap<String, Vec<usize>> = theirs.into_iter().collect();
    let find = |name: String| {
        let shape = shapes.get(&name).unwrap_or_else(|| panic!("PyTorch has no {name}"));
        (name, shape.clone())
    };
    names.into_iter().map(find).collect()
}

/// The names that our weights get when they are exported for torchvision, statistics left out.
fn torchvision_names<E: Real>(model: &Model<E>) -> Vec<String> {
    let slots = weights::slots(&model.network);
    let entries = Naming::Torchvision.entries(&model.network, &slots).unwrap();
    let learned = |part| matches!(part, weights::Part::Weight | weights::Part::Bias);
    slots.iter().zip(entries).filter(|(slot, _)| learned(slot.part)).map(|(_, entry)| entry.name).collect()
}

/// A parameter's values by the formula; what has one dimension and is no bias is a norm's, or a PReLU's slope.
fn values(case: &Json, name_of: &str, shape: &[usize]) -> Vec<f64> {
    let full = format!("{}/{name_of}", name(case));
    match shape {
        [count] if name_of.ends_with("weight") => {
            let value = |u: f64| if *count > 1 { 1.0 + u / 4.0 } else { 0.25 + u / 8.0 };
            unit(&full, *count).into_iter().map(|u| f64::from(value(u) as f32)).collect()
        }
        _ => parameter(&full, shape),
    }
}

fn model<E: Real>(case: &Json) -> (Model<E>, Vec<(String, Vec<usize>)>) {
    let mut model = Model::<E>::new(network(case), [1; 32], Arc::new(Workers::new(1).unwrap()));
    let parameters = parameters(case, &model);
    for (at, (name_of, shape)) in parameters.iter().enumerate() {
        let count = |shape: &[usize]| shape.iter().product::<usize>();
        assert_eq!(count(shape), count(&model.params[at].shape), "{name_of}");
        let values: Vec<E> = values(case, name_of, shape).into_iter().map(E::of).collect();
        model.set_param(at, &values).unwrap();
    }
    (model, parameters)
}

/// Loss, gradients and logits of one batch.
struct Step {
    loss: f64,
    /// With the batch's statistics.
    trained: Vec<f64>,
    gradients: Vec<Vec<f64>>,
    evaluated: Vec<f64>,
}

fn step<E: Real>(model: &mut Model<E>, case: &Json, at: usize) -> Step {
    let base = format!("{}/step{at}", name(case));
    let (images, side) = (size(case, "images"), size(case, "side"));
    let pixels = unit(&format!("{base}/images"), images * 3 * side * side);
    let pixels: Vec<E> = transposed(&pixels, 3, side * side).into_iter().map(|u| E::of(2.0 * u)).collect();
    let labels = labels(&format!("{base}/labels"), images, size(case, "classes"));
    let wide = |logits: Vec<E>| -> Vec<f64> { logits.iter().map(|l| l.wide()).collect() };
    let trained = wide(model.training_logits(&pixels));
    let (outcome, mut grads): (_, Grads<E>) =
        model.gradients(Batch { images: &pixels, labels: &labels }, 0.0);
    let mut gradient = |param: &blocksmith::engine::model::Param<E>| -> Vec<f64> {
        grads.get_or_alloc_mut(&param.tensor).unwrap().iter().map(|g| g.wide()).collect()
    };
    let gradients = model.params.iter().map(&mut gradient).collect();
    let evaluated = wide(model.logits(&pixels));
    Step { loss: outcome.loss, trained, gradients, evaluated }
}

/// Squared relative L2 error.
fn squared_error<'a>(ours: impl Iterator<Item = &'a f64>, exact: &[f64]) -> f64 {
    let error: f64 = ours.zip(exact).map(|(a, b)| (a - b).powi(2)).sum();
    error / exact.iter().map(|b| b * b).sum::<f64>()
}

/// In f64: loss, evaluation logits and every gradient are PyTorch's.
fn agrees_in_f64(case: &Json, fixture: &Fixture) {
    let name = name(case);
    let stored = |what: &str| fixture.values(&format!("{name}/{what}"));
    let (mut exact, parameters) = model::<f64>(case);
    let first = step(&mut exact, case, 0);
    let loss = stored("loss")[0];
    assert!((first.loss / loss - 1.0).abs() < 1e-9, "{name}: loss {}, PyTorch's {loss}", first.loss);
    for (mode, ours, theirs) in
        [("training", &first.trained, stored("logits")), ("evaluation", &first.evaluated, stored("eval"))]
    {
        let error = difference(ours, theirs);
        assert!(error < 1e-9, "{name}: logits in {mode} mode differ by {error:.1e}");
    }
    let order: Vec<String> = serde_json::from_value::<Vec<(String, Vec<usize>)>>(case["params"].clone())
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let digests: BTreeMap<_, _> = order.iter().zip(stored("gradients").chunks_exact(2)).collect();
    let total = digests.values().map(|digest| digest[0].powi(2)).sum::<f64>().sqrt();
    for ((part, _), gradient) in parameters.iter().zip(&first.gradients) {
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        let probe = unit(&format!("digest/{part}"), gradient.len());
        let product: f64 = gradient.iter().zip(&probe).map(|(g, p)| g * p).sum();
        let digest = digests[part];
        let scale = digest[0].max(1e-3 * total);
        let error = (norm - digest[0]).abs().max((product - digest[1]).abs()) / scale;
        assert!(error < 1e-8, "{name}: the gradient of {part} differs by {error:.1e}");
    }
}

/// In f32: logits to 1e-4; squared relative errors of gradients and of evaluation logits, mean over the case's batches.
fn errors_in_f32(case: &Json) -> (f64, f64) {
    let name = name(case);
    let (mut of_gradients, mut of_logits) = (0.0, 0.0);
    let batches = size(case, "batches");
    for at in 0..batches {
        let (ours, exact) =
            (step(&mut model::<f32>(case).0, case, at), step(&mut model::<f64>(case).0, case, at));
        let flat: Vec<f64> = exact.gradients.concat();
        of_gradients += squared_error(ours.gradients.iter().flatten(), &flat) / batches as f64;
        of_logits += squared_error(ours.evaluated.iter(), &exact.evaluated) / batches as f64;
        for (ours, exact) in [(&ours.trained, &exact.trained), (&ours.evaluated, &exact.evaluated)] {
            let largest = difference(ours, exact);
            assert!(largest < 1e-4, "{name}: logits in f32 differ by {largest:.1e}");
        }
        let loss = (ours.loss / exact.loss - 1.0).abs();
        assert!(loss < 1e-4, "{name}: loss in f32 differs by {loss:.1e}");
    }
    println!(
        "{name}: gradients {:.1e} (PyTorch {}), logits {:.1e} (PyTorch {})",
        of_gradients.sqrt(),
        case["f32_gradient_error"],
        of_logits.sqrt(),
        case["f32_logits_error"]
    );
    (of_gradients, of_logits)
}

/// Both, over all cases together: gradients and logits in f32 are no further from f64 than three times PyTorch's. In one case of
/// few batches an activation may cross a kink that it does not cross in PyTorch, or the other way round.
fn agree_with_pytorch(cases: &[&Json], fixture: &Fixture) {
    let (mut ours, mut theirs) = ([0.0; 2], [0.0; 2]);
    for case in cases {
        agrees_in_f64(case, fixture);
        let (gradients, logits) = errors_in_f32(case);
        ours = [ours[0] + gradients, ours[1] + logits];
        for (sum, key) in theirs.iter_mut().zip(["f32_gradient_error", "f32_logits_error"]) {
            *sum += case[key].as_f64().unwrap().powi(2);
        }
    }
    for ((ours, theirs), what) in ours.into_iter().zip(theirs).zip(["gradients", "logits"]) {
        let (ours, theirs) = (ours.sqrt(), theirs.sqrt());
        assert!(ours <= 3.0 * theirs, "{what} off by {ours:.1e}, PyTorch's by {theirs:.1e}");
    }
}

fn check(which: &str) {
    let fixture = Fixture::read("zoo");
    let case = fixture.cases.iter().find(|case| name(case) == which).unwrap();
    agree_with_pytorch(&[case], &fixture);
}

#[test]
fn mobilenet_v2_is_torchvisions() {
    check("mobilenet_v2");
}

#[test]
fn mobilenet_v3_large_is_torchvisions() {
    check("mobilenet_v3_large");
}

#[test]
fn mobilenet_v3_small_is_torchvisions() {
    check("mobilenet_v3_small");
}

#[test]
fn shufflenet_v2_is_torchvisions() {
    check("shufflenet_v2");
}

#[test]
fn squeezenet_is_torchvisions() {
    check("squeezenet");
}

#[test]
fn vgg16_is_torchvisions() {
    check("vgg16");
}

#[test]
fn alexnet_is_torchvisions() {
    check("alexnet");
}

/// Candidates of search-spaces/mix-cifar10.yaml, drawn once.
#[test]
fn random_candidates_are_pytorchs() {
    let fixture = Fixture::read("zoo");
    let candidates: Vec<_> = fixture.cases.iter().filter(|case| !case["notation"].is_null()).collect();
    assert_eq!(candidates.len(), 24);
    agree_with_pytorch(&candidates, &fixture);
}
