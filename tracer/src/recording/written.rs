//! Lines as they are written here: what `docs/recording.schema.json` describes, and [`line`](super::line) reads.

use std::{borrow::Cow, fmt, net::SocketAddr};

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::{Serialize, Serializer};

use crate::model::{
    connection::{ConnectionId, ProcessId},
    name::Comm,
    time::Time,
};

/// The JSON Schema of a line. A reader must expect kinds and fields that it does not name.
pub fn schema() -> Schema {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Written<'_>>()
}

/// A line, by its `kind`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schemars(rename = "Line")]
pub enum Written<'a> {
    /// Who wrote the recording, and when: the first line of each file.
    Header(Box<Header<'a>>),
    /// What is known of a process, before the first line that names it, and when there is news.
    Process(Process<'a>),
    /// A process is gone.
    ProcessExit(ProcessExit),
    /// An attempt to connect is under way. It ends with `opened`, with `connect_failed`, or, given up, with `released`.
    Connecting(Opened<'a>),
    /// A process has a connection.
    Opened(Opened<'a>),
    /// A connection waits to be accepted.
    Unaccepted(Unaccepted),
    /// The peer closed, the process did not; or the client of one that waits to be accepted has gone.
    HalfClosedRemote(Moment),
    /// The process shut down, and holds it still.
    HalfClosedLocal(Moment),
    /// It was reset or timed out, and is held still.
    DeadHeld(Moment),
    /// What a connection has carried.
    Activity(Activity),
    /// Who holds a connection.
    Holders(Holders),
    /// The process let go.
    Released(Moment),
    /// An attempt to connect failed.
    ConnectFailed(ConnectFailed),
    /// The next `reconciled` does not find this connection: it has probably closed.
    Missing(Moment),
    /// A listening socket, as the next `reconciled` finds it.
    Listener(Listener<'a>),
    /// The books were compared with the kernel's tables.
    Reconciled(Reconciled),
    /// Events were lost.
    Loss(Loss<'a>),
    /// What was counted on the way from the kernel; counts that did not change are left out.
    Books(Books),
    /// The wall clock was set.
    Clock(Clock),
    /// Something is seen late, or not at all.
    Degraded(Degraded<'a>),
    /// All that is open has been told since the header: what else was open before has ended meanwhile.
    State(State),
    /// The rules look.
    Tick(Tick),
}

/// Nanoseconds of `CLOCK_BOOTTIME`.
#[derive(Clone, Copy, Debug)]
pub struct Nanos(pub Time);

impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.0)
    }
}

/// The id of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Id(pub ConnectionId);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.0)
    }
}

/// The name of a process, valid Unicode whatever it is.
#[derive(Clone, Copy)]
pub struct Name(pub Comm);

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&String::from_utf8_lossy(self.0.bytes()))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_unset(number: &u32) -> bool {
    *number == 0
}

/// The first line of a file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Header<'a> {
    /// Version of the format.
    pub v: u64,
    /// When the file begins.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// The wall-clock time of that moment, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub wall: String,
    /// Name of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Cow<'a, str>>,
    /// Release of its kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Cow<'a, str>>,
    /// The hooks in use.
    pub backend: Cow<'a, str>,
    /// What is recorded.
    pub filters: Cow<'a, str>,
    /// What only tracer says.
    pub tracer: Origin<'a>,
}

/// The tracer that recorded, and what its findings rest on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Origin<'a> {
    /// Its version.
    pub version: Cow<'a, str>,
    /// The same in all files of one run: when it began.
    pub run: u64,
    /// Lines take effect in the order of the file, and the rules look at each `tick` and at no other time.
    pub ordered: bool,
    /// Its command line.
    pub flags: Vec<Cow<'a, str>>,
    /// What is seen late, or not at all.
    pub degraded: Vec<Cow<'a, str>>,
    /// Its own network namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<u32>,
    /// Number of ephemeral ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<u32>,
}

/// What is known of a process.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Process<'a> {
    /// Since when.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// Process id in the initial PID namespace.
    pub pid: u32,
    /// When it started.
    #[schemars(with = "u64")]
    pub start: Nanos,
    /// Its name.
    #[schemars(with = "String")]
    pub comm: Name,
    /// Its command line, cut to 1 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<Cow<'a, str>>>,
    /// Its systemd unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'a str>,
    /// The id of its container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<&'a str>,
    /// Its process id in its own PID namespace, where that is not the initial one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_pid: Option<u32>,
    /// Soft limit of its descriptors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nofile: Option<u64>,
    /// Descriptors in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fds: Option<u32>,
    /// Of these, TCP sockets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sockets: Option<u32>,
}

/// A process is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProcessExit {
    /// Since when, at the latest.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// Process id.
    pub pid: u32,
    /// When it started.
    #[schemars(with = "u64")]
    pub start: Nanos,
    /// What it held is told by lines of its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub told_apart: bool,
}

/// A process has a connection, or an attempt to get one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Opened<'a> {
    /// When it was accepted or established; when it was first seen, if it is pre-existing.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// It was that much earlier, in nanoseconds: it is told late.
    #[serde(skip_serializing_if = "is_zero")]
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
    #[serde(skip_serializing_if = "is_unset")]
    pub netns: u32,
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
    #[serde(skip_serializing_if = "is_zero")]
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
    #[serde(skip_serializing_if = "is_unset")]
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
    #[serde(skip_serializing_if = "is_zero")]
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
    #[serde(skip_serializing_if = "is_zero")]
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
    #[serde(skip_serializing_if = "is_zero")]
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

/// A listening socket.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listener<'a> {
    /// When it was read, as a time of this format.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// It was read that much earlier, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub late: u64,
    /// Its inode number.
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "String")]
    pub socket: u64,
    /// Where it listens.
    #[schemars(with = "String")]
    pub local: SocketAddr,
    /// Inode number of the network namespace.
    #[serde(skip_serializing_if = "is_unset")]
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
    pub counts: std::collections::BTreeMap<&'static str, u64>,
}

/// The wall clock was set.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Clock {
    /// When.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// What it shows then, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub wall: String,
}

/// Something is seen late, or not at all.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Degraded<'a> {
    /// Since when.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// What.
    pub what: &'a str,
}

/// All that is open has been told.
#[derive(Debug, Serialize, JsonSchema)]
pub struct State {
    /// When.
    #[schemars(with = "u64")]
    pub ts: Nanos,
    /// Connections that are held.
    pub open: u32,
}

/// The rules look.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tick {
    /// When.
    #[schemars(with = "u64")]
    pub ts: Nanos,
}

/// A process as `[pid, start]`.
pub fn pair(process: ProcessId) -> (u32, Nanos) {
    (process.pid, Nanos(process.start))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn as_text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}
