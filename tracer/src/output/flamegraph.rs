//! Folded stacks as a picture: the wider a function, the more connections are open that it led to.

use anyhow::Context as _;
use inferno::flamegraph::{self, Options};

use super::folded;

/// The picture, SVG.
///
/// # Errors
/// When the stacks make none.
pub fn svg(stacks: &[(String, u32)]) -> anyhow::Result<String> {
    let mut options = Options::default();
    "connections still open, by the code that opened them".clone_into(&mut options.title);
    "connections".clone_into(&mut options.count_name);
    // Of the same stacks always the same picture.
    options.deterministic = true;
    let lines = folded::lines(stacks);
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.lines(), &mut svg).context("the stacks make no picture")?;
    Ok(String::from_utf8(svg)?)
}
