//! All watches: of groups, and of roll-ups that have more than one part.
//!
//! A process with one peer is the same connections as its group, and most are like that. So a group stands for its
//! roll-ups until a second one comes; then these begin with what the first has seen.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::watch::{Key, Watch};
use crate::model::{
    chain::Chain,
    connection::GroupKey,
    slab::{NONE, Slab},
    time::Time,
};

/// Watches are looked at in as many parts, one a second: each comes once in a period of the first scale.
pub const PHASES: u8 = 16;

/// All watches.
pub struct Watches {
    limit: usize,
    all: Slab<Watch>,
    groups: Index,
    /// Of processes, and of peers: the roll-up, or the group that is its only part.
    rollups: [Index; 2],
    /// Those of each phase.
    phases: [Chain; PHASES as usize],
    /// The phase of the next one.
    next: u8,
}

/// Where watches are, by their keys. Addresses are chosen by others: where they end up must not be known to them.
#[derive(Default)]
struct Index {
    numbers: HashTable<u32>,
    state: RandomState,
}

impl Watches {
    /// None, and at most so many.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            all: Slab::default(),
            groups: Index::default(),
            rollups: Default::default(),
            phases: Default::default(),
            next: 0,
        }
    }

    /// A watch.
    pub fn get(&self, number: u32) -> Option<&Watch> {
        self.all.get(number)
    }

    /// A watch.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut Watch> {
        self.all.get_mut(number)
    }

    /// The watches of a phase.
    pub fn of_phase(&self, phase: u8) -> impl Iterator<Item = u32> {
        let chain = self.phases.get(usize::from(phase)).copied().unwrap_or_default();
        chain
            .iter(&self.all, |watch| &watch.links)
            .map(|(number, _)| number)
    }

    /// The watches of a group and of the roll-ups that it is part of, made if there is room.
    pub fn of(&mut self, group: GroupKey, at: Time) -> [Option<u32>; 3] {
        let [key, process, peer] = Key::of(group);
        let number = match self.groups.find(&self.all, &key) {
            Some(number) => number,
            None if self.all.len() + 3 > self.limit => return [None; 3],
            None => self.add(key, [process, peer], at),
        };
        let rollups = self.all.get(number).map_or([NONE; 2], |watch| watch.rollups);
        let [process, peer] = rollups.map(|rollup| Some(rollup).filter(|rollup| *rollup != NONE));
        [Some(number), process, peer]
    }

    /// Forgets a watch.
    pub fn forget(&mut self, number: u32) {
        let Some(key) = self.all.get(number).map(|watch| watch.key) else {
            return;
        };
        let keys = match key {
            Key::Group(group) => Key::of(group),
            _ => [key; 3],
        };
        let [groups, processes, peers] = keys;
        self.groups.remove(&groups, number);
        for (index, key) in self.rollups.iter_mut().zip([processes, peers]) {
            index.remove(&key, number);
        }
        if let Some(watch) = self.all.get(number)
            && let Some(chain) = self.phases.get_mut(usize::from(watch.phase))
        {
            chain.remove(&mut self.all, number, |watch| &mut watch.links);
        }
        self.all.remove(number);
    }

    fn add(&mut self, key: Key, rollups: [Key; 2], at: Time) -> u32 {
        let known = [0, 1].map(|place| self.rollups[place].find(&self.all, &rollups[place]));
        // One for each key that is new, as if roll-ups were there from the beginning.
        let new = known.iter().filter(|known| known.is_none()).count();
        let phase = (usize::from(self.next) + new) % usize::from(PHASES);
        self.next = u8::try_from((phase + 1) % usize::from(PHASES)).unwrap_or(0);
        let number = self.insert(Watch::new(key, u8::try_from(phase).unwrap_or(0), at));
        self.groups.insert(&self.all, &key, number, |watch| watch.key);
        for place in [0, 1] {
            let (rollup, only) = (rollups[place], known[place]);
            let Some(only) = only else {
                self.rollups[place].insert(&self.all, &rollup, number, |watch| part(watch.key, place));
                continue;
            };
            let of_all = self.roll_up(place, rollup, only);
            if let Some(watch) = self.all.get_mut(number) {
                watch.rollups[place] = of_all;
            }
        }
        number
    }

    /// The watch of a roll-up that gets another part, where there is this one, or a group that was the only one.
    fn roll_up(&mut self, place: usize, rollup: Key, found: u32) -> u32 {
        let Some(watch) = self.all.get(found) else {
            return NONE;
        };
        if watch.key == rollup {
            return found;
        }
        let of_all = watch.rolled_up(rollup);
        let of_all = self.insert(of_all);
        if let Some(only) = self.all.get_mut(found) {
            only.rollups[place] = of_all;
        }
        self.rollups[place].remove(&rollup, found);
        self.rollups[place].insert(&self.all, &rollup, of_all, |watch| part(watch.key, place));
        of_all
    }

    fn insert(&mut self, watch: Watch) -> u32 {
        let phase = usize::from(watch.phase);
        let number = self.all.insert(watch);
        if let Some(chain) = self.phases.get_mut(phase) {
            chain.append(&mut self.all, number, |watch| &mut watch.links);
        }
        number
    }
}

/// The roll-up of a key by process (0) or by peer (1): itself, if it is one.
fn part(key: Key, place: usize) -> Key {
    match key {
        Key::Group(group) => Key::of(group)[1 + place],
        rollup => rollup,
    }
}

impl Index {
    /// What stands for a key.
    fn find(&self, watches: &Slab<Watch>, key: &Key) -> Option<u32> {
        let is_it = |number: &u32| {
            watches
                .get(*number)
                .is_some_and(|watch| is_found_by(key, &watch.key))
        };
        self.numbers.find(self.state.hash_one(key), is_it).copied()
    }

    fn insert(&mut self, watches: &Slab<Watch>, key: &Key, number: u32, key_of: impl Fn(&Watch) -> Key) {
        let state = &self.state;
        self.numbers.insert_unique(state.hash_one(key), number, |number| {
            watches
                .get(*number)
                .map_or(0, |watch| state.hash_one(key_of(watch)))
        });
    }

    /// Does nothing if another one stands there.
    fn remove(&mut self, key: &Key, number: u32) {
        if let Ok(found) = self
            .numbers
            .find_entry(self.state.hash_one(key), |other| *other == number)
        {
            found.remove();
        }
    }
}

/// Whether a watch is what a key finds: its own, or the only part of the roll-up.
fn is_found_by(key: &Key, own: &Key) -> bool {
    match own {
        Key::Group(group) => key.covers(group),
        rollup => rollup == key,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::model::{
        connection::{Direction, Peer, ProcessId},
        fact::{Life, Start},
    };

    fn group(pid: u32, peer: u8) -> GroupKey {
        GroupKey {
            process: ProcessId { pid, start: Time(1) },
            direction: Direction::Outbound,
            peer: Peer::Address(IpAddr::V4(Ipv4Addr::new(10, 0, 0, peer))),
            service_port: 80,
        }
    }

    fn open(watches: &mut Watches, group: GroupKey, count: u32) {
        let at = Time(1_000_000_000);
        for number in watches.of(group, at).into_iter().flatten() {
            for _ in 0..count {
                let life = Life {
                    opened: Start::Seen(at),
                    peer_gone: None,
                };
                watches.get_mut(number).unwrap().enter(life, at);
            }
        }
    }

    fn totals(watches: &Watches, group: GroupKey) -> Vec<u32> {
        let number = watches.groups.find(&watches.all, &Key::Group(group)).unwrap();
        let rollups = watches.get(number).unwrap().rollups;
        let known = [number, rollups[0], rollups[1]].map(|number| watches.get(number));
        known.into_iter().flatten().map(|watch| watch.all.total).collect()
    }

    #[test]
    fn a_rollup_begins_with_what_its_first_part_has_seen() {
        let mut watches = Watches::new(100);
        open(&mut watches, group(1, 1), 5);
        assert_eq!((watches.all.len(), totals(&watches, group(1, 1))), (1, vec![5]));
        // The same process with another peer: together they are a process, and each is alone with its peer.
        open(&mut watches, group(1, 2), 3);
        assert_eq!(watches.all.len(), 3);
        assert_eq!(totals(&watches, group(1, 1)), [5, 8]);
        assert_eq!(totals(&watches, group(1, 2)), [3, 8]);
        // Another process with a known peer.
        open(&mut watches, group(2, 2), 2);
        assert_eq!(totals(&watches, group(1, 2)), [3, 8, 5]);
        assert_eq!(totals(&watches, group(2, 2)), [2, 5]);
        open(&mut watches, group(1, 1), 1);
        assert_eq!(totals(&watches, group(1, 1)), [6, 9]);
    }

    #[test]
    fn what_is_forgotten_stands_for_nothing() {
        let mut watches = Watches::new(100);
        open(&mut watches, group(1, 1), 5);
        let [first, ..] = watches.of(group(1, 1), Time(0));
        watches.forget(first.unwrap());
        assert!(watches.all.is_empty());
        open(&mut watches, group(1, 2), 3);
        assert_eq!(totals(&watches, group(1, 2)), [3]);
        open(&mut watches, group(1, 1), 1);
        assert_eq!(totals(&watches, group(1, 1)), [1, 4]);
        assert_eq!((0..PHASES).flat_map(|phase| watches.of_phase(phase)).count(), 3);
    }

    #[test]
    fn there_are_no_more_than_fit() {
        let mut watches = Watches::new(5);
        for peer in 0..10 {
            open(&mut watches, group(1, peer), 1);
        }
        assert!(watches.all.len() <= 5, "{}", watches.all.len());
    }
}
