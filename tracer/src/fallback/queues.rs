//! Whose queue an unaccepted connection waits in. The kernel does not say: the connection has the listener's port, and
//! no inode.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use tracer_common::socket::tcp;

use super::{diag::Socket, tables::Dump};
use crate::model::{
    connection::ConnectionId,
    snapshot::{ListenerId, Waiting},
};

/// Connections of one queue that are told.
pub const HEAD: usize = 128;

/// A socket that waits: it is connected, and no process has it. (What a process let go is past these states:
/// `tcp_close_state`, `net/ipv4/tcp.c`.)
pub const fn is_waiting(socket: &Socket) -> bool {
    socket.inode == 0 && matches!(socket.state, tcp::ESTABLISHED | tcp::CLOSE_WAIT)
}

/// The queues of a namespace.
pub struct Queues<'a> {
    by_port: HashMap<u16, Vec<Queue<'a>>>,
}

struct Queue<'a> {
    listener: &'a Socket,
    waiting: Vec<Waiting>,
}

impl<'a> Queues<'a> {
    /// Of the listening sockets of a namespace.
    pub fn new(dump: &'a Dump) -> Self {
        let mut by_port: HashMap<u16, Vec<Queue<'a>>> = HashMap::new();
        for listener in dump.sockets.iter().filter(|socket| socket.state == tcp::LISTEN) {
            by_port.entry(listener.local.port()).or_default().push(Queue {
                listener,
                waiting: Vec::new(),
            });
        }
        Self { by_port }
    }

    /// Puts a connection into the queue that it most likely waits in. Of several sockets with one address
    /// (`SO_REUSEPORT`), into one that is longer than what was put there so far.
    pub fn add(&mut self, dump: &Dump, id: ConnectionId, socket: &Socket) {
        let queues = self.by_port.get_mut(&socket.local.port()).into_iter().flatten();
        let best = queues
            .filter_map(|queue| {
                Some((
                    distance(queue.listener, socket.local.ip())?,
                    queue.is_complete(),
                    queue,
                ))
            })
            .min_by_key(|(distance, complete, queue)| (*distance, *complete, queue.listener.inode));
        if let Some((.., queue)) = best {
            queue.waiting.push(Waiting {
                id,
                listener: ListenerId(queue.listener.inode),
                local: socket.local,
                peer: socket.peer,
                given_up: socket.state == tcp::CLOSE_WAIT,
                at: dump.at,
                // Nobody can have sent anything: this is the handshake's end.
                waited: socket.traffic.since_sent,
            });
        }
    }

    /// The heads of all queues, the connection that has waited longest first.
    pub fn heads(self) -> Vec<Waiting> {
        let mut heads = Vec::new();
        let mut queues: Vec<Queue<'_>> = self.by_port.into_values().flatten().collect();
        queues.sort_unstable_by_key(|queue| queue.listener.inode);
        for mut queue in queues {
            queue
                .waiting
                .sort_by_key(|waiting| std::cmp::Reverse(waiting.waited));
            heads.extend(queue.waiting.into_iter().take(HEAD));
        }
        heads
    }
}

impl Queue<'_> {
    fn is_complete(&self) -> bool {
        self.waiting.len() as u64 >= u64::from(self.listener.queued)
    }
}

/// How far a listener is from a connection's own address: at that address, at any of its family, at any at all. `None`
/// if it cannot be its listener. (The order in which `__inet_lookup_listener`, `net/ipv4/inet_hashtables.c`, prefers them.)
fn distance(listener: &Socket, local: IpAddr) -> Option<u8> {
    let unspecified = |end: SocketAddr| end.ip().is_unspecified();
    match (listener.local.ip(), local) {
        (at, local) if at == local => Some(0),
        (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) if unspecified(listener.local) => {
            Some(1)
        }
        (IpAddr::V6(_), IpAddr::V4(_)) if unspecified(listener.local) && !listener.v6_only => Some(2),
        _ => None,
    }
}
