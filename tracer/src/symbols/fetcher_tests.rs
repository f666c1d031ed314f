//! What the half that opens files does for one that it should not trust.

use std::{os::unix::fs::MetadataExt as _, thread};

use super::*;
use crate::model::{connection::ProcessId, stack::StackId, time::Time};

/// A stack of this process, with one address of its own code.
fn own_stack() -> RawStack {
    let pid = std::process::id();
    let stat = Directory::open(pid).and_then(|own| own.stat()).unwrap();
    RawStack {
        at: Time(0),
        id: StackId(1),
        process: stat.process(pid),
        slot: None,
        window: [0; 16],
        frames: [own_stack as fn() -> RawStack as usize as u64 + 1].into(),
    }
}

/// Asks, with `other` for the other half.
fn ask_with(other: impl FnOnce(&UnixStream) + Send + 'static) -> Result<Vec<u8>, Failed> {
    let (socket, theirs) = UnixStream::pair().unwrap();
    let thread = thread::spawn(move || {
        let task = wire::receive(&theirs).unwrap().unwrap().0;
        let task: Task = serde_json::from_slice(&task).unwrap();
        assert_eq!(task.code.len(), 1, "only where the stack leads");
        other(&theirs);
    });
    let mut parser = Parser { socket, copied: 0 };
    let answer = parser.look_up(&own_stack());
    drop(parser);
    thread.join().unwrap();
    answer
}

fn fetch(socket: &UnixStream, request: &str) -> Option<File> {
    wire::send(socket, format!("?{request}").as_bytes(), None).unwrap();
    let (message, file) = wire::receive(socket).unwrap().unwrap();
    assert_eq!(message, b"");
    file.map(File::from)
}

fn answered(answer: Result<Vec<u8>, Failed>) -> String {
    match answer {
        Ok(answer) => String::from_utf8(answer).unwrap(),
        Err(Failed::Looking(error) | Failed::Parser(error)) => format!("failed: {error}"),
    }
}

#[test]
fn what_the_stack_leads_to_is_handed_over_and_nothing_else() {
    let answer = ask_with(|socket| {
        let own = std::fs::metadata("/proc/self/exe").unwrap();
        let file = fetch(socket, r#"{"file":0}"#).unwrap();
        assert_eq!(file.metadata().unwrap().ino(), own.ino());
        assert!((&file).write_all(b"x").is_err(), "only to read");
        for request in [
            r#"{"file":1}"#,
            r#"{"copy":7}"#,
            r#"{"debug":"../../../etc/passwd"}"#,
            r#"{"debug":"ab/../../../../../../../etc/passwd"}"#,
            r#"{"debug":""}"#,
            r#"{"debug":"a"}"#,
            r#"{"debug":"00112233445566778899"}"#,
            r#""names""#,
        ] {
            assert!(fetch(socket, request).is_none(), "{request}");
        }
        wire::send(socket, b"!{}", None).unwrap();
    });
    assert_eq!(answered(answer), "{}");
}

#[test]
fn a_copy_has_the_bytes_and_stays_as_it_is() {
    let path = std::env::temp_dir().join(format!("tracer-copy-{}", std::process::id()));
    std::fs::write(&path, b"bytes").unwrap();
    let (made, length) = copy(&File::open(&path).unwrap()).unwrap();
    std::fs::write(&path, b"other").unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(length, 5);
    let name = format!("/proc/self/fd/{}", made.as_raw_fd());
    assert_eq!(std::fs::read(&name).unwrap(), b"bytes");
    assert!(std::fs::write(&name, b"more").is_err());
}

#[test]
fn whoever_asks_for_ever_is_cut_off() {
    let answer = ask_with(|socket| {
        let mut asked = 0;
        while wire::send(socket, br#"?{"file":0}"#, None).is_ok() {
            asked += 1;
            assert!(asked <= REQUESTS + 1);
            if wire::receive(socket).map_or(true, |message| message.is_none()) {
                break;
            }
        }
    });
    assert_eq!(answered(answer), "failed: it asks for ever");
}

#[test]
fn who_says_nothing_that_makes_sense_is_not_asked_again() {
    for message in [
        &b""[..],
        b"x",
        b"?",
        b"?{}",
        br#"?{"file":-1}"#,
        br#"?{"open":"/etc/shadow"}"#,
        b"!{}\n{}",
    ] {
        let answer = ask_with(|socket| wire::send(socket, message, None).unwrap());
        assert!(matches!(answer, Err(Failed::Parser(_))), "{message:?}");
    }
}

#[test]
fn a_process_that_is_gone_is_nobodys_fault() {
    let mut stack = own_stack();
    stack.process = ProcessId {
        start: Time(stack.process.start.0 + 1_000_000_000),
        ..stack.process
    };
    assert!(Look::at(&stack).is_err_and(|error| error.to_string() == "the process is gone"));
}
