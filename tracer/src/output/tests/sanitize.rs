use std::collections::HashMap;

use proptest::prelude::*;

use super::{HOSTILE, is_harmless};
use crate::{
    model::name::Comm,
    output::sanitize::{comm, is_unsafe, printable},
};

#[test]
fn each_kind_of_dangerous_byte_has_its_escape() {
    let cases: [(&[u8], &str); 21] = [
        (b"plain-name_1.2", "plain-name_1.2"),
        ("größe 大 é".as_bytes(), "größe 大 é"),
        (b"\x1b[31m", r"\x1b[31m"),
        (b"a\nb", r"a\x0ab"),
        (b"a\rb", r"a\x0db"),
        (b"a\tb", r"a\x09b"),
        (b"a\0b", r"a\x00b"),
        (b"\x7f", r"\x7f"),
        ("\u{80}".as_bytes(), r"\u{80}"),
        ("\u{9b}31m".as_bytes(), r"\u{9b}31m"),
        ("\u{202e}x".as_bytes(), r"\u{202e}x"),
        ("\u{2066}x".as_bytes(), r"\u{2066}x"),
        ("\u{200b}x".as_bytes(), r"\u{200b}x"),
        ("\u{2028}".as_bytes(), r"\u{2028}"),
        ("\u{feff}".as_bytes(), r"\u{feff}"),
        ("\u{3164}".as_bytes(), r"\u{3164}"),
        ("\u{e0041}".as_bytes(), r"\u{e0041}"),
        (b"\xff\xfe", r"\xff\xfe"),
        // The start of a character, and the rest missing, as the kernel's cut at 15 bytes leaves it.
        (b"a\xe5\xa4", r"a\xe5\xa4"),
        (b"\x80", r"\x80"),
        (br"\x1b", r"\\x1b"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(printable(bytes), expected, "{}", bytes.escape_ascii());
    }
    assert_eq!(printable(b""), "");
}

#[test]
fn no_character_of_unicode_gets_through_that_should_not() {
    for character in '\0'..=char::MAX {
        let shown = printable(character.encode_utf8(&mut [0; 4]).as_bytes());
        assert!(shown.chars().all(is_harmless), "U+{:04x}", u32::from(character));
        assert_eq!(
            shown == character.to_string(),
            !is_unsafe(character) && character != '\\'
        );
    }
}

#[test]
fn all_names_of_two_bytes_look_different() {
    let mut seen: HashMap<String, [u8; 2]> = HashMap::new();
    for pair in 0..=u16::MAX {
        let bytes = pair.to_be_bytes();
        if let Some(other) = seen.insert(printable(&bytes), bytes) {
            panic!("{} and {}", other.escape_ascii(), bytes.escape_ascii());
        }
    }
}

#[test]
fn a_missing_name_is_a_question_mark() {
    assert_eq!(comm(&Comm::default()), "?");
    assert_eq!(comm(&Comm::from("sh")), "sh");
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        proptest::collection::vec(any::<char>(), 0..12)
            .prop_map(|text| text.iter().collect::<String>().into_bytes()),
        // Texts that look like escapes already.
        r"[\\xu{}0-9a-f]{0,12}".prop_map(String::into_bytes),
        proptest::collection::vec(proptest::sample::select(&HOSTILE[..]), 0..3)
            .prop_map(|parts| parts.concat()),
    ]
}

proptest! {
    #[test]
    fn output_is_harmless_and_bounded(bytes in bytes()) {
        let shown = printable(&bytes);
        prop_assert!(shown.chars().all(is_harmless), "{shown:?}");
        prop_assert!(shown.len() <= 4 * bytes.len());
    }

    #[test]
    fn distinct_names_look_distinct(one in bytes(), other in bytes()) {
        prop_assert_eq!(one == other, printable(&one) == printable(&other));
    }

    #[test]
    fn the_bytes_can_be_had_back(bytes in bytes()) {
        prop_assert_eq!(parse(&printable(&bytes)), bytes);
    }
}

/// Reads the escapes back: what can be undone has lost nothing.
fn parse(shown: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = shown;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        if character != '\\' {
            bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let kind = rest.chars().next().unwrap();
        rest = &rest[1..];
        match kind {
            '\\' => bytes.push(b'\\'),
            'x' => {
                bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                rest = &rest[2..];
            }
            'u' => {
                let (digits, after) = rest[1..].split_once('}').unwrap();
                let character = char::from_u32(u32::from_str_radix(digits, 16).unwrap()).unwrap();
                bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
            }
            other => panic!("escape {other:?} in {shown:?}"),
        }
    }
    bytes
}
