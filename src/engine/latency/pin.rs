//! Threads held to cores.

/// Holds the calling thread, and those that it starts from now on, to as many of its cores as there are threads; false where
/// there are fewer, or the system does not let it. The last cores are taken: systems do their own work on the first.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn hold(threads: usize) -> bool {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let Ok(allowed) = sched_getaffinity(None) else { return false };
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    let Some(first) = cores.len().checked_sub(threads.max(1)) else { return false };
    let mut held = CpuSet::new();
    cores[first..].iter().for_each(|core| held.set(*core));
    sched_setaffinity(None, &held).is_ok()
}

/// Other systems hold no thread to a core, or ask for libraries of their own.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn hold(_threads: usize) -> bool {
    false
}
