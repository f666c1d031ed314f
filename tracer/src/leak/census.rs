//! The connections of a finding, summed up in one pass: there may be a million.

use std::collections::BTreeMap;

use super::evidence::Leak;
use crate::model::{
    connection::{Connection, ConnectionId, GroupKey, Phase, Phases},
    time::Time,
    view::Age,
};

/// `errno` of an attempt that nobody answered.
const ETIMEDOUT: u16 = 110;

/// What there is to say about them.
#[derive(Default)]
pub struct Census {
    /// How many there are.
    pub count: usize,
    /// The phases of those that are held.
    pub phases: Phases,
    /// Attempts that failed.
    pub failed: usize,
    /// Of these, those that nobody answered.
    pub unanswered: usize,
    /// Their ages.
    pub ages: Vec<Age>,
    /// How many each group has.
    pub groups: BTreeMap<GroupKey, u32>,
    /// The oldest, these first: [`Leak::SAMPLES`] at most.
    pub oldest: Vec<(ConnectionId, Connection)>,
}

impl Census {
    /// Of so many connections.
    pub fn of(connections: impl Iterator<Item = (ConnectionId, Connection)>, now: Time) -> Self {
        let mut census = Self::default();
        for (id, connection) in connections {
            census.count += 1;
            census.phases.add(connection.phase);
            if let Phase::Failed(error) = connection.phase {
                census.failed += 1;
                census.unanswered += usize::from(error == ETIMEDOUT);
            }
            census.ages.push(age(&connection, now));
            *census.groups.entry(connection.group).or_default() += 1;
            census.keep_if_old(id, connection);
        }
        census
    }

    /// How many there are of each of something that groups have.
    pub fn by<K: Ord>(&self, key_of: impl Fn(&GroupKey) -> K) -> BTreeMap<K, u32> {
        let mut counts: BTreeMap<K, u32> = BTreeMap::new();
        for (group, count) in &self.groups {
            *counts.entry(key_of(group)).or_default() += count;
        }
        counts
    }

    fn keep_if_old(&mut self, id: ConnectionId, connection: Connection) {
        let order = (connection.opened, id);
        let place = self
            .oldest
            .partition_point(|(id, older)| (older.opened, *id) < order);
        if place < Leak::SAMPLES {
            self.oldest.insert(place, (id, connection));
            self.oldest.truncate(Leak::SAMPLES);
        }
    }
}

/// How old a connection is.
pub fn age(connection: &Connection, now: Time) -> Age {
    Age {
        span: now.since(connection.opened),
        at_least: connection.older,
    }
}
