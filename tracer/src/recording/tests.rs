//! Recordings that others wrote, that somebody broke, and that nobody wrote.

mod order;
mod parity;
mod playing;
mod reading;
mod schema;

use super::reader::{Entry, ReadError, Reader};

/// The header that all recordings here begin with.
const HEADER: &str = r#"{"kind":"header","v":1,"ts":1000000000,"wall":"2026-11-22T10:00:00Z"}"#;

/// What a file of these lines says, read in pieces of this size, and the line that is cut off.
fn read(bytes: &[u8], piece: usize) -> Result<(Vec<Entry>, Option<u64>), ReadError> {
    let mut reader = Reader::new();
    let mut entries = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.read(piece, &mut entries)?;
    }
    let cut = reader.finish(&mut entries)?;
    Ok((entries, cut))
}

/// What the lines after the header say.
fn entries(lines: &[&str]) -> Vec<Entry> {
    let file = format!("{HEADER}\n{}\n", lines.join("\n"));
    let (mut entries, cut) = read(file.as_bytes(), 1 << 16).unwrap();
    assert_eq!(cut, None);
    entries.remove(0);
    entries
}
