//! What is open at one moment: a snapshot, one entry per connection. [`groups`] sums it up.

pub mod groups;

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    connection::{ConnectionId, Direction, Phase, ProcessId},
    listener::{self, ListeningSocket},
    name::Comm,
    snapshot::{Descriptors, Held, ListenerId, Snapshot, Waiting},
    time::Time,
};

/// Everything that is open.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The connections, the oldest first.
    pub connections: Vec<Listed>,
    /// The listening sockets, those that nobody connected to included, by their address.
    pub listeners: Vec<ListeningSocket>,
    /// The descriptor tables of the processes that hold any of these.
    pub descriptors: HashMap<ProcessId, Descriptors>,
    /// Connections that could not be read, whatever they are.
    pub untracked: u64,
    /// Connections of which it cannot be said whether anybody holds them.
    pub undecided: u64,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub id: ConnectionId,
    /// Who holds it, in the order of process and descriptor. While it is unaccepted: who listens, first the one that is
    /// most likely to accept it.
    pub holders: Vec<Holder>,
    /// Who started it.
    pub direction: Direction,
    /// The listening socket that it came through; `None` if it is outbound, or that socket could not be read.
    pub listener: Option<ListenerId>,
    /// Inode number of the network namespace; 0 if unknown.
    pub netns: u32,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// Where it is in its life.
    pub phase: Phase,
    /// It is at least this old: nothing in the kernel says when it opened. There is no upper bound either: a connection
    /// may be older than the process that holds it, after a fork or when its descriptor was passed on.
    pub age_at_least: Duration,
    /// What only a descriptor shows; `None` while it is unaccepted.
    pub traffic: Option<Traffic>,
}

/// A descriptor that holds a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Of which process.
    pub process: ProcessId,
    /// That process's name.
    pub comm: Comm,
    /// Its number; `None` for a process that listens and has not accepted.
    pub fd: Option<u32>,
}

/// What went through a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Inode number of the socket; 0 if unknown.
    pub inode: u64,
    /// Since application data was last sent or received.
    pub idle: Duration,
    /// Application bytes sent and acknowledged.
    pub sent: u64,
    /// Application bytes received.
    pub received: u64,
}

impl Listed {
    /// The server's port.
    pub fn service_port(&self) -> u16 {
        match self.direction {
            Direction::Outbound => self.peer.port(),
            Direction::Inbound => self.local.port(),
        }
    }

    /// The processes to count it for, each once. Of those that share a listening socket one stands for the others.
    fn processes(&self) -> impl Iterator<Item = (ProcessId, Comm)> {
        let all = match self.phase {
            Phase::Unaccepted { .. } => 1,
            _ => usize::MAX,
        };
        self.holders
            .chunk_by(|one, next| one.process == next.process)
            .filter_map(|same| same.first())
            .map(|holder| (holder.process, holder.comm))
            .take(all)
    }
}

impl Inventory {
    /// What a snapshot found, as of `now`.
    pub fn of(snapshot: &Snapshot, now: Time) -> Self {
        let mut listeners = listener::of(snapshot);
        listeners.sort_by_key(|socket| (socket.local, socket.netns));
        let mut connections = held(snapshot, &listeners, now);
        connections.extend(waiting(snapshot, &listeners, &connections, now));
        connections.sort_unstable_by_key(|listed| {
            (
                Reverse(listed.age_at_least),
                listed.local,
                listed.peer,
                listed.netns,
                listed.id,
            )
        });
        let descriptors = snapshot
            .descriptors
            .iter()
            .map(|table| (table.process, *table))
            .collect();
        Self {
            connections,
            listeners,
            descriptors,
            untracked: snapshot.untracked,
            undecided: snapshot.undecided.len() as u64,
        }
    }

    /// Unaccepted connections that the queues of the listening sockets hold beyond those that were read one by one.
    pub fn unread_unaccepted(&self) -> u64 {
        self.listeners
            .iter()
            .map(|socket| u64::from(socket.queued).saturating_sub(socket.waiting.len() as u64))
            .sum()
    }
}

/// The connections that descriptors hold: several rows may tell of one.
fn held(snapshot: &Snapshot, listeners: &[ListeningSocket], now: Time) -> Vec<Listed> {
    let directions = snapshot.directions();
    let doors = Doors::new(listeners);
    let mut rows: Vec<&Held> = snapshot.held.iter().collect();
    rows.sort_unstable_by_key(|row| (row.id, row.process, row.fd));
    rows.chunk_by(|one, next| one.id == next.id)
        .filter_map(|rows| {
            // What changes while the tables are read is as it was last.
            let last = rows.iter().max_by_key(|row| row.at)?;
            let born = rows.iter().map(|row| row.at.earlier(row.age_at_least)).min()?;
            let direction = directions.of(last);
            let holders: Vec<Holder> = rows
                .iter()
                .map(|row| Holder {
                    process: row.process,
                    comm: row.comm,
                    fd: Some(row.fd),
                })
                .collect();
            let listener = match direction {
                Direction::Inbound => doors.of(last.netns, last.local, &holders),
                Direction::Outbound => None,
            };
            Some(Listed {
                id: last.id,
                holders,
                direction,
                listener,
                netns: last.netns,
                local: last.local,
                peer: last.peer,
                phase: last.phase,
                age_at_least: now.since(born),
                traffic: Some(Traffic {
                    inode: last.inode,
                    idle: last.idle + now.since(last.at),
                    sent: last.sent,
                    received: last.received,
                }),
            })
        })
        .collect()
}

/// The connections in the queues, but for those that were accepted while the tables were read. A queue is read once for
/// each descriptor of its socket.
fn waiting(snapshot: &Snapshot, listeners: &[ListeningSocket], held: &[Listed], now: Time) -> Vec<Listed> {
    let sockets: HashMap<ListenerId, &ListeningSocket> =
        listeners.iter().map(|socket| (socket.id, socket)).collect();
    let mut listed: HashSet<ConnectionId> = held.iter().map(|listed| listed.id).collect();
    snapshot
        .waiting
        .iter()
        .filter(|waiting| listed.insert(waiting.id))
        .map(|waiting| unaccepted(waiting, sockets.get(&waiting.listener).copied(), now))
        .collect()
}

fn unaccepted(waiting: &Waiting, socket: Option<&ListeningSocket>, now: Time) -> Listed {
    let holder = |&(process, comm): &(ProcessId, Comm)| Holder {
        process,
        comm,
        fd: None,
    };
    Listed {
        id: waiting.id,
        holders: socket.map_or(Vec::new(), |socket| socket.holders.iter().map(holder).collect()),
        direction: Direction::Inbound,
        listener: socket.map(|socket| socket.id),
        netns: socket.map_or(0, |socket| socket.netns),
        local: waiting.local,
        peer: waiting.peer,
        phase: Phase::Unaccepted {
            given_up: waiting.given_up,
        },
        age_at_least: waiting.waited + now.since(waiting.at),
        traffic: None,
    }
}

/// Finds the listening socket that a connection came through.
struct Doors<'a>(HashMap<(u32, u16), Vec<&'a ListeningSocket>>);

impl<'a> Doors<'a> {
    fn new(listeners: &'a [ListeningSocket]) -> Self {
        let mut doors: HashMap<_, Vec<_>> = HashMap::new();
        for socket in listeners {
            doors
                .entry((socket.netns, socket.local.port()))
                .or_default()
                .push(socket);
        }
        Self(doors)
    }

    /// The most specific address wins (`compute_score`, `net/ipv4/inet_hashtables.c`), and of sockets that share an
    /// address (`SO_REUSEPORT`) the one whose process accepted.
    fn of(&self, netns: u32, local: SocketAddr, holders: &[Holder]) -> Option<ListenerId> {
        self.0
            .get(&(netns, local.port()))?
            .iter()
            .filter_map(|socket| {
                let specific = specificity(socket.local.ip(), local.ip())?;
                let own = holders.iter().any(|holder| {
                    socket
                        .holders
                        .iter()
                        .any(|(process, _)| *process == holder.process)
                });
                Some((specific, own, Reverse(socket.id)))
            })
            .max()
            .map(|(_, _, Reverse(id))| id)
    }
}

/// How exactly a socket that listens at `at` is addressed by `to`; `None` if it is not. The IPv6 wildcard takes IPv4,
/// too.
fn specificity(at: IpAddr, to: IpAddr) -> Option<u8> {
    match (at, to) {
        (at, to) if at == to => Some(2),
        (IpAddr::V4(at), IpAddr::V4(_)) if at.is_unspecified() => Some(1),
        (IpAddr::V6(at), IpAddr::V6(_)) if at.is_unspecified() => Some(1),
        (IpAddr::V6(at), IpAddr::V4(_)) if at.is_unspecified() => Some(0),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests;
