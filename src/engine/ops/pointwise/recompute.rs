//! A product that is not kept: computed anew, from its narrow input, by whoever reads it.
//!
//! A 1x1 convolution that widens few channels to many costs less arithmetic than its output costs memory traffic, and its
//! output is among the largest of a training step.

use std::ops::Range;

use crate::engine::ops::matmul::bf16::Units;
use crate::engine::ops::matmul::{Epilogue, Mat, Packed, Right, matmul};
use crate::engine::pool::Buf;
use crate::engine::real::Real;
use crate::engine::value::Value;

/// What the product is made of.
pub struct Recompute<E: Real> {
    x: Value<E>,
    whole: Packed<E>,
    /// The columns in blocks, each with its first column.
    blocks: Vec<(usize, Packed<E>)>,
    bias: Option<Vec<E>>,
    cols: usize,
}

impl<E: Real> Recompute<E> {
    /// The product of `x` with weights `(out, in)`, to be read whole or by the blocks of columns given; in bf16
    /// where there are units for it.
    pub fn new(
        units: Option<Units>,
        x: Value<E>,
        weights: &[E],
        bias: Option<Vec<E>>,
        blocks: &[Range<usize>],
    ) -> Self {
        let depth = x.c;
        let pack = |cols: Range<usize>| {
            let weights = &weights[cols.start * depth..cols.end * depth];
            Packed::with(units, depth, cols.len(), Mat::transposed(weights, depth))
        };
        let cols = weights.len() / depth;
        let blocks = blocks.iter().map(|block| (block.start, pack(block.clone()))).collect();
        Self { x, whole: pack(0..cols), blocks, bias, cols }
    }

    /// What is read from memory for some rows.
    pub fn source(&self, rows: Range<usize>) -> &[E] {
        self.x.raw_source(rows)
    }

    /// Rows of the product, all columns, into `out`.
    pub fn rows(&self, rows: Range<usize>, out: &mut [E]) {
        let mut scratch = Buf::take(self.inputs_scratch(rows.len()));
        self.product(self.inputs(rows, &mut scratch), &self.whole, 0, self.cols, out);
    }

    /// Rows of the product's input, for [`block`](Self::block).
    pub fn inputs<'a>(&'a self, rows: Range<usize>, scratch: &'a mut [E]) -> &'a [E] {
        self.x.rows(rows, scratch)
    }

    /// Elements of scratch that [`inputs`](Self::inputs) needs for some rows.
    pub fn inputs_scratch(&self, rows: usize) -> usize {
        if self.x.is_kept() { 0 } else { rows * self.x.c }
    }

    /// The block of `width` columns that begins at `start`, of the rows whose inputs are given, into `out`.
    pub fn block(&self, inputs: &[E], start: usize, width: usize, out: &mut [E]) {
        if let Some((_, packed)) = self.blocks.iter().find(|(first, _)| *first == start) {
            self.product(inputs, packed, start, width, out);
        }
    }

    fn product(&self, inputs: &[E], weights: &Packed<E>, start: usize, width: usize, out: &mut [E]) {
        let bias = self.bias.as_deref().map(|bias| &bias[start..start + width]);
        let (rows, depth) = (inputs.len() / self.x.c, self.x.c);
        let epilogue = Epilogue { bias, ..Epilogue::plain() };
        matmul((rows, width, depth), out, Mat::rows(inputs, depth), Right::Packed(weights), epilogue);
    }
}
