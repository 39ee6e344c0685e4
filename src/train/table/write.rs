//! A table as text.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::{About, CHOICE, COLUMNS, CURVES, End, FAILURE, FORMAT, Row, TEST, TITLE, Table};
use crate::error::{Error, Result};
use crate::text::{cell, hex, one_line};

/// Significant digits of losses and seconds: those that follow are noise, and half of the file.
const DIGITS: usize = 6;

impl Table {
    /// The file's text: lines of `# name: value`, then CSV with a row for each trial.
    ///
    /// # Errors
    /// Only where the CSV writer fails, which it should not.
    pub fn text(&self) -> Result<String> {
        let mut writer = csv::Writer::from_writer(self.about.text().into_bytes());
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut header = names(&COLUMNS[..1]);
        header
            .extend(self.factors.iter().map(|factor| cell::write(&format!("{CHOICE}{factor}")).into_owned()));
        header.extend(names(&COLUMNS[1..]));
        for curve in CURVES {
            header.extend((1..=self.epochs).map(|epoch| format!("{curve}_{epoch}")));
        }
        header.extend(names(&TEST));
        header.extend(names(&FAILURE));
        writer.write_record(header).map_err(failed)?;
        for row in self.rows() {
            writer.write_record(self.cells(row)).map_err(failed)?;
        }
        String::from_utf8(writer.into_inner().map_err(failed)?).map_err(failed)
    }

    /// The file's bytes, in gzip where asked.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub fn bytes(&self, gzip: bool) -> Result<Vec<u8>> {
        let text = self.text()?.into_bytes();
        if !gzip {
            return Ok(text);
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&text).map_err(failed)?;
        encoder.finish().map_err(failed)
    }

    /// SHA-256 of the table's own text, hex: the same for a table in gzip, or with its columns in another order.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub fn hash(&self) -> Result<String> {
        Ok(hex(&Sha256::digest(self.text()?)))
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let mut cells = vec![cell::write(&row.candidate).into_owned()];
        cells.extend(row.choices.iter().map(|level| cell::write(level).into_owned()));
        cells.extend([row.params, row.madds, row.activation_memory, row.seed].map(|n| n.to_string()));
        cells.push(rounded(row.seconds));
        for (curve, name) in CURVES.iter().enumerate() {
            cells.extend((0..self.epochs).map(|epoch| {
                let figure = row.epochs.get(epoch).map(|epoch| epoch.figures()[curve]);
                figure.map_or_else(String::new, |figure| number(figure, name))
            }));
        }
        cells.extend(match &row.end {
            End::Finished { accuracy, loss } => {
                [number(*accuracy, TEST[0]), number(*loss, TEST[1]), String::new(), String::new()]
            }
            End::Failed { reason } => [
                String::new(),
                String::new(),
                (row.epochs.len() + 1).to_string(),
                cell::write(&one_line(reason)).into_owned(),
            ],
        });
        cells
    }
}

impl About {
    fn text(&self) -> String {
        let Self { space, study, source, results, input, classes, images, data, data_hash, recipe } = self;
        let [train, validation, test] = images;
        let lines = [
            ("space", space.clone()),
            ("study", study.clone()),
            ("source", source.clone()),
            ("results", results.clone()),
            ("input", input.to_string()),
            ("classes", classes.to_string()),
            ("images", format!("{train} {validation} {test}")),
            ("data", data.clone()),
            ("data hash", data_hash.clone()),
            ("recipe", recipe.clone()),
        ];
        let mut text = format!("{TITLE}{FORMAT}\n");
        for (name, value) in lines {
            text.push_str(&format!("# {name}: {}\n", cell::write_line(&one_line(&value))));
        }
        text
    }
}

/// The shortest digits that read back as the same number; of a loss, a few.
fn number(value: f64, column: &str) -> String {
    if column.ends_with("acc") { value.to_string() } else { rounded(value) }
}

fn rounded(value: f64) -> String {
    let digits = format!("{value:.*e}", DIGITS - 1);
    digits.parse().map_or(digits, |value: f64| value.to_string())
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::run(format!("the table could not be written: {error}"))
}
