//! Lines on standard output, for people and for scripts that wait for them.

use std::io::{self, Write as _};

/// Prints one line and flushes it: a script reading a pipe must see `listening on` at once.
///
/// Not `println!`, which panics when the reader has gone.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
