//! A snapshot makes good what the events failed to tell, and nothing else.

mod holders;
mod phases;
mod queues;

use std::time::Duration;

use proptest::prelude::*;

use crate::model::{
    connection::{ConnectionId, Direction, Phase, ProcessId},
    event::{EndCause, Event, EventKind, Opening, StateChange},
    fact::Fact,
    ledger::{Ledger, Limits},
    name::Comm,
    snapshot::{Held, Listener, ListenerId, Reconciled, Snapshot},
    stack::Opener,
    time::Time,
};

const SERVER: ProcessId = ProcessId {
    pid: 10,
    start: Time(1),
};

fn at(seconds: u64) -> Time {
    Time(0) + Duration::from_secs(1000 + seconds)
}

fn event(id: u64, seconds: u64, kind: EventKind) -> Event {
    Event {
        at: at(seconds),
        id: ConnectionId(id),
        kind,
    }
}

fn accepted(id: u64, seconds: u64) -> Event {
    let opening = Opening {
        process: SERVER,
        comm: Comm::from("server"),
        direction: Direction::Inbound,
        connecting: false,
        local: "10.0.0.1:9090".parse().unwrap(),
        peer: "10.0.0.2:40000".parse().unwrap(),
        netns: 1,
        stack: Opener::NOT_ASKED,
    };
    event(id, seconds, EventKind::Opened(opening))
}

fn opening_of(event: Event) -> Opening {
    match event.kind {
        EventKind::Opened(opening) => opening,
        other => panic!("{other:?}"),
    }
}

fn held(id: u64, idle: u64) -> Held {
    Held {
        id: ConnectionId(id),
        process: SERVER,
        comm: Comm::from("server"),
        fd: 3,
        netns: 1,
        local: "10.0.0.1:9090".parse().unwrap(),
        peer: "10.0.0.2:40000".parse().unwrap(),
        phase: Phase::Open,
        at: at(100),
        age_at_least: Duration::from_secs(idle),
        inode: id,
        idle: Duration::from_secs(idle),
        sent: 0,
        received: 0,
    }
}

fn snapshot(held: Vec<Held>) -> Snapshot {
    let listener = Listener {
        id: ListenerId(1),
        process: SERVER,
        comm: Comm::from("server"),
        at: at(100),
        netns: 1,
        local: "0.0.0.0:9090".parse().unwrap(),
        queued: 0,
        queue_limit: 128,
    };
    Snapshot {
        began: at(100),
        held,
        listeners: vec![listener],
        ..Snapshot::default()
    }
}

struct Books {
    ledger: Ledger,
    facts: Vec<Fact>,
}

impl Books {
    fn after(events: &[Event]) -> Self {
        let mut books = Self {
            ledger: Ledger::new(Limits::default()),
            facts: Vec::new(),
        };
        for event in events {
            books.apply(event);
        }
        books
    }

    fn apply(&mut self, event: &Event) {
        self.ledger.apply(event, &mut self.facts);
    }

    fn reconcile(&mut self, snapshot: &Snapshot) -> Reconciled {
        let found = self
            .ledger
            .reconcile(snapshot, at(101), |_| true, &mut self.facts);
        super::assert_indexed(&self.ledger);
        found
    }

    /// Open, opened, found, closed.
    fn counts(&self) -> (u32, u64, u64, u64) {
        let total = self.ledger.total();
        (total.open, total.opened, total.older, total.closed)
    }
}

#[test]
fn what_was_open_before_is_found_once_and_at_least_as_old_as_it_was_idle() {
    let mut books = Books::after(&[]);
    let found = books.reconcile(&snapshot(vec![held(1, 60), held(2, 0)]));
    assert_eq!(
        found,
        Reconciled {
            confirmed: 0,
            added: 2,
            ended: 0,
            moved: 0,
            missing: 0,
        }
    );
    let again = books.reconcile(&snapshot(vec![held(1, 60), held(2, 0)]));
    assert_eq!(
        again,
        Reconciled {
            confirmed: 2,
            added: 0,
            ended: 0,
            moved: 0,
            missing: 0,
        }
    );
    assert_eq!(books.counts(), (2, 0, 2, 0));
    let oldest = books
        .ledger
        .connections()
        .map(|(_, connection)| connection.opened)
        .min();
    assert_eq!(oldest, Some(at(40)));
    assert!(books.ledger.connections().all(|(_, connection)| connection.older));
}

#[test]
fn a_found_connection_closes_like_any_other() {
    let mut books = Books::after(&[]);
    books.reconcile(&snapshot(vec![held(1, 60)]));
    books.apply(&event(1, 110, EventKind::Released { connected: true }));
    books.apply(&event(1, 110, EventKind::Ended(EndCause::Destroyed)));
    assert_eq!(books.counts(), (0, 0, 1, 1));
}

#[test]
fn what_is_found_an_instant_before_it_is_seen_opening_counts_as_opened() {
    let mut books = Books::after(&[]);
    books.reconcile(&snapshot(vec![
        held(1, 0),
        Held {
            phase: Phase::Connecting,
            ..held(2, 0)
        },
    ]));
    books.apply(&accepted(1, 101));
    books.apply(&accepted(2, 101));
    assert_eq!(books.counts(), (2, 2, 0, 0));
    assert_eq!(books.ledger.total().connecting, 0);
    assert_eq!(books.ledger.irregularities().duplicates, 0);
    books.apply(&accepted(1, 102));
    assert_eq!(books.ledger.irregularities().duplicates, 1, "once");
}

#[test]
fn a_socket_held_twice_is_one_connection() {
    let mut books = Books::after(&[]);
    let twice = Held {
        fd: 4,
        process: ProcessId {
            pid: 11,
            start: Time(2),
        },
        ..held(1, 0)
    };
    assert_eq!(books.reconcile(&snapshot(vec![held(1, 0), twice])).added, 1);
    assert_eq!(books.counts(), (1, 0, 1, 0));
}

#[test]
fn what_no_descriptor_holds_twice_has_ended_unobserved() {
    let mut books = Books::after(&[accepted(1, 0), accepted(2, 0)]);
    let first = books.reconcile(&snapshot(vec![held(2, 0)]));
    assert_eq!((first.confirmed, first.missing, first.ended), (1, 1, 0));
    assert_eq!(books.counts(), (2, 2, 0, 0));
    let second = books.reconcile(&snapshot(vec![held(2, 0)]));
    assert_eq!((second.confirmed, second.missing, second.ended), (1, 0, 1));
    assert_eq!(books.counts(), (1, 2, 0, 1));
    assert_eq!(books.ledger.irregularities().unobserved, 1);
}

#[test]
fn what_turns_up_again_was_only_on_its_way() {
    let mut books = Books::after(&[accepted(1, 0)]);
    for held in [vec![], vec![held(1, 0)], vec![], vec![held(1, 0)]] {
        assert_eq!(books.reconcile(&snapshot(held)).ended, 0);
    }
    assert_eq!(books.counts(), (1, 1, 0, 0));
}

#[test]
fn a_close_that_is_told_between_two_snapshots_is_observed() {
    let mut books = Books::after(&[accepted(1, 0)]);
    books.reconcile(&snapshot(vec![]));
    books.apply(&event(1, 100, EventKind::Released { connected: true }));
    books.apply(&event(1, 100, EventKind::Ended(EndCause::Destroyed)));
    assert_eq!(books.reconcile(&snapshot(vec![])).ended, 0);
    assert_eq!(books.counts(), (0, 1, 0, 1));
    assert_eq!(books.ledger.irregularities().unobserved, 0);
}

#[test]
fn what_opened_while_the_snapshot_was_read_may_be_missing_from_it() {
    let mut books = Books::after(&[accepted(1, 100)]);
    assert_eq!(books.reconcile(&snapshot(vec![])).ended, 0);
    assert_eq!(books.counts(), (1, 1, 0, 0));
}

#[test]
fn what_a_snapshot_cannot_decide_is_kept() {
    let mut books = Books::after(&[accepted(1, 0)]);
    let blind = Snapshot {
        undecided: vec![ConnectionId(1)],
        ..snapshot(vec![])
    };
    for _ in 0..3 {
        assert_eq!(books.reconcile(&blind).missing, 0);
    }
    assert_eq!(books.counts(), (1, 1, 0, 0));
}

#[test]
fn what_ended_while_the_snapshot_was_read_does_not_come_back() {
    let mut books = Books::after(&[accepted(1, 0)]);
    books.ledger.begin_snapshot();
    books.apply(&event(1, 100, EventKind::Ended(EndCause::Destroyed)));
    assert_eq!(
        books.reconcile(&snapshot(vec![held(1, 0)])),
        Reconciled::default()
    );
    assert_eq!(books.counts(), (0, 1, 0, 1));
}

#[test]
fn what_was_released_but_not_destroyed_stays_released() {
    let mut books = Books::after(&[
        accepted(1, 0),
        event(1, 99, EventKind::Released { connected: true }),
    ]);
    books.reconcile(&snapshot(vec![held(1, 0)]));
    assert_eq!(books.counts(), (0, 1, 0, 1));
    books.reconcile(&snapshot(vec![]));
    assert_eq!(books.counts(), (0, 1, 0, 1));
}

#[test]
fn a_found_connection_whose_close_was_told_first_is_closed() {
    let mut books = Books::after(&[]);
    books.ledger.begin_snapshot();
    books.apply(&event(1, 100, EventKind::Released { connected: true }));
    books.reconcile(&snapshot(vec![held(1, 0)]));
    assert_eq!(books.counts(), (0, 0, 1, 1));
}

#[test]
fn sockets_of_the_kernel_have_no_descriptor_and_are_kept() {
    let mut opened = accepted(1, 0);
    if let EventKind::Opened(opening) = &mut opened.kind {
        opening.process = ProcessId::KERNEL;
    }
    let mut books = Books::after(&[opened]);
    assert_eq!(books.reconcile(&snapshot(vec![])).missing, 0);
}

#[test]
fn who_listens_on_the_local_port_was_connected_to() {
    let mut books = Books::after(&[]);
    let client = Held {
        local: "10.0.0.1:40000".parse().unwrap(),
        ..held(2, 0)
    };
    let elsewhere = Held {
        netns: 2,
        ..held(3, 0)
    };
    books.reconcile(&snapshot(vec![held(1, 0), client, elsewhere]));
    let mut directions: Vec<_> = books
        .ledger
        .connections()
        .map(|(id, connection)| (id.0, connection.group.direction))
        .collect();
    directions.sort_unstable_by_key(|(id, _)| *id);
    let expected = [
        (1, Direction::Inbound),
        (2, Direction::Outbound),
        (3, Direction::Outbound),
    ];
    assert_eq!(directions, expected);
}

#[test]
fn what_is_not_watched_is_not_entered() {
    let mut books = Books::after(&[]);
    let snapshot = snapshot(vec![held(1, 0)]);
    let added = books.ledger.reconcile(
        &snapshot,
        at(101),
        |opening| opening.service_port() != 9090,
        &mut books.facts,
    );
    assert_eq!((added.added, books.counts()), (0, (0, 0, 0, 0)));
    // The kernel side follows it all the same; what it tells is nobody's orphan.
    books.apply(&event(1, 110, EventKind::Released { connected: true }));
    books.apply(&event(1, 110, EventKind::Ended(EndCause::Destroyed)));
    books.ledger.tick(at(1000));
    assert_eq!(
        (books.counts(), books.ledger.irregularities().orphans),
        ((0, 0, 0, 0), 0)
    );
}

#[test]
fn found_connections_keep_their_phase() {
    let mut books = Books::after(&[]);
    let phases = [
        Phase::Open,
        Phase::HalfClosedRemote,
        Phase::DeadHeld,
        Phase::Connecting,
    ];
    let rows = (1..)
        .zip(phases)
        .map(|(id, phase)| Held { phase, ..held(id, 0) })
        .collect();
    books.reconcile(&snapshot(rows));
    let mut found: Vec<_> = books
        .ledger
        .connections()
        .map(|(id, connection)| (id.0, connection.phase))
        .collect();
    found.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(found, (1..).zip(phases).collect::<Vec<_>>());
    assert_eq!(books.counts(), (3, 0, 3, 0));
    assert_eq!(books.ledger.total().connecting, 1);
}

proptest! {
    /// Whatever was lost, after two snapshots the open connections are those that are held.
    #[test]
    fn two_snapshots_heal_everything(
        opened in prop::collection::btree_set(0..40_u64, 0..30),
        closed in prop::collection::btree_set(0..40_u64, 0..30),
        heard_open in prop::collection::btree_set(0..40_u64, 0..40),
        heard_close in prop::collection::btree_set(0..40_u64, 0..40),
    ) {
        let mut books = Books::after(&[]);
        for id in opened.intersection(&heard_open) {
            books.apply(&accepted(*id, 1));
        }
        for id in opened.intersection(&closed).filter(|id| heard_open.contains(id) && heard_close.contains(id)) {
            books.apply(&event(*id, 2, EventKind::Released { connected: true }));
        }
        let truth: Vec<u64> = opened.difference(&closed).copied().collect();
        for _ in 0..2 {
            books.reconcile(&snapshot(truth.iter().map(|id| held(*id, 0)).collect()));
        }
        let mut open: Vec<u64> = books
            .ledger
            .connections()
            .filter(|(_, connection)| connection.phase.is_held())
            .map(|(id, _)| id.0)
            .collect();
        open.sort_unstable();
        prop_assert_eq!(&open, &truth);
        let (now_open, opened, older, closed) = books.counts();
        prop_assert_eq!(usize::try_from(now_open).unwrap(), truth.len());
        prop_assert_eq!(opened + older, u64::from(now_open) + closed);
    }
}

#[test]
fn what_is_told_of_a_connection_that_ended_by_inference_is_no_orphan() {
    let mut books = Books::after(&[accepted(1, 0)]);
    for ended in [0, 1] {
        assert_eq!(books.reconcile(&snapshot(vec![])).ended, ended);
    }
    assert_eq!(books.ledger.irregularities().unobserved, 1);
    books.apply(&event(1, 110, EventKind::State(StateChange::ShutDown)));
    books.apply(&event(1, 111, EventKind::Released { connected: true }));
    books.apply(&event(1, 111, EventKind::Ended(EndCause::Destroyed)));
    books.ledger.tick(at(120));
    assert_eq!(books.ledger.irregularities().orphans, 0);
    assert_eq!(books.counts(), (0, 1, 0, 1), "counted once");
}

#[test]
fn a_failed_attempt_whose_close_was_lost_ends_where_the_tables_show_such() {
    let attempt = Event {
        kind: EventKind::Opened(Opening {
            direction: Direction::Outbound,
            connecting: true,
            ..opening_of(accepted(1, 0))
        }),
        ..accepted(1, 0)
    };
    let refused = event(1, 1, EventKind::State(StateChange::Closed { error: 111 }));
    let of = |failed: Option<Vec<ConnectionId>>| {
        let mut books = Books::after(&[attempt, refused]);
        let mut ended = 0;
        for _ in 0..2 {
            let failed = failed.clone();
            ended += books
                .reconcile(&Snapshot {
                    failed,
                    ..snapshot(vec![])
                })
                .ended;
        }
        let closed = books
            .facts
            .iter()
            .any(|fact| matches!(fact, Fact::FailureClosed { .. }));
        assert_eq!(closed, ended == 1);
        ended
    };
    assert_eq!(of(None), 0, "nobody can tell");
    assert_eq!(of(Some(vec![ConnectionId(1)])), 0, "it is held");
    assert_eq!(of(Some(vec![])), 1);
}

#[test]
fn what_is_told_of_an_unwatched_socket_while_the_snapshot_is_read_is_no_orphan() {
    let mut books = Books::after(&[]);
    books.ledger.begin_snapshot();
    books.apply(&event(1, 100, EventKind::State(StateChange::PeerClosed)));
    books.apply(&event(1, 100, EventKind::Released { connected: true }));
    let snapshot = snapshot(vec![held(1, 0)]);
    books
        .ledger
        .reconcile(&snapshot, at(101), |_| false, &mut books.facts);
    books.ledger.tick(at(1000));
    assert_eq!(books.ledger.irregularities().orphans, 0);
    books.apply(&event(2, 1001, EventKind::State(StateChange::PeerClosed)));
    assert_eq!(books.ledger.irregularities().orphans, 1, "any other is one");
}
