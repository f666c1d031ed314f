//! Lines about the kernel's tables, and about what was lost on the way.

use std::{collections::BTreeMap, net::SocketAddr};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Id, Nanos};

/// A listening socket.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listener<'a> {
    /// When it was read, as a time of this format.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// It was read that much earlier, in nanoseconds.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub late: u64,
    /// Its inode number.
    #[serde(serialize_with = "super::as_text")]
    #[schemars(with = "String")]
    pub socket: u64,
    /// Where it listens.
    #[schemars(with = "String")]
    pub local: SocketAddr,
    /// Inode number of the network namespace.
    #[serde(skip_serializing_if = "super::is_unset")]
    pub netns: u32,
    /// Who holds it, each as `[pid, start]`: first those who accept.
    #[schemars(with = "Vec<(u32, u64)>")]
    pub pids: Vec<(u32, Nanos)>,
    /// How many of these hold connections of this port.
    pub acceptors: usize,
    /// Connections that wait.
    pub queued: u32,
    /// How many may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The head of the queue.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub waiting: &'a [InQueue],
}

/// A connection in a queue.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InQueue {
    /// Which.
    #[schemars(with = "String")]
    pub id: Id,
    /// The other end.
    #[schemars(with = "String")]
    pub peer: SocketAddr,
    /// Since when it waits.
    #[schemars(with = "u64")]
    pub since: Nanos,
    /// How long it had waited when it was read, in nanoseconds.
    pub waited: u64,
    /// Its client has gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

/// The books were compared with the kernel's tables.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reconciled {
    /// When.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// Open connections that were confirmed.
    pub open: u64,
    /// Connections that were not known.
    pub added: u64,
    /// Connections that nobody held any more.
    pub ended: u64,
    /// Connections that went to another process.
    pub moved: u64,
    /// Events that had been lost by then.
    pub lost: u64,
    /// Since the one before, all descriptor tables, listening sockets and missing connections were told.
    pub complete: bool,
    /// What connections carry is told: one of which nothing is told carries nothing.
    pub traffic: bool,
}

/// Events were lost.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Loss<'a> {
    /// When that was noticed.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// How many.
    pub count: u64,
    /// Why; `recording`: lines of this recording could not be written.
    pub cause: &'a str,
    /// Since when they may be missing.
    #[schemars(with = "u64")]
    pub since: Nanos,
}

/// What was counted.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Books {
    /// When.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// The counts, as in the `summary` of the JSON output.
    pub counts: BTreeMap<&'static str, u64>,
}
