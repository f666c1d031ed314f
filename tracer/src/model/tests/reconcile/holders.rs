//! Who holds a connection, and with how many descriptors.

use super::*;
use crate::model::{fact::Fact, snapshot::Descriptors};

const WORKER: ProcessId = ProcessId {
    pid: 11,
    start: Time(2),
};

fn with(process: ProcessId, name: &str, row: Held) -> Held {
    Held {
        process,
        comm: Comm::from(name),
        ..row
    }
}

fn open_of(books: &Books, process: ProcessId) -> (u32, u64, u64) {
    let processes = books.ledger.processes();
    processes.get(&process).map_or((0, 0, 0), |process| {
        (process.tally.open, process.tally.received, process.tally.given)
    })
}

#[test]
fn a_connection_follows_the_process_that_holds_it() {
    let mut books = Books::after(&[accepted(1, 0), accepted(2, 0)]);
    let both = vec![held(1, 0), held(2, 0), with(WORKER, "worker", held(1, 0))];
    assert_eq!(
        books.reconcile(&snapshot(both)).moved,
        0,
        "the opener still has it"
    );
    let (_, connection) = books.ledger.connections().find(|(id, _)| id.0 == 1).unwrap();
    assert_eq!(connection.holders, 2);

    books.facts.clear();
    let handed_over = vec![with(WORKER, "worker", held(1, 0)), held(2, 0)];
    assert_eq!(books.reconcile(&snapshot(handed_over)).moved, 1);
    let (_, connection) = books.ledger.connections().find(|(id, _)| id.0 == 1).unwrap();
    assert_eq!(
        (connection.group.process, connection.opener),
        (WORKER, Some(SERVER))
    );
    assert_eq!(books.ledger.name(WORKER), Comm::from("worker"));
    assert_eq!(open_of(&books, SERVER), (1, 0, 1));
    assert_eq!(open_of(&books, WORKER), (1, 1, 0));
    assert_eq!(books.counts(), (2, 2, 0, 0), "for the host nothing has changed");
    let moved = matches!(books.facts[..], [Fact::Moved { from, to, .. }]
        if from.process == SERVER && to.process == WORKER);
    assert!(moved, "{:?}", books.facts);

    books.apply(&event(1, 110, EventKind::Released { connected: true }));
    assert_eq!(open_of(&books, WORKER), (0, 1, 0));
    assert_eq!(books.counts(), (1, 2, 0, 1));
}

#[test]
fn a_name_follows_exec() {
    let mut books = Books::after(&[accepted(1, 0)]);
    books.reconcile(&snapshot(vec![with(SERVER, "after-exec", held(1, 0))]));
    assert_eq!(books.ledger.name(SERVER), Comm::from("after-exec"));
}

#[test]
fn a_connection_does_not_leave_the_bucket_of_those_that_found_no_room() {
    let limits = Limits {
        groups: 1,
        ..Limits::default()
    };
    let mut books = Books {
        ledger: Ledger::new(limits),
        facts: Vec::new(),
    };
    books.apply(&accepted(1, 0));
    let mut other = accepted(2, 0);
    if let EventKind::Opened(opening) = &mut other.kind {
        opening.process = WORKER;
    }
    books.apply(&other);
    let rows = vec![held(1, 0), with(WORKER, "worker", held(2, 0))];
    assert_eq!(books.reconcile(&snapshot(rows)).moved, 0);
    assert_eq!(open_of(&books, ProcessId::OTHER).0, 1);
}

fn table(used: u32) -> Descriptors {
    Descriptors {
        process: SERVER,
        comm: Comm::from("server"),
        used,
        sockets: 2,
        limit: Some(64),
        at: at(100),
    }
}

#[test]
fn descriptors_are_those_of_the_last_snapshot_and_what_opened_since() {
    let mut books = Books::after(&[accepted(1, 0)]);
    assert_eq!(books.ledger.budget(SERVER, at(100)), None);
    let counted = Snapshot {
        descriptors: vec![table(62)],
        ..snapshot(vec![held(1, 0)])
    };
    books.reconcile(&counted);
    assert!(!books.ledger.has_outgrown_snapshot(at(101)));
    books.apply(&accepted(2, 101));
    books.apply(&accepted(3, 101));
    let standing = books.ledger.budget(SERVER, at(102)).unwrap();
    assert_eq!((standing.used, standing.limit), (64, Some(64)));
    assert!(books.ledger.has_outgrown_snapshot(at(102)), "time to look");
    assert!(!books.ledger.has_exhausted_server());
    books.reconcile(&Snapshot {
        descriptors: vec![table(64)],
        ..counted
    });
    assert!(!books.ledger.has_outgrown_snapshot(at(102)), "it is known now");
    assert!(books.ledger.has_exhausted_server());
}

#[test]
fn a_process_that_doubles_is_looked_at_again() {
    let mut books = Books::after(&[]);
    let rows = |count| (1..=count).map(|id| held(id, 0)).collect();
    for id in 1..=31 {
        books.apply(&accepted(id, 100));
    }
    assert!(!books.ledger.has_outgrown_snapshot(at(100)), "few");
    books.apply(&accepted(32, 100));
    assert!(books.ledger.has_outgrown_snapshot(at(100)));
    // Whether it has a descriptor table or not: one look is enough.
    books.reconcile(&snapshot(rows(32)));
    assert!(!books.ledger.has_outgrown_snapshot(at(101)));
    for id in 33..=63 {
        books.apply(&accepted(id, 101));
    }
    assert!(!books.ledger.has_outgrown_snapshot(at(101)));
    books.apply(&accepted(64, 101));
    assert!(books.ledger.has_outgrown_snapshot(at(101)));
}
