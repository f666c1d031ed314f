//! The books as people look at them: per process and per peer, with the ages of what is open.

use std::{collections::HashMap, hash::Hash, time::Duration};

use super::{
    connection::{Connection, PeerKey, ProcessId},
    group::{Aggregate, Table},
    ledger::Ledger,
    name::Comm,
    time::Time,
};

/// The age of an open connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    /// This old.
    pub span: Duration,
    /// Or older: it opened before anybody watched.
    pub at_least: bool,
}

impl Age {
    /// An age that is known.
    pub const fn exactly(span: Duration) -> Self {
        Self {
            span,
            at_least: false,
        }
    }
}

/// Ages of open connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ages {
    /// The oldest.
    pub oldest: Age,
    /// Half are younger.
    pub median: Age,
    /// Nine of ten are younger.
    pub p90: Age,
}

impl Ages {
    /// `None` if nothing is open.
    pub fn of(mut ages: Vec<Age>) -> Option<Self> {
        let oldest = ages.iter().max().copied()?;
        let mut quantile = |numerator: usize, denominator: usize| {
            let rank = (ages.len() * numerator).div_ceil(denominator).saturating_sub(1);
            *ages.select_nth_unstable(rank).1
        };
        Some(Self {
            oldest,
            median: quantile(1, 2),
            p90: quantile(9, 10),
        })
    }
}

/// One line of a view.
#[derive(Clone, Debug)]
pub struct Row<K> {
    /// The process or peer.
    pub key: K,
    /// Open now.
    pub open: u32,
    /// Attempts under way.
    pub connecting: u32,
    /// Opened while the tracer watched.
    pub opened: u64,
    /// Found open by a snapshot.
    pub older: u64,
    /// Ever closed.
    pub closed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Openings in the last minute.
    pub opened_per_minute: u32,
    /// Closes in the last minute.
    pub closed_per_minute: u32,
    /// Ages of what is open.
    pub ages: Option<Ages>,
    /// Median and 90th percentile of the lifetimes of what closed.
    pub lifetimes: Option<(Duration, Duration)>,
}

/// A process as a key of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessKey {
    /// Which.
    pub id: ProcessId,
    /// Its name.
    pub comm: Comm,
}

/// The rows per process, the fullest first, at most `limit` of them, and how many there are in all.
pub fn per_process(ledger: &Ledger, now: Time, limit: usize) -> (Vec<Row<ProcessKey>>, usize) {
    let rows = rows(ledger, ledger.processes(), now, limit, |connection| {
        connection.group.process
    });
    let named = rows
        .into_iter()
        .map(|row| {
            row.with_key(|id| ProcessKey {
                id,
                comm: ledger.name(id),
            })
        })
        .collect();
    (named, ledger.processes().len())
}

/// The rows per peer, the fullest first, at most `limit` of them, and how many there are in all.
pub fn per_peer(ledger: &Ledger, now: Time, limit: usize) -> (Vec<Row<PeerKey>>, usize) {
    let rows = rows(ledger, ledger.peers(), now, limit, |connection| {
        connection.group.peer_key()
    });
    (rows, ledger.peers().len())
}

fn rows<K: Eq + Hash + Ord + Copy>(
    ledger: &Ledger,
    table: &Table<K, Aggregate>,
    now: Time,
    limit: usize,
    key_of: impl Fn(&Connection) -> K,
) -> Vec<Row<K>> {
    let mut rows: Vec<Row<K>> = table
        .iter()
        .map(|(key, aggregate)| row(*key, aggregate, now))
        .collect();
    rows.sort_unstable_by_key(|row| (std::cmp::Reverse((row.open, row.opened)), row.key));
    rows.truncate(limit);
    let mut ages: HashMap<K, Vec<Age>> = rows.iter().map(|row| (row.key, Vec::new())).collect();
    for (_, connection) in ledger
        .connections()
        .filter(|(_, connection)| connection.phase.is_held())
    {
        if let Some(ages) = ages.get_mut(&key_of(connection)) {
            ages.push(Age {
                span: now.since(connection.opened),
                at_least: connection.older,
            });
        }
    }
    for row in &mut rows {
        row.ages = ages.remove(&row.key).and_then(Ages::of);
    }
    rows
}

fn row<K>(key: K, aggregate: &Aggregate, now: Time) -> Row<K> {
    let Aggregate {
        tally,
        lifetimes,
        touched: _,
    } = aggregate;
    Row {
        key,
        open: tally.open,
        connecting: tally.connecting,
        opened: tally.opened,
        older: tally.older,
        closed: tally.closed,
        failed: tally.failed,
        opened_per_minute: tally.opened_rate.per_minute(now),
        closed_per_minute: tally.closed_rate.per_minute(now),
        ages: None,
        lifetimes: lifetimes.quantile(0.5).zip(lifetimes.quantile(0.9)),
    }
}

impl<K> Row<K> {
    fn with_key<L>(self, change: impl FnOnce(K) -> L) -> Row<L> {
        let Self {
            key,
            open,
            connecting,
            opened,
            older,
            closed,
            failed,
            opened_per_minute,
            closed_per_minute,
            ages,
            lifetimes,
        } = self;
        Row {
            key: change(key),
            open,
            connecting,
            opened,
            older,
            closed,
            failed,
            opened_per_minute,
            closed_per_minute,
            ages,
            lifetimes,
        }
    }
}
