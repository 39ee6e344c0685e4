//! The named networks against the counts of their original definitions, and their options against mistakes.

use super::published::{Agreement, TABLE, agreement};
use super::*;
use crate::arch::network::{Layer, Norm, Op};
use crate::cost::{self, Cost, Profile};

fn options(set: &[(&str, &str)], classes: Option<usize>, input: Option<Shape>) -> Options {
    let set = set.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Options { set, classes, input }
}

/// The network of a name with options in it, such as `mobilenet_v2 stem=cifar`, for images of one size.
fn named(text: &str, side: usize, classes: usize) -> Network {
    let options = options(&[], Some(classes), Some(Shape::new(3, side, side)));
    network(text, &options).unwrap_or_else(|error| panic!("{error}"))
}

fn layer<'a>(network: &'a Network, name: &str) -> Option<&'a Layer> {
    network.layers.iter().find(|layer| layer.name == name)
}

/// Params, and multiply-adds in millions to one place or in full, computed from the papers' definitions.
#[test]
fn params_and_madds_are_the_published_networks() {
    for (name, side, classes, params, madds) in [
        ("mobilenet_v1", 224, 1000, 4_231_976, "568.7"),
        ("mobilenet_v1", 192, 1000, 4_231_976, "418.1"),
        ("mobilenet_v1", 160, 1000, 4_231_976, "290.7"),
        ("mobilenet_v1", 128, 1000, 4_231_976, "186.4"),
        ("mobilenet_v1 width=0.75", 224, 1000, 2_585_560, "325.4"),
        ("mobilenet_v1 width=0.5", 224, 1000, 1_331_592, "149.5"),
        ("mobilenet_v1 width=0.25", 224, 1000, 470_072, "41.0"),
        ("mobilenet_v1 width=0.5", 160, 1000, 1_331_592, "76.5"),
        ("mobilenet_v1 variant=full", 224, 1000, 29_294_088, "4867.3"),
        ("mobilenet_v1 variant=shallow", 224, 1000, 2_887_976, "307.3"),
        ("mobilenet_v2", 224, 1000, 3_504_872, "300.8"),
        ("mobilenet_v2", 224, 10, 2_236_682, "299.5"),
        ("mobilenet_v2 stem=cifar", 32, 10, 2_236_682, "87.976448"),
        ("mobilenet_v2 stem=cifar width=0.5", 32, 10, 700_490, "28.0"),
        ("mobilenet_v2 conv_bias=true", 224, 10, 2_253_738, ""),
        ("mobilenet_v2 conv_bias=true", 224, 100, 2_369_028, ""),
        ("mobilenet_v3_large", 224, 1000, 5_483_032, "216.6"),
        ("mobilenet_v3_small", 224, 1000, 2_542_856, "56.5"),
        ("mobilenet_v3_large variant=book", 224, 1000, 5_476_416, "219.8"),
        ("mobilenet_v3_small variant=book", 224, 1000, 2_938_368, "60.1"),
        ("mobilenet_v3_small stem=cifar", 32, 10, 1_528_106, "17.5"),
        // timm 1.0.31's and torchvision's, the multiply-adds to the last one. Those of timm at 0.35, and of Large at 0.5, which
        // it does not name, were counted in Python from the same definition.
        ("mobilenet_v3_small variant=paper", 224, 1000, 2_542_856, "56.510400"),
        ("mobilenet_v3_large variant=paper", 224, 1000, 5_483_032, "216.589760"),
        ("mobilenet_v3_small variant=paper width=0.75", 224, 1000, 2_041_872, "43.399344"),
        ("mobilenet_v3_small variant=paper width=0.5", 224, 1000, 1_593_224, "24.188688"),
        ("mobilenet_v3_small variant=paper width=0.35", 224, 1000, 1_358_808, "15.951968"),
        ("mobilenet_v3_large variant=paper width=0.75", 224, 1000, 3_993_528, "154.560624"),
        ("mobilenet_v3_large variant=paper width=0.5", 224, 1000, 2_689_904, "73.663088"),
        ("mobilenet_v3_large variant=paper width=0.35", 224, 1000, 2_132_216, "43.887824"),
        ("mobilenet_v3_small width=0.75", 224, 1000, 1_653_920, "39.115576"),
        ("mobilenet_v3_small width=0.5", 224, 1000, 917_264, "18.970736"),
        ("mobilenet_v3_small width=0.35", 224, 1000, 558_744, "11.238936"),
        ("mobilenet_v3_large width=0.75", 224, 1000, 3_377_576, "140.033816"),
        ("mobilenet_v3_large width=0.5", 224, 1000, 1_734_576, "64.962192"),
        ("mobilenet_v3_large width=0.35", 224, 1000, 997_064, "35.278408"),
        ("mobilenet_v3_small stem=cifar width=0.35", 32, 10, 201_354, "2.976144"),
        ("mobilenet_v3_small variant=paper stem=cifar width=0.35", 32, 10, 344_058, "3.732224"),
        ("shufflenet_v1 groups=1", 224, 1000, 1_531_936, "143.1"),
        ("shufflenet_v1 groups=2", 224, 1000, 1_733_848, "140.8"),
        ("shufflenet_v1 groups=3", 224, 1000, 1_865_728, "137.5"),
        ("shufflenet_v1 groups=4", 224, 1000, 1_968_344, "134.3"),
        ("shufflenet_v1 groups=8", 224, 1000, 2_434_768, "138.4"),
        ("shufflenet_v2 width=0.5", 224, 1000, 1_366_792, "40.5"),
        ("shufflenet_v2", 224, 1000, 2_278_604, "144.9"),
        ("shufflenet_v2 width=1.5", 224, 1000, 3_503_624, "295.8"),
        ("shufflenet_v2 width=2", 224, 1000, 7_393_996, "583.3"),
        ("shufflenet_v2 stem=cifar width=0.5", 32, 10, 352_042, "10.9"),
        ("shufflenet_v2 stem=cifar", 32, 10, 1_263_854, "45.0"),
        ("vgg16", 224, 1000, 138_357_544, "15470.3"),
        ("googlenet", 224, 1000, 6_998_552, "1582.7"),
        ("alexnet", 224, 1000, 61_100_840, "714.2"),
        ("squeezenet", 224, 1000, 1_248_424, "818.9"),
        ("mix", 32, 10, 362_992, "81.434112"),
        ("mix", 32, 100, 478_282, ""),
        ("mix_imagenette", 224, 10, 444_208, ""),
        ("cse_only", 32, 10, 228_362, ""),
        ("optimized", 32, 10, 425_746, ""),
        ("optimized", 32, 100, 541_036, ""),
    ] {
        let cost = cost::of(&named(name, side, classes));
        assert_eq!(cost.params, params, "{name} at {side}, {classes} classes");
        let decimals = madds.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let counted = format!("{:.decimals$}", cost.madds as f64 / 1e6);
        assert!(madds.is_empty() || counted == madds, "{name} at {side}: {counted}, not {madds}");
    }
}

/// Params of the Mix model's stages, computed from the CSE paper's definition.
#[test]
fn the_mix_model_has_its_params_where_they_belong() {
    let blocks = Profile::of(&named("mix", 32, 10)).blocks();
    let params = |of: &str| -> u64 {
        let inside =
            |name: &str| name == of || name.strip_prefix(of).is_some_and(|rest| rest.starts_with('.'));
        blocks.iter().filter(|block| inside(&block.name)).map(|block| block.params).sum()
    };
    let counted = [
        "stem",
        "stages.0",
        "stages.1",
        "stages.2",
        "stages.3",
        "stages.4",
        "stages.5",
        "stages.6",
        "head",
        "classifier",
    ]
    .map(params);
    assert_eq!(counted, [928, 2_528, 14_400, 40_528, 48_776, 40_166, 90_022, 108_994, 3_840, 12_810]);
}

/// m = max(8, side * side / 16) as the text reads: 16 at 16x16 and more before, so more params than printed.
#[test]
fn the_cap_read_as_a_floor_costs_more() {
    let floor = cost::of(&named("mix cap_mode=max", 32, 10)).params;
    // Squeezed widths 64, 16, 4 -> 8, .. in place of 8, at 2 * side^2 params for each: 4 blocks at 32, 16 and so on.
    let pixels = |side: u64| side * side;
    let wider = |side: u64, blocks: u64| {
        let (cap, reduced) = (8, pixels(side) / 16);
        blocks * 2 * pixels(side) * (reduced.max(cap) - reduced.min(cap))
    };
    // The stage's first block works before its stride: maps of 32, 16 x 3; 16, 8 x 2; 8 x 3; 8.
    assert_eq!(floor, 362_992 + wider(32, 1) + wider(16, 4) + wider(8, 6));
}

#[test]
fn every_line_of_the_table_counts_and_each_mismatch_has_its_reason() {
    for line in TABLE {
        let cost: Cost = cost::of(&network(line.network, &line.options()).unwrap());
        for (printed, count) in [(line.params, cost.params), (line.madds, cost.madds)] {
            let differs = printed.is_some_and(|printed| agreement(printed, count) == Agreement::Differs);
            assert!(!differs || line.note.is_some(), "{} has {count}, printed {printed:?}", line.network);
        }
    }
    let networks =
        ENTRIES.iter().filter(|entry| !TABLE.iter().any(|line| line.network.starts_with(entry.name)));
    assert_eq!(networks.map(|entry| entry.name).collect::<Vec<_>>(), [""; 0]);
}

/// With its classifier left out, each of these agrees with what is printed.
#[test]
fn reasons_that_can_be_counted_are_true() {
    for line in TABLE
        .iter()
        .filter(|line| line.note.is_some_and(|note| note.starts_with("the classifier is left out")))
    {
        let profile = Profile::of(&network(line.network, &line.options()).unwrap());
        let classifier = profile.layers.last().unwrap().madds;
        let agreement = agreement(line.madds.unwrap(), profile.madds - classifier);
        assert_eq!(agreement, Agreement::Rounded, "{}", line.network);
    }
    let norms = |name: &str| {
        let layers = Profile::of(&named(name, 224, 1000)).layers;
        layers.iter().filter(|layer| layer.op == "batch norm").map(|layer| layer.params).sum::<u64>()
    };
    let params = |name: &str| cost::of(&named(name, 224, 1000)).params;
    assert_eq!(params("mobilenet_v1") + norms("mobilenet_v1"), 4_253_864);
    assert_eq!(params("mobilenet_v1 width=0.5") - norms("mobilenet_v1 width=0.5"), 1_320_648);
    assert_eq!(params("mobilenet_v2") - norms("mobilenet_v2"), 3_470_760);
    let madds = |name: &str, side| format!("{:.1}", cost::of(&named(name, side, 1000)).madds as f64 / 1e6);
    assert_eq!(madds("mobilenet_v3_large variant=book", 224), "219.8");
    assert_eq!(madds("squeezenet", 227), "832.7");
}

#[test]
fn printed_figures_agree_as_they_are_printed() {
    assert_eq!(agreement("4.2", 4_231_976), Agreement::Rounded);
    assert_eq!(agreement("290", 290_700_000), Agreement::CutOff);
    assert_eq!(agreement("3.4", 3_504_872), Agreement::Differs);
    assert_eq!(agreement("0.50", 499_999), Agreement::Rounded);
}

/// Ten shortcuts either way: (24, 2), (32, 3), (64, 4), (96, 3), (160, 3) blocks add one to the next; their expansions
/// add the last block of each of these stages to the next stage's first too, but the first has no expansion to come from.
#[test]
fn mobilenet_v2_has_the_shortcuts_of_its_ablation() {
    let adds = |text: &str, part: &str| {
        let layers = named(text, 224, 1000).layers;
        layers.iter().filter(|layer| layer.op == Op::Add && layer.name.ends_with(part)).count()
    };
    assert_eq!((adds("mobilenet_v2", ".add"), adds("mobilenet_v2", "")), (10, 10));
    let expansion = "mobilenet_v2 shortcut=expansion";
    assert_eq!((adds(expansion, ".expand_add"), adds(expansion, "")), (10, 10));
    assert_eq!(adds("mobilenet_v2 shortcut=none", ""), 0);
    let between = named(expansion, 224, 1000);
    let add = layer(&between, "stages.2.0.expand_add").unwrap();
    let from = add.inputs.iter().map(|&id| between.layers[id].name.as_str()).collect::<Vec<_>>();
    assert_eq!(from, ["stages.2.0.expand_norm", "stages.1.1.expand_act"]);
    let active = named("mobilenet_v2 projection=relu6", 224, 1000);
    assert!(layer(&active, "stages.6.0.project_act").is_some());
    for variant in [expansion, "mobilenet_v2 shortcut=none", "mobilenet_v2 projection=relu6"] {
        assert_eq!(cost::of(&named(variant, 224, 1000)).params, 3_504_872);
    }
}

/// torchvision's constants; the book's listing has PyTorch's defaults, and its gate before the activation.
#[test]
fn mobilenet_v3_is_torchvisions_or_the_listings() {
    let norm = |network: &Network| match layer(network, "stem_norm").map(|layer| &layer.op) {
        Some(Op::BatchNorm(norm)) => *norm,
        other => panic!("{other:?}"),
    };
    let torchvision = named("mobilenet_v3_small", 224, 1000);
    assert_eq!(norm(&torchvision), Norm { eps: 0.001, momentum: 0.01 });
    assert_eq!(layer(&torchvision, "dropout").unwrap().op, Op::Dropout { rate: 0.2 });
    assert!(layer(&torchvision, "stages.0.0.expand").is_none());
    assert!(layer(&named("mobilenet_v3_small dropout=0", 224, 1000), "dropout").is_none());
    let book = named("mobilenet_v3_small variant=book", 224, 1000);
    assert_eq!(norm(&book), Norm::default());
    assert!(layer(&book, "stages.0.0.expand").is_some());
    let act = layer(&book, "stages.0.0.depthwise_act").unwrap();
    assert_eq!(book.layers[act.inputs[0]].name, "stages.0.0.se.scale");
    let scale = layer(&torchvision, "stages.0.0.se.scale").unwrap();
    assert_eq!(torchvision.layers[scale.inputs[0]].name, "stages.0.0.depthwise_act");
}

/// Number and sum of sizes of the learned tensors of torchvision 0.29's models (`len(list(m.parameters()))`).
#[test]
fn tensors_are_as_many_as_torchvisions() {
    for (name, tensors) in TORCHVISION {
        let network = named(name, 224, 1000);
        let count: usize = network
            .layers
            .iter()
            .map(|layer| match layer.op {
                Op::Conv { bias, .. } | Op::Linear { bias, .. } => 1 + usize::from(bias),
                Op::BatchNorm(_) => 2,
                _ => 0,
            })
            .sum();
        assert_eq!(count, tensors, "{name}");
    }
}

const TORCHVISION: [(&str, usize); 10] = [
    ("mobilenet_v2", 158),
    ("mobilenet_v3_large", 174),
    ("mobilenet_v3_small", 142),
    ("shufflenet_v2 width=0.5", 170),
    ("shufflenet_v2", 170),
    ("shufflenet_v2 width=1.5", 170),
    ("shufflenet_v2 width=2", 170),
    ("vgg16", 32),
    ("alexnet", 16),
    ("squeezenet", 52),
];

#[test]
fn published_small_widths_of_shufflenet_v1_can_be_built() {
    for groups in [1, 2, 3, 4, 8] {
        for width in ["0.25", "0.5", "1.5", "2"] {
            named(&format!("shufflenet_v1 groups={groups} width={width}"), 224, 1000);
        }
    }
}

#[test]
fn mistakes_name_what_is_nearest() {
    let bias = [("conv_bia", "true")];
    for (network, set, expected) in [
        ("mixx", &[][..], "did you mean `mix`?"),
        ("mobilenetv2", &[], "did you mean `mobilenet_v2`?"),
        ("shuflenet_v1", &[], "did you mean `shufflenet_v1`?"),
        ("/tmp", &[], "(`blocksmith zoo` lists them) nor block notation"),
        (
            "mobilenet_v2",
            &bias,
            "(options: width, conv_bias, stem, projection, shortcut, dropout); did you mean `conv_bias`?",
        ),
        ("mobilenet_v2", &[("stem", "cifr")], "(values: imagenet, cifar); did you mean `cifar`?"),
        (
            "mobilenet_v3_large",
            &[("variant", "bok")],
            "(values: torchvision, paper, book); did you mean `book`?",
        ),
        ("optimized", &bias, "optimized has no options, so no `conv_bia` either; take it away"),
        ("mobilenet_v1", &[("width", "0")], "width cannot be `0`; it is a number from 0.05 to 4"),
        ("mobilenet_v1", &[("width", "NaN")], "width cannot be `NaN`; it is a number from 0.05 to 4"),
        ("mobilenet_v1", &[("width", "wide")], "width cannot be `wide`; it is a number from 0.05 to 4"),
        ("shufflenet_v1", &[("groups", "5")], "groups cannot be `5` (values: 1, 2, 3, 4, 8)"),
        ("shufflenet_v2", &[("width", "0.75")], "width cannot be `0.75` (values: 0.5, 1, 1.5, 2)"),
        ("shufflenet_v1", &[("width", "0.05")], "width 0.05 leaves 12 channels in the first stage"),
        ("mobilenet_v1", &[("width", "75")], "from 0.05 to 4; for 75 % write 0.75"),
        ("vgg16", &[("dropout", "20%")], "from 0 to 0.95; for 20 % write 0.2"),
        ("shufflenet_v2", &[("width", "50")], "(values: 0.5, 1, 1.5, 2); for 50 % write 0.5"),
        ("vgg16", &[("dropout", "1")], "dropout cannot be `1`; it is a number from 0 to 0.95"),
        ("vgg16 dropout", &[], "`dropout` is no option; write KEY=VALUE"),
    ] {
        let error = resolve(network, &options(set, None, None)).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// One network has one text, which says what differs from the defaults.
#[test]
fn texts_name_the_network() {
    for (asked, text) in [
        ("shufflenet_v2 width=1.0", "shufflenet_v2"),
        ("shufflenet_v1 width=0.50 groups=8", "shufflenet_v1 groups=8 width=0.5"),
        ("mobilenet_v3_small dropout=0.20 variant=torchvision", "mobilenet_v3_small"),
        (
            "mobilenet_v1 variant=shallow width=0.25 dropout=0.1",
            "stem_k3_s2_c8_nre dsa_r1_k3_s1_c16_nre dsa_r2_k3_s2_c32_nre dsa_r2_k3_s2_c64_nre dsa_r1_k3_s2_c128_nre dsa_r2_k3_s2_c256_nre dropout_p0.1",
        ),
    ] {
        assert_eq!(resolve(asked, &Options::default()).unwrap().text, text);
    }
}

/// Any options, images and classes: a network whose text gives it again, or a sentence.
#[test]
fn whatever_is_asked_is_built_or_refused() {
    let mut state = 4_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let sides = [1, 2, 3, 7, 8, 32, 33, 64, 224, 4096];
    let (mut built, mut refused) = (0, 0);
    for _ in 0..1500 {
        let entry = &ENTRIES[random(ENTRIES.len())];
        let mut set = BTreeMap::new();
        for choice in entry.options {
            let value = match &choice.values {
                entry::Values::Words(words) => words[random(words.len())].to_owned(),
                entry::Values::Numbers(_, numbers) => numbers[random(numbers.len())].to_string(),
                entry::Values::Number(_, least, most) => {
                    (least + (most - least) * random(101) as f64 / 100.0).to_string()
                }
            };
            if random(2) == 0 {
                set.insert(choice.name.to_owned(), value);
            }
        }
        let (h, w) = (sides[random(sides.len())], sides[random(sides.len())]);
        let input = Shape::new([1, 3, 4096][random(3)], h, if random(2) == 0 { h } else { w });
        let classes = [1, 2, 10, 1_000_000][random(4)];
        let asked = Options { set, classes: Some(classes), input: Some(input) };
        match resolve(entry.name, &asked) {
            Ok(named) => {
                let names: std::collections::BTreeSet<_> =
                    named.network.layers.iter().map(|l| &l.name).collect();
                assert_eq!(names.len(), named.network.layers.len(), "{} {asked:?}", entry.name);
                assert_eq!(named.network.layers.last().unwrap().output, Shape::new(classes, 1, 1));
                assert!(cost::of(&named.network).params > 0);
                let again = resolve(&named.text, &Options { set: BTreeMap::new(), ..asked.clone() }).unwrap();
                assert_eq!(again.network.hash(), named.network.hash(), "{} {asked:?}", entry.name);
                assert_eq!(again.text, named.text);
                built += 1;
            }
            Err(error) => {
                assert_eq!(error.exit_code(), 2, "{error}");
                refused += 1;
            }
        }
    }
    assert!(built > 300 && refused > 300, "{built} built, {refused} refused");
}
