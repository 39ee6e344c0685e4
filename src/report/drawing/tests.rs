//! Networks built layer by layer, as drawings of them must come out.

use super::{Detail, Width, blocks, draw, kinds};
use crate::arch::build::{Builder, ConvSpec};
use crate::arch::zoo;
use crate::arch::{Network, Op, Shape, Window};
use crate::space::Activation::Relu;

fn network(name: &str) -> Network {
    zoo::network(name, &zoo::Options::default()).unwrap()
}

/// VGG's stages, an inception (Szegedy et al. 2015, Figure 2b), two ShuffleNetV2 units (Ma et al. 2018, Figure 3c), a
/// fire module, a classifier; layers of branches with names of their own at the top level.
fn branches() -> Network {
    let mut b = Builder::new(Shape::new(3, 64, 64), false).unwrap();
    let pool = Op::MaxPool(Window { kernel: 2, stride: 2, pad: 0, ceil: false });
    let mut last = 0;
    for i in 0..2 {
        let name = format!("features.{}", 3 * i);
        last = b.conv_norm_act(&name, last, ConvSpec::full(32, 3, 1), Relu).unwrap();
        let name = format!("features.{}", 3 * i + 1);
        last = b.conv_norm_act(&name, last, ConvSpec::full(32, 3, 1), Relu).unwrap();
        last = b.push(format!("features.{}", 3 * i + 2), pool.clone(), &[last]).unwrap();
    }
    for (name, wide) in [("inception3a", 16), ("inception3b", 32)] {
        let from = last;
        let conv = |b: &mut Builder, branch: &str, from, spec| {
            b.conv_norm_act(&format!("{name}.{branch}"), from, spec, Relu).unwrap()
        };
        let one = conv(&mut b, "branch1", from, ConvSpec::pointwise(wide));
        let three = conv(&mut b, "branch2.0", from, ConvSpec::pointwise(wide));
        let three = conv(&mut b, "branch2.1", three, ConvSpec::full(2 * wide, 3, 1));
        let five = conv(&mut b, "branch3.0", from, ConvSpec::pointwise(8));
        let five = conv(&mut b, "branch3.1", five, ConvSpec::full(wide, 5, 1));
        let same = Op::MaxPool(Window { kernel: 3, stride: 1, pad: 1, ceil: false });
        let pooled = b.push(format!("{name}.branch4.0"), same, &[from]).unwrap();
        let pooled = conv(&mut b, "branch4.1", pooled, ConvSpec::pointwise(wide));
        last = b.push(format!("{name}.concat"), Op::Concat, &[one, three, five, pooled]).unwrap();
    }
    last = b.push("pool3", pool, &[last]).unwrap();
    for j in 0..2 {
        let name = format!("stage2.{j}");
        let half = b.shape(last).c / 2;
        let left = b.push(format!("{name}.keep"), Op::Slice { start: 0, len: half }, &[last]).unwrap();
        let mut right =
            b.push(format!("{name}.take"), Op::Slice { start: half, len: half }, &[last]).unwrap();
        right = b.conv_norm_act(&format!("{name}.first"), right, ConvSpec::pointwise(half), Relu).unwrap();
        right = b.conv_norm(&format!("{name}.depthwise"), right, ConvSpec::depthwise(half, 3, 1)).unwrap();
        right = b.conv_norm_act(&format!("{name}.last"), right, ConvSpec::pointwise(half), Relu).unwrap();
        last = b.push(format!("{name}.concat"), Op::Concat, &[left, right]).unwrap();
        last = b.push(format!("{name}.shuffle"), Op::Shuffle { groups: 2 }, &[last]).unwrap();
    }
    let squeeze = b.conv("fire.squeeze", last, ConvSpec::pointwise(16)).unwrap();
    let one = b.conv("fire.one", squeeze, ConvSpec::pointwise(64)).unwrap();
    let three = b.conv("fire.three", squeeze, ConvSpec::full(64, 3, 1)).unwrap();
    last = b.push("fire.concat", Op::Concat, &[one, three]).unwrap();
    let a = b.conv("side_a", last, ConvSpec::pointwise(24)).unwrap();
    let c = b.conv("side_b", last, ConvSpec::pointwise(24)).unwrap();
    last = b.push("sum", Op::Add, &[a, c]).unwrap();
    last = b.push("pool", Op::GlobalAvgPool, &[last]).unwrap();
    last = b.push("dropout", Op::Dropout { rate: 0.2 }, &[last]).unwrap();
    b.push("classifier", Op::Linear { out: 10, bias: true }, &[last]).unwrap();
    b.finish("branches & <others>", 10)
}

#[test]
fn layers_built_one_by_one_are_grouped_by_name_and_branch() {
    let network = branches();
    let outline = super::Outline::of(&network, Detail::Blocks);
    let stages: Vec<(String, String)> =
        outline.stages.iter().map(|s| (s.label.join(", "), s.output.to_string())).collect();
    let expected = [
        ("conv 3×3 c32 ×2", "32x64x64"),
        ("max pool 2×2 s2, conv 3×3 c32 ×2", "32x32x32"),
        ("max pool 2×2 s2", "32x16x16"),
        ("Inception c80", "80x16x16"),
        ("Inception c160", "160x16x16"),
        ("max pool 2×2 s2", "160x8x8"),
        ("Shuffle k3 c160 ×2", "160x8x8"),
        ("Fire c128", "128x8x8"),
        ("Residual c24", "24x8x8"),
        ("global average pool, FC 10", "10x1x1"),
    ];
    assert_eq!(stages, expected.map(|(label, shape)| (label.to_owned(), shape.to_owned())));
    let kinds = kinds::kinds(&network, &outline.blocks, kinds::Equal::Ops);
    let counts: Vec<usize> = kinds.iter().map(|kind| kind.blocks.len()).collect();
    assert_eq!(counts, [2, 2, 1, 1]);
}

/// MobileNetV2's Table 2 and Figure 4: one kind of block; the shortcut stands where stride is 1 and channels stay, the
/// expansion in all but the first.
#[test]
fn blocks_that_lack_a_layer_are_of_the_same_kind() {
    let network = network("mobilenet_v2");
    let readers = blocks::readers(&network);
    let blocks = blocks::blocks(&network, &readers);
    let kinds = kinds::kinds(&network, &blocks, kinds::Equal::Ops);
    assert_eq!(kinds.len(), 1);
    assert_eq!(kinds[0].blocks.len(), 17);
    assert_eq!(kinds[0].notes, ["expand in 16 of 17", "add if s1 and C′ = C"]);
}

/// Every layer is in one block and every block in one stage, so that costs add up.
#[test]
fn nothing_is_lost_and_nothing_twice() {
    for network in [network("mix"), network("cse_only"), network("mobilenet_v2"), branches()] {
        for detail in [Detail::Stages, Detail::Blocks, Detail::Layers] {
            let outline = super::Outline::of(&network, detail);
            let layers: Vec<usize> = outline.blocks.iter().flat_map(|b| b.layers.clone()).collect();
            assert_eq!(layers, (1..network.layers.len()).collect::<Vec<_>>(), "{}", network.name);
            let blocks: Vec<usize> = outline.stages.iter().flat_map(|s| s.blocks.clone()).collect();
            assert_eq!(blocks, (0..outline.blocks.len()).collect::<Vec<_>>(), "{}", network.name);
            assert_eq!(outline.stages.iter().map(|s| s.params).sum::<u64>(), outline.params);
            assert_eq!(outline.stages.iter().map(|s| s.madds).sum::<u64>(), outline.madds);
        }
    }
}

/// Shortcuts from one block to the next but one, names of any length and signs, dense connections: all are drawn.
#[test]
fn no_network_is_too_strange() {
    let mut b = Builder::new(Shape::new(1, 8, 8), false).unwrap();
    let mut all = vec![0];
    for i in 0..40 {
        let joined = b.push(format!("dense.{i}.concat"), Op::Concat, &all).unwrap();
        all.push(b.conv(format!("dense.{i}.conv"), joined, ConvSpec::pointwise(2)).unwrap());
    }
    let dense = b.finish("dense", 10);
    let mut b = Builder::new(Shape::new(1, 8, 8), false).unwrap();
    let long = "ein sehr langer Name & <so weiter> ".repeat(300);
    let first = b.conv(long.clone(), 0, ConvSpec::pointwise(2)).unwrap();
    let second = b.conv(format!("{long}.0.\u{1}"), first, ConvSpec::pointwise(2)).unwrap();
    b.push("..", Op::Add, &[first, second]).unwrap();
    let odd = b.finish(long, 10);
    let alone = Builder::new(Shape::new(1, 1, 1), false).unwrap().finish("", 2);
    let mut b = Builder::new(Shape::new(3, 9, 9), false).unwrap();
    let mut all = vec![0];
    for i in 0..150 {
        let from = if i % 3 == 2 { vec![all[i], all[i - 2]] } else { vec![all[i]] };
        let op = if from.len() == 2 { Op::Concat } else { Op::GlobalAvgPool };
        let op = if i < 2 || from.len() == 2 { Op::Concat } else { op };
        let from = if op == Op::GlobalAvgPool { vec![all[i]] } else { from };
        match b.push(format!("block.{i}"), op, &from) {
            Ok(id) => all.push(id),
            Err(_) => all.push(all[i]),
        }
    }
    let mess = b.finish("mess", 2);
    for network in [dense, odd, alone, mess, branches()] {
        for detail in [Detail::Stages, Detail::Blocks, Detail::Layers] {
            for width in [Width::Column, Width::Page] {
                let drawing = draw(&network, &network.name, detail, width);
                let document = roxmltree::Document::parse(&drawing.svg).unwrap();
                assert!(document.root_element().has_tag_name(("http://www.w3.org/2000/svg", "svg")));
                assert!(!drawing.svg.contains("NaN") && !drawing.svg.contains("inf\""), "{}", network.name);
                assert_eq!(drawing, draw(&network, &network.name, detail, width));
            }
        }
    }
}

/// Writes what the tests draw into the folder named by `BLOCKSMITH_DRAWINGS`, to be looked at.
#[test]
fn drawings_to_look_at() {
    let Some(folder) = std::env::var_os("BLOCKSMITH_DRAWINGS") else { return };
    let network = branches();
    for (detail, name) in [(Detail::Blocks, "blocks"), (Detail::Layers, "layers")] {
        for (width, wide) in [(Width::Column, "column"), (Width::Page, "page")] {
            let path = std::path::Path::new(&folder).join(format!("branches-{name}-{wide}.svg"));
            std::fs::write(path, draw(&network, &network.name, detail, width).svg).unwrap();
        }
    }
}
