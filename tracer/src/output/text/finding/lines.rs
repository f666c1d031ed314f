//! The lines of a finding: paragraphs and labels, broken where the terminal ends.

use std::fmt::Write as _;

use crate::output::{advice::Command, wrap};

/// Where the text of a labelled line begins.
const LABELLED: usize = 10;

/// Words below the headline.
pub(super) fn paragraph(text: &mut String, words: &str) {
    text.push_str("  ");
    wrap::fill(text, 2, 2, words);
}

/// Words behind a label.
pub(super) fn labelled(text: &mut String, label: &str, words: &str) {
    // Writing to a String cannot fail.
    let _: std::fmt::Result = write!(text, "  {label:<8}");
    wrap::fill(text, LABELLED, LABELLED, words);
}

/// Several words behind one label, each on a line of its own.
pub(super) fn column(text: &mut String, label: &str, entries: impl IntoIterator<Item = String>) {
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    for (label, entry) in labels.zip(entries) {
        labelled(text, label, &entry);
    }
}

/// Columns in which a command stands that does not fit behind its label.
const COMMAND: usize = 4;

/// A command is to be copied: broken only where the shell lets it be.
pub(super) fn list(text: &mut String, command: &Command) {
    let whole = command.to_string();
    if LABELLED + wrap::width(&whole) <= wrap::WIDTH {
        // Writing to a String cannot fail.
        let _: std::fmt::Result = writeln!(text, "  list:   {whole}");
        return;
    }
    text.push_str("  list:\n");
    let lines = command.entering().into_iter().chain(broken(&command.run));
    let lines: Vec<String> = lines.map(|line| format!("{:COMMAND$}{line}", "")).collect();
    text.push_str(&lines.join(" \\\n"));
    text.push('\n');
}

/// The lines of a command that end between two words; what stands between quotes is one.
fn broken(run: &str) -> Vec<String> {
    // Behind the longest line there is room for a backslash.
    let room = wrap::WIDTH - COMMAND - " \\".len();
    let (options, quoted) = run
        .find('\'')
        .and_then(|quote| run.split_at_checked(quote))
        .unwrap_or((run, ""));
    let words = options.split(' ').chain([quoted]).filter(|word| !word.is_empty());
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
