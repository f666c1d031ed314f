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

/// A command is to be copied: broken only where the shell lets it be.
pub(super) fn list(text: &mut String, command: &Command) {
    let whole = command.to_string();
    // Writing to a String cannot fail.
    let _: std::fmt::Result = if LABELLED + wrap::width(&whole) <= wrap::WIDTH {
        writeln!(text, "  list:   {whole}")
    } else if let Some(entering) = command.entering() {
        writeln!(text, "  list:\n    {entering} \\\n    {}", command.run)
    } else {
        writeln!(text, "  list:\n    {whole}")
    };
}
