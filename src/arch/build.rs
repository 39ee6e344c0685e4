//! Building a `Network` layer by layer, each shape inferred and checked as it is added.

use super::network::{Elementwise, Layer, LayerId, Network, Norm, Op, Shape, Window};
use crate::space::{Activation, Candidate};

/// Adds layers one after another; the shape of each is inferred from its op and inputs.
pub struct Builder {
    layers: Vec<Layer>,
    /// A bias on every convolution.
    conv_bias: bool,
    /// The constants of every batch norm from now on.
    pub norm: Norm,
    /// The last block's expanded tensor, for a shortcut between expansions.
    pub(super) expanded: Option<LayerId>,
}

/// A convolution to add; kernel, stride and groups are 1 unless set.
#[derive(Debug, Clone, Copy)]
pub struct ConvSpec {
    pub out_channels: usize,
    pub kernel: usize,
    pub stride: usize,
    pub pad: usize,
    pub groups: usize,
}

impl ConvSpec {
    /// 1x1, stride 1.
    pub fn pointwise(out_channels: usize) -> Self {
        Self { out_channels, kernel: 1, stride: 1, pad: 0, groups: 1 }
    }

    /// One filter per channel, 'same' padding.
    pub fn depthwise(channels: usize, kernel: usize, stride: usize) -> Self {
        Self { out_channels: channels, kernel, stride, pad: kernel / 2, groups: channels }
    }

    /// All channels to all, 'same' padding.
    pub fn full(out_channels: usize, kernel: usize, stride: usize) -> Self {
        Self { out_channels, kernel, stride, pad: kernel / 2, groups: 1 }
    }
}

/// What can be wrong with a network: a sentence that names the layer.
type Built<T> = Result<T, String>;

impl Builder {
    /// A network that holds its input alone.
    pub fn new(input: Shape, conv_bias: bool) -> Built<Self> {
        if input.is_empty() || input.len() > 1 << 26 {
            return Err(format!("the input {input} has no pixels or too many"));
        }
        let layer = Layer { name: "input".into(), op: Op::Input, inputs: vec![], output: input };
        let norm = Norm::default();
        Ok(Self { layers: vec![layer], conv_bias, norm, expanded: None })
    }

    /// The shape of a layer's output.
    pub fn shape(&self, id: LayerId) -> Shape {
        self.layers[id].output
    }

    /// Adds a layer; the name must be new.
    pub fn push(&mut self, name: impl Into<String>, op: Op, inputs: &[LayerId]) -> Built<LayerId> {
        let name = name.into();
        let shapes: Vec<Shape> = inputs.iter().map(|&id| self.shape(id)).collect();
        let output = infer(&op, &shapes).map_err(|what| format!("{name}: {what}"))?;
        self.layers.push(Layer { name, op, inputs: inputs.to_vec(), output });
        Ok(self.layers.len() - 1)
    }

    /// Adds a convolution, with a bias where the network has them.
    pub fn conv(&mut self, name: impl Into<String>, from: LayerId, spec: ConvSpec) -> Built<LayerId> {
        let ConvSpec { out_channels, kernel, stride, pad, groups } = spec;
        let bias = self.conv_bias;
        self.push(name, Op::Conv { out_channels, kernel, stride, pad, groups, bias }, &[from])
    }

    /// Adds batch norm after `from`, named `<base>_norm`.
    pub fn norm(&mut self, base: &str, from: LayerId) -> Built<LayerId> {
        self.push(format!("{base}_norm"), Op::BatchNorm(self.norm), &[from])
    }

    /// Adds an activation after `from`, named `<base>_act`.
    pub fn activation(&mut self, base: &str, from: LayerId, activation: Activation) -> Built<LayerId> {
        let op = match activation {
            Activation::Relu => Op::Elementwise(Elementwise::Relu),
            Activation::Relu6 => Op::Elementwise(Elementwise::Relu6),
            Activation::Hswish => Op::Elementwise(Elementwise::Hswish),
            Activation::Prelu => Op::Prelu,
        };
        self.push(format!("{base}_act"), op, &[from])
    }

    /// Adds convolution and batch norm.
    pub fn conv_norm(&mut self, name: &str, from: LayerId, spec: ConvSpec) -> Built<LayerId> {
        let conv = self.conv(name, from, spec)?;
        self.norm(name, conv)
    }

    /// Adds convolution, batch norm and activation.
    pub fn conv_norm_act(
        &mut self,
        name: &str,
        from: LayerId,
        spec: ConvSpec,
        activation: Activation,
    ) -> Built<LayerId> {
        let normed = self.conv_norm(name, from, spec)?;
        self.activation(name, normed, activation)
    }

    /// Ends the network as most end: global average pooling, dropout where there is a rate, and a linear classifier.
    pub fn classify(&mut self, from: LayerId, dropout: f64, classes: usize) -> Built<LayerId> {
        let pooled = self.push("pool", Op::GlobalAvgPool, &[from])?;
        let dropped = self.dropout("dropout", pooled, dropout)?;
        self.push("classifier", Op::Linear { out: classes, bias: true }, &[dropped])
    }

    /// Adds dropout; without a rate nothing.
    pub fn dropout(&mut self, name: &str, from: LayerId, rate: f64) -> Built<LayerId> {
        if rate == 0.0 { Ok(from) } else { self.push(name, Op::Dropout { rate }, &[from]) }
    }

    /// The finished network.
    pub fn finish(self, name: impl Into<String>, classes: usize) -> Network {
        Network { name: name.into(), classes, layers: self.layers }
    }
}

/// Shape of an op's output.
///
/// # Errors
/// Says which shapes do not fit.
pub fn infer(op: &Op, inputs: &[Shape]) -> Built<Shape> {
    let x = inputs.first().copied().unwrap_or(Shape::new(0, 0, 0));
    match *op {
        Op::Input => Ok(x),
        Op::Conv { out_channels, kernel, stride, pad, groups, .. } => {
            conv_shape(x, out_channels, kernel, stride, pad, groups)
        }
        Op::BatchNorm(_)
        | Op::Elementwise(_)
        | Op::Prelu
        | Op::LocalResponseNorm { .. }
        | Op::Dropout { .. } => Ok(x),
        Op::Linear { out, .. } if x.h == 1 && x.w == 1 => Ok(Shape::new(out, 1, 1)),
        Op::Linear { .. } => Err(format!("a linear layer needs a flat input, not {x}")),
        Op::Add if inputs.len() == 2 && inputs[0] == inputs[1] => Ok(x),
        Op::Add => Err(format!("cannot add shapes {}", list(inputs))),
        Op::Concat if inputs.iter().all(|other| (other.h, other.w) == (x.h, x.w)) => {
            Ok(Shape::new(inputs.iter().map(|input| input.c).sum(), x.h, x.w))
        }
        Op::Concat => Err(format!("cannot put maps of several sizes together: shapes {}", list(inputs))),
        Op::Slice { start, len } if len > 0 && start.checked_add(len).is_some_and(|end| end <= x.c) => {
            Ok(Shape::new(len, x.h, x.w))
        }
        Op::Slice { start, len } => Err(format!("no {len} channels from {start} on in {x}")),
        Op::Shuffle { groups } if groups > 0 && x.c.is_multiple_of(groups) => Ok(x),
        Op::Shuffle { groups } => Err(format!("{} channels do not divide into {groups} groups", x.c)),
        Op::MaxPool(window) | Op::AvgPool(window) => pooled(x, window),
        Op::Flatten => Ok(Shape::new(x.len(), 1, 1)),
        Op::ChannelMean => Ok(Shape::new(x.h * x.w, 1, 1)),
        Op::GlobalAvgPool => Ok(Shape::new(x.c, 1, 1)),
        Op::ScaleMap if inputs.get(1) == Some(&Shape::new(x.h * x.w, 1, 1)) => Ok(x),
        Op::ScaleChannels if inputs.get(1) == Some(&Shape::new(x.c, 1, 1)) => Ok(x),
        Op::ScaleMap | Op::ScaleChannels => {
            Err(format!("the factors do not fit the map: shapes {}", list(inputs)))
        }
    }
}

fn conv_shape(
    x: Shape,
    out_channels: usize,
    kernel: usize,
    stride: usize,
    pad: usize,
    groups: usize,
) -> Built<Shape> {
    if groups == 0 || !x.c.is_multiple_of(groups) || !out_channels.is_multiple_of(groups) {
        return Err(format!(
            "{} input and {out_channels} output channels do not divide into {groups} groups",
            x.c
        ));
    }
    if kernel > x.h + 2 * pad || kernel > x.w + 2 * pad {
        return Err(too_large("kernel", kernel, pad, x));
    }
    if out_channels == 0 || kernel == 0 || stride == 0 {
        return Err(format!(
            "no convolution has {out_channels} channels, kernel {kernel} and stride {stride}"
        ));
    }
    let side = |n: usize| (n + 2 * pad - kernel) / stride + 1;
    Ok(Shape::new(out_channels, side(x.h), side(x.w)))
}

/// A kernel or window that its map does not hold, padding and all: PyTorch refuses it too.
fn too_large(what: &str, kernel: usize, pad: usize, x: Shape) -> String {
    let map = match pad {
        0 => format!("{}x{} map", x.h, x.w),
        pad => format!("{}x{} map with a padding of {pad}", x.h, x.w),
    };
    format!("a {kernel}x{kernel} {what} is larger than the {map}; use fewer strides or a larger input")
}

fn pooled(x: Shape, window: Window) -> Built<Shape> {
    let Window { kernel, stride, pad, ceil } = window;
    if kernel == 0 || stride == 0 || pad * 2 > kernel {
        return Err(format!("no windows of {kernel}x{kernel}, stride {stride}, padding {pad}"));
    }
    if kernel > x.h + 2 * pad || kernel > x.w + 2 * pad {
        return Err(too_large("window", kernel, pad, x));
    }
    let side = |n: usize| {
        let span = n + 2 * pad - kernel;
        let sides = if ceil { span.div_ceil(stride) } else { span / stride } + 1;
        // No window begins in the padding on the far side.
        if ceil && (sides - 1) * stride >= n + pad { sides - 1 } else { sides }
    };
    Ok(Shape::new(x.c, side(x.h), side(x.w)))
}

fn list(shapes: &[Shape]) -> String {
    shapes.iter().map(Shape::to_string).collect::<Vec<_>>().join(" and ")
}

/// Whether a classifier can tell so many classes apart.
///
/// # Errors
/// There are fewer than 2.
pub fn enough(classes: usize) -> Built<()> {
    if classes < 2 {
        return Err(format!("{classes} classes: a classifier needs at least 2"));
    }
    Ok(())
}

/// The network of a candidate for images of shape `input`.
///
/// # Errors
/// A sentence naming the layer whose shape is impossible.
pub fn network(candidate: &Candidate, input: Shape, classes: usize) -> Built<Network> {
    candidate.check()?;
    enough(classes)?;
    let mut builder = Builder::new(input, candidate.conv_bias)?;
    let mut last = 0;
    if let Some(stem) = &candidate.stem {
        let spec = ConvSpec::full(stem.channels, stem.kernel, stem.stride);
        last = builder.conv_norm_act("stem", last, spec, stem.activation)?;
    }
    for (i, stage) in candidate.stages.iter().enumerate() {
        for j in 0..stage.repeats {
            let stride = if j == 0 { stage.stride } else { 1 };
            last = super::blocks::block(&mut builder, &format!("stages.{i}.{j}"), last, stage, stride)?;
        }
    }
    if let Some(conv) = &candidate.head.conv {
        let spec = ConvSpec { groups: conv.groups, ..ConvSpec::pointwise(conv.channels) };
        last = builder.conv_norm_act("head", last, spec, conv.activation)?;
    }
    builder.classify(last, candidate.head.dropout.unwrap_or(0.0), classes)?;
    Ok(builder.finish(candidate.text(), classes))
}
