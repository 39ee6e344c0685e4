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
    /// Elements that fit into all buffers, in use or free.
    held: usize,
    /// Elements asked for and in use, now and at most since the start.
    live: usize,
    most_live: usize,
}

impl<E: Real> Pool<E> {
    /// A pool without buffers.
    pub const fn empty() -> Self {
        Self { state: Mutex::new(State { free: Vec::new(), held: 0, live: 0, most_live: 0 }) }
    }

    /// A buffer of `len` elements with unspecified (but initialised) contents.
    fn take(&self, len: usize) -> Vec<E> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.live += len;
        state.most_live = state.most_live.max(state.live);
        if let Some(mut buffer) = state.reuse(len) {
            drop(state);
            buffer.resize(len, E::ZERO);
            return buffer;
        }
        let evicted = state.evict(len);
        state.held += len;
        drop(state);
        drop(evicted);
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
        state.live = state.live.saturating_sub(buffer.len());
        let at = state.free.partition_point(|free| free.capacity() < buffer.capacity());
        state.free.insert(at, buffer);
    }
}

impl<E> State<E> {
    /// The smallest free buffer that is large enough, and close to it in size: up to twice as large where a new buffer would
    /// be beyond the budget, since space wasted for a while costs less than pages cleared anew.
    fn reuse(&mut self, len: usize) -> Option<Vec<E>> {
        let at = self.free.partition_point(|free| free.capacity() < len);
        let capacity = self.free.get(at)?.capacity();
        let most = if self.held + len > self.budget() { 2 * len } else { len + len / 4 + 1024 };
        (capacity <= most).then(|| self.free.remove(at))
    }

    /// Makes room for a new buffer: takes out free ones, largest first, so that what lies unused in other sizes does not
    /// grow the process much beyond the most that was needed at once. What a step frees last (its first layers) is what the
    /// next step asks for first: by age, exactly that would go.
    fn evict(&mut self, len: usize) -> Vec<Vec<E>> {
        let mut evicted = Vec::new();
        while self.held + len > self.budget() {
            let Some(buffer) = self.free.pop() else { break };
            self.held -= buffer.capacity();
            evicted.push(buffer);
        }
        evicted
    }

    /// Elements that the process may hold.
    fn budget(&self) -> usize {
        self.most_live + (self.most_live / 24).max(SLACK_BYTES / size_of::<E>())
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

    /// The elements one by one.
    pub fn into_values(self) -> impl Iterator<Item = E> {
        (0..self.len()).map(move |at| self[at])
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
