//! The books as people look at them: per process and per peer, with the ages of what is open.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    hash::Hash,
    net::SocketAddr,
    time::Duration,
};

use super::{
    budget::Standing,
    connection::{Connection, GroupKey, PeerKey, Phases, ProcessId},
    group::{Aggregate, Table},
    ledger::Ledger,
    name::Comm,
    tally::Tally,
    time::Time,
    trend::State,
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
    /// Its counts.
    pub counts: Counts,
}

/// The counts of one line.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Sums since the tracer started, and what is open now.
    pub tally: Tally,
    /// Openings in the last minute.
    pub opened_per_minute: u32,
    /// Closes in the last minute.
    pub closed_per_minute: u32,
    /// The phases of what is open.
    pub phases: Phases,
    /// Ages of what is open.
    pub ages: Option<Ages>,
    /// Median and 90th percentile of the lifetimes of what closed.
    pub lifetimes: Option<(Duration, Duration)>,
    /// Failed attempts by errno; 0 stands for those that the process gave up.
    pub failures: Vec<(u16, u64)>,
    /// Where the number of open ones is going.
    pub state: State,
}

/// A process in a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessKey {
    /// Which.
    pub id: ProcessId,
    /// Its name.
    pub comm: Comm,
    /// Its descriptors, if they were counted.
    pub standing: Option<Standing>,
}

/// The rows per process, the fullest first, at most `limit` of them, and how many there are in all.
pub fn per_process(ledger: &Ledger, now: Time, limit: usize) -> (Vec<Row<ProcessKey>>, usize) {
    let rows = rows(ledger, ledger.processes(), now, limit, |connection| {
        connection.group.process
    });
    let named = rows
        .into_iter()
        .map(|Row { key: id, counts }| Row {
            key: ProcessKey {
                id,
                comm: ledger.name(id),
                standing: ledger.budget(id, now),
            },
            counts,
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

/// Processes that opened what another one holds in the groups that `is_of` names, the most first, at most `limit` of
/// them. Looks at every connection there is.
pub fn openers(
    ledger: &Ledger,
    is_of: impl Fn(&GroupKey) -> bool,
    limit: usize,
) -> Vec<(ProcessId, Comm, u32)> {
    let openers = ledger.connections().filter_map(|(_, connection)| {
        let opener = connection.opener?;
        let is_handed_over =
            opener != connection.group.process && is_of(&connection.group) && connection.phase.is_held();
        is_handed_over.then_some(opener)
    });
    most(ledger, openers, limit)
}

/// The processes of this host that hold the other ends of what is held in the groups that `is_of` names, the most first,
/// at most `limit` of them. Looks at every connection there is.
pub fn other_ends(
    ledger: &Ledger,
    is_of: impl Fn(&GroupKey) -> bool,
    limit: usize,
) -> Vec<(ProcessId, Comm, u32)> {
    let held = || {
        ledger
            .connections()
            .filter(|(_, connection)| connection.phase.is_held())
    };
    let ours: HashSet<(SocketAddr, SocketAddr)> = held()
        .filter(|(_, connection)| is_of(&connection.group))
        .map(|(_, connection)| (connection.local, connection.peer))
        .collect();
    let theirs = held()
        .filter(|(_, other)| ours.contains(&(other.peer, other.local)))
        .map(|(_, other)| other.group.process);
    most(ledger, theirs, limit)
}

fn most(
    ledger: &Ledger,
    processes: impl Iterator<Item = ProcessId>,
    limit: usize,
) -> Vec<(ProcessId, Comm, u32)> {
    let mut counts: HashMap<ProcessId, u32> = HashMap::new();
    for process in processes {
        *counts.entry(process).or_default() += 1;
    }
    let mut counts: Vec<_> = counts
        .into_iter()
        .map(|(process, count)| (process, ledger.name(process), count))
        .collect();
    counts.sort_unstable_by_key(|(process, _, count)| (Reverse(*count), *process));
    counts.truncate(limit);
    counts
}

/// The phases of everything that is open.
pub fn phases(ledger: &Ledger) -> Phases {
    ledger.phases()
}

fn rows<K: Eq + Hash + Ord + Copy>(
    ledger: &Ledger,
    table: &Table<K, Aggregate>,
    now: Time,
    limit: usize,
    key_of: impl Fn(&Connection) -> K,
) -> Vec<Row<K>> {
    let mut fullest: Vec<(&K, &Aggregate)> = table.iter().collect();
    fullest.sort_unstable_by_key(|(key, aggregate)| {
        let tally = &aggregate.tally;
        (Reverse((tally.open, tally.unaccepted, tally.opened)), **key)
    });
    fullest.truncate(limit);
    let mut open: HashMap<K, (Phases, Vec<Age>)> = fullest
        .iter()
        .map(|(key, _)| (**key, Default::default()))
        .collect();
    for (_, connection) in ledger
        .connections()
        .filter(|(_, connection)| connection.phase.is_held())
    {
        if let Some((phases, ages)) = open.get_mut(&key_of(&connection)) {
            phases.add(connection.phase);
            ages.push(Age {
                span: now.since(connection.opened),
                at_least: connection.older,
            });
        }
    }
    fullest
        .into_iter()
        .map(|(key, aggregate)| {
            let (phases, ages) = open.remove(key).unwrap_or_default();
            Row {
                key: *key,
                counts: counts(aggregate, phases, ages, now),
            }
        })
        .collect()
}

fn counts(aggregate: &Aggregate, phases: Phases, ages: Vec<Age>, now: Time) -> Counts {
    let Aggregate {
        tally,
        opened_rate,
        closed_rate,
        lifetimes,
        failures,
        trend,
        touched: _,
    } = aggregate;
    Counts {
        opened_per_minute: opened_rate.per_minute(now),
        closed_per_minute: closed_rate.per_minute(now),
        tally: tally.clone(),
        phases,
        ages: Ages::of(ages),
        lifetimes: lifetimes.quantile(0.5).zip(lifetimes.quantile(0.9)),
        failures: failures.iter().map(|(errno, count)| (*errno, *count)).collect(),
        state: trend.state(now),
    }
}
