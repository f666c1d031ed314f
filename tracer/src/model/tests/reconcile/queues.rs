//! What waits to be accepted.

use super::*;
use crate::model::{event::StateChange, snapshot::Waiting};

const PARENT: ProcessId = ProcessId {
    pid: 5,
    start: Time(1),
};

fn waiting(id: u64, waited: u64) -> Waiting {
    Waiting {
        id: ConnectionId(id),
        listener: ListenerId(1),
        local: "10.0.0.1:9090".parse().unwrap(),
        peer: "10.0.0.2:40000".parse().unwrap(),
        given_up: false,
        at: at(100),
        waited: Duration::from_secs(waited),
    }
}

fn queue(held: Vec<Held>, waiting: Vec<Waiting>) -> Snapshot {
    Snapshot {
        waiting,
        ..snapshot(held)
    }
}

fn phase(books: &Books, id: u64) -> Option<Phase> {
    let mut connections = books.ledger.connections();
    connections
        .find(|(other, _)| other.0 == id)
        .map(|(_, connection)| connection.phase)
}

const WAITS: Option<Phase> = Some(Phase::Unaccepted { given_up: false });

#[test]
fn what_waits_counts_for_who_listens_and_is_not_open() {
    let mut books = Books::after(&[]);
    books.reconcile(&queue(vec![], vec![waiting(1, 30), waiting(2, 5)]));
    assert_eq!(books.counts(), (0, 0, 0, 0));
    assert_eq!(books.ledger.total().unaccepted, 2);
    let (_, connection) = books.ledger.connections().find(|(id, _)| id.0 == 1).unwrap();
    assert_eq!(connection.group.process, SERVER);
    assert_eq!(
        connection.phase_since,
        at(70),
        "it waits since it was established"
    );
    assert_eq!(
        books.ledger.listeners()[0].longest_wait(),
        Some(Duration::from_secs(30))
    );
}

#[test]
fn an_accept_takes_the_identity_over() {
    let mut books = Books::after(&[]);
    books.reconcile(&queue(vec![], vec![waiting(1, 30)]));
    books.apply(&accepted(1, 101));
    assert_eq!(
        (books.counts(), books.ledger.total().unaccepted),
        ((1, 1, 0, 0), 0)
    );
    assert_eq!(books.ledger.irregularities().duplicates, 0);
    // The queue was read before the accept, and is entered after it.
    books.reconcile(&queue(vec![held(1, 0)], vec![waiting(1, 30)]));
    assert_eq!(
        (books.counts(), books.ledger.total().unaccepted),
        ((1, 1, 0, 0), 0)
    );
}

#[test]
fn an_accept_that_nobody_told_is_found() {
    let mut books = Books::after(&[]);
    books.reconcile(&queue(vec![], vec![waiting(1, 30)]));
    books.reconcile(&queue(vec![held(1, 0)], vec![]));
    assert_eq!(
        (books.counts(), books.ledger.total().unaccepted),
        ((1, 0, 1, 0), 0)
    );
}

#[test]
fn a_client_that_gives_up_leaves_its_connection_in_the_queue() {
    let mut books = Books::after(&[]);
    books.reconcile(&queue(vec![], vec![waiting(1, 30), waiting(2, 30)]));
    books.apply(&event(1, 101, EventKind::State(StateChange::PeerClosed)));
    books.apply(&event(
        2,
        101,
        EventKind::State(StateChange::Closed { error: 104 }),
    ));
    let gone = Some(Phase::Unaccepted { given_up: true });
    assert_eq!((phase(&books, 1), phase(&books, 2)), (gone, gone));
    assert_eq!(books.ledger.total().unaccepted, 2);
    books.apply(&accepted(1, 102));
    books.apply(&event(1, 102, EventKind::State(StateChange::PeerClosed)));
    assert_eq!(phase(&books, 1), Some(Phase::HalfClosedRemote));
}

#[test]
fn what_waits_ends_with_its_listener_and_was_never_open() {
    let mut books = Books::after(&[]);
    books.reconcile(&queue(
        vec![],
        vec![waiting(1, 30), waiting(2, 30), waiting(3, 30)],
    ));
    books.apply(&event(1, 101, EventKind::Ended(EndCause::Destroyed)));
    assert_eq!(
        (books.counts(), books.ledger.total().unaccepted),
        ((0, 0, 0, 0), 2)
    );
    // The end of the second was lost; the third goes on waiting.
    for _ in 0..3 {
        books.reconcile(&queue(vec![], vec![waiting(3, 40)]));
    }
    assert_eq!((phase(&books, 2), phase(&books, 3)), (None, WAITS));
    assert_eq!(
        (books.counts(), books.ledger.total().unaccepted),
        ((0, 0, 0, 0), 1)
    );
}

#[test]
fn a_queue_of_an_unwatched_port_is_nobodys() {
    let mut books = Books::after(&[]);
    let snapshot = queue(vec![], vec![waiting(1, 30)]);
    books
        .ledger
        .reconcile(&snapshot, at(101), |_| false, &mut books.facts);
    books.apply(&event(1, 102, EventKind::State(StateChange::PeerClosed)));
    books.apply(&event(1, 103, EventKind::Ended(EndCause::Destroyed)));
    assert_eq!(books.ledger.total().unaccepted, 0);
    assert!(books.ledger.listeners().is_empty());
    assert_eq!(books.ledger.irregularities().orphans, 0);
}

#[test]
fn a_listener_of_several_processes_is_named_after_the_one_that_accepts() {
    let mut books = Books::after(&[]);
    let mut shared = queue(vec![held(9, 0)], vec![waiting(1, 1), waiting(1, 1)]);
    let parent = Listener {
        process: PARENT,
        comm: Comm::from("parent"),
        ..shared.listeners[0]
    };
    shared.listeners.insert(0, parent);
    books.reconcile(&shared);
    let [listener] = books.ledger.listeners() else {
        panic!("one socket: {:?}", books.ledger.listeners());
    };
    assert_eq!(listener.owner(), (SERVER, Comm::from("server")));
    assert_eq!((listener.holders.len(), listener.waiting.len()), (2, 1));
    // Nobody has accepted anything: the first process.
    shared.held.clear();
    books.reconcile(&shared);
    assert_eq!(books.ledger.listeners()[0].owner().0, PARENT);
}
