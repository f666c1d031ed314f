//! The figures as tables of Markdown.

use std::fmt::Write as _;

use super::figures::{Figures, Row};

/// A table of all rows, one column of sums for each kernel, and one of the programs of the first.
pub(super) fn of(all: &[Figures]) -> String {
    let Some((first, others)) = all.split_first() else {
        return String::new();
    };
    let mut text = format!(
        "Instructions per loopback connection, {} connections, kernel {} (clock: {}); nothing attached: {}.\n\n",
        first.connections,
        first.kernel,
        first.clock,
        grouped(first.connection.cast_signed())
    );
    let mut heads =
        "| beside it | added | in BPF programs | in its process | rest | idle, per second |".to_owned();
    let mut rule = "|---|--:|--:|--:|--:|--:|".to_owned();
    for other in others {
        // Writing to a string cannot fail.
        let _infallible = write!(heads, " added, {} |", other.kernel);
        rule.push_str("--:|");
    }
    let _infallible = writeln!(text, "{heads}\n{rule}");
    for row in &first.rows {
        let programs = row.programs.cast_signed();
        let process = row.process.map(u64::cast_signed);
        let rest = process.map(|process| row.added - programs - process);
        let mut cells = vec![Some(row.added), Some(programs), process, rest, Some(row.idle)];
        for other in others {
            let same = other.rows.iter().find(|other| other.case == row.case);
            cells.push(same.map(|row| row.added));
        }
        let mut line = format!("| {} |", row.case);
        for cell in cells {
            let _infallible = write!(line, " {} |", cell.map_or("-".to_owned(), grouped));
        }
        let _infallible = writeln!(text, "{line}");
    }
    text.push_str("\n| program | beside | runs | instructions | each run |\n|---|---|--:|--:|--:|\n");
    for row in &first.rows {
        text.push_str(&programs(row));
    }
    text
}

fn programs(row: &Row) -> String {
    row.by_program.iter().fold(String::new(), |mut text, program| {
        let runs = program.runs_percent;
        let each = (program.instructions * 100).checked_div(runs).unwrap_or(0);
        let _infallible = writeln!(
            text,
            "| `{}` | {} | {}.{:02} | {} | {} |",
            program.name,
            row.case,
            runs / 100,
            runs % 100,
            grouped(program.instructions.cast_signed()),
            grouped(each.cast_signed())
        );
        text
    })
}

/// Thousands apart: `12 345`.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        let numbers = [0, 999, 1_000, -1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1 000", "-1 234 567"]);
    }

    #[test]
    fn another_kernel_is_another_column() {
        let row = |case: &str, added| Row {
            case: case.to_owned(),
            added,
            programs: 1_000,
            process: Some(300),
            idle: 7,
            by_program: Vec::new(),
        };
        let figures = |kernel: &str, rows| Figures {
            kernel: kernel.to_owned(),
            clock: "tsc".to_owned(),
            connections: 100,
            connection: 76_000,
            rows,
        };
        let text = of(&[
            figures("6.12", vec![row("a", 2_000), row("b", 3_000)]),
            figures("6.1", vec![row("b", 4_000)]),
        ]);
        assert!(
            text.contains("| a | 2 000 | 1 000 | 300 | 700 | 7 | - |"),
            "{text}"
        );
        assert!(
            text.contains("| b | 3 000 | 1 000 | 300 | 1 700 | 7 | 4 000 |"),
            "{text}"
        );
    }
}
