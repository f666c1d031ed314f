//! What a recording tells, and no event: live it comes from snapshots, or is worked out.

use std::collections::HashSet;

use super::{Entrance, Ledger};
use crate::model::{
    connection::{ConnectionId, Direction, Phase, ProcessId, Traffic},
    event::Opening,
    fact::Fact,
    listener::ListeningSocket,
    name::Comm,
    tally::Tally,
    time::Time,
};

impl Ledger {
    /// The phase of a connection that is in the books.
    pub fn phase(&self, id: ConnectionId) -> Option<Phase> {
        self.connections.get(id).map(|record| record.phase)
    }

    /// Counts what was told of a connection whose opening was not.
    pub fn note_orphan(&mut self) {
        self.irregularities.orphans += 1;
    }

    /// Leaves a connection out, until it ends.
    pub fn disregard(&mut self, id: ConnectionId) {
        if self.unwatched.len() < self.limits.connections {
            self.unwatched.insert(id);
        }
    }

    /// Whether a connection is left out.
    pub fn disregards(&self, id: ConnectionId) -> bool {
        self.unwatched.contains(&id)
    }

    /// Enters a connection that no process has accepted, for who listens. `opening` is what accepting it would be.
    pub fn wait(&mut self, id: ConnectionId, opening: Opening, since: Time, facts: &mut Vec<Fact>) {
        if !self.knows(id) {
            self.enter(id, since, opening, Entrance::Waiting { given_up: false }, facts);
        }
    }

    /// Counts an attempt to connect that failed.
    pub fn fail(&mut self, opening: Opening, error: u16, at: Time) {
        let group = self.place(opening);
        self.each_tally(group, at, Tally::attempt);
        self.count_failure(group, at, error);
    }

    /// Keeps a connection with a process that holds it: these do, by their ids.
    pub fn hold(&mut self, id: ConnectionId, holders: &[(ProcessId, Comm)], at: Time, facts: &mut Vec<Fact>) {
        let Some((record, group)) = self.connections.get_mut(id) else {
            return;
        };
        record.holders = u16::try_from(holders.len()).unwrap_or(u16::MAX);
        let current = group.process;
        let is_held = holders.iter().any(|(process, _)| *process == current);
        if let Some(heir) = holders
            .first()
            .filter(|_| !is_held && current != ProcessId::OTHER)
        {
            self.hand_over(id, *heir, at, facts);
        }
    }

    /// What counts for a process and is not released, in the order of the ids.
    pub fn connections_of(&self, process: ProcessId) -> Vec<ConnectionId> {
        let entry = self.processes.get(&process);
        if entry.is_none_or(|entry| entry.tally.is_idle()) {
            return Vec::new();
        }
        let both = [Direction::Outbound, Direction::Inbound];
        let connections = both
            .into_iter()
            .flat_map(|direction| self.connections.of_process(process, direction));
        let mut ids: Vec<ConnectionId> = connections.map(|record| record.id).collect();
        ids.sort_unstable();
        ids
    }

    /// A process runs another program.
    pub fn rename(&mut self, process: ProcessId, comm: Comm) {
        if let Some(name) = self.names.get_mut(&process) {
            *name = comm;
        }
    }

    /// Notes what a connection has carried.
    pub fn carry(&mut self, id: ConnectionId, traffic: Traffic) {
        self.tells_traffic = true;
        if let Some((record, _)) = self.connections.get_mut(id) {
            record.carry(traffic);
        }
    }

    /// What a connection has carried, as far as that is known.
    pub fn traffic(&self, id: ConnectionId) -> Option<Traffic> {
        self.connections.get(id)?.traffic()
    }

    /// Enters the listening sockets and their queues, in the order of their numbers.
    pub fn set_listeners(&mut self, listeners: Vec<ListeningSocket>) {
        self.listeners = listeners;
    }

    /// Enters the connections that the kernel's tables do not show.
    pub fn set_missing(&mut self, missing: HashSet<ConnectionId>) {
        self.missing = missing;
    }

    /// What connections carry is told: one of which nothing is told carries nothing.
    pub fn expect_traffic(&mut self) {
        self.tells_traffic = true;
    }

    /// Forgets the descriptor tables of other processes than these.
    pub fn retain_descriptors(&mut self, keep: impl Fn(ProcessId) -> bool) {
        self.budgets.retain(|process, _| keep(*process));
    }

    /// Notes that the books were compared with the kernel's tables, as they were then.
    pub fn note_comparison(&mut self, began: Time) {
        self.compared = Some(began);
    }
}
