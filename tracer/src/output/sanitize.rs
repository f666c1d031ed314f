//! Makes strings from other processes safe to show.

use std::fmt::{self, Write as _};

use crate::model::name::Comm;

/// Characters that a terminal may obey, that reorder what is around them, or that nobody sees: controls, line and
/// paragraph separators, bidirectional formatting (Unicode TR9, TR36), interlinear annotation, and everything else
/// that Unicode calls default-ignorable (`DerivedCoreProperties.txt`). Characters that merely look alike stay.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Bytes as printable text: what is unsafe or not UTF-8 becomes an escape (`\x1b`, `\u{202e}`), and so does the
/// backslash, so that no two names look the same.
pub fn printable(bytes: &[u8]) -> String {
    let mut safe = String::with_capacity(bytes.len());
    // Writing to a String cannot fail.
    let _: fmt::Result = write_printable(&mut safe, bytes);
    safe
}

fn write_printable(safe: &mut String, bytes: &[u8]) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => safe.push_str("\\\\"),
                character if !is_unsafe(character) => safe.push(character),
                character if character.is_ascii() => write!(safe, "\\x{:02x}", u32::from(character))?,
                character => write!(safe, "\\u{{{:x}}}", u32::from(character))?,
            }
        }
        for byte in chunk.invalid() {
            write!(safe, "\\x{byte:02x}")?;
        }
    }
    Ok(())
}

/// A process name for a terminal; `?` if there is none.
pub fn comm(comm: &Comm) -> String {
    match comm.bytes() {
        [] => "?".to_owned(),
        bytes => printable(bytes),
    }
}
