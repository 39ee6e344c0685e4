//! Memory from the system, in large pieces that are kept.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed};

use super::ranges::Ranges;

/// A piece of memory and what of it is free. Pages that nobody has used yet cost nothing.
pub struct Segment {
    start: usize,
    len: usize,
    ranges: Ranges,
}

/// Size of a huge page where there are such.
const HUGE: usize = 2 << 20;
/// Asked of the system at once, where it gives as much.
const SEGMENT: usize = 1 << 30;

impl Segment {
    /// A piece in which `at_least` bytes are free; all of it is zeros. `None` where the system gives none.
    pub fn new(at_least: usize) -> Option<Self> {
        let ask = |len: usize| {
            let layout = Layout::from_size_align(len.checked_add(HUGE)?, 16).ok()?;
            // SAFETY: the size is not zero.
            let start = unsafe { alloc_zeroed(layout) } as usize;
            (start != 0).then_some((start.next_multiple_of(HUGE), len))
        };
        let least = at_least.checked_next_multiple_of(HUGE)?;
        let (start, len) = ask(least.max(SEGMENT)).or_else(|| ask(least))?;
        advise(start, len);
        Some(Self { start, len, ranges: Ranges::new(len) })
    }

    /// The address of `len` free bytes.
    pub fn take(&mut self, len: usize) -> Option<usize> {
        Some(self.start + self.ranges.take(len)?)
    }

    /// Gives bytes back; false where they are not from here.
    pub fn give(&mut self, address: usize, len: usize) -> bool {
        let is_mine = (self.start..self.start + self.len).contains(&address);
        if is_mine {
            self.ranges.give(address - self.start, len);
        }
        is_mine
    }
}

/// Asks for huge pages, where the system gives them on request.
#[cfg(target_os = "linux")]
fn advise(start: usize, len: usize) {
    // SAFETY: the range lies inside a piece of memory that is ours, and the advice changes no contents. It may be refused,
    // which is no error: pages then stay small.
    unsafe { libc::madvise(start as *mut libc::c_void, len, libc::MADV_HUGEPAGE) };
}

/// Other systems decide for themselves.
#[cfg(not(target_os = "linux"))]
fn advise(_: usize, _: usize) {}
