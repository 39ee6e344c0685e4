//! The networks that are exported for ONNX Runtime and torchvision, with weights by formula.

use std::collections::BTreeMap;
use std::sync::Arc;

use blocksmith::arch::{Network, Shape, zoo};
use blocksmith::engine::weights::{Part, slots};
use blocksmith::engine::{Model, Workers};

use crate::engine_networks;
use crate::fixtures::{parameter, transposed, unit};

/// Images of each case.
pub const IMAGES: usize = 2;

/// A network to export.
pub struct Case {
    /// Of its files and its numbers.
    pub name: &'static str,
    pub network: Network,
    pub fold: bool,
}

/// All cases: every op there is, and the published networks that are not too large to compute here.
pub fn cases() -> Vec<Case> {
    let zoo = |name, text: &str, set: &[(&str, &str)], side, fold| {
        let set: BTreeMap<_, _> = set.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let options = zoo::Options { set, classes: Some(10), input: Some(Shape::new(3, side, side)) };
        Case { name, network: zoo::as_written(text, &options).unwrap().network, fold }
    };
    let built = |name, network, fold| Case { name, network, fold };
    let varied = "stem_s2_c8_nhs ir_s2_e2_c12_se0.25_nhs ir_s1_e3_c12_nre cse_s2_c16_cap4_rr4 bias";
    vec![
        zoo("mix", "mix", &[], 32, false),
        zoo("mix_folded", "mix", &[], 32, true),
        zoo("varied", varied, &[], 32, false),
        zoo("varied_folded", varied, &[], 32, true),
        zoo("mobilenet_v1", "mobilenet_v1", &[("width", "0.25")], 96, false),
        zoo("mobilenet_v2", "mobilenet_v2", &[("width", "0.25")], 96, false),
        zoo("mobilenet_v3_large", "mobilenet_v3_large", &[("width", "0.5")], 64, false),
        zoo("mobilenet_v3_small", "mobilenet_v3_small", &[("width", "0.5")], 64, false),
        zoo("mobilenet_v3_small_folded", "mobilenet_v3_small", &[("width", "0.5")], 64, true),
        zoo("shufflenet_v1", "shufflenet_v1", &[("width", "0.5"), ("groups", "3")], 64, false),
        zoo("shufflenet_v2", "shufflenet_v2", &[("width", "0.5")], 64, false),
        zoo("shufflenet_v2_folded", "shufflenet_v2", &[("width", "0.5")], 64, true),
        zoo("squeezenet", "squeezenet", &[], 64, false),
        built("shuffle_unit", engine_networks::shuffle_unit(1, 12), false),
        built("shuffle_unit_halving", engine_networks::shuffle_unit(2, 12), true),
        built("inception", engine_networks::inception(1), false),
        built("residual_pool", engine_networks::residual_pool(1), true),
    ]
}

/// The model of a case: parameters and running statistics by formula. Variances are about a half: by larger ones a deep network
/// without shortcuts loses its images, by smaller ones it explodes.
pub fn model(case: &Case) -> Model<f32> {
    let workers = Arc::new(Workers::new(1).unwrap());
    let mut model = Model::<f32>::new(case.network.clone(), [1; 32], workers);
    for slot in slots(&case.network) {
        let name = format!("{}/{}", case.name, slot.name(&case.network));
        let values: Vec<f64> = match slot.part {
            Part::RunningMean => unit(&name, slot.shape[0]).into_iter().map(|u| u / 4.0).collect(),
            Part::RunningVariance => unit(&name, slot.shape[0]).into_iter().map(|u| 0.5 + u / 4.0).collect(),
            _ => parameter(&name, &slot.shape),
        };
        model.set_values(&slot, values.into_iter().map(|v| v as f32).collect()).unwrap();
    }
    if case.fold { blocksmith::export::fold::model(&model).unwrap() } else { model }
}

/// The images of a case, NHWC.
pub fn images(case: &Case) -> Vec<f32> {
    let Shape { c, h, w } = case.network.input();
    let values = unit(&format!("{}/images", case.name), IMAGES * c * h * w);
    transposed(&values, c, h * w).into_iter().map(|u| (2.0 * u) as f32).collect()
}
