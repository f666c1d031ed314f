//! What happened on a host, as a table: the truth that detectors are judged by.

use std::net::SocketAddr;

use tracer::model::{
    connection::{Direction, Peer, PeerKey, ProcessId},
    time::Time,
};

/// A minute, in seconds.
pub const MINUTE: f64 = 60.0;
/// An hour, in seconds.
pub const HOUR: f64 = 3600.0;
/// A day, in seconds.
pub const DAY: f64 = 86400.0;
/// Never.
pub const NEVER: f64 = f64::INFINITY;

/// Processes and connections of a host over some hours. Times are seconds since the tracer came; what is below zero
/// was before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// The family that it is one of.
    pub family: &'static str,
    /// Which one of the family.
    pub seed: u64,
    /// When it ends: a leak's world when its descriptors are used up.
    pub horizon: f64,
    /// Processes.
    pub processes: Vec<Process>,
    /// Connections, in the order of their opening.
    pub connections: Vec<Connection>,
    /// When the first connection leaked, or the first that leaks was made; `None` if all is well.
    pub onset: Option<f64>,
    /// When half of the descriptors of a process that leaks are used. If they were when the leak began, half of what
    /// was left then.
    pub half_used: f64,
    /// When all are.
    pub exhausted: f64,
    /// How soon a leak must be found, even if the descriptors are used up before.
    pub target: Option<Target>,
    /// How long the machine was up when the tracer came. It is another time in every world: no detector's periods may
    /// begin with the tracer.
    pub up: f64,
    /// The machine slept in these spans: nothing happened, the tracer did not run.
    pub sleeps: Vec<(f64, f64)>,
}

/// How soon after its onset a leak must be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// Within this time,
    pub within: f64,
    /// and this is what would be better.
    pub wished: f64,
}

/// A process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// When it started.
    pub started: f64,
    /// When it ends, or [`NEVER`].
    pub ends: f64,
    /// Its name.
    pub comm: &'static str,
    /// Soft limit of descriptors.
    pub limit: u32,
    /// Descriptors in use besides the connections.
    pub base: u32,
}

/// A connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Connection {
    /// Who holds it: an index into the processes.
    pub process: usize,
    /// Who started it.
    pub direction: Direction,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// When it opened.
    pub opened: f64,
    /// When its process let it go, or [`NEVER`].
    pub closed: f64,
    /// How it came about.
    pub entrance: Entrance,
    /// When and how the peer was lost, if that was before the close.
    pub lost: Option<(f64, Loss)>,
    /// Whether it should have been closed and was not.
    pub leaks: bool,
    /// How long it carried data after its opening.
    pub used_for: f64,
    /// It carries data again every so many seconds until it closes; [`NEVER`] if it does not.
    pub every: f64,
}

/// How a connection came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// Connected or accepted.
    Open,
    /// The kernel completed it, no process ever accepts it.
    Unaccepted,
    /// Nobody answers: it stays an attempt until the kernel gives up.
    Unanswered,
}

/// How a connection lost its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The peer closed.
    Closed,
    /// It was reset, or timed out.
    Reset,
}

impl World {
    /// Whether something leaks.
    pub fn leaks(&self) -> bool {
        self.onset.is_some()
    }

    /// A moment as the kernel counts time.
    pub fn time(&self, seconds: f64) -> Time {
        Time(nanoseconds(self.up + seconds))
    }

    /// The identity of a process.
    pub fn process_id(&self, process: usize) -> ProcessId {
        self.processes
            .get(process)
            .map_or(ProcessId::KERNEL, |process| ProcessId {
                pid: process.pid,
                start: self.time(process.started),
            })
    }

    /// Seconds that the machine was awake for, up to a moment.
    pub fn awake(&self, until: f64) -> f64 {
        let slept = self
            .sleeps
            .iter()
            .map(|(from, to)| (to.min(until) - from).max(0.0));
        until - slept.sum::<f64>()
    }

    /// Connections that have leaked and are open at this moment.
    pub fn leaked_at(&self, at: f64) -> usize {
        let leaked = |connection: &&Connection| connection.leaks && connection.is_open(at);
        self.connections.iter().filter(leaked).count()
    }

    /// The largest share of its descriptors that a leaking process uses at this moment.
    pub fn used_at(&self, at: f64) -> f64 {
        let mut used: Vec<u32> = self.processes.iter().map(|process| process.base).collect();
        let mut leaks = vec![false; used.len()];
        for connection in &self.connections {
            if let (Some(used), Some(leaks)) = (
                used.get_mut(connection.process),
                leaks.get_mut(connection.process),
            ) {
                *used += u32::from(connection.is_open(at) && connection.has_descriptor());
                *leaks |= connection.leaks;
            }
        }
        let shares = self.processes.iter().zip(used).zip(leaks);
        shares
            .filter(|((process, _), leaks)| *leaks && process.lives(at))
            .map(|((process, used), _)| f64::from(used) / f64::from(process.limit))
            .fold(0.0, f64::max)
    }
}

impl Process {
    /// Whether it is there at this moment.
    pub fn lives(&self, at: f64) -> bool {
        (self.started..self.ends).contains(&at)
    }
}

impl Connection {
    /// Whether it is held, or waits, at this moment.
    pub fn is_open(&self, at: f64) -> bool {
        self.opened <= at && at < self.closed
    }

    /// Whether a process has a descriptor of it.
    pub fn has_descriptor(&self) -> bool {
        self.entrance != Entrance::Unaccepted
    }

    /// The group that it is one of, apart from its process.
    pub fn peer_key(&self) -> PeerKey {
        PeerKey {
            direction: self.direction,
            peer: Peer::Address(self.peer.ip()),
            service_port: match self.direction {
                Direction::Outbound => self.peer.port(),
                Direction::Inbound => self.local.port(),
            },
        }
    }

    /// How long no data has moved, at a moment when it is open.
    pub fn idle_at(&self, at: f64) -> f64 {
        let age = at - self.opened;
        if age <= self.used_for {
            0.0
        } else if self.every.is_finite() && self.lost.is_none_or(|(lost, _)| at < lost) {
            age % self.every
        } else {
            let last = self.lost.filter(|_| self.every.is_finite());
            age - last.map_or(self.used_for, |(lost, _)| self.used_for.max(lost - self.opened))
        }
    }

    /// Application bytes that it has carried in each direction by a moment when it is open.
    pub fn bytes_at(&self, at: f64) -> u64 {
        /// A small request, and a small answer.
        const EACH: f64 = 200.0;
        /// From one to the next while it is in use.
        const USE: f64 = 10.0;
        let last = at - self.idle_at(at) - self.opened;
        let every = if self.every.is_finite() { self.every } else { USE };
        let bytes = EACH * (1.0 + last.max(0.0) / every);
        // The same at every moment of a silence, however the sums above are rounded.
        whole_u64(bytes.round())
    }
}

/// Seconds as nanoseconds.
pub fn nanoseconds(seconds: f64) -> u64 {
    whole_u64(seconds * 1e9)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and rounding down is meant"
)]
const fn whole_u64(value: f64) -> u64 {
    value as u64
}
