//! What `tracer list` found.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Books, Descriptors, Direction, Process,
    code::{Reason, Stack},
};

/// A connection that is open now.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ListedConnection {
    /// Who started it.
    pub direction: Direction,
    /// This end: address and port.
    pub local: String,
    /// The other end: address and port.
    pub peer: String,
    /// The server's port.
    pub service_port: u16,
    /// Inode number of its network namespace; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<u32>,
    /// Where it is in its life.
    pub phase: PhaseName,
    /// Whether the client has closed or reset it; only of an `unaccepted` one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_up: Option<bool>,
    /// Inode number of the listening socket that it came through; absent if it is outbound, or that could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<u64>,
    /// Inode number of its socket: the one in `/proc/PID/fd` and in `ss -e`; absent while it is unaccepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// It is at least so many seconds old. No upper bound is given: it may be older than the process that holds it,
    /// after a fork or when its descriptor was passed on.
    pub age_at_least_seconds: f64,
    /// Seconds since application data was last sent or received; absent while it is unaccepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<f64>,
    /// Application bytes sent and acknowledged, a decimal string; absent while it is unaccepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub sent_bytes: Option<String>,
    /// Application bytes received, a decimal string; absent while it is unaccepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub received_bytes: Option<String>,
    /// The descriptors that hold it; while it is unaccepted, those who listen.
    pub holders: Vec<Holder>,
    /// Holders not named.
    pub holders_hidden: u64,
}

/// A descriptor that holds a connection.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Holder {
    /// Of which process.
    pub process: Process,
    /// Its number; absent for a process that listens and has not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd: Option<u32>,
}

/// Connections that belong together.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ListedGroup {
    /// What they have in common.
    #[serde(flatten)]
    pub key: ListedKey,
    /// How many there are.
    pub connections: u64,
    /// The same by phase.
    pub phases: PhaseCounts,
    /// Their ages; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_at_least: Option<AgeBounds>,
    /// How long they have been idle; absent if nobody holds any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<IdleRange>,
    /// Inode numbers of their network namespaces, the lowest first.
    pub netns: Vec<u32>,
    /// Network namespaces not named.
    pub netns_hidden: u64,
    /// Who holds them, most first. What several processes hold is counted for each.
    pub holders: Vec<HolderCount>,
    /// Holders not named.
    pub holders_hidden: u64,
}

/// What the connections of a group have in common.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum ListedKey {
    /// The other end.
    Peer {
        /// Who starts them, seen from this host.
        direction: Direction,
        /// The other end's address.
        peer: String,
        /// The server's port.
        service_port: u16,
    },
    /// Who holds them.
    Process {
        /// Which.
        process: Process,
        /// Its descriptors; absent if unknown.
        #[serde(skip_serializing_if = "Option::is_none")]
        descriptors: Option<Descriptors>,
    },
    /// Where they are in their lives.
    State {
        /// The phase.
        phase: PhaseName,
    },
    /// The listening socket that they came through.
    Listener {
        /// Which; absent for unaccepted ones whose listening socket was not read.
        #[serde(skip_serializing_if = "Option::is_none")]
        listener: Option<ListedListener>,
    },
}

/// A listening socket.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ListedListener {
    /// Inode number of the socket: the one in `/proc/PID/fd` and in `ss -e`.
    pub inode: u64,
    /// Where it listens: address and port.
    pub local: String,
    /// Inode number of its network namespace.
    pub netns: u32,
    /// The processes that hold it, the one with the lowest id first.
    pub processes: Vec<Process>,
    /// Processes not named.
    pub processes_hidden: u64,
    /// Connections that wait to be accepted.
    pub queued: u32,
    /// How many may wait; one more, and the kernel lets nobody else in.
    pub queue_limit: u32,
    /// Seconds that the one has waited that waits longest; absent if nobody waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_wait_seconds: Option<f64>,
}

/// Who holds how many.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HolderCount {
    /// Who.
    pub process: Process,
    /// How many; while they are unaccepted, for how many it listens.
    pub connections: u32,
}

/// A phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// SYN sent, no answer yet.
    Connecting,
    /// Handshake done, not accepted.
    Unaccepted,
    /// Open at both ends, as far as this end knows.
    Open,
    /// The peer closed, the process did not (`CLOSE_WAIT`).
    HalfClosedRemote,
    /// The process shut down, and still holds the descriptor.
    HalfClosedLocal,
    /// Reset or timed out, and the process still holds the descriptor: `ss` does not show these.
    DeadHeld,
}

/// How many connections are in which phase.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct PhaseCounts {
    /// SYN sent, no answer yet.
    pub connecting: u32,
    /// Handshake done, not accepted.
    pub unaccepted: u32,
    /// Of these, closed or reset by the client.
    pub given_up: u32,
    /// Open at both ends, as far as this end knows.
    pub open: u32,
    /// The peer closed, the process did not (`CLOSE_WAIT`).
    pub half_closed_remote: u32,
    /// The process shut down, and still holds the descriptor.
    pub half_closed_local: u32,
    /// Reset or timed out, and the process still holds the descriptor: `ss` does not show these.
    pub dead_held: u32,
}

/// Lower bounds of ages, in seconds.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct AgeBounds {
    /// Of the oldest.
    pub oldest: f64,
    /// Half are younger, as far as the bounds tell.
    pub median: f64,
}

/// Idle times, in seconds.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct IdleRange {
    /// The shortest.
    pub least: f64,
    /// The longest.
    pub most: f64,
}

/// The end of a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ListSummary {
    /// Connections that the filters let through.
    pub connections: u64,
    /// The same by phase.
    pub phases: PhaseCounts,
    /// Listening sockets that they let through.
    pub listeners: u64,
    /// Rows that `--rows` keeps back.
    pub rows_hidden: u64,
    /// Left out: connections for which the table had no room, whether the filters would let them through or not.
    pub untracked: u64,
    /// Left out: connections of which it cannot be said whether anybody holds them.
    pub undecided: u64,
    /// Left out: unaccepted connections far back in the queues of these listening sockets.
    pub unread_unaccepted: u64,
    /// How it was read: `iterator`, through a BPF iterator over all descriptor tables; `sock_diag`, through that and
    /// `/proc`.
    pub source: String,
    /// What cannot be seen that way; empty if nothing.
    pub degraded: Vec<String>,
}

/// Connections that the same code of a process has opened while the tracer watched, and that are still open.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ListedStack {
    /// Who holds them.
    pub process: Process,
    /// How many.
    pub connections: u32,
    /// Where they lead, if all lead there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<StackPeer>,
    /// The stack, the system call first; absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<Stack>,
    /// Why it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Reason>,
}

/// Where connections lead.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StackPeer {
    /// Who started them.
    pub direction: Direction,
    /// The remote address.
    pub peer: String,
    /// The server's port.
    pub service_port: u16,
}

/// What `tracer list --by stack` saw in all.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StackSummary {
    /// How long it watched.
    pub seconds: f64,
    /// Connections that are open.
    pub connections: u32,
    /// Of these, the ones that were open before.
    pub opened_before: u32,
    /// Rows that `--rows` keeps back.
    pub rows_hidden: u64,
    /// What these hooks do not see, or see late; empty if nothing.
    pub degraded: Vec<String>,
    /// What was counted, and lost.
    pub books: Books,
}
