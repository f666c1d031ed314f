use std::{net::SocketAddr, time::Duration};

use proptest::prelude::*;
use tracer_common::socket::tcp;

use super::{Joined, Past, join};
use crate::{
    fallback::{
        diag::{Socket, Traffic},
        identity::{BY_COOKIE, KnownConnection, Tuple},
        queues::HEAD,
        tables::{Descriptor, Dump, Table, Tables},
    },
    model::{
        connection::{ConnectionId, Phase, ProcessId},
        name::Comm,
        snapshot::{Descriptors, Held},
        time::Time,
    },
};

const NETNS: u32 = 4_026_531_840;
const SECOND: Duration = Duration::from_secs(1);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn socket(cookie: u64, inode: u64, state: u8, local: &str, peer: &str) -> Socket {
    Socket {
        cookie,
        inode,
        state,
        local: address(local),
        peer: address(peer),
        v6_only: false,
        queued: 0,
        queue_limit: 0,
        traffic: Traffic::default(),
    }
}

/// A connection of a client.
fn outbound(cookie: u64, inode: u64) -> Socket {
    socket(cookie, inode, tcp::ESTABLISHED, "10.0.0.1:40001", "10.0.0.2:9090")
}

fn listening(inode: u64, local: &str, queued: u32) -> Socket {
    Socket {
        queued,
        queue_limit: 128,
        ..socket(inode, inode, tcp::LISTEN, local, "0.0.0.0:0")
    }
}

fn unaccepted(cookie: u64, local: &str, peer_port: u16, waited: u64) -> Socket {
    Socket {
        peer: SocketAddr::new([10, 0, 0, 9].into(), peer_port),
        traffic: Traffic {
            since_sent: Duration::from_secs(waited),
            ..Traffic::default()
        },
        ..socket(cookie, 0, tcp::ESTABLISHED, local, "0.0.0.0:0")
    }
}

fn process(pid: u32) -> ProcessId {
    // As ticks tell it.
    ProcessId {
        pid,
        start: Time(50_000_000),
    }
}

fn table(pid: u32, inodes: &[u64]) -> Table {
    Table {
        process: process(pid),
        comm: Comm::from("app"),
        used: 20,
        limit: Some(1024),
        sockets: (3..)
            .zip(inodes)
            .map(|(fd, &inode)| Descriptor { fd, inode })
            .collect(),
        at: Time(0),
    }
}

/// One pass, that many seconds after boot.
fn pass(seconds: u64, sockets: &[Socket], tables: &[Table]) -> Tables {
    let began = Time(0) + SECOND * u32::try_from(seconds).unwrap();
    let later = |millis| began + Duration::from_millis(millis);
    Tables {
        began,
        dumps: vec![Dump {
            netns: NETNS,
            at: later(1),
            sockets: sockets.to_vec(),
        }],
        tables: tables
            .iter()
            .map(|table| Table {
                at: later(2),
                ..table.clone()
            })
            .collect(),
        unreadable: 0,
    }
}

fn known(id: u64, socket: &Socket) -> KnownConnection {
    KnownConnection {
        id: ConnectionId(id),
        process: ProcessId {
            pid: 7,
            start: Time(57_654_321),
        },
        tuple: Tuple {
            netns: NETNS,
            local: socket.local,
            peer: socket.peer,
        },
        opened: Time(0) + 50 * SECOND,
    }
}

fn joined(tables: &Tables, known: &[KnownConnection], past: &mut Past) -> Joined {
    join(tables, known.iter().copied().collect(), past, |_| true)
}

/// The number of a connection that only `sock_diag` knows.
const fn by_cookie(cookie: u64) -> u64 {
    BY_COOKIE | cookie
}

fn ids(joined: &Joined) -> Vec<u64> {
    joined.snapshot.held.iter().map(|held| held.id.0).collect()
}

const NONE: [u64; 0] = [];

fn undecided(joined: &Joined) -> Vec<u64> {
    joined.undecided.iter().map(|id| id.0).collect()
}

#[test]
fn a_row_says_all_that_is_known() {
    let socket = Socket {
        traffic: Traffic {
            since_sent: 3 * SECOND,
            since_received: 5 * SECOND,
            acked: 10,
            received: 20,
        },
        ..outbound(11, 1000)
    };
    let tables = pass(100, &[socket], &[table(7, &[1000])]);
    let snapshot = joined(&tables, &[], &mut Past::default()).snapshot;
    let expected = Held {
        id: ConnectionId(by_cookie(11)),
        process: process(7),
        comm: Comm::from("app"),
        fd: 3,
        inode: 1000,
        netns: NETNS,
        local: socket.local,
        peer: socket.peer,
        phase: Phase::Open,
        at: tables.dumps[0].at,
        age_at_least: 5 * SECOND,
        idle: 3 * SECOND,
        sent: 10,
        received: 20,
    };
    assert_eq!((snapshot.began, snapshot.held), (tables.began, vec![expected]));
    let descriptors = Descriptors {
        process: process(7),
        comm: Comm::from("app"),
        used: 20,
        sockets: 1,
        limit: Some(1024),
        at: tables.tables[0].at,
    };
    assert_eq!(snapshot.descriptors, [descriptors]);
}

#[test]
fn every_descriptor_of_a_socket_is_a_row() {
    let tables = pass(
        100,
        &[outbound(11, 1000)],
        &[table(7, &[1000, 1000]), table(8, &[1000])],
    );
    let joined = joined(&tables, &[], &mut Past::default());
    let rows: Vec<(u32, u32)> = joined
        .snapshot
        .held
        .iter()
        .map(|held| (held.process.pid, held.fd))
        .collect();
    assert_eq!(rows, [(7, 3), (7, 4), (8, 3)]);
}

#[test]
fn states_are_phases_of_the_holder() {
    for (state, phase) in [
        (tcp::SYN_SENT, Phase::Connecting),
        (tcp::ESTABLISHED, Phase::Open),
        (tcp::SYN_RECV, Phase::Open),
        (tcp::CLOSE_WAIT, Phase::HalfClosedRemote),
        (tcp::FIN_WAIT1, Phase::HalfClosedLocal),
        (tcp::LAST_ACK, Phase::HalfClosedLocal),
    ] {
        let socket = Socket {
            state,
            ..outbound(11, 1000)
        };
        let joined = joined(
            &pass(100, &[socket], &[table(7, &[1000])]),
            &[],
            &mut Past::default(),
        );
        assert_eq!(joined.snapshot.held[0].phase, phase, "state {state}");
    }
}

#[test]
fn what_a_process_let_go_is_no_row() {
    let closing = Socket {
        state: tcp::FIN_WAIT2,
        ..outbound(11, 0)
    };
    let joined = joined(
        &pass(100, &[closing, outbound(12, 1000)], &[]),
        &[],
        &mut Past::default(),
    );
    assert!(joined.snapshot.held.is_empty() && joined.snapshot.waiting.is_empty());
}

#[test]
fn a_connection_that_the_ledger_knows_keeps_its_number_and_its_process() {
    let socket = outbound(11, 1000);
    let tables = pass(100, &[socket], &[table(7, &[1000])]);
    let joined = joined(&tables, &[known(42, &socket)], &mut Past::default());
    assert_eq!(ids(&joined), [42]);
    assert_eq!(
        joined.snapshot.held[0].process.start,
        Time(57_654_321),
        "exact, where ticks say 50 ms"
    );
}

#[test]
fn equal_tuples_in_two_namespaces_are_two_connections() {
    let (here, there) = (outbound(11, 1000), outbound(12, 2000));
    let mut tables = pass(100, &[here], &[table(7, &[1000]), table(8, &[2000])]);
    tables.dumps.push(Dump {
        netns: 1,
        at: Time(0),
        sockets: vec![there],
    });
    let joined = joined(&tables, &[known(42, &here)], &mut Past::default());
    assert_eq!(ids(&joined), [42, by_cookie(12)]);
    assert_eq!(joined.snapshot.held[1].netns, 1);
}

#[test]
fn a_later_connection_with_the_same_tuple_is_another() {
    let mut past = Past::default();
    let first = outbound(11, 1000);
    let stale = [known(42, &first)];
    joined(&pass(100, &[first], &[table(7, &[1000])]), &stale, &mut past);
    let second = joined(
        &pass(130, &[outbound(12, 2000)], &[table(7, &[2000])]),
        &stale,
        &mut past,
    );
    assert_eq!((ids(&second), undecided(&second)), (vec![by_cookie(12)], vec![]));
}

#[test]
fn the_younger_of_two_with_one_tuple_is_the_one_that_lives() {
    let socket = outbound(11, 1000);
    let tables = pass(100, &[socket], &[table(7, &[1000])]);
    let twice = |ids: [u64; 2]| ids.map(|id| known(id, &socket));
    assert_eq!(
        ids(&joined(&tables, &twice([42, 43]), &mut Past::default())),
        [43]
    );
    let found_first = twice([by_cookie(11), 42]);
    assert_eq!(ids(&joined(&tables, &found_first, &mut Past::default())), [42]);
}

#[test]
fn an_attempt_whose_port_is_not_known_is_recognised_and_stays_so() {
    let socket = Socket {
        state: tcp::SYN_SENT,
        ..outbound(11, 1000)
    };
    let portless = |id| {
        let mut attempt = known(id, &socket);
        attempt.tuple.local.set_port(0);
        attempt
    };
    let other = socket;
    let other = Socket {
        cookie: 12,
        inode: 2000,
        local: address("10.0.0.1:40002"),
        ..other
    };
    let mut past = Past::default();
    let tables = |seconds| pass(seconds, &[socket, other], &[table(7, &[1000, 2000])]);
    let attempts = [portless(42), portless(43)];
    let first = ids(&joined(&tables(100), &attempts, &mut past));
    let mut sorted = first.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [42, 43], "one each");
    assert_eq!(ids(&joined(&tables(130), &attempts, &mut past)), first);
    let elsewhere = KnownConnection {
        tuple: Tuple {
            local: address("10.0.0.77:0"),
            ..portless(42).tuple
        },
        ..portless(42)
    };
    let joined = joined(&tables(100), &[elsewhere], &mut Past::default());
    assert_eq!(ids(&joined), [by_cookie(11), by_cookie(12)]);
}

#[test]
fn a_held_socket_that_left_the_dumps_is_dead() {
    let mut past = Past::default();
    let socket = Socket {
        traffic: Traffic {
            since_sent: 5 * SECOND,
            since_received: 9 * SECOND,
            acked: 1,
            received: 2,
        },
        ..outbound(11, 1000)
    };
    let connections = [known(42, &socket)];
    joined(
        &pass(100, &[socket], &[table(7, &[1000])]),
        &connections,
        &mut past,
    );
    for seconds in [130, 160] {
        let dead = joined(&pass(seconds, &[], &[table(8, &[1000])]), &connections, &mut past);
        let row = dead.snapshot.held[0];
        assert_eq!((row.id.0, row.phase, row.process.pid), (42, Phase::DeadHeld, 8));
        assert_eq!((row.local, row.peer, row.sent), (socket.local, socket.peer, 1));
        assert!(
            row.age_at_least >= SECOND * u32::try_from(seconds - 100 + 9).unwrap(),
            "{row:?}"
        );
        assert!(
            row.idle >= SECOND * u32::try_from(seconds - 100 + 5).unwrap(),
            "{row:?}"
        );
        assert_eq!(undecided(&dead), NONE);
    }
    let closed = joined(&pass(190, &[], &[]), &connections, &mut past);
    assert_eq!((ids(&closed), undecided(&closed)), (vec![], vec![]));
}

#[test]
fn a_socket_that_connected_anew_is_not_dead() {
    let mut past = Past::default();
    let first = outbound(11, 1000);
    let again = Socket {
        local: address("10.0.0.1:40002"),
        ..first
    };
    joined(
        &pass(100, &[first], &[table(7, &[1000])]),
        &[known(42, &first)],
        &mut past,
    );
    let both = [known(42, &first), known(43, &again)];
    let joined = joined(&pass(130, &[again], &[table(7, &[1000])]), &both, &mut past);
    assert_eq!((ids(&joined), undecided(&joined)), (vec![43], vec![]));
    assert_eq!(joined.snapshot.held[0].phase, Phase::Open);
}

#[test]
fn an_attempt_that_vanished_is_not_called_dead() {
    let mut past = Past::default();
    let attempt = Socket {
        state: tcp::SYN_SENT,
        ..outbound(11, 1000)
    };
    let connections = [known(42, &attempt)];
    joined(
        &pass(100, &[attempt], &[table(7, &[1000])]),
        &connections,
        &mut past,
    );
    let after = joined(&pass(130, &[], &[table(7, &[1000])]), &connections, &mut past);
    assert_eq!((ids(&after), undecided(&after)), (vec![], vec![42]));
}

#[test]
fn what_was_never_in_a_dump_is_undecided_while_a_dark_socket_may_be_it() {
    let mut past = Past::default();
    let connections = [known(42, &outbound(11, 0))];
    let dark = |seconds| pass(seconds, &[], &[table(7, &[1000])]);
    let once = joined(&dark(100), &connections, &mut past);
    assert_eq!(undecided(&once), NONE, "it may only be newer than the dump");
    let twice = joined(&dark(130), &connections, &mut past);
    assert_eq!(undecided(&twice), [42]);
    let gone = joined(&pass(160, &[], &[]), &connections, &mut past);
    assert_eq!(undecided(&gone), NONE);
}

#[test]
fn a_socket_that_was_dark_before_a_connection_opened_is_not_that_connection() {
    let mut past = Past::default();
    let dark = |seconds| pass(seconds, &[], &[table(7, &[1000])]);
    joined(&dark(10), &[], &mut past);
    joined(&dark(40), &[], &mut past);
    let later = joined(&dark(70), &[known(42, &outbound(11, 0))], &mut past);
    assert_eq!(undecided(&later), NONE, "it opened 50 s after boot");
}

#[test]
fn other_dark_sockets_every_time_decide() {
    let mut past = Past::default();
    let connections = [known(42, &outbound(11, 0))];
    for inode in 1000..1010 {
        let tables = pass(inode, &[], &[table(7, &[inode])]);
        assert_eq!(undecided(&joined(&tables, &connections, &mut past)), NONE);
    }
}

#[test]
fn a_gap_in_what_was_read_leaves_it_undecided() {
    let socket = outbound(11, 1000);
    let connections = [
        known(42, &socket),
        known(
            43,
            &Socket {
                local: address("10.0.0.1:1"),
                ..socket
            },
        ),
    ];
    let seen = |past: &mut Past| {
        drop(joined(
            &pass(100, &[socket], &[table(7, &[1000])]),
            &connections,
            past,
        ));
    };
    // Somebody's descriptors could not be read.
    let mut past = Past::default();
    seen(&mut past);
    for sockets in [&[socket][..], &[]] {
        let tables = Tables {
            unreadable: 1,
            ..pass(130, sockets, &[])
        };
        assert_eq!(undecided(&joined(&tables, &connections, &mut past)), [42, 43]);
    }
    // Not those of the process that had them.
    let mut past = Past::default();
    seen(&mut past);
    let tables = Tables {
        unreadable: 1,
        ..pass(130, &[], &[table(7, &[])])
    };
    assert_eq!(undecided(&joined(&tables, &connections, &mut past)), [0; 0]);
    // The namespace could not be asked.
    let mut past = Past::default();
    seen(&mut past);
    for holders in [&[table(7, &[1000])][..], &[]] {
        let tables = Tables {
            dumps: vec![],
            ..pass(130, &[], holders)
        };
        let joined = joined(&tables, &connections, &mut past);
        assert_eq!((ids(&joined), undecided(&joined)), (vec![], vec![42, 43]));
    }
}

#[test]
fn what_neither_is_known_nor_still_there_is_not_told() {
    let (known_one, brief, lasting) = (
        outbound(11, 1000),
        Socket {
            local: address("10.0.0.1:2"),
            ..outbound(12, 2000)
        },
        Socket {
            local: address("10.0.0.1:3"),
            ..outbound(13, 3000)
        },
    );
    let tables = pass(
        100,
        &[known_one, brief, lasting],
        &[table(7, &[1000, 2000, 3000])],
    );
    let known = [known(42, &known_one)].into_iter().collect();
    let joined = join(&tables, known, &mut Past::default(), |cookie| cookie == 13);
    assert_eq!(ids(&joined), [42, by_cookie(13)]);
}

#[test]
fn unaccepted_connections_wait_at_the_nearest_listener_the_oldest_first() {
    let sockets = [
        listening(1, "0.0.0.0:9090", 2),
        listening(2, "10.0.0.1:9090", 2),
        listening(3, "[::]:9090", 1),
        listening(4, "10.0.0.1:80", 1),
        unaccepted(11, "10.0.0.1:9090", 1, 5),
        unaccepted(12, "10.0.0.1:9090", 2, 9),
        Socket {
            state: tcp::CLOSE_WAIT,
            ..unaccepted(13, "10.0.0.7:9090", 3, 7)
        },
        unaccepted(14, "[2001:db8::1]:9090", 4, 1),
        unaccepted(15, "10.0.0.1:81", 5, 1),
    ];
    let tables = pass(100, &sockets, &[table(7, &[1, 2, 3, 4]), table(8, &[2])]);
    let snapshot = joined(&tables, &[], &mut Past::default()).snapshot;
    let waiting: Vec<(u64, u64, u64, bool)> = snapshot
        .waiting
        .iter()
        .map(|row| {
            (
                row.listener.0,
                row.id.0 & !BY_COOKIE,
                row.waited.as_secs(),
                row.given_up,
            )
        })
        .collect();
    let mut by_listener = waiting.clone();
    by_listener.sort_by_key(|row| row.0);
    let expected = [
        (1, 13, 7, true),
        (2, 12, 9, false),
        (2, 11, 5, false),
        (3, 14, 1, false),
    ];
    assert_eq!(by_listener, expected);
    let listeners: Vec<(u64, u32)> = snapshot
        .listeners
        .iter()
        .map(|row| (row.id.0, row.process.pid))
        .collect();
    assert_eq!(listeners.len(), 5, "one for each descriptor: {listeners:?}");
    assert_eq!(
        (snapshot.listeners[0].queued, snapshot.listeners[0].queue_limit),
        (2, 128)
    );
}

#[test]
fn a_socket_of_both_families_takes_both_unless_it_is_told_not_to() {
    let child = unaccepted(11, "10.0.0.1:9090", 1, 1);
    let both = listening(3, "[::]:9090", 1);
    let waits = |listener| {
        let tables = pass(100, &[listener, child], &[table(7, &[3])]);
        joined(&tables, &[], &mut Past::default()).snapshot.waiting.len()
    };
    assert_eq!(waits(both), 1);
    assert_eq!(
        waits(Socket {
            v6_only: true,
            ..both
        }),
        0
    );
}

#[test]
fn listeners_that_share_an_address_share_by_the_length_of_their_queues() {
    let mut sockets = vec![listening(1, "0.0.0.0:9090", 3), listening(2, "0.0.0.0:9090", 1)];
    sockets.extend((0..4).map(|n| unaccepted(10 + n, "10.0.0.1:9090", 1, n)));
    let snapshot = joined(&pass(100, &sockets, &[]), &[], &mut Past::default()).snapshot;
    let at = |listener| {
        snapshot
            .waiting
            .iter()
            .filter(|row| row.listener.0 == listener)
            .count()
    };
    assert_eq!((at(1), at(2)), (3, 1));
}

#[test]
fn of_a_long_queue_the_head_is_told() {
    let mut sockets = vec![listening(1, "0.0.0.0:9090", 5000)];
    sockets.extend((0..5000).map(|n| unaccepted(10 + n, "10.0.0.1:9090", 1, n)));
    let snapshot = joined(&pass(100, &sockets, &[table(7, &[1])]), &[], &mut Past::default()).snapshot;
    assert_eq!(snapshot.waiting.len(), HEAD);
    assert_eq!(snapshot.waiting[0].waited, 4999 * SECOND);
    assert_eq!(snapshot.listeners[0].queued, 5000);
}

/// Sockets of a small world, in which much collides.
fn sockets() -> impl Strategy<Value = Vec<Socket>> {
    let states = prop::sample::select(vec![
        tcp::ESTABLISHED,
        tcp::SYN_SENT,
        tcp::CLOSE_WAIT,
        tcp::FIN_WAIT2,
        tcp::LISTEN,
    ]);
    let socket =
        (0..6_u64, 0..5_u64, states, 1..4_u16, 1..3_u16).prop_map(|(cookie, inode, state, local, peer)| {
            Socket {
                state,
                local: SocketAddr::new([10, 0, 0, 1].into(), local),
                peer: SocketAddr::new([10, 0, 0, 2].into(), peer),
                ..outbound(cookie, inode)
            }
        });
    prop::collection::vec(socket, 0..8)
}

fn tables() -> impl Strategy<Value = Vec<Tables>> {
    let holders = prop::collection::vec((1..4_u32, prop::collection::vec(1..7_u64, 0..4)), 0..3);
    let step =
        (sockets(), holders, 0..2_u64, any::<bool>()).prop_map(|(sockets, holders, unreadable, dumped)| {
            let holders: Vec<Table> = holders.iter().map(|(pid, inodes)| table(*pid, inodes)).collect();
            let mut tables = Tables {
                unreadable,
                ..pass(100, &sockets, &holders)
            };
            if !dumped {
                tables.dumps.clear();
            }
            tables
        });
    prop::collection::vec(step, 1..6)
}

fn knowns() -> impl Strategy<Value = Vec<KnownConnection>> {
    let one =
        (1..8_u64, 0..4_u16, 1..3_u16, 0..200_u64).prop_map(|(id, local, peer, opened)| KnownConnection {
            tuple: Tuple {
                netns: NETNS,
                local: SocketAddr::new([10, 0, 0, 1].into(), local),
                peer: SocketAddr::new([10, 0, 0, 2].into(), peer),
            },
            opened: Time(opened * 1_000_000_000),
            ..known(id, &outbound(0, 0))
        });
    prop::collection::vec(one, 0..6)
}

proptest! {
    /// Every row is true of what was read, and nothing is both told as held and undecided.
    #[test]
    fn rows_stand_on_descriptors(passes in tables(), connections in knowns()) {
        let mut past = Past::default();
        for tables in &passes {
            let joined = joined(tables, &connections, &mut past);
            for row in &joined.snapshot.held {
                let stands = tables.tables.iter().any(|table| {
                    let descriptor = Descriptor { fd: row.fd, inode: row.inode };
                    table.process.pid == row.process.pid && table.sockets.contains(&descriptor)
                });
                prop_assert!(stands, "nobody holds {row:?}");
                let in_dump = tables.dumps.iter().flat_map(|dump| &dump.sockets).any(|socket| socket.inode == row.inode);
                prop_assert_eq!(row.phase == Phase::DeadHeld, !in_dump);
                prop_assert!(!joined.undecided.contains(&row.id) || tables.unreadable > 0);
            }
            for id in &joined.undecided {
                prop_assert!(connections.iter().any(|known| known.id == *id), "nobody asked about {id:?}");
            }
        }
    }

    /// When everything could be read and nothing is dark, everything is decided.
    #[test]
    fn a_complete_reading_decides(sockets in sockets(), connections in knowns()) {
        let inodes: Vec<u64> = sockets.iter().map(|socket| socket.inode).filter(|inode| *inode != 0).collect();
        let tables = pass(100, &sockets, &[table(1, &inodes)]);
        let joined = joined(&tables, &connections, &mut Past::default());
        prop_assert_eq!(joined.undecided, vec![]);
    }
}
