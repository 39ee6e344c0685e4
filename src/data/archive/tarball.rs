//! The members of a tar file.
//!
//! Entries are taken raw, since the `tar` crate reads long names and pax headers whole, however long they claim to be.

use std::io::{self, Read};
use std::path::Path;

use tar::{EntryType, PaxExtensions};

use super::{Seen, What, not_whole};
use crate::error::Result;

/// The longest name or pax header that is read: systems have paths of 4,096 bytes.
const LONGEST_HEADER: u64 = 1 << 20;

/// What the entries before a member tell of it.
#[derive(Default)]
struct Told {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

pub(super) fn walk(
    path: &Path,
    reader: impl Read,
    mut visit: impl FnMut(usize, Seen, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let damaged = |error: io::Error| not_whole(path, &error);
    let mut archive = tar::Archive::new(reader);
    let (mut told, mut number) = (Told::default(), 0);
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        let (kind, size) = (entry.header().entry_type(), entry.size());
        if is_about_the_next(kind) {
            told.read(kind, size, &mut entry).map_err(damaged)?;
            continue;
        }
        let about = std::mem::take(&mut told);
        // A member of more than 8 GiB tells its size there alone: raw entries cannot pass over it.
        if about.size.is_some_and(|told| told != size) {
            return Err(damaged(io::Error::other("it holds a file of more than 8 GiB, which no image is")));
        }
        let name = about.name.unwrap_or_else(|| entry.path_bytes().into_owned());
        let link = about.link.or_else(|| entry.link_name_bytes().map(|name| name.into_owned()));
        let what = what(kind, size, &name, link);
        visit(number, Seen { name, what }, &mut entry)?;
        number += 1;
    }
    Ok(())
}

fn is_about_the_next(kind: EntryType) -> bool {
    kind.is_gnu_longname()
        || kind.is_gnu_longlink()
        || kind.is_pax_local_extensions()
        || kind.is_pax_global_extensions()
}

impl Told {
    fn read(&mut self, kind: EntryType, size: u64, reader: &mut dyn Read) -> io::Result<()> {
        if size > LONGEST_HEADER {
            return Err(io::Error::other(format!(
                "a name or header of {size} bytes, where the longest that is read has {LONGEST_HEADER}"
            )));
        }
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        if bytes.len() as u64 != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if kind.is_pax_local_extensions() {
            for extension in PaxExtensions::new(&bytes) {
                let extension = extension?;
                let value = extension.value_bytes().to_vec();
                match extension.key_bytes() {
                    b"path" => self.name = Some(value),
                    b"linkpath" => self.link = Some(value),
                    b"size" => self.size = extension.value().ok().and_then(|size| size.parse().ok()),
                    _ => {}
                }
            }
        } else if kind.is_gnu_longname() {
            self.name = Some(up_to_zero(bytes));
        } else if kind.is_gnu_longlink() {
            self.link = Some(up_to_zero(bytes));
        }
        Ok(())
    }
}

fn up_to_zero(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    bytes.truncate(length);
    bytes
}

fn what(kind: EntryType, size: u64, name: &[u8], link: Option<Vec<u8>>) -> What {
    match kind {
        // Old tar files mark folders by their names alone.
        EntryType::Regular if name.ends_with(b"/") => What::Folder,
        EntryType::Regular | EntryType::Continuous => What::File(size),
        EntryType::Directory => What::Folder,
        EntryType::Link => What::Link(from_root(b"", &link.unwrap_or_default())),
        EntryType::Symlink => What::Link(from_root(name, &link.unwrap_or_default())),
        EntryType::Char | EntryType::Block => What::Special("device"),
        EntryType::Fifo => What::Special("named pipe"),
        EntryType::GNUSparse => What::Sealed("stored with holes (tar --sparse)"),
        _ => What::Special("member of an unknown kind"),
    }
}

/// The member that a link of the name `from` means by `target`; empty where that is not in the archive.
fn from_root(from: &[u8], target: &[u8]) -> String {
    let from = String::from_utf8_lossy(from);
    let target = String::from_utf8_lossy(target);
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    if target.starts_with('/') && !from.is_empty() {
        return String::new();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => return String::new(),
            ".." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}
