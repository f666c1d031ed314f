//! Where a connection counts.

use super::Ledger;
use crate::model::{
    connection::{ConnectionId, GroupKey, Peer, Phase, ProcessId},
    event::Opening,
    fact::{Fact, Life},
    group::Aggregate,
    name::Comm,
    tally::Tally,
    time::Time,
    trend::Trend,
};

impl Ledger {
    /// Where a new connection is counted: its own group, or `other` where a table is full.
    pub(super) fn place(&mut self, opening: Opening) -> GroupKey {
        let wanted = GroupKey {
            process: opening.process,
            direction: opening.direction,
            peer: Peer::Address(opening.peer.ip()),
            service_port: opening.service_port(),
        };
        self.place_group(wanted, opening.comm)
    }

    fn place_group(&mut self, wanted: GroupKey, comm: Comm) -> GroupKey {
        let process = self.processes.place(wanted.process, ProcessId::OTHER);
        let wanted_here = GroupKey { process, ..wanted };
        // Without its port: one fallback per port would let a port scan outgrow the tables.
        let other = GroupKey {
            peer: Peer::Other,
            service_port: 0,
            ..wanted_here
        };
        let mut group = self.groups.place(wanted_here, other);
        let peer = group.peer_key();
        if self.peers.place(peer, other.peer_key()) != peer {
            group = other;
        }
        if group != wanted {
            self.irregularities.overflowed += 1;
        }
        if process == wanted.process {
            self.names.insert(process, comm);
        }
        group
    }

    /// The connection is held by another process than the one it counted for: it counts for that one from now on.
    pub(in crate::model) fn hand_over(
        &mut self,
        id: ConnectionId,
        to: (ProcessId, Comm),
        at: Time,
        facts: &mut Vec<Fact>,
    ) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let (from, phase, life) = (connection.group, connection.phase, connection.life);
        if matches!(phase, Phase::Failed(_) | Phase::Released) {
            return;
        }
        let (process, comm) = to;
        let group = self.place_group(GroupKey { process, ..from }, comm);
        if group == from {
            return;
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.group = group;
        }
        // It is the same connection for the host, and, unless a table was full, for its peer.
        let touched = |touched: &mut Time| *touched = (*touched).max(at);
        let entry = self.groups.entry(from);
        entry.tally.give(phase);
        touched(&mut entry.touched);
        let entry = self.groups.entry(group);
        entry.tally.receive(phase);
        touched(&mut entry.touched);
        if from.process != group.process {
            give(self.processes.entry(from.process), phase, at);
            receive(self.processes.entry(group.process), phase, at);
        }
        if from.peer_key() != group.peer_key() {
            give(self.peers.entry(from.peer_key()), phase, at);
            receive(self.peers.entry(group.peer_key()), phase, at);
        }
        if phase.is_held() {
            facts.push(Fact::Moved {
                id,
                from,
                to: group,
                at,
                life,
            });
        } else {
            self.note(Fact::Passed { id, at }, facts);
        }
    }

    pub(super) fn count_open(&mut self, id: ConnectionId, group: GroupKey, at: Time, facts: &mut Vec<Fact>) {
        self.each_tally(group, at, |tally| tally.open(at));
        self.each_trend(group, |trend| trend.rise(at));
        facts.push(Fact::Opened { id, group, at });
    }

    pub(super) fn count_close(
        &mut self,
        id: ConnectionId,
        (group, opened, life): (GroupKey, Time, Life),
        at: Time,
        facts: &mut Vec<Fact>,
    ) {
        self.each_tally(group, at, |tally| tally.close(at));
        self.each_trend(group, |trend| trend.fall(at));
        let lifetime = at.since(opened);
        self.processes.entry(group.process).lifetimes.add(lifetime);
        self.peers.entry(group.peer_key()).lifetimes.add(lifetime);
        facts.push(Fact::Closed { id, group, at, life });
    }

    pub(super) fn count_failure(&mut self, group: GroupKey, at: Time, error: u16) {
        self.each_tally(group, at, |tally| tally.attempt_over(true));
        for failures in [
            &mut self.processes.entry(group.process).failures,
            &mut self.peers.entry(group.peer_key()).failures,
            &mut self.failures,
        ] {
            *failures.entry(error).or_default() += 1;
        }
    }

    pub(super) fn each_tally(&mut self, group: GroupKey, at: Time, change: impl Fn(&mut Tally)) {
        let entry = self.groups.entry(group);
        change(&mut entry.tally);
        entry.touched = entry.touched.max(at);
        for aggregate in [
            self.processes.entry(group.process),
            self.peers.entry(group.peer_key()),
        ] {
            change(&mut aggregate.tally);
            aggregate.touched = aggregate.touched.max(at);
            aggregate.trend.begin(at);
        }
        change(&mut self.total);
    }

    fn each_trend(&mut self, group: GroupKey, change: impl Fn(&mut Trend)) {
        change(&mut self.processes.entry(group.process).trend);
        change(&mut self.peers.entry(group.peer_key()).trend);
    }
}

fn give(from: &mut Aggregate, phase: Phase, at: Time) {
    from.tally.give(phase);
    if phase.is_held() {
        from.trend.fall(at);
    }
}

fn receive(to: &mut Aggregate, phase: Phase, at: Time) {
    to.tally.receive(phase);
    if phase.is_held() {
        to.trend.rise(at);
    }
}
