//! Reading a table, each mistake a sentence with its line.

use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::columns::Columns;
use super::{About, FORMAT, TITLE, Table};
use crate::arch::Shape;
use crate::error::{Error, Result};
use crate::file;
use crate::text::{cell, one_line};

/// Most bytes of a table's text: a million rows of ten epochs have less.
const MOST_BYTES: u64 = 1 << 30;

/// Bytes of memory that a byte of text takes at most while it is read: twice itself, its share of the list of lines, and
/// its figures.
const TIMES: u64 = 12;
/// A line and what is wrong with it.
type Wrong = (u64, String);

impl Table {
    /// Reads a table, in gzip or not.
    ///
    /// # Errors
    /// A sentence with the file and, where it is about one, the line.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_within(path, None)
    }

    /// As [`read`](Self::read), in at most `memory` bytes.
    ///
    /// # Errors
    /// Also that the table is longer than fits.
    pub fn read_within(path: &Path, memory: Option<u64>) -> Result<Self> {
        let name = path.display();
        let fail = |message: String| Error::request(one_line(&format!("{name}: {message}")));
        let mut bytes = Vec::new();
        let file = file::stream(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                fail("there is no such table; check the path, or make one with `blocksmith table DIR`".into())
            }
            _ => fail(format!("cannot read this table: {error}")),
        })?;
        let unreadable = |error| fail(format!("cannot read this table: {error}"));
        let most = memory.map_or(MOST_BYTES, |memory| (memory / TIMES).min(MOST_BYTES));
        let mut first = Vec::new();
        let mut file = file;
        file.by_ref().take(2).read_to_end(&mut first).map_err(unreadable)?;
        let is_packed = first == [0x1f, 0x8b];
        let whole = Cursor::new(first).chain(file);
        let (mut reader, unreadable): (Box<dyn Read>, fn(io::Error) -> String) = if is_packed {
            (Box::new(MultiGzDecoder::new(BufReader::new(whole))), |error| {
                format!("the gzip archive is damaged ({error}): make it again, or fetch it again")
            })
        } else {
            (Box::new(whole), |error| format!("cannot read this table: {error}"))
        };
        // What does not begin as a table is not read to its end, which it may not have.
        let title = (TITLE.len() + file::MARK.len()) as u64;
        reader.by_ref().take(title).read_to_end(&mut bytes).map_err(|e| fail(unreadable(e)))?;
        if bytes.strip_prefix(file::MARK).unwrap_or(&bytes).starts_with(TITLE.as_bytes()) {
            reader.take(most + 1).read_to_end(&mut bytes).map_err(|e| fail(unreadable(e)))?;
        }
        if bytes.len() as u64 > most {
            return Err(fail(format!(
                "its text is longer than the {} MiB that are read with this memory budget: check the path, or give a larger \
                 --memory",
                most >> 20
            )));
        }
        parse(&bytes)
            .map_err(|(line, message)| Error::request(one_line(&format!("{name}:{line}: {message}"))))
    }
}

/// The table of a file's bytes.
pub(super) fn parse(bytes: &[u8]) -> std::result::Result<Table, Wrong> {
    let text = file::str(bytes).map_err(|file::NotText { line, why }| {
        (line as u64, format!("this is {why}; a table is made by `blocksmith table DIR`"))
    })?;
    // The CSV reader would count the second half of such a line's end to the next line.
    let text = &text.replace("\r\n", "\n");
    let about = about(text)?;
    // The reader counts from where it begins, and takes an empty line for the beginning of the row after it.
    let lines: Vec<&str> = text.lines().collect();
    let comments = lines.iter().take_while(|line| line.starts_with('#')).count();
    let line = |position: Option<&csv::Position>| {
        let at = comments + position.map_or(0, |position| position.line().saturating_sub(1)) as usize;
        let empty = lines.iter().skip(at).take_while(|line| line.is_empty()).count();
        (at + empty + 1) as u64
    };
    let rest = text.split_inclusive('\n').skip(comments).map(str::len).sum::<usize>();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(&text.as_bytes()[text.len() - rest..]);
    // Few tables have cells that need it.
    let is_coded = text.contains(['\'', '\\']);
    let plain = |record: csv::StringRecord| match is_coded {
        true => record.iter().map(cell::read).collect(),
        false => record,
    };
    let mut records = reader.records().map(|record| match record {
        Ok(record) => Ok((line(record.position()), plain(record))),
        Err(error) => Err((line(error.position()), format!("this row cannot be read as CSV ({error})"))),
    });
    let end = lines.len() as u64;
    let (at, header) = records.next().ok_or((end, "the table has no columns".to_owned()))??;
    let columns = Columns::of(&header).map_err(|message| (at, message))?;
    let (mut rows, mut places) = (Vec::new(), Vec::new());
    for record in records {
        let (line, record) = record?;
        if record.len() != header.len() {
            let (found, expected) = (record.len(), header.len());
            return Err((line, format!("this row has {found} cells where the table has {expected} columns")));
        }
        rows.push(columns.row(&record).map_err(|message| (line, message))?);
        places.push(line);
    }
    if rows.is_empty() {
        return Err((end, "the table has no rows".into()));
    }
    Table::new(about, columns.factors.into_iter().map(|(name, _)| name).collect(), columns.epochs, rows)
        .map_err(|clash| {
            (
                places[clash.row],
                format!("{}, as in line {}; take one away", clash.message, places[clash.other]),
            )
        })
}

/// The lines before the columns.
fn about(text: &str) -> std::result::Result<About, Wrong> {
    let version = text.lines().next().and_then(|first| first.strip_prefix(TITLE)).map(str::trim);
    match version.map(str::parse::<u32>) {
        Some(Ok(FORMAT)) => {}
        Some(Ok(version)) if version > FORMAT => {
            let message = format!(
                "a table of format {version}, and this blocksmith reads format {FORMAT}: take a newer blocksmith"
            );
            return Err((1, message));
        }
        _ => {
            let message = format!(
                "this is no table of blocksmith, whose first line is `{TITLE}{FORMAT}`: make one with `blocksmith table DIR`"
            );
            return Err((1, message));
        }
    }
    let lines: Vec<(u64, &str, &str)> = (1..)
        .zip(text.lines())
        // Nothing that is read comes later.
        .take(1000)
        .take_while(|(_, line)| line.starts_with('#'))
        .filter_map(|(number, line)| {
            let (name, value) = line.trim_start_matches('#').split_once(':')?;
            Some((number, name.trim(), value.trim()))
        })
        .collect();
    let find = |name: &str| lines.iter().find(|(_, key, _)| *key == name);
    let words =
        |name: &str| find(name).map_or_else(String::new, |(_, _, value)| cell::read_line(value).into_owned());
    let needed = |name: &str, example: &str| {
        find(name).copied().ok_or_else(|| {
            (1, format!("the table needs a line `# {name}: {example}` after its first, and has none"))
        })
    };
    let (line, _, value) = needed("input", "3x32x32")?;
    let input = shape(value).ok_or((line, format!("`{value}` is no shape of images, such as 3x32x32")))?;
    let (line, _, value) = needed("classes", "10")?;
    let classes: usize = value.parse().ok().filter(|n| (2..=1_000_000).contains(n)).ok_or_else(|| {
        (line, format!("`{value}` is not a number of classes (a whole number, 2 to 1000000)"))
    })?;
    let images = match find("images") {
        None => [0; 3],
        Some((line, _, value)) => {
            let counts: Option<Vec<usize>> = value.split_whitespace().map(|n| n.parse().ok()).collect();
            counts.and_then(|counts| <[usize; 3]>::try_from(counts).ok()).ok_or_else(|| {
                (*line, format!("`{value}` is not the numbers of training, validation and test images"))
            })?
        }
    };
    Ok(About {
        space: words("space"),
        study: words("study"),
        source: words("source"),
        results: words("results"),
        input,
        classes,
        images,
        data: words("data"),
        data_hash: words("data hash"),
        recipe: words("recipe"),
    })
}

fn shape(text: &str) -> Option<Shape> {
    let sides: Option<Vec<usize>> = text.split('x').map(|side| side.parse().ok()).collect();
    match sides?[..] {
        [c, h, w] if [c, h, w].iter().all(|side| (1..=65_536).contains(side)) => Some(Shape::new(c, h, w)),
        _ => None,
    }
}
