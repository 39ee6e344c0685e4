//! What the steps of a plan are.

use super::depthwise::Depthwise;
use super::grouped::Grouped;
use super::patches::Patches;
use super::plan::TensorId;
use crate::arch::LayerId;
use crate::engine::act::Act;
use crate::engine::ops::channels::Run;
use crate::engine::ops::gate::Per;
use crate::engine::ops::image::ImageOp;
use crate::engine::ops::matmul::Packed;
use crate::engine::ops::squeeze::Over;
use crate::engine::real::Real;
use crate::engine::value::Affine;

/// One step: what it computes, from which activations, into which.
pub struct Step<E: Real> {
    pub work: Work<E>,
    pub x: TensorId,
    /// A shortcut, or a gate's factors.
    pub second: Option<TensorId>,
    pub out: TensorId,
    /// The layer that its time counts for: the first of those it computes, or the product that others became part of.
    pub layer: LayerId,
}

/// What a step computes.
pub enum Work<E: Real> {
    Product(Product<E>),
    Depthwise(Depthwise<E>),
    Grouped(Grouped<E>),
    /// A batch norm that could not be folded, an activation function, or both.
    Affine(Option<Affine<E>>, Act<E>),
    /// The sum with the second.
    Add(Act<E>),
    /// The mean of rows of so many channels.
    Mean(Over, usize),
    /// Times the second; rows of so many channels.
    Scale(Per, usize),
    /// A run of channels of the input, to a place in the output.
    Copy(Channels),
    /// The same of the second, to a place in the input.
    Join(Channels),
    /// Each image by itself.
    Image(Box<dyn ImageOp<E>>),
}

/// A run of channels, of rows of `from` to rows of `to` channels.
pub struct Channels {
    pub run: Run,
    pub from: usize,
    pub to: usize,
}

impl<E: Real> Work<E> {
    /// Whether it changes values where they lie.
    pub fn is_in_place(&self) -> bool {
        matches!(self, Self::Affine(..) | Self::Add(_) | Self::Scale(..) | Self::Join(_))
    }
}

/// A matrix product over the pixels, a shortcut's sum and an activation in its epilogue.
pub struct Product<E: Real> {
    pub front: Front<E>,
    /// Pixels of one image's output.
    pub rows: usize,
    pub depth: usize,
    pub cols: usize,
    pub weights: Packed<E>,
    pub bias: Vec<E>,
    pub act: Act<E>,
}

/// What makes the product's left side, tile by tile.
pub enum Front<E: Real> {
    /// It is the input itself.
    Input,
    Patches(Patches),
    Depthwise(Depthwise<E>),
}
