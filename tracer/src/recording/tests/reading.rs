//! What is read, and what is refused.

use std::time::Duration;

use proptest::{collection::vec, prelude::*};

use super::{HEADER, entries, read};
use crate::{
    model::{
        connection::{ConnectionId, Direction, ProcessId},
        time::Time,
    },
    recording::{
        line::{Line, Turn},
        reader::{Entry, LONGEST, ReadError},
    },
};

/// The reason why a line is rejected, and its number.
#[track_caller]
fn rejected(entry: &Entry) -> (u64, &str) {
    match entry {
        Entry::Rejected(Some(rejected)) => (rejected.line, &rejected.why),
        other => panic!("not rejected: {other:?}"),
    }
}

#[track_caller]
fn line(text: &str) -> Line {
    match Line::parse(text) {
        Ok(Some(line)) => line,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn every_kind_is_read() {
    let lines = [
        r#"{"kind":"process","ts":1000000001,"pid":7,"start":5,"comm":"a"}"#,
        r#"{"kind":"process_exit","ts":1000000001,"pid":7,"start":5}"#,
        r#"{"kind":"opened","ts":1000000001,"id":"1","pid":7,"start":5,"direction":"inbound","local":"10.0.0.1:80","peer":"[fd00::1]:4000"}"#,
        r#"{"kind":"unaccepted","ts":1000000001,"id":"2","local":"10.0.0.1:80","peer":"10.0.0.2:4000"}"#,
        r#"{"kind":"half_closed_remote","ts":1000000001,"id":"1"}"#,
        r#"{"kind":"half_closed_local","ts":1000000001,"id":"1"}"#,
        r#"{"kind":"dead_held","ts":1000000001,"id":"1"}"#,
        r#"{"kind":"activity","ts":1000000001,"id":"1","sent":1,"received":2}"#,
        r#"{"kind":"holders","ts":1000000001,"id":"1","pids":[[7,5],["8","6"]]}"#,
        r#"{"kind":"released","ts":1000000001,"id":"1","lifetime":0}"#,
        r#"{"kind":"ended","ts":1000000001,"id":"1"}"#,
        r#"{"kind":"connect_failed","ts":1000000001,"pid":7,"start":5,"peer":"10.0.0.2:9","error":"ECONNREFUSED"}"#,
        r#"{"kind":"loss","ts":1000000001,"count":3,"cause":"ring_full","since":1}"#,
        r#"{"kind":"reconciled","ts":1000000001,"open":3}"#,
        r#"{"kind":"stack","ts":1000000001,"id":"s","frames":[{"function":"f"}]}"#,
        r#"{"kind":"tick","ts":1000000001}"#,
    ];
    let read = entries(&lines);
    assert_eq!(read.len(), lines.len());
    for (entry, line) in read.iter().zip(lines) {
        assert!(
            matches!(entry, Entry::Line(read) if read.ts() == Time(1_000_000_001)),
            "{line}: {entry:?}"
        );
    }
}

#[test]
fn numbers_are_read_whole_as_integers_and_as_strings() {
    let largest = u64::MAX;
    for (sent, expected) in [
        (format!("{largest}"), largest),
        (format!("\"{largest}\""), largest),
        // A float would make 9007199254740992 of it.
        ("9007199254740993".to_owned(), 9_007_199_254_740_993),
        ("\"9007199254740993\"".to_owned(), 9_007_199_254_740_993),
        ("0".to_owned(), 0),
    ] {
        let text = format!(r#"{{"kind":"activity","ts":"17","id":"1","sent":{sent},"received":0}}"#);
        let Line::Activity(activity) = line(&text) else {
            panic!("{text}")
        };
        assert_eq!((activity.ts, activity.sent), (Time(17), expected), "{text}");
    }
}

#[test]
fn what_is_no_unsigned_number_is_rejected() {
    for ts in [
        "-1",
        "\"-1\"",
        "1.0",
        "1e3",
        "\"1e3\"",
        "\"\"",
        "\" 1\"",
        "\"+1\"",
        "18446744073709551616",
        "\"18446744073709551616\"",
        "1e400",
        "true",
        "null",
        "[1]",
        "{}",
        "\"0x10\"",
    ] {
        let text = format!(r#"{{"kind":"tick","ts":{ts}}}"#);
        assert!(Line::parse(&text).is_err(), "{text}");
    }
}

#[test]
fn an_opened_connection_is_read_whatever_the_order_of_its_fields() {
    let Line::Opened(opened) = line(
        r#"{"stack":"7","netns":"net:[4026531840]","preexisting":true,"peer":"[::ffff:10.0.0.2]:9090","local":"[fe80::1%3]:5","future":{"a":[1,2]},
            "direction":"outbound","start":"12","pid":3,"id":"c-1","ts":5,"kind":"opened"}"#,
    ) else {
        panic!();
    };
    assert_eq!((opened.ts, opened.pid, opened.start), (Time(5), 3, Time(12)));
    assert_eq!(opened.direction, Direction::Outbound);
    assert_eq!(opened.local, "[fe80::1]:5".parse().unwrap());
    assert_eq!(opened.peer, "10.0.0.2:9090".parse().unwrap());
    assert_eq!((opened.netns, opened.preexisting), (4_026_531_840, Some(true)));
}

#[test]
fn ids_are_strings_and_different_ones_are_different() {
    let id = |text: &str| match line(&format!(r#"{{"kind":"ended","ts":1,"id":{text}}}"#)) {
        Line::Ended(at) => at.id,
        other => panic!("{other:?}"),
    };
    assert_eq!(id(r#""18446744073709551615""#), ConnectionId(u64::MAX));
    assert_eq!(id("7"), id(r#""7""#));
    let ids = ["\"7\"", "\"07\"", "\"7 \"", "\"a\"", "\"b\"", "\"\"", "\"ä\""].map(id);
    for (place, one) in ids.iter().enumerate() {
        assert!(!ids[place + 1..].contains(one), "{ids:?}");
    }
}

#[test]
fn a_process_is_described_by_what_is_told() {
    let Line::Process(process) = line(
        r#"{"kind":"process","ts":1,"pid":3,"start":2,"comm":"a-very-long-name-of-a-program","args":["a","b c",""],"nofile":"unlimited","fds":"12"}"#,
    ) else {
        panic!();
    };
    assert_eq!(process.comm.bytes(), b"a-very-long-nam");
    assert_eq!(process.args, b"a\0b c\0");
    assert_eq!((process.nofile, process.fds), (None, Some(12)));
    let Line::Process(process) =
        line(r#"{"kind":"process","ts":1,"pid":3,"start":2,"comm":"a","args":"a b","exe":null}"#)
    else {
        panic!();
    };
    assert_eq!(process.args, b"a b");
}

#[test]
fn holders_and_errors_are_read() {
    let Line::Holders(holders) = line(r#"{"kind":"holders","ts":1,"id":"1","pids":[[3,"4"],[1,2]]}"#) else {
        panic!();
    };
    let process = |pid, start| ProcessId {
        pid,
        start: Time(start),
    };
    assert_eq!(holders.processes, [process(3, 4), process(1, 2)]);
    for (error, expected) in [
        ("111", 111),
        ("\"111\"", 111),
        ("\"ECONNREFUSED\"", 111),
        ("\"timed out\"", 110),
        ("\"?\"", 0),
    ] {
        let text = format!(
            r#"{{"kind":"connect_failed","ts":1,"pid":1,"start":1,"peer":"1.2.3.4:5","error":{error}}}"#
        );
        assert!(
            matches!(line(&text), Line::ConnectFailed(failed) if failed.error == expected),
            "{text}"
        );
    }
}

#[test]
fn a_line_that_cannot_be_used_is_named_and_the_others_are_used() {
    let read = entries(&[
        r#"{"kind":"tick","ts":1000000001}"#,
        r#"{"kind":"opened","ts":1000000001}"#,
        r#"{"kind":"tick","ts":-5}"#,
        r#"{"kind":"later than this program","x":[{}],"ts":"whatever"}"#,
        "garbage",
        "",
        r#"["tick",1000000001]"#,
        r#"{"kind":"later","x":}"#,
        r#"{"kind":"tick","ts":1000000002}"#,
    ]);
    assert!(matches!(read[0], Entry::Line(Line::Tick(_))));
    assert_eq!(rejected(&read[1]), (3, "missing field `id` (column 33)"));
    let (number, why) = rejected(&read[2]);
    assert_eq!(number, 4);
    assert!(
        why.starts_with("invalid type: integer `-5`, expected an integer from 0"),
        "{why}"
    );
    assert_eq!(read[3], Entry::Unknown);
    assert_eq!(rejected(&read[4]), (6, "not a JSON object"));
    assert_eq!(rejected(&read[5]).0, 8);
    assert_eq!(rejected(&read[6]).0, 9);
    assert!(matches!(read[7], Entry::Line(Line::Tick(_))));
    assert_eq!(read.len(), 8);
}

#[test]
fn only_the_first_rejected_lines_are_explained() {
    let read = entries(&["x"; 1000]);
    let explained = read
        .iter()
        .filter(|entry| matches!(entry, Entry::Rejected(Some(_))))
        .count();
    assert_eq!((read.len(), explained), (1000, 10));
}

#[test]
fn deep_nesting_is_no_danger() {
    let deep = "[".repeat(500_000);
    let read = entries(&[
        &format!(r#"{{"kind":"tick","ts":1000000001,"x":{deep}"#),
        &format!(r#"{{"kind":"holders","ts":1000000001,"id":"1","pids":{deep}"#),
        &deep,
        &format!(
            r#"{{"x":{deep}{},"kind":"tick","ts":1000000001}}"#,
            "]".repeat(500_000)
        ),
    ]);
    for entry in &read {
        assert!(!matches!(entry, Entry::Unknown), "{entry:?}");
    }
    assert_eq!(read.len(), 4);
}

#[test]
fn a_line_without_an_end_is_not_kept() {
    let mut file = format!("{HEADER}\n").into_bytes();
    file.resize(file.len() + 3 * LONGEST, b'x');
    let (read_cut, cut) = read(&file, 4096).unwrap();
    assert_eq!((read_cut.len(), cut), (1, Some(2)));
    file.extend_from_slice(b"\n{\"kind\":\"tick\",\"ts\":1000000001}\n");
    for piece in [4096, 1 << 26] {
        let (read, cut) = read(&file, piece).unwrap();
        assert_eq!(rejected(&read[1]), (2, "it is longer than 1 MiB"));
        assert!(matches!(read[2], Entry::Line(Line::Tick(_))));
        assert_eq!((read.len(), cut), (3, None));
    }
}

#[test]
fn the_last_line_counts_if_it_is_whole() {
    let whole = format!("{HEADER}\n{{\"kind\":\"tick\",\"ts\":1000000001}}");
    let (read_whole, cut) = read(whole.as_bytes(), 7).unwrap();
    assert_eq!((read_whole.len(), cut), (2, None));
    for missing in 1..20 {
        let (read, cut) = read(&whole.as_bytes()[..whole.len() - missing], 7).unwrap();
        assert_eq!((read.len(), cut), (1, Some(2)), "{missing}");
    }
}

#[test]
fn what_is_no_recording_is_refused() {
    let refused = |bytes: &[u8]| read(bytes, 5).unwrap_err();
    assert_eq!(refused(b""), ReadError::Empty);
    assert_eq!(refused(b" \n\n "), ReadError::Empty);
    for bytes in [
        &b"hello\n"[..],
        b"{\"kind\":\"tick\",\"ts\":1}\n",
        b"{\"kind\":\"unknown\"}\n",
        b"{\"kind\":\"header\",\"v\":2,\"ts\":1,\"wall\":\"2026-11-22T10:00:00Z\"}\n",
        b"{\"kind\":\"header\",\"v\":1,\"ts\":1}\n",
        b"{\"kind\":\"head",
        b"\0\0\0\0",
        b"\xff\xfe{\0\n",
    ] {
        assert!(matches!(refused(bytes), ReadError::NoHeader(_)), "{bytes:?}");
    }
    let error = refused(b"{\"kind\":\"header\",\"v\":2,\"ts\":1,\"wall\":\"\"}\n");
    assert!(
        error
            .to_string()
            .contains("version 2 of the format, and version 1 is known here"),
        "{error}"
    );
}

#[test]
fn lines_may_be_a_second_out_of_order_and_no_more() {
    let read = entries(&[
        r#"{"kind":"tick","ts":9000000000}"#,
        r#"{"kind":"tick","ts":8000000000}"#,
        r#"{"kind":"tick","ts":7999999999}"#,
        r#"{"kind":"tick","ts":18000000000000000000}"#,
        r#"{"kind":"tick","ts":9000000001}"#,
    ]);
    assert!(matches!(read[1], Entry::Line(_)));
    assert_eq!(
        rejected(&read[2]),
        (
            4,
            "its time is 1.000 s before that of a line above it, and 1 s is the most"
        )
    );
    assert_eq!(rejected(&read[3]).0, 5);
    assert!(
        matches!(read[4], Entry::Line(_)),
        "a broken time does not spoil what follows"
    );
}

#[test]
fn phases_have_kinds_of_their_own() {
    for (kind, turn) in [
        ("half_closed_remote", Turn::HalfClosedRemote),
        ("half_closed_local", Turn::HalfClosedLocal),
        ("dead_held", Turn::DeadHeld),
    ] {
        let text = format!(r#"{{"kind":"{kind}","ts":1,"id":"1"}}"#);
        assert!(matches!(line(&text), Line::Phase(read, _) if read == turn));
    }
    assert_eq!(Duration::from_secs(1), super::super::reader::REORDERING);
}

/// Pieces of recordings, whole, broken and strange.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"\n".to_vec()),
        Just(HEADER.as_bytes().to_vec()),
        Just(b"{\"kind\":\"tick\",\"ts\":1500000000}".to_vec()),
        Just(b"{\"kind\":\"opened\",\"ts\":1500000000,\"id\":\"a\",\"pid\":1,\"start\":2,\"direction\":\"outbound\",\"local\":\"1.2.3.4:5\",\"peer\":\"1.2.3.4:6\"}".to_vec()),
        Just(b"{\"kind\":\"x\"}".to_vec()),
        vec(any::<u8>(), 0..40),
        "[\\[\\]{}\":,a-z0-9\\\\ -]{0,40}".prop_map(String::into_bytes),
    ]
}

proptest! {
    /// It does not matter how the bytes arrive.
    #[test]
    fn pieces_say_what_the_whole_says(fragments in vec(fragments(), 0..30), piece in 1..64_usize) {
        let mut file = format!("{HEADER}\n").into_bytes();
        file.extend(fragments.concat());
        prop_assert_eq!(read(&file, piece), read(&file, file.len()));
    }

    /// A recording that was cut says what the whole one said until there.
    #[test]
    fn a_cut_recording_says_the_beginning(fragments in vec(fragments(), 0..20), at in any::<prop::sample::Index>()) {
        let mut file = format!("{HEADER}\n").into_bytes();
        file.extend(fragments.concat());
        let (whole, _) = read(&file, file.len()).unwrap();
        let length = HEADER.len() + 1 + at.index(file.len() - HEADER.len());
        let (cut, _) = read(&file[..length], 64).unwrap();
        // The last line may be whole without its end.
        let sure = cut.len().saturating_sub(1);
        prop_assert_eq!(&cut[..sure], &whole[..sure]);
    }
}
