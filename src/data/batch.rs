//! Batches: shuffled, augmented, normalised, written into a buffer that is used again.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::dataset::CHANNELS;
use super::split::Split;
use super::stream::{below, stream};
use crate::config::{Augment, Pad};

/// Yields the batches of one epoch after another.
///
/// Every random draw depends on (seed, epoch, position in the epoch) alone, so the batches are the same whatever runs beside
/// them. What becomes of a last batch that is not full [`epoch_images`] says; the images left out are others in every epoch.
/// Evaluation keeps all images, in order.
#[derive(Debug)]
pub struct Batcher<'a> {
    split: &'a Split,
    batch: usize,
    /// `None` for evaluation.
    training: Option<Training>,
    /// Indices into the split, in the order of the epoch.
    order: Vec<u32>,
    next: usize,
    row: RowWriter,
}

#[derive(Debug)]
struct Training {
    seed: u64,
    augment: Augment,
    drop_last: Option<bool>,
    /// One number an image, in the order of the epoch.
    draws: ChaCha8Rng,
}

impl<'a> Batcher<'a> {
    /// Training batches of `batch` images (at least 1), shuffled and augmented from `seed`. Starts at epoch 0. A padding
    /// beyond the image's side counts as that side, and one by reflection is less than it.
    pub fn train(split: &'a Split, batch: usize, seed: u64, mut augment: Augment) -> Batcher<'a> {
        let (height, width) = split.side();
        let side = height.min(width);
        let most = if augment.pad == Pad::Reflect { side.saturating_sub(1) } else { side };
        augment.pad_crop = augment.pad_crop.min(most);
        let training = Training { seed, augment, drop_last: None, draws: stream("augment", seed, 0) };
        let mut batcher = Batcher::new(split, batch, Some(training));
        batcher.epoch(0);
        batcher
    }

    /// The same with a last batch that is left out or taken, as [`epoch_images`] has it.
    pub fn with_last(mut self, drop_last: Option<bool>) -> Batcher<'a> {
        if let Some(training) = &mut self.training {
            training.drop_last = drop_last;
        }
        self
    }

    /// Evaluation batches of `batch` images (at least 1): all of the split, in its order, the last one as short as it is.
    pub fn eval(split: &'a Split, batch: usize) -> Batcher<'a> {
        Batcher::new(split, batch, None)
    }

    fn new(split: &'a Split, batch: usize, training: Option<Training>) -> Batcher<'a> {
        let pad = training.as_ref().map_or(Pad::Zero, |training| training.augment.pad);
        Batcher {
            split,
            batch: batch.max(1),
            training,
            order: (0..split.len() as u32).collect(),
            next: 0,
            row: RowWriter::new(split, pad),
        }
    }

    /// Goes to the start of an epoch: its own order and its own draws, whatever was read before. Evaluation starts over.
    pub fn epoch(&mut self, epoch: u64) {
        self.next = 0;
        if let Some(training) = &mut self.training {
            self.order.clear();
            self.order.extend(0..self.split.len() as u32);
            self.order.shuffle(&mut stream("shuffle", training.seed, epoch));
            training.draws = stream("augment", training.seed, epoch);
        }
    }

    /// Passes over the next `batches` batches, as though they had been read.
    pub fn skip(&mut self, batches: usize) {
        let end = self.next.saturating_add(batches.saturating_mul(self.batch)).min(self.images());
        if let Some(training) = &mut self.training {
            for _ in self.next..end {
                View::draw(&training.augment, &mut training.draws);
            }
        }
        self.next = end;
    }

    /// Number of images in an epoch.
    pub fn images(&self) -> usize {
        let all = self.split.len();
        self.training.as_ref().map_or(all, |training| epoch_images(all, self.batch, training.drop_last))
    }

    /// Number of batches in an epoch.
    pub fn batches(&self) -> usize {
        self.images().div_ceil(self.batch)
    }

    /// Writes the next batch: `x` becomes its normalised images, `(N, H, W, 3)`, and `y` its N labels. False, with both
    /// empty, at the end of the epoch.
    pub fn next_batch(&mut self, x: &mut Vec<f32>, y: &mut Vec<u32>) -> bool {
        // Every number is overwritten; only what is longer than the last batch is filled twice.
        x.resize(self.next_len(), 0.0);
        self.write_next(x, y);
        !y.is_empty()
    }

    /// Numbers of the next batch's images; 0 at the end of the epoch.
    pub fn next_len(&self) -> usize {
        (self.images() - self.next).min(self.batch) * self.split.image_len()
    }

    /// As [`next_batch`](Self::next_batch), into a place for [`next_len`](Self::next_len) numbers.
    pub fn write_next(&mut self, x: &mut [f32], y: &mut Vec<u32>) {
        let end = (self.next + self.batch).min(self.images());
        let (split, order) = (self.split, &self.order[self.next..end]);
        self.next = end;
        y.clear();
        y.extend(order.iter().map(|&index| split.label(index as usize)));
        let images = x.chunks_exact_mut(split.image_len().max(1));
        for (&index, out) in order.iter().zip(images) {
            let view = match &mut self.training {
                Some(training) => View::draw(&training.augment, &mut training.draws),
                None => View::WHOLE,
            };
            self.row.write(split.image(index as usize), view, out);
        }
    }
}

/// Images that a training epoch takes of `all` in batches of `batch`.
///
/// Unsaid, a last batch that is not full is taken only where it has at least half the batch size, and at least 2 images:
/// a gradient of few images is noisy at the full learning rate, and batch norm needs two values for a variance. `all` images
/// that are less than half a batch are then one batch, since there would otherwise be none, and a batch size of 1 gives
/// batches of 1. `drop_last` true leaves out every batch that is not full, as PyTorch's `DataLoader` does; false takes it
/// however short it is.
pub fn epoch_images(all: usize, batch: usize, drop_last: Option<bool>) -> usize {
    let batch = batch.max(1);
    let short = all % batch;
    let is_dropped = drop_last.unwrap_or(all > batch && short < batch.div_ceil(2).max(2));
    if is_dropped { all - short } else { all }
}

/// How an image is seen in one epoch: shifted down and right by up to the padding, either sign, then mirrored or not.
#[derive(Debug, Clone, Copy, PartialEq)]
struct View {
    /// Row and column of the image that land in the top left corner; outside it there is padding.
    top: isize,
    left: isize,
    flip: bool,
}

impl View {
    const WHOLE: View = View { top: 0, left: 0, flip: false };

    /// Two 32-bit numbers an image, whatever is switched on: the draws of the n-th image start at the n-th pair.
    fn draw(augment: &Augment, draws: &mut ChaCha8Rng) -> View {
        let (position, coin) = (draws.next_u32(), draws.next_u32());
        let pad = augment.pad_crop;
        let shifts = 2 * pad + 1;
        let cell = below(position, shifts * shifts);
        View {
            top: (cell / shifts) as isize - pad as isize,
            left: (cell % shifts) as isize - pad as isize,
            flip: augment.flip && coin >> 31 == 1,
        }
    }
}

/// Writes images row by row as `byte * scale + shift`, with one scale and shift for each number of a row, so that the inner
/// loop is three plain slices and vectorises.
#[derive(Debug)]
struct RowWriter {
    height: usize,
    width: usize,
    pad: Pad,
    scale: Vec<f32>,
    shift: Vec<f32>,
    /// What a row of padding is, where it is one colour.
    padding: Vec<f32>,
    mirrored: Vec<u8>,
    reflected: Vec<u8>,
}

impl RowWriter {
    fn new(split: &Split, pad: Pad) -> RowWriter {
        let (height, width) = split.side();
        let channels = split.normalisation().scale_and_shift();
        let row = || (0..width).flat_map(|_| channels);
        let shift: Vec<f32> = row().map(|(_, shift)| shift).collect();
        RowWriter {
            height,
            width,
            pad,
            scale: row().map(|(scale, _)| scale).collect(),
            // A black byte is 0, so what becomes of it is the shift.
            padding: if pad == Pad::Black { shift.clone() } else { vec![0.0; shift.len()] },
            shift,
            mirrored: vec![0; width * CHANNELS],
            reflected: vec![0; width * CHANNELS],
        }
    }

    fn write(&mut self, image: &[u8], view: View, out: &mut [f32]) {
        let length = self.width * CHANNELS;
        // The columns of the image that are seen, and how many of padding come before them.
        let (from, seen, padded) = match self.pad {
            Pad::Reflect => (0, self.width, 0),
            Pad::Zero | Pad::Black => (
                view.left.max(0) as usize,
                self.width.saturating_sub(view.left.unsigned_abs()),
                (-view.left).max(0) as usize,
            ),
        };
        // Mirrored, what was left of the seen columns is right of them.
        let before = if view.flip { self.width - seen - padded } else { padded };
        for (y, out) in out.chunks_exact_mut(length).enumerate() {
            let mut row = y as isize + view.top;
            if self.pad == Pad::Reflect {
                row = reflect(row, self.height) as isize;
            }
            if row < 0 || row >= self.height as isize {
                out.copy_from_slice(&self.padding);
                continue;
            }
            let start = (row as usize * self.width + from) * CHANNELS;
            let mut bytes = &image[start..start + seen * CHANNELS];
            if self.pad == Pad::Reflect && view.left != 0 {
                reflect_row(bytes, view.left, &mut self.reflected);
                bytes = &self.reflected;
            }
            if view.flip {
                let mirrored = &mut self.mirrored[..seen * CHANNELS];
                mirror(bytes, mirrored);
                bytes = mirrored;
            }
            let (left, rest) = out.split_at_mut(before * CHANNELS);
            let (middle, right) = rest.split_at_mut(seen * CHANNELS);
            left.copy_from_slice(&self.padding[..left.len()]);
            right.copy_from_slice(&self.padding[..right.len()]);
            // A row starts with red wherever it is cut, so scale and shift are read from their start.
            let factors = self.scale.iter().zip(&self.shift);
            for ((out, &byte), (&scale, &shift)) in middle.iter_mut().zip(bytes).zip(factors) {
                *out = f32::from(byte) * scale + shift;
            }
        }
    }
}

/// A row of pixels from its pixel `left` on, reflected beyond its ends.
fn reflect_row(row: &[u8], left: isize, out: &mut [u8]) {
    let pixels = row.as_chunks::<CHANNELS>().0;
    for (x, out) in out.as_chunks_mut::<CHANNELS>().0.iter_mut().enumerate() {
        *out = pixels[reflect(x as isize + left, pixels.len())];
    }
}

/// The place within 0 to `n` that a place less than `n` beyond an end is reflected to; the ends are not repeated.
fn reflect(at: isize, n: usize) -> usize {
    let last = n as isize - 1;
    let at = at.abs();
    (if at > last { 2 * last - at } else { at }) as usize
}

/// Pixels of a row from right to left.
fn mirror(row: &[u8], out: &mut [u8]) {
    let pixels = row.as_chunks::<CHANNELS>().0;
    for (out, pixel) in out.as_chunks_mut::<CHANNELS>().0.iter_mut().zip(pixels.iter().rev()) {
        *out = *pixel;
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
