//! A table as data, and its two forms: Markdown and the terminal.

use crate::text::cut;
use comfy_table::{CellAlignment, ContentArrangement, TableComponent, presets};

/// A table: the first column is text, the others as `right` says.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    name: String,
    right: bool,
}

/// A column of text.
pub fn text(name: &str) -> Column {
    Column { name: name.to_owned(), right: false }
}

/// A column of numbers.
pub fn number(name: &str) -> Column {
    Column { name: name.to_owned(), right: true }
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
        let escape = |cell: &str| cell.replace('|', "\\|").replace(['\n', '\r'], " ");
        let header: Vec<String> = self.columns.iter().map(|c| escape(&c.name)).collect();
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|c| escape(c)).collect()).collect();
        let width = |i: usize| {
            let cells = rows.iter().filter_map(|r| r.get(i)).chain([&header[i]]);
            // Beyond this a cell stands as it is: neither padding nor its width may grow without end.
            cells.map(|c| c.chars().count()).max().unwrap_or(0).clamp(3, WIDEST)
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let line = |cells: &[String]| {
            let mut text = String::from("|");
            for ((cell, column), width) in cells.iter().zip(&self.columns).zip(&widths) {
                let cell =
                    if column.right { format!(" {cell:>width$} |") } else { format!(" {cell:<width$} |") };
                text.push_str(&cell);
            }
            text.push('\n');
            text
        };
        let mut out = line(&header);
        out.push('|');
        for (column, width) in self.columns.iter().zip(&widths) {
            let end = if column.right { ':' } else { ' ' };
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
            if column.right {
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

/// Text from a file must not steer the terminal, nor be wider than any.
pub fn clean(text: &str) -> String {
    cut(text, LONGEST).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
