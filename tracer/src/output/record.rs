//! The JSON Lines stream, one type per line kind. `docs/schema.json` is generated from these types
//! (`tracer schema`), and a test compares it with real output.
//!
//! Compatibility: fields are only added within one version `v`; a change of meaning or a removal raises it.

mod books;
mod list;
mod stall;
mod table;

pub use books::{Books, Cause, Loss, ProgramMisses};
pub use list::{
    AgeBounds, Holder, HolderCount, IdleRange, ListSummary, ListedConnection, ListedGroup, ListedKey,
    ListedListener, PhaseCounts, PhaseName,
};
pub use table::{
    AgeQuantiles, Counts, Descriptors, Failures, LifetimeQuantiles, PeerRow, Ports, ProcessRow, Table, Totals,
};

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::Serialize;
pub use stall::{HeldGroup, Sender, Stall};

/// Version of the stream.
pub const VERSION: u32 = 1;

/// The JSON Schema of a line as it is written. A reader must expect fields that the schema does not name.
pub fn schema() -> Schema {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Record>()
}

/// One line.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Record {
    /// Version of the stream.
    #[schemars(extend("const" = VERSION))]
    pub v: u32,
    /// Wall-clock time, RFC 3339, UTC.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// What the line says.
    #[serde(flatten)]
    pub body: Body,
}

/// What a line says, by its `type`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    /// First line: the tracer is attached.
    Started(Started),
    /// A group leaks, still leaks, or no longer does.
    Alert(Alert),
    /// A server does not accept, still does not, or does again.
    Stall(Stall),
    /// The counts per process and per peer, every `--interval`.
    Table(Table),
    /// Something was lost.
    Loss(Loss),
    /// Last line of watching: what was seen in all, and what was lost.
    Summary(Summary),
    /// A connection that is open, of `tracer list --all`.
    Connection(ListedConnection),
    /// Connections that are open and belong together, of `tracer list`.
    Group(ListedGroup),
    /// Last line of `tracer list`: what there is in all, and what was left out.
    ListSummary(ListSummary),
}

/// What is attached.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Started {
    /// Version of the tracer.
    pub version: String,
    /// The hooks in use: `fentry`, `kprobe` or `tracepoint`.
    pub backend: String,
    /// What these hooks do not see, or see late; empty if nothing.
    pub degraded: Vec<String>,
    /// Whether the self-test confirmed what the hooks report; absent if it could not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}

/// A group that leaks.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Alert {
    /// Identity of the finding, the same in all its lines.
    pub id: String,
    /// Why it is told now.
    pub status: AlertStatus,
    /// How sure: the rule in force only suspects.
    pub tier: Tier,
    /// The process that holds the connections.
    pub process: Process,
    /// Other processes that opened some of them, the most first; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub openers: Vec<Opener>,
    /// The descriptors of the process; absent if they could not be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<Descriptors>,
    /// Local ports that connections to this destination take; absent for inbound ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Ports>,
    /// Inode number of their network namespace; absent if nothing is open any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<u32>,
    /// Who starts the connections, seen from that process.
    pub direction: Direction,
    /// The other end: an address, or `other` for what did not fit the tables.
    pub peer: String,
    /// The server's port; 0, for any, where the peer is `other`.
    pub service_port: u16,
    /// Connections open now.
    pub open: u32,
    /// The most that were open since the alert opened.
    pub peak: u32,
    /// The phases of what is open now.
    pub phases: Phases,
    /// Connections opened since the growth began; at first in a row without one closing.
    pub opened: u64,
    /// Closes since the growth began.
    pub closed: u64,
    /// Closes in the group before that.
    pub closed_before: u64,
    /// Seconds between the first and the last opening.
    pub span_seconds: f64,
    /// Growth per hour; absent if the row has no length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_per_hour: Option<f64>,
    /// When the row began, RFC 3339, UTC.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// Why it is resolved; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// What the finding is worth.
    pub confidence: Confidence,
    /// What to do next.
    pub advice: String,
}

/// How many connections are in which phase.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Phases {
    /// Open at both ends, as far as this end knows.
    pub open: u32,
    /// The peer closed, the process did not (`CLOSE_WAIT`).
    pub half_closed_remote: u32,
    /// The process shut down, and still holds the descriptor.
    pub half_closed_local: u32,
    /// Reset or timed out, and the process still holds the descriptor: `ss` does not show these.
    pub dead_held: u32,
}

/// Why a finding is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// It is new.
    Opened,
    /// It is worse: what is open, or waits, has doubled since it was last told; or the queue is full by now.
    Updated,
    /// It is over.
    Resolved,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// It looks like a leak; a pool that is filling looks the same.
    Suspected,
}

/// Why a finding is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// At least half of what was open at the peak has closed.
    Drained,
    /// The server takes connections from its queue again.
    AcceptingAgain,
    /// Nobody holds the listening socket any more.
    ListenerGone,
}

/// What a finding is worth.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Confidence {
    /// Since when the tracer watches, RFC 3339, UTC. What opened before is not counted.
    #[schemars(extend("format" = "date-time"))]
    pub attached_since: String,
    /// Events lost so far, all causes.
    pub lost: u64,
    /// Of these, events lost since the ledger was last compared with the descriptor tables: a lost close looks like a
    /// leak until then.
    pub lost_unhealed: u64,
    /// Connections that were found open: older than the tracer, or missed.
    pub older: u64,
    /// When that comparison was, RFC 3339, UTC; absent if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub reconciled: Option<String>,
    /// What it corrected; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrected: Option<Corrected>,
    /// What the hooks do not see.
    pub degraded: Vec<String>,
}

/// What a comparison with the kernel's tables corrected.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Corrected {
    /// Connections that are held, and were not known.
    pub added: u64,
    /// Connections that nobody holds, and were thought to be open.
    pub ended: u64,
    /// Connections that another process holds.
    pub moved: u64,
}

/// A process.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Process {
    /// Process id in the initial PID namespace; 0 for the kernel's own sockets, absent for what did not fit the
    /// tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Start time in nanoseconds since boot, a decimal string. With the id it names the process for ever.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub start_ns: String,
    /// Its name; bytes that are not UTF-8 are replaced.
    pub comm: String,
    /// Its command line; absent if unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The systemd unit that it belongs to; absent if none is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The container that it runs in; absent if none is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Its process id in its own PID namespace; absent if that is the initial one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_pid: Option<u32>,
}

/// A process that opened connections which another one holds: it forked, or passed them on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Opener {
    /// Which.
    pub process: Process,
    /// How many.
    pub connections: u32,
}

/// Who starts a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The process connects.
    Outbound,
    /// The process accepts.
    Inbound,
}

/// The end of the stream.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Summary {
    /// Why the tracer stopped.
    pub reason: String,
    /// How long it watched, in seconds.
    pub seconds: f64,
    /// The sum over everything.
    pub total: Totals,
    /// Alerts that opened.
    pub alerts: u64,
    /// Alerts not resolved.
    pub alerts_unresolved: u64,
    /// Failed attempts by errno; 0 stands for attempts that the process gave up.
    pub failures: Vec<Failures>,
    /// The books of the way from the kernel to the ledger.
    pub books: Books,
    /// Runs that the kernel skipped, of each program in use.
    pub programs: Vec<ProgramMisses>,
}
