//! A pool of large buffers: page faults cost more than arithmetic when every step allocates anew.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use super::Real;

/// Free buffers, shared by all trials of the process.
pub struct Pool<E> {
    state: Mutex<State<E>>,
}

struct State<E> {
    /// Sorted by capacity.
    free: Vec<Vec<E>>,
    /// Elements in buffers that are in use, now and at most since the start.
    live: usize,
    most_live: usize,
}

impl<E> State<E> {
    fn free_elements(&self) -> usize {
        self.free.iter().map(Vec::capacity).sum()
    }
}

impl<E: Real> Pool<E> {
    /// An empty pool.
    pub const fn new() -> Self {
        Self { state: Mutex::new(State { free: Vec::new(), live: 0, most_live: 0 }) }
    }

    /// A buffer of `len` elements with unspecified (but initialised) contents.
    fn take(&self, len: usize) -> Vec<E> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = state.free.partition_point(|buffer| buffer.capacity() < len);
        let fits = state.free.get(at).is_some_and(|buffer| buffer.capacity() <= len + len / 2 + 1024);
        let mut buffer = if fits { state.free.remove(at) } else { Vec::new() };
        if !fits {
            // What lies unused in other sizes must not grow the process much beyond what is needed at once.
            let needed = state.most_live.max(state.live + len);
            while state.live + len + state.free_elements() > needed + needed / 8 && !state.free.is_empty() {
                let largest = state.free.pop();
                drop(largest);
            }
        }
        state.live += if fits { buffer.capacity() } else { len };
        state.most_live = state.most_live.max(state.live);
        drop(state);
        if !fits {
            return vec![E::ZERO; len];
        }
        buffer.resize(len, E::ZERO);
        buffer
    }

    /// Elements in buffers that are in use now.
    pub fn live(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).live
    }

    /// The most elements that were in use at once since the process started.
    pub fn most_live(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).most_live
    }

    fn give(&self, buffer: Vec<E>) {
        if buffer.capacity() == 0 {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.live = state.live.saturating_sub(buffer.capacity());
        let at = state.free.partition_point(|other| other.capacity() < buffer.capacity());
        state.free.insert(at, buffer);
    }
}

/// A buffer from the pool; returns to it when dropped.
#[derive(Debug)]
pub struct Buf<E: Real>(Vec<E>);

impl<E: Real> Buf<E> {
    /// A buffer of `len` elements with unspecified contents: write before reading.
    pub fn take(len: usize) -> Self {
        Self(E::pool().take(len))
    }

    /// A buffer of `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Self::take(len);
        buffer.fill(E::ZERO);
        buffer
    }

    /// Hands the storage over, to dfdx's `Gradients` for instance.
    pub fn into_vec(mut self) -> Vec<E> {
        std::mem::take(&mut self.0)
    }

    /// Adopts storage that came from [`into_vec`](Self::into_vec).
    pub fn from_vec(vec: Vec<E>) -> Self {
        Self(vec)
    }
}

impl<E: Real> Drop for Buf<E> {
    fn drop(&mut self) {
        E::pool().give(std::mem::take(&mut self.0));
    }
}

impl<E: Real> Deref for Buf<E> {
    type Target = [E];
    fn deref(&self) -> &[E] {
        &self.0
    }
}

impl<E: Real> DerefMut for Buf<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        &mut self.0
    }
}
