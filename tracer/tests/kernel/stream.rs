//! The JSON stream as a reader of it sees it: written down here a second time, so that a field that changes its name
//! or meaning is noticed.

use serde::Deserialize;

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
    Stall {},
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
    pub process: Process,
    pub direction: Direction,
    pub peer: String,
    pub service_port: u16,
    pub open: u32,
    pub opened: u64,
    pub closed_before: u64,
    pub span_seconds: f64,
    pub resolution: Option<String>,
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
}

#[derive(Clone, Debug, Deserialize)]
pub struct PeerRow {
    pub direction: Direction,
    pub peer: String,
    pub service_port: u16,
    #[serde(flatten)]
    pub counts: Counts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Counts {
    pub open: u64,
    pub connecting: u64,
    pub opened: u64,
    pub older: u64,
    pub closed: u64,
    pub failed: u64,
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
    pub received: u64,
    pub decoded: u64,
    pub rejected: u64,
    pub untracked: u64,
    pub overflowed: u64,
    pub unobserved_ends: u64,
    pub unknown_closes: u64,
    pub orphans: u64,
    pub duplicates: u64,
}

impl Books {
    /// The identities that hold whatever happened.
    pub fn balance(&self) -> anyhow::Result<()> {
        let losses = self.ring_full + self.map_full + self.unreadable;
        anyhow::ensure!(
            self.seen == self.submitted + losses
                && self.submitted == self.received
                && self.received == self.decoded + self.rejected,
            "the books do not balance: {self:?}"
        );
        Ok(())
    }

    /// Everything that may have kept a fact from the ledger.
    pub fn lost(&self) -> u64 {
        self.ring_full
            + self.map_full
            + self.unreadable
            + self.program_misses
            + self.rejected
            + self.untracked
    }

    /// The books of a run in which nothing went wrong. Program runs that the kernel skipped are not looked at: they
    /// are counted for the whole machine, and one that mattered shows in the ledger.
    pub fn are_clean(&self) -> anyhow::Result<()> {
        self.balance()?;
        let clean = self.lost() == self.program_misses
            && self.overflowed == 0
            && self.unobserved_ends == 0
            && self.orphans == 0
            && self.duplicates == 0;
        anyhow::ensure!(clean, "something went wrong: {self:?}");
        Ok(())
    }
}
