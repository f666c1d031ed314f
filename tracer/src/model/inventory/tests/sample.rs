//! Rows of snapshots, each with what matters to a test.

use std::time::Duration;

use crate::model::{
    connection::{ConnectionId, Phase, ProcessId},
    name::Comm,
    snapshot::{Descriptors, Held, Listener, ListenerId, Snapshot, Waiting},
    time::Time,
};

/// When the snapshots were read: two hours after boot.
pub(crate) const NOW: Time = Time(7_200_000_000_000);

/// A network namespace.
pub(crate) const HOME: u32 = 4_026_531_840;

/// A program with one process.
pub(crate) type Program = (u32, &'static str);

pub(crate) const SERVER: Program = (20, "grpc-server");
pub(crate) const CLIENT: Program = (10, "controller");
pub(crate) const CHILD: Program = (11, "worker");

pub(crate) fn process((pid, _): Program) -> ProcessId {
    ProcessId { pid, start: Time(77) }
}

/// A descriptor that holds a connection a minute old, idle for a second.
pub(crate) fn held(id: u64, program: Program, fd: u32, local: &str, peer: &str) -> Held {
    Held {
        id: ConnectionId(id),
        process: process(program),
        comm: Comm::from(program.1),
        fd,
        inode: 1000 + id,
        netns: HOME,
        local: local.parse().unwrap(),
        peer: peer.parse().unwrap(),
        phase: Phase::Open,
        at: NOW,
        age_at_least: Duration::from_mins(1),
        idle: Duration::from_secs(1),
        sent: 10,
        received: 20,
    }
}

/// A listening socket with an empty queue.
pub(crate) fn listener(id: u64, program: Program, local: &str) -> Listener {
    Listener {
        id: ListenerId(id),
        process: process(program),
        comm: Comm::from(program.1),
        netns: HOME,
        local: local.parse().unwrap(),
        queued: 0,
        queue_limit: 128,
        at: NOW,
    }
}

/// A connection that has waited for five seconds.
pub(crate) fn waiting(id: u64, listener: u64, local: &str, peer: &str) -> Waiting {
    Waiting {
        id: ConnectionId(id),
        listener: ListenerId(listener),
        local: local.parse().unwrap(),
        peer: peer.parse().unwrap(),
        given_up: false,
        at: NOW,
        waited: Duration::from_secs(5),
    }
}

/// A descriptor table with room for 64.
pub(crate) fn descriptors(program: Program, used: u32) -> Descriptors {
    Descriptors {
        process: process(program),
        comm: Comm::from(program.1),
        used,
        sockets: used / 2,
        limit: Some(64),
        at: NOW,
    }
}

/// A server at its descriptor limit, and a client that leaks; `sshd` is idle.
pub(crate) fn incident() -> Snapshot {
    let server = |id, fd, port: u16| {
        let peer = format!("10.0.0.9:{port}");
        held(id, SERVER, fd, "10.0.0.1:9090", &peer)
    };
    let client = |id, fd, port: u16| {
        let local = format!("10.0.0.1:{port}");
        held(id, CLIENT, fd, &local, "10.0.0.7:5432")
    };
    Snapshot {
        began: NOW,
        held: vec![
            server(1, 7, 40_001),
            Held {
                age_at_least: Duration::from_secs(4000),
                idle: Duration::from_secs(3990),
                ..server(2, 8, 40_002)
            },
            Held {
                phase: Phase::HalfClosedRemote,
                ..server(3, 9, 40_003)
            },
            client(4, 5, 50_001),
            // Duplicated, and inherited by a child.
            client(5, 6, 50_002),
            client(5, 7, 50_002),
            held(5, CHILD, 6, "10.0.0.1:50002", "10.0.0.7:5432"),
            Held {
                phase: Phase::DeadHeld,
                idle: Duration::from_secs(50),
                ..client(6, 8, 50_003)
            },
            Held {
                phase: Phase::Connecting,
                age_at_least: Duration::ZERO,
                ..client(7, 9, 50_004)
            },
        ],
        waiting: vec![
            waiting(8, 700, "10.0.0.1:9090", "10.0.0.9:40004"),
            Waiting {
                given_up: true,
                waited: Duration::from_secs(3),
                ..waiting(9, 700, "10.0.0.1:9090", "10.0.0.8:40005")
            },
        ],
        listeners: vec![
            Listener {
                queued: 2,
                ..listener(700, SERVER, "[::]:9090")
            },
            listener(701, (1, "sshd"), "0.0.0.0:22"),
        ],
        descriptors: vec![descriptors(SERVER, 64), descriptors(CLIENT, 12)],
        ..Snapshot::default()
    }
}
