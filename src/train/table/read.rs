//! Reading a table, each mistake a sentence with its line.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use csv::StringRecord;
use flate2::read::MultiGzDecoder;

use super::{About, CHOICE, COLUMNS, CURVES, End, Epoch, FAILURE, FORMAT, Row, TEST, TITLE, Table};
use crate::arch::Shape;
use crate::error::{Error, Result};
use crate::text::one_line;

/// Most bytes of a table's text: a million rows of ten epochs have less.
const MOST_BYTES: u64 = 1 << 30;

/// A line and what is wrong with it.
type Wrong = (u64, String);

impl Table {
    /// Reads a table, in gzip or not.
    ///
    /// # Errors
    /// A sentence with the file and, where it is about one, the line.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let fail = |message: String| Error::request(one_line(&format!("{name}: {message}")));
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                fail("there is no such table; check the path, or make one with `blocksmith table DIR`".into())
            }
            _ => fail(format!("cannot read this table: {error}")),
        })?;
        let unreadable = |error| fail(format!("cannot read this table: {error}"));
        let too_long = || fail(format!("more than {} MiB are no table; check the path", MOST_BYTES >> 20));
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut text = Vec::new();
            let unpacked =
                MultiGzDecoder::new(Cursor::new(&bytes)).take(MOST_BYTES + 1).read_to_end(&mut text);
            unpacked.map_err(|error| {
                fail(format!("the gzip archive is damaged ({error}): make it again, or fetch it again"))
            })?;
            bytes = text;
        }
        if bytes.len() as u64 > MOST_BYTES {
            return Err(too_long());
        }
        parse(&bytes)
            .map_err(|(line, message)| Error::request(one_line(&format!("{name}:{line}: {message}"))))
    }
}

/// The table of a file's bytes.
pub(super) fn parse(bytes: &[u8]) -> std::result::Result<Table, Wrong> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() as u64 + 1;
        (line, "this is no UTF-8 text: a table is made by `blocksmith table DIR`".to_owned())
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
    let mut records = reader.records().map(|record| match record {
        Ok(record) => Ok((line(record.position()), record)),
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
        .take_while(|(_, line)| line.starts_with('#'))
        .filter_map(|(number, line)| {
            let (name, value) = line.trim_start_matches('#').split_once(':')?;
            Some((number, name.trim(), value.trim()))
        })
        .collect();
    let find = |name: &str| lines.iter().find(|(_, key, _)| *key == name);
    let words = |name: &str| find(name).map_or_else(String::new, |(_, _, value)| (*value).to_owned());
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

/// Where each figure of a row stands.
struct Columns {
    /// In the order of `COLUMNS`.
    cells: [usize; 6],
    factors: Vec<(String, usize)>,
    epochs: usize,
    /// For each of `CURVES`, a column per epoch.
    curves: Vec<Vec<usize>>,
    test: [usize; 2],
    /// A table in which nothing failed may do without.
    failure: Option<[usize; 2]>,
}

impl Columns {
    /// The columns of a header; a sentence where one is missing, or none of a table's.
    fn of(header: &StringRecord) -> std::result::Result<Self, String> {
        let names: Vec<&str> = header.iter().map(str::trim).collect();
        for (at, name) in names.iter().enumerate() {
            if names.iter().take(at).any(|other| other == name) {
                return Err(format!("two columns have the name `{name}`; take one away"));
            }
        }
        let find = |name: &str| {
            names.iter().position(|other| *other == name).ok_or_else(|| {
                format!(
                    "the column `{name}` is missing; a table has {}, {}, {} for every epoch, and choice.FACTOR",
                    COLUMNS.join(", "),
                    TEST.join(", "),
                    CURVES.map(|curve| format!("{curve}_1")).join(", ")
                )
            })
        };
        let cells = find_all(&COLUMNS, find)?;
        let test = find_all(&TEST, find)?;
        let has_failure = names.iter().any(|name| FAILURE.contains(name));
        let failure = has_failure.then(|| find_all(&FAILURE, find)).transpose()?;
        let factor = |(at, name): (usize, &&str)| Some((name.strip_prefix(CHOICE)?.to_owned(), at));
        let factors: Vec<(String, usize)> = names.iter().enumerate().filter_map(factor).collect();
        let of_curve = |name: &&&str| name.starts_with("acc_");
        let epochs = names.iter().filter(of_curve).count();
        let mut curves = Vec::new();
        for curve in CURVES {
            let columns = (1..=epochs.max(1)).map(|epoch| find(&format!("{curve}_{epoch}")));
            curves.push(columns.collect::<std::result::Result<Vec<_>, _>>()?);
        }
        let known: Vec<usize> = cells
            .iter()
            .chain(&test)
            .chain(failure.iter().flatten())
            .chain(factors.iter().map(|(_, at)| at))
            .chain(curves.iter().flatten())
            .copied()
            .collect();
        if let Some(name) = (0..names.len()).find(|at| !known.contains(at)).and_then(|at| names.get(at)) {
            return Err(format!(
                "`{name}` is not a column of a table of {epochs} epochs; take it away, or correct its name"
            ));
        }
        Ok(Self { cells, factors, epochs, curves, test, failure })
    }

    /// A row; a sentence where a cell is not what it should be.
    fn row(&self, record: &StringRecord) -> std::result::Result<Row, String> {
        let cell = |at: usize| record.get(at).unwrap_or_default().trim();
        let whole = |number: usize| whole(cell(self.cells[number]), COLUMNS[number]);
        let candidate = cell(self.cells[0]).to_owned();
        if candidate.is_empty() {
            return Err("candidate: this row names no candidate".into());
        }
        let failed = self.failure.map(|at| at.map(cell)).filter(|[epoch, _]| !epoch.is_empty());
        let over = match failed {
            Some([epoch, _]) => {
                let what = || {
                    format!("failed_epoch: `{epoch}` is not an epoch of this table, 1 to {}", self.epochs + 1)
                };
                let failed =
                    epoch.parse::<usize>().ok().filter(|epoch| (1..=self.epochs + 1).contains(epoch));
                failed.ok_or_else(what)? - 1
            }
            None => self.epochs,
        };
        let mut epochs = Vec::new();
        for epoch in 0..self.epochs {
            let mut figures = [0.0; 4];
            for ((figure, columns), curve) in figures.iter_mut().zip(&self.curves).zip(CURVES) {
                let (text, name) = (cell(columns[epoch]), format!("{curve}_{}", epoch + 1));
                match (text.is_empty(), epoch < over) {
                    (true, false) => {}
                    (false, false) => {
                        return Err(format!(
                            "{name}: the trial failed before this epoch, so it has no figure"
                        ));
                    }
                    (_, true) => *figure = number(text, &name)?,
                }
            }
            if epoch < over {
                epochs.push(Epoch::of(figures));
            }
        }
        let end = match failed {
            Some([_, reason]) => End::Failed { reason: reason.to_owned() },
            None => End::Finished {
                accuracy: number(cell(self.test[0]), TEST[0])?,
                loss: number(cell(self.test[1]), TEST[1])?,
            },
        };
        let seconds: f64 = number(cell(self.cells[5]), COLUMNS[5])?;
        if !(seconds.is_finite() && seconds >= 0.0) {
            return Err(format!("seconds: {seconds} is not a time, 0 or more"));
        }
        Ok(Row {
            candidate,
            choices: self.factors.iter().map(|(_, at)| cell(*at).to_owned()).collect(),
            params: whole(1)?,
            madds: whole(2)?,
            activation_memory: whole(3)?,
            seed: whole(4)?,
            seconds,
            epochs,
            end,
        })
    }
}

fn find_all<const N: usize>(
    names: &[&str; N],
    find: impl Fn(&str) -> std::result::Result<usize, String>,
) -> std::result::Result<[usize; N], String> {
    let mut found = [0; N];
    for (at, name) in found.iter_mut().zip(names) {
        *at = find(name)?;
    }
    Ok(found)
}

fn whole(text: &str, column: &str) -> std::result::Result<u64, String> {
    text.parse().map_err(|_| format!("{column}: `{text}` is not a whole number from 0"))
}

/// A loss may be anything that a float can be; an accuracy is a percentage.
fn number(text: &str, column: &str) -> std::result::Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{column}: `{text}` is not a number"))?;
    if column.contains("acc") && !(0.0..=100.0).contains(&value) {
        return Err(format!("{column}: `{text}` is not an accuracy in percent, 0 to 100"));
    }
    Ok(value)
}
