//! Inference: a network as fused steps with folded weights, run depth-first so that wide activations never leave the
//! second-level cache.
//!
//! - `fold`: batch norm goes into the weights and bias of the layer before it.
//! - `plan`: layers become steps (`work`); an activation function, a shortcut's sum and the depthwise convolution before a product
//!   become part of that product's step.
//! - `segments`: where one activation alone is alive the steps are cut; within a segment a group of images runs through
//!   all steps before the next group, in scratch memory whose places are planned once.
//! - `run`: walks a batch through the segments.
//! - `depthwise`, `patches`, `grouped`, `elementwise`: the kernels beside the matrix product.
//!
//! Every number is computed in the same order whatever the batch, the group and the threads: an image's logits are the
//! same bits alone and in a batch.

mod depthwise;
mod elementwise;
pub mod fold;
mod grouped;
mod patches;
mod plan;
mod run;
mod segments;
#[cfg(test)]
mod tests;
mod work;

use std::sync::Arc;

use super::measure::Clock;
use super::model::{Batch, Model, Outcome};
use super::pool::Buf;
use super::real::Real;
use super::workers::Workers;
use plan::Step;
use segments::Segment;

/// Most images that one thread takes through the network at a time.
const CHUNK: usize = 32;

/// A network ready to run: its own copy of the weights, batch norm folded into them. It does not follow the model's
/// training.
pub struct Inference<E: Real> {
    steps: Vec<Step<E>>,
    segments: Vec<Segment>,
    /// Values of one image, and of its output.
    per_image: usize,
    per_output: usize,
    classes: usize,
    workers: Arc<Workers>,
    /// Where the time of each layer goes, if somebody wants to know.
    clock: Option<Clock>,
}

impl<E: Real> Inference<E> {
    /// Of a model as it is now, with its running statistics.
    pub fn new(model: &Model<E>) -> Self {
        let plan::Plan { steps, tensors } = plan::plan(model);
        let segments = segments::segments(&steps, &tensors);
        let layers = &model.network.layers;
        let per_output = layers.last().map_or(0, |layer| layer.output.len());
        Self {
            steps,
            segments,
            per_image: model.network.input().len(),
            per_output,
            classes: model.network.classes,
            workers: model.workers().clone(),
            clock: model.clock.clone(),
        }
    }

    /// Logits `(N, classes)` of normalised images `(N, H, W, C)`: the output of the last layer.
    ///
    /// # Panics
    /// When the images are not whole.
    pub fn logits(&self, images: &[E]) -> Vec<E> {
        assert!(images.len().is_multiple_of(self.per_image), "images of another shape");
        let count = images.len() / self.per_image;
        let mut out = vec![E::ZERO; count * self.per_output];
        let each = count.div_ceil(self.workers.threads()).clamp(1, CHUNK);
        let chunks = images.chunks(each * self.per_image).zip(out.chunks_mut(each * self.per_output));
        self.workers.map(chunks.collect(), |(images, out)| self.chunk(images, out));
        out
    }

    /// Loss and hits.
    pub fn evaluate(&self, batch: Batch<'_, E>) -> Outcome {
        Outcome::of(self.logits(batch.images), batch.labels, self.classes)
    }

    /// The segments one after another; between two of them the activations of the whole chunk are stored.
    fn chunk(&self, images: &[E], out: &mut [E]) {
        let count = images.len() / self.per_image;
        let mut entering: Option<Buf<E>> = None;
        for (at, segment) in self.segments.iter().enumerate() {
            let from = entering.as_deref().unwrap_or(images);
            if at + 1 == self.segments.len() {
                self.segment(segment, count, from, out);
            } else {
                let mut leaving = Buf::take(count * segment.leaving);
                self.segment(segment, count, from, &mut leaving);
                entering = Some(leaving);
            }
        }
        if self.segments.is_empty() {
            out.copy_from_slice(images);
        }
    }
}
