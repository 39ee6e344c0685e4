//! A data set in memory: two pools of images as bytes.

use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::images::fit;
use super::record::Reading;
use crate::error::{Error, Result};
use crate::text::hex;

/// Channels of every image: red, green, blue.
pub const CHANNELS: usize = 3;

/// Largest side in pixels that images may be brought to; a guard against filling the memory by a slip of the pen.
pub(super) const LARGEST_SIDE: usize = 1024;

/// Images with their labels, in a fixed order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pool {
    /// `(N, H, W, 3)` red, green, blue, one byte each.
    pixels: Vec<u8>,
    labels: Vec<u16>,
    image_bytes: usize,
}

impl Pool {
    /// An empty pool of images of `side` (height, width), with room for `images` of them.
    pub fn with_capacity(side: (usize, usize), images: usize) -> Pool {
        let image_bytes = side.0 * side.1 * CHANNELS;
        Pool {
            pixels: Vec::with_capacity(images.saturating_mul(image_bytes)),
            labels: Vec::with_capacity(images),
            image_bytes,
        }
    }

    /// A pool over pixels already laid out `(N, H, W, 3)`, one label an image.
    ///
    /// # Errors
    /// Where the number of bytes is not the number of labels times the size of an image.
    pub fn from_parts(side: (usize, usize), pixels: Vec<u8>, labels: Vec<u16>) -> Result<Pool> {
        let image_bytes = side.0 * side.1 * CHANNELS;
        if image_bytes.checked_mul(labels.len()) != Some(pixels.len()) {
            return Err(Error::run(format!(
                "{} bytes are not {} images of {}x{}x{CHANNELS}",
                pixels.len(),
                labels.len(),
                side.0,
                side.1
            )));
        }
        Ok(Pool { pixels, labels, image_bytes })
    }

    /// Adds an image that `write` lays down; its slice starts as zeros, `(H, W, 3)`.
    pub(super) fn push_with(&mut self, label: u16, write: impl FnOnce(&mut [u8])) {
        let start = self.pixels.len();
        self.pixels.resize(start + self.image_bytes, 0);
        write(&mut self.pixels[start..]);
        self.labels.push(label);
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether the pool has no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Pixels of one image, `(H, W, 3)`.
    pub fn image(&self, row: usize) -> &[u8] {
        &self.pixels[row * self.image_bytes..(row + 1) * self.image_bytes]
    }

    /// All pixels, `(N, H, W, 3)`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// One label an image.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// Gives every image its label.
    pub(super) fn set_labels(&mut self, labels: Vec<u16>) {
        debug_assert_eq!(labels.len(), self.labels.len());
        self.labels = labels;
    }

    /// Puts the image that is at `order[i]` at `i`, in place; `order` has each row at most once, and rows that it lacks go.
    pub(super) fn reorder(&mut self, mut order: Vec<usize>) {
        let kept = order.len();
        let mut has = vec![false; self.len()];
        order.iter().for_each(|&row| has[row] = true);
        order.extend((0..self.len()).filter(|&row| !has[row]));
        for start in 0..order.len() {
            let mut at = start;
            // One circle of the permutation: each step brings the right image to `at`.
            while order[at] != start {
                let from = order[at];
                self.swap(at, from);
                order[at] = at;
                at = from;
            }
            order[at] = at;
        }
        self.labels.truncate(kept);
        self.pixels.truncate(kept * self.image_bytes);
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.labels.swap(a, b);
        let ((a, b), length) = ((a.min(b), a.max(b)), self.image_bytes);
        let (before, after) = self.pixels.split_at_mut(b * length);
        before[a * length..(a + 1) * length].swap_with_slice(&mut after[..length]);
    }

    /// A pool of some of the images, in the order given.
    pub(super) fn some(&self, rows: &[usize]) -> Pool {
        let mut pool = Pool { image_bytes: self.image_bytes, ..Pool::default() };
        for &row in rows {
            pool.pixels.extend_from_slice(self.image(row));
            pool.labels.push(self.labels[row]);
        }
        pool
    }

    fn digest_into(&self, hash: &mut Sha256) {
        hash.update(&self.pixels);
        let labels: Vec<u8> = self.labels.iter().flat_map(|l| l.to_le_bytes()).collect();
        hash.update(&labels);
    }
}

/// A data set as its format gives it: official training and test images, before anything is held out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    pub train: Pool,
    pub test: Pool,
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// Height and width of every image in pixels.
    pub side: (usize, usize),
    /// For people: format and where it came from.
    pub description: String,
    /// What was noticed while it was read.
    pub reading: Reading,
}

impl Dataset {
    /// SHA-256, as hex, of the training pixels, training labels, test pixels and test labels, in that order; a label is
    /// two bytes, low first. It depends on what the images show, not on how they were stored.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        self.train.digest_into(&mut hash);
        self.test.digest_into(&mut hash);
        hex(&hash.finalize())
    }

    /// Brings every image to `side` by `side` pixels; images that have it are left as they are.
    pub(super) fn fitted(self, side: usize) -> Dataset {
        if self.side == (side, side) {
            return self;
        }
        let (height, width) = self.side;
        let fit_pool = |pool: &Pool| Pool {
            pixels: (0..pool.len())
                .into_par_iter()
                .flat_map_iter(|row| fit_bytes(pool.image(row), (height, width), side))
                .collect(),
            labels: pool.labels.clone(),
            image_bytes: side * side * CHANNELS,
        };
        Dataset {
            train: fit_pool(&self.train),
            test: fit_pool(&self.test),
            classes: self.classes,
            side: (side, side),
            reading: self.reading,
            description: format!("{}, brought from {height}x{width} to {side}x{side}", self.description),
        }
    }
}

/// Whether `data.side` is one that images can be brought to.
pub(super) fn check_side(side: usize) -> Result<()> {
    if (1..=LARGEST_SIDE).contains(&side) {
        return Ok(());
    }
    Err(Error::request(format!(
        "data.side: {side} is not a side in pixels; give one from 1 to {LARGEST_SIDE}, or leave it out for the format's own"
    )))
}

fn fit_bytes(pixels: &[u8], (height, width): (usize, usize), side: usize) -> Vec<u8> {
    // Sides are at most LARGEST_SIDE, so they fit u32; the buffer has the image's size by construction of `Pool`.
    match image::RgbImage::from_raw(width as u32, height as u32, pixels.to_vec()) {
        Some(picture) => fit(picture, side as u32).into_raw(),
        None => vec![0; side * side * CHANNELS],
    }
}

/// The last name of a path, for descriptions: journals and reports are shared, and where a file lay on somebody's disk is
/// nobody else's matter.
pub(super) fn last_name(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = whole.file_name().unwrap_or(whole.as_os_str());
    name.to_string_lossy().into_owned()
}
