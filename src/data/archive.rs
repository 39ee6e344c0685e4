//! Archives: tar files, packed by gzip, bzip2, xz or Zstandard or not, and zip files, told apart by their contents.
//!
//! An archive is walked twice: first its members are listed, then those that are wanted are read. What members claim about
//! themselves (names, sizes, how often there is one) is held to limits before anything is made of it.

mod packing;
mod tarball;
mod zipped;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::file;
use crate::text;
use packing::Packing;

/// The largest file that is read from an archive or a folder: no single image and no batch is larger.
const LARGEST_FILE: u64 = 512 << 20;

/// Bytes that a member takes in the list besides its name.
const LISTED: u64 = 160;

/// What an archive holds under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Its path with `/` between the parts, without empty parts and `.`.
    pub name: String,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A file of so many bytes.
    File(u64),
    Folder,
    /// The name of another member.
    Link(String),
    /// A device, pipe or socket, by name.
    Special(&'static str),
    /// A file that cannot be read, and why.
    Sealed(&'static str),
}

/// An archive whose members are known.
pub(super) struct Archive {
    path: PathBuf,
    packing: Packing,
    members: Vec<Member>,
    /// The place of each member among all that the file holds.
    numbers: Vec<usize>,
    /// Members that another one of the same name follows.
    pub doubled: usize,
}

/// What is learnt of a member while an archive is walked.
struct Seen {
    name: Vec<u8>,
    what: What,
}

impl Archive {
    /// Lists the archive at `path`. Of members of one name the last counts, as in unpacking.
    ///
    /// # Errors
    /// It is missing, damaged, or no archive; it claims what no archive of images holds; its list does not fit a quarter of
    /// `memory`.
    pub fn open(path: &Path, memory: Option<u64>) -> Result<Archive> {
        let mut file = opened(path)?;
        let packing = Packing::of(&mut file).map_err(|error| not_whole(path, &error))?;
        let packing = packing.map_err(|what| {
            Error::request(format!(
                "{}: {what}: unpack it and give the folder, or pack the images as tar, tar.gz or zip",
                path.display()
            ))
        })?;
        let mut list = List {
            path,
            room: memory.map_or(2 << 30, |memory| memory / 4),
            entries: Vec::new(),
            by_name: HashMap::new(),
            doubled: 0,
        };
        walk(path, packing, memory, |number, seen, _| list.add(number, seen))?;
        let (members, numbers) = list.entries.into_iter().flatten().unzip();
        Ok(Archive { path: path.to_path_buf(), packing, members, numbers, doubled: list.doubled })
    }

    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Reads the members at the places `wanted` of [`members`](Self::members), in the order of the file. `visit` gets each
    /// one's place, its bytes, and how many the archive tells of.
    ///
    /// # Errors
    /// What `visit` returns, or that the archive is damaged.
    pub fn read(
        &self,
        wanted: &BTreeSet<usize>,
        memory: Option<u64>,
        mut visit: impl FnMut(usize, &mut dyn Read, u64) -> Result<()>,
    ) -> Result<()> {
        let places: HashMap<usize, usize> =
            wanted.iter().map(|&place| (self.numbers[place], place)).collect();
        let mut found = 0;
        walk(&self.path, self.packing, memory, |number, seen, reader| {
            let Some(&place) = places.get(&number) else { return Ok(()) };
            found += 1;
            match seen.what {
                What::File(size) => visit(place, reader, size),
                _ => Err(self.changed()),
            }
        })?;
        if found == wanted.len() { Ok(()) } else { Err(self.changed()) }
    }

    /// The rest of the `size` bytes of the member at `place`, of which `bytes` were read.
    ///
    /// # Errors
    /// It is larger than what is read, or longer or shorter than the archive tells.
    pub fn rest(
        &self,
        place: usize,
        mut bytes: Vec<u8>,
        reader: &mut dyn Read,
        size: u64,
        memory: Option<u64>,
    ) -> Result<Vec<u8>> {
        let name = || format!("{}: {}", self.path.display(), self.members[place].name);
        if size > largest_file(memory) {
            return Err(Error::request(format!("{}: {}", name(), too_large(size, memory))));
        }
        // One byte more than was told is enough to see that there are more.
        let left = (size + 1).saturating_sub(bytes.len() as u64);
        reader.take(left).read_to_end(&mut bytes).map_err(|error| not_whole(&self.path, &error))?;
        match (bytes.len() as u64).cmp(&size) {
            std::cmp::Ordering::Equal => Ok(bytes),
            std::cmp::Ordering::Less => Err(not_whole(&self.path, &io::ErrorKind::UnexpectedEof.into())),
            std::cmp::Ordering::Greater => Err(Error::request(format!(
                "{}: it is longer than the {size} bytes that the archive tells: pack it again",
                name()
            ))),
        }
    }

    fn changed(&self) -> Error {
        Error::run(format!(
            "{}: changed while it was read: give the command again when it is whole",
            self.path.display()
        ))
    }
}

/// The largest file that is read with a memory budget: its bytes are there twice while it is decoded.
pub(super) fn largest_file(memory: Option<u64>) -> u64 {
    memory.map_or(LARGEST_FILE, |memory| (memory / 3).min(LARGEST_FILE))
}

/// That a file is larger than what is read, as a clause.
pub(super) fn too_large(size: u64, memory: Option<u64>) -> String {
    format!(
        "it has {}, and files of at most {} are read with this memory budget: take it away, or give a larger --memory",
        text::bytes(size),
        text::bytes(largest_file(memory))
    )
}

/// The members of an archive, as they come.
struct List<'a> {
    path: &'a Path,
    room: u64,
    entries: Vec<Option<(Member, usize)>>,
    by_name: HashMap<Vec<u8>, usize>,
    doubled: usize,
}

impl List<'_> {
    fn add(&mut self, number: usize, seen: Seen) -> Result<()> {
        // A name that leads out of the archive is of no data set.
        let Some(parts) = parts(&seen.name) else { return Ok(()) };
        let cost = 2 * parts.len() as u64 + LISTED;
        self.room = self.room.checked_sub(cost).ok_or_else(|| {
            Error::request(format!(
                "{}: has so many members that their list does not fit a quarter of the memory budget: give a larger --memory",
                self.path.display()
            ))
        })?;
        let name = String::from_utf8_lossy(&parts).into_owned();
        let at = self.entries.len();
        self.entries.push(Some((Member { name, what: seen.what }, number)));
        if let Some(before) = self.by_name.insert(parts, at) {
            let before = self.entries[before].take();
            let is_file =
                |entry: Option<(Member, usize)>| entry.is_some_and(|(member, _)| member.what != What::Folder);
            self.doubled += usize::from(is_file(before));
        }
        Ok(())
    }
}

/// A name without empty parts and `.`; `None` where it leads out of the archive.
fn parts(name: &[u8]) -> Option<Vec<u8>> {
    let parts: Vec<&[u8]> =
        name.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    (!parts.contains(&&b".."[..])).then(|| parts.join(&b'/'))
}

/// Walks the members of an archive in their order. `visit` gets each one's number, what is known of it, and its bytes.
fn walk(
    path: &Path,
    packing: Packing,
    memory: Option<u64>,
    visit: impl FnMut(usize, Seen, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let file = opened(path)?;
    match packing {
        Packing::Zip => zipped::walk(path, file, memory, visit),
        _ => {
            let reader = packing.unpacked(file, memory).map_err(|error| not_whole(path, &error))?;
            tarball::walk(path, reader, visit)
        }
    }
}

fn opened(path: &Path) -> Result<File> {
    file::open(path).map_err(|error| Error::request(format!("{}: cannot be opened: {error}", path.display())))
}

/// That the archive at `path` cannot be read to its end.
fn not_whole(path: &Path, error: &io::Error) -> Error {
    // The words of an error may quote bytes of a file that is no archive.
    let error = error.to_string();
    let error =
        if error.chars().any(|c| c.is_control() || c == '\u{fffd}') { "it is no archive" } else { &error };
    Error::request(format!(
        "{}: not a whole archive ({error}): get it again, or unpack it and give the folder",
        path.display()
    ))
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
