//! The JSON stream as a reader of it sees it: written down here a second time, so that a field that changes its name
//! or meaning is noticed.

use std::net::IpAddr;

use serde::{Deserialize, de::IgnoredAny};

/// One line.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    pub v: u32,
    #[serde(flatten)]
    pub body: Body,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    Started(Started),
    Alert(Alert),
    Stall(Stall),
    /// No test asks for what it says.
    Limit(IgnoredAny),
    Loss(Loss),
    Table(Table),
    Summary(Summary),
}

#[derive(Clone, Debug, Deserialize)]
pub struct Started {
    pub backend: String,
    pub degraded: Vec<String>,
    pub verified: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Alert {
    pub id: String,
    pub status: String,
    pub scope: String,
    pub process: Process,
    pub direction: Direction,
    /// Of one group, or of one peer.
    #[serde(default)]
    pub peer: String,
    /// Of one group.
    #[serde(default)]
    pub service_port: u16,
    pub open: u32,
    pub opened: u64,
    pub closed_ever: u64,
    pub span_seconds: f64,
    pub code: Option<Code>,
    pub resolution: Option<String>,
}

/// Which code opened what is open.
#[derive(Clone, Debug, Deserialize)]
pub struct Code {
    pub open: u32,
    pub culprit: Option<Culprit>,
    pub stacks: Vec<Stack>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Culprit {
    pub connections: u32,
    pub frame: Frame,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Stack {
    pub connections: u32,
    pub frames: Vec<Frame>,
    pub cut: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Frame {
    pub function: Option<String>,
    pub file: Option<String>,
    pub line: Option<u32>,
    pub module: Option<String>,
    pub offset: Option<u64>,
    pub build_id: Option<String>,
    pub inlined: bool,
    pub library: bool,
}

/// A server that lets nobody in.
#[derive(Clone, Debug, Deserialize)]
pub struct Stall {
    pub id: String,
    pub status: String,
    pub process: Process,
    pub at_limit: bool,
    pub descriptors: Option<Descriptors>,
    pub held: Vec<HeldGroup>,
    pub local: String,
    pub queued: u64,
    pub queue_limit: u64,
    pub peers: Vec<Sender>,
}

/// Connections that fill a descriptor table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HeldGroup {
    pub direction: Direction,
    pub peer: String,
    pub service_port: u16,
    pub open: u64,
}

/// Who waits in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Sender {
    pub peer: String,
    pub waiting: u64,
}

/// Facts that never reached the ledger.
#[derive(Clone, Debug, Deserialize)]
pub struct Loss {
    pub cause: String,
    pub count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Process {
    pub pid: Option<u32>,
    pub comm: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Outbound,
    Inbound,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Table {
    pub processes: Vec<ProcessRow>,
    pub processes_hidden: u64,
    pub peers: Vec<PeerRow>,
    pub peers_hidden: u64,
    pub total: Counts,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ProcessRow {
    pub process: Process,
    #[serde(flatten)]
    pub counts: Counts,
    #[serde(flatten)]
    pub phases: Phases,
    pub open_age: Option<Ages>,
    pub descriptors: Option<Descriptors>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct PeerRow {
    pub direction: Direction,
    pub peer: String,
    pub service_port: u16,
    #[serde(flatten)]
    pub counts: Counts,
    #[serde(flatten)]
    pub phases: Phases,
    pub open_age: Option<Ages>,
    pub ports: Option<Ports>,
    #[serde(default)]
    pub failures: Vec<Failures>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Counts {
    pub open: u64,
    pub connecting: u64,
    pub opened: u64,
    pub older: u64,
    pub closed: u64,
    pub failed: u64,
    /// Moved here from another holder.
    #[serde(default)]
    pub received: u64,
    /// Moved from here to another holder.
    #[serde(default)]
    pub given: u64,
}

/// Where connections are: those that wait to be accepted, and those of the open ones that are not open at both ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Phases {
    pub unaccepted: u64,
    pub half_closed_remote: u64,
    pub half_closed_local: u64,
    pub dead_held: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Ages {
    pub oldest: f64,
    pub at_least: bool,
}

/// A descriptor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Descriptors {
    pub used: u64,
    pub sockets: u64,
    pub limit: Option<u64>,
}

/// Ephemeral ports for one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Ports {
    pub used: u64,
    pub available: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Summary {
    pub reason: String,
    pub seconds: f64,
    pub total: Counts,
    pub alerts: u64,
    pub alerts_unresolved: u64,
    pub failures: Vec<Failures>,
    pub books: Books,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Failures {
    pub errno: u16,
    pub count: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Books {
    pub seen: u64,
    pub submitted: u64,
    pub ring_full: u64,
    pub map_full: u64,
    pub unreadable: u64,
    pub program_misses: u64,
    /// Hits of kprobes that the kernel skipped.
    #[serde(default)]
    pub probe_misses: u64,
    pub received: u64,
    pub decoded: u64,
    pub rejected: u64,
    /// Thrown away on purpose.
    #[serde(default)]
    pub simulated: u64,
    pub untracked: u64,
    pub overflowed: u64,
    pub unobserved_ends: u64,
    pub unknown_closes: u64,
    pub stack_table_full: u64,
    pub no_user_stack: u64,
    pub orphans: u64,
    pub duplicates: u64,
}

impl Table {
    /// The row of a process.
    pub fn process(&self, process: impl Into<Process>) -> Option<&ProcessRow> {
        let process = process.into();
        self.processes.iter().find(|row| row.process == process)
    }

    /// The row of a peer.
    pub fn peer(&self, direction: Direction, peer: impl Into<IpAddr>, port: u16) -> Option<&PeerRow> {
        let peer = peer.into().to_string();
        self.peers
            .iter()
            .find(|row| row.direction == direction && row.peer == peer && row.service_port == port)
    }
}

impl Books {
    /// The identities that hold whatever happened.
    pub fn balance(&self) -> anyhow::Result<()> {
        let losses = self.ring_full + self.map_full + self.unreadable;
        anyhow::ensure!(
            self.seen == self.submitted + losses
                && self.submitted == self.received
                && self.received == self.decoded + self.rejected + self.simulated,
            "the books do not balance: {self:?}"
        );
        Ok(())
    }

    /// Runs of programs that the kernel skipped, on the whole machine.
    pub fn skipped(&self) -> u64 {
        self.program_misses + self.probe_misses
    }

    /// Everything that may have kept a fact from the ledger.
    pub fn lost(&self) -> u64 {
        self.ring_full
            + self.map_full
            + self.unreadable
            + self.skipped()
            + self.rejected
            + self.untracked
            + self.simulated
    }

    /// The books of a run in which nothing went wrong. Program runs that the kernel skipped are not looked at: they
    /// are counted for the whole machine, and one that mattered shows in the ledger.
    pub fn are_clean(&self) -> anyhow::Result<()> {
        self.balance()?;
        let clean = self.lost() == self.skipped()
            && self.overflowed == 0
            && self.unobserved_ends == 0
            && self.orphans == 0
            && self.duplicates == 0;
        anyhow::ensure!(clean, "something went wrong: {self:?}");
        Ok(())
    }
}
