//! Connections that pile up.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    AgeQuantiles, AlertStatus, Confidence, Descriptors, Direction, HeldGroup, PhaseName, Ports, Process,
    Resolution, code::Code,
};

/// Connections that pile up: a leak, or what looks like one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Alert {
    /// Identity of the finding, the same in all its lines.
    pub id: String,
    /// Why it is told now.
    pub status: AlertStatus,
    /// What is new about it; absent unless it is updated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub news: Vec<News>,
    /// How sure.
    pub tier: Tier,
    /// How urgent.
    pub severity: Severity,
    /// Who fails to do what.
    pub class: Class,
    /// Which connections.
    #[serde(flatten)]
    pub scope: Scope,
    /// The process that holds the connections; of several, the one with the most.
    pub process: Process,
    /// Which code opened them; absent where nobody asked for stacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Other processes that opened some of them, the most first; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub openers: Vec<Opener>,
    /// Processes of this host that hold the other ends, the most first; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_ends: Vec<Opener>,
    /// The descriptors of the process; absent if they could not be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<Descriptors>,
    /// Local ports that connections to this destination take; absent for inbound ones and for many peers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Ports>,
    /// Inode number of their network namespace; absent if nothing is open any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<u32>,
    /// Connections open now; of a `black_hole`, attempts under way.
    pub open: u32,
    /// The most that were open since the alert opened.
    pub peak: u32,
    /// The phases of what is open now.
    pub phases: Phases,
    /// How many processes, one after the other, have leaked like this: 1 unless it was restarted.
    pub lives: u32,
    /// When it began, at the latest, RFC 3339, UTC.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// What the verdict rests on.
    pub basis: Basis,
    /// How often all were closed at once; only where the basis is `sawtooth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Seconds in which what was opened and closed is counted; where the basis is survivors, since the tracer has known
    /// these connections. They end when the verdict was last looked at.
    pub span_seconds: f64,
    /// Connections opened in that time; where the basis is `accumulated`, those that were found.
    pub opened: u64,
    /// Connections closed in the window.
    pub closed: u64,
    /// Closes since the tracer knows these connections.
    pub closed_ever: u64,
    /// Seconds that the tracer knows them.
    pub known_seconds: f64,
    /// Of what opened in each period of the window, the oldest first: how many are open still; where the basis is
    /// `peer_gone`, of those whose peer went. Absent where the basis knows no periods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub survivors: Option<Survivors>,
    /// Growth per hour; absent where the basis gives none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_per_hour: Option<Interval>,
    /// The beat they come in; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cadence: Option<Cadence>,
    /// How many are unused; absent if nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<Silence>,
    /// Ages of what is open, in seconds; absent if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_age: Option<AgeQuantiles>,
    /// Which limit is reached first, and when; absent if nobody knows, or nothing grows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// Some of the connections, the oldest first.
    pub samples: Vec<Sample>,
    /// Healthy explanations, and whether they are ruled out.
    pub explanations: Vec<Explanation>,
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

/// What is new about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// It was suspected, and is confirmed by now.
    Confirmed,
    /// It has become critical.
    Critical,
    /// Twice as many are open as when it was last told.
    Doubled,
    /// The program was restarted, and does it again.
    Restarted,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// It behaves like a leak, and a healthy explanation is left.
    Suspected,
    /// No healthy explanation that is known is left.
    Confirmed,
}

/// How urgent a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// There is time.
    Warning,
    /// A limit is reached within the hour, or nearly is.
    Critical,
}

/// Who fails to do what. `docs/findings.md` says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The peer has closed, this process does not (`CLOSE_WAIT`).
    CloseMissing,
    /// This process opens connections and leaves them unused.
    Abandoned,
    /// The peer opens connections and leaves them unused.
    AbandonedByPeer,
    /// The connections are dead, and this process keeps them.
    ErrorsIgnored,
    /// The server does not accept them.
    NotAccepted,
    /// Attempts that nobody answers.
    BlackHole,
    /// They pile up; that they are unused is not known.
    Kept,
}

/// Which connections a finding is about, by its `scope`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum Scope {
    /// Those of one process with one peer.
    Group {
        /// Who starts them, seen from that process.
        direction: Direction,
        /// The other end: an address, or `other` for what did not fit the tables.
        peer: String,
        /// The server's port; 0, for any, where the peer is `other`.
        service_port: u16,
    },
    /// Those of one process, spread thin over many peers.
    Process {
        /// Who starts them, seen from that process.
        direction: Direction,
        /// How many peers.
        peers: u32,
        /// The peers with the most of them, the most first.
        most: Vec<HeldGroup>,
    },
    /// Those with one peer, spread over processes or over service ports.
    Peer {
        /// Who starts them, seen from this host.
        direction: Direction,
        /// The other end: an address, or `other` for what did not fit the tables.
        peer: String,
        /// How many processes hold them.
        processes: u32,
        /// How many service ports they use.
        service_ports: u32,
        /// The processes with the most of them, the most first.
        most: Vec<Holding>,
    },
}

/// A process that holds some of the connections.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Holding {
    /// Which.
    pub process: Process,
    /// How many.
    pub open: u32,
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Of what opened in each of several periods some is still open, and nothing that old closes.
    Survivors,
    /// The same of connections whose peer is gone.
    PeerGone,
    /// They pile up and are closed all at once, again and again.
    Sawtooth,
    /// They are replaced as they get old, and for more than a day there are ever more of them.
    Renewed,
    /// Ever more of them have been silent for longer than any idle timeout, whatever the others of the group do.
    Dormant,
    /// They take much of the limit, evenly and without closing, faster than periods can tell.
    Surge,
    /// They were there when the tracer came.
    Accumulated,
    /// Several processes, one after the other, ended with more connections than they could have needed.
    Restarts,
    /// Attempts to connect wait for an answer.
    Unanswered,
    /// So many opened in a row, and none closed (`--min-opened`).
    Row,
}

/// Connections by when they were born, and what is left of them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Survivors {
    /// Length of a period, in seconds.
    pub period_seconds: f64,
    /// Of each period, the oldest first: how many are open still.
    pub open: Vec<u32>,
    /// Connections that became so old in the window that they count as survivors.
    pub matured: u64,
    /// Of connections of that age, those that closed in the window.
    pub left: u64,
}

/// An estimate and its 90 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Interval {
    /// 5 of 100 are lower.
    pub low: f64,
    /// The estimate.
    pub mid: f64,
    /// 5 of 100 are higher.
    pub high: f64,
}

/// Bursts of about the same size in about the same distance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Cadence {
    /// Connections in a burst.
    pub burst: u32,
    /// Seconds between two bursts.
    pub every_seconds: f64,
    /// Bursts in a row that fit.
    pub bursts: u32,
}

/// How many are unused.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Silence {
    /// Those that have carried no application byte for `span_seconds`.
    pub silent: u32,
    /// Of so many that were looked at.
    pub of: u32,
    /// How long.
    pub span_seconds: f64,
}

/// When a limit is reached if it goes on like this.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Forecast {
    /// Which limit.
    pub resource: Resource,
    /// In use now.
    pub used: u32,
    /// The limit.
    pub limit: u64,
    /// Seconds until then; 0 if it is reached.
    pub expected_seconds: f64,
    /// At the earliest (90 % interval).
    pub earliest_seconds: f64,
    /// At the latest; absent if the growth may be so slow that no end is in sight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_seconds: Option<f64>,
    /// Whether the growth is too uneven for a straight line: the numbers are an order of magnitude.
    pub uneven: bool,
}

/// What runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Descriptors of the process (soft `RLIMIT_NOFILE`).
    Descriptors,
    /// Local ports towards the destination.
    Ports,
}

/// One of the connections.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Sample {
    /// Process id of who holds it, in the initial PID namespace; absent for what did not fit the tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// This end: address and port.
    pub local: String,
    /// The other end: address and port.
    pub peer: String,
    /// Its age.
    pub age_seconds: f64,
    /// Whether that is a lower bound: it is older than the tracer.
    pub at_least: bool,
    /// Where it is in its life.
    pub phase: PhaseName,
    /// Seconds that it has carried nothing; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_seconds: Option<f64>,
}

/// A healthy reason for growth, and whether it may be it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Explanation {
    /// Which.
    pub healthy: Healthy,
    /// Why it is ruled out; absent if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ruled_out: Option<RuledOut>,
}

/// A healthy reason for growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Healthy {
    /// A program has started and opens what it needs.
    WarmUp,
    /// A pool grows with the load.
    Pool,
    /// The load follows the time of day.
    Diurnal,
}

/// Why a healthy reason is not it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum RuledOut {
    /// It grows as fast as it did.
    StillGrowing {
        /// After that long.
        after_seconds: f64,
    },
    /// They are not used.
    Unused,
    /// Their peers are gone.
    Useless,
    /// They come in a beat that load does not have.
    Beat,
    /// It went on for more than a day.
    LongerThanADay,
    /// They are more than a program keeps on purpose.
    ShareOfLimit {
        /// Of the limit.
        percent: u8,
    },
    /// It came again, after a restart or after all had closed.
    Again,
    /// It is too fast for the time of day.
    TooFast,
}

/// A process that opened connections which another one holds: it forked, or passed them on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Opener {
    /// Which.
    pub process: Process,
    /// How many.
    pub connections: u32,
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
