//! Tables of tallies, bounded.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    hash::{BuildHasher as _, Hash},
};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{
    slab::{NONE, Slab},
    tally::{Lifetimes, Rate, Tally},
    time::Time,
    trend::Trend,
};

/// What is known of a group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its counts.
    pub tally: Tally,
    /// When anything last happened in it.
    pub touched: Time,
    /// Where its process and its peer were last found in their tables.
    pub(super) part_of: [u32; 2],
}

impl Default for Group {
    fn default() -> Self {
        Self {
            tally: Tally::default(),
            touched: Time::default(),
            part_of: [NONE; 2],
        }
    }
}

/// What is known of a process or of a peer: the sum over its groups.
#[derive(Clone, Default)]
pub struct Aggregate {
    /// Its counts.
    pub tally: Tally,
    /// Openings per minute.
    pub opened_rate: Rate,
    /// Closes per minute.
    pub closed_rate: Rate,
    /// How long its closed connections lived.
    pub lifetimes: Lifetimes,
    /// Failed attempts by errno; 0 stands for those that the process gave up.
    pub failures: BTreeMap<u16, u64>,
    /// Where the number of open ones is going.
    pub trend: Trend,
    /// When anything last happened in it.
    pub touched: Time,
}

/// Something in a [`Table`].
pub trait Entry: Default {
    /// Whether nothing is open in it.
    fn is_idle(&self) -> bool;

    /// When anything last happened in it.
    fn touched(&self) -> Time;
}

impl Entry for Group {
    fn is_idle(&self) -> bool {
        self.tally.is_idle()
    }

    fn touched(&self) -> Time {
        self.touched
    }
}

impl Entry for Aggregate {
    fn is_idle(&self) -> bool {
        self.tally.is_idle()
    }

    fn touched(&self) -> Time {
        self.touched
    }
}

/// A map that never holds more than its limit, give or take the few that are let in always.
pub struct Table<K, V> {
    entries: Slab<Keyed<K, V>>,
    index: HashTable<u32>,
    /// Those that were idle when they were [settled](Self::settle), by when they were last touched until then.
    idle: BinaryHeap<Reverse<(Time, u32)>>,
    /// Keys are chosen by others: where they end up must not be known to them.
    state: RandomState,
    limit: usize,
}

struct Keyed<K, V> {
    key: K,
    value: V,
    /// Whether it is among the idle ones.
    is_listed: bool,
}

impl<K: Eq + Hash + Copy, V: Entry> Table<K, V> {
    /// An empty table for at most `limit` entries.
    pub fn new(limit: usize) -> Self {
        Self {
            entries: Slab::default(),
            index: HashTable::new(),
            idle: BinaryHeap::new(),
            state: RandomState::default(),
            limit,
        }
    }

    /// The key under which something belongs: `wanted` if it is there or finds room, else `otherwise`. The fallback
    /// keys are few, so they are always let in.
    pub fn place(&self, wanted: K, otherwise: K) -> K {
        if self.index.len() < self.limit || self.number(&wanted).is_some() {
            wanted
        } else {
            otherwise
        }
    }

    /// The number of an entry, which is made if need be. It is probably this one.
    pub(super) fn number_or_new(&mut self, key: K, probably: u32) -> u32 {
        let is_it = self.entries.get(probably).is_some_and(|entry| entry.key == key);
        if is_it {
            return probably;
        }
        if let Some(number) = self.number(&key) {
            return number;
        }
        let number = self.entries.insert(Keyed {
            key,
            value: V::default(),
            is_listed: false,
        });
        let (entries, state) = (&self.entries, &self.state);
        self.index.insert_unique(state.hash_one(key), number, |number| {
            entries.get(*number).map_or(0, |entry| state.hash_one(entry.key))
        });
        number
    }

    /// The entry of that number.
    pub(super) fn at(&mut self, number: u32) -> Option<&mut V> {
        self.entries.get_mut(number).map(|entry| &mut entry.value)
    }

    /// To be called when an entry may have become idle.
    pub(super) fn settle(&mut self, number: u32) {
        if let Some(entry) = self.entries.get_mut(number)
            && !entry.is_listed
            && entry.value.is_idle()
        {
            entry.is_listed = true;
            self.idle.push(Reverse((entry.value.touched(), number)));
        }
    }

    /// The entry, if it is there.
    pub fn get(&self, key: &K) -> Option<&V> {
        Some(&self.entries.get(self.number(key)?)?.value)
    }

    /// All entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(_, entry)| (&entry.key, &entry.value))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Forgets entries in which nothing is open and nothing happened since `before`; gives their keys.
    pub fn forget_stale(&mut self, before: Time) -> Vec<K> {
        let mut stale = Vec::new();
        while let Some(Reverse((since, number))) = self.idle.peek().copied()
            && since < before
        {
            self.idle.pop();
            let Some(entry) = self.entries.get_mut(number) else {
                continue;
            };
            entry.is_listed = false;
            let (is_idle, touched) = (entry.value.is_idle(), entry.value.touched());
            if is_idle && touched < before {
                stale.push(entry.key);
                self.remove(number);
            } else {
                self.settle(number);
            }
        }
        stale
    }

    fn remove(&mut self, number: u32) {
        let Some(entry) = self.entries.remove(number) else {
            return;
        };
        if let Ok(found) = self
            .index
            .find_entry(self.state.hash_one(entry.key), |other| *other == number)
        {
            found.remove();
        }
    }

    fn number(&self, key: &K) -> Option<u32> {
        let is_it = |number: &u32| self.entries.get(*number).is_some_and(|entry| entry.key == *key);
        self.index.find(self.state.hash_one(key), is_it).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is idle for long is forgotten in time, and nothing else is.
        #[test]
        fn a_table_forgets_as_one_that_looks_at_everything(
            steps in prop::collection::vec((0_u8..8, any::<bool>(), 0_u64..30), 0..200),
        ) {
            let mut table: Table<u8, Group> = Table::new(8);
            let mut known: BTreeMap<u8, (bool, Time)> = BTreeMap::new();
            let mut now = Time(1);
            for (key, is_open, passed) in steps {
                now = now + Duration::from_secs(passed);
                let number = table.number_or_new(key, 3);
                let entry = table.at(number).unwrap();
                entry.tally.open = is_open.into();
                entry.touched = now;
                table.settle(number);
                known.insert(key, (is_open, now));
                let before = now.earlier(Duration::from_mins(1));
                let mut stale = table.forget_stale(before);
                stale.sort_unstable();
                let expected: Vec<u8> = known
                    .extract_if(.., |_, (is_open, touched)| !*is_open && *touched < before)
                    .map(|(key, _)| key)
                    .collect();
                prop_assert_eq!(stale, expected);
                let mut left: Vec<u8> = table.iter().map(|(key, _)| *key).collect();
                left.sort_unstable();
                prop_assert_eq!(left, known.keys().copied().collect::<Vec<u8>>());
                prop_assert_eq!(table.len(), known.len());
                prop_assert!(table.idle.len() <= table.len());
            }
        }
    }
}
