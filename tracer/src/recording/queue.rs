//! Accept queues, as the lines of single connections make them up.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use foldhash::HashMap;

use crate::model::{
    connection::{ConnectionId, ProcessId},
    listener::ListeningSocket,
    name::Comm,
    snapshot::{ListenerId, Waiting},
    time::Time,
};

/// Connections at the head of a queue that are shown, as by a snapshot.
const HEAD: usize = 512;
/// How long a queue is remembered in which nobody waits: longer than any rule asks.
const MEMORY: Duration = Duration::from_mins(1);

/// Where connections wait: at a port of a process, in a network namespace. Who listens at several addresses with one
/// port has one queue here.
type Place = (ProcessId, u32, u16);

/// All queues.
#[derive(Default)]
pub struct Queues {
    places: HashMap<ConnectionId, (Place, Time)>,
    listening: BTreeMap<Place, Queue>,
    next: u64,
}

struct Queue {
    id: ListenerId,
    address: IpAddr,
    waiting: BTreeMap<(Time, ConnectionId), Waiting>,
    /// When somebody last waited.
    used: Time,
}

impl Queues {
    /// A connection waits to be accepted by a process.
    pub fn enter(
        &mut self,
        (process, netns): (ProcessId, u32),
        id: ConnectionId,
        (local, peer): (SocketAddr, SocketAddr),
        since: Time,
    ) {
        let place = (process, netns, local.port());
        let next = &mut self.next;
        let queue = self.listening.entry(place).or_insert_with(|| {
            *next += 1;
            Queue {
                id: ListenerId(*next),
                address: local.ip(),
                waiting: BTreeMap::new(),
                used: since,
            }
        });
        if queue.address != local.ip() {
            queue.address = match queue.address {
                IpAddr::V4(_) if local.is_ipv4() => Ipv4Addr::UNSPECIFIED.into(),
                _ => Ipv6Addr::UNSPECIFIED.into(),
            };
        }
        let waiting = Waiting {
            id,
            listener: queue.id,
            local,
            peer,
            given_up: false,
            at: since,
            waited: Duration::ZERO,
        };
        queue.waiting.insert((since, id), waiting);
        self.places.insert(id, (place, since));
    }

    /// Its client has gone.
    pub fn give_up(&mut self, id: ConnectionId) {
        if let Some((place, since)) = self.places.get(&id)
            && let Some(queue) = self.listening.get_mut(place)
            && let Some(waiting) = queue.waiting.get_mut(&(*since, id))
        {
            waiting.given_up = true;
        }
    }

    /// It was accepted, or is gone.
    pub fn leave(&mut self, id: ConnectionId) {
        if let Some((place, since)) = self.places.remove(&id)
            && let Some(queue) = self.listening.get_mut(&place)
        {
            queue.waiting.remove(&(since, id));
        }
    }

    /// A process is gone, and so are its queues.
    pub fn forget(&mut self, process: ProcessId) {
        let places = &mut self.places;
        self.listening.retain(|(owner, ..), queue| {
            if *owner == process {
                for (_, id) in queue.waiting.keys() {
                    places.remove(id);
                }
            }
            *owner != process
        });
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.listening.is_empty()
    }

    /// The queues as a snapshot would find them now.
    pub fn look(&mut self, now: Time, name: impl Fn(ProcessId) -> Comm) -> Vec<ListeningSocket> {
        self.listening.retain(|_, queue| {
            if !queue.waiting.is_empty() {
                queue.used = now;
            }
            now.since(queue.used) < MEMORY
        });
        let queues = self.listening.iter();
        let mut sockets: Vec<ListeningSocket> = queues
            .map(|((process, netns, port), queue)| ListeningSocket {
                id: queue.id,
                holders: vec![(*process, name(*process))],
                acceptors: 0,
                netns: *netns,
                local: SocketAddr::new(queue.address, *port),
                queued: u32::try_from(queue.waiting.len()).unwrap_or(u32::MAX),
                // Nobody told.
                queue_limit: None,
                waiting: queue.head(now),
                at: now,
            })
            .collect();
        sockets.sort_unstable_by_key(|socket| socket.id);
        sockets
    }
}

impl Queue {
    fn head(&self, now: Time) -> Vec<Waiting> {
        let head = self.waiting.values().take(HEAD);
        head.map(|waiting| Waiting {
            at: now,
            waited: now.since(waiting.at),
            ..*waiting
        })
        .collect()
    }
}
