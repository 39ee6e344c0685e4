//! Counts of the zoo against the published definitions.

use super::*;
use crate::cost;

fn options(set: &[(&str, &str)], classes: Option<usize>, input: Option<Shape>) -> Options {
    let set = set.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Options { set, classes, input }
}

/// Params and multiply-adds computed from the papers' definitions.
#[test]
fn params_and_madds_are_the_published_networks() {
    let cifar = Some(Shape::new(3, 32, 32));
    let bias = ("conv_bias", "true");
    for (name, options, params, madds) in [
        ("mix", options(&[], None, None), 362_992, Some(81_434_112)),
        ("mix", options(&[], Some(100), None), 478_282, None),
        ("mix_imagenette", options(&[], None, None), 444_208, None),
        ("cse_only", options(&[], None, None), 228_362, None),
        ("optimized", options(&[], None, None), 425_746, None),
        ("optimized", options(&[], Some(100), None), 541_036, None),
        ("mobilenet_v2", options(&[], None, None), 3_504_872, Some(300_774_272)),
        ("mobilenet_v2", options(&[], Some(10), None), 2_236_682, None),
        ("mobilenet_v2", options(&[("stem", "cifar")], Some(10), cifar), 2_236_682, Some(87_976_448)),
        ("mobilenet_v2", options(&[bias], Some(10), None), 2_253_738, None),
        ("mobilenet_v2", options(&[bias], Some(100), None), 2_369_028, None),
    ] {
        let network = network(name, &options).unwrap();
        let cost = cost::of(&network);
        assert_eq!(cost.params, params, "{name} {options:?}");
        if let Some(madds) = madds {
            assert_eq!(cost.madds, madds, "{name} {options:?}");
        }
    }
}

#[test]
fn mistakes_name_what_is_nearest() {
    let bias = [("conv_bia", "true")];
    for (network, set, expected) in [
        ("mixx", &[][..], "did you mean `mix`?"),
        ("mobilenetv2", &[], "did you mean `mobilenet_v2`?"),
        ("/tmp", &[], "(`blocksmith zoo` lists them) nor block notation"),
        (
            "mobilenet_v2",
            &bias,
            "(options: width, conv_bias, stem, projection, shortcut, dropout); did you mean `conv_bias`?",
        ),
        ("mobilenet_v2", &[("stem", "cifr")], "(values: imagenet, cifar); did you mean `cifar`?"),
        ("mix", &bias, "mix has no option `conv_bia` (options: cap_mode)"),
    ] {
        let error = resolve(network, &options(set, None, None)).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(expected), "{error}");
    }
}
