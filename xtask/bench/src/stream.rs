//! Records as the kernel programs write them: connections that come, stay for a while, and go.

use std::collections::VecDeque;

use tracer_common::{
    event::{COMM_LEN, Change, Opened, kind},
    socket::{direction, tcp},
};
use zerocopy::IntoBytes as _;

use crate::world::{BEGIN, World, port};

/// Records, one after the other.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// The records.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        self.ends.iter().filter_map(move |end| {
            let record = self.bytes.get(from..*end);
            from = *end;
            record
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }
}

/// A steady load: so many are open, and each that opens lets the oldest go.
pub struct Stream {
    world: World,
    open: usize,
    /// Nanoseconds from one connection to the next.
    every: u64,
    held: VecDeque<u64>,
    next: u64,
    now: u64,
}

impl Stream {
    /// With so many open once it is steady, and so many new ones in a second.
    pub fn new(world: World, open: usize, per_second: u64) -> Self {
        Self {
            world,
            open,
            every: 1_000_000_000 / per_second.max(1),
            held: VecDeque::with_capacity(open + 1),
            next: 1,
            now: BEGIN.0,
        }
    }

    /// The records of so many connections: opened, established, and once it is steady released.
    pub fn batch(&mut self, connections: usize) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..connections {
            self.now += self.every;
            let id = self.next;
            self.next += 1;
            batch.push(self.opened(id).as_bytes());
            let established = Change {
                from: tcp::SYN_SENT,
                to: tcp::ESTABLISHED,
                local_port: port(id),
                ..self.change(id, kind::STATE)
            };
            batch.push(established.as_bytes());
            self.held.push_back(id);
            if self.held.len() > self.open
                && let Some(oldest) = self.held.pop_front()
            {
                let released = Change {
                    from: tcp::ESTABLISHED,
                    ..self.change(oldest, kind::RELEASED)
                };
                batch.push(released.as_bytes());
            }
        }
        batch
    }

    /// The records of so many connections that close at once, both ends of each, as the client and the server of one
    /// machine make them: the client opens, is established, the server accepts; the client closes, the server sees it
    /// and closes.
    pub fn short(&mut self, connections: usize) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..connections {
            self.now += self.every;
            let (client, server) = (self.next, self.next + 1);
            self.next += 2;
            let change = |id, from, to| Change {
                from,
                to,
                ..self.change(id, kind::STATE)
            };
            let released = |id, from| Change {
                from,
                ..self.change(id, kind::RELEASED)
            };
            batch.push(self.opened(client).as_bytes());
            let established = Change {
                local_port: port(client),
                ..change(client, tcp::SYN_SENT, tcp::ESTABLISHED)
            };
            batch.push(established.as_bytes());
            let there = self.opened(client);
            let accepted = Opened {
                id: server,
                direction: direction::INBOUND,
                state: tcp::ESTABLISHED,
                local: there.remote,
                local_port: there.remote_port,
                remote: there.local,
                remote_port: port(client),
                ..there
            };
            batch.push(accepted.as_bytes());
            batch.push(released(client, tcp::ESTABLISHED).as_bytes());
            batch.push(change(server, tcp::ESTABLISHED, tcp::CLOSE_WAIT).as_bytes());
            batch.push(released(server, tcp::CLOSE_WAIT).as_bytes());
        }
        batch
    }

    fn opened(&self, id: u64) -> Opened {
        // Not in turn: a prime step visits all groups, far from each other.
        let group = u32::try_from(id.wrapping_mul(7_919) % u64::from(self.world.groups())).unwrap_or(0);
        let process = self.world.process(group);
        let peer = self.world.peer(group);
        let mut comm = [0; COMM_LEN];
        comm[..6].copy_from_slice(b"worker");
        Opened {
            ts: self.now,
            id,
            kind: kind::OPENED,
            direction: direction::OUTBOUND,
            state: tcp::SYN_SENT,
            flags: 0,
            tgid: process.pid,
            start: process.start.0,
            stack: self.world.stack(group).0,
            netns: 4_026_531_840,
            local_port: 0,
            remote_port: peer.port(),
            local: mapped([192, 168, 1, 1]),
            remote: match peer.ip() {
                std::net::IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                std::net::IpAddr::V6(address) => address.octets(),
            },
            comm,
        }
    }

    fn change(&self, id: u64, kind: u8) -> Change {
        Change {
            ts: self.now,
            id,
            kind,
            from: 0,
            to: 0,
            cause: 0,
            local_port: 0,
            error: 0,
        }
    }
}

fn mapped(address: [u8; 4]) -> [u8; 16] {
    std::net::Ipv4Addr::from(address).to_ipv6_mapped().octets()
}
