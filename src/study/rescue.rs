//! Where the events of a study go whose journal was removed, replaced or changed while it ran.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::chain::Link;
use super::event::Record;
use super::journal::chained;

/// A journal next to the one that is lost.
#[derive(Debug)]
pub struct Rescue {
    file: File,
    path: PathBuf,
    link: Link,
}

impl Rescue {
    /// Makes a file that was not there: in the study's folder, or where that is gone too, in the folder above it, or the
    /// system's for temporary files.
    pub fn begin(journal: &Path) -> io::Result<Self> {
        let study = journal.parent().unwrap_or(Path::new(""));
        let name = study.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let above = study.parent().map_or_else(PathBuf::new, Path::to_owned);
        let mut last = None;
        for (folder, name) in [
            (study.to_owned(), "journal.rescued".to_owned()),
            (above, format!("{name}.journal.rescued")),
            (std::env::temp_dir(), format!("{name}.journal.rescued")),
        ] {
            for number in 1..=1000 {
                let number = if number == 1 { String::new() } else { format!("-{number}") };
                let path = folder.join(format!("{name}{number}.jsonl"));
                match OpenOptions::new().write(true).create_new(true).open(&path) {
                    Ok(file) => return Ok(Self { file, path, link: Link::default() }),
                    Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(e) => {
                        last = Some(e);
                        break;
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::AlreadyExists.into()))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes over the first `whole` bytes of a journal, which end with this link.
    pub fn copy(&mut self, journal: &mut File, whole: u64, link: Link) -> io::Result<()> {
        journal.seek(SeekFrom::Start(0))?;
        io::copy(&mut journal.take(whole), &mut self.file)?;
        self.link = link;
        self.file.sync_data()
    }

    /// Adds events.
    pub fn add(&mut self, records: &[Record]) -> io::Result<()> {
        let lines = chained(records, &mut self.link).map_err(io::Error::other)?;
        self.file.write_all(&lines)?;
        self.file.sync_data()
    }
}
