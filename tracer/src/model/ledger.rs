//! The books: every connection that the events told of, and the counts of the groups they form.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::SocketAddr,
    time::Duration,
};

use super::{
    connection::{Connection, ConnectionId, GroupKey, Peer, PeerKey, Phase, Phases, ProcessId},
    event::{EndCause, Event, EventKind, Opening, StateChange},
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

/// A change of the books that a detector wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A connection opened.
    Opened {
        /// In this group.
        group: GroupKey,
        /// When.
        at: Time,
    },
    /// A connection was found that had opened unseen.
    Found {
        /// In this group.
        group: GroupKey,
        /// It had opened then, or earlier.
        at: Time,
    },
    /// A connection closed.
    Closed {
        /// In this group.
        group: GroupKey,
        /// When.
        at: Time,
        /// When it had opened.
        opened: Time,
    },
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
}

/// How long a close may precede its opening: events of different CPUs can be a little out of order.
const REORDERING: Duration = Duration::from_secs(5);
/// Closes kept for that long, at most.
const EARLY_LIMIT: usize = 1024;
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
    connections: HashMap<ConnectionId, Connection>,
    groups: Table<GroupKey, Group>,
    processes: Table<ProcessId, Aggregate>,
    peers: Table<PeerKey, Aggregate>,
    names: HashMap<ProcessId, Comm>,
    pub(super) early: HashMap<ConnectionId, EarlyClose>,
    failures: BTreeMap<u16, u64>,
    total: Tally,
    irregularities: Irregularities,
    /// Connections that ended since a snapshot began, while one is being read.
    pub(super) ended_meanwhile: Option<HashSet<ConnectionId>>,
    /// Connections that a snapshot found and no filter lets in: the kernel side follows them all the same.
    pub(super) unwatched: HashSet<ConnectionId>,
    /// Connections that the last snapshot missed.
    pub(super) missing: HashSet<ConnectionId>,
    /// Listening sockets of the last snapshot.
    pub(super) listeners: Vec<ListeningSocket>,
    /// Descriptor tables of the last snapshot.
    pub(super) descriptors: HashMap<ProcessId, Descriptors>,
}

impl Ledger {
    /// Empty books.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            connections: HashMap::new(),
            groups: Table::new(limits.groups),
            processes: Table::new(limits.groups),
            peers: Table::new(limits.groups),
            names: HashMap::new(),
            early: HashMap::new(),
            failures: BTreeMap::new(),
            total: Tally::default(),
            irregularities: Irregularities::default(),
            ended_meanwhile: None,
            missing: HashSet::new(),
            unwatched: HashSet::new(),
            listeners: Vec::new(),
            descriptors: HashMap::new(),
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
        self.connections.retain(|_, connection| {
            connection.phase != Phase::Released || now.since(connection.phase_since) < LINGER
        });
        let stale = now.earlier(self.limits.retention);
        self.groups.forget_stale(stale);
        self.peers.forget_stale(stale);
        for process in self.processes.forget_stale(stale) {
            self.names.remove(&process);
        }
    }

    fn opened(&mut self, id: ConnectionId, at: Time, opening: Opening, facts: &mut Vec<Fact>) {
        match self.connections.get(&id) {
            // A snapshot came an instant before the hook: what it found is seen opening after all.
            Some(&Connection {
                older: true,
                group,
                phase,
                ..
            }) => {
                self.each_tally(group, at, |tally| tally.unfind(phase));
                self.connections.remove(&id);
            }
            Some(_) => {
                self.irregularities.duplicates += 1;
                return;
            }
            None => {}
        }
        self.enter(id, at, opening, false, facts);
    }

    /// Enters a connection that is not known yet; `older` if it was found, not seen opening.
    pub(super) fn enter(
        &mut self,
        id: ConnectionId,
        at: Time,
        opening: Opening,
        older: bool,
        facts: &mut Vec<Fact>,
    ) {
        if self.connections.len() >= self.limits.connections {
            self.irregularities.untracked += 1;
            return;
        }
        let group = self.place(opening);
        let phase = if opening.connecting {
            Phase::Connecting
        } else {
            Phase::Open
        };
        let Opening {
            local, peer, netns, ..
        } = opening;
        let connection = Connection {
            group,
            local,
            peer,
            netns,
            opener: (!older).then_some(opening.process),
            holders: 1,
            opened: at,
            older,
            phase,
            phase_since: at,
        };
        self.connections.insert(id, connection);
        if opening.connecting {
            self.each_tally(group, at, Tally::attempt);
        } else if older {
            self.each_tally(group, at, Tally::find);
            facts.push(Fact::Found { group, at });
        } else {
            self.count_open(group, at, facts);
        }
        if let Some(close) = self.early.remove(&id) {
            self.released(id, close.at.max(at), close.connected, facts);
        }
    }

    /// Whether a connection is in the books.
    pub(super) fn knows(&self, id: ConnectionId) -> bool {
        self.connections.contains_key(&id)
    }

    /// A connection in the books.
    pub(super) fn connection_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(&id)
    }

    /// Ends a connection that no descriptor holds any more, although nobody told.
    pub(super) fn end_unheld(&mut self, id: ConnectionId, at: Time, facts: &mut Vec<Fact>) {
        self.ended(id, at, EndCause::Unobserved, facts);
    }

    fn state_changed(&mut self, id: ConnectionId, at: Time, change: StateChange, facts: &mut Vec<Fact>) {
        if matches!(change, StateChange::PeerClosed | StateChange::ShutDown) {
            // Only connections get there, so the establishment was missed if it was not told.
            self.established(id, at, facts);
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            // While a snapshot is read, it may be of a socket whose row is not entered yet: no orphan.
            self.irregularities.orphans += u64::from(self.ended_meanwhile.is_none());
            return;
        };
        let group = connection.group;
        let before = connection.phase;
        let after = match (before, change) {
            (Phase::Connecting, StateChange::Established { local_port }) => {
                if local_port != 0 {
                    connection.local = SocketAddr::new(connection.local.ip(), local_port);
                }
                return self.established(id, at, facts);
            }
            (Phase::Connecting, StateChange::Closed { error }) => Phase::Failed(error),
            (Phase::Open, StateChange::PeerClosed) => Phase::HalfClosedRemote,
            (Phase::Open | Phase::HalfClosedRemote, StateChange::ShutDown) => Phase::HalfClosedLocal,
            (held, StateChange::Closed { .. }) if held.is_held() => Phase::DeadHeld,
            (unchanged, _) => unchanged,
        };
        if after == before {
            return;
        }
        connection.enter(after, at);
        if let Phase::Failed(error) = after {
            self.count_failure(group, at, error);
        }
    }

    /// An attempt became a connection. Does nothing in any other phase.
    fn established(&mut self, id: ConnectionId, at: Time, facts: &mut Vec<Fact>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.phase != Phase::Connecting {
            return;
        }
        connection.opened = at;
        connection.enter(Phase::Open, at);
        let group = connection.group;
        self.each_tally(group, at, |tally| tally.attempt_over(false));
        self.count_open(group, at, facts);
    }

    fn released(&mut self, id: ConnectionId, at: Time, connected: bool, facts: &mut Vec<Fact>) {
        if connected {
            // Only does something where the establishment was missed.
            self.established(id, at, facts);
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            self.remember_early(id, EarlyClose { at, connected });
            return;
        };
        let Connection {
            group, opened, phase, ..
        } = *connection;
        if phase == Phase::Released {
            return;
        }
        connection.enter(Phase::Released, at);
        match phase {
            Phase::Connecting => self.count_failure(group, at, 0),
            held if held.is_held() => self.count_close(group, at, opened, facts),
            _ => {}
        }
    }

    fn ended(&mut self, id: ConnectionId, at: Time, cause: EndCause, facts: &mut Vec<Fact>) {
        self.released(id, at, false, facts);
        if self.connections.remove(&id).is_some() {
            if let Some(ended) = &mut self.ended_meanwhile {
                ended.insert(id);
            }
            self.irregularities.unobserved += u64::from(cause == EndCause::Unobserved);
        }
    }

    fn remember_early(&mut self, id: ConnectionId, close: EarlyClose) {
        if self.early.len() < EARLY_LIMIT || self.early.contains_key(&id) {
            self.early.entry(id).or_insert(close);
        } else {
            self.irregularities.orphans += 1;
        }
    }

    /// Where a new connection is counted: its own group, or `other` where a table is full.
    fn place(&mut self, opening: Opening) -> GroupKey {
        let service_port = opening.service_port();
        let process = self.processes.place(opening.process, ProcessId::OTHER);
        let wanted = GroupKey {
            process,
            direction: opening.direction,
            peer: Peer::Address(opening.peer.ip()),
            service_port,
        };
        // Without its port: one fallback per port would let a port scan outgrow the tables.
        let other = GroupKey {
            peer: Peer::Other,
            service_port: 0,
            ..wanted
        };
        let mut group = self.groups.place(wanted, other);
        let peer = group.peer_key();
        if self.peers.place(peer, other.peer_key()) != peer {
            group = other;
        }
        if group != wanted || process != opening.process {
            self.irregularities.overflowed += 1;
        }
        if process == opening.process {
            self.names.insert(process, opening.comm);
        }
        group
    }

    fn count_open(&mut self, group: GroupKey, at: Time, facts: &mut Vec<Fact>) {
        self.each_tally(group, at, |tally| tally.open(at));
        facts.push(Fact::Opened { group, at });
    }

    fn count_close(&mut self, group: GroupKey, at: Time, opened: Time, facts: &mut Vec<Fact>) {
        self.each_tally(group, at, |tally| tally.close(at));
        let lifetime = at.since(opened);
        self.processes.entry(group.process).lifetimes.add(lifetime);
        self.peers.entry(group.peer_key()).lifetimes.add(lifetime);
        facts.push(Fact::Closed { group, at, opened });
    }

    fn count_failure(&mut self, group: GroupKey, at: Time, error: u16) {
        self.each_tally(group, at, |tally| tally.attempt_over(true));
        *self.failures.entry(error).or_default() += 1;
    }

    fn each_tally(&mut self, group: GroupKey, at: Time, change: impl Fn(&mut Tally)) {
        let entry = self.groups.entry(group);
        change(&mut entry.tally);
        entry.touched = entry.touched.max(at);
        for aggregate in [
            self.processes.entry(group.process),
            self.peers.entry(group.peer_key()),
        ] {
            change(&mut aggregate.tally);
            aggregate.touched = aggregate.touched.max(at);
        }
        change(&mut self.total);
    }

    /// All connections that were not forgotten yet, released ones included.
    pub fn connections(&self) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        self.connections.iter().map(|(id, connection)| (*id, connection))
    }

    /// The phases of the connections of a group. Looks at every connection there is.
    pub fn phases(&self, group: &GroupKey) -> Phases {
        let mut phases = Phases::default();
        for connection in self
            .connections
            .values()
            .filter(|connection| connection.group == *group)
        {
            phases.add(connection.phase);
        }
        phases
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
        self.descriptors.get(&process)
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
