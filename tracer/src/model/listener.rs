//! Listening sockets and their queues, as the last snapshot found them.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{
    connection::{Direction, ProcessId},
    event::Opening,
    name::Comm,
    snapshot::{ListenerId, Snapshot, Waiting},
    stack::Opener,
    time::Time,
};

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListeningSocket {
    /// Which.
    pub id: ListenerId,
    /// Who holds it: several processes after a fork. Never empty; first comes the one with the most connections of this
    /// port, which is most likely the one that accepts.
    pub holders: Vec<(ProcessId, Comm)>,
    /// How many of these, from the first, hold connections of this port: a parent that only listens does not accept.
    pub acceptors: usize,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Where it listens.
    pub local: SocketAddr,
    /// Connections that wait to be accepted.
    pub queued: u32,
    /// How many may wait, if that is known.
    pub queue_limit: Option<u32>,
    /// Those at the head of the queue, the one that waits longest first.
    pub waiting: Vec<Waiting>,
    /// When the queue was read.
    pub at: Time,
}

/// Holders of one listening socket that are remembered.
const HOLDERS: usize = 64;

impl ListeningSocket {
    /// The process that stands for the others.
    pub fn owner(&self) -> (ProcessId, Comm) {
        self.holders
            .first()
            .copied()
            .unwrap_or((ProcessId::OTHER, Comm::default()))
    }

    /// The processes that accept from it, as far as their connections tell; all holders, if these tell nothing.
    pub fn acceptors(&self) -> &[(ProcessId, Comm)] {
        match self.holders.get(..self.acceptors) {
            None | Some([]) => &self.holders,
            Some(acceptors) => acceptors,
        }
    }

    /// How long the one has waited that waits longest. Accept takes from the head (`reqsk_queue_remove`,
    /// `include/net/request_sock.h`), but the head may have waited behind others: that nothing is accepted shows only in
    /// two snapshots with the same head. `None` if nobody waits.
    pub fn longest_wait(&self) -> Option<Duration> {
        self.waiting.iter().map(|waiting| waiting.waited).max()
    }

    /// The opening that accepting this connection would be.
    pub fn accept_of(&self, waiting: &Waiting) -> Opening {
        self.accept(waiting.local, waiting.peer)
    }

    /// The opening that the next accept would be; from nowhere if nobody waits.
    pub fn next_accept(&self) -> Opening {
        let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let head = self.waiting.first();
        self.accept(self.local, head.map_or(nobody, |head| head.peer))
    }

    fn accept(&self, local: SocketAddr, peer: SocketAddr) -> Opening {
        let (process, comm) = self.owner();
        Opening {
            process,
            comm,
            direction: Direction::Inbound,
            connecting: false,
            local,
            peer,
            netns: self.netns,
            stack: Opener::NOT_ASKED,
        }
    }

    /// Whether the kernel lets no more connections in (`sk_acceptq_is_full`, `include/net/sock.h`).
    pub fn is_full(&self) -> bool {
        self.queue_limit.is_some_and(|limit| self.queued > limit)
    }
}

/// The sockets of a snapshot, in the order of their numbers.
pub fn of(snapshot: &Snapshot) -> Vec<ListeningSocket> {
    let mut sockets: HashMap<ListenerId, ListeningSocket> = HashMap::new();
    for row in &snapshot.listeners {
        let socket = sockets.entry(row.id).or_insert_with(|| ListeningSocket {
            id: row.id,
            holders: Vec::new(),
            acceptors: 0,
            netns: row.netns,
            local: row.local,
            queued: row.queued,
            queue_limit: Some(row.queue_limit),
            waiting: Vec::new(),
            at: row.at,
        });
        let known = socket.holders.iter().any(|(process, _)| *process == row.process);
        if !known && socket.holders.len() < HOLDERS {
            socket.holders.push((row.process, row.comm));
        }
    }
    // A queue is read once for each descriptor of its socket, and a server may have many workers.
    let mut seen = HashSet::with_capacity(snapshot.waiting.len());
    for waiting in &snapshot.waiting {
        if let Some(socket) = sockets.get_mut(&waiting.listener)
            && seen.insert((waiting.listener, waiting.id))
        {
            socket.waiting.push(*waiting);
        }
    }
    let mut sockets: Vec<ListeningSocket> = sockets.into_values().collect();
    let mut accepted: HashMap<(ProcessId, u32, u16), u32> = HashMap::new();
    for row in &snapshot.held {
        *accepted
            .entry((row.process, row.netns, row.local.port()))
            .or_default() += 1;
    }
    for socket in &mut sockets {
        let (netns, port) = (socket.netns, socket.local.port());
        let held = |process: ProcessId| accepted.get(&(process, netns, port)).copied().unwrap_or(0);
        socket
            .holders
            .sort_unstable_by_key(|(process, _)| (Reverse(held(*process)), *process));
        socket.acceptors = socket
            .holders
            .iter()
            .filter(|(process, _)| held(*process) > 0)
            .count();
    }
    sockets.sort_unstable_by_key(|socket| socket.id);
    sockets
}
