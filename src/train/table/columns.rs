//! The columns of a table, and a row read from them.

use std::collections::{HashMap, HashSet};

use csv::StringRecord;

use super::{CHOICE, COLUMNS, CURVES, End, Epoch, FAILURE, Row, TEST};

/// Where each figure of a row stands.
pub(super) struct Columns {
    /// In the order of `COLUMNS`.
    cells: [usize; 6],
    pub factors: Vec<(String, usize)>,
    pub epochs: usize,
    /// For each of `CURVES`, a column per epoch.
    curves: Vec<Vec<usize>>,
    test: [usize; 2],
    /// A table in which nothing failed may do without.
    failure: Option<[usize; 2]>,
}

impl Columns {
    /// The columns of a header; a sentence where one is missing, or none of a table's.
    pub fn of(header: &StringRecord) -> std::result::Result<Self, String> {
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (at, name) in header.iter().map(str::trim).enumerate() {
            if places.insert(name, at).is_some() {
                return Err(format!("two columns have the name `{name}`; take one away"));
            }
        }
        let find = |name: &str| {
            places.get(name).copied().ok_or_else(|| {
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
        let has_failure = FAILURE.iter().any(|name| places.contains_key(name));
        let failure = has_failure.then(|| find_all(&FAILURE, find)).transpose()?;
        let names = || header.iter().map(str::trim);
        let factor = |(at, name): (usize, &str)| Some((name.strip_prefix(CHOICE)?.to_owned(), at));
        let factors: Vec<(String, usize)> = names().enumerate().filter_map(factor).collect();
        let epochs = names().filter(|name| name.starts_with("acc_")).count();
        let mut curves = Vec::new();
        for curve in CURVES {
            let columns = (1..=epochs.max(1)).map(|epoch| find(&format!("{curve}_{epoch}")));
            curves.push(columns.collect::<std::result::Result<Vec<_>, _>>()?);
        }
        let known: HashSet<usize> = cells
            .iter()
            .chain(&test)
            .chain(failure.iter().flatten())
            .chain(factors.iter().map(|(_, at)| at))
            .chain(curves.iter().flatten())
            .copied()
            .collect();
        if let Some((_, name)) = names().enumerate().find(|(at, _)| !known.contains(at)) {
            return Err(format!(
                "`{name}` is not a column of a table of {epochs} epochs; take it away, or correct its name"
            ));
        }
        Ok(Self { cells, factors, epochs, curves, test, failure })
    }

    /// A row; a sentence where a cell is not what it should be.
    pub fn row(&self, record: &StringRecord) -> std::result::Result<Row, String> {
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
