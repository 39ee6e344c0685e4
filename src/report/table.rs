//! A table as data, and its two forms: Markdown and the terminal.

use super::escape;
use crate::text::{cut, line};
use comfy_table::{CellAlignment, ContentArrangement, TableComponent, presets};

/// A table: the first column is text, the others as their kinds say.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    name: String,
    kind: Kind,
}

/// What stands in a column, and so how it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    /// Block notation.
    Code,
}

/// A column of text.
pub fn text(name: &str) -> Column {
    Column { name: name.to_owned(), kind: Kind::Text }
}

/// A column of block notation.
pub fn code(name: &str) -> Column {
    Column { name: name.to_owned(), kind: Kind::Code }
}

/// A column of numbers.
pub fn number(name: &str) -> Column {
    Column { name: name.to_owned(), kind: Kind::Number }
}

impl Table {
    /// A table without rows.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; it has a cell for every column.
    pub fn push(&mut self, row: Vec<String>) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    /// The same table without the columns of these names.
    pub fn without(&self, names: &[&str]) -> Self {
        let keep: Vec<usize> =
            (0..self.columns.len()).filter(|&i| !names.contains(&self.columns[i].name.as_str())).collect();
        Self {
            columns: keep.iter().map(|&i| self.columns[i].clone()).collect(),
            rows: self
                .rows
                .iter()
                .map(|row| keep.iter().filter_map(|&i| row.get(i).cloned()).collect())
                .collect(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As Markdown, columns padded so that the source reads well too.
    pub fn markdown(&self) -> String {
        let header: Vec<String> = self.columns.iter().map(|c| escape::inline(&c.name)).collect();
        let cell = |(cell, column): (&String, &Column)| match column.kind {
            Kind::Code => escape::code_cell(cell),
            Kind::Text => escape::inline(cell),
            // Our own words and figures.
            Kind::Number => line(cell).replace('|', "\\|"),
        };
        let cells = |row: &Vec<String>| row.iter().zip(&self.columns).map(cell).collect::<Vec<String>>();
        let rows: Vec<Vec<String>> = self.rows.iter().map(cells).collect();
        let width = |i: usize| {
            let cells = rows.iter().filter_map(|r| r.get(i)).chain([&header[i]]);
            // Beyond this a cell stands as it is: neither padding nor its width may grow without end.
            cells.map(|c| c.chars().count()).max().unwrap_or(0).clamp(3, WIDEST)
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let line = |cells: &[String]| {
            let mut text = String::from("|");
            for ((cell, column), width) in cells.iter().zip(&self.columns).zip(&widths) {
                let cell = match column.kind {
                    Kind::Number => format!(" {cell:>width$} |"),
                    Kind::Text | Kind::Code => format!(" {cell:<width$} |"),
                };
                text.push_str(&cell);
            }
            text.push('\n');
            text
        };
        let mut out = line(&header);
        out.push('|');
        for (column, width) in self.columns.iter().zip(&widths) {
            let end = if column.kind == Kind::Number { ':' } else { ' ' };
            out.push_str(&format!(" {}{end}|", "-".repeat(*width)));
        }
        out.push('\n');
        for row in &rows {
            out.push_str(&line(row));
        }
        out
    }

    /// As lines for a terminal.
    pub fn terminal(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING);
        table.set_style(TableComponent::HeaderLines, '─');
        table.set_style(TableComponent::MiddleHeaderIntersections, '─');
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(self.columns.iter().map(|c| clean(&c.name)));
        for row in &self.rows {
            table.add_row(row.iter().map(|c| clean(c)));
        }
        for (column, shown) in self.columns.iter().zip(table.column_iter_mut()) {
            if column.kind == Kind::Number {
                shown.set_cell_alignment(CellAlignment::Right);
            }
        }
        let text = table.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        lines.join("\n")
    }
}

/// Most characters of a padded cell.
const WIDEST: usize = 400;
/// Most characters of a cell on a terminal: tables of terminals count their width in 16 bits.
const LONGEST: usize = 1000;

/// Text from a file must not begin lines of its own, nor be wider than any terminal.
pub fn clean(text: &str) -> String {
    line(&cut(text, LONGEST)).into_owned()
}
