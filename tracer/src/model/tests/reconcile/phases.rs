//! Changes of state that nobody told of.

use super::*;
use crate::model::event::StateChange;

fn attempt(id: u64, seconds: u64) -> Event {
    let EventKind::Opened(opening) = accepted(id, seconds).kind else {
        unreachable!()
    };
    let opening = Opening {
        direction: Direction::Outbound,
        connecting: true,
        local: "10.0.0.1:0".parse().unwrap(),
        ..opening
    };
    event(id, seconds, EventKind::Opened(opening))
}

fn phases(books: &Books) -> Vec<Phase> {
    let mut connections: Vec<_> = books.ledger.connections().collect();
    connections.sort_unstable_by_key(|(id, _)| *id);
    connections
        .into_iter()
        .map(|(_, connection)| connection.phase)
        .collect()
}

#[test]
fn an_establishment_that_was_lost_shows_in_the_row() {
    let mut books = Books::after(&[attempt(1, 0)]);
    assert_eq!(books.counts(), (0, 0, 0, 0));
    books.reconcile(&snapshot(vec![held(1, 0)]));
    assert_eq!(phases(&books), [Phase::Open]);
    assert_eq!(books.counts(), (1, 1, 0, 0));
    assert_eq!(books.ledger.total().connecting, 0);
    let (_, connection) = books.ledger.connections().next().unwrap();
    assert_eq!(connection.local.port(), 9090);
}

#[test]
fn half_closes_and_resets_that_were_lost_show_in_the_row() {
    let mut books = Books::after(&[accepted(1, 0), accepted(2, 0), accepted(3, 0), attempt(4, 0)]);
    let lost = [
        Phase::HalfClosedRemote,
        Phase::HalfClosedLocal,
        Phase::DeadHeld,
        Phase::DeadHeld,
    ];
    let rows = (1..)
        .zip(lost)
        .map(|(id, phase)| Held { phase, ..held(id, 0) })
        .collect();
    books.reconcile(&snapshot(rows));
    let [remote, local, dead, _] = lost;
    assert_eq!(phases(&books), [remote, local, dead, Phase::Failed(0)]);
    assert_eq!(books.counts(), (3, 3, 0, 0));
}

#[test]
fn what_was_told_while_the_snapshot_was_read_is_newer_than_the_row() {
    let closed = EventKind::State(StateChange::PeerClosed);
    let mut books = Books::after(&[accepted(1, 0), event(1, 100, closed)]);
    books.reconcile(&snapshot(vec![held(1, 0)]));
    assert_eq!(phases(&books), [Phase::HalfClosedRemote]);
    let reset = Held {
        phase: Phase::DeadHeld,
        ..held(1, 0)
    };
    books.reconcile(&snapshot(vec![reset]));
    assert_eq!(phases(&books), [Phase::HalfClosedRemote], "the next one may tell");
}
