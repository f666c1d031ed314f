//! What the finding of a leak is told with: all that a person needs to check it.

use std::{net::SocketAddr, time::Duration};

use crate::model::{
    connection::{ConnectionId, Direction, Peer, PeerKey, Phase, Phases, ProcessId},
    name::Comm,
    time::Time,
    view::{Age, Ages},
};

/// Connections that pile up.
#[derive(Clone, Debug, PartialEq)]
pub struct Leak {
    /// Which connections.
    pub scope: Scope,
    /// How sure.
    pub tier: Tier,
    /// How urgent.
    pub severity: Severity,
    /// Who fails to do what.
    pub class: Class,
    /// What the verdict rests on.
    pub basis: Basis,
    /// Held in its scope now; of a [black hole](Class::BlackHole), attempts under way.
    pub open: u32,
    /// The most since the finding opened.
    pub peak: u32,
    /// The phases of what is held.
    pub phases: Phases,
    /// What was seen.
    pub evidence: Evidence,
    /// Which limit is reached first, and when; `None` if no limit is known or nothing grows.
    pub forecast: Option<Forecast>,
    /// Some of the connections, the oldest first: [`Leak::SAMPLES`] at most.
    pub samples: Vec<Sample>,
    /// How many processes, one after the other, have leaked like this: 1 unless it was restarted.
    pub lives: u32,
    /// When it began, at the latest: begin of the window in which it was found first.
    pub began: Time,
    /// What makes it worth telling again; empty unless it is an update.
    pub news: Vec<News>,
}

impl Leak {
    /// Connections that are shown.
    pub const SAMPLES: usize = 5;
    /// Members of a roll-up that are named.
    pub const MEMBERS: usize = 5;
}

/// Which connections a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of one process with one peer.
    Group(PeerKey),
    /// Those of one process, spread thin over many peers.
    Process {
        /// Who starts them.
        direction: Direction,
        /// How many peers.
        peers: u32,
        /// The peers with the most of them, the most first: [`Leak::MEMBERS`] at most.
        most: Vec<(PeerKey, u32)>,
    },
    /// Those with one peer, spread over processes or over ports.
    Peer {
        /// Who starts them.
        direction: Direction,
        /// The peer.
        peer: Peer,
        /// How many processes hold them.
        processes: u32,
        /// How many service ports they use.
        ports: u32,
        /// The processes with the most of them, the most first: [`Leak::MEMBERS`] at most.
        most: Vec<(ProcessId, Comm, u32)>,
    },
}

impl Scope {
    /// Who starts the connections.
    pub const fn direction(&self) -> Direction {
        match self {
            Self::Group(group) => group.direction,
            Self::Process { direction, .. } | Self::Peer { direction, .. } => *direction,
        }
    }
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// It behaves like a leak, and a healthy explanation is left: [`Evidence::explanations`].
    Suspected,
    /// No healthy explanation that is known is left.
    Confirmed,
}

/// How urgent a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// There is time.
    Warning,
    /// A limit is reached within the hour, or nearly is.
    Critical,
}

/// What is new about a finding that was told before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// Who fails to do what, from the phases and from who is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The peer has closed, this process does not (`CLOSE_WAIT`).
    CloseMissing,
    /// This process opens connections and leaves them unused.
    Abandoned,
    /// The peer opens connections and leaves them unused.
    AbandonedByPeer,
    /// The connections are dead, and this process has not noticed or not cared.
    ErrorsIgnored,
    /// The server does not accept them.
    NotAccepted,
    /// Attempts that nobody answers.
    BlackHole,
    /// They pile up; whether they are used is unknown, or they are.
    Kept,
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Of what opened in every one of several periods of this length, some is still open, and nothing that old closes.
    Survivors {
        /// Length of a period.
        period: Duration,
    },
    /// The same of connections whose peer is gone.
    PeerGone {
        /// Length of a period.
        period: Duration,
    },
    /// They pile up and are closed all at once, again and again: by a garbage collector or a reset.
    Sawtooth {
        /// How often.
        times: u32,
    },
    /// They are replaced as they get old, and there are ever more of them.
    Renewed,
    /// Ever more of them have been silent for longer than any idle timeout, whatever the others do.
    Dormant,
    /// They took that much of the limit, evenly and without closing, faster than periods can tell.
    Surge,
    /// They were there when the tracer came.
    Accumulated,
    /// Several processes, one after the other, ended with more connections than they could have needed.
    Restarts,
    /// Attempts to connect wait for an answer.
    Unanswered,
    /// So many opened in a row, and none closed: `--min-opened`.
    Row,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Begin of the window.
    pub since: Time,
    /// Its end: when the verdict was last looked at.
    pub until: Time,
    /// Since when openings and closes are counted: where the verdict rests on survivors, since the tracer has known
    /// these connections.
    pub counted_since: Time,
    /// Opened since then; with [`Basis::Accumulated`], those that were found.
    pub opened: u64,
    /// Closed since then.
    pub closed: u64,
    /// Of what opened in each period of the window, the oldest first: how many are open still. Empty where the basis
    /// knows no periods.
    pub survivors: Vec<u32>,
    /// Length of a period; zero if there are none.
    pub period: Duration,
    /// Connections that reached the age from which on they count as survivors, in the window.
    pub matured: u64,
    /// Of connections of that age, those that closed in the window.
    pub left: u64,
    /// Ages of what is open; `None` if nothing is.
    pub ages: Option<Ages>,
    /// Use of what has survived; `None` if it is not known.
    pub silence: Option<Silence>,
    /// Growth in connections per hour; `None` where the basis gives no rate.
    pub per_hour: Option<Interval>,
    /// The beat they come in; `None` if there is none.
    pub cadence: Option<Cadence>,
    /// Closes since the tracer knows the group.
    pub closed_ever: u64,
    /// How long the tracer has known it.
    pub known_for: Duration,
    /// Healthy explanations, and whether they are ruled out.
    pub explanations: Vec<Explanation>,
}

/// How many are unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Those that have carried no application byte for [`Silence::span`].
    pub silent: u32,
    /// Of so many that were looked at.
    pub of: u32,
    /// How long.
    pub span: Duration,
}

/// An estimate and its 90 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// 5 of 100 are lower.
    pub low: f64,
    /// The estimate.
    pub mid: f64,
    /// 5 of 100 are higher.
    pub high: f64,
}

/// Bursts of about the same size in about the same distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// Connections in a burst.
    pub burst: u32,
    /// Time between two bursts.
    pub every: Duration,
    /// Bursts in a row that fit.
    pub bursts: u32,
}

/// A healthy reason for growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Healthy {
    /// A program has started and opens what it needs.
    WarmUp,
    /// A pool grows with the load.
    Pool,
    /// The load follows the time of day.
    Diurnal,
}

/// Whether a healthy reason may be it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Which.
    pub healthy: Healthy,
    /// Why it is ruled out; `None` if it is not.
    pub ruled_out: Option<RuledOut>,
}

/// Why a healthy reason is not it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuledOut {
    /// The growth is as strong as it was, after that long.
    StillGrowing(Duration),
    /// They are not used.
    Unused,
    /// Their peers are gone.
    Useless,
    /// They come in a beat that load does not have.
    Beat,
    /// It went on for more than a day.
    LongerThanADay,
    /// So much is more than a program keeps on purpose: percent of the limit.
    ShareOfLimit(u8),
    /// It happened again after the program was restarted, or had closed them all.
    Again,
    /// It is too fast for the time of day.
    TooFast,
}

/// What runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Descriptors of the process (soft `RLIMIT_NOFILE`).
    Descriptors,
    /// Local ports towards the destination.
    Ports,
}

/// When a limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Which limit.
    pub resource: Resource,
    /// In use now.
    pub used: u32,
    /// The limit.
    pub limit: u64,
    /// When, if it goes on like this; zero if it is reached.
    pub expected: Duration,
    /// At the earliest (90 % interval).
    pub earliest: Duration,
    /// At the latest; `None` if the growth may be so slow that no end is in sight.
    pub latest: Option<Duration>,
    /// The growth is too uneven for a straight line: take the expected time for its order of magnitude.
    pub uneven: bool,
}

/// One of the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which.
    pub id: ConnectionId,
    /// Who holds it.
    pub process: ProcessId,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// Its age.
    pub age: Age,
    /// Its phase.
    pub phase: Phase,
    /// How long it has carried nothing; `None` if unknown.
    pub silent_for: Option<Duration>,
}

/// A process that nears its descriptor limit, whatever the reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Exhaustion {
    /// Descriptors in use.
    pub used: u32,
    /// Of these, TCP sockets.
    pub sockets: u32,
    /// The most in use since the finding opened.
    pub peak: u32,
    /// Since when it is so full.
    pub since: Time,
    /// The soft limit.
    pub limit: u64,
    /// When it is reached; `None` if it does not grow, zero if it is reached.
    pub lasts: Option<Duration>,
    /// The groups that fill it, and how many connections each holds, the most first: [`Leak::MEMBERS`] at most.
    pub groups: Vec<(PeerKey, u32)>,
}
