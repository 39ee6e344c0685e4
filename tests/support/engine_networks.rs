//! Small networks of the layers that block notation has no word for, for tests.

use crate::arch::build::{Builder, ConvSpec};
use crate::arch::{Network, Op, Shape, Window};
use crate::space::Activation::Hswish;

/// A stem, a ShuffleNet V2 unit of that stride (Ma et al. 2018, figure 3 c and d) on `channels` channels, grouped
/// convolutions and a shuffle as in ShuffleNet V1, a classifier.
pub fn shuffle_unit(stride: usize, channels: usize) -> Network {
    build(|builder| {
        let stem = builder.conv_norm_act("stem", 0, ConvSpec::full(channels, 3, 1), Hswish)?;
        let half = channels / 2;
        let (left, right) = if stride == 1 {
            let left = builder.push("left", Op::Slice { start: 0, len: half }, &[stem])?;
            (left, builder.push("right", Op::Slice { start: half, len: channels - half }, &[stem])?)
        } else {
            let left = builder.conv_norm("left_depthwise", stem, ConvSpec::depthwise(channels, 3, stride))?;
            (builder.conv_norm_act("left", left, ConvSpec::pointwise(half), Hswish)?, stem)
        };
        let wide = builder.shape(right).c;
        let a = builder.conv_norm_act("a", right, ConvSpec::pointwise(wide), Hswish)?;
        let b = builder.conv_norm("b", a, ConvSpec::depthwise(wide, 3, stride))?;
        let c = builder.conv_norm_act("c", b, ConvSpec::pointwise(channels - half), Hswish)?;
        let both = builder.push("both", Op::Concat, &[left, c])?;
        let shuffled = builder.push("shuffle", Op::Shuffle { groups: 2 }, &[both])?;
        let spec = ConvSpec { groups: 2, ..ConvSpec::pointwise(3 * channels) };
        let wide = builder.conv_norm_act("wide", shuffled, spec, Hswish)?;
        let mixed = builder.push("mixed", Op::Shuffle { groups: 6 }, &[wide])?;
        let narrow = builder.conv_norm(
            "narrow",
            mixed,
            ConvSpec { groups: channels, ..ConvSpec::pointwise(channels) },
        )?;
        let added = builder.push("added", Op::Add, &[narrow, shuffled])?;
        let pooled = builder.push("pool", Op::GlobalAvgPool, &[added])?;
        builder.push("classifier", Op::Linear { out: 10, bias: true }, &[pooled])
    })
}

/// A response norm, an inception module (Szegedy et al. 2015, figure 2 b) between max pools, an average pool and a
/// classifier with dropout on the flattened map.
pub fn inception(width: usize) -> Network {
    let window = |kernel, stride, pad, ceil| Window { kernel, stride, pad, ceil };
    build(|builder| {
        let stem = builder.conv_norm_act("stem", 0, ConvSpec::full(12 * width, 3, 2), Hswish)?;
        let pooled = builder.push("stem_pool", Op::MaxPool(window(3, 2, 0, true)), &[stem])?;
        let norm = Op::LocalResponseNorm { size: 5, alpha: 1e-2, beta: 0.75, k: 1.0 };
        let x = builder.push("local", norm, &[pooled])?;
        let one = builder.conv_norm_act("one", x, ConvSpec::pointwise(8 * width), Hswish)?;
        let three = builder.conv_norm_act("three_reduce", x, ConvSpec::pointwise(6 * width), Hswish)?;
        let three = builder.conv_norm_act("three", three, ConvSpec::full(9 * width, 3, 1), Hswish)?;
        let pool = builder.push("pool", Op::MaxPool(window(3, 1, 1, false)), &[x])?;
        let pool = builder.conv_norm_act("pool_conv", pool, ConvSpec::pointwise(5 * width), Hswish)?;
        let joined = builder.push("joined", Op::Concat, &[one, three, pool])?;
        let last = builder.push("last_pool", Op::AvgPool(window(2, 2, 1, true)), &[joined])?;
        let flat = builder.push("flat", Op::Flatten, &[last])?;
        let hidden = builder.push("hidden", Op::Linear { out: 24 * width, bias: true }, &[flat])?;
        let hidden = builder.activation("hidden", hidden, Hswish)?;
        let dropped = builder.push("dropped", Op::Dropout { rate: 0.4 }, &[hidden])?;
        builder.push("classifier", Op::Linear { out: 10, bias: true }, &[dropped])
    })
}

/// A residual unit whose shortcut is pooled and put beside the branch, as in ShuffleNet V1's units of stride 2 (Zhang et al.
/// 2018, figure 2 c), on the images themselves.
pub fn residual_pool(width: usize) -> Network {
    build(|builder| {
        let window = Window { kernel: 3, stride: 2, pad: 1, ceil: false };
        let shortcut = builder.push("shortcut", Op::AvgPool(window), &[0])?;
        let a = builder.conv_norm_act(
            "a",
            0,
            ConvSpec { groups: 3, ..ConvSpec::pointwise(12 * width) },
            Hswish,
        )?;
        let shuffled = builder.push("shuffle", Op::Shuffle { groups: 3 }, &[a])?;
        let b = builder.conv_norm("b", shuffled, ConvSpec::depthwise(12 * width, 3, 2))?;
        let c = builder.conv_norm("c", b, ConvSpec { groups: 3, ..ConvSpec::pointwise(9 * width) })?;
        let joined = builder.push("joined", Op::Concat, &[shortcut, c])?;
        let act = builder.activation("joined", joined, Hswish)?;
        let grouped = ConvSpec { groups: 4, ..ConvSpec::full(8 * width, 3, 1) };
        let d = builder.conv_norm_act("d", act, grouped, Hswish)?;
        let pooled = builder.push("pool", Op::GlobalAvgPool, &[d])?;
        builder.push("classifier", Op::Linear { out: 10, bias: true }, &[pooled])
    })
}

fn build(layers: impl FnOnce(&mut Builder) -> Result<usize, String>) -> Network {
    let mut builder = Builder::new(Shape::new(3, 16, 15), false).expect("an input that exists");
    layers(&mut builder).expect("layers that fit");
    builder.finish("test", 10)
}
