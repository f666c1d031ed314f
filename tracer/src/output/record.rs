//! The JSON Lines stream, one type per line kind. `docs/schema.json` is generated from these types
//! (`tracer schema`), and a test compares it with real output.
//!
//! Compatibility: fields are only added within one version `v`; a change of meaning or a removal raises it.

mod alert;
mod books;
pub mod code;
mod limit;
mod list;
mod stall;
mod table;

pub use alert::{
    Alert, Basis, Cadence, Class, Explanation, Forecast, Healthy, Holding, Interval, News, Opener, Phases,
    Resource, RuledOut, Sample, Scope, Severity, Silence, Survivors, Tier,
};
pub use books::{Books, Cause, Loss, ProgramMisses};
pub use limit::Limit;
pub use list::{
    AgeBounds, Holder, HolderCount, IdleRange, ListSummary, ListedConnection, ListedGroup, ListedKey,
    ListedListener, ListedStack, PhaseCounts, PhaseName, StackPeer, StackSummary,
};
pub use table::{
    AgeQuantiles, Counts, Descriptors, Failures, LifetimeQuantiles, PeerRow, Ports, ProcessRow, State, Table,
    Totals,
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
    /// Connections pile up, still do, or no longer do.
    Alert(Box<Alert>),
    /// A process nears its descriptor limit, still does, or has room again.
    Limit(Limit),
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
    /// Connections that the same code of a process has opened, of `tracer list --by stack`.
    OpenedBy(Box<ListedStack>),
    /// Last line of `tracer list --by stack`.
    StackSummary(StackSummary),
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

/// Why a finding is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// It is new.
    Opened,
    /// It is worse: surer, more urgent, or twice as much as when it was last told; or the queue is full by now.
    Updated,
    /// It is over.
    Resolved,
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
    /// The process has exited.
    ProcessExited,
    /// The peer closed most of them, and the process let go.
    ClosedByPeer,
    /// As many close as open again, at the age at which none did.
    Balanced,
    /// They are still there, but have not grown for long.
    Plateaued,
    /// There is room below the limit again.
    Relieved,
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
