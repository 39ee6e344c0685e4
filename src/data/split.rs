//! Splits: which images are trained on, which compare candidates, which are kept for the end.
//!
//! The validation split is held out of the official training images, class by class in proportion, from the study's seed;
//! then each split is cut to its limit, class by class in proportion. A class is taken in one shuffled order, so a smaller
//! limit of the same seed gives a subset of a larger one's images (up to the rounding of shares).

use std::sync::Arc;

use rand::seq::SliceRandom;

use super::dataset::{CHANNELS, Dataset, Pool};
use super::normalise::Normalisation;
use super::stream::stream;
use crate::config::Limit;
use crate::error::{Error, Result};
use crate::text::thousands;

/// Some images of a pool, with the normalisation that their batches get. Cheap to clone: the pixels are shared.
#[derive(Debug, Clone)]
pub struct Split {
    pool: Arc<Pool>,
    /// Rows of the pool, ascending.
    rows: Vec<u32>,
    side: (usize, usize),
    normalisation: Normalisation,
}

impl Split {
    pub(super) fn new(
        pool: Arc<Pool>,
        rows: Vec<u32>,
        side: (usize, usize),
        normalisation: Normalisation,
    ) -> Split {
        Split { pool, rows, side, normalisation }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the split has no image.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Height and width of every image in pixels.
    pub fn side(&self) -> (usize, usize) {
        self.side
    }

    /// What batches are normalised by.
    pub fn normalisation(&self) -> &Normalisation {
        &self.normalisation
    }

    /// Numbers of one image, `H * W * 3`.
    pub fn image_len(&self) -> usize {
        self.side.0 * self.side.1 * CHANNELS
    }

    /// Pixels of the image at `index` of this split, `(H, W, 3)` bytes.
    pub fn image(&self, index: usize) -> &[u8] {
        self.pool.image(self.rows[index] as usize)
    }

    /// Label of the image at `index` of this split.
    pub fn label(&self, index: usize) -> u32 {
        u32::from(self.pool.labels()[self.rows[index] as usize])
    }
}

/// The test split, closed. Search and training hold it as this type, so neither can read it by accident: only
/// [`open_test`](TestSplit::open_test) gives its images, and the trainer's `test`, the study's last step, is the one place
/// that calls it.
#[derive(Debug, Clone)]
pub struct TestSplit(Split);

impl TestSplit {
    pub(super) fn new(split: Split) -> TestSplit {
        TestSplit(split)
    }

    /// Number of images; knowing it gives nothing away.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the split has no image.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Opens the test split: once per trial, after every decision is made, with the event that says so in the journal.
    pub fn open_test(&self) -> &Split {
        &self.0
    }
}

/// Rows of each split: of the training pool, the training pool, and the test pool; ascending.
#[derive(Debug, PartialEq)]
pub(super) struct Rows {
    pub train: Vec<u32>,
    pub validation: Vec<u32>,
    pub test: Vec<u32>,
}

/// Draws the splits of `dataset`: `validation` of its training images (a fraction below 1, or a number) and the limits.
///
/// # Errors
/// A hold-out or limit that is no number of images this data set can give.
pub(super) fn rows(dataset: &Dataset, validation: f64, limit: &Limit, seed: u64) -> Result<Rows> {
    let classes = dataset.classes.len();
    let mut train = by_class(&dataset.train, classes, "hold-out", seed)?;
    let mut test = by_class(&dataset.test, classes, "test", seed)?;
    let held = held_out(validation, dataset.train.len())?;
    let mut held_rows = take(&mut train, held);
    if let Some(class) = train.iter().position(Vec::is_empty) {
        return Err(Error::request(format!(
            "data.validation: {validation} leaves no training image of class `{}`: hold out fewer",
            dataset.classes[class]
        )));
    }
    let cut = |groups: &mut Vec<Vec<u32>>, limit: Option<usize>, name: &str| match limit {
        Some(limit) if limit < classes => Err(Error::request(format!(
            "data.limit.{name}: {limit} is less than one image for each of the {classes} classes"
        ))),
        limit => Ok(flat(take(groups, limit.unwrap_or(usize::MAX)))),
    };
    Ok(Rows {
        train: cut(&mut train, limit.train, "train")?,
        validation: cut(&mut held_rows, limit.validation, "validation")?,
        test: cut(&mut test, limit.test, "test")?,
    })
}

/// Whether a number of images looks like a percentage: `validation: 20` of tens of thousands.
pub(super) fn warnings(split: &str, held: f64, images: usize) -> Vec<String> {
    let looks = (2.0..100.0).contains(&held) && held < images as f64 / 20.0;
    let sentence = || {
        format!(
            "data.{split}: {held} holds out {held} of {} images; for {held} % write {}",
            thousands(images as u64),
            held / 100.0
        )
    };
    looks.then(sentence).into_iter().collect()
}

/// Number of images that `validation` holds out of `images`.
fn held_out(validation: f64, images: usize) -> Result<usize> {
    let refuse = |why: String| Err(Error::request(format!("data.validation: {validation} {why}")));
    if !validation.is_finite() || validation <= 0.0 {
        return refuse("holds out no image, and candidates are compared by the validation split: give a fraction below 1 or a number of images".into());
    }
    let count = if validation < 1.0 {
        (validation * images as f64).round()
    } else if validation.fract() == 0.0 {
        validation
    } else {
        return refuse("is neither a fraction below 1 nor a whole number of images".into());
    };
    if count < 1.0 || count >= images as f64 {
        return refuse(format!(
            "holds {count} images out of {images}, and both training and validation need some"
        ));
    }
    Ok(count as usize)
}

/// Rows of each class, shuffled by a stream of its own.
fn by_class(pool: &Pool, classes: usize, purpose: &str, seed: u64) -> Result<Vec<Vec<u32>>> {
    let mut groups = vec![Vec::new(); classes];
    for (row, &label) in pool.labels().iter().enumerate() {
        let group = groups.get_mut(usize::from(label)).ok_or_else(|| {
            Error::run(format!("image {row} has label {label}, and there are {classes} classes"))
        })?;
        group.push(row as u32);
    }
    for (class, group) in groups.iter_mut().enumerate() {
        group.shuffle(&mut stream(purpose, seed, class as u64));
    }
    Ok(groups)
}

/// Takes `count` rows (or all, if there are fewer) off the front of the groups, each in proportion to its size.
fn take(groups: &mut [Vec<u32>], count: usize) -> Vec<Vec<u32>> {
    let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
    groups
        .iter_mut()
        .zip(shares(&sizes, count))
        .map(|(group, share)| group.drain(..share).collect())
        .collect()
}

/// Shares of `count` in proportion to `sizes`, by largest remainders (Hamilton's method), ties to the first: they sum to
/// `count`, or to all there is, and none exceeds its size.
fn shares(sizes: &[usize], count: usize) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    if count >= total {
        return sizes.to_vec();
    }
    // count < total, so count * size / total < size wherever size > 0: adding the remainder's one never exceeds it.
    let exact = |size: usize| count as u128 * size as u128;
    let mut shares: Vec<usize> = sizes.iter().map(|&size| (exact(size) / total as u128) as usize).collect();
    let missing = count - shares.iter().sum::<usize>();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&group| (std::cmp::Reverse(exact(sizes[group]) % total as u128), group));
    for &group in order.iter().take(missing) {
        shares[group] += 1;
    }
    shares
}

fn flat(groups: Vec<Vec<u32>>) -> Vec<u32> {
    let mut rows: Vec<u32> = groups.into_iter().flatten().collect();
    rows.sort_unstable();
    rows
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
