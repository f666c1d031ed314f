//! Who talks to whom: processes and peers, each pair of which is a group.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tracer::model::{
    connection::{ConnectionId, Direction, Phase, ProcessId},
    event::Opening,
    name::Comm,
    snapshot::{Descriptors, Held, Snapshot},
    stack::StackId,
    time::Time,
};
use tracer_common::stack::FIRST_ID;

/// When the tracer comes: a boot some days ago.
pub const BEGIN: Time = Time(1_000_000_000_000_000);
/// Soft limit of descriptors: far away, so that nothing is accused.
const LIMIT: u64 = 1 << 40;
const HERE: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

/// The groups: group `g` is of process `g % processes` and peer `g / processes`.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Processes.
    pub processes: u32,
    /// Peers of each.
    pub peers: u32,
}

impl World {
    /// How many groups there are.
    pub const fn groups(self) -> u32 {
        self.processes * self.peers
    }

    /// The process of a group.
    pub fn process(self, group: u32) -> ProcessId {
        let number = group % self.processes;
        ProcessId {
            pid: 1000 + number,
            start: Time(u64::from(number) * 10_000_000),
        }
    }

    /// The peer of a group.
    pub fn peer(self, group: u32) -> SocketAddr {
        let [_, a, b, c] = (group / self.processes).to_be_bytes();
        SocketAddr::from((Ipv4Addr::new(10, a, b, c), 443))
    }

    /// How the connection of that number opens.
    pub fn opening(self, group: u32, number: u64) -> Opening {
        Opening {
            process: self.process(group),
            comm: Comm::from("worker"),
            direction: Direction::Outbound,
            connecting: false,
            local: SocketAddr::new(IpAddr::V4(HERE), port(number)),
            peer: self.peer(group),
            netns: 4_026_531_840,
            stack: self.stack(group).into(),
        }
    }

    /// The stack that opens all connections of a process.
    pub fn stack(self, group: u32) -> StackId {
        StackId(FIRST_ID + u64::from(self.process(group).pid))
    }

    /// What a snapshot shows: so many idle connections, dealt out to the groups in turn.
    pub fn snapshot(self, connections: u64, began: Time, age: Duration) -> Snapshot {
        let groups = u64::from(self.groups());
        let held = (0..connections)
            .map(|number| self.held(u32::try_from(number % groups).unwrap_or(0), number, began, age));
        let descriptors = (0..self.processes).map(|process| Descriptors {
            process: self.process(process),
            comm: Comm::from("worker"),
            used: u32::try_from(connections / u64::from(self.processes) + 4).unwrap_or(u32::MAX),
            sockets: u32::try_from(connections / u64::from(self.processes)).unwrap_or(u32::MAX),
            limit: Some(LIMIT),
            at: began,
        });
        Snapshot {
            began,
            held: held.collect(),
            descriptors: descriptors.collect(),
            ..Snapshot::default()
        }
    }

    fn held(self, group: u32, number: u64, at: Time, age: Duration) -> Held {
        let opening = self.opening(group, number);
        Held {
            id: ConnectionId(number + 1),
            process: opening.process,
            comm: opening.comm,
            fd: u32::try_from(number % 1_000_000).unwrap_or(0),
            inode: number,
            netns: opening.netns,
            local: opening.local,
            peer: opening.peer,
            phase: Phase::Open,
            at,
            age_at_least: age,
            idle: age,
            sent: 100,
            received: 10_000,
        }
    }
}

/// An ephemeral port.
pub fn port(number: u64) -> u16 {
    u16::try_from(32_768 + number % 28_000).unwrap_or(0)
}
