use std::time::Duration;

use proptest::prelude::*;
use tracer_common::{
    event::COMM_LEN,
    snapshot::HeldRow,
    socket::{tcp, v4_mapped},
};
use zerocopy::IntoBytes as _;

use super::{Hz, decode_rows, first_jiffies};
use crate::{
    ingest::decode::DecodeError,
    model::{
        connection::{ConnectionId, Phase, ProcessId},
        name::Comm,
        snapshot::{Held, Listener, ListenerId, Snapshot},
        time::Time,
    },
};

fn row() -> HeldRow {
    HeldRow {
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
        reserved: [0; 7],
        local: v4_mapped([10, 0, 0, 1]),
        remote: v4_mapped([10, 0, 0, 2]),
        comm: *b"server\0\0\0\0\0\0\0\0\0\0",
    }
}

fn decoded(rows: &[HeldRow]) -> (Snapshot, u64) {
    let mut snapshot = Snapshot::default();
    let untracked = decode_rows(rows.as_bytes(), Some(Hz(250)), &mut snapshot).unwrap();
    (snapshot, untracked)
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
        age_at_least: Duration::from_secs(30),
        inode: 0,
        idle: Duration::ZERO,
        sent: 0,
        received: 0,
    };
    assert_eq!(
        (snapshot.held, snapshot.listeners, untracked),
        (vec![expected], vec![], 0)
    );
}

#[test]
fn a_listener_tells_its_queue() {
    let listening = HeldRow {
        state: tcp::LISTEN,
        backlog: 3,
        max_backlog: 128,
        id: 0,
        remote_port: 0,
        ..row()
    };
    let (snapshot, untracked) = decoded(&[listening]);
    let expected = Listener {
        id: ListenerId(0),
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
    assert_eq!(age(wrapped), Duration::from_secs(1));
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
