//! `journal.jsonl`: one event a line, appended and synced, never changed.
//!
//! A line without its newline was being written when the machine stopped: it did not happen, and is cut off before
//! the next event is appended. Any other line that does not read is damage, and said so.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::event::{Event, FORMAT, Record};
use super::line::{self, Detail};
use super::{disk, folder};
use crate::error::{Error, Result};
use crate::file;
use crate::text::one_line;

/// A journal open for appending.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// Bytes of whole lines; what is beyond them is cut off.
    whole: u64,
    /// Why nothing more is appended.
    lost: Option<Error>,
}

/// How far a journal could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// Whole lines read.
    pub lines: usize,
    /// Bytes of these lines.
    pub whole: u64,
}

impl Journal {
    /// Opens the journal at `path` for appending after its first `whole` bytes, as [`replay`] counted them;
    /// a torn line beyond them is cut off. With `whole` 0 the journal starts anew.
    ///
    /// # Errors
    /// A sentence where the file cannot be written.
    pub fn open(path: &Path, whole: u64) -> Result<Self> {
        let open = || -> io::Result<File> {
            let mut file = disk::open(path)?;
            disk::cut(&mut file, path, whole)?;
            disk::sync(&file, path)?;
            disk::sync_folder(path)?;
            Ok(file)
        };
        let file = open().map_err(|e| folder::unwritten(path, "the journal", 0, &e))?;
        Ok(Self { file, path: path.to_owned(), whole, lost: None })
    }

    /// Appends events, stamped with the time, and returns them once they are on the disk (one sync for all).
    ///
    /// # Errors
    /// [`Error::Run`] where the disk refuses; the journal then ends as it did before, if the disk lets it, and takes no
    /// more events.
    pub fn append(&mut self, events: Vec<Event>) -> Result<Vec<Record>> {
        if let Some(error) = &self.lost {
            return Err(error.clone());
        }
        let at = now();
        let records: Vec<Record> = events.into_iter().map(|event| Record { at, event }).collect();
        let mut lines = Vec::new();
        for record in &records {
            let start = lines.len();
            serde_json::to_writer(&mut lines, record).map_err(|e| self.unwritable(&e))?;
            // What cannot be read back must not get in: a learning rate that is not a number, say.
            serde_json::from_slice::<Record>(&lines[start..]).map_err(|e| self.unwritable(&e))?;
            lines.push(b'\n');
        }
        // Who took our lock for a stale one and broke it writes to the same file: two journals in one are none.
        if self.file.metadata().is_ok_and(|file| file.len() != self.whole) {
            let error = Error::run(format!(
                "{}: another process has written to this journal (was the lock broken while this one ran?): this process stops",
                self.path.display()
            ));
            self.lost = Some(error.clone());
            return Err(error);
        }
        let written = disk::write(&mut self.file, &self.path, &lines);
        // That a trial has started costs nothing to lose, and the next sync is its sync too.
        let idle = records.iter().all(|record| matches!(record.event, Event::TrialStarted { .. }));
        let synced = || if idle { Ok(()) } else { disk::sync(&self.file, &self.path) };
        if let Err(e) = written.and_then(|()| synced()) {
            // Half a line in the middle would make the journal unreadable, should anything be appended after it; and what
            // a failed sync left behind, a later sync does not bring to the disk.
            let _ = disk::cut(&mut self.file, &self.path, self.whole);
            let error = folder::unwritten(&self.path, "the journal", lines.len() as u64, &e);
            self.lost = Some(error.clone());
            return Err(error);
        }
        self.whole += lines.len() as u64;
        Ok(records)
    }

    fn unwritable(&self, e: &serde_json::Error) -> Error {
        Error::run(format!("{}: an event cannot be written as JSON ({e})", self.path.display()))
    }
}

/// Reads the journal at `path` line by line and gives each record, with its line number from 1, to `each`.
/// A torn last line is left out; a file that does not exist has no lines.
///
/// # Errors
/// A sentence with the line where the file cannot be read, is no journal, is of a newer format, is damaged,
/// or where `each` says that the record cannot follow the ones before it.
pub fn replay(path: &Path, each: impl FnMut(Record) -> std::result::Result<(), String>) -> Result<Replay> {
    read(path, Detail::All, each)
}

/// As [`replay`], without the choices of candidates.
///
/// # Errors
/// As [`replay`].
pub fn replay_without_choices(
    path: &Path,
    each: impl FnMut(Record) -> std::result::Result<(), String>,
) -> Result<Replay> {
    read(path, Detail::WithoutChoices, each)
}

fn read(
    path: &Path,
    detail: Detail,
    mut each: impl FnMut(Record) -> std::result::Result<(), String>,
) -> Result<Replay> {
    let mut replay = Replay { lines: 0, whole: 0 };
    let unreadable = |e: io::Error| {
        Error::request(format!("{}: cannot read the journal ({e}): restore access to it", path.display()))
    };
    let file = match file::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(replay),
        Err(e) => return Err(unreadable(e)),
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut block = Vec::new();
    loop {
        let torn = !read_block(&mut reader, &mut block).map_err(unreadable)?;
        let lines: Vec<&[u8]> = block.split_inclusive(|byte| *byte == b'\n').collect();
        let lines = &lines[..lines.len() - usize::from(torn && !block.is_empty())];
        if let (0, Some(first)) = (replay.lines, lines.first()) {
            check_format(path, first)?;
        }
        for (line, parsed) in lines.iter().zip(line::parse_all(lines, detail)) {
            let number = replay.lines + 1;
            parsed
                .map_err(|e| {
                    // Its line is always 1, and ours is said already.
                    let why = e.to_string().replace(" at line 1 column ", " at column ");
                    format!("this is not an event ({why})")
                })
                .and_then(&mut each)
                .map_err(|why| {
                    Error::request(format!(
                        "{}:{number}: {}: the journal was damaged or edited; restore it from a copy, \
                         or start another study with --out FOLDER",
                        path.display(),
                        one_line(&why)
                    ))
                })?;
            replay.lines = number;
            replay.whole += line.len() as u64;
        }
        if torn {
            return Ok(replay);
        }
    }
}

/// Bytes of a journal read at once: enough lines to share among threads.
const BLOCK: usize = 1 << 20;

/// Reads lines until there is a block of them; false where the last has no end, or there is none.
fn read_block(reader: &mut impl BufRead, block: &mut Vec<u8>) -> io::Result<bool> {
    block.clear();
    while block.len() < BLOCK {
        reader.read_until(b'\n', block)?;
        if block.last() != Some(&b'\n') {
            return Ok(false);
        }
        if reader.fill_buf()?.is_empty() {
            break;
        }
    }
    Ok(true)
}

/// Looks at the first line alone, so that a newer format is told apart from damage.
fn check_format(path: &Path, line: &[u8]) -> Result<()> {
    #[derive(Deserialize)]
    struct First {
        event: String,
        format: u64,
    }
    match serde_json::from_slice::<First>(line) {
        Ok(first) if first.event == "study_started" && first.format > u64::from(FORMAT) => {
            Err(Error::request(format!(
                "{}:1: this journal has format {}, and blocksmith {} reads formats up to {FORMAT}: \
                 use the newer blocksmith that wrote it",
                path.display(),
                first.format,
                env!("CARGO_PKG_VERSION")
            )))
        }
        Ok(first) if first.event == "study_started" => Ok(()),
        _ => Err(Error::request(format!(
            "{}:1: this is not the first line of a blocksmith journal: name the folder of a study",
            path.display()
        ))),
    }
}

/// Milliseconds since the Unix epoch; 0 on a machine whose clock is before it.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
