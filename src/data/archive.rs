//! Reading a tar or tar.gz file, entry by entry.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};

/// The two bytes every gzip file starts with; names lie, contents do not.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Walks the regular files of the tar or tar.gz at `path` in their order. `visit` gets each one's path inside the archive,
/// with `/` between its parts, and its bytes.
///
/// # Errors
/// What `visit` returns, or that the archive is missing, damaged, or no archive at all.
pub(super) fn walk(path: &Path, mut visit: impl FnMut(&str, &mut dyn Read, u64) -> Result<()>) -> Result<()> {
    let damaged = |error: io::Error| not_whole(path, &error);
    let mut file = File::open(path)
        .map_err(|error| Error::request(format!("{}: cannot be opened: {error}", path.display())))?;
    let mut magic = Vec::with_capacity(2);
    (&mut file).take(2).read_to_end(&mut magic).map_err(damaged)?;
    file.seek(SeekFrom::Start(0)).map_err(damaged)?;
    let file = BufReader::with_capacity(1 << 16, file);
    let reader: Box<dyn Read> =
        if magic == GZIP_MAGIC { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let size = entry.size();
        visit(&name, &mut entry, size)?;
    }
    Ok(())
}

/// All bytes of an entry of `path`, `size` long by the archive's own word.
pub(super) fn read_entry(path: &Path, reader: &mut dyn Read, size: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| not_whole(path, &error))?;
    if bytes.len() as u64 != size {
        return Err(not_whole(path, &io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(bytes)
}

/// That the archive at `path` cannot be read to its end.
pub(super) fn not_whole(path: &Path, error: &io::Error) -> Error {
    // The words of an error may quote bytes of a file that is no archive.
    let error = error.to_string();
    let error =
        if error.chars().any(|c| c.is_control() || c == '\u{fffd}') { "it is no archive" } else { &error };
    Error::request(format!(
        "{}: not a whole tar or tar.gz file ({error}): get it again, or unpack it and give the folder",
        path.display()
    ))
}
