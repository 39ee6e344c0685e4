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
    free: Vec<Free<E>>,
    /// Buffers given back so far.
    given: u64,
    /// Elements in free buffers.
    idle: usize,
    /// Elements in buffers that are in use, now and at most since the start.
    live: usize,
    most_live: usize,
}

struct Free<E> {
    buffer: Vec<E>,
    /// When it was given back.
    since: u64,
}

impl<E: Real> Pool<E> {
    /// An empty pool.
    pub const fn new() -> Self {
        Self { state: Mutex::new(State { free: Vec::new(), given: 0, idle: 0, live: 0, most_live: 0 }) }
    }

    /// A buffer of `len` elements with unspecified (but initialised) contents.
    fn take(&self, len: usize) -> Vec<E> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = state.free.partition_point(|free| free.buffer.capacity() < len);
        let fits = state.free.get(at).is_some_and(|free| free.buffer.capacity() <= len + len / 4 + 1024);
        let mut buffer = if fits { state.free.remove(at).buffer } else { Vec::new() };
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

    fn give(&self, buffer: Vec<E>) {
        if buffer.capacity() == 0 {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.live = state.live.saturating_sub(buffer.capacity());
        state.idle += buffer.capacity();
        state.given += 1;
        let since = state.given;
        let at = state.free.partition_point(|free| free.buffer.capacity() < buffer.capacity());
        state.free.insert(at, Free { buffer, since });
    }
}

impl<E> State<E> {
    /// Takes out the buffers that have lain idle longest, so that what lies unused in other sizes does not grow the process
    /// beyond the most that was needed at once, and a little.
    fn evict(&mut self) -> Vec<Vec<E>> {
        let mut evicted = Vec::new();
        while self.live + self.idle > self.most_live + self.most_live / 32 {
            let oldest = self.free.iter().enumerate().min_by_key(|(_, free)| free.since);
            let Some((at, _)) = oldest else { break };
            let buffer = self.free.remove(at).buffer;
            self.idle -= buffer.capacity();
            evicted.push(buffer);
        }
        evicted
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
