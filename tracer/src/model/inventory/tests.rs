//! What a snapshot comes to: who holds what, since when, through which door.

mod groups;
pub(crate) mod sample;

use std::time::Duration;

use sample::{CHILD, CLIENT, HOME, NOW, SERVER, held, incident, listener, process, waiting};

use super::{Holder, Inventory, Listed};
use crate::model::{
    connection::{ConnectionId, Direction, Phase},
    name::Comm,
    snapshot::{Held, Listener, ListenerId, Snapshot, Waiting},
};

fn of(snapshot: &Snapshot) -> Inventory {
    Inventory::of(snapshot, NOW)
}

#[track_caller]
fn one(snapshot: &Snapshot) -> Listed {
    let mut connections = of(snapshot).connections;
    assert_eq!(connections.len(), 1, "{connections:?}");
    connections.remove(0)
}

/// What a server's accepted connection is attributed to.
fn door(listeners: Vec<Listener>, held: Held) -> Option<u64> {
    let snapshot = Snapshot {
        held: vec![held],
        listeners,
        ..Snapshot::default()
    };
    one(&snapshot).listener.map(|id| id.0)
}

#[test]
fn a_connection_is_one_however_many_descriptors_hold_it() {
    let inventory = of(&incident());
    let ids: Vec<u64> = inventory.connections.iter().map(|listed| listed.id.0).collect();
    // The oldest first; of the same age by this end's address, then the other's.
    assert_eq!(ids, [2, 1, 3, 4, 5, 6, 8, 9, 7]);
    let shared = inventory
        .connections
        .iter()
        .find(|listed| listed.id == ConnectionId(5))
        .unwrap();
    let holders = [(CLIENT, 6), (CLIENT, 7), (CHILD, 6)].map(|(program, fd)| Holder {
        process: process(program),
        comm: Comm::from(program.1),
        fd: Some(fd),
    });
    assert_eq!(shared.holders, holders);
    assert_eq!(shared.traffic.unwrap().inode, 1005);
    assert_eq!(shared.direction, Direction::Outbound);
    assert_eq!((shared.service_port(), shared.listener), (5432, None));
}

#[test]
fn of_rows_that_differ_the_last_is_right_and_the_oldest_bound_holds() {
    let earlier = NOW.earlier(Duration::from_millis(20));
    let first = Held {
        at: earlier,
        age_at_least: Duration::from_mins(10),
        idle: Duration::from_mins(10),
        ..held(1, CHILD, 3, "10.0.0.1:50000", "10.0.0.7:5432")
    };
    // Data arrived in between, then a FIN: the idle time says nothing of the age any more.
    let last = Held {
        phase: Phase::HalfClosedRemote,
        age_at_least: Duration::from_secs(1),
        idle: Duration::ZERO,
        received: 21,
        at: NOW.earlier(Duration::from_millis(10)),
        ..held(1, CLIENT, 3, "10.0.0.1:50000", "10.0.0.7:5432")
    };
    for held in [vec![first, last], vec![last, first]] {
        let listed = one(&Snapshot {
            held,
            ..Snapshot::default()
        });
        assert_eq!(listed.phase, Phase::HalfClosedRemote);
        assert_eq!(listed.age_at_least, Duration::from_millis(600_020));
        let traffic = listed.traffic.unwrap();
        assert_eq!((traffic.idle, traffic.received), (Duration::from_millis(10), 21));
    }
}

#[test]
fn who_waits_is_attributed_to_who_listens() {
    let inventory = of(&incident());
    let unaccepted: Vec<&Listed> = inventory
        .connections
        .iter()
        .filter(|listed| matches!(listed.phase, Phase::Unaccepted { .. }))
        .collect();
    assert_eq!(unaccepted.len(), 2);
    for (listed, (id, given_up, waited)) in unaccepted.iter().zip([(8, false, 5), (9, true, 3)]) {
        assert_eq!(listed.id, ConnectionId(id));
        assert_eq!(listed.phase, Phase::Unaccepted { given_up });
        assert_eq!(listed.age_at_least, Duration::from_secs(waited));
        assert_eq!(listed.listener, Some(ListenerId(700)));
        assert_eq!(
            (listed.direction, listed.service_port()),
            (Direction::Inbound, 9090)
        );
        assert_eq!(
            (listed.netns, listed.traffic.is_none()),
            (HOME, true),
            "{listed:?}"
        );
        let holder = Holder {
            process: process(SERVER),
            comm: Comm::from(SERVER.1),
            fd: None,
        };
        assert_eq!(listed.holders, [holder]);
    }
}

#[test]
fn what_is_accepted_during_the_reading_is_held_and_not_listed_twice() {
    let tuple = ("10.0.0.1:9090", "10.0.0.9:40001");
    let snapshot = Snapshot {
        held: vec![held(1, SERVER, 7, tuple.0, tuple.1)],
        // The queue was read through two descriptors.
        waiting: vec![
            waiting(1, 700, tuple.0, tuple.1),
            waiting(2, 700, tuple.0, "10.0.0.9:40002"),
            waiting(2, 700, tuple.0, "10.0.0.9:40002"),
        ],
        listeners: vec![
            listener(700, SERVER, "[::]:9090"),
            listener(700, CHILD, "[::]:9090"),
        ],
        ..Snapshot::default()
    };
    let phases: Vec<Phase> = of(&snapshot)
        .connections
        .iter()
        .map(|listed| listed.phase)
        .collect();
    assert_eq!(phases, [Phase::Open, Phase::Unaccepted { given_up: false }]);
}

#[test]
fn a_queue_without_its_socket_is_listed_all_the_same() {
    let listed = one(&Snapshot {
        waiting: vec![waiting(1, 999, "10.0.0.1:9090", "10.0.0.9:40001")],
        ..Snapshot::default()
    });
    assert_eq!(
        (listed.listener, listed.netns, listed.holders.len()),
        (None, 0, 0)
    );
}

#[test]
fn the_most_specific_address_is_the_door() {
    let accepted = |local| held(1, SERVER, 7, local, "10.0.0.9:40001");
    let all = || {
        vec![
            listener(1, SERVER, "[::]:9090"),
            listener(2, SERVER, "0.0.0.0:9090"),
            listener(3, SERVER, "10.0.0.1:9090"),
            listener(4, SERVER, "10.0.0.1:9091"),
            listener(5, SERVER, "[fd00::1]:9090"),
        ]
    };
    assert_eq!(door(all(), accepted("10.0.0.1:9090")), Some(3));
    assert_eq!(door(all(), accepted("10.0.0.2:9090")), Some(2));
    assert_eq!(door(all(), accepted("[fd00::1]:9090")), Some(5));
    assert_eq!(door(all(), accepted("[fd00::2]:9090")), Some(1));
    let dual = vec![listener(1, SERVER, "[::]:9090")];
    assert_eq!(door(dual, accepted("10.0.0.1:9090")), Some(1));
    let fourth = vec![listener(2, SERVER, "0.0.0.0:9090")];
    assert_eq!(door(fourth, accepted("[fd00::1]:9090")), None);
}

#[test]
fn of_sockets_that_share_an_address_the_one_of_the_own_process_is_the_door() {
    let shared = || {
        vec![
            listener(1, CHILD, "0.0.0.0:9090"),
            listener(2, SERVER, "0.0.0.0:9090"),
            listener(3, SERVER, "0.0.0.0:9090"),
        ]
    };
    let accepted = |program| held(1, program, 7, "10.0.0.1:9090", "10.0.0.9:40001");
    assert_eq!(door(shared(), accepted(SERVER)), Some(2));
    assert_eq!(door(shared(), accepted(CHILD)), Some(1));
    assert_eq!(
        door(shared(), accepted(CLIENT)),
        Some(1),
        "passed on: any of them"
    );
}

#[test]
fn a_client_may_have_a_port_that_somebody_listens_at_elsewhere() {
    let snapshot = Snapshot {
        held: vec![
            held(1, CLIENT, 7, "127.0.0.9:8080", "10.0.0.7:5432"),
            held(2, CLIENT, 8, "[fd00::1]:8081", "[fd00::7]:5432"),
        ],
        listeners: vec![
            listener(1, SERVER, "127.0.0.1:8080"),
            listener(2, SERVER, "0.0.0.0:8081"),
        ],
        ..Snapshot::default()
    };
    for listed in of(&snapshot).connections {
        assert_eq!((listed.direction, listed.listener), (Direction::Outbound, None));
    }
}

#[test]
fn a_door_leads_into_its_own_namespace_only() {
    let elsewhere = Held {
        netns: HOME + 1,
        ..held(1, SERVER, 7, "10.0.0.1:9090", "10.0.0.9:40001")
    };
    let listed = one(&Snapshot {
        held: vec![elsewhere],
        listeners: vec![listener(1, SERVER, "0.0.0.0:9090")],
        ..Snapshot::default()
    });
    assert_eq!((listed.direction, listed.listener), (Direction::Outbound, None));
}

#[test]
fn the_unread_rest_of_a_queue_is_counted() {
    let mut snapshot = incident();
    assert_eq!(of(&snapshot).unread_unaccepted(), 0);
    snapshot.listeners[0].queued = 129;
    assert_eq!(of(&snapshot).unread_unaccepted(), 127);
    // Some were accepted between the count and the reading, or the other way round.
    snapshot.listeners[0].queued = 1;
    assert_eq!(of(&snapshot).unread_unaccepted(), 0);
    snapshot.waiting.push(Waiting {
        given_up: true,
        ..waiting(10, 700, "10.0.0.1:9090", "10.0.0.8:40006")
    });
    snapshot.untracked = 5;
    let inventory = of(&snapshot);
    assert_eq!((inventory.untracked, inventory.unread_unaccepted()), (5, 0));
}
