//! Lines as they are written here: what `docs/recording.schema.json` describes, and [`line`](super::line) reads.

mod connections;
mod stack;
mod tables;

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::{Serialize, Serializer};

use crate::model::{
    connection::{ConnectionId, ProcessId},
    name::Comm,
    time::Time,
};

pub use connections::{Activity, ConnectFailed, Holders, Moment, Opened, Unaccepted};
pub use stack::Stack;
pub use tables::{Books, InQueue, Listener, Loss, Reconciled};

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
    /// What a stack looks like that `opened` lines name.
    Stack(Stack<'a>),
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
