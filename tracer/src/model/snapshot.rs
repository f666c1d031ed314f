//! Who holds what now, as read from the kernel's descriptor tables at one moment.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use super::{
    connection::{ConnectionId, Direction, Phase, ProcessId},
    name::Comm,
    time::Time,
};

/// Everything that was read in one pass.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When the pass began. What opened later may be missing from it.
    pub began: Time,
    /// Held connections, one entry per descriptor.
    pub held: Vec<Held>,
    /// Connections that wait to be accepted, in the order of each listener's queue, the oldest first. Of a long queue
    /// only the head is told: [`Listener::queued`] says how long it is.
    pub waiting: Vec<Waiting>,
    /// Listening sockets, one entry per descriptor.
    pub listeners: Vec<Listener>,
    /// Descriptor tables of the processes that hold any of these.
    pub descriptors: Vec<Descriptors>,
    /// Connections that the kernel side's table had no room for: they are in none of the lists.
    pub untracked: u64,
    /// Held sockets without a remote port that were seen connecting: their attempts failed. `None` if the source of the
    /// snapshot does not show such.
    pub failed: Option<Vec<ConnectionId>>,
    /// Connections of which the source of the snapshot cannot say whether anybody holds them.
    pub undecided: Vec<ConnectionId>,
}

/// A descriptor that holds a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The connection.
    pub id: ConnectionId,
    /// Who holds it.
    pub process: ProcessId,
    /// That process's name.
    pub comm: Comm,
    /// The descriptor.
    pub fd: u32,
    /// Inode number of the socket: the one in `/proc/PID/fd` and in `ss -e`.
    pub inode: u64,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// Where it is in its life; never [`Phase::Unaccepted`].
    pub phase: Phase,
    /// When the row was written.
    pub at: Time,
    /// The connection is at least this old: nothing in the kernel says when it opened, but it has been idle that long.
    pub age_at_least: Duration,
    /// Since application data was last sent or received.
    pub idle: Duration,
    /// Application bytes sent and acknowledged so far.
    pub sent: u64,
    /// Application bytes received so far.
    pub received: u64,
}

/// A connection that the kernel completed and no process has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The connection.
    pub id: ConnectionId,
    /// In whose queue.
    pub listener: ListenerId,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// Whether the client has closed or reset it: it would find nobody if it were accepted now.
    pub given_up: bool,
    /// When the row was written.
    pub at: Time,
    /// How long it has waited.
    pub waited: Duration,
}

/// Identity of a listening socket: its inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u64);

/// A descriptor that holds a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The socket: several processes may hold the same one.
    pub id: ListenerId,
    /// Who holds it.
    pub process: ProcessId,
    /// That process's name.
    pub comm: Comm,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Where it listens.
    pub local: SocketAddr,
    /// Connections that wait to be accepted.
    pub queued: u32,
    /// How many may wait.
    pub queue_limit: u32,
    /// When the row was written.
    pub at: Time,
}

/// The descriptor table of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// Whose.
    pub process: ProcessId,
    /// That process's name.
    pub comm: Comm,
    /// Descriptors in use.
    pub used: u32,
    /// Of these, TCP sockets: connections and listeners.
    pub sockets: u32,
    /// Soft limit (`RLIMIT_NOFILE`); `None` if unknown or unlimited.
    pub limit: Option<u64>,
    /// When they were counted.
    pub at: Time,
}

/// What a reconciliation changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Connections that the ledger knew and the snapshot confirmed.
    pub confirmed: u64,
    /// Connections that the ledger did not know.
    pub added: u64,
    /// Connections that the ledger held open, and no descriptor in two snapshots.
    pub ended: u64,
    /// Connections that went to another process.
    pub moved: u64,
    /// Connections that this snapshot misses: the next one decides, and should come soon.
    pub missing: u64,
}

/// Tells who started connections that were there before anybody watched.
pub struct Directions(HashSet<(u32, SocketAddr)>);

impl Snapshot {
    /// By who listens where.
    pub fn directions(&self) -> Directions {
        Directions(
            self.listeners
                .iter()
                .map(|listener| (listener.netns, listener.local))
                .collect(),
        )
    }
}

impl Directions {
    /// Inbound if somebody listens at the connection's local address and port in its namespace, else outbound. (The
    /// connections of a server that closed its listener are mistaken for a client's.)
    pub fn of(&self, held: &Held) -> Direction {
        let (address, port) = (held.local.ip(), held.local.port());
        let listens = |at: IpAddr| self.0.contains(&(held.netns, SocketAddr::new(at, port)));
        // The IPv6 wildcard takes IPv4, too.
        let wildcards = match address {
            IpAddr::V4(_) => [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            IpAddr::V6(_) => [IpAddr::from(Ipv6Addr::UNSPECIFIED); 2],
        };
        if listens(address) || wildcards.into_iter().any(listens) {
            Direction::Inbound
        } else {
            Direction::Outbound
        }
    }
}
