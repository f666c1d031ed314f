//! Where a connection counts.

use super::Ledger;
use crate::model::{
    connection::{ConnectionId, GroupKey, Peer, Phase, ProcessId},
    event::Opening,
    fact::{Fact, Life},
    group::Aggregate,
    name::Comm,
    short::Short,
    slab::NONE,
    tally::Tally,
    time::Time,
};

impl Ledger {
    /// Where a new connection is counted: its own group, or `other` where a table is full.
    pub(super) fn place(&mut self, opening: Opening) -> GroupKey {
        self.place_group(opening.group(), opening.comm)
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
        let Some(record) = self.connections.get(id) else {
            return;
        };
        let (from, phase, life) = (self.connections.group(record), record.phase, record.life());
        if matches!(phase, Phase::Failed(_) | Phase::Released) {
            return;
        }
        let (process, comm) = to;
        let group = self.place_group(GroupKey { process, ..from }, comm);
        if group == from {
            return;
        }
        self.connections.move_to(id, group);
        // It is the same connection for the host, and, unless a table was full, for its peer.
        let (out, into) = (self.spot(from), self.spot(group));
        if let Some(entry) = self.groups.at(out.group) {
            entry.tally.give(phase);
            entry.touched = entry.touched.max(at);
        }
        if let Some(entry) = self.groups.at(into.group) {
            entry.tally.receive(phase);
            entry.touched = entry.touched.max(at);
        }
        let move_over =
            |from: Option<&mut Aggregate>| from.into_iter().for_each(|from| give(from, phase, at));
        let take_over = |to: Option<&mut Aggregate>| to.into_iter().for_each(|to| receive(to, phase, at));
        if out.process != into.process {
            move_over(self.processes.at(out.process));
            take_over(self.processes.at(into.process));
        }
        if out.peer != into.peer {
            move_over(self.peers.at(out.peer));
            take_over(self.peers.at(into.peer));
        }
        self.settle(out);
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

    /// A connection of this group is open: one that was an attempt before, or not.
    pub(super) fn count_open(
        &mut self,
        id: ConnectionId,
        (group, was_attempt): (GroupKey, bool),
        at: Time,
        facts: &mut Vec<Fact>,
    ) {
        let spot = self.each_tally(group, at, |tally| {
            if was_attempt {
                tally.attempt_over(false);
            }
            tally.open();
        });
        for aggregate in self.aggregates(spot) {
            aggregate.opened_rate.add(at);
            aggregate.trend.rise(at);
        }
        facts.push(Fact::Opened { id, group, at });
    }

    pub(super) fn count_close(
        &mut self,
        id: ConnectionId,
        (group, opened, life): (GroupKey, Time, Life),
        at: Time,
        facts: &mut Vec<Fact>,
    ) {
        let spot = self.each_tally(group, at, Tally::close);
        let lifetime = at.since(opened);
        for aggregate in self.aggregates(spot) {
            aggregate.closed_rate.add(at);
            aggregate.trend.fall(at);
            aggregate.lifetimes.add(lifetime);
        }
        facts.push(Fact::Closed { id, group, at, life });
    }

    /// Counts connections that need no entry: nothing is left of them.
    pub fn count_short(&mut self, short: &Short, facts: &mut Vec<Fact>) {
        let Short {
            count,
            gone,
            first,
            last,
            ref lifetimes,
            ..
        } = *short;
        let overflowed = self.irregularities.overflowed;
        let group = self.place(short.opening);
        if self.irregularities.overflowed > overflowed {
            self.irregularities.overflowed = overflowed + u64::from(count);
        }
        let spot = self.each_tally(group, last, |tally| tally.pass(count));
        for aggregate in self.aggregates(spot) {
            aggregate.opened_rate.add_all(count, first);
            aggregate.closed_rate.add_all(count, last);
            aggregate.trend.pass(last, count);
            aggregate.lifetimes.add_all(lifetimes);
        }
        facts.push(Fact::Short {
            group,
            count,
            gone,
            first,
            last,
        });
    }

    pub(super) fn count_failure(&mut self, group: GroupKey, at: Time, error: u16) {
        let spot = self.each_tally(group, at, |tally| tally.attempt_over(true));
        for aggregate in self.aggregates(spot) {
            *aggregate.failures.entry(error).or_default() += 1;
        }
        *self.failures.entry(error).or_default() += 1;
    }

    /// Changes all counts of a group; gives where they are.
    pub(super) fn each_tally(&mut self, group: GroupKey, at: Time, change: impl Fn(&mut Tally)) -> Spot {
        let spot = self.spot(group);
        if let Some(entry) = self.groups.at(spot.group) {
            change(&mut entry.tally);
            entry.touched = entry.touched.max(at);
        }
        for aggregate in self.aggregates(spot) {
            change(&mut aggregate.tally);
            aggregate.touched = aggregate.touched.max(at);
            aggregate.trend.begin(at);
        }
        change(&mut self.total);
        self.settle(spot);
        spot
    }

    /// Where a group is counted; the entries are made if need be.
    fn spot(&mut self, group: GroupKey) -> Spot {
        let number = self.groups.number_or_new(group, NONE);
        let part_of = self.groups.at(number).map_or([NONE; 2], |entry| entry.part_of);
        let process = self.processes.number_or_new(group.process, part_of[0]);
        let peer = self.peers.number_or_new(group.peer_key(), part_of[1]);
        if let Some(entry) = self.groups.at(number) {
            entry.part_of = [process, peer];
        }
        Spot {
            group: number,
            process,
            peer,
        }
    }

    fn aggregates(&mut self, spot: Spot) -> impl Iterator<Item = &mut Aggregate> {
        let process = self.processes.at(spot.process);
        process.into_iter().chain(self.peers.at(spot.peer))
    }

    fn settle(&mut self, spot: Spot) {
        self.groups.settle(spot.group);
        self.processes.settle(spot.process);
        self.peers.settle(spot.peer);
    }
}

/// Where something is counted, in the tables of groups, processes and peers.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    group: u32,
    process: u32,
    peer: u32,
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
