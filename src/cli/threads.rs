//! The threads that all commands share, for reading and counting; trials have their own.

use rayon::ThreadPoolBuilder;

use crate::error::{Error, Result};
use crate::study::environment::cores;

/// Threads for each core that are still of use to someone who asks for them.
const FOR_EACH_CORE: usize = 16;

/// Starts them: as many as there are cores, or what `RAYON_NUM_THREADS` asks for, within reason.
///
/// # Errors
/// Where the system gives no thread.
pub fn start() -> Result<()> {
    let asked = std::env::var("RAYON_NUM_THREADS").ok();
    let wanted = wanted(asked.as_deref(), cores());
    let build = |threads| ThreadPoolBuilder::new().num_threads(threads).build_global();
    // Where there is a pool already, as in a test, it is that one.
    build(wanted).or_else(|_| build(1)).or_else(|e| {
        if rayon::current_num_threads() > 0 {
            Ok(())
        } else {
            Err(Error::run(format!("cannot start threads ({e})")))
        }
    })
}

fn wanted(asked: Option<&str>, cores: usize) -> usize {
    match asked.and_then(|text| text.trim().parse::<usize>().ok()) {
        Some(threads @ 1..) => threads.min(FOR_EACH_CORE * cores),
        _ => cores,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_what_makes_sense() {
        assert_eq!(wanted(None, 2), 2);
        assert_eq!(wanted(Some("4"), 2), 4);
        assert_eq!(wanted(Some("100000"), 2), 32);
        for nonsense in ["0", "-1", "many", "", "99999999999999999999999"] {
            assert_eq!(wanted(Some(nonsense), 2), 2, "{nonsense}");
        }
    }
}
