//! What lines do to the books.

use std::time::Duration;

use proptest::{collection::vec, prelude::*};

use crate::{
    model::{
        connection::{Connection, ConnectionId, Phase, ProcessId},
        event::Opening,
        fact::{Fact, Start},
        ledger::{Ledger, Limits},
        stack::{Cut, Missing, Opener, Origin},
        time::Time,
    },
    recording::{
        line::Line,
        player::{Player, Told},
    },
};

const SECOND: u64 = 1_000_000_000;

/// The books as lines tell them.
struct Books {
    ledger: Ledger,
    player: Player,
    facts: Vec<Fact>,
}

impl Books {
    fn new(lines: &[&str]) -> Self {
        let mut books = Self {
            ledger: Ledger::new(Limits::default()),
            player: Player::new(),
            facts: Vec::new(),
        };
        for line in lines {
            books.play(line, |_| true);
        }
        books
    }

    fn play(&mut self, line: &str, admits: impl Fn(&Opening) -> bool) -> Told {
        let line = Line::parse(line).unwrap().unwrap();
        self.player.play(line, &mut self.ledger, &mut self.facts, admits)
    }

    fn tick(&mut self, second: u64) {
        let now = Time(second * SECOND);
        self.player.settle(now, &mut self.ledger, &mut self.facts);
        self.ledger.tick(now);
    }

    fn get(&self, id: u64) -> Option<Connection> {
        let mut connections = self.ledger.connections();
        connections
            .find(|(known, _)| *known == ConnectionId(id))
            .map(|(_, connection)| connection)
    }

    /// Open, opened, older, closed, failed, unaccepted.
    fn counts(&self) -> (u32, u64, u64, u64, u64, u32) {
        let total = self.ledger.total();
        (
            total.open,
            total.opened,
            total.older,
            total.closed,
            total.failed,
            total.unaccepted,
        )
    }
}

fn process(pid: u32) -> ProcessId {
    ProcessId { pid, start: Time(5) }
}

fn opened(second: u64, id: &str, pid: u32, more: &str) -> String {
    format!(
        r#"{{"kind":"opened","ts":{},"id":"{id}","pid":{pid},"start":5,"direction":"outbound","local":"10.0.0.1:4000","peer":"10.0.0.2:9090"{more}}}"#,
        second * SECOND
    )
}

fn told(kind: &str, second: u64, id: &str) -> String {
    format!(r#"{{"kind":"{kind}","ts":{},"id":"{id}"}}"#, second * SECOND)
}

fn played(lines: &[String]) -> Books {
    Books::new(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_release_is_the_end_and_an_end_after_it_changes_nothing() {
    let mut books = played(&[opened(1, "1", 7, ""), told("released", 3, "1")]);
    assert_eq!(books.counts(), (0, 1, 0, 1, 0, 0));
    assert!(
        books.get(1).is_none(),
        "nothing waits for an end that need not come"
    );
    books.play(&told("ended", 4, "1"), |_| true);
    books.tick(60);
    assert_eq!(books.counts(), (0, 1, 0, 1, 0, 0));
    assert_eq!(books.ledger.irregularities().orphans, 0);
    // The same id may come again.
    books.play(&opened(61, "1", 7, ""), |_| true);
    assert_eq!(books.counts(), (1, 2, 0, 1, 0, 0));
}

#[test]
fn an_end_is_a_release() {
    let books = played(&[opened(1, "1", 7, ""), told("ended", 3, "1")]);
    assert_eq!(books.counts(), (0, 1, 0, 1, 0, 0));
}

#[test]
fn a_pre_existing_connection_is_found_in_the_phase_that_follows() {
    let mut books = played(&[
        opened(1, "1", 7, r#","preexisting":true"#),
        told("half_closed_remote", 1, "1"),
        opened(1, "2", 7, r#","preexisting":true,"age":500000000"#),
        opened(1, "3", 7, r#","preexisting":true"#),
    ]);
    books.tick(2);
    assert_eq!(books.counts(), (3, 0, 3, 0, 0, 0));
    let first = books.get(1).unwrap();
    assert_eq!((first.phase, first.older), (Phase::HalfClosedRemote, true));
    assert_eq!(first.life.peer_gone, Some(Start::Older));
    assert_eq!(books.get(2).unwrap().opened, Time(SECOND / 2));
    assert_eq!(books.get(3).unwrap().phase, Phase::Open);
    // The next file of a rotated recording tells again what is open.
    books.play(&opened(3, "3", 7, r#","preexisting":true"#), |_| true);
    books.tick(4);
    assert_eq!(books.counts(), (3, 0, 3, 0, 0, 0));
}

#[test]
fn an_unaccepted_connection_waits_in_a_queue_until_it_is_accepted() {
    let unaccepted = |second: u64, id: &str| {
        format!(
            r#"{{"kind":"unaccepted","ts":{},"id":"{id}","local":"10.0.0.1:80","peer":"10.0.0.9:4000","listener_pid":7,"listener_start":5}}"#,
            second * SECOND
        )
    };
    let mut books = played(&[
        unaccepted(1, "1"),
        unaccepted(2, "2"),
        told("half_closed_remote", 3, "2"),
    ]);
    books.tick(10);
    assert_eq!(books.counts(), (0, 0, 0, 0, 0, 2));
    let [queue] = books.ledger.listeners() else {
        panic!("{:?}", books.ledger.listeners())
    };
    assert_eq!(
        (queue.owner().0, queue.queued, queue.local.port()),
        (process(7), 2, 80)
    );
    let waiting: Vec<(u64, Duration, bool)> = queue
        .waiting
        .iter()
        .map(|waiting| (waiting.id.0, waiting.waited, waiting.given_up))
        .collect();
    assert_eq!(
        waiting,
        [
            (1, Duration::from_secs(9), false),
            (2, Duration::from_secs(8), true)
        ]
    );
    books.play(&opened(11, "1", 7, "").replace("outbound", "inbound"), |_| true);
    books.play(&told("ended", 11, "2"), |_| true);
    books.tick(12);
    assert_eq!(books.counts(), (1, 1, 0, 0, 0, 0));
    let [queue] = books.ledger.listeners() else {
        panic!("an empty queue is known for a while")
    };
    assert_eq!((queue.queued, queue.waiting.len()), (0, 0));
    books.tick(100);
    assert!(books.ledger.listeners().is_empty());
}

#[test]
fn an_exit_releases_what_nobody_else_holds() {
    let mut books = played(&[
        opened(1, "1", 7, ""),
        opened(1, "2", 7, ""),
        opened(1, "3", 8, ""),
        format!(r#"{{"kind":"holders","ts":{SECOND},"id":"2","pids":[[7,5],[9,5]]}}"#),
        format!(
            r#"{{"kind":"process_exit","ts":{},"pid":7,"start":5}}"#,
            2 * SECOND
        ),
    ]);
    assert_eq!(books.counts(), (2, 3, 0, 1, 0, 0));
    assert_eq!(books.get(2).unwrap().group.process, process(9));
    books.play(&told("released", 3, "1"), |_| true);
    books.tick(60);
    assert_eq!(books.counts(), (2, 3, 0, 1, 0, 0));
}

#[test]
fn a_connection_counts_for_a_process_that_holds_it() {
    let mut books = played(&[
        opened(1, "1", 7, ""),
        format!(r#"{{"kind":"holders","ts":{SECOND},"id":"1","pids":[[9,5],[8,5]]}}"#),
    ]);
    let connection = books.get(1).unwrap();
    assert_eq!((connection.group.process, connection.holders), (process(8), 2));
    assert_eq!(connection.opener, Some(process(7)));
    // Nobody told who has it instead.
    books.play(
        &format!(r#"{{"kind":"holders","ts":{SECOND},"id":"1","pids":[]}}"#),
        |_| true,
    );
    assert_eq!(books.get(1).unwrap().group.process, process(8));
}

#[test]
fn descriptors_hold_after_every_line_of_their_moment() {
    let mut books = played(&[
        format!(r#"{{"kind":"process","ts":{SECOND},"pid":7,"start":5,"comm":"a","fds":10,"nofile":64}}"#),
        opened(1, "1", 7, ""),
        opened(1, "2", 7, ""),
        opened(2, "3", 7, ""),
    ]);
    books.tick(3);
    let standing = books.ledger.budget(process(7), Time(3 * SECOND)).unwrap();
    assert_eq!(
        (standing.used, standing.limit),
        (11, Some(64)),
        "two of the three are in the ten"
    );
    // A newer value of one keeps the other.
    books.play(
        &format!(
            r#"{{"kind":"process","ts":{},"pid":7,"start":5,"comm":"b","fds":20}}"#,
            4 * SECOND
        ),
        |_| true,
    );
    books.tick(5);
    let standing = books.ledger.budget(process(7), Time(5 * SECOND)).unwrap();
    assert_eq!((standing.used, standing.limit), (20, Some(64)));
    assert_eq!(books.ledger.name(process(7)).bytes(), b"b");
}

#[test]
fn what_a_connection_carried_is_noted_with_the_time_of_the_last_byte() {
    let activity = |second: u64, sent: u64, more: &str| {
        format!(
            r#"{{"kind":"activity","ts":{},"id":"1","sent":{sent},"received":0{more}}}"#,
            second * SECOND
        )
    };
    let mut books = played(&[opened(1, "1", 7, ""), activity(2, 5, r#","idle":500000000"#)]);
    let last = |books: &Books| books.get(1).unwrap().traffic.unwrap().last;
    assert_eq!(last(&books), Time(SECOND * 3 / 2));
    books.play(&activity(30, 5, ""), |_| true);
    assert_eq!(last(&books), Time(SECOND * 3 / 2), "nothing moved since");
    books.play(&activity(40, 6, ""), |_| true);
    assert_eq!(last(&books), Time(SECOND * 40));
}

#[test]
fn failures_losses_and_comparisons_are_told() {
    let mut books = played(&[]);
    let failed =
        r#"{"kind":"connect_failed","ts":1,"pid":7,"start":5,"peer":"10.0.0.2:9","error":"ECONNREFUSED"}"#;
    assert_eq!(books.play(failed, |_| true), Told::Nothing);
    assert_eq!(books.counts(), (0, 0, 0, 0, 1, 0));
    assert_eq!(books.ledger.failures().get(&111), Some(&1));
    assert_eq!(books.ledger.total().connecting, 0);
    let loss = r#"{"kind":"loss","ts":2,"count":3,"cause":"ring_full","since":1}"#;
    assert!(matches!(books.play(loss, |_| true), Told::Loss(loss) if loss.count == 3));
    let reconciled = r#"{"kind":"reconciled","ts":3,"open":3,"added":1}"#;
    assert!(matches!(books.play(reconciled, |_| true), Told::Reconciled(told) if told.added == Some(1)));
}

#[test]
fn what_a_filter_leaves_out_leaves_no_trace() {
    let mut books = played(&[]);
    for line in [
        opened(1, "1", 7, ""),
        told("half_closed_remote", 2, "1"),
        told("released", 3, "1"),
        told("ended", 3, "1"),
        opened(4, "2", 7, r#","preexisting":true"#),
    ] {
        books.play(&line, |opening| opening.process != process(7));
    }
    books.tick(60);
    assert_eq!(books.counts(), (0, 0, 0, 0, 0, 0));
    assert_eq!(books.ledger.irregularities().orphans, 0);
}

fn anything() -> impl Strategy<Value = String> {
    let second = 0..100_u64;
    let id = 0..6_u64;
    let kinds = prop::sample::select(vec![
        "released",
        "ended",
        "half_closed_remote",
        "half_closed_local",
        "dead_held",
    ]);
    prop_oneof![
        (second.clone(), id.clone(), 0..4_u32, any::<bool>()).prop_map(|(second, id, pid, before)| {
            let more = if before { r#","preexisting":true"# } else { "" };
            opened(second, &id.to_string(), pid, more)
        }),
        (kinds, second.clone(), id.clone()).prop_map(|(kind, second, id)| told(kind, second, &id.to_string())),
        (second.clone(), id.clone(), 0..4_u32).prop_map(|(second, id, pid)| format!(
            r#"{{"kind":"unaccepted","ts":{},"id":"{id}","local":"10.0.0.1:80","peer":"10.0.0.9:4000","listener_pid":{pid},"listener_start":5}}"#,
            second * SECOND
        )),
        (second.clone(), id, 0..4_u32, 0..4_u32).prop_map(|(second, id, a, b)| format!(
            r#"{{"kind":"holders","ts":{},"id":"{id}","pids":[[{a},5],[{b},5]]}}"#,
            second * SECOND
        )),
        (second, 0..4_u32).prop_map(|(second, pid)| format!(
            r#"{{"kind":"process_exit","ts":{},"pid":{pid},"start":5}}"#,
            second * SECOND
        )),
    ]
}

proptest! {
    /// Whatever is told in whatever order, the sums agree with the connections.
    #[test]
    fn the_books_balance(lines in vec(anything(), 0..60)) {
        let mut books = Books::new(&[]);
        for (number, line) in lines.iter().enumerate() {
            books.play(line, |_| true);
            if number % 7 == 0 {
                books.tick(number as u64);
            }
        }
        books.tick(200);
        let total = books.ledger.total();
        prop_assert_eq!(
            total.opened + total.older + total.received,
            u64::from(total.open) + total.closed + total.given
        );
        let held = books.ledger.connections().filter(|(_, connection)| connection.phase.is_held()).count();
        prop_assert_eq!(held, total.open as usize);
        let waiting = books.ledger.connections().filter(|(_, connection)| matches!(connection.phase, Phase::Unaccepted { .. }));
        let queued: u32 = books.ledger.listeners().iter().map(|listener| listener.queued).sum();
        prop_assert_eq!((waiting.count(), queued), (total.unaccepted as usize, total.unaccepted));
    }
}

const HEAD: &str = r#""pid":7,"start":5,"direction":"outbound","local":"10.0.0.1:1","peer":"10.0.0.2:80""#;

fn opener(more: &str) -> Opener {
    let line = format!(r#"{{"kind":"opened","ts":1,"id":"9",{HEAD}{more}}}"#);
    Books::new(&[line.as_str()]).get(9).unwrap().stack
}

#[test]
fn a_connection_knows_the_stack_that_its_line_names() {
    let stack = r#"{"kind":"stack","ts":1,"id":"s1","frames":[{"function":"sync","file":"a.c","line":42},
        {"function":"","module":"/lib/x.so","offset":"17","library":true}],"cut":"deep"}"#
        .replace('\n', "");
    let opened = format!(r#"{{"kind":"opened","ts":1,"id":"9",{HEAD},"stack":"s1"}}"#);
    // Whichever comes first.
    for lines in [[stack.as_str(), &opened], [&opened, &stack]] {
        let books = Books::new(&lines);
        let trace = books.ledger.trace_of(books.get(9).unwrap().stack).unwrap();
        assert_eq!(trace.cut, Some(Cut::Deep));
        let [inner, outer] = trace.frames.as_slice() else {
            panic!("{trace:?}")
        };
        assert_eq!(
            (inner.function.as_deref(), inner.line.map(u32::from)),
            (Some("sync"), Some(42))
        );
        assert_eq!((outer.function.as_deref(), outer.offset), (None, Some(17)));
        assert_eq!(
            (inner.origin, outer.origin),
            (Origin::Application, Origin::Library)
        );
    }
}

#[test]
fn a_line_without_a_stack_says_why_or_means_that_nobody_asked() {
    assert_eq!(opener(""), Opener::NOT_ASKED);
    assert_eq!(
        opener(r#","no_stack":"table_full""#),
        Opener::missing(Missing::TableFull)
    );
    assert_eq!(opener(r#","no_stack":"some other reason""#), Opener::NOT_ASKED);
    assert_eq!(opener(r#","no_stack":{"what":1}"#), Opener::NOT_ASKED);
    // Small numbers are ids, whatever they mean in the kernel.
    assert!(opener(r#","stack":"2""#).stack().is_ok());
}

#[test]
fn a_stack_of_too_many_frames_is_refused_and_long_names_are_cut() {
    let frames = vec![r#"{"function":"f"}"#; 600].join(",");
    assert!(
        Line::parse(&format!(
            r#"{{"kind":"stack","ts":1,"id":"s","frames":[{frames}]}}"#
        ))
        .is_err()
    );
    let long = "x".repeat(5000);
    let line = format!(r#"{{"kind":"stack","ts":1,"id":"s","frames":[{{"function":"{long}"}}]}}"#);
    let Some(Line::Stack(stack)) = Line::parse(&line).unwrap() else {
        panic!("no stack")
    };
    assert_eq!(stack.frames[0].function.as_ref().map(String::len), Some(1024));
}
