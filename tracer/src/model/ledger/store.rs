//! All connections, by their ids and by where they count.
//!
//! Who asks for the connections of a group, a process or a peer gets those, and looks at no other: a roll for each group,
//! and chains of rolls for each process and each peer.

use std::{hash::BuildHasher as _, time::Duration};

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable, hash_map::Entry};

use super::record::{Opener, Record};
use crate::model::{
    chain::{Chain, Links},
    connection::{Connection, ConnectionId, Direction, GroupKey, Peer, Phase, ProcessId},
    slab::{NONE, Slab},
    time::Time,
};

/// The connections of a group.
#[derive(Debug)]
struct Roll {
    key: GroupKey,
    /// Those that are not released.
    chain: Chain,
    /// All of them.
    count: u32,
    /// Whether the roll is needed for what is on it only: the books have forgotten the group.
    is_forgotten: bool,
    in_process: Links,
    in_peer: Links,
}

/// All connections.
#[derive(Default)]
pub(in crate::model) struct Connections {
    records: Slab<Record>,
    by_id: HashTable<u32>,
    rolls: Slab<Roll>,
    by_group: HashTable<u32>,
    by_process: HashMap<(ProcessId, Direction), Chain, RandomState>,
    by_peer: HashMap<(Direction, Peer), Chain, RandomState>,
    /// In the order in which they were released.
    released: Chain,
    /// Who opened what others hold now.
    openers: HashMap<ConnectionId, ProcessId, RandomState>,
    /// Addresses are chosen by others: where they end up must not be known to them.
    state: RandomState,
}

impl Connections {
    /// How many there are.
    pub(in crate::model) fn len(&self) -> usize {
        self.records.len()
    }

    /// How many rolls there are.
    #[cfg(test)]
    pub(in crate::model) fn rolls(&self) -> usize {
        self.rolls.len()
    }

    /// A connection.
    pub(in crate::model) fn get(&self, id: ConnectionId) -> Option<&Record> {
        self.records.get(self.number(id)?)
    }

    /// A connection, and its group.
    pub(in crate::model) fn get_mut(&mut self, id: ConnectionId) -> Option<(&mut Record, GroupKey)> {
        let number = self.number(id)?;
        let record = self.records.get_mut(number)?;
        // Every connection is on a roll.
        let group = self.rolls.get(record.roll).map_or(NOWHERE, |roll| roll.key);
        Some((record, group))
    }

    /// Whether it is there.
    pub(in crate::model) fn contains(&self, id: ConnectionId) -> bool {
        self.number(id).is_some()
    }

    /// Enters a connection that is not there.
    pub(in crate::model) fn insert(&mut self, id: ConnectionId, connection: &Connection) {
        let record = Record::of(id, connection);
        let number = self.records.insert(record);
        if number == NONE {
            return;
        }
        let (records, state) = (&self.records, &self.state);
        self.by_id.insert_unique(state.hash_one(id.0), number, |number| {
            records
                .get(*number)
                .map_or(0, |record| state.hash_one(record.id.0))
        });
        self.attach(number, connection.group);
        self.note_opener(number, connection.opener);
    }

    /// Takes a connection out.
    pub(in crate::model) fn remove(&mut self, id: ConnectionId) -> bool {
        let hash = self.state.hash_one(id.0);
        let records = &self.records;
        let is_it = |number: &u32| records.get(*number).is_some_and(|record| record.id == id);
        let Ok(entry) = self.by_id.find_entry(hash, is_it) else {
            return false;
        };
        let (number, _) = entry.remove();
        self.detach(number);
        if let Some(record) = self.records.remove(number)
            && record.opener == Opener::Another
        {
            self.openers.remove(&id);
        }
        true
    }

    /// The process let go of a connection: it counts nowhere any more.
    pub(in crate::model) fn release(&mut self, id: ConnectionId, at: Time) {
        let Some(number) = self.number(id) else {
            return;
        };
        self.unchain(number);
        if let Some(record) = self.records.get_mut(number) {
            record.enter(Phase::Released, at);
        }
        self.released
            .append(&mut self.records, number, |record| &mut record.links);
    }

    /// Forgets what was released that long ago.
    pub(in crate::model) fn forget_released(&mut self, now: Time, linger: Duration) {
        while let Some(oldest) = self.records.get(self.released.first())
            && now.since(oldest.phase_since) >= linger
        {
            let id = oldest.id;
            self.remove(id);
        }
    }

    /// A connection that is held counts elsewhere from now on.
    pub(in crate::model) fn move_to(&mut self, id: ConnectionId, group: GroupKey) {
        let Some(number) = self.number(id) else {
            return;
        };
        let opener = self.records.get(number).and_then(|record| self.opener(record));
        self.detach(number);
        self.attach(number, group);
        self.note_opener(number, opener);
    }

    /// The group of a connection.
    pub(in crate::model) fn group(&self, record: &Record) -> GroupKey {
        self.rolls.get(record.roll).map_or(NOWHERE, |roll| roll.key)
    }

    /// The connection, unpacked.
    pub(in crate::model) fn unpack(&self, record: &Record) -> Connection {
        record.unpack(self.group(record), self.opener(record))
    }

    /// All connections, in no order.
    pub(in crate::model) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().map(|(_, record)| record)
    }

    /// Those of a group that are not released.
    pub(in crate::model) fn of_group(&self, group: GroupKey) -> impl Iterator<Item = &Record> {
        let roll = self.roll(&group).and_then(|number| self.rolls.get(number));
        roll.into_iter().flat_map(move |roll| self.on(roll))
    }

    /// Those of a process in one direction that are not released.
    pub(in crate::model) fn of_process(
        &self,
        process: ProcessId,
        direction: Direction,
    ) -> impl Iterator<Item = &Record> {
        let chain = self.by_process.get(&(process, direction)).copied();
        let rolls = chain
            .unwrap_or_default()
            .iter(&self.rolls, |roll| &roll.in_process);
        rolls.flat_map(move |(_, roll)| self.on(roll))
    }

    /// Those with a peer in one direction that are not released.
    pub(in crate::model) fn of_peer(
        &self,
        direction: Direction,
        peer: Peer,
    ) -> impl Iterator<Item = &Record> {
        let chain = self.by_peer.get(&(direction, peer)).copied();
        let rolls = chain.unwrap_or_default().iter(&self.rolls, |roll| &roll.in_peer);
        rolls.flat_map(move |(_, roll)| self.on(roll))
    }

    fn on(&self, roll: &Roll) -> impl Iterator<Item = &Record> {
        let chain = roll.chain.iter(&self.records, |record| &record.links);
        chain.map(|(_, record)| record)
    }

    fn number(&self, id: ConnectionId) -> Option<u32> {
        let hash = self.state.hash_one(id.0);
        let is_it = |number: &u32| self.records.get(*number).is_some_and(|record| record.id == id);
        self.by_id.find(hash, is_it).copied()
    }

    fn roll(&self, group: &GroupKey) -> Option<u32> {
        let hash = self.state.hash_one(group);
        let is_it = |number: &u32| self.rolls.get(*number).is_some_and(|roll| roll.key == *group);
        self.by_group.find(hash, is_it).copied()
    }

    fn roll_or_new(&mut self, group: GroupKey) -> u32 {
        if let Some(number) = self.roll(&group) {
            return number;
        }
        let number = self.rolls.insert(Roll {
            key: group,
            chain: Chain::default(),
            count: 0,
            is_forgotten: false,
            in_process: Links::default(),
            in_peer: Links::default(),
        });
        let (rolls, state) = (&self.rolls, &self.state);
        self.by_group
            .insert_unique(state.hash_one(group), number, |number| {
                rolls.get(*number).map_or(0, |roll| state.hash_one(roll.key))
            });
        let (process, peer) = keys(&group);
        let chain = self.by_process.entry(process).or_default();
        chain.append(&mut self.rolls, number, |roll| &mut roll.in_process);
        let chain = self.by_peer.entry(peer).or_default();
        chain.append(&mut self.rolls, number, |roll| &mut roll.in_peer);
        number
    }

    /// The books forget a group: its roll goes with what is on it.
    pub(in crate::model) fn forget_group(&mut self, group: &GroupKey) {
        let Some(number) = self.roll(group) else {
            return;
        };
        if let Some(roll) = self.rolls.get_mut(number) {
            roll.is_forgotten = true;
        }
        self.drop_if_done(number);
    }

    /// Puts a record on the roll of a group that the books know.
    fn attach(&mut self, number: u32, group: GroupKey) {
        let to = self.roll_or_new(group);
        let Some(roll) = self.rolls.get_mut(to) else {
            return;
        };
        roll.count += 1;
        roll.is_forgotten = false;
        roll.chain
            .append(&mut self.records, number, |record| &mut record.links);
        if let Some(record) = self.records.get_mut(number) {
            record.roll = to;
        }
    }

    fn detach(&mut self, number: u32) {
        self.unchain(number);
        let Some(record) = self.records.get(number) else {
            return;
        };
        let from = record.roll;
        if let Some(roll) = self.rolls.get_mut(from) {
            roll.count -= 1;
        }
        self.drop_if_done(from);
    }

    /// Takes a record out of its chain, but not off its roll.
    fn unchain(&mut self, number: u32) {
        let Some(record) = self.records.get(number) else {
            return;
        };
        let chain = if record.phase == Phase::Released {
            Some(&mut self.released)
        } else {
            self.rolls.get_mut(record.roll).map(|roll| &mut roll.chain)
        };
        if let Some(chain) = chain {
            chain.remove(&mut self.records, number, |record| &mut record.links);
        }
    }

    fn drop_if_done(&mut self, number: u32) {
        let Some(roll) = self.rolls.get(number) else {
            return;
        };
        if roll.count > 0 || !roll.is_forgotten {
            return;
        }
        let group = roll.key;
        let rolls = &self.rolls;
        let is_it = |number: &u32| rolls.get(*number).is_some_and(|roll| roll.key == group);
        if let Ok(entry) = self.by_group.find_entry(self.state.hash_one(group), is_it) {
            entry.remove();
        }
        let (process, peer) = keys(&group);
        if let Entry::Occupied(mut chain) = self.by_process.entry(process) {
            chain
                .get_mut()
                .remove(&mut self.rolls, number, |roll| &mut roll.in_process);
            if chain.get().is_empty() {
                chain.remove();
            }
        }
        if let Entry::Occupied(mut chain) = self.by_peer.entry(peer) {
            chain
                .get_mut()
                .remove(&mut self.rolls, number, |roll| &mut roll.in_peer);
            if chain.get().is_empty() {
                chain.remove();
            }
        }
        self.rolls.remove(number);
    }

    fn opener(&self, record: &Record) -> Option<ProcessId> {
        match record.opener {
            Opener::Unknown => None,
            Opener::Holder => Some(self.group(record).process),
            Opener::Another => self.openers.get(&record.id).copied(),
        }
    }

    fn note_opener(&mut self, number: u32, opener: Option<ProcessId>) {
        let Some(record) = self.records.get_mut(number) else {
            return;
        };
        let holder = self.rolls.get(record.roll).map(|roll| roll.key.process);
        if record.opener == Opener::Another {
            self.openers.remove(&record.id);
        }
        record.opener = match opener {
            None => Opener::Unknown,
            Some(opener) if Some(opener) == holder => Opener::Holder,
            Some(opener) => {
                self.openers.insert(record.id, opener);
                Opener::Another
            }
        };
    }
}

/// Of the chains that the roll of a group is in.
fn keys(group: &GroupKey) -> ((ProcessId, Direction), (Direction, Peer)) {
    ((group.process, group.direction), (group.direction, group.peer))
}

/// Where a connection would be that is on no roll.
const NOWHERE: GroupKey = GroupKey {
    process: ProcessId::OTHER,
    direction: Direction::Inbound,
    peer: Peer::Other,
    service_port: 0,
};
