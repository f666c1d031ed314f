//! Tables of tallies, bounded.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

use super::{
    tally::{Lifetimes, Tally},
    time::Time,
    trend::Trend,
};

/// What is known of a group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Its counts.
    pub tally: Tally,
    /// When anything last happened in it.
    pub touched: Time,
}

/// What is known of a process or of a peer: the sum over its groups.
#[derive(Clone, Default)]
pub struct Aggregate {
    /// Its counts.
    pub tally: Tally,
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
    /// Whether nothing is open in it and nothing happened since `before`.
    fn is_stale(&self, before: Time) -> bool;
}

impl Entry for Group {
    fn is_stale(&self, before: Time) -> bool {
        self.tally.is_idle() && self.touched < before
    }
}

impl Entry for Aggregate {
    fn is_stale(&self, before: Time) -> bool {
        self.tally.is_idle() && self.touched < before
    }
}

/// A map that never holds more than its limit.
pub struct Table<K, V> {
    entries: HashMap<K, V>,
    limit: usize,
}

impl<K: Eq + Hash + Copy, V: Entry> Table<K, V> {
    /// An empty table for at most `limit` entries.
    pub fn new(limit: usize) -> Self {
        Self {
            entries: HashMap::new(),
            limit,
        }
    }

    /// The key under which something belongs: `wanted` if it is there or finds room, else `otherwise`. The fallback
    /// keys are few, so they are always let in.
    pub fn place(&self, wanted: K, otherwise: K) -> K {
        if self.entries.len() < self.limit || self.entries.contains_key(&wanted) {
            wanted
        } else {
            otherwise
        }
    }

    /// The entry, made if need be.
    pub fn entry(&mut self, key: K) -> &mut V {
        self.entries.entry(key).or_default()
    }

    /// The entry, if it is there.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    /// All entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets entries in which nothing is open and nothing happened since `before`; gives their keys.
    pub fn forget_stale(&mut self, before: Time) -> Vec<K> {
        let stale: Vec<K> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.is_stale(before))
            .map(|(key, _)| *key)
            .collect();
        for key in &stale {
            self.entries.remove(key);
        }
        stale
    }
}
