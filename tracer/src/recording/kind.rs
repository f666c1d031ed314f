//! The kind of a line, found without reading the rest of it: nearly always it comes first, or after the time.

use std::borrow::Cow;

use serde::{Deserialize, de::Error as _};

#[derive(Deserialize)]
struct KindOnly<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

/// The kind of a line.
///
/// # Errors
/// When the line is no JSON object, or says no kind.
pub fn of(line: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    match glance(line) {
        Some(kind) => Ok(Cow::Borrowed(kind)),
        // serde would take an array for an object whose names were left out.
        None if !line.trim_start().starts_with('{') => Err(serde_json::Error::custom("not a JSON object")),
        None => Ok(serde_json::from_str::<KindOnly<'_>>(line)?.kind),
    }
}

/// The kind, if only numbers and plain strings stand before it. Whether the rest is sound is for the real parser to say.
fn glance(line: &str) -> Option<&str> {
    let mut rest = line.trim_start().strip_prefix('{')?;
    loop {
        let (key, after) = plain_string(rest.trim_start())?;
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        let after = match (key, plain_string(value)) {
            ("kind", string) => return Some(string?.0),
            (_, Some((_, after))) => after,
            (_, None) => value.trim_start_matches(|c: char| c.is_ascii_digit()),
        };
        // Neither a number nor a string leaves a comma here.
        rest = after.trim_start().strip_prefix(',')?;
    }
}

/// A string without escapes, and what stands behind it.
fn plain_string(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('"')?;
    let end = inner.bytes().position(|byte| byte == b'"' || byte == b'\\')?;
    let (string, behind) = inner.split_at_checked(end)?;
    Some((string, behind.strip_prefix('"')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_found_wherever_it_stands() {
        for line in [
            r#"{"kind":"opened","ts":1}"#,
            r#"  { "kind" : "opened" , "ts" : 1 }"#,
            r#"{"ts":17,"kind":"opened"}"#,
            r#"{"id": "a", "ts": 17, "kind": "opened"}"#,
            r#"{"a":{"kind":"no"},"kind":"opened"}"#,
            r#"{"a":[1],"b":-1.5,"c":"\"","kind":"opened"}"#,
            r#"{"k\u0069nd":"opened"}"#,
            r#"{"kind":"\u006fpened"}"#,
        ] {
            assert_eq!(of(line).unwrap(), "opened", "{line}");
        }
    }

    #[test]
    fn a_line_without_a_kind_says_so() {
        for line in [
            "",
            "{}",
            "[]",
            "7",
            r#"{"kind":7}"#,
            r#"{"kind""#,
            r#"{"ts":1}"#,
            "{\"a\":1,",
        ] {
            assert!(of(line).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_glanced_at_is_what_is_read() {
        for line in [
            r#"{"kind":"tick","ts":1}"#,
            r#"{"ts":"1","kind":"tick"}"#,
            r#"{"x":"kind","kind":"tick"}"#,
        ] {
            let read: KindOnly<'_> = serde_json::from_str(line).unwrap();
            assert_eq!(glance(line), Some(read.kind.as_ref()), "{line}");
        }
    }
}
