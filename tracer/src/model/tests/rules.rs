//! The rules of the ledger, one sentence each.

use std::time::Duration;

use super::*;
use crate::model::{
    fact::{Life, Start},
    ledger::Irregularities,
};

const ECONNRESET: u16 = 104;
const ECONNREFUSED: u16 = 111;

fn counts(open: u32, connecting: u32, opened: u64, closed: u64, failed: u64) -> Counts {
    Counts {
        open,
        connecting,
        opened,
        closed,
        failed,
    }
}

fn failures(books: &Books) -> Vec<(u16, u64)> {
    books
        .ledger
        .failures()
        .iter()
        .map(|(errno, count)| (*errno, *count))
        .collect()
}

fn opened_fact(group: GroupKey, seconds: u64) -> Fact {
    Fact::Opened {
        id: ConnectionId(1),
        group,
        at: at(seconds),
    }
}

fn closed_fact(group: GroupKey, seconds: u64, opened: u64) -> Fact {
    Fact::Closed {
        id: ConnectionId(1),
        group,
        at: at(seconds),
        life: Life {
            opened: Start::Seen(at(opened)),
            peer_gone: None,
        },
    }
}

#[test]
fn an_accepted_connection_is_open_until_it_is_released() {
    let mut books = Books::new();
    books.accept(1, 0);
    assert_eq!(
        (books.phase(1), books.counts()),
        (Some(Phase::Open), counts(1, 0, 1, 0, 0))
    );
    books.release(1, 5, true);
    assert_eq!(
        (books.phase(1), books.counts()),
        (Some(Phase::Released), counts(0, 0, 1, 1, 0))
    );
    books.end(1, 6, EndCause::Destroyed);
    assert_eq!((books.phase(1), books.counts()), (None, counts(0, 0, 1, 1, 0)));
    let group = natural_group(&opening(Direction::Inbound, 1, 7, 9090));
    assert_eq!(books.facts, [opened_fact(group, 0), closed_fact(group, 5, 0)]);
    assert_eq!(books.ledger.irregularities(), Irregularities::default());
}

#[test]
fn an_outbound_connection_opens_when_it_is_established_and_learns_its_port() {
    let mut books = Books::new();
    books.connect(1, 0);
    assert_eq!(
        (books.phase(1), books.counts()),
        (Some(Phase::Connecting), counts(0, 1, 0, 0, 0))
    );
    assert_eq!(books.facts, []);
    books.established(1, 3);
    assert_eq!(books.counts(), counts(1, 0, 1, 0, 0));
    let connection = books.connection(1).unwrap();
    assert_eq!(
        (connection.phase, connection.phase_since, connection.opened),
        (Phase::Open, at(3), at(3))
    );
    assert_eq!(connection.local, (address(200), 50_123).into());
    let group = natural_group(&opening(Direction::Outbound, 1, 7, 9090));
    assert_eq!(books.facts, [opened_fact(group, 3)]);
}

#[test]
fn a_port_that_is_not_told_does_not_wipe_out_the_one_that_is_known() {
    let mut books = Books::new();
    let known = Opening {
        local: (address(200), 1234).into(),
        ..opening(Direction::Outbound, 1, 7, 9090)
    };
    books.tell(1, 0, EventKind::Opened(known));
    books.state(1, 1, StateChange::Established { local_port: 0 });
    assert_eq!(books.connection(1).unwrap().local.port(), 1234);
}

#[test]
fn a_refused_attempt_is_failed_with_its_errno_and_was_never_open() {
    let mut books = Books::new();
    books.connect(1, 0);
    books.state(1, 1, StateChange::Closed { error: ECONNREFUSED });
    assert_eq!(books.phase(1), Some(Phase::Failed(ECONNREFUSED)));
    assert_eq!(
        (books.counts(), failures(&books)),
        (counts(0, 0, 0, 0, 1), vec![(ECONNREFUSED, 1)])
    );
    books.release(1, 2, false);
    books.end(1, 3, EndCause::Destroyed);
    assert_eq!(
        (books.counts(), failures(&books)),
        (counts(0, 0, 0, 0, 1), vec![(ECONNREFUSED, 1)])
    );
    // Its socket was held in between.
    let told = matches!(
        books.facts[..],
        [Fact::Failed { at: failed, .. }, Fact::FailureClosed { at: closed, failed: since, .. }]
            if (failed, closed, since) == (at(1), at(2), at(1))
    );
    assert!(told, "{:?}", books.facts);
}

#[test]
fn an_attempt_that_the_process_gives_up_is_failed_without_an_errno() {
    let mut books = Books::new();
    books.connect(1, 0);
    books.release(1, 1, false);
    books.state(1, 1, StateChange::Closed { error: ECONNRESET });
    books.end(1, 2, EndCause::Destroyed);
    books.connect(2, 3);
    books.end(2, 4, EndCause::Destroyed);
    assert_eq!(
        (books.counts(), failures(&books)),
        (counts(0, 0, 0, 0, 2), vec![(0, 2)])
    );
    assert_eq!(books.facts, []);
}

#[test]
fn a_missed_establishment_is_made_good_by_a_release_while_connected() {
    let mut books = Books::new();
    books.connect(1, 0);
    books.release(1, 4, true);
    assert_eq!(
        (books.phase(1), books.counts()),
        (Some(Phase::Released), counts(0, 0, 1, 1, 0))
    );
    assert_eq!(failures(&books), []);
    let group = natural_group(&opening(Direction::Outbound, 1, 7, 9090));
    assert_eq!(books.facts, [opened_fact(group, 4), closed_fact(group, 4, 4)]);
}

#[test]
fn a_missed_establishment_is_made_good_by_either_half_close() {
    let halves = [
        (StateChange::PeerClosed, Phase::HalfClosedRemote),
        (StateChange::ShutDown, Phase::HalfClosedLocal),
    ];
    for (change, phase) in halves {
        let mut books = Books::new();
        books.connect(1, 0);
        books.state(1, 2, change);
        assert_eq!(
            (books.phase(1), books.counts()),
            (Some(phase), counts(1, 0, 1, 0, 0)),
            "{change:?}"
        );
        assert_eq!(books.connection(1).unwrap().opened, at(2));
        books.established(1, 3);
        assert_eq!(
            (books.phase(1), books.counts()),
            (Some(phase), counts(1, 0, 1, 0, 0)),
            "told late"
        );
    }
}

#[test]
fn a_connection_that_is_reset_stays_open_until_it_is_released() {
    let mut books = Books::new();
    books.accept(1, 0);
    books.state(1, 1, StateChange::Closed { error: ECONNRESET });
    assert_eq!(
        (books.phase(1), books.counts()),
        (Some(Phase::DeadHeld), counts(1, 0, 1, 0, 0))
    );
    assert!(Phase::DeadHeld.is_held());
    books.tick(at(3600));
    assert_eq!(books.counts(), counts(1, 0, 1, 0, 0), "however long it takes");
    assert_eq!(failures(&books), []);
    books.release(1, 3601, false);
    assert_eq!(
        (books.phase(1), books.counts()),
        (Some(Phase::Released), counts(0, 0, 1, 1, 0))
    );
}

#[test]
fn a_shutdown_is_not_a_close() {
    let mut books = Books::new();
    books.accept(1, 0);
    books.state(1, 1, StateChange::ShutDown);
    assert_eq!(
        (books.phase(1), books.counts()),
        (Some(Phase::HalfClosedLocal), counts(1, 0, 1, 0, 0))
    );
    books.state(1, 2, StateChange::Closed { error: 0 });
    assert_eq!(
        (books.phase(1), books.counts()),
        (Some(Phase::DeadHeld), counts(1, 0, 1, 0, 0))
    );
    let told =
        matches!(books.facts[..], [Fact::Opened { .. }, Fact::PeerGone { at: gone, .. }] if gone == at(2));
    assert!(told, "{:?}", books.facts);
}

#[test]
fn a_peer_that_closes_does_not_close_our_end() {
    let mut books = Books::new();
    books.accept(1, 0);
    books.state(1, 1, StateChange::PeerClosed);
    let connection = books.connection(1).unwrap();
    assert_eq!(
        (connection.phase, connection.phase_since),
        (Phase::HalfClosedRemote, at(1))
    );
    assert_eq!(connection.opened, at(0));
    books.state(1, 2, StateChange::ShutDown);
    assert_eq!(
        (books.phase(1), books.counts()),
        (Some(Phase::HalfClosedLocal), counts(1, 0, 1, 0, 0))
    );
    books.state(1, 3, StateChange::PeerClosed);
    assert_eq!(
        books.phase(1),
        Some(Phase::HalfClosedLocal),
        "there is no way back"
    );
}

#[test]
fn states_that_repeat_do_not_make_the_phase_younger() {
    let mut books = Books::new();
    books.accept(1, 0);
    books.state(1, 1, StateChange::PeerClosed);
    books.state(1, 9, StateChange::PeerClosed);
    assert_eq!(books.connection(1).unwrap().phase_since, at(1));
    books.state(1, 10, StateChange::Closed { error: 0 });
    books.state(1, 19, StateChange::Closed { error: 0 });
    assert_eq!(books.connection(1).unwrap().phase_since, at(10));
}

#[test]
fn another_connect_on_the_same_socket_ends_the_connection_before() {
    let mut books = Books::new();
    books.connect(1, 0);
    books.established(1, 1);
    books.state(1, 2, StateChange::Closed { error: 0 });
    books.end(1, 3, EndCause::Reconnected);
    books.connect(2, 3);
    assert_eq!((books.phase(1), books.phase(2)), (None, Some(Phase::Connecting)));
    assert_eq!(books.counts(), counts(0, 1, 1, 1, 0));
    assert_eq!(books.ledger.irregularities().unobserved, 0);
}

#[test]
fn an_end_that_nobody_observed_closes_and_is_counted() {
    let mut books = Books::new();
    books.accept(1, 0);
    books.end(1, 9, EndCause::Unobserved);
    assert_eq!((books.phase(1), books.counts()), (None, counts(0, 0, 1, 1, 0)));
    assert_eq!(
        books.ledger.irregularities(),
        Irregularities {
            unobserved: 1,
            ..Irregularities::default()
        }
    );
}

#[test]
fn a_close_that_overtakes_its_opening_still_closes_it() {
    let mut books = Books::new();
    books.release(1, 2, true);
    books.tick(at(6));
    books.accept(1, 1);
    assert_eq!(
        (books.phase(1), books.counts()),
        (Some(Phase::Released), counts(0, 0, 1, 1, 0))
    );
    let group = natural_group(&opening(Direction::Inbound, 1, 7, 9090));
    assert_eq!(books.facts.last(), Some(&closed_fact(group, 2, 1)));
    books.tick(at(60));
    assert_eq!(books.ledger.irregularities(), Irregularities::default());
}

#[test]
fn a_release_while_connected_that_overtakes_the_attempt_closes_a_connection() {
    let mut books = Books::new();
    books.release(1, 2, true);
    books.end(1, 3, EndCause::Destroyed);
    books.connect(1, 1);
    assert_eq!(
        (books.counts(), failures(&books)),
        (counts(0, 0, 1, 1, 0), vec![])
    );
}

#[test]
fn a_release_that_overtakes_an_attempt_fails_it() {
    let mut books = Books::new();
    books.release(1, 2, false);
    books.connect(1, 1);
    assert_eq!(
        (books.counts(), failures(&books)),
        (counts(0, 0, 0, 0, 1), vec![(0, 1)])
    );
}

#[test]
fn a_close_without_an_opening_is_an_orphan_after_five_seconds() {
    let mut books = Books::new();
    books.release(1, 0, true);
    books.tick(at(4));
    assert_eq!(
        books.ledger.irregularities().orphans,
        0,
        "its opening may come yet"
    );
    books.tick(at(5));
    assert_eq!(books.ledger.irregularities().orphans, 1);
    books.accept(1, 6);
    assert_eq!(books.counts(), counts(1, 0, 1, 0, 0), "forgotten is forgotten");
}

#[test]
fn a_release_and_an_end_without_an_opening_are_one_orphan() {
    let mut books = Books::new();
    books.release(1, 0, true);
    books.end(1, 1, EndCause::Destroyed);
    books.tick(at(60));
    assert_eq!(books.ledger.irregularities().orphans, 1);
}

#[test]
fn early_closes_that_find_no_room_are_orphans_at_once() {
    let mut books = Books::new();
    for id in 0..1024 {
        books.release(id, 0, true);
    }
    assert_eq!(books.ledger.irregularities().orphans, 0);
    books.release(0, 0, true);
    assert_eq!(
        books.ledger.irregularities().orphans,
        0,
        "it is remembered already"
    );
    books.release(1024, 0, true);
    assert_eq!(books.ledger.irregularities().orphans, 1);
    books.tick(at(5));
    assert_eq!(books.ledger.irregularities().orphans, 1025);
}

#[test]
fn a_change_of_an_unknown_connection_is_an_orphan() {
    let changes = [
        StateChange::Established { local_port: 1 },
        StateChange::PeerClosed,
        StateChange::ShutDown,
        StateChange::Closed { error: 0 },
    ];
    let mut books = Books::new();
    for (change, orphans) in changes.into_iter().zip(1..) {
        books.state(1, 0, change);
        assert_eq!(books.ledger.irregularities().orphans, orphans, "{change:?}");
    }
    assert_eq!(books.counts(), Counts::default());
}

#[test]
fn a_second_opening_changes_nothing_and_is_counted() {
    let mut books = Books::new();
    books.accept(1, 0);
    books.tell(1, 5, EventKind::Opened(opening(Direction::Outbound, 2, 8, 443)));
    assert_eq!(
        (books.phase(1), books.counts()),
        (Some(Phase::Open), counts(1, 0, 1, 0, 0))
    );
    assert_eq!(books.connection(1).unwrap().opened, at(0));
    assert_eq!(books.ledger.groups().len(), 1);
    assert_eq!(
        books.ledger.irregularities(),
        Irregularities {
            duplicates: 1,
            ..Irregularities::default()
        }
    );
}

#[test]
fn a_second_close_changes_nothing() {
    let mut books = Books::new();
    books.accept(1, 0);
    books.release(1, 1, true);
    books.release(1, 2, true);
    assert_eq!(books.counts(), counts(0, 0, 1, 1, 0));
    assert_eq!(books.connection(1).unwrap().phase_since, at(1));
    books.end(1, 3, EndCause::Destroyed);
    books.end(1, 4, EndCause::Destroyed);
    assert_eq!(books.counts(), counts(0, 0, 1, 1, 0));
    assert_eq!(books.facts.len(), 2);
}

#[test]
fn a_released_connection_is_kept_for_its_end_for_twenty_minutes() {
    let mut books = Books::with(
        Limits {
            retention: Duration::MAX,
            ..Limits::default()
        },
        Memory::Complete,
    );
    books.accept(1, 0);
    books.accept(2, 0);
    books.release(1, 10, true);
    books.tick(at(10 + 1199));
    assert_eq!(books.phase(1), Some(Phase::Released));
    books.tick(at(10 + 1200));
    assert_eq!(
        (books.phase(1), books.phase(2)),
        (None, Some(Phase::Open)),
        "what is open is never aged out"
    );
    assert_eq!(books.counts(), counts(1, 0, 2, 1, 0));
}

#[test]
fn a_group_in_which_nothing_is_open_is_forgotten_after_the_retention_and_so_is_its_name() {
    let limits = Limits {
        retention: Duration::from_mins(10),
        ..Limits::default()
    };
    let mut books = Books::with(limits, Memory::Forgetful);
    books.accept(1, 0);
    books.release(1, 10, true);
    books.tick(at(610));
    assert_eq!(
        (
            books.ledger.groups().len(),
            books.ledger.peers().len(),
            books.ledger.processes().len()
        ),
        (1, 1, 1)
    );
    assert_eq!(books.ledger.name(process(1)), Comm::from("program-1"));
    books.tick(at(611));
    assert!(books.ledger.groups().is_empty() && books.ledger.peers().is_empty());
    assert!(books.ledger.processes().is_empty());
    assert_eq!(books.ledger.name(process(1)), Comm::default());
    assert_eq!(books.counts(), counts(0, 0, 1, 1, 0), "the totals stay");
}

#[test]
fn a_group_in_which_something_is_open_or_under_way_is_never_forgotten() {
    for outbound in [false, true] {
        let mut books = Books::with(
            Limits {
                retention: Duration::ZERO,
                ..Limits::default()
            },
            Memory::Complete,
        );
        if outbound {
            books.connect(1, 0);
        } else {
            books.accept(1, 0);
        }
        books.tick(at(1_000_000));
        assert_eq!(books.ledger.groups().len(), 1);
        assert_eq!(books.ledger.peers().len(), 1);
        assert_eq!(books.ledger.name(process(1)), Comm::from("program-1"));
    }
}

#[test]
fn the_latest_name_of_a_process_counts() {
    let mut books = Books::new();
    books.accept(1, 0);
    let renamed = Opening {
        comm: Comm::from("after-exec"),
        ..opening(Direction::Inbound, 1, 7, 9090)
    };
    books.tell(2, 1, EventKind::Opened(renamed));
    assert_eq!(books.ledger.name(process(1)), Comm::from("after-exec"));
}

#[test]
fn a_process_id_that_is_used_again_is_another_process() {
    let mut books = Books::new();
    books.accept(1, 0);
    let successor = Opening {
        process: ProcessId {
            pid: 1,
            start: Time(78),
        },
        comm: Comm::from("successor"),
        ..opening(Direction::Inbound, 1, 7, 9090)
    };
    books.tell(2, 1, EventKind::Opened(successor));
    assert_eq!(
        (
            books.ledger.processes().len(),
            books.ledger.groups().len(),
            books.ledger.peers().len()
        ),
        (2, 2, 1)
    );
    assert_eq!(books.ledger.name(process(1)), Comm::from("program-1"));
}

#[test]
fn the_service_port_is_the_remote_one_outbound_and_the_local_one_inbound() {
    let mut books = Books::new();
    for (id, direction) in [(1, Direction::Outbound), (2, Direction::Inbound)] {
        let opening = Opening {
            local: (address(200), 1111).into(),
            peer: (address(7), 2222).into(),
            ..opening(direction, 1, 7, 0)
        };
        books.tell(id, 0, EventKind::Opened(opening));
    }
    let port = |id| books.connection(id).unwrap().group.service_port;
    assert_eq!((port(1), port(2)), (2222, 1111));
}

#[test]
fn connections_beyond_the_limit_are_counted_and_leave_no_trace() {
    let mut books = Books::with(
        Limits {
            connections: 2,
            ..Limits::default()
        },
        Memory::Complete,
    );
    for id in 1..=3 {
        books.accept(id, 0);
    }
    assert_eq!((books.phase(3), books.counts()), (None, counts(2, 0, 2, 0, 0)));
    assert_eq!(
        books.ledger.irregularities(),
        Irregularities {
            untracked: 1,
            ..Irregularities::default()
        }
    );
    books.accept(2, 1);
    assert_eq!(books.ledger.irregularities().untracked, 1, "this one is known");
    books.end(1, 2, EndCause::Destroyed);
    books.accept(4, 3);
    assert_eq!(books.phase(4), Some(Phase::Open), "there is room again");
}

#[test]
fn a_process_beyond_the_limit_is_counted_under_other() {
    let mut books = Books::with(
        Limits {
            groups: 2,
            ..Limits::default()
        },
        Memory::Complete,
    );
    for pid in 1..=3 {
        books.tell(
            pid.into(),
            0,
            EventKind::Opened(opening(Direction::Inbound, pid, 7, 9090)),
        );
    }
    let group = books.connection(3).unwrap().group;
    assert_eq!((group.process, group.peer), (ProcessId::OTHER, Peer::Other));
    assert_eq!(books.ledger.name(process(3)), Comm::default());
    assert_eq!(
        books.ledger.irregularities(),
        Irregularities {
            overflowed: 1,
            ..Irregularities::default()
        }
    );
}

#[test]
fn peers_beyond_the_limit_are_counted_under_other_and_the_process_keeps_them() {
    let mut books = Books::with(
        Limits {
            groups: 2,
            ..Limits::default()
        },
        Memory::Complete,
    );
    for peer in 1..=5 {
        books.tell(
            peer.into(),
            0,
            EventKind::Opened(opening(Direction::Inbound, 1, peer, 9090)),
        );
    }
    let last = books.connection(5).unwrap().group;
    assert_eq!((last.process, last.peer), (process(1), Peer::Other));
    assert_eq!(books.ledger.processes().get(&process(1)).unwrap().tally.open, 5);
    assert_eq!((books.ledger.groups().len(), books.ledger.peers().len()), (3, 3));
    assert_eq!(books.ledger.irregularities().overflowed, 3);
}

#[test]
fn a_port_scan_does_not_outgrow_the_tables() {
    let mut books = Books::with(
        Limits {
            groups: 4,
            ..Limits::default()
        },
        Memory::Complete,
    );
    for port in 1..=100 {
        books.tell(
            port.into(),
            0,
            EventKind::Opened(opening(Direction::Outbound, 1, 7, port)),
        );
        books.state(port.into(), 0, StateChange::Closed { error: ECONNREFUSED });
        books.end(port.into(), 0, EndCause::Destroyed);
    }
    assert_eq!((books.ledger.groups().len(), books.ledger.peers().len()), (5, 5));
    assert_eq!(books.counts(), counts(0, 0, 0, 0, 100));
    assert_eq!(books.ledger.irregularities().overflowed, 96);
}

#[test]
fn times_out_of_order_never_make_an_age_negative() {
    let mut books = Books::new();
    books.accept(1, 10);
    books.release(1, 3, true);
    assert_eq!(books.counts(), counts(0, 0, 1, 1, 0));
    let lifetimes = &books.ledger.processes().get(&process(1)).unwrap().lifetimes;
    assert_eq!(lifetimes.quantile(1.0), Some(Duration::ZERO));
}
