//! A server that does not accept.

use schemars::JsonSchema;
use serde::Serialize;

use super::{AlertStatus, Confidence, Descriptors, Direction, Process, Resolution};

/// A server that does not accept: its clients see connect succeed and then time out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Stall {
    /// Identity of the finding, the same in all its lines.
    pub id: String,
    /// Why it is told now.
    pub status: AlertStatus,
    /// The process that holds the listening socket; of several, the one with the lowest id.
    pub process: Process,
    /// Processes that hold it.
    pub holders: u32,
    /// Of these, those at their descriptor limit.
    pub holders_at_limit: u32,
    /// Whether all that accept are, as far as their tables are known: then accept fails with `EMFILE`.
    pub at_limit: bool,
    /// The process's descriptors; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<Descriptors>,
    /// Where most of the connections lead that the process holds, the most first.
    pub held: Vec<HeldGroup>,
    /// Inode number of the listening socket: the one in `/proc/PID/fd` and in `ss -e`.
    pub listener: u64,
    /// Where it listens: address and port.
    pub local: String,
    /// Inode number of its network namespace.
    pub netns: u32,
    /// Connections that wait to be accepted.
    pub queued: u32,
    /// The most that waited since the finding opened.
    pub peak: u32,
    /// How many may wait; one more, and the kernel lets nobody else in. Absent if a recording does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_limit: Option<u32>,
    /// Whether it does not.
    pub queue_full: bool,
    /// Seconds that the first connection in the queue has waited; 0 if nobody waits.
    pub oldest_wait_seconds: f64,
    /// Seconds between the first and the last snapshot in which the same connection was the first: at least that long
    /// nothing was accepted.
    pub stuck_seconds: f64,
    /// Connections of the queue that were looked at, from its head.
    pub examined: u32,
    /// Of these, those whose client has closed or reset them.
    pub given_up: u32,
    /// Who sent most of these, the most first.
    pub peers: Vec<Sender>,
    /// Of these, those of peers not named.
    pub elsewhere: u32,
    /// When the connection began to wait that was the first as the finding opened, RFC 3339, UTC.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// Why it is resolved; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// What the finding is worth.
    pub confidence: Confidence,
    /// What it means.
    pub meaning: String,
    /// What to do next.
    pub advice: String,
}

/// Connections of one process that belong together.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HeldGroup {
    /// Who starts them, seen from the process.
    pub direction: Direction,
    /// The other end: an address, or `other` for what did not fit the tables.
    pub peer: String,
    /// The server's port; 0, for any, where the peer is `other`.
    pub service_port: u16,
    /// Connections open.
    pub open: u32,
}

/// Who waits.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Sender {
    /// The address.
    pub peer: String,
    /// Connections from there.
    pub waiting: u32,
}
