//! What large buffers want of the system: huge pages, and their memory back at once when they are dropped.
#![allow(unsafe_code)]

/// Where the system gives huge pages on request, asks for them for `buffer`, whose pages nobody has touched yet.
#[cfg(target_os = "linux")]
pub fn advise<E>(buffer: &mut [E]) {
    const HUGE: usize = 2 << 20;
    let start = buffer.as_mut_ptr() as usize;
    let end = start + size_of_val(buffer);
    let (first, last) = (start.next_multiple_of(HUGE), end / HUGE * HUGE);
    if first < last {
        // SAFETY: the range lies inside `buffer`, which is borrowed mutably, and the advice changes no contents. It may be
        // refused, which is no error: pages then stay small.
        unsafe { libc::madvise(first as *mut libc::c_void, last - first, libc::MADV_HUGEPAGE) };
    }
}

/// Other systems decide for themselves.
#[cfg(not(target_os = "linux"))]
pub fn advise<E>(_: &mut [E]) {}

/// Keeps glibc from moving large buffers into its heap, where freed ones leave holes: once it has seen one freed, it would
/// serve everything up to 32 MiB from there.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep_large_buffers_apart() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    // SAFETY: sets a number in the allocator, which is safe at any time.
    ONCE.call_once(|| unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 4 << 20);
    });
}

/// Other allocators have no such habit that we know of.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_large_buffers_apart() {}
