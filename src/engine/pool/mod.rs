//! A pool of buffers: page faults cost more than arithmetic when every step allocates anew.
//!
//! Large buffers lie in pieces of memory that the process keeps, always in the lowest free place: what a step needs at once
//! is what the process holds, and a page is cleared by the system once. Small ones come from the allocator.
#![allow(unsafe_code)]

mod ranges;
mod system;

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use super::Real;
use crate::text;
use system::Segment;

/// Buffers from this size on come from the pool.
const LARGE: usize = 32 << 10;
/// Sizes of large buffers are multiples of this.
const GRAIN: usize = 4 << 10;

/// The pool of the process, shared by all trials.
static POOL: Mutex<State> = Mutex::new(State { segments: Vec::new(), live: 0, most_live: 0 });

struct State {
    segments: Vec<Segment>,
    /// Bytes in use, now and at most since the start.
    live: usize,
    most_live: usize,
}

/// Bytes of large buffers that are in use now.
pub fn live() -> usize {
    POOL.lock().unwrap_or_else(PoisonError::into_inner).live
}

/// The most bytes of large buffers that were in use at once since the process started or [`forget_most_live`].
pub fn most_live() -> usize {
    POOL.lock().unwrap_or_else(PoisonError::into_inner).most_live
}

/// Counts [`most_live`] from what is in use now.
pub fn forget_most_live() {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    pool.most_live = pool.live;
}

impl State {
    /// The address of so many free bytes; `None` where the system gives no more.
    fn take(&mut self, bytes: usize) -> Option<usize> {
        let address = match self.segments.iter_mut().find_map(|segment| segment.take(bytes)) {
            Some(address) => address,
            None => {
                let mut segment = Segment::new(bytes)?;
                let address = segment.take(bytes)?;
                self.segments.push(segment);
                address
            }
        };
        self.live += bytes;
        self.most_live = self.most_live.max(self.live);
        Some(address)
    }

    fn give(&mut self, address: usize, bytes: usize) {
        self.live -= bytes;
        let _ = self.segments.iter_mut().any(|segment| segment.give(address, bytes));
    }
}

/// What to say where the system gives no memory.
pub fn exhausted(bytes: u64) -> String {
    format!(
        "the system gives no {} of memory more: lower train.batch, give fewer --jobs, or raise the limit on memory",
        text::bytes(bytes)
    )
}

/// A buffer of numbers; its memory goes back when it is dropped.
#[derive(Debug)]
pub struct Buf<E: Real> {
    start: NonNull<E>,
    len: usize,
}

// SAFETY: a `Buf` owns its memory alone, like a `Vec`.
unsafe impl<E: Real> Send for Buf<E> {}
// SAFETY: as above; shared, it is only read.
unsafe impl<E: Real> Sync for Buf<E> {}

impl<E: Real> Buf<E> {
    /// A buffer of `len` elements with unspecified contents: write before reading.
    ///
    /// # Panics
    /// Where the system gives no memory: the study turns that into the failure of the trial that asked.
    pub fn take(len: usize) -> Self {
        let bytes = Self::bytes(len);
        let address = match bytes {
            0 => return Self { start: NonNull::dangling(), len },
            LARGE.. => {
                let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
                pool.take(bytes).unwrap_or_default() as *mut E
            }
            // SAFETY: the size is not zero. Zeroed, so that what is read is at least some number.
            _ => unsafe { alloc_zeroed(Self::layout(bytes)) }.cast::<E>(),
        };
        match NonNull::new(address) {
            Some(start) => Self { start, len },
            None => panic!("{}", exhausted(bytes as u64)),
        }
    }

    /// A buffer of `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Self::take(len);
        buffer.fill(E::ZERO);
        buffer
    }

    /// A copy of `values`.
    pub fn copy_of(values: &[E]) -> Self {
        let mut buffer = Self::take(values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    /// Bytes that a buffer of `len` elements takes.
    fn bytes(len: usize) -> usize {
        let bytes = len.saturating_mul(size_of::<E>());
        if bytes < LARGE { bytes } else { bytes.checked_next_multiple_of(GRAIN).unwrap_or(bytes) }
    }

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 64).unwrap_or(Layout::new::<E>())
    }
}

impl<E: Real> Drop for Buf<E> {
    fn drop(&mut self) {
        match Self::bytes(self.len) {
            0 => {}
            bytes @ LARGE.. => {
                let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
                pool.give(self.start.as_ptr() as usize, bytes);
            }
            // SAFETY: it was allocated with this layout.
            bytes => unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(bytes)) },
        }
    }
}

impl<E: Real> Deref for Buf<E> {
    type Target = [E];
    fn deref(&self) -> &[E] {
        // SAFETY: the memory holds `len` elements, all of them initialised: it was zeros when it came from the system.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<E: Real> DerefMut for Buf<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        // SAFETY: as above, and nobody else has this memory.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}
