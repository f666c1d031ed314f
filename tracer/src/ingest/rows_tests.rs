use std::time::Duration;

use proptest::prelude::*;
use tracer_common::{
    event::COMM_LEN,
    snapshot::{HeldRow, ProcessRow, WaitingRow, kind},
    socket::{tcp, v4_mapped},
};
use zerocopy::IntoBytes as _;

use super::{Hz, decode_rows, first_jiffies};
use crate::{
    ingest::decode::DecodeError,
    model::{
        connection::{ConnectionId, Phase, ProcessId},
        name::Comm,
        snapshot::{Descriptors, Held, Listener, ListenerId, Snapshot, Waiting},
        time::Time,
    },
};

fn row() -> HeldRow {
    HeldRow {
        kind: kind::HELD,
        inode: 9999,
        ts: 1_000_000_000_000,
        jiffies: (7 << 32) + 50_000,
        id: 42,
        start: 77,
        bytes_acked: 1,
        bytes_received: 2,
        last_sent: 50_000 - 2_500,
        last_received: 50_000 - 7_500,
        tgid: 4711,
        fd: 9,
        netns: 4_026_531_840,
        local_port: 9090,
        remote_port: 40_001,
        backlog: 0,
        max_backlog: 0,
        state: tcp::ESTABLISHED,
        reserved: [0; 3],
        local: v4_mapped([10, 0, 0, 1]),
        remote: v4_mapped([10, 0, 0, 2]),
        comm: *b"server\0\0\0\0\0\0\0\0\0\0",
    }
}

fn decoded(rows: &[HeldRow]) -> (Snapshot, u64) {
    let snapshot = decoded_bytes(rows.as_bytes()).unwrap();
    let untracked = snapshot.untracked;
    (snapshot, untracked)
}

fn decoded_bytes(rows: &[u8]) -> Result<Snapshot, DecodeError> {
    let mut snapshot = Snapshot::default();
    decode_rows(rows, Some(Hz(250)), &mut snapshot).map(|()| snapshot)
}

fn waiting_row() -> WaitingRow {
    WaitingRow {
        kind: kind::WAITING,
        last_sent: 50_000 - 1_000,
        id: 43,
        remote_port: 40_002,
        state: tcp::ESTABLISHED,
        reserved: [0; 5],
        local: v4_mapped([10, 0, 0, 1]),
        remote: v4_mapped([10, 0, 0, 3]),
    }
}

fn listening_row() -> HeldRow {
    HeldRow {
        state: tcp::LISTEN,
        backlog: 3,
        max_backlog: 128,
        id: 0,
        remote_port: 0,
        local: [0; 16],
        ..row()
    }
}

#[test]
fn every_field_arrives_where_it_belongs() {
    let (snapshot, untracked) = decoded(&[row()]);
    let expected = Held {
        id: ConnectionId(42),
        process: ProcessId {
            pid: 4711,
            start: Time(77),
        },
        comm: Comm::from("server"),
        fd: 9,
        netns: 4_026_531_840,
        local: "10.0.0.1:9090".parse().unwrap(),
        peer: "10.0.0.2:40001".parse().unwrap(),
        phase: Phase::Open,
        at: Time(1_000_000_000_000),
        age_at_least: Duration::from_millis(29_996),
        inode: 9999,
        idle: Duration::from_secs(10),
        sent: 1,
        received: 2,
    };
    assert_eq!(
        (snapshot.held, snapshot.listeners, untracked),
        (vec![expected], vec![], 0)
    );
}

#[test]
fn a_listener_tells_its_queue() {
    let listening = HeldRow {
        local: row().local,
        ..listening_row()
    };
    let (snapshot, untracked) = decoded(&[listening]);
    let expected = Listener {
        id: ListenerId(9999),
        comm: Comm::from("server"),
        at: Time(1_000_000_000_000),
        process: ProcessId {
            pid: 4711,
            start: Time(77),
        },
        netns: 4_026_531_840,
        local: "10.0.0.1:9090".parse().unwrap(),
        queued: 3,
        queue_limit: 128,
    };
    assert_eq!(
        (snapshot.held, snapshot.listeners, untracked),
        (vec![], vec![expected], 0)
    );
}

#[test]
fn what_waits_belongs_to_the_listener_before_it() {
    let given_up = WaitingRow {
        state: tcp::CLOSE_WAIT,
        id: 44,
        ..waiting_row()
    };
    let no_room = WaitingRow {
        id: 0,
        ..waiting_row()
    };
    let mut bytes = listening_row().as_bytes().to_vec();
    for row in [waiting_row(), given_up, no_room] {
        bytes.extend_from_slice(row.as_bytes());
    }
    let snapshot = decoded_bytes(&bytes).unwrap();
    let expected = Waiting {
        id: ConnectionId(43),
        listener: ListenerId(9999),
        local: "10.0.0.1:9090".parse().unwrap(),
        peer: "10.0.0.3:40002".parse().unwrap(),
        given_up: false,
        at: Time(1_000_000_000_000),
        waited: Duration::from_secs(4),
    };
    let given_up = Waiting {
        id: ConnectionId(44),
        given_up: true,
        ..expected
    };
    assert_eq!(snapshot.waiting, [expected, given_up]);
    assert_eq!((snapshot.listeners.len(), snapshot.untracked), (1, 1));
    assert_eq!(
        decoded_bytes(waiting_row().as_bytes()).unwrap_err(),
        DecodeError::Stray
    );
}

#[test]
fn a_process_tells_its_descriptors() {
    let process = ProcessRow {
        kind: kind::PROCESS,
        tgid: 4711,
        ts: 5,
        start: 77,
        limit: 1024,
        descriptors: 1000,
        sockets: 990,
        comm: *b"server\0\0\0\0\0\0\0\0\0\0",
    };
    let expected = Descriptors {
        process: ProcessId {
            pid: 4711,
            start: Time(77),
        },
        comm: Comm::from("server"),
        used: 1000,
        sockets: 990,
        limit: Some(1024),
        at: Time(5),
    };
    assert_eq!(decoded_bytes(process.as_bytes()).unwrap().descriptors, [expected]);
    let unlimited = ProcessRow {
        limit: u64::MAX,
        ..process
    };
    assert_eq!(
        decoded_bytes(unlimited.as_bytes()).unwrap().descriptors[0].limit,
        None
    );
    let unknown = ProcessRow { kind: 9, ..process };
    assert_eq!(
        decoded_bytes(unknown.as_bytes()).unwrap_err(),
        DecodeError::Row(9)
    );
}

#[test]
fn states_are_phases_of_the_holder() {
    for (state, phase) in [
        (tcp::SYN_SENT, Phase::Connecting),
        (tcp::CLOSE_WAIT, Phase::HalfClosedRemote),
        (tcp::FIN_WAIT2, Phase::HalfClosedLocal),
        (tcp::LAST_ACK, Phase::HalfClosedLocal),
        (tcp::CLOSE, Phase::DeadHeld),
    ] {
        assert_eq!(
            decoded(&[HeldRow { state, ..row() }]).0.held[0].phase,
            phase,
            "state {state}"
        );
    }
    let mut snapshot = Snapshot::default();
    let nonsense = HeldRow { state: 99, ..row() };
    assert_eq!(
        decode_rows(nonsense.as_bytes(), None, &mut snapshot),
        Err(DecodeError::State(99))
    );
}

#[test]
fn what_the_kernel_had_no_room_for_is_counted() {
    let (snapshot, untracked) = decoded(&[row(), HeldRow { id: 0, ..row() }]);
    assert_eq!((snapshot.held.len(), untracked), (1, 1));
}

#[test]
fn idle_times_wrap_with_jiffies_and_the_future_is_nothing() {
    let age = |row: HeldRow| decoded(&[row]).0.held[0].age_at_least;
    // 100 jiffies before the low half overflowed, 150 after.
    let wrapped = HeldRow {
        jiffies: (8 << 32) + 150,
        last_sent: 150,
        last_received: u32::MAX - 99,
        ..row()
    };
    assert_eq!(age(wrapped), Duration::from_millis(996), "at least: a jiffy less");
    let future = HeldRow {
        last_sent: 50_010,
        last_received: 50_020,
        ..row()
    };
    assert_eq!(age(future), Duration::ZERO);
}

#[test]
fn the_rate_of_jiffies_is_found_from_uptime() {
    for hz in [100, 250, 300, 1000_u32] {
        for seconds in [1, 60, 3600, 1_000_000_u64] {
            let jiffies = (1_u64 << 32) - 300 * u64::from(hz) + seconds * u64::from(hz) + u64::from(hz) / 2;
            let uptime = Duration::from_secs(seconds);
            assert_eq!(
                Hz::from_jiffies(jiffies, uptime),
                Some(Hz(hz)),
                "{hz} Hz after {seconds} s"
            );
        }
    }
    assert_eq!(
        Hz::from_jiffies(1 << 32, Duration::from_mins(5)),
        None,
        "every rate fits five minutes after boot"
    );
    assert_eq!(Hz::from_jiffies(0, Duration::from_hours(1)), None);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600), hz in any::<Option<u16>>()) {
        let hz = hz.filter(|hz| *hz > 0).map(|hz| Hz(hz.into()));
        let _ = decode_rows(&bytes, hz, &mut Snapshot::default());
        let _ = first_jiffies(&bytes);
    }

    #[test]
    fn a_row_that_is_cut_is_an_error(length in 1..size_of::<HeldRow>(), whole in 0..3_usize) {
        let rows = vec![row(); whole + 1];
        let cut = &rows.as_bytes()[..whole * size_of::<HeldRow>() + length];
        let error = decode_rows(cut, None, &mut Snapshot::default());
        let truncated = matches!(error, Err(DecodeError::Truncated { .. }));
        prop_assert!(truncated);
    }

    #[test]
    fn names_keep_their_bytes(comm in any::<[u8; COMM_LEN]>()) {
        prop_assert_eq!(decoded(&[HeldRow { comm, ..row() }]).0.held[0].comm, Comm::new(comm));
    }
}
