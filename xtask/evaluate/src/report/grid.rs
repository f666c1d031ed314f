//! A table of words.

use std::fmt::Write as _;

use super::Style;

/// Rows of cells under a header.
pub struct Grid {
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// With these columns.
    pub fn new<'a>(header: impl IntoIterator<Item = &'a str>) -> Self {
        let mut grid = Self { rows: Vec::new() };
        grid.row(header.into_iter().map(str::to_owned));
        grid
    }

    /// One more row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// As text.
    pub fn render(&self, style: Style) -> String {
        let mut text = String::new();
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, row) in self.rows.iter().enumerate() {
            match style {
                Style::Terminal => {
                    let mut line = String::new();
                    for (cell, width) in row.iter().zip(&widths) {
                        let _ = write!(line, "{cell:width$}  ");
                    }
                    text += line.trim_end();
                    text.push('\n');
                }
                Style::Markdown => {
                    let _ = writeln!(text, "| {} |", row.join(" | "));
                    if number == 0 {
                        text += "|";
                        text += &"---|".repeat(columns);
                        text.push('\n');
                    }
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let mut grid = Grid::new(["a", "wide"]);
        grid.row(["longer".to_owned(), "1".to_owned()]);
        grid
    }

    #[test]
    fn a_terminal_gets_columns() {
        assert_eq!(grid().render(Style::Terminal), "a       wide\nlonger  1\n");
    }

    #[test]
    fn a_document_gets_markdown() {
        assert_eq!(
            grid().render(Style::Markdown),
            "| a | wide |\n|---|---|\n| longer | 1 |\n"
        );
    }
}
