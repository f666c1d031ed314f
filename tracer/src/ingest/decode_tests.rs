use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::{collection::vec, prelude::*};
use tracer_common::{
    event::COMM_LEN,
    socket::{direction, v4_mapped},
};
use zerocopy::IntoBytes as _;

use super::*;
use crate::model::stack::StackId;

fn addresses() -> impl Strategy<Value = [u8; 16]> {
    prop_oneof![any::<[u8; 16]>(), any::<[u8; 4]>().prop_map(v4_mapped)]
}

/// Records as the kernel programs write them.
fn opened() -> impl Strategy<Value = Opened> {
    let numbers = any::<(u64, u64, u32, u64, u64, u32, u16, u16)>();
    let small = (
        direction::OUTBOUND..=direction::INBOUND,
        tcp::ESTABLISHED..=tcp::CLOSING,
        any::<u8>(),
    );
    (numbers, small, addresses(), addresses(), any::<[u8; COMM_LEN]>()).prop_map(
        |(
            (ts, id, tgid, start, stack, netns, local_port, remote_port),
            (direction, state, flags),
            local,
            remote,
            comm,
        )| {
            Opened {
                ts,
                id,
                kind: kind::OPENED,
                direction,
                state,
                flags,
                tgid,
                start,
                stack,
                netns,
                local_port,
                remote_port,
                local,
                remote,
                comm,
            }
        },
    )
}

fn change(ts: u64, id: u64, kind: u8) -> Change {
    Change {
        ts,
        id,
        kind,
        from: 0,
        to: 0,
        cause: 0,
        local_port: 0,
        error: 0,
    }
}

/// Records as the kernel programs write them; the fields that a kind does not use hold anything.
fn changes() -> impl Strategy<Value = Change> {
    let to = prop::sample::select(vec![
        tcp::ESTABLISHED,
        tcp::FIN_WAIT1,
        tcp::CLOSE_WAIT,
        tcp::LAST_ACK,
        tcp::CLOSE,
    ]);
    let causes = cause::DESTROYED..=cause::UNOBSERVED;
    (
        any::<(u64, u64, u8, u16, u16)>(),
        kind::STATE..=kind::ENDED,
        to,
        causes,
    )
        .prop_map(|((ts, id, from, local_port, error), kind, to, cause)| Change {
            from: from % 13,
            to,
            cause,
            local_port,
            error,
            ..change(ts, id, kind)
        })
}

/// An address as text would have it: what was stored as IPv4-mapped is IPv4.
fn expected_address(stored: [u8; 16]) -> IpAddr {
    match stored {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Ipv4Addr::new(a, b, c, d).into(),
        other => Ipv6Addr::from(other).into(),
    }
}

fn expected_change(record: &Change) -> EventKind {
    match (record.kind, record.to, record.cause) {
        (kind::RELEASED, ..) => EventKind::Released {
            connected: [1, 8].contains(&record.from),
        },
        (kind::ENDED, _, 0) => EventKind::Ended(EndCause::Destroyed),
        (kind::ENDED, _, 1) => EventKind::Ended(EndCause::Reconnected),
        (kind::ENDED, _, 2) => EventKind::Ended(EndCause::Unobserved),
        (_, 1, _) => EventKind::State(StateChange::Established {
            local_port: record.local_port,
        }),
        (_, 4 | 9, _) => EventKind::State(StateChange::ShutDown),
        (_, 8, _) => EventKind::State(StateChange::PeerClosed),
        (_, 7, _) => EventKind::State(StateChange::Closed { error: record.error }),
        other => panic!("not a change that the programs write: {other:?}"),
    }
}

/// A record in which every byte of every number differs from all others.
const SAMPLE: Opened = Opened {
    ts: 0x0102_0304_0506_0708,
    id: 0x1112_1314_1516_1718,
    kind: kind::OPENED,
    direction: direction::INBOUND,
    state: tcp::ESTABLISHED,
    flags: 0,
    tgid: 0x2122_2324,
    start: 0x3132_3334_3536_3738,
    stack: 0x7172_7374_7576_7778,
    netns: 0x4142_4344,
    local_port: 0x5152,
    remote_port: 0x6162,
    local: v4_mapped([10, 1, 2, 3]),
    remote: [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
    comm: *b"controller\0\0\0\0\0\0",
};

/// Each kind of record once.
fn samples() -> Vec<Vec<u8>> {
    let changes = [kind::STATE, kind::RELEASED, kind::ENDED];
    let changes = changes.map(|kind| Change {
        from: 1,
        to: tcp::CLOSE_WAIT,
        ..change(5, 6, kind)
    });
    changes
        .iter()
        .map(|change| change.as_bytes().to_vec())
        .chain([SAMPLE.as_bytes().to_vec()])
        .collect()
}

#[test]
fn every_field_of_an_opening_arrives_in_its_place() {
    let expected = Opening {
        process: ProcessId {
            pid: 0x2122_2324,
            start: Time(0x3132_3334_3536_3738),
        },
        comm: Comm::from("controller"),
        direction: Direction::Inbound,
        connecting: false,
        local: "10.1.2.3:20818".parse().unwrap(),
        peer: "[2001:db8::9]:24930".parse().unwrap(),
        netns: 0x4142_4344,
        stack: StackId(0x7172_7374_7576_7778).into(),
    };
    let event = Event {
        at: Time(0x0102_0304_0506_0708),
        id: ConnectionId(0x1112_1314_1516_1718),
        kind: EventKind::Opened(expected),
    };
    assert_eq!(decode(SAMPLE.as_bytes()), Ok(event));
}

#[test]
fn an_outbound_opening_is_an_attempt_whatever_its_state() {
    for state in tcp::ESTABLISHED..=tcp::CLOSING {
        for (direction, attempt) in [(direction::OUTBOUND, true), (direction::INBOUND, false)] {
            let record = Opened {
                state,
                direction,
                ..SAMPLE
            };
            let Ok(Event {
                kind: EventKind::Opened(opening),
                ..
            }) = decode(record.as_bytes())
            else {
                panic!("state {state} is rejected");
            };
            assert_eq!(opening.connecting, attempt, "state {state}");
        }
    }
}

#[test]
fn ipv4_is_ipv4_whichever_kind_of_socket_spoke_it() {
    let record = Opened {
        local: v4_mapped([127, 0, 0, 1]),
        remote: v4_mapped([192, 0, 2, 8]),
        ..SAMPLE
    };
    let Ok(Event {
        kind: EventKind::Opened(opening),
        ..
    }) = decode(record.as_bytes())
    else {
        panic!("rejected");
    };
    assert_eq!(opening.local.ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert_eq!(opening.peer.ip(), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8)));
    let record = Opened {
        remote: Ipv6Addr::LOCALHOST.octets(),
        ..SAMPLE
    };
    let Ok(Event {
        kind: EventKind::Opened(opening),
        ..
    }) = decode(record.as_bytes())
    else {
        panic!("rejected");
    };
    assert_eq!(
        opening.peer.ip(),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
        "::1 is no IPv4 address"
    );
}

#[test]
fn a_kernel_socket_is_blamed_on_no_process() {
    for (flags, from_kernel) in [
        (flag::KERNEL, true),
        (0xff, true),
        (0, false),
        (!flag::KERNEL, false),
    ] {
        let record = Opened { flags, ..SAMPLE };
        let Ok(Event {
            kind: EventKind::Opened(opening),
            ..
        }) = decode(record.as_bytes())
        else {
            panic!("flags {flags} are rejected");
        };
        assert_eq!(opening.process == ProcessId::KERNEL, from_kernel, "flags {flags}");
        assert_eq!(opening.comm == Comm::from("kernel"), from_kernel, "flags {flags}");
    }
}

#[test]
fn an_unknown_kind_is_named() {
    for unknown in (0..=u8::MAX).filter(|kind| !(kind::OPENED..=kind::ENDED).contains(kind)) {
        let error = DecodeError::Kind(unknown);
        assert_eq!(decode(change(1, 2, unknown).as_bytes()), Err(error.clone()));
        assert_eq!(
            decode(
                Opened {
                    kind: unknown,
                    ..SAMPLE
                }
                .as_bytes()
            ),
            Err(error)
        );
    }
}

#[test]
fn an_unknown_direction_is_named() {
    for unknown in [0, 3, 255] {
        let record = Opened {
            direction: unknown,
            ..SAMPLE
        };
        assert_eq!(decode(record.as_bytes()), Err(DecodeError::Direction(unknown)));
    }
}

#[test]
fn an_opening_in_no_tcp_state_is_rejected() {
    for unknown in [0, 12, 255] {
        let record = Opened {
            state: unknown,
            ..SAMPLE
        };
        assert_eq!(decode(record.as_bytes()), Err(DecodeError::State(unknown)));
    }
}

#[test]
fn a_change_to_a_state_that_is_never_reported_is_rejected() {
    let reported = [
        tcp::ESTABLISHED,
        tcp::FIN_WAIT1,
        tcp::CLOSE_WAIT,
        tcp::LAST_ACK,
        tcp::CLOSE,
    ];
    for to in (0..=u8::MAX).filter(|to| !reported.contains(to)) {
        let record = Change {
            to,
            ..change(1, 2, kind::STATE)
        };
        assert_eq!(decode(record.as_bytes()), Err(DecodeError::State(to)));
    }
}

#[test]
fn an_unknown_cause_is_named() {
    for unknown in 3..=u8::MAX {
        let record = Change {
            cause: unknown,
            ..change(1, 2, kind::ENDED)
        };
        assert_eq!(decode(record.as_bytes()), Err(DecodeError::Cause(unknown)));
    }
}

#[test]
fn a_release_is_of_a_connection_in_established_and_close_wait_only() {
    for from in 0..=u8::MAX {
        let record = Change {
            from,
            ..change(1, 2, kind::RELEASED)
        };
        let connected = from == tcp::ESTABLISHED || from == tcp::CLOSE_WAIT;
        let expected = EventKind::Released { connected };
        assert_eq!(
            decode(record.as_bytes()).map(|event| event.kind),
            Ok(expected),
            "state {from}"
        );
    }
}

#[test]
fn a_record_cut_anywhere_is_truncated() {
    for record in samples() {
        assert!(decode(&record).is_ok());
        for length in 0..record.len() {
            let error = DecodeError::Truncated { length };
            assert_eq!(decode(&record[..length]), Err(error), "of {}", record.len());
        }
    }
}

#[test]
fn a_record_with_anything_behind_it_is_too_long() {
    for record in samples() {
        for extra in 1..=record.len() {
            let longer = [record.as_slice(), &record[..extra]].concat();
            assert_eq!(decode(&longer), Err(DecodeError::TooLong { extra }));
        }
    }
}

#[test]
fn every_error_says_what_was_wrong() {
    let errors = [
        (DecodeError::Truncated { length: 17 }, "17"),
        (DecodeError::TooLong { extra: 18 }, "18"),
        (DecodeError::Kind(19), "kind 19"),
        (DecodeError::Direction(20), "direction 20"),
        (DecodeError::State(21), "state 21"),
        (DecodeError::Cause(22), "cause 22"),
    ];
    for (error, word) in errors {
        assert!(error.to_string().contains(word), "{error}");
    }
}

proptest! {
    #[test]
    fn an_opening_survives_the_way_through_bytes(record in opened()) {
        let event = decode(record.as_bytes()).unwrap();
        prop_assert_eq!((event.at, event.id), (Time(record.ts), ConnectionId(record.id)));
        let EventKind::Opened(opening) = event.kind else { panic!("{event:?}") };
        let from_kernel = record.flags % 2 == 1;
        if !from_kernel {
            prop_assert_eq!((opening.process.pid, opening.process.start), (record.tgid, Time(record.start)));
            let end = record.comm.iter().position(|byte| *byte == 0).unwrap_or(COMM_LEN);
            prop_assert_eq!(opening.comm.bytes(), &record.comm[..end]);
        }
        prop_assert_eq!(opening.process == ProcessId::KERNEL, from_kernel);
        prop_assert_eq!(opening.direction.number(), record.direction);
        prop_assert_eq!(opening.connecting, record.direction == direction::OUTBOUND);
        prop_assert_eq!(opening.local, SocketAddr::new(expected_address(record.local), record.local_port));
        prop_assert_eq!(opening.peer, SocketAddr::new(expected_address(record.remote), record.remote_port));
        prop_assert_eq!(opening.netns, record.netns);
    }

    #[test]
    fn a_change_survives_the_way_through_bytes(record in changes()) {
        let expected = Event { at: Time(record.ts), id: ConnectionId(record.id), kind: expected_change(&record) };
        prop_assert_eq!(decode(record.as_bytes()), Ok(expected));
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        if decode(&bytes).is_ok() {
            let lengths = [size_of::<Change>(), size_of::<Opened>()];
            prop_assert!(lengths.contains(&bytes.len()));
        }
    }

    #[test]
    fn a_record_with_one_byte_changed_is_a_record_or_an_error(
        record in prop::sample::select(samples()),
        position in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let mut record = record;
        let position = position.index(record.len());
        record[position] = byte;
        let decoded = decode(&record);
        let is_checked = (16..20).contains(&position);
        prop_assert!(decoded.is_ok() || is_checked, "byte {} = {}: {:?}", position, byte, decoded);
    }
}
