//! A table that leaves out what says nothing.

use std::{collections::HashSet, fmt::Write as _};

use anstyle::Style;
use comfy_table::{CellAlignment, Table, presets};

const TITLE: Style = Style::new().bold();

/// A title, and to which side the cells go.
pub type Column = (&'static str, CellAlignment);

/// Cells to the left.
pub const fn left(title: &'static str) -> Column {
    (title, CellAlignment::Left)
}

/// Cells to the right.
pub const fn right(title: &'static str) -> Column {
    (title, CellAlignment::Right)
}

/// A table without lines, and without columns that say nothing.
pub struct Grid {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// No rows yet.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// One cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Titles and rows; nothing if there are no rows.
    pub fn render(self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let says: HashSet<usize> = self.rows.iter().flat_map(|row| said(row)).collect();
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        let columns: Vec<Column> = kept(self.columns, &says);
        table.set_header(columns.iter().map(|(title, _)| *title));
        for row in self.rows {
            table.add_row(kept(row, &says));
        }
        for (column, (_, alignment)) in table.column_iter_mut().zip(&columns) {
            column.set_cell_alignment(*alignment);
        }
        let mut rendered = String::new();
        for (number, line) in table.lines().enumerate() {
            let style = if number == 0 { TITLE } else { Style::new() };
            // Writing to a String cannot fail.
            let _: std::fmt::Result = writeln!(rendered, "{style}{}{style:#}", line.trim_end());
        }
        rendered
    }
}

/// The places of the cells that say something.
fn said(row: &[String]) -> impl Iterator<Item = usize> {
    (0..)
        .zip(row)
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(at, _)| at)
}

fn kept<T>(cells: Vec<T>, says: &HashSet<usize>) -> Vec<T> {
    let all = (0..).zip(cells);
    all.filter(|(at, _)| says.contains(at))
        .map(|(_, cell)| cell)
        .collect()
}
