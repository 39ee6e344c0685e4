//! The members of a zip file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::{Seen, What, not_whole};
use crate::error::{Error, Result};
use crate::text;

/// How many times as much memory the list of members takes as it does in the file, at most.
const LISTED: u64 = 10;

pub(super) fn walk(
    path: &Path,
    mut file: File,
    memory: Option<u64>,
    mut visit: impl FnMut(usize, Seen, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let need = LISTED * list_length(&mut file).map_err(|error| not_whole(path, &error))?;
    let room = memory.map_or(2 << 30, |memory| memory / 4);
    if need > room {
        return Err(Error::request(format!(
            "{}: its list of members takes up to {}, and a quarter of the memory budget is {}: unpack it and give the folder",
            path.display(),
            text::bytes(need),
            text::bytes(room)
        )));
    }
    let damaged = |error: ZipError| not_whole(path, &io::Error::other(error.to_string()));
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    for number in 0..archive.len() {
        let (name, what) = {
            let member = archive.by_index_raw(number).map_err(damaged)?;
            let what = match member.compression() {
                _ if member.is_dir() => What::Folder,
                _ if member.is_symlink() => What::Special("symbolic link"),
                _ if member.encrypted() => What::Sealed("encrypted"),
                CompressionMethod::Stored | CompressionMethod::Deflated => What::File(member.size()),
                _ => What::Sealed("compressed in another way than by deflate"),
            };
            (member.name_raw().to_vec(), what)
        };
        // Only what can be read is opened.
        if matches!(what, What::File(_)) {
            let mut member = archive.by_index(number).map_err(damaged)?;
            visit(number, Seen { name, what }, &mut member)?;
        } else {
            visit(number, Seen { name, what }, &mut io::empty())?;
        }
    }
    Ok(())
}

/// Bytes of the list of members, as the end of the file tells: of all of the file where it does not.
fn list_length(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub((1 << 16) + 22);
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.take((1 << 16) + 22).read_to_end(&mut end)?;
    file.seek(SeekFrom::Start(0))?;
    let at = end.windows(4).rposition(|four| four == b"PK\x05\x06");
    let told = at.and_then(|at| Some(u32::from_le_bytes(*end.get(at + 12..)?.first_chunk()?)));
    Ok(match told {
        Some(told) if told < u32::MAX => u64::from(told),
        _ => length,
    })
}
