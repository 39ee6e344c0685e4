//! A pool of large buffers: page faults cost more than arithmetic when every step allocates anew.

mod system;

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
    /// Elements in free buffers.
    idle: usize,
    /// Elements in buffers that are in use, now and at most since the start.
    live: usize,
    most_live: usize,
}

impl<E: Real> Pool<E> {
    /// A pool without buffers.
    pub const fn empty() -> Self {
        Self { state: Mutex::new(State { free: Vec::new(), idle: 0, live: 0, most_live: 0 }) }
    }

    /// A buffer of `len` elements with unspecified (but initialised) contents.
    fn take(&self, len: usize) -> Vec<E> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = state.free.partition_point(|free| free.capacity() < len);
        let fits = state.free.get(at).is_some_and(|free| free.capacity() <= len + len / 4 + 1024);
        let mut buffer = if fits { state.free.remove(at) } else { Vec::new() };
        let capacity = if fits { buffer.capacity() } else { len };
        state.idle -= buffer.capacity();
        state.live += capacity;
        state.most_live = state.most_live.max(state.live);
        let idle = if fits { Vec::new() } else { state.evict() };
        drop(state);
        drop(idle);
        if fits {
            buffer.resize(len, E::ZERO);
            return buffer;
        }
        system::keep_large_buffers_apart();
        let mut buffer = vec![E::ZERO; len];
        system::advise(&mut buffer);
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
        state.idle += buffer.capacity();
        let at = state.free.partition_point(|free| free.capacity() < buffer.capacity());
        state.free.insert(at, buffer);
    }
}

impl<E> State<E> {
    /// Takes out idle buffers, largest first, so that what lies unused in other sizes does not grow the process much beyond
    /// the most that was needed at once. The largest come back with the fewest calls, and what a step frees last (its first
    /// layers) is what the next step asks for first: evicting by age would throw out exactly that.
    fn evict(&mut self) -> Vec<Vec<E>> {
        let slack = (self.most_live / 24).max(SLACK_BYTES / size_of::<E>());
        let mut evicted = Vec::new();
        while self.live + self.idle > self.most_live + slack {
            let Some(buffer) = self.free.pop() else { break };
            self.idle -= buffer.capacity();
            evicted.push(buffer);
        }
        evicted
    }
}

/// Idle memory that is never worth giving back.
const SLACK_BYTES: usize = 64 << 20;

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
