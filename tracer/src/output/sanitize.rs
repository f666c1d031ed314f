//! Makes strings from other processes safe to show.

use crate::model::name::Comm;

/// Characters that a terminal may obey or that reorder what is around them: controls, line and paragraph separators,
/// bidirectional formatting (Unicode TR9, TR36), zero-width characters, tags, and the replacement sign's
/// look-alikes are left alone.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Bytes as printable text: what is unsafe or not UTF-8 becomes an escape (`\x1b`, `\u{202e}`), and so does the
/// backslash, so that no two names look the same.
pub fn printable(bytes: &[u8]) -> String {
    let mut safe = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => safe.push_str("\\\\"),
                character if is_unsafe(character) && character.is_ascii() => {
                    safe.push_str(&format!("\\x{:02x}", u32::from(character)));
                }
                character if is_unsafe(character) => {
                    safe.push_str(&format!("\\u{{{:x}}}", u32::from(character)))
                }
                character => safe.push(character),
            }
        }
        for byte in chunk.invalid() {
            safe.push_str(&format!("\\x{byte:02x}"));
        }
    }
    safe
}

/// A process name for a terminal; `?` if there is none.
pub fn comm(comm: &Comm) -> String {
    match comm.bytes() {
        [] => "?".to_owned(),
        bytes => printable(bytes),
    }
}
