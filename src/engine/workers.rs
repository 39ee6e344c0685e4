//! Threads inside one trial: fixed chunks of work, results in chunk order, so that bits do not depend on threads.

use rayon::prelude::*;

use crate::error::{Error, Result};

/// Chunks that a batch is cut into, whatever the number of threads.
pub const CHUNKS: usize = 8;

/// The threads of one trial.
pub struct Workers {
    pool: Option<rayon::ThreadPool>,
}

impl Workers {
    /// `threads` threads; one runs on the calling thread.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(threads: usize) -> Result<Self> {
        if threads <= 1 {
            return Ok(Self { pool: None });
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|e| Error::run(format!("cannot start {threads} threads: {e}; use fewer")))?;
        Ok(Self { pool: Some(pool) })
    }

    /// How many there are.
    pub fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, rayon::ThreadPool::current_num_threads)
    }

    /// `work` on every chunk; results in order.
    pub fn map<T: Send, R: Send>(&self, chunks: Vec<T>, work: impl Fn(T) -> R + Sync + Send) -> Vec<R> {
        match &self.pool {
            None => chunks.into_iter().map(work).collect(),
            Some(pool) => pool.install(|| chunks.into_par_iter().map(work).collect()),
        }
    }
}

/// The image ranges of the chunks of a batch of `images`.
pub fn chunks(images: usize) -> Vec<std::ops::Range<usize>> {
    let each = images.div_ceil(CHUNKS).max(1);
    (0..images).step_by(each).map(|start| start..start.saturating_add(each).min(images)).collect()
}

/// Cuts `buffer`, `per_image` elements an image, at the borders of the chunks of a batch.
pub fn split<E>(buffer: &mut [E], images: usize, per_image: usize) -> Vec<&mut [E]> {
    let each = images.div_ceil(CHUNKS).max(1);
    buffer.chunks_mut((each * per_image).max(1)).collect()
}
