//! Joins sockets and descriptors into a snapshot.
//!
//! What becomes of a connection that the ledger knows:
//!
//! | in a dump | its inode | then |
//! |---|---|---|
//! | yes | held | a row |
//! | yes | not held | nothing: it is missing, and the second snapshot that misses it ends it |
//! | not any more | still held | a row, `dead_held`: only death takes a held socket out of the dumps |
//! | not any more | not held | nothing |
//! | never | unknown | nothing, unless a TCP socket is held that no dump explains: then *undecided* |
//!
//! Wherever the reading has a gap that could hide it (its namespace was not dumped, descriptors of a process could not
//! be read) it is undecided, too. An undecided connection must not be ended on account of this snapshot.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tracer_common::socket::tcp;

use super::{
    diag::Socket,
    identity::{Known, Memory, Seen, Tuple},
    queues::{Queues, is_waiting},
    tables::{Descriptor, Dump, Table, Tables},
};
use crate::model::{
    connection::{ConnectionId, Phase, ProcessId},
    snapshot::{Descriptors, Held, Listener, ListenerId, Snapshot},
    time::Time,
};

/// What the snapshots so far leave to the next.
#[derive(Default)]
pub struct Past {
    memory: Memory,
    /// TCP sockets that are held and in no dump, and when that was first seen.
    dark: HashMap<u64, Time>,
}

/// A snapshot, and what it cannot say.
#[derive(Default)]
pub struct Joined {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Connections of the ledger that may be held although the snapshot does not show them.
    pub undecided: Vec<ConnectionId>,
}

/// Joins what was read, for a ledger that knows these connections. A socket that the ledger does not know is told if
/// `confirmed` wants its cookie.
pub fn join(
    tables: &Tables,
    mut known: Known,
    past: &mut Past,
    mut confirmed: impl FnMut(u64) -> bool,
) -> Joined {
    let mut join = Join::new(tables, &known);
    let mut told = HashSet::with_capacity(join.holders.len());
    let mut memory = Memory::default();
    for dump in &tables.dumps {
        let mut queues = Queues::new(dump);
        for socket in &dump.sockets {
            let waiting = is_waiting(socket);
            if socket.state == tcp::LISTEN {
                join.listener(dump, socket);
                continue;
            }
            if socket.inode == 0 && !waiting {
                continue;
            }
            let seen = Seen {
                socket: *socket,
                netns: dump.netns,
                at: dump.at,
            };
            let id = past.memory.identify(&seen, &mut known);
            told.insert(id);
            if !known.contains(id) {
                let is_wanted = waiting || join.holders.contains_key(&socket.inode);
                if !is_wanted || !confirmed(socket.cookie) {
                    continue;
                }
            }
            if waiting {
                queues.add(dump, id, socket);
                continue;
            }
            memory.keep(id, seen);
            let held = join.held(id, &seen, phase(socket.state), dump.at);
            if !held && join.may_be_hidden(known.holder(id)) && known.contains(id) {
                join.joined.undecided.push(id);
            }
        }
        join.joined.snapshot.waiting.extend(queues.heads());
    }
    for (id, seen) in past.memory.iter().filter(|(id, _)| !told.contains(id)) {
        if join.vanished(id, seen, known.holder(id)) {
            memory.keep(id, *seen);
        }
    }
    let dark = join.dark(&memory);
    // A socket that was dark before a connection opened is not that connection; one that is dark for the first time
    // may only be newer than the dump. (A connection is not ended before the second snapshot that misses it.)
    let suspect = dark
        .keys()
        .filter_map(|inode| past.dark.get(inode))
        .max()
        .copied();
    let never_seen = known
        .connections()
        .filter(|(id, ..)| !told.contains(id) && !past.memory.contains(*id));
    for (id, tuple, opened) in never_seen {
        let may_be_dark = suspect.is_some_and(|since| since >= opened);
        if may_be_dark || join.may_be_hidden(known.holder(id)) || !join.is_dumped(tuple) {
            join.joined.undecided.push(id);
        }
    }
    past.dark = dark
        .into_iter()
        .map(|(inode, at)| (inode, past.dark.get(&inode).copied().unwrap_or(at)))
        .collect();
    past.memory = memory;
    join.joined.undecided.sort_unstable();
    join.joined.undecided.dedup();
    join.joined
}

/// A join under way.
struct Join<'a> {
    tables: &'a Tables,
    holders: HashMap<u64, Vec<Holder<'a>>>,
    dumped: HashSet<u32>,
    /// Inodes of all sockets in the dumps.
    alive: HashSet<u64>,
    /// Processes whose descriptors were read.
    read: HashSet<ProcessId>,
    joined: Joined,
}

#[derive(Clone, Copy)]
struct Holder<'a> {
    process: ProcessId,
    table: &'a Table,
    fd: u32,
}

impl<'a> Join<'a> {
    fn new(tables: &'a Tables, known: &Known) -> Self {
        let sockets = tables.tables.iter().map(|table| table.sockets.len()).sum();
        let mut holders: HashMap<u64, Vec<Holder<'a>>> = HashMap::with_capacity(sockets);
        let mut joined = Joined::default();
        joined.snapshot.began = tables.began;
        for table in &tables.tables {
            let process = known.process(table.process);
            for &Descriptor { fd, inode } in &table.sockets {
                holders
                    .entry(inode)
                    .or_default()
                    .push(Holder { process, table, fd });
            }
            joined.snapshot.descriptors.push(Descriptors {
                process,
                comm: table.comm,
                used: table.used,
                sockets: table.sockets.len().try_into().unwrap_or(u32::MAX),
                limit: table.limit,
                at: table.at,
            });
        }
        let sockets = tables.dumps.iter().flat_map(|dump| &dump.sockets);
        Self {
            tables,
            holders,
            dumped: tables.dumps.iter().map(|dump| dump.netns).collect(),
            alive: sockets.map(|socket| socket.inode).collect(),
            read: joined
                .snapshot
                .descriptors
                .iter()
                .map(|table| table.process)
                .collect(),
            joined,
        }
    }

    /// Whether somebody may hold what nobody seems to hold: some tables could not be read, and that of the process that
    /// had it is not among those that were.
    fn may_be_hidden(&self, holder: Option<ProcessId>) -> bool {
        self.tables.unreadable > 0 && !holder.is_some_and(|holder| self.read.contains(&holder))
    }

    fn is_dumped(&self, tuple: Tuple) -> bool {
        self.dumped.contains(&tuple.netns)
    }

    fn listener(&mut self, dump: &Dump, socket: &Socket) {
        for holder in self.holders.get(&socket.inode).into_iter().flatten() {
            self.joined.snapshot.listeners.push(Listener {
                id: ListenerId(socket.inode),
                process: holder.process,
                comm: holder.table.comm,
                netns: dump.netns,
                local: socket.local,
                queued: socket.queued,
                queue_limit: socket.queue_limit,
                at: dump.at,
            });
        }
    }

    /// Writes a row for each descriptor of a socket; says whether there is one.
    fn held(&mut self, id: ConnectionId, seen: &Seen, phase: Phase, at: Time) -> bool {
        let socket = &seen.socket;
        let Some(holders) = self.holders.get(&socket.inode) else {
            return false;
        };
        let traffic = socket.traffic;
        let (idle, age_at_least) = if phase == Phase::Connecting {
            // The times are set when the handshake is done.
            (Duration::ZERO, Duration::ZERO)
        } else {
            let since = at.since(seen.at);
            (
                traffic.since_sent.min(traffic.since_received) + since,
                traffic.since_sent.max(traffic.since_received) + since,
            )
        };
        for holder in holders {
            self.joined.snapshot.held.push(Held {
                id,
                process: holder.process,
                comm: holder.table.comm,
                fd: holder.fd,
                inode: socket.inode,
                netns: seen.netns,
                local: socket.local,
                peer: socket.peer,
                phase,
                at,
                age_at_least,
                idle,
                sent: traffic.acked,
                received: traffic.received,
            });
        }
        true
    }

    /// Decides about a socket that is in no dump any more; says whether it is to be remembered.
    fn vanished(&mut self, id: ConnectionId, seen: &Seen, holder_before: Option<ProcessId>) -> bool {
        let is_known = holder_before.is_some();
        let inode = seen.socket.inode;
        if self.alive.contains(&inode) {
            // It has connected anew.
            return false;
        }
        let holder = self.holders.get(&inode).and_then(|holders| holders.first());
        let at = holder.map(|holder| holder.table.at);
        let certain = self.is_dumped(seen.tuple()) && seen.socket.state != tcp::SYN_SENT;
        match at {
            Some(at) if certain => self.held(id, seen, Phase::DeadHeld, at),
            // An attempt has failed, or has succeeded and died since; or nobody looked.
            Some(_) => {
                self.undecided(id, is_known);
                true
            }
            None if self.may_be_hidden(holder_before) || !self.is_dumped(seen.tuple()) => {
                self.undecided(id, is_known);
                is_known
            }
            None => false,
        }
    }

    fn undecided(&mut self, id: ConnectionId, is_known: bool) {
        if is_known {
            self.joined.undecided.push(id);
        }
    }

    /// Sockets that are held, and neither in a dump nor remembered; and when they were read.
    fn dark(&self, memory: &Memory) -> HashMap<u64, Time> {
        let remembered: HashSet<u64> = memory.iter().map(|(_, seen)| seen.socket.inode).collect();
        self.holders
            .iter()
            .filter(|(inode, _)| !self.alive.contains(inode) && !remembered.contains(inode))
            .filter_map(|(inode, holders)| Some((*inode, holders.first()?.table.at)))
            .collect()
    }
}

/// The phase of a held socket in this state.
const fn phase(state: u8) -> Phase {
    match state {
        tcp::SYN_SENT => Phase::Connecting,
        tcp::CLOSE_WAIT => Phase::HalfClosedRemote,
        tcp::FIN_WAIT1 | tcp::FIN_WAIT2 | tcp::CLOSING | tcp::LAST_ACK | tcp::TIME_WAIT => {
            Phase::HalfClosedLocal
        }
        tcp::CLOSE => Phase::DeadHeld,
        // Established; or accepted through TCP Fast Open before the handshake is done.
        _ => Phase::Open,
    }
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
