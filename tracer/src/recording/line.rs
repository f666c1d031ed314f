//! What stands in a line, by its kind.

mod ours;
mod stack;

pub use ours::{Books, Clock, Degraded, InQueue, Listener, Origin};
pub use stack::Stack;

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, de::IgnoredAny};

use super::{kind, scalar};
use crate::model::{
    connection::{ConnectionId, Direction, ProcessId},
    name::Comm,
    stack::{Missing, StackId},
    time::Time,
};

/// Version of the format that is read.
pub const VERSION: u64 = 1;

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// Who wrote the recording, and when: the first line of each file.
    Header(Box<Header>),
    /// What is known of a process.
    Process(Box<Process>),
    /// A process is gone.
    ProcessExit(ProcessExit),
    /// An attempt to connect is under way.
    Connecting(Opened),
    /// A process has a connection.
    Opened(Opened),
    /// A connection waits to be accepted.
    Unaccepted(Unaccepted),
    /// A connection is half closed or dead.
    Phase(Turn, At),
    /// What a connection has carried.
    Activity(Activity),
    /// Who holds a connection.
    Holders(Box<Holders>),
    /// The process let go.
    Released(At),
    /// Nothing is left of it.
    Ended(At),
    /// An attempt to connect failed.
    ConnectFailed(ConnectFailed),
    /// Events were lost.
    Loss(Box<Loss>),
    /// The books were compared with the kernel's tables.
    Reconciled(Reconciled),
    /// The next comparison does not find this connection.
    Missing(At),
    /// A listening socket.
    Listener(Box<Listener>),
    /// What was counted.
    Books(Box<Books>),
    /// The wall clock was set.
    Clock(Box<Clock>),
    /// Something is not seen.
    Degraded(Box<Degraded>),
    /// All that is open has been told.
    State(Tick),
    /// What a stack looks like.
    Stack(Box<Stack>),
    /// Time has passed.
    Tick(Tick),
    /// Something that changes nothing that is known here.
    Other(Time),
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Header {
    /// Version of the format.
    #[serde(deserialize_with = "scalar::version")]
    pub v: u64,
    /// When the recording began.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// The wall-clock time of that moment, RFC 3339.
    pub wall: String,
    /// Name of the machine.
    #[serde(default)]
    pub host: Option<String>,
    /// Release of its kernel.
    #[serde(default)]
    pub kernel: Option<String>,
    /// The hooks that were in use.
    #[serde(default)]
    pub backend: Option<String>,
    /// What only tracer says there.
    #[serde(default, deserialize_with = "ours::lenient")]
    pub tracer: Origin,
}

/// What is known of a process; may come again with newer values.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Process {
    /// Since when.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// Process id in the initial PID namespace.
    #[serde(deserialize_with = "scalar::pid")]
    pub pid: u32,
    /// When it started.
    #[serde(deserialize_with = "scalar::time")]
    pub start: Time,
    /// Its name.
    #[serde(deserialize_with = "scalar::comm")]
    pub comm: Comm,
    /// Its program.
    #[serde(default)]
    pub exe: Option<String>,
    /// Its command line, the arguments separated by NUL.
    #[serde(default, deserialize_with = "scalar::args")]
    pub args: Vec<u8>,
    /// Its control group.
    #[serde(default)]
    pub cgroup: Option<String>,
    /// Its systemd unit.
    #[serde(default)]
    pub unit: Option<String>,
    /// The id of its container.
    #[serde(default)]
    pub container: Option<String>,
    /// Its process id in its own PID namespace.
    #[serde(default, deserialize_with = "scalar::maybe_pid")]
    pub inner_pid: Option<u32>,
    /// Soft limit of its descriptors.
    #[serde(default, deserialize_with = "scalar::limit")]
    pub nofile: Option<u64>,
    /// Descriptors in use.
    #[serde(default, deserialize_with = "scalar::count")]
    pub fds: Option<u32>,
    /// Of these, TCP sockets.
    #[serde(default, deserialize_with = "scalar::count")]
    pub sockets: Option<u32>,
}

/// A process is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct ProcessExit {
    /// Since when.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// Process id.
    #[serde(deserialize_with = "scalar::pid")]
    pub pid: u32,
    /// When it started.
    #[serde(deserialize_with = "scalar::time")]
    pub start: Time,
    /// What it held is told by lines of its own.
    #[serde(default)]
    pub told_apart: bool,
}

/// A process has a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Opened {
    /// When it was accepted or established; when it was first seen, if it is pre-existing.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// It was that much earlier: it is told late.
    #[serde(default, deserialize_with = "scalar::lateness")]
    pub late: Duration,
    /// Which.
    #[serde(deserialize_with = "scalar::id")]
    pub id: ConnectionId,
    /// The process.
    #[serde(deserialize_with = "scalar::pid")]
    pub pid: u32,
    /// When that started.
    #[serde(deserialize_with = "scalar::time")]
    pub start: Time,
    /// Who connected.
    #[serde(deserialize_with = "scalar::direction")]
    pub direction: Direction,
    /// This end.
    #[serde(deserialize_with = "scalar::address")]
    pub local: SocketAddr,
    /// The other end.
    #[serde(deserialize_with = "scalar::address")]
    pub peer: SocketAddr,
    /// Inode number of the network namespace; 0 if unknown.
    #[serde(default, deserialize_with = "scalar::netns")]
    pub netns: u32,
    /// The stack that opened it.
    #[serde(default, deserialize_with = "stack::maybe_id")]
    pub stack: Option<StackId>,
    /// Why that is not known.
    #[serde(default, deserialize_with = "stack::maybe_missing")]
    pub no_stack: Option<Missing>,
    /// It was there before anybody watched.
    #[serde(default)]
    pub preexisting: Option<bool>,
    /// A pre-existing one is at least this old.
    #[serde(default, deserialize_with = "scalar::span")]
    pub age: Option<Duration>,
}

/// A connection waits to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Unaccepted {
    /// Since when.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// It was that much earlier: it is told late.
    #[serde(default, deserialize_with = "scalar::lateness")]
    pub late: Duration,
    /// Which.
    #[serde(deserialize_with = "scalar::id")]
    pub id: ConnectionId,
    /// This end.
    #[serde(deserialize_with = "scalar::address")]
    pub local: SocketAddr,
    /// The other end.
    #[serde(deserialize_with = "scalar::address")]
    pub peer: SocketAddr,
    /// Inode number of the network namespace; 0 if unknown.
    #[serde(default, deserialize_with = "scalar::netns")]
    pub netns: u32,
    /// The process that listens.
    #[serde(default, deserialize_with = "scalar::maybe_pid")]
    pub listener_pid: Option<u32>,
    /// When that started.
    #[serde(default, deserialize_with = "scalar::maybe_time")]
    pub listener_start: Option<Time>,
}

/// The phases that have a kind of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The peer closed.
    HalfClosedRemote,
    /// The process shut down.
    HalfClosedLocal,
    /// Reset or timed out, and still held.
    DeadHeld,
}

/// Something happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct At {
    /// When.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// It was that much earlier: it is told late.
    #[serde(default, deserialize_with = "scalar::lateness")]
    pub late: Duration,
    /// To which.
    #[serde(deserialize_with = "scalar::id")]
    pub id: ConnectionId,
}

/// What a connection has carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Activity {
    /// By then.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// Which.
    #[serde(deserialize_with = "scalar::id")]
    pub id: ConnectionId,
    /// Application bytes sent.
    #[serde(deserialize_with = "scalar::bytes")]
    pub sent: u64,
    /// Application bytes received.
    #[serde(deserialize_with = "scalar::bytes")]
    pub received: u64,
    /// Since the last of them moved.
    #[serde(default, deserialize_with = "scalar::span")]
    pub idle: Option<Duration>,
}

/// Who holds a connection.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Holders {
    /// When.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// It was that much earlier: it is told late.
    #[serde(default, deserialize_with = "scalar::lateness")]
    pub late: Duration,
    /// Which.
    #[serde(deserialize_with = "scalar::id")]
    pub id: ConnectionId,
    /// The processes.
    #[serde(rename = "pids", deserialize_with = "scalar::processes")]
    pub processes: Vec<ProcessId>,
}

/// An attempt to connect failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct ConnectFailed {
    /// When.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// It was that much earlier: it is told late.
    #[serde(default, deserialize_with = "scalar::lateness")]
    pub late: Duration,
    /// Whose.
    #[serde(deserialize_with = "scalar::pid")]
    pub pid: u32,
    /// When that started.
    #[serde(deserialize_with = "scalar::time")]
    pub start: Time,
    /// Towards whom.
    #[serde(deserialize_with = "scalar::address")]
    pub peer: SocketAddr,
    /// Why: an errno or its name.
    #[serde(deserialize_with = "scalar::errno")]
    pub error: u16,
    /// The attempt of a `connecting` line: its socket is held until it is released.
    #[serde(default, deserialize_with = "scalar::maybe_id")]
    pub id: Option<ConnectionId>,
}

/// Events were lost.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Loss {
    /// When that was noticed.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// How many.
    #[serde(deserialize_with = "scalar::bytes")]
    pub count: u64,
    /// Why.
    pub cause: String,
    /// Since when they may be missing.
    #[serde(deserialize_with = "scalar::time")]
    pub since: Time,
}

/// The books were compared with the kernel's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Reconciled {
    /// When.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// Open connections that were confirmed.
    #[serde(deserialize_with = "scalar::bytes")]
    pub open: u64,
    /// Connections that were not known.
    #[serde(default, deserialize_with = "scalar::number")]
    pub added: Option<u64>,
    /// Connections that nobody held any more.
    #[serde(default, deserialize_with = "scalar::number")]
    pub ended: Option<u64>,
    /// Connections that went to another process.
    #[serde(default, deserialize_with = "scalar::number")]
    pub moved: Option<u64>,
    /// Events that had been lost by then.
    #[serde(default, deserialize_with = "scalar::number")]
    pub lost: Option<u64>,
    /// Since the one before, all descriptor tables, listening sockets and missing connections were told.
    #[serde(default)]
    pub complete: bool,
    /// What connections carry is told.
    #[serde(default)]
    pub traffic: bool,
}

/// Time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Tick {
    /// Until then.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
}

impl Line {
    /// Reads a line; `None` if its kind is not known here.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &str) -> Result<Option<Self>, serde_json::Error> {
        let read = match kind::of(line)?.as_ref() {
            "opened" => Self::Opened(serde_json::from_str(line)?),
            "released" => Self::Released(serde_json::from_str(line)?),
            "ended" => Self::Ended(serde_json::from_str(line)?),
            "activity" => Self::Activity(serde_json::from_str(line)?),
            "unaccepted" => Self::Unaccepted(serde_json::from_str(line)?),
            "half_closed_remote" => Self::Phase(Turn::HalfClosedRemote, serde_json::from_str(line)?),
            "half_closed_local" => Self::Phase(Turn::HalfClosedLocal, serde_json::from_str(line)?),
            "dead_held" => Self::Phase(Turn::DeadHeld, serde_json::from_str(line)?),
            "holders" => Self::Holders(serde_json::from_str(line)?),
            "process" => Self::Process(serde_json::from_str(line)?),
            "process_exit" => Self::ProcessExit(serde_json::from_str(line)?),
            "connect_failed" => Self::ConnectFailed(serde_json::from_str(line)?),
            "tick" => Self::Tick(serde_json::from_str(line)?),
            "loss" => Self::Loss(serde_json::from_str(line)?),
            "reconciled" => Self::Reconciled(serde_json::from_str(line)?),
            "stack" => Self::Stack(Box::new(serde_json::from_str(line)?)),
            "header" => Self::Header(serde_json::from_str(line)?),
            kind => {
                let ours = Self::parse_ours(kind, line);
                if ours.is_none() {
                    // Unknown, but sound.
                    serde_json::from_str::<IgnoredAny>(line)?;
                }
                return Ok(ours);
            }
        };
        Ok(Some(read))
    }

    /// Reads a line of a kind that only tracer writes. What others say by such a name is not known here.
    fn parse_ours(kind: &str, line: &str) -> Option<Self> {
        let read = match kind {
            "connecting" => serde_json::from_str(line).map(Self::Connecting),
            "listener" => serde_json::from_str(line).map(Self::Listener),
            "missing" => serde_json::from_str(line).map(Self::Missing),
            "books" => serde_json::from_str(line).map(Self::Books),
            "clock" => serde_json::from_str(line).map(Self::Clock),
            "degraded" => serde_json::from_str(line).map(Self::Degraded),
            "state" => serde_json::from_str(line).map(Self::State),
            _ => return None,
        };
        read.ok()
    }

    /// Its time.
    pub fn ts(&self) -> Time {
        match self {
            Self::Header(header) => header.ts,
            Self::Process(process) => process.ts,
            Self::ProcessExit(exit) => exit.ts,
            Self::Connecting(opened) | Self::Opened(opened) => opened.ts,
            Self::Unaccepted(unaccepted) => unaccepted.ts,
            Self::Phase(_, at) | Self::Released(at) | Self::Ended(at) | Self::Missing(at) => at.ts,
            Self::Activity(activity) => activity.ts,
            Self::Holders(holders) => holders.ts,
            Self::ConnectFailed(failed) => failed.ts,
            Self::Loss(loss) => loss.ts,
            Self::Reconciled(reconciled) => reconciled.ts,
            Self::Stack(stack) => stack.ts,
            Self::Listener(listener) => listener.ts,
            Self::Books(books) => books.ts,
            Self::Clock(clock) => clock.ts,
            Self::Degraded(degraded) => degraded.ts,
            Self::State(tick) | Self::Tick(tick) => tick.ts,
            Self::Other(ts) => *ts,
        }
    }
}
