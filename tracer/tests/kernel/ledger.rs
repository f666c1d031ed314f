//! What a table says, and what it should say, in a form that can be compared.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use anyhow::ensure;

use crate::stream::{Counts, Direction, Process, Table};

/// Counts per process and per peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    processes: BTreeMap<Process, Counts>,
    peers: BTreeMap<(Direction, String, u16), Counts>,
}

impl Ledger {
    /// From a table, whose parts must agree with each other.
    pub fn of(table: &Table) -> anyhow::Result<Self> {
        ensure!(
            table.processes_hidden == 0 && table.peers_hidden == 0,
            "rows are hidden"
        );
        let mut ledger = Self {
            processes: table
                .processes
                .iter()
                .map(|row| (row.process.clone(), row.counts))
                .collect(),
            peers: table
                .peers
                .iter()
                .map(|row| {
                    let key = (row.direction, row.peer.clone(), row.service_port);
                    (key, without_moves(row.counts))
                })
                .collect(),
        };
        let rows = (ledger.processes.len(), ledger.peers.len());
        ensure!(
            rows == (table.processes.len(), table.peers.len()),
            "a row appears twice"
        );
        let (of_processes, total) = (ledger.total(), without_moves(table.total));
        ensure!(
            without_moves(of_processes) == total && of_processes.received == of_processes.given,
            "processes do not add up: {table:?}"
        );
        ensure!(sum(&ledger.peers) == total, "peers do not add up: {table:?}");
        let processes = ledger.processes.values().copied();
        for counts in processes.chain(ledger.peers.values().copied()).chain([total]) {
            ensure!(
                counts.opened + counts.older + counts.received == counts.open + counts.closed + counts.given,
                "{counts} do not add up: {table:?}"
            );
        }
        // A row may be there for what waits to be accepted, which is no connection of the process yet.
        ledger.processes.retain(|_, counts| *counts != Counts::default());
        ledger.peers.retain(|_, counts| *counts != Counts::default());
        Ok(ledger)
    }

    /// Adds what a process did.
    pub fn process(mut self, process: impl Into<Process>, counts: Counts) -> Self {
        add(self.processes.entry(process.into()).or_default(), counts);
        self
    }

    /// Adds what happened with a peer.
    pub fn peer(mut self, direction: Direction, peer: impl Into<IpAddr>, port: u16, counts: Counts) -> Self {
        let key = (direction, peer.into().to_string(), port);
        add(self.peers.entry(key).or_default(), counts);
        self
    }

    /// Adds what a process did with one peer, for programs that have only one.
    pub fn both(
        self,
        process: impl Into<Process>,
        direction: Direction,
        peer: impl Into<IpAddr>,
        port: u16,
        counts: Counts,
    ) -> Self {
        self.process(process, counts).peer(direction, peer, port, counts)
    }

    /// The counts of a process, zero if it is not there.
    pub fn of_process(&self, process: impl Into<Process>) -> Counts {
        let found = self.processes.get(&process.into());
        found.copied().unwrap_or_default()
    }

    /// The counts of a peer, zero if it is not there.
    pub fn of_peer(&self, direction: Direction, peer: impl Into<IpAddr>, port: u16) -> Counts {
        let found = self.peers.get(&(direction, peer.into().to_string(), port));
        found.copied().unwrap_or_default()
    }

    /// The counts of what did not fit the tables.
    pub fn of_other_peers(&self, direction: Direction) -> Counts {
        let found = self.peers.get(&(direction, "other".to_owned(), 0));
        found.copied().unwrap_or_default()
    }

    /// The counts of everything.
    pub fn total(&self) -> Counts {
        sum(&self.processes)
    }
}

/// So many opened, so many of them closed.
pub fn counts(opened: usize, closed: usize) -> Counts {
    Counts {
        open: (opened - closed) as u64,
        opened: opened as u64,
        closed: closed as u64,
        ..Counts::default()
    }
}

/// So many were open before the tracer came, and so many of them closed since.
pub fn older(older: usize, closed: usize) -> Counts {
    Counts {
        open: (older - closed) as u64,
        older: older as u64,
        closed: closed as u64,
        ..Counts::default()
    }
}

/// So many attempts failed.
pub fn failed(failed: usize) -> Counts {
    Counts {
        failed: failed as u64,
        ..Counts::default()
    }
}

fn add(sum: &mut Counts, more: Counts) {
    sum.open += more.open;
    sum.connecting += more.connecting;
    sum.opened += more.opened;
    sum.older += more.older;
    sum.closed += more.closed;
    sum.failed += more.failed;
    sum.received += more.received;
    sum.given += more.given;
}

/// Where a connection moves from and to, its peer is the same.
fn without_moves(counts: Counts) -> Counts {
    Counts {
        received: 0,
        given: 0,
        ..counts
    }
}

fn sum<K>(rows: &BTreeMap<K, Counts>) -> Counts {
    rows.values().fold(Counts::default(), |mut sum, counts| {
        add(&mut sum, *counts);
        sum
    })
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (process, counts) in &self.processes {
            writeln!(f, "  {:?} {:?}: {counts}", process.pid, process.comm)?;
        }
        for ((direction, peer, port), counts) in &self.peers {
            writeln!(f, "  {direction:?} {peer} port {port}: {counts}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            open,
            connecting,
            opened,
            older,
            closed,
            failed,
            received,
            given,
        } = self;
        write!(
            f,
            "{open} open, {older} older, {opened} opened, {closed} closed, {failed} failed, {connecting} connecting, \
             {received} received, {given} given"
        )
    }
}
