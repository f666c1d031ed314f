//! The table: counts per process and per peer.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Direction, Process};

/// The counts per process and per peer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Table {
    /// The processes with the most open connections.
    pub processes: Vec<ProcessRow>,
    /// Processes not shown.
    pub processes_hidden: u64,
    /// The peers with the most open connections.
    pub peers: Vec<PeerRow>,
    /// Peers not shown.
    pub peers_hidden: u64,
    /// The sum over everything.
    pub total: Totals,
}

/// A process's line of a table.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProcessRow {
    /// Which.
    pub process: Process,
    /// Its descriptors; absent if they could not be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<Descriptors>,
    /// Its counts.
    #[serde(flatten)]
    pub counts: Counts,
}

/// The descriptor table of a process.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Descriptors {
    /// In use.
    pub used: u32,
    /// Of these, TCP sockets.
    pub sockets: u32,
    /// Soft limit (`RLIMIT_NOFILE`); absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Seconds until the limit is reached if the use grows on as in the last minutes; absent if it does not grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lasts_seconds: Option<f64>,
}

/// Use of the ephemeral ports (`net.ipv4.ip_local_port_range`) for one destination.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Ports {
    /// Taken by connections that are open or under way.
    pub used: u32,
    /// How many there are in the tracer's network namespace.
    pub available: u32,
    /// Seconds until all are taken if their number grows on as in the last minute; absent if it does not grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lasts_seconds: Option<f64>,
}

/// A peer's line of a table.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PeerRow {
    /// Who starts the connections, seen from this host.
    pub direction: Direction,
    /// The other end.
    pub peer: String,
    /// The server's port; 0, for any, where the peer is `other`.
    pub service_port: u16,
    /// Local ports that connections to this destination take; absent for inbound ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Ports>,
    /// Its counts.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Counts of one line.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Counts {
    /// Counts since the tracer started.
    #[serde(flatten)]
    pub totals: Totals,
    /// Opened in the last minute.
    pub opened_per_minute: u32,
    /// Closed in the last minute.
    pub closed_per_minute: u32,
    /// Ages of what is open, in seconds; absent if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_age: Option<AgeQuantiles>,
    /// Lifetimes of what closed, in seconds, within 2 %; absent if nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<LifetimeQuantiles>,
    /// Failed attempts by errno; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failures>,
    /// Where the number of open ones is going, by the openings and closes of the last minutes. No verdict.
    pub state: State,
}

/// Where the number of open connections is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is known for less than a minute, and does not shrink.
    WarmingUp,
    /// More open than close.
    Growing,
    /// As many open as close, or nothing happens.
    Steady,
    /// More close than open.
    Draining,
}

/// Ages, in seconds.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct AgeQuantiles {
    /// Of the oldest.
    pub oldest: f64,
    /// Half are younger.
    pub median: f64,
    /// Nine of ten are younger.
    pub p90: f64,
    /// Whether the ages are lower bounds: some of these connections are older than the tracer.
    pub at_least: bool,
}

/// Lifetimes, in seconds.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct LifetimeQuantiles {
    /// Half were shorter.
    pub median: f64,
    /// Nine of ten were shorter.
    pub p90: f64,
}

/// Counts. `opened + older + received = open + closed + given`.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Totals {
    /// Held now by a process: connected, half closed or dead.
    pub open: u32,
    /// Of these, closed by the peer only (`CLOSE_WAIT`).
    pub half_closed_remote: u32,
    /// Of these, shut down by the process, which keeps the descriptor.
    pub half_closed_local: u32,
    /// Of these, reset or timed out, while the process keeps the descriptor: `ss` does not show them.
    pub dead_held: u32,
    /// Attempts under way.
    pub connecting: u32,
    /// Completed by the kernel and not accepted by any process, as of the last comparison with the kernel's tables.
    pub unaccepted: u32,
    /// Opened since the tracer started.
    pub opened: u64,
    /// Found open by a snapshot: opened before the tracer started, or while it missed it.
    pub older: u64,
    /// Closed since the tracer started.
    pub closed: u64,
    /// Open ones that came from another process (`fork`, or passed on through a UNIX socket).
    pub received: u64,
    /// Open ones that went to another process.
    pub given: u64,
    /// Attempts that failed.
    pub failed: u64,
}

/// Failed attempts with one errno.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Failures {
    /// The errno; 0 for attempts that the process gave up.
    pub errno: u16,
    /// Its name, like `ECONNREFUSED`; absent if it has none here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    /// How many.
    pub count: u64,
}
