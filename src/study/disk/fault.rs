//! Disks that fail, for tests: the n-th operation below a folder, and if asked all that come after it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::Op;

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Half of the bytes are written, then the disk is full. Other operations than a write fail as with [`Kind::Full`].
    Short,
    /// ENOSPC.
    Full,
    /// EIO.
    Broken,
}

/// What is to fail below a folder, and what has been done there.
#[derive(Debug)]
pub struct Faults {
    folder: PathBuf,
    kind: Kind,
    /// Number of the operation that fails, from 0; none with `usize::MAX`.
    at: usize,
    /// Everything after it fails too: the process as good as died, or the disk was pulled out.
    and_all_after: bool,
    done: Mutex<Done>,
}

#[derive(Debug, Default)]
struct Done {
    operations: Vec<Op>,
    /// The operation that failed first.
    failed: Option<Op>,
    failures: usize,
}

/// Worker threads do the writing, so faults are found by the folder, not by the thread.
static FAULTS: Mutex<Vec<Arc<Faults>>> = Mutex::new(Vec::new());

/// Faults in force, until dropped.
pub struct InForce(Arc<Faults>);

impl Faults {
    /// Makes operation `at` below `folder` fail.
    pub fn start(folder: &Path, kind: Kind, at: usize, and_all_after: bool) -> InForce {
        let done = Mutex::default();
        let faults = Arc::new(Self { folder: folder.to_owned(), kind, at, and_all_after, done });
        FAULTS.lock().unwrap().push(faults.clone());
        InForce(faults)
    }

    fn error(&self) -> io::Error {
        let code = if self.kind == Kind::Broken { libc::EIO } else { libc::ENOSPC };
        io::Error::from_raw_os_error(code)
    }

    /// Counts an operation; whether it fails.
    fn strikes(&self, op: Op) -> bool {
        let mut done = self.done.lock().unwrap();
        let number = done.operations.len();
        done.operations.push(op);
        let strikes = number == self.at || self.and_all_after && number > self.at;
        if strikes {
            done.failed.get_or_insert(op);
            done.failures += 1;
        }
        strikes
    }
}

impl InForce {
    /// Operations so far, failed ones among them.
    pub fn operations(&self) -> Vec<Op> {
        self.0.done.lock().unwrap().operations.clone()
    }

    /// The operation that failed first, and how many failed.
    pub fn failed(&self) -> (Option<Op>, usize) {
        let done = self.0.done.lock().unwrap();
        (done.failed, done.failures)
    }
}

impl Drop for InForce {
    fn drop(&mut self) {
        FAULTS.lock().unwrap().retain(|faults| !Arc::ptr_eq(faults, &self.0));
    }
}

fn faults(path: &Path) -> Option<Arc<Faults>> {
    FAULTS.lock().unwrap().iter().find(|faults| path.starts_with(&faults.folder)).cloned()
}

/// An error, where this operation is to fail.
pub fn on(op: Op, path: &Path) -> io::Result<()> {
    match faults(path) {
        Some(faults) if faults.strikes(op) => Err(faults.error()),
        _ => Ok(()),
    }
}

/// Whether the write that just failed is to leave half of its bytes. Nothing is written by a process that died before it.
pub fn breaks_off(path: &Path) -> bool {
    faults(path).is_some_and(|faults| faults.kind == Kind::Short && faults.done.lock().unwrap().failures == 1)
}
