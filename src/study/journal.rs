//! `journal.jsonl`: one event a line, appended and synced, never changed.
//!
//! A line without its newline was being written when the machine stopped: it did not happen, and is cut off before
//! the next event is appended. Any other line that does not read, or does not follow from the one before it
//! (`chain`), is damage, and said so.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::chain::{Chain, End, Link};
use super::event::{Event, FORMAT, Record};
use super::line::{self, Detail};
use super::rescue::Rescue;
use super::{disk, figures, folder};
use crate::error::{Error, Result};
use crate::file;
use crate::text::{self, one_line};

/// A journal open for appending.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// What is written; what is beyond it is cut off.
    end: Replay,
    /// Whether the system tells two files apart: some file systems give one file another number each time.
    has_identity: bool,
    /// Why nothing more is appended.
    lost: Option<Error>,
    /// Where events go once the journal is not the one any more that was opened.
    rescue: Option<Rescue>,
}

/// How far a journal could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replay {
    /// Whole lines read.
    pub lines: usize,
    /// Bytes of these lines.
    pub whole: u64,
    /// The chain of the last of them.
    pub link: Link,
    /// The last bytes, by which a file is known again.
    tail: [u8; TAIL],
}

/// More than the chain at the end of a line takes.
const TAIL: usize = 24;

impl Replay {
    /// Counts lines of so many bytes, which end with `bytes`.
    fn add(&mut self, lines: usize, bytes: &[u8]) {
        self.lines += lines;
        self.whole += bytes.len() as u64;
        let mut all = self.tail.to_vec();
        all.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
        self.tail.copy_from_slice(&all[all.len() - TAIL..]);
    }

    /// Whether these last bytes are where they should be in `file`, which then stands behind them.
    fn is_in(&self, file: &mut File) -> io::Result<bool> {
        let len = usize::try_from(self.whole).map_or(TAIL, |whole| whole.min(TAIL));
        file.seek(SeekFrom::Start(self.whole - len as u64))?;
        let mut found = vec![0; len];
        match file.read_exact(&mut found) {
            Ok(()) => Ok(found == self.tail[TAIL - len..]),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(e) => Err(e),
        }
    }
}

impl Journal {
    /// Opens the journal at `path` for appending after what [`replay`] read of it; a torn line beyond that is cut off.
    /// With [`Replay::default`] the journal starts from nothing.
    ///
    /// # Errors
    /// A sentence where the file cannot be written, or is not the one any more that was read.
    pub fn open(path: &Path, read: Replay) -> Result<Self> {
        let mut is_same = true;
        let mut open = || -> io::Result<File> {
            let mut file = disk::open(path)?;
            is_same = read.is_in(&mut file)?;
            if is_same {
                disk::cut(&mut file, path, read.whole)?;
                disk::sync(&file, path)?;
                disk::sync_folder(path)?;
            }
            Ok(file)
        };
        let file = open().map_err(|e| folder::unwritten(path, "the journal", 0, &e))?;
        if !is_same {
            return Err(Error::run(format!(
                "{}: the journal was replaced or changed since this command read it: give the same command again",
                path.display()
            )));
        }
        if read.lines == 0 {
            // Of another study that was here.
            let _ = fs::remove_file(End::path(path));
        }
        let has_identity = folder::is_at(&file, path);
        Ok(Self { file, path: path.to_owned(), end: read, has_identity, lost: None, rescue: None })
    }

    /// Appends events, stamped with the time, and returns them once they are on the disk (one sync for all).
    ///
    /// # Errors
    /// [`Error::Run`] where the disk refuses; the journal then ends as it did before, if the disk lets it, and takes no
    /// more events. Where the file at its path is another one, or was changed, all that is known of the study goes to a file
    /// next to it: the journal if it can still be read, else the events that `retold` gives, then these.
    pub fn append(&mut self, events: Vec<Event>, retold: impl FnOnce() -> Vec<Event>) -> Result<Vec<Record>> {
        let records = stamped(events);
        if self.lost.is_none()
            && let Some(what) = self.change()
        {
            self.lose(&what, retold);
        }
        if let Some(error) = &self.lost {
            if let Some(rescue) = &mut self.rescue {
                let _ = rescue.add(&records);
            }
            return Err(error.clone());
        }
        let mut link = self.end.link;
        let lines = chained(&records, &mut link).map_err(|why| self.unwritable(&why))?;
        let written = disk::write(&mut self.file, &self.path, &lines);
        // That a trial has started costs nothing to lose, and the next sync is its sync too.
        let idle = records.iter().all(|record| matches!(record.event, Event::TrialStarted { .. }));
        let synced = || if idle { Ok(()) } else { disk::sync(&self.file, &self.path) };
        if let Err(e) = written.and_then(|()| synced()) {
            // Half a line in the middle would make the journal unreadable, should anything be appended after it; and what
            // a failed sync left behind, a later sync does not bring to the disk.
            let _ = disk::cut(&mut self.file, &self.path, self.end.whole);
            let error = folder::unwritten(&self.path, "the journal", lines.len() as u64, &e);
            self.lost = Some(error.clone());
            return Err(error);
        }
        self.end.add(records.len(), &lines);
        self.end.link = link;
        if records.last().is_some_and(|record| record.event.may_be_last()) {
            End::new(self.end.lines, link).write(&self.path);
        }
        Ok(records)
    }

    /// What happened to the file at the journal's path, where it is not the one any more that this process writes.
    fn change(&mut self) -> Option<String> {
        let is_another = || self.has_identity && !folder::is_at(&self.file, &self.path);
        match fs::metadata(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Some("the journal was removed or renamed".into());
            }
            Err(e) => return Some(format!("the journal cannot be reached any more ({e})")),
            Ok(_) if is_another() => return Some("the journal was replaced by another file".into()),
            // Who took our lock for a stale one and broke it writes to the same file: two journals in one make neither.
            Ok(now) if now.len() > self.end.whole => {
                return Some(
                    "another process has written to this journal (was the lock broken while this one ran?)"
                        .into(),
                );
            }
            Ok(now) if now.len() < self.end.whole => return Some("the journal was cut".into()),
            Ok(_) => {}
        }
        match self.end.is_in(&mut self.file) {
            Ok(true) => None,
            Ok(false) => Some("the journal was changed".into()),
            Err(e) => Some(format!("the journal cannot be read any more ({e})")),
        }
    }

    /// Ends this journal, and saves what is known.
    fn lose(&mut self, what: &str, retold: impl FnOnce() -> Vec<Event>) {
        let path = self.path.display();
        // A file that was removed or renamed is still open here.
        let is_whole = self.end.is_in(&mut self.file).unwrap_or(false);
        let rescued = Rescue::begin(&self.path).and_then(|mut rescue| {
            if is_whole {
                rescue.copy(&mut self.file, self.end.whole, self.end.link)?;
            } else {
                rescue.add(&stamped(retold()))?;
            }
            Ok(rescue)
        });
        let saved = match rescued {
            Ok(rescue) => {
                let saved = rescue.path().display().to_string();
                self.rescue = Some(rescue);
                let choices =
                    if is_whole { "" } else { " (but for the choices that made searched candidates)" };
                format!(
                    "all that it knows of the study is saved in {saved}{choices}: to go on from there, put it back \
                     (mv {saved} {path}) and give the same command again"
                )
            }
            Err(e) => format!("what it knows of the study could not be saved either ({e})"),
        };
        self.lost = Some(Error::run(format!(
            "{path}: {what} while the study ran: this process stops, since nothing more can be kept there; {saved}"
        )));
    }

    fn unwritable(&self, why: &str) -> Error {
        Error::run(format!("{}: an event cannot be written ({why})", self.path.display()))
    }
}

/// Events as of now.
fn stamped(events: Vec<Event>) -> Vec<Record> {
    let at = now();
    events.into_iter().map(|event| Record { at, event }).collect()
}

/// The lines of records, chained to the one before.
///
/// # Errors
/// A clause where one could not be read back: it must not get in.
pub fn chained(records: &[Record], link: &mut Link) -> std::result::Result<Vec<u8>, String> {
    let mut lines = Vec::new();
    for record in records {
        let start = lines.len();
        figures::check(&record.event)?;
        serde_json::to_writer(&mut lines, record).map_err(|e| e.to_string())?;
        // A learning rate that is not a number, say.
        line::parse(&lines[start..], Detail::All).map_err(|e| e.to_string())?;
        link.seal(&mut lines, start);
        lines.push(b'\n');
    }
    Ok(lines)
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
    let mut replay = Replay::default();
    // Before the journal, which may grow meanwhile.
    let end = End::read(path);
    let unreadable = |e: io::Error| {
        Error::request(format!("{}: cannot read the journal ({e}): restore access to it", path.display()))
    };
    let file = match file::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(replay),
        Err(e) => return Err(unreadable(e)),
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    if reader.fill_buf().map_err(unreadable)?.starts_with(file::MARK) {
        reader.consume(file::MARK.len());
        replay.add(0, file::MARK);
    }
    let mut block = Vec::new();
    let mut chain = Chain::new(true);
    loop {
        let torn = match read_block(&mut reader, &mut block).map_err(unreadable)? {
            Block::Lines => false,
            Block::Torn => true,
            Block::Endless => {
                let line = replay.lines + 1 + block.iter().filter(|byte| **byte == b'\n').count();
                return Err(Error::request(format!(
                    "{}:{line}: this line has more than {}, which no event has: name the folder of a study",
                    path.display(),
                    text::bytes(LONGEST)
                )));
            }
        };
        let lines: Vec<&[u8]> = block.split_inclusive(|byte| *byte == b'\n').collect();
        let lines = &lines[..lines.len() - usize::from(torn && !block.is_empty())];
        if let (0, Some(first)) = (replay.lines, lines.first()) {
            chain = Chain::new(check_format(path, first)? >= LINKED);
        }
        let damaged = |line: usize, why: &str| {
            Error::request(format!(
                "{}:{line}: {}: the journal was damaged or edited; restore it from a copy, \
                 or start another study with --out FOLDER",
                path.display(),
                one_line(why)
            ))
        };
        let (read, broken) = rayon::join(|| line::parse_all(lines, detail), || chain.follow(lines));
        for (index, (line, parsed)) in lines.iter().zip(read).enumerate() {
            let number = replay.lines + 1;
            let record = parsed.map_err(|e| {
                // Its line is always 1, and ours is said already.
                let why = e.to_string().replace(" at line 1 column ", " at column ");
                damaged(number, &format!("this is not an event ({why})"))
            })?;
            if let Some((_, why)) = broken.filter(|(at, _)| *at == index) {
                return Err(damaged(number, why));
            }
            each(record).map_err(|why| damaged(number, &why))?;
            replay.add(1, line);
        }
        replay.link = chain.link();
        if torn {
            check_end(path, end.as_ref(), &replay)?;
            return Ok(replay);
        }
    }
}

/// Bytes of a journal read at once: enough lines to share among threads.
const BLOCK: usize = 1 << 20;

/// Bytes of a line, at most: an event with the longest candidate that can be written has far fewer.
const LONGEST: u64 = 256 << 20;

/// What a block is.
enum Block {
    Lines,
    /// The last line has no end, or there is none.
    Torn,
    /// The last line is longer than any event.
    Endless,
}

/// Reads lines until there is a block of them.
fn read_block(reader: &mut impl BufRead, block: &mut Vec<u8>) -> io::Result<Block> {
    block.clear();
    while block.len() < BLOCK {
        let read = reader.by_ref().take(LONGEST).read_until(b'\n', block)?;
        if block.last() != Some(&b'\n') {
            return Ok(if read as u64 == LONGEST { Block::Endless } else { Block::Torn });
        }
        if reader.fill_buf()?.is_empty() {
            break;
        }
    }
    Ok(Block::Lines)
}

/// Looks whether lines are gone from the end of a journal that were there when a run ended.
fn check_end(path: &Path, end: Option<&End>, replay: &Replay) -> Result<()> {
    let Some(end) = end else { return Ok(()) };
    let (shown, note) = (path.display(), End::path(path));
    let note = note.display();
    let lost = end.lost(replay.lines);
    if lost > 0 {
        return Err(Error::request(format!(
            "{shown}:{}: the journal ends here, and {lost} more lines were there when a run ended ({note}): restore it from a \
             copy; or, to go on from what is left, remove {note}",
            replay.lines
        )));
    }
    if end.is_at(replay.lines) && !end.has(replay.link) {
        return Err(Error::request(format!(
            "{shown}: this is another journal than the one that was here when a run ended ({note}): restore that one; or, \
             if this one is right, remove {note}"
        )));
    }
    Ok(())
}

/// The first format whose lines are chained.
const LINKED: u32 = 3;

/// The format that the first line tells. Looks at that line alone, so that a newer format is told apart from damage.
fn check_format(path: &Path, line: &[u8]) -> Result<u32> {
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
        Ok(first) if first.event == "study_started" => Ok(u32::try_from(first.format).unwrap_or(FORMAT)),
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
