//! Which code opened what is open.

use std::{num::NonZeroU32, sync::Arc};

use super::*;
use crate::{
    model::{
        by_stack::ByStack,
        code::Code,
        snapshot::{Held, Snapshot},
        stack::{Frame, Missing, Origin, StackId, Trace},
    },
    output::{folded, list::stacks},
};

fn frame(function: &str, line: u32, origin: Origin) -> Arc<Frame> {
    Arc::new(Frame {
        function: Some(function.to_owned()),
        file: Some("x.c".to_owned()),
        line: NonZeroU32::new(line),
        origin,
        ..Frame::default()
    })
}

/// `connect` of the library, called by this function at this line, called by `main` at that one.
fn trace(function: &str, line: u32, caller: u32) -> Trace {
    Trace {
        frames: vec![
            frame("connect", 1, Origin::Library),
            frame(function, line, Origin::Application),
            frame("main", caller, Origin::Application),
        ],
        cut: None,
    }
}

/// Two places that open connections: the first leaves three open, the second closes all of its.
fn books() -> Books {
    let mut books = Books::new();
    for id in 1..=8 {
        let stack = if id <= 3 { 100 } else { 200 };
        let opening = Opening {
            stack: StackId(stack).into(),
            ..opening(Direction::Inbound, 1, 7, 9090)
        };
        books.tell(id, id, EventKind::Opened(opening));
    }
    for id in 4..=8 {
        books.release(id, 10, true);
    }
    books.ledger.learn_stack(StackId(100), trace("leak", 42, 99));
    books.ledger.learn_stack(StackId(200), trace("fine", 50, 98));
    books
}

fn code(books: &Books) -> Code {
    Code::of(
        &books.ledger,
        books.ledger.connections().map(|(_, connection)| connection),
        2,
    )
}

#[test]
fn only_what_left_connections_open_is_named() {
    let code = code(&books());
    assert_eq!((code.open, code.stacks.len(), code.elsewhere), (3, 1, 0));
    assert_eq!(code.stacks, [(Arc::new(trace("leak", 42, 99)), 3)]);
    let (culprit, count) = code.main_culprit().unwrap();
    assert_eq!((culprit.function.as_deref(), count), (Some("leak"), 3));
}

#[test]
fn one_place_that_is_called_from_several_is_one_culprit() {
    let mut books = books();
    for (id, stack) in [(20, 300), (21, 300), (22, 400)] {
        let opening = Opening {
            stack: StackId(stack).into(),
            ..opening(Direction::Inbound, 2, 7, 9090)
        };
        books.tell(id, 20, EventKind::Opened(opening));
    }
    // Two processes of one program have stacks of their own, and the same trace.
    books.ledger.learn_stack(StackId(300), trace("leak", 42, 99));
    books.ledger.learn_stack(StackId(400), trace("leak", 42, 77));
    let code = code(&books);
    assert_eq!(
        code.stacks.iter().map(|(_, count)| *count).collect::<Vec<_>>(),
        [5, 1]
    );
    assert_eq!(code.culprit.map(|(_, count)| count), Some(6));
}

#[test]
fn what_is_not_known_is_counted_by_its_reason() {
    let mut books = books();
    for (id, why) in [
        (20, Missing::TableFull),
        (21, Missing::TableFull),
        (22, Missing::NoUserStack),
    ] {
        let opening = Opening {
            stack: Opener::missing(why),
            ..opening(Direction::Inbound, 1, 7, 9090)
        };
        books.tell(id, 20, EventKind::Opened(opening));
    }
    let unknown = Opening {
        stack: StackId(999).into(),
        ..opening(Direction::Inbound, 1, 7, 9090)
    };
    books.tell(30, 20, EventKind::Opened(unknown));
    let code = code(&books);
    let expected = [
        (Missing::NoUserStack, 1),
        (Missing::TableFull, 2),
        (Missing::NotLookedUp, 1),
    ];
    assert_eq!(code.unknown.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(code.open, 7);
}

#[test]
fn beyond_the_limit_stacks_are_added_up() {
    let mut books = Books::new();
    for id in 1..=5_u64 {
        let opening = Opening {
            stack: StackId(100 + id).into(),
            ..opening(Direction::Inbound, 1, 7, 9090)
        };
        books.tell(id, id, EventKind::Opened(opening));
        books
            .ledger
            .learn_stack(StackId(100 + id), trace("leak", u32::try_from(id).unwrap(), 1));
    }
    assert_eq!((code(&books).stacks.len(), code(&books).elsewhere), (2, 3));
}

#[test]
fn equal_frames_are_kept_once_and_forgotten_with_their_stacks() {
    let mut books = books();
    let main =
        |books: &Books, id| Arc::as_ptr(books.ledger.trace(StackId(id)).unwrap().frames.first().unwrap());
    assert_eq!(main(&books, 100), main(&books, 200), "the same `connect`");
    books.ledger.retain_stacks(|id| id == StackId(200));
    assert!(books.ledger.trace(StackId(100)).is_none());
    assert_eq!(books.ledger.traces().len(), 1);
}

#[test]
fn stacks_of_what_is_open_make_room_for_more() {
    let mut books = books();
    for id in 1000..10_000 {
        books.ledger.learn_stack(StackId(id), trace("other", 1, 1));
    }
    assert!(books.ledger.traces().len() <= 4096);
    assert!(
        books.ledger.trace(StackId(100)).is_some(),
        "something is open that it opened"
    );
}

#[test]
fn folded_stacks_begin_with_the_process_and_end_with_the_number() {
    let mut books = books();
    let opening = Opening {
        stack: Opener::OLDER,
        comm: Comm::from("a;b\nc"),
        ..opening(Direction::Inbound, 3, 7, 9090)
    };
    books.tell(20, 20, EventKind::Opened(opening));
    let lines = folded::lines(&folded::stacks(&books.ledger));
    let expected = "\
a:b\\x0ac[3];[stack unavailable: older than the tracer] 1
program-1[1];main (x.c:99);leak (x.c:42);connect (x.c:1) 3
";
    assert_eq!(lines, expected);
}

#[test]
fn what_was_open_before_anybody_watched_is_counted_apart() {
    let mut books = books();
    // Looks the same as the other one.
    let opening = Opening {
        stack: StackId(300).into(),
        ..opening(Direction::Inbound, 1, 7, 9091)
    };
    books.tell(30, 30, EventKind::Opened(opening));
    books.ledger.learn_stack(StackId(300), trace("leak", 42, 99));
    let held = |id: u64| Held {
        id: ConnectionId(id),
        process: process(3),
        comm: Comm::from("other"),
        fd: 3,
        netns: 1,
        local: "10.0.0.1:40000".parse().unwrap(),
        peer: "10.0.0.2:9090".parse().unwrap(),
        phase: Phase::Open,
        at: at(15),
        age_at_least: Duration::from_secs(9),
        inode: id,
        idle: Duration::from_secs(9),
        sent: 0,
        received: 0,
    };
    let snapshot = Snapshot {
        began: at(15),
        held: vec![held(20), held(21)],
        ..Snapshot::default()
    };
    books
        .ledger
        .reconcile(&snapshot, at(16), |_| true, &mut books.facts);
    let found = ByStack::of(&books.ledger);
    assert_eq!((found.open(), found.before), (6, 2));
    let [row] = found.rows.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((row.connections, row.peer), (4, None));
    assert_eq!(row.code, Ok(Arc::new(trace("leak", 42, 99))));
    assert_eq!(
        folded::lines(&folded::stacks_since(&books.ledger)),
        "[opened before] 2\nprogram-1[1];main (x.c:99);leak (x.c:42);connect (x.c:1) 4\n"
    );
    let text = anstream::adapter::strip_str(&stacks::render(&found, 10, Duration::from_secs(10))).to_string();
    let expected = "\x20open  share  process       peer     opened by
    4    67%  program-1[1]  several  leak (x.c:42) <- main (x.c:99)
    2    33%                         [opened before]
6 open, of which 4 opened in the 10s of watching
";
    assert_eq!(text, expected);
}
