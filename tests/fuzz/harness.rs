//! Runs a reader on mutated inputs within its limits, and keeps what fails.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use arbtest::arbtest;
use peak_alloc::PeakAlloc;

use crate::mutation::{Pools, Words, mutate};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What one input may take. A reader needs milliseconds; the machine that tests may be busy.
const TIME: Duration = Duration::from_secs(10);
/// An input has at most [`LONGEST`] bytes.
const BYTES: usize = 256 << 20;
pub const LONGEST: usize = 1 << 16;

/// A reader of text, with what must hold of whatever it reads.
pub trait Reader {
    /// Its folder in `corpus/`.
    fn name(&self) -> &'static str;

    /// Reads the input and checks what came out: `Ok` and `Err` are two kinds of a proper outcome, in a few words; a panic is
    /// a failure.
    fn read(&self, input: &[u8]) -> Result<String, String>;
}

/// What became of the inputs of a reader.
pub struct Tally {
    reader: &'static str,
    pub executions: u64,
    pub read: u64,
    pub refused: u64,
    kinds: usize,
    corpus: usize,
    slowest: Duration,
    largest: usize,
    elapsed: Duration,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reader, executions, read, refused, kinds, corpus, slowest, largest, elapsed } = self;
        write!(
            f,
            "{reader}: {executions} executions in {:.0} s ({read} read, {refused} refused) from {corpus} files, {kinds} kinds of outcome, \
             slowest {:.1} ms, most memory {:.1} MiB",
            elapsed.as_secs_f64(),
            slowest.as_secs_f64() * 1e3,
            *largest as f64 / f64::from(1 << 20)
        )
    }
}

/// Reads the corpus, then mutations of it until the time is over.
pub fn fuzz(reader: &dyn Reader, time: Duration) -> Tally {
    let corpus = corpus(reader.name());
    let words = Words::of(&corpus);
    let watch = Watch::start(reader.name());
    let mut tally = Tally {
        reader: reader.name(),
        executions: 0,
        read: 0,
        refused: 0,
        kinds: 0,
        corpus: corpus.len(),
        slowest: Duration::ZERO,
        largest: 0,
        elapsed: Duration::ZERO,
    };
    let begun = Instant::now();
    let mut kinds = HashSet::new();
    // Where the outcome is of a new kind: whether the input was read.
    let mut run = |input: &[u8]| -> Option<bool> {
        let outcome = guarded(reader, input, &watch, &mut tally);
        tally.executions += 1;
        *(if outcome.is_ok() { &mut tally.read } else { &mut tally.refused }) += 1;
        let read = outcome.is_ok();
        let new = kinds.insert(outcome);
        tally.kinds = kinds.len();
        new.then_some(read)
    };
    for input in &corpus {
        run(input);
    }
    // What was refused is worth a mutation now and then; most begin with what was read.
    let mut pools = Pools { read: corpus, refused: Vec::new() };
    arbtest(|choices| {
        let input = mutate(choices, &pools, &words)?;
        match run(&input) {
            Some(true) => pools.read.push(input),
            Some(false) => pools.refused.push(input),
            None => {}
        }
        Ok(())
    })
    .size_max(512)
    .budget(time)
    .run();
    tally.elapsed = begun.elapsed();
    tally
}

/// One input, within the limits.
fn guarded(reader: &dyn Reader, input: &[u8], watch: &Watch, tally: &mut Tally) -> Result<String, String> {
    watch.begin(input);
    MEMORY.reset_peak_usage();
    let (before, begun) = (MEMORY.current_usage(), Instant::now());
    let outcome = catch_unwind(AssertUnwindSafe(|| reader.read(input)));
    let (time, bytes) = (begun.elapsed(), MEMORY.peak_usage().saturating_sub(before));
    watch.end();
    tally.slowest = tally.slowest.max(time);
    tally.largest = tally.largest.max(bytes);
    let outcome = outcome.unwrap_or_else(|panic| {
        println!("{}: an input panicked, kept as {}", reader.name(), keep(reader.name(), input).display());
        resume_unwind(panic)
    });
    if time > TIME || bytes > BYTES {
        let path = keep(reader.name(), input);
        panic!("{}: an input took {time:?} and {bytes} bytes, kept as {}", reader.name(), path.display());
    }
    outcome
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name)
}

/// The files of a reader's corpus, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Writes an input that failed into the corpus.
fn keep(name: &str, input: &[u8]) -> PathBuf {
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    let path = folder(name).join(format!("found-{hash:016x}"));
    fs::write(&path, input).unwrap();
    path
}

/// An input under way, and since when.
type Current = Option<(Instant, Vec<u8>)>;

/// The input under way, for what cannot be caught: one without end is kept and ends the process, and one that overflows the
/// stack or aborts is found in the file.
struct Watch {
    current: Arc<Mutex<Current>>,
    file: PathBuf,
    /// Closed when the watch goes.
    _open: mpsc::Sender<()>,
}

impl Watch {
    fn start(name: &'static str) -> Self {
        let current = Arc::new(Mutex::new(Current::None));
        let (open, closed) = mpsc::channel();
        let watched = Arc::clone(&current);
        thread::spawn(move || {
            while closed.recv_timeout(Duration::from_millis(200)) == Err(mpsc::RecvTimeoutError::Timeout) {
                let current = watched.lock().unwrap();
                if let Some((since, input)) = &*current
                    && (since.elapsed() > 2 * TIME || MEMORY.current_usage() > 8 * BYTES)
                {
                    eprintln!("{name}: an input does not end, kept as {}", keep(name, input).display());
                    std::process::exit(101);
                }
            }
        });
        // In memory where the system has such a place: there is one write for every input.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
        let file = folder.join(format!("blocksmith-fuzz-{name}-{}", std::process::id()));
        Self { current, file, _open: open }
    }

    fn begin(&self, input: &[u8]) {
        fs::write(&self.file, input).unwrap();
        *self.current.lock().unwrap() = Some((Instant::now(), input.to_vec()));
    }

    fn end(&self) {
        *self.current.lock().unwrap() = None;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}
