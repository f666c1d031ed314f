//! The lines of a recording that a world needs.

use std::net::SocketAddr;

use serde::{Serialize, Serializer};
use tracer::model::connection::{ConnectionId, Direction, ProcessId};

/// A line.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line<'a> {
    /// The first.
    Header {
        /// Version of the format.
        v: u64,
        /// When the recording begins.
        ts: u64,
        /// That moment by the calendar.
        wall: &'a str,
        /// The machine.
        host: &'a str,
        /// Who saw it.
        backend: &'a str,
    },
    /// What is known of a process.
    Process {
        /// Since when.
        ts: u64,
        /// Which.
        #[serde(flatten)]
        process: Which,
        /// Its name.
        comm: &'a str,
        /// Soft limit of descriptors.
        nofile: u64,
        /// Descriptors in use.
        fds: u32,
    },
    /// A process is gone.
    ProcessExit {
        /// Since when.
        ts: u64,
        /// Which.
        #[serde(flatten)]
        process: Which,
    },
    /// A process has a connection.
    Opened {
        /// When it opened, or was found.
        ts: u64,
        /// Which.
        #[serde(serialize_with = "as_string")]
        id: ConnectionId,
        /// Whose.
        #[serde(flatten)]
        process: Which,
        /// Who connected.
        direction: &'static str,
        /// This end.
        local: SocketAddr,
        /// The other end.
        peer: SocketAddr,
        /// Network namespace.
        netns: u32,
        /// It was found.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        preexisting: bool,
    },
    /// A connection waits to be accepted.
    Unaccepted {
        /// Since when.
        ts: u64,
        /// Which.
        #[serde(serialize_with = "as_string")]
        id: ConnectionId,
        /// This end.
        local: SocketAddr,
        /// The other end.
        peer: SocketAddr,
        /// Network namespace.
        netns: u32,
        /// Who listens.
        listener_pid: u32,
        /// When that process started.
        listener_start: u64,
    },
    /// The peer closed.
    HalfClosedRemote(At),
    /// It was reset, and is still held.
    DeadHeld(At),
    /// What it has carried.
    Activity {
        /// By then.
        ts: u64,
        /// Which.
        #[serde(serialize_with = "as_string")]
        id: ConnectionId,
        /// Bytes sent.
        sent: u64,
        /// Bytes received.
        received: u64,
        /// Nanoseconds since the last of them.
        idle: u64,
    },
    /// The process let go.
    Released(At),
    /// An attempt to connect failed.
    ConnectFailed {
        /// When.
        ts: u64,
        /// Whose.
        #[serde(flatten)]
        process: Which,
        /// To whom.
        peer: SocketAddr,
        /// Why: an errno, 0 if it was given up.
        error: u16,
    },
    /// The tables were read.
    Reconciled {
        /// When.
        ts: u64,
        /// So many connections are held.
        open: usize,
    },
    /// Time has passed.
    Tick {
        /// Until then.
        ts: u64,
    },
}

/// A process.
#[derive(Clone, Copy, Serialize)]
pub struct Which {
    pid: u32,
    start: u64,
}

/// Something happens to a connection.
#[derive(Serialize)]
pub struct At {
    /// When.
    pub ts: u64,
    /// To which.
    #[serde(serialize_with = "as_string")]
    pub id: ConnectionId,
}

impl From<ProcessId> for Which {
    fn from(process: ProcessId) -> Self {
        Self {
            pid: process.pid,
            start: process.start.0,
        }
    }
}

/// The word for a direction.
pub fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Outbound => "outbound",
        Direction::Inbound => "inbound",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn as_string<S: Serializer>(id: &ConnectionId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&id.0)
}
