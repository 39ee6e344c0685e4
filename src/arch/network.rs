//! `Network`: a directed acyclic graph of layers in evaluation order, as plain data.

use std::fmt;

/// Shape of one image's activation: channels, height, width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Shape {
    pub c: usize,
    pub h: usize,
    pub w: usize,
}

impl Shape {
    /// Channels, height, width.
    pub const fn new(c: usize, h: usize, w: usize) -> Self {
        Self { c, h, w }
    }

    /// A shape written as it prints, such as 3x32x32; `None` where the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let sides: Option<Vec<usize>> = text.split('x').map(|side| side.trim().parse().ok()).collect();
        match sides.as_deref() {
            Some(&[c, h, w]) => Some(Self { c, h, w }),
            _ => None,
        }
    }

    /// Values in one image.
    pub fn len(&self) -> usize {
        self.c * self.h * self.w
    }

    /// Whether any extent is zero.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.c, self.h, self.w)
    }
}

/// Index of a layer in [`Network::layers`].
pub type LayerId = usize;

/// A network: layers in evaluation order, each reading earlier ones. Layer 0 is the input.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// A zoo name, or the candidate's block notation.
    pub name: String,
    pub classes: usize,
    pub layers: Vec<Layer>,
}

/// One layer: what it computes, from which layers, and the shape that comes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Hierarchical name, such as `stages.2.0.expand`; unique in the network.
    pub name: String,
    pub op: Op,
    /// Layers read, in the order the op defines.
    pub inputs: Vec<LayerId>,
    /// Shape of the output, per image.
    pub output: Shape,
}

/// What a layer computes. Shapes are per image: (C, H, W).
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The image.
    Input,
    /// Convolution with square kernel and symmetric zero padding; depthwise where `groups` = input channels.
    Conv { out_channels: usize, kernel: usize, stride: usize, pad: usize, groups: usize, bias: bool },
    /// Batch normalisation over (N, H, W) with learned gamma and beta.
    BatchNorm(Norm),
    /// Elementwise function without parameters.
    Elementwise(Elementwise),
    /// PReLU with one learned slope, initially 0.25.
    Prelu,
    /// Fully connected layer on a (C, 1, 1) input.
    Linear { out: usize, bias: bool },
    /// Sum of two equal shapes.
    Add,
    /// All inputs' channels one after another; maps of one size.
    Concat,
    /// `len` channels from `start` on.
    Slice { start: usize, len: usize },
    /// Channel g * (C / groups) + i becomes channel i * groups + g (ShuffleNet V1, section 3.1).
    Shuffle { groups: usize },
    /// Largest value of each window; padding is never the largest.
    MaxPool(Window),
    /// Mean of each window over all kernel * kernel places, padding counted as zeros (PyTorch's default).
    AvgPool(Window),
    /// x / (k + alpha / size * sum over `size` neighbouring channels of x^2)^beta (AlexNet, section 3.3; PyTorch's alpha).
    LocalResponseNorm { size: usize, alpha: f64, beta: f64, k: f64 },
    /// In training each value is dropped with probability `rate` and the others grow by 1 / (1 - rate); else nothing.
    Dropout { rate: f64 },
    /// (C, H, W) -> (C*H*W, 1, 1) in that order.
    Flatten,
    /// Mean over channels, flattened: (C, H, W) -> (H*W, 1, 1). The squeeze of CSE.
    ChannelMean,
    /// Mean over the map: (C, H, W) -> (C, 1, 1).
    GlobalAvgPool,
    /// inputs\[0\] (C, H, W) times inputs\[1\] (H*W, 1, 1), the same map for every channel. The excitation of CSE.
    ScaleMap,
    /// inputs\[0\] (C, H, W) times inputs\[1\] (C, 1, 1). The excitation of SE.
    ScaleChannels,
}

/// Constants of a batch normalisation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    /// Added to the variance.
    pub eps: f64,
    /// Share of a batch's statistics in the new running ones (PyTorch's meaning).
    pub momentum: f64,
}

impl Default for Norm {
    /// PyTorch's.
    fn default() -> Self {
        Self { eps: 1e-5, momentum: 0.1 }
    }
}

/// The square windows of a pooling layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub kernel: usize,
    pub stride: usize,
    pub pad: usize,
    /// A last window that is cut off by the border counts too, where it begins inside the map or its padding on the left.
    pub ceil: bool,
}

/// Elementwise functions without parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elementwise {
    Relu,
    /// min(max(x, 0), 6)
    Relu6,
    /// x * relu6(x + 3) / 6
    Hswish,
    /// relu6(x + 3) / 6
    Hsigmoid,
    Sigmoid,
}

impl Network {
    /// Shape of the input image.
    pub fn input(&self) -> Shape {
        self.layers[0].output
    }

    /// What the network is, in 16 hex digits: equal for two networks of the same layers, however they were written. See
    /// [`identity`](super::identity) for what counts as the same.
    pub fn hash(&self) -> String {
        super::identity::hash(self)
    }
}
