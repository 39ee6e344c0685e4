//! How long a batch takes to make on this machine.

use std::sync::Arc;
use std::time::Instant;

use super::batch::Batcher;
use super::dataset::{CHANNELS, Pool};
use super::normalise::Normalisation;
use super::split::Split;
use crate::config::Augment;
use crate::error::Result;

/// Bytes of images that batches are made from: more than caches hold, as a real data set is.
const POOL: usize = 32 << 20;
/// Batches that are timed.
const BATCHES: usize = 15;

/// Seconds that a batch of `batch` images of `side` (height, width) takes at the median, made by the code that training
/// uses from bytes that look like nothing: shuffled, cropped from a padding of 4, flipped and normalised where `training`,
/// else only normalised.
///
/// # Errors
/// None for images that have pixels.
pub fn seconds(side: (usize, usize), batch: usize, training: bool) -> Result<f64> {
    let bytes = side.0 * side.1 * CHANNELS;
    let (batch, images) = (batch.max(1), (POOL / bytes.max(1)).max(1));
    let hash = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 24) as u8;
    let pool = Pool::from_parts(side, (0..images * bytes).map(hash).collect(), vec![0; images])?;
    // Rows come again where the pool has fewer images than there are to be: a batch may be larger than it.
    let rows = (0..(batch * (BATCHES + 1)).max(images)).map(|row| (row % images) as u32).collect();
    let normalisation = Normalisation { mean: [0.5; CHANNELS], std: [0.25; CHANNELS] };
    let split = Split::new(Arc::new(pool), rows, side, normalisation);
    let mut batches = if training {
        Batcher::train(&split, batch, 1, Augment::USUAL)
    } else {
        Batcher::eval(&split, batch)
    };
    let (mut x, mut y) = (Vec::new(), Vec::new());
    // The first batch allocates, as the first of a training does.
    batches.next_batch(&mut x, &mut y);
    let mut times = [0.0; BATCHES];
    for time in &mut times {
        let start = Instant::now();
        batches.next_batch(&mut x, &mut y);
        *time = start.elapsed().as_secs_f64();
    }
    times.sort_by(f64::total_cmp);
    Ok(times[BATCHES / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_batch_of_any_images_is_timed() {
        for (side, batch) in [((32, 32), 64), ((1, 1), 1), ((3, 4), 70_000), ((4096, 2), 2)] {
            for training in [false, true] {
                let seconds = seconds(side, batch, training).unwrap();
                assert!(seconds > 0.0 && seconds < 60.0, "{side:?} {batch}: {seconds}");
            }
        }
    }
}
