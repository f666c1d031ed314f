//! What a table says, and what it should say, in a form that can be compared.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use anyhow::ensure;

use crate::{
    puppet::Puppet,
    stream::{Counts, Direction, Process, Table},
};

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
        let ledger = Self {
            processes: table
                .processes
                .iter()
                .map(|row| (row.process.clone(), row.counts))
                .collect(),
            peers: table
                .peers
                .iter()
                .map(|row| ((row.direction, row.peer.clone(), row.service_port), row.counts))
                .collect(),
        };
        let rows = (ledger.processes.len(), ledger.peers.len());
        ensure!(
            rows == (table.processes.len(), table.peers.len()),
            "a row appears twice"
        );
        ensure!(
            sum(&ledger.processes) == table.total,
            "processes do not add up: {table:?}"
        );
        ensure!(
            sum(&ledger.peers) == table.total,
            "peers do not add up: {table:?}"
        );
        ensure!(
            table.total.opened + table.total.older == table.total.closed + table.total.open,
            "opened and older are not closed and open: {table:?}"
        );
        Ok(ledger)
    }

    /// Adds what a process did.
    pub fn process(mut self, puppet: &Puppet, counts: Counts) -> Self {
        let process = Process {
            pid: Some(puppet.pid()),
            comm: puppet.comm(),
        };
        add(self.processes.entry(process).or_default(), counts);
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
        puppet: &Puppet,
        direction: Direction,
        peer: impl Into<IpAddr>,
        port: u16,
        counts: Counts,
    ) -> Self {
        self.process(puppet, counts).peer(direction, peer, port, counts)
    }

    /// The counts of a process, zero if it is not there.
    pub fn of_process(&self, puppet: &Puppet) -> Counts {
        let found = self
            .processes
            .iter()
            .find(|(process, _)| process.pid == Some(puppet.pid()));
        found.map(|(_, counts)| *counts).unwrap_or_default()
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
        } = self;
        write!(
            f,
            "{open} open, {older} older, {opened} opened, {closed} closed, {failed} failed, {connecting} connecting"
        )
    }
}
