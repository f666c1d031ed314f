//! The books: every connection that the events told of, and the counts of the groups they form.

use std::{collections::BTreeMap, time::Duration};

use foldhash::{HashMap, HashSet};

mod counting;
mod record;
mod recorded;
mod stacks;
mod store;
mod transitions;

use record::Record;
use store::Connections;

pub(super) use transitions::Entrance;

use super::{
    budget::{Budget, Standing},
    connection::{Connection, ConnectionId, Direction, GroupKey, Peer, PeerKey, Phases, ProcessId},
    event::{EndCause, Event, EventKind},
    fact::Fact,
    group::{Aggregate, Group, Table},
    listener::ListeningSocket,
    name::Comm,
    snapshot::Descriptors,
    tally::Tally,
    time::Time,
};

/// How much the ledger may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections.
    pub connections: usize,
    /// Groups, and likewise processes and peers.
    pub groups: usize,
    /// How long a group in which nothing is open is remembered.
    pub retention: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1 << 17,
            groups: 1 << 14,
            retention: Duration::from_mins(10),
        }
    }
}

/// Events that did not fit the books. None of them is an error of the traced programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Irregularities {
    /// Events of connections whose opening was never told.
    pub orphans: u64,
    /// Second openings of a known connection.
    pub duplicates: u64,
    /// Ends that were inferred, not observed.
    pub unobserved: u64,
    /// Connections not entered because the ledger was full.
    pub untracked: u64,
    /// Connections counted under `other` because a table was full.
    pub overflowed: u64,
    /// Held connections that the kernel side had no room for, by the last snapshot.
    pub unlisted: u64,
}

/// How long a close may precede its opening: events of different CPUs can be a little out of order.
const REORDERING: Duration = Duration::from_secs(5);
/// Closes kept for that long, at most.
const EARLY_LIMIT: usize = 1024;
/// Ends remembered that were inferred, at most.
const INFERRED_LIMIT: usize = 1024;
/// How long a released connection is kept for its end: more than the kernel lingers (`tcp_retries2`, about 15 min).
const LINGER: Duration = Duration::from_mins(20);

/// A close that came before its opening.
#[derive(Clone, Copy)]
pub(super) struct EarlyClose {
    at: Time,
    /// Whether the socket was connected at that moment.
    connected: bool,
}

/// The books.
pub struct Ledger {
    pub(super) limits: Limits,
    pub(super) connections: Connections,
    groups: Table<GroupKey, Group>,
    processes: Table<ProcessId, Aggregate>,
    peers: Table<PeerKey, Aggregate>,
    pub(super) names: HashMap<ProcessId, Comm>,
    pub(super) early: HashMap<ConnectionId, EarlyClose>,
    /// Connections that ended by inference, and when: the kernel may tell of them yet, for it lets the connections of
    /// Multipath TCP go long after the descriptor (`__mptcp_close` in `net/mptcp/protocol.c` waits for the other end).
    inferred: HashMap<ConnectionId, Time>,
    failures: BTreeMap<u16, u64>,
    total: Tally,
    pub(super) irregularities: Irregularities,
    /// Connections that ended since a snapshot began, while one is being read.
    pub(super) ended_meanwhile: Option<HashSet<ConnectionId>>,
    /// Connections that a snapshot found and no filter lets in: the kernel side follows them all the same.
    pub(super) unwatched: HashSet<ConnectionId>,
    /// Connections that the last snapshot missed.
    pub(super) missing: HashSet<ConnectionId>,
    /// Listening sockets of the last snapshot.
    pub(super) listeners: Vec<ListeningSocket>,
    /// Descriptor tables of the last snapshot, and what they were before.
    pub(super) budgets: HashMap<ProcessId, Budget>,
    /// Connections that were open then.
    pub(super) open_at_snapshot: HashMap<ProcessId, u32>,
    /// When the last snapshot was entered.
    pub(super) compared: Option<Time>,
    /// Whether anybody tells what connections carry.
    pub(super) tells_traffic: bool,
    /// Processes that are known to have exited, of those that are in the books.
    exited: HashSet<ProcessId>,
    /// What the stacks look like that opened connections.
    stacks: stacks::Stacks,
    /// Whether somebody keeps a journal.
    is_journaled: bool,
}

impl Ledger {
    /// Empty books.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            connections: Connections::default(),
            groups: Table::new(limits.groups),
            processes: Table::new(limits.groups),
            peers: Table::new(limits.groups),
            names: HashMap::default(),
            early: HashMap::default(),
            inferred: HashMap::default(),
            failures: BTreeMap::new(),
            total: Tally::default(),
            irregularities: Irregularities::default(),
            ended_meanwhile: None,
            missing: HashSet::default(),
            unwatched: HashSet::default(),
            listeners: Vec::new(),
            budgets: HashMap::default(),
            open_at_snapshot: HashMap::default(),
            compared: None,
            tells_traffic: false,
            exited: HashSet::default(),
            stacks: stacks::Stacks::default(),
            is_journaled: false,
        }
    }

    /// Enters an event, and appends to `facts` what a detector wants to know. Any order, any repetition and any
    /// gap is survived.
    pub fn apply(&mut self, event: &Event, facts: &mut Vec<Fact>) {
        if self.unwatched.contains(&event.id) {
            match event.kind {
                EventKind::State(_) | EventKind::Released { .. } => return,
                EventKind::Ended(_) => {
                    self.unwatched.remove(&event.id);
                    return;
                }
                // A hook that came an instant later knows better.
                EventKind::Opened(_) => {
                    self.unwatched.remove(&event.id);
                }
            }
        }
        match event.kind {
            EventKind::Opened(opening) => self.opened(event.id, event.at, opening, facts),
            EventKind::State(change) => self.state_changed(event.id, event.at, change, facts),
            EventKind::Released { connected } => self.released(event.id, event.at, connected, facts),
            EventKind::Ended(cause) => self.ended(event.id, event.at, cause, facts),
        }
    }

    /// Forgets what time has made worthless. To be called about once a second.
    pub fn tick(&mut self, now: Time) {
        let before = self.early.len();
        self.early.retain(|_, close| now.since(close.at) < REORDERING);
        self.irregularities.orphans += (before - self.early.len()) as u64;
        self.inferred.retain(|_, ended| now.since(*ended) < LINGER);
        self.connections.forget_released(now, LINGER);
        let stale = now.earlier(self.limits.retention);
        for group in self.groups.forget_stale(stale) {
            self.connections.forget_group(&group);
        }
        self.peers.forget_stale(stale);
        for process in self.processes.forget_stale(stale) {
            self.names.remove(&process);
            self.exited.remove(&process);
        }
    }

    /// Tells every change from now on, also those that no detector asks for.
    pub fn keep_journal(&mut self) {
        self.is_journaled = true;
    }

    /// Tells a change to whoever keeps a journal.
    pub(super) fn note(&self, fact: Fact, facts: &mut Vec<Fact>) {
        if self.is_journaled {
            facts.push(fact);
        }
    }

    /// Whether nothing was ever told of a connection, and nobody is reading a snapshot, which may know it.
    pub fn is_stranger(&self, id: ConnectionId) -> bool {
        self.ended_meanwhile.is_none()
            && !self.knows(id)
            && !self.unwatched.contains(&id)
            && !self.early.contains_key(&id)
    }

    /// Whether a connection is in the books.
    pub(super) fn knows(&self, id: ConnectionId) -> bool {
        self.connections.contains(id)
    }

    /// Ends a connection that no descriptor holds any more, although nobody told.
    pub(super) fn end_unheld(&mut self, id: ConnectionId, at: Time, facts: &mut Vec<Fact>) {
        self.ended(id, at, EndCause::Unobserved, facts);
    }

    /// All connections that were not forgotten yet, released ones included; in no order.
    pub fn connections(&self) -> impl Iterator<Item = (ConnectionId, Connection)> {
        self.unpacked(self.connections.iter())
    }

    /// The connections of a group that are not released, in no order.
    pub fn of_group(&self, group: GroupKey) -> impl Iterator<Item = (ConnectionId, Connection)> {
        self.unpacked(self.connections.of_group(group))
    }

    /// The connections of a process in one direction that are not released, in no order.
    pub fn of_process(
        &self,
        process: ProcessId,
        direction: Direction,
    ) -> impl Iterator<Item = (ConnectionId, Connection)> {
        self.unpacked(self.connections.of_process(process, direction))
    }

    /// The connections with a peer in one direction that are not released, in no order.
    pub fn of_peer(
        &self,
        direction: Direction,
        peer: Peer,
    ) -> impl Iterator<Item = (ConnectionId, Connection)> {
        self.unpacked(self.connections.of_peer(direction, peer))
    }

    fn unpacked<'a>(
        &'a self,
        records: impl Iterator<Item = &'a Record>,
    ) -> impl Iterator<Item = (ConnectionId, Connection)> {
        records.map(|record| (record.id, self.connections.unpack(record)))
    }

    /// A connection, if it is in the books.
    pub fn connection(&self, id: ConnectionId) -> Option<Connection> {
        let record = self.connections.get(id)?;
        Some(self.connections.unpack(record))
    }

    /// The phases of all connections.
    pub fn phases(&self) -> Phases {
        Phases::of(self.connections.iter().map(|record| record.phase))
    }

    /// Whether anybody tells what connections carry: if so, one of which nothing is told carries nothing.
    pub fn tells_traffic(&self) -> bool {
        self.tells_traffic
    }

    /// When the last snapshot was entered.
    pub fn compared(&self) -> Option<Time> {
        self.compared
    }

    /// Whether the last snapshot missed a connection: it has probably closed.
    pub fn misses(&self, id: ConnectionId) -> bool {
        self.missing.contains(&id)
    }

    /// The connections that the last snapshot missed, in no order.
    pub fn missing(&self) -> impl Iterator<Item = ConnectionId> {
        self.missing.iter().copied()
    }

    /// The groups.
    pub fn groups(&self) -> &Table<GroupKey, Group> {
        &self.groups
    }

    /// The processes.
    pub fn processes(&self) -> &Table<ProcessId, Aggregate> {
        &self.processes
    }

    /// The peers.
    pub fn peers(&self) -> &Table<PeerKey, Aggregate> {
        &self.peers
    }

    /// The listening sockets of the last snapshot, in a fixed order.
    pub fn listeners(&self) -> &[ListeningSocket] {
        &self.listeners
    }

    /// The descriptor table of a process, as the last snapshot found it.
    pub fn descriptors(&self, process: ProcessId) -> Option<&Descriptors> {
        self.budgets.get(&process).map(Budget::last)
    }

    /// What a process has left of its descriptors, at this moment.
    pub fn budget(&self, process: ProcessId, now: Time) -> Option<Standing> {
        Some(self.budgets.get(&process)?.standing(self.open_of(process), now))
    }

    /// What the processes have left of their descriptors whose tables are known, in no order.
    pub fn standings(&self, now: Time) -> impl Iterator<Item = (ProcessId, Standing)> {
        self.budgets
            .iter()
            .map(move |(process, budget)| (*process, budget.standing(self.open_of(*process), now)))
    }

    /// The processes whose descriptor table is known, in no order.
    pub fn budgeted(&self) -> impl Iterator<Item = ProcessId> {
        self.budgets.keys().copied()
    }

    fn open_of(&self, process: ProcessId) -> u32 {
        self.processes
            .get(&process)
            .map_or(0, |process| process.tally.open)
    }

    /// Notes that a process has exited. What it held, the events tell.
    pub fn note_exit(&mut self, process: ProcessId) {
        if self.processes.get(&process).is_some() {
            self.exited.insert(process);
        }
        self.budgets.remove(&process);
    }

    /// Whether a process is known to have exited.
    pub fn has_exited(&self, process: ProcessId) -> bool {
        self.exited.contains(&process)
    }

    /// Whether a process has used up its descriptors, by the books, since they were last counted; or has so many more
    /// connections by now that they should be.
    pub fn has_outgrown_snapshot(&self, now: Time) -> bool {
        /// So many connections are worth a look, and then each doubling.
        const MANY: u32 = 32;
        let has_doubled = |(process, entry): (&ProcessId, &Aggregate)| {
            let before = self.open_at_snapshot.get(process).copied().unwrap_or(0);
            entry.tally.open >= MANY.max(before.saturating_mul(2))
        };
        let is_exhausted = |(process, budget): (&ProcessId, &Budget)| {
            let standing = self.budget(*process, now);
            !budget.is_exhausted() && standing.is_some_and(|standing| standing.is_exhausted())
        };
        self.budgets.iter().any(is_exhausted) || self.processes.iter().any(has_doubled)
    }

    /// Whether a process that listens had no descriptor left when they were last counted: its queue may be filling.
    pub fn has_exhausted_server(&self) -> bool {
        self.listeners
            .iter()
            .flat_map(|listener| &listener.holders)
            .any(|(process, _)| self.budgets.get(process).is_some_and(Budget::is_exhausted))
    }

    /// The name of a process, empty if unknown.
    pub fn name(&self, process: ProcessId) -> Comm {
        self.names.get(&process).copied().unwrap_or_default()
    }

    /// The counts of everything.
    pub fn total(&self) -> &Tally {
        &self.total
    }

    /// Failed attempts by errno; 0 stands for attempts given up by the process.
    pub fn failures(&self) -> &BTreeMap<u16, u64> {
        &self.failures
    }

    /// Events that did not fit.
    pub fn irregularities(&self) -> Irregularities {
        self.irregularities
    }
}
