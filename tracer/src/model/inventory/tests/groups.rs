use std::time::Duration;

use proptest::prelude::*;

use super::{
    of,
    sample::{CHILD, CLIENT, HOME, Program, SERVER, held, incident, listener, process, waiting},
};
use crate::model::{
    connection::{Direction, Peer, PeerKey, Phase, Phases, ProcessId},
    inventory::groups::{Counts, Group},
    snapshot::{Held, Snapshot, Waiting},
    view::Age,
};

fn peer(direction: Direction, address: &str, service_port: u16) -> PeerKey {
    PeerKey {
        direction,
        peer: Peer::Address(address.parse().unwrap()),
        service_port,
    }
}

fn at_least(seconds: u64) -> Age {
    Age {
        span: Duration::from_secs(seconds),
        at_least: true,
    }
}

/// Who holds how many.
fn held_by(group: &Group) -> Vec<(ProcessId, u32)> {
    group
        .holders
        .iter()
        .map(|(key, count)| (key.id, *count))
        .collect()
}

#[test]
fn peers_come_in_the_order_of_their_connections() {
    let inventory = of(&incident());
    let groups = inventory.by_peer();
    let keys: Vec<PeerKey> = groups.iter().map(|(key, _)| *key).collect();
    assert_eq!(
        keys,
        [
            peer(Direction::Outbound, "10.0.0.7", 5432),
            peer(Direction::Inbound, "10.0.0.9", 9090),
            peer(Direction::Inbound, "10.0.0.8", 9090),
        ]
    );
    let group = &groups[0].1;
    let counts = Counts {
        connecting: 1,
        held: Phases {
            open: 2,
            dead_held: 1,
            ..Phases::default()
        },
        ..Counts::default()
    };
    assert_eq!((group.counts, group.counts.total()), (counts, 4));
    // Four connections, six descriptors of two processes.
    assert_eq!(held_by(group), [(process(CLIENT), 4), (process(CHILD), 1)]);
    let group = &groups[1].1;
    let counts = Counts {
        unaccepted: 1,
        held: Phases {
            open: 2,
            half_closed_remote: 1,
            ..Phases::default()
        },
        ..Counts::default()
    };
    assert_eq!(group.counts, counts);
    let ages = group.ages.unwrap();
    assert_eq!((ages.oldest, ages.median), (at_least(4000), at_least(60)));
    let idle = (Duration::from_secs(1), Duration::from_secs(3990));
    assert_eq!(group.idle, Some(idle));
    assert_eq!(held_by(group), [(process(SERVER), 4)]);
    // Nobody holds it, so it is idle for nobody.
    let group = &groups[2].1;
    assert_eq!((group.counts.unaccepted, group.counts.given_up), (1, 1));
    assert_eq!((group.idle, group.ages.unwrap().oldest), (None, at_least(3)));
}

#[test]
fn a_process_counts_a_connection_once_however_often_it_holds_it() {
    let inventory = of(&incident());
    let groups = inventory.by_process();
    let rows: Vec<(ProcessId, u64, Option<u32>)> = groups
        .iter()
        .map(|(key, descriptors, group)| (key.id, group.counts.total(), descriptors.map(|table| table.used)))
        .collect();
    assert_eq!(
        rows,
        [
            (process(SERVER), 5, Some(64)),
            (process(CLIENT), 4, Some(12)),
            (process(CHILD), 1, None),
        ]
    );
    let names: Vec<&[u8]> = groups.iter().map(|(key, ..)| key.comm.bytes()).collect();
    assert_eq!(names, [SERVER.1, CLIENT.1, CHILD.1].map(str::as_bytes));
}

#[test]
fn one_of_those_who_share_a_listening_socket_stands_for_the_others() {
    let snapshot = Snapshot {
        listeners: vec![
            listener(700, SERVER, "[::]:9090"),
            listener(700, CHILD, "[::]:9090"),
        ],
        waiting: vec![waiting(1, 700, "10.0.0.1:9090", "10.0.0.9:40001")],
        ..Snapshot::default()
    };
    let inventory = of(&snapshot);
    let groups = inventory.by_process();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].0.id, process(CHILD), "the lowest process id");
    assert_eq!(inventory.connections[0].holders.len(), 2);
}

#[test]
fn states_are_phases_given_up_or_not() {
    let groups = of(&incident()).by_state();
    let rows: Vec<(&str, u64)> = groups
        .iter()
        .map(|(phase, group)| (phase.name(), group.counts.total()))
        .collect();
    assert_eq!(
        rows,
        [
            ("open", 4),
            ("unaccepted", 2),
            ("half_closed_remote", 1),
            ("dead_held", 1),
            ("connecting", 1)
        ]
    );
}

#[test]
fn listening_sockets_are_listed_with_and_without_connections() {
    let mut snapshot = incident();
    snapshot.listeners.push(listener(702, CHILD, "127.0.0.1:8080"));
    // Its door was not read.
    snapshot
        .waiting
        .push(waiting(20, 999, "10.0.0.1:8080", "10.0.0.9:40009"));
    let inventory = of(&snapshot);
    let groups = inventory.by_listener();
    let rows: Vec<(Option<u64>, u64)> = groups
        .iter()
        .map(|(socket, group)| (socket.map(|socket| socket.id.0), group.counts.total()))
        .collect();
    // Of equal counts by address: 0.0.0.0 before 127.0.0.1, and those without a door behind all.
    assert_eq!(rows, [(Some(700), 5), (None, 1), (Some(701), 0), (Some(702), 0)]);
    let (socket, group) = &groups[0];
    assert_eq!((socket.unwrap().queued, group.counts.unaccepted), (2, 2));
}

#[test]
fn equal_peers_in_two_namespaces_share_a_row_that_names_both() {
    let here = held(1, CLIENT, 3, "10.0.0.1:50000", "10.0.0.7:5432");
    let there = Held {
        netns: HOME + 1,
        ..held(2, CHILD, 3, "10.0.0.1:50000", "10.0.0.7:5432")
    };
    let groups = of(&Snapshot {
        held: vec![here, there],
        ..Snapshot::default()
    })
    .by_peer();
    assert_eq!(groups.len(), 1);
    let namespaces: Vec<u32> = groups[0].1.namespaces.iter().copied().collect();
    assert_eq!(namespaces, [HOME, HOME + 1]);
}

fn any_program() -> impl Strategy<Value = Program> {
    proptest::sample::select(vec![SERVER, CLIENT, CHILD])
}

fn any_phase() -> impl Strategy<Value = Phase> {
    proptest::sample::select(vec![
        Phase::Connecting,
        Phase::Open,
        Phase::HalfClosedRemote,
        Phase::HalfClosedLocal,
        Phase::DeadHeld,
    ])
}

/// The tuple follows from the id, as it does in the kernel.
fn tuple(id: u64) -> (String, String) {
    let (local, remote) = (9090 + id % 3, 40_000 + id);
    (
        format!("10.0.0.1:{local}"),
        format!("10.0.0.{}:{remote}", 2 + id % 4),
    )
}

prop_compose! {
    fn any_held()(id in 0_u64..12, program in any_program(), fd in 3_u32..9, phase in any_phase(), age in 0_u64..100)
        -> Held
    {
        let (local, peer) = tuple(id);
        Held { phase, age_at_least: Duration::from_secs(age), ..held(id, program, fd, &local, &peer) }
    }
}

prop_compose! {
    fn any_waiting()(id in 0_u64..24, listener in 0_u64..4, given_up in any::<bool>()) -> Waiting {
        let (local, peer) = tuple(id);
        Waiting { given_up, ..waiting(id, listener, &local, &peer) }
    }
}

prop_compose! {
    fn any_snapshot()(
        held in proptest::collection::vec(any_held(), 0..40),
        waiting in proptest::collection::vec(any_waiting(), 0..20),
        doors in proptest::collection::vec((0_u64..4, any_program()), 0..6),
    ) -> Snapshot {
        let listeners = doors
            .into_iter()
            .map(|(id, program)| listener(id, program, &format!("0.0.0.0:{}", 9090 + id)))
            .collect();
        Snapshot { held, waiting, listeners, ..Snapshot::default() }
    }
}

proptest! {
    /// Every connection is in the list once, and in every view where it belongs.
    #[test]
    fn the_views_agree(snapshot in any_snapshot()) {
        let inventory = of(&snapshot);
        let mut ids: Vec<u64> = snapshot.held.iter().map(|row| row.id.0).collect();
        ids.extend(snapshot.waiting.iter().map(|row| row.id.0));
        ids.sort_unstable();
        ids.dedup();
        let mut listed: Vec<u64> = inventory.connections.iter().map(|listed| listed.id.0).collect();
        listed.sort_unstable();
        prop_assert_eq!(listed, ids);

        let total = inventory.total().total();
        prop_assert_eq!(total, inventory.connections.len() as u64);
        prop_assert_eq!(inventory.by_peer().iter().map(|(_, group)| group.counts.total()).sum::<u64>(), total);
        prop_assert_eq!(inventory.by_state().iter().map(|(_, group)| group.counts.total()).sum::<u64>(), total);
        let inbound = inventory.connections.iter().filter(|listed| listed.direction == Direction::Inbound);
        let listeners = inventory.by_listener();
        prop_assert_eq!(
            listeners.iter().map(|(_, group)| group.counts.total()).sum::<u64>(),
            inbound.count() as u64
        );
        prop_assert!(listeners.iter().filter(|(socket, _)| socket.is_some()).count() == inventory.listeners.len());
        for (key, _, group) in inventory.by_process() {
            let holds = |row: &&Held| row.process == key.id;
            let mut held: Vec<u64> = snapshot.held.iter().filter(holds).map(|row| row.id.0).collect();
            held.sort_unstable();
            held.dedup();
            let unaccepted = u64::from(group.counts.unaccepted);
            prop_assert_eq!(group.counts.total() - unaccepted, held.len() as u64);
        }
    }
}
