//! Which connection a socket is.
//!
//! The kernel programs number connections, `sock_diag` knows cookies: what both know is the tuple. Once a number and a
//! cookie have been seen together they stay together, so that an equal tuple later is not taken for the same
//! connection. A connection that only `sock_diag` knows has a number made of its cookie.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
};

use super::diag::Socket;
use crate::{
    model::{
        connection::{Connection, ConnectionId, Phase, ProcessId},
        time::Time,
    },
    procfs::stat::Ticks,
};

/// Marks the number of a connection that no kernel program numbered; the rest is the cookie. Neither counter ever gets
/// that far.
pub const BY_COOKIE: u64 = 1 << 63;

/// The two ends of a connection, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Inode number of the network namespace.
    pub netns: u32,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
}

/// A connection that the ledger knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownConnection {
    /// Its number.
    pub id: ConnectionId,
    /// Who holds it, as far as the ledger knows.
    pub process: ProcessId,
    /// Its ends. Port 0 at this end: not known yet (`SYN_SENT` comes before the port, where the state tracepoint tells
    /// of the attempt).
    pub tuple: Tuple,
    /// When it opened, at the latest.
    pub opened: Time,
}

impl KnownConnection {
    /// From the ledger; `None` if no descriptor is to be expected: what is released or failed may share its tuple with
    /// a later connection.
    pub fn new(id: ConnectionId, connection: &Connection) -> Option<Self> {
        if matches!(connection.phase, Phase::Released | Phase::Failed(_)) {
            return None;
        }
        let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
        Some(Self {
            id,
            process: connection.group.process,
            tuple: Tuple {
                netns: connection.netns,
                local: canonical(connection.local),
                peer: canonical(connection.peer),
            },
            opened: connection.opened,
        })
    }
}

/// What the ledger knows, for looking up.
#[derive(Default)]
pub struct Known {
    connections: HashMap<ConnectionId, (Tuple, Time)>,
    holders: HashMap<ConnectionId, ProcessId>,
    by_tuple: HashMap<Tuple, ConnectionId>,
    /// Attempts whose own port is not known, by namespace and peer.
    portless: HashMap<(u32, SocketAddr), Vec<(ConnectionId, IpAddr)>>,
    starts: HashMap<u32, HashSet<Time>>,
}

impl FromIterator<KnownConnection> for Known {
    fn from_iter<T: IntoIterator<Item = KnownConnection>>(connections: T) -> Self {
        let mut known = Self::default();
        for connection in connections {
            known.add(connection);
        }
        known
    }
}

impl Known {
    fn add(&mut self, connection: KnownConnection) {
        let KnownConnection {
            id,
            process,
            tuple,
            opened,
        } = connection;
        self.starts.entry(process.pid).or_default().insert(process.start);
        self.connections.insert(id, (tuple, opened));
        self.holders.insert(id, process);
        if tuple.local.port() == 0 {
            let attempts = self.portless.entry((tuple.netns, tuple.peer)).or_default();
            attempts.push((id, tuple.local.ip()));
            return;
        }
        // Of two with one tuple, the younger lives; a number of the kernel programs goes before one of ours.
        let rank = |id: ConnectionId| (id.0 < BY_COOKIE, id);
        let best = self.by_tuple.entry(tuple).or_insert(id);
        if rank(id) > rank(*best) {
            *best = id;
        }
    }

    /// Whether the ledger knows it.
    pub fn contains(&self, id: ConnectionId) -> bool {
        self.connections.contains_key(&id)
    }

    /// Who held it when the ledger last heard of it.
    pub fn holder(&self, id: ConnectionId) -> Option<ProcessId> {
        self.holders.get(&id).copied()
    }

    /// Everything that the ledger knows: where, and since when.
    pub fn connections(&self) -> impl Iterator<Item = (ConnectionId, Tuple, Time)> {
        self.connections
            .iter()
            .map(|(id, (tuple, opened))| (*id, *tuple, *opened))
    }

    /// The process by the start that the ledger knows it by: the kernel programs tell nanoseconds, `/proc` ticks.
    pub fn process(&self, read: ProcessId) -> ProcessId {
        let start = Ticks::of(read.start);
        let starts = self.starts.get(&read.pid).into_iter().flatten();
        // A start in ticks lies before the exact one.
        let known = starts.filter(|known| start.fits(**known)).max();
        ProcessId {
            start: known.copied().unwrap_or(read.start),
            ..read
        }
    }
}

/// A socket that was seen in a dump, as it was then.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The socket, its last traffic included.
    pub socket: Socket,
    /// Its namespace.
    pub netns: u32,
    /// When.
    pub at: Time,
}

impl Seen {
    /// Its tuple.
    pub const fn tuple(&self) -> Tuple {
        Tuple {
            netns: self.netns,
            local: self.socket.local,
            peer: self.socket.peer,
        }
    }
}

/// The sockets that were seen, from one snapshot to the next.
#[derive(Default)]
pub struct Memory {
    by_id: HashMap<ConnectionId, Seen>,
    by_cookie: HashMap<u64, ConnectionId>,
}

impl Memory {
    /// Keeps a socket under a number.
    pub fn keep(&mut self, id: ConnectionId, seen: Seen) {
        self.by_cookie.insert(seen.socket.cookie, id);
        self.by_id.insert(id, seen);
    }

    /// The sockets that were kept.
    pub fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Seen)> {
        self.by_id.iter().map(|(id, seen)| (*id, seen))
    }

    /// Whether a socket was kept under this number.
    pub fn contains(&self, id: ConnectionId) -> bool {
        self.by_id.contains_key(&id)
    }

    fn is_another(&self, id: ConnectionId, cookie: u64) -> bool {
        self.by_id
            .get(&id)
            .is_some_and(|seen| seen.socket.cookie != cookie)
    }

    /// The number of a socket. (A socket that nobody saw being opened and that connects a second time keeps its
    /// number: `connect` does not change the cookie.)
    pub fn identify(&self, seen: &Seen, known: &mut Known) -> ConnectionId {
        let (cookie, tuple) = (seen.socket.cookie, seen.tuple());
        if let Some(&id) = known.by_tuple.get(&tuple)
            && !self.is_another(id, cookie)
        {
            return id;
        }
        let remembered = self.by_cookie.get(&cookie).and_then(|id| {
            let before = self.by_id.get(id)?;
            (before.tuple() == tuple).then_some(*id)
        });
        if let Some(id) = remembered {
            return id;
        }
        self.attempt(tuple, known)
            .unwrap_or(ConnectionId(BY_COOKIE | cookie))
    }

    /// An attempt of the ledger that this socket may be. Several to one peer cannot be told apart, and need not be:
    /// nothing is known of any that is not true of the others.
    fn attempt(&self, tuple: Tuple, known: &mut Known) -> Option<ConnectionId> {
        let attempts = known.portless.get_mut(&(tuple.netns, tuple.peer))?;
        let at = attempts.iter().position(|(id, local)| {
            (local.is_unspecified() || *local == tuple.local.ip()) && !self.by_id.contains_key(id)
        })?;
        Some(attempts.swap_remove(at).0)
    }
}
