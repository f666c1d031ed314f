//! One connection, and the words for what it can be.

use std::{
    fmt,
    hash::{Hash, Hasher},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tracer_common::socket::direction;

use super::{fact::Life, stack::Opener, time::Time};

/// Identity of a connection: given by the kernel programs at open, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Identity of a process: a bare process id is reused, the pair is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId {
    /// Process id in the initial PID namespace; 0 stands for the kernel itself.
    pub pid: u32,
    /// Start of the process.
    pub start: Time,
}

impl ProcessId {
    /// Sockets that kernel threads opened.
    pub const KERNEL: Self = Self {
        pid: 0,
        start: Time(0),
    };
    /// All processes that found no place in a full table.
    pub const OTHER: Self = Self {
        pid: u32::MAX,
        start: Time(u64::MAX),
    };
}

/// Who started a connection, seen from the process that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The process connected.
    Outbound,
    /// The process accepted.
    Inbound,
}

impl Direction {
    /// The number used in records and globals.
    pub const fn number(self) -> u8 {
        match self {
            Self::Outbound => direction::OUTBOUND,
            Self::Inbound => direction::INBOUND,
        }
    }

    /// From that number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            direction::OUTBOUND => Some(Self::Outbound),
            direction::INBOUND => Some(Self::Inbound),
            _ => None,
        }
    }

    /// The word used in flags and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a connection is in its life, as the process that holds it sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// SYN sent, no answer yet.
    Connecting,
    /// The attempt failed with this errno; the socket is still held.
    Failed(u16),
    /// The kernel completed the handshake, no process has accepted it: counted for who listens.
    Unaccepted {
        /// Whether the client has closed or reset it meanwhile.
        given_up: bool,
    },
    /// Established, held.
    Open,
    /// The peer closed, we did not (`CLOSE_WAIT`).
    HalfClosedRemote,
    /// We shut down, the descriptor is still held.
    HalfClosedLocal,
    /// TCP state CLOSE, the descriptor is still held: invisible to `ss`.
    DeadHeld,
    /// The process let go; the kernel may linger.
    Released,
}

impl Phase {
    /// The word used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Failed(_) => "failed",
            Self::Unaccepted { .. } => "unaccepted",
            Self::Open => "open",
            Self::HalfClosedRemote => "half_closed_remote",
            Self::HalfClosedLocal => "half_closed_local",
            Self::DeadHeld => "dead_held",
            Self::Released => "released",
        }
    }

    /// Whether the process holds an established or once established connection.
    pub const fn is_held(self) -> bool {
        matches!(
            self,
            Self::Open | Self::HalfClosedRemote | Self::HalfClosedLocal | Self::DeadHeld
        )
    }
}

/// How many held connections are in which phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Open at both ends, as far as this end knows.
    pub open: u32,
    /// The peer closed, we did not.
    pub half_closed_remote: u32,
    /// We shut down, the descriptor is still held.
    pub half_closed_local: u32,
    /// TCP state CLOSE, the descriptor is still held.
    pub dead_held: u32,
}

impl Phases {
    /// Of so many connections.
    pub fn of(phases: impl Iterator<Item = Phase>) -> Self {
        let mut sum = Self::default();
        phases.for_each(|phase| sum.add(phase));
        sum
    }

    /// Counts one connection; only held ones count.
    pub fn add(&mut self, phase: Phase) {
        match phase {
            Phase::Open => self.open += 1,
            Phase::HalfClosedRemote => self.half_closed_remote += 1,
            Phase::HalfClosedLocal => self.half_closed_local += 1,
            Phase::DeadHeld => self.dead_held += 1,
            Phase::Connecting | Phase::Failed(_) | Phase::Unaccepted { .. } | Phase::Released => {}
        }
    }

    /// The phase that at least half of them are in.
    pub fn prevailing(&self) -> Option<Phase> {
        let Self {
            open,
            half_closed_remote,
            half_closed_local,
            dead_held,
        } = *self;
        let all = u64::from(open)
            + u64::from(half_closed_remote)
            + u64::from(half_closed_local)
            + u64::from(dead_held);
        [
            (dead_held, Phase::DeadHeld),
            (half_closed_remote, Phase::HalfClosedRemote),
            (half_closed_local, Phase::HalfClosedLocal),
            (open, Phase::Open),
        ]
        .into_iter()
        .find(|(count, _)| *count > 0 && u64::from(*count) * 2 >= all)
        .map(|(_, phase)| phase)
    }
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Where it is counted.
    pub group: GroupKey,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Who connected or accepted; the group's process is who holds it. `None` if nobody saw it open.
    pub opener: Option<ProcessId>,
    /// By which code it was opened.
    pub stack: Opener,
    /// Processes that hold it, as of the last snapshot.
    pub holders: u16,
    /// When it was opened: accepted, or established; while connecting, when the attempt began.
    pub opened: Time,
    /// It was there before anybody watched: it opened at that time or earlier.
    pub older: bool,
    /// Where it is.
    pub phase: Phase,
    /// When it got there.
    pub phase_since: Time,
    /// When it began to be held, and to be of no use.
    pub life: Life,
    /// What it carried; `None` if nobody told yet.
    pub traffic: Option<Traffic>,
}

/// What a connection carried: application bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Sent and acknowledged.
    pub sent: u64,
    /// Received.
    pub received: u64,
    /// When the last of them moved, give or take [`Traffic::EVERY`].
    pub last: Time,
    /// When this was noted.
    pub noted: Time,
}

impl Traffic {
    /// Changes are noted no more often than this.
    pub const EVERY: Duration = Duration::from_mins(1);
}

/// The peer of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// One address.
    Address(IpAddr),
    /// All addresses that found no place in a full table.
    Other,
}

/// Each event looks up a peer: a number is hashed much faster than what is derived, which hashes its bytes one by one.
impl Hash for Peer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Address(IpAddr::V4(address)) => state.write_u64(address.to_bits().into()),
            Self::Address(IpAddr::V6(address)) => state.write_u128(address.to_bits()),
            Self::Other => state.write_u64(u64::MAX),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Other => f.pad("other"),
        }
    }
}

/// What makes connections belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// The process that holds them.
    pub process: ProcessId,
    /// Who starts them.
    pub direction: Direction,
    /// The other end.
    pub peer: Peer,
    /// The server's port; 0, for any, where the peer is [`Peer::Other`].
    pub service_port: u16,
}

impl GroupKey {
    /// The same group without its process: a peer as the host sees it.
    pub const fn peer_key(self) -> PeerKey {
        PeerKey {
            direction: self.direction,
            peer: self.peer,
            service_port: self.service_port,
        }
    }
}

impl PeerKey {
    /// The connections of a process with this peer.
    pub const fn of_process(self, process: ProcessId) -> GroupKey {
        GroupKey {
            process,
            direction: self.direction,
            peer: self.peer,
            service_port: self.service_port,
        }
    }
}

/// A peer of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey {
    /// Who starts the connections.
    pub direction: Direction,
    /// The other end.
    pub peer: Peer,
    /// The server's port; 0, for any, where the peer is [`Peer::Other`].
    pub service_port: u16,
}
