//! Lines about connections.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Id, Nanos};

/// A process has a connection, or an attempt to get one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Opened<'a> {
    /// When it was accepted or established; when it was first seen, if it is pre-existing.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// It was that much earlier, in nanoseconds: it is told late.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub late: u64,
    /// Which.
    #[schemars(with = "String")]
    pub id: Id,
    /// The process.
    pub pid: u32,
    /// When that started.
    #[schemars(with = "u64")]
    pub start: Nanos,
    /// Who connected: `outbound` or `inbound`.
    pub direction: &'a str,
    /// This end.
    #[schemars(with = "String")]
    pub local: SocketAddr,
    /// The other end.
    #[schemars(with = "String")]
    pub peer: SocketAddr,
    /// Inode number of the network namespace.
    #[serde(skip_serializing_if = "super::is_unset")]
    pub netns: u32,
    /// Id of the stack that opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// Why that is not known; absent too where nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_stack: Option<&'static str>,
    /// It was there before anybody watched, or before this file.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub preexisting: bool,
    /// A pre-existing one is at least this old, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<u64>,
}

/// A connection waits to be accepted.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Unaccepted {
    /// When it was seen.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// It has waited that long already, in nanoseconds.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub late: u64,
    /// Which.
    #[schemars(with = "String")]
    pub id: Id,
    /// This end.
    #[schemars(with = "String")]
    pub local: SocketAddr,
    /// The other end.
    #[schemars(with = "String")]
    pub peer: SocketAddr,
    /// Inode number of the network namespace.
    #[serde(skip_serializing_if = "super::is_unset")]
    pub netns: u32,
    /// The process that listens.
    pub listener_pid: u32,
    /// When that started.
    #[schemars(with = "u64")]
    pub listener_start: Nanos,
}

/// Something happened to a connection.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Moment {
    /// When.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// It was that much earlier, in nanoseconds: it is told late.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub late: u64,
    /// To which.
    #[schemars(with = "String")]
    pub id: Id,
    /// How long the connection was open, at least, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<u64>,
}

/// What a connection has carried.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Activity {
    /// By then.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// Which.
    #[schemars(with = "String")]
    pub id: Id,
    /// Application bytes sent.
    pub sent: u64,
    /// Application bytes received.
    pub received: u64,
    /// Nanoseconds since the last of them moved.
    pub idle: u64,
}

/// Who holds a connection.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Holders {
    /// When.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// It was noticed that much earlier, in nanoseconds.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub late: u64,
    /// Which.
    #[schemars(with = "String")]
    pub id: Id,
    /// The processes, each as `[pid, start]`.
    #[schemars(with = "Vec<(u32, u64)>")]
    pub pids: Vec<(u32, Nanos)>,
}

/// An attempt to connect failed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConnectFailed {
    /// When.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// It was that much earlier, in nanoseconds: it is told late.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub late: u64,
    /// The attempt of a `connecting` line: its socket is held until it is `released`.
    #[schemars(with = "String")]
    pub id: Id,
    /// Whose.
    pub pid: u32,
    /// When that started.
    #[schemars(with = "u64")]
    pub start: Nanos,
    /// Towards whom.
    #[schemars(with = "String")]
    pub peer: SocketAddr,
    /// Why: an errno, 0 if unknown.
    pub error: u16,
}
