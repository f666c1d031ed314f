//! What the kernel would tell of a world: events as they happen, and its tables when they are read.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tracer::model::{
    connection::{ConnectionId, Direction, Phase, ProcessId},
    event::{EndCause, Event, EventKind, Opening, StateChange},
    name::Comm,
    snapshot::{Descriptors, Held, Listener, ListenerId, Snapshot, Waiting},
    stack::Opener,
};

use crate::{
    number::small,
    timeline::{Happening, What},
    world::{Connection, Entrance, Loss, Process, World, nanoseconds},
};

/// All these worlds have one network namespace,
pub const NETNS: u32 = 4_026_531_840;
/// at most one listening socket, which all of its servers hold,
const LISTENER: ListenerId = ListenerId(1);
/// and room in its queue.
const QUEUE: u32 = 4096;
/// Connections of a queue that a snapshot shows.
const QUEUE_HEAD: usize = 512;

/// The kernel's side of a world at a moment.
pub struct Kernel<'a> {
    world: &'a World,
    /// Connections with a descriptor.
    held: Members,
    /// Connections without: in the order of the queue.
    waiting: Vec<usize>,
    /// Attempts that have timed out and are held.
    timed_out: Vec<bool>,
    /// Descriptors in use by each process besides its base.
    used: Vec<u32>,
    /// Where a server listens, if there is one.
    listens: Option<SocketAddr>,
}

impl<'a> Kernel<'a> {
    /// Before anything has happened.
    pub fn new(world: &'a World) -> Self {
        let served = world
            .connections
            .iter()
            .find(|connection| connection.direction == Direction::Inbound);
        Self {
            world,
            held: Members::new(world.connections.len()),
            waiting: Vec::new(),
            timed_out: vec![false; world.connections.len()],
            used: vec![0; world.processes.len()],
            listens: served
                .map(|connection| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), connection.local.port())),
        }
    }

    /// Whether connections wait to be accepted.
    pub fn has_queue(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Follows what happens.
    pub fn follow(&mut self, happening: &Happening) {
        let number = happening.connection;
        let Some(connection) = self.world.connections.get(number) else {
            return;
        };
        let is_waiting = !connection.has_descriptor();
        match happening.what {
            What::Opens if is_waiting => self.waiting.push(number),
            What::Closes if is_waiting => self.waiting.retain(|waiting| *waiting != number),
            What::Opens => {
                self.held.insert(number);
                if let Some(used) = self.used.get_mut(connection.process) {
                    *used += 1;
                }
            }
            What::Closes => {
                self.held.remove(number);
                if let Some(used) = self.used.get_mut(connection.process) {
                    *used = used.saturating_sub(1);
                }
            }
            What::TimesOut => {
                if let Some(timed_out) = self.timed_out.get_mut(number) {
                    *timed_out = true;
                }
            }
            What::LosesPeer => {}
        }
    }

    /// The events that the hooks would send. What opened before the tracer came was seen by nobody.
    pub fn events(&self, happening: &Happening) -> [Option<Event>; 2] {
        let Some(connection) = self.world.connections.get(happening.connection) else {
            return [None; 2];
        };
        if happening.at < 0.0 {
            return [None; 2];
        }
        let event = |kind| {
            Some(Event {
                at: self.world.time(happening.at),
                id: id(happening.connection),
                kind,
            })
        };
        let state = |change| [event(EventKind::State(change)), None];
        match (happening.what, connection.entrance) {
            // Nobody has accepted it: the tables show it.
            (What::Opens, Entrance::Unaccepted) => [None; 2],
            (What::Opens, entrance) => {
                let opens = event(EventKind::Opened(self.opening(connection)));
                let answered = StateChange::Established { local_port: 0 };
                let is_answered = entrance == Entrance::Open && connection.direction == Direction::Outbound;
                let answered = is_answered.then(|| event(EventKind::State(answered)));
                [opens, answered.flatten()]
            }
            (What::TimesOut, _) => state(StateChange::Closed {
                error: 110, // ETIMEDOUT
            }),
            (What::LosesPeer, _) => state(match connection.lost {
                Some((_, Loss::Reset)) => StateChange::Closed {
                    error: 104, // ECONNRESET
                },
                _ => StateChange::PeerClosed,
            }),
            (What::Closes, entrance) => [
                event(EventKind::Released {
                    connected: entrance != Entrance::Unanswered,
                }),
                event(EventKind::Ended(EndCause::Destroyed)),
            ],
        }
    }

    fn opening(&self, connection: &Connection) -> Opening {
        Opening {
            process: self.world.process_id(connection.process),
            comm: self.comm(connection.process),
            direction: connection.direction,
            connecting: connection.direction == Direction::Outbound,
            local: connection.local,
            peer: connection.peer,
            netns: NETNS,
            stack: Opener::NOT_ASKED,
        }
    }

    fn comm(&self, process: usize) -> Comm {
        let process = self.world.processes.get(process);
        process.map_or_else(Comm::default, |process| Comm::from(process.comm))
    }

    /// The tables as they would be read now.
    pub fn snapshot(&self, now: f64) -> Snapshot {
        let at = self.world.time(now);
        let mut snapshot = Snapshot {
            began: at,
            // Those of attempts that timed out are among the others here.
            failed: Some(Vec::new()),
            ..Snapshot::default()
        };
        let connections = self
            .held
            .iter()
            .filter_map(|number| Some((number, self.world.connections.get(number)?)));
        snapshot
            .held
            .extend(connections.map(|(number, connection)| self.held_row(number, connection, now)));
        let queue = self
            .waiting
            .iter()
            .take(QUEUE_HEAD)
            .filter_map(|number| Some((*number, self.world.connections.get(*number)?)));
        snapshot.waiting.extend(queue.map(|(number, connection)| Waiting {
            id: id(number),
            listener: LISTENER,
            local: connection.local,
            peer: connection.peer,
            given_up: connection.lost.is_some_and(|(lost, _)| lost <= now),
            at,
            waited: span(now - connection.opened),
        }));
        snapshot.descriptors.extend(self.tables(now));
        for (id, process) in self.living(now) {
            if let Some(local) = self.listens {
                snapshot.listeners.push(Listener {
                    id: LISTENER,
                    process: id,
                    comm: Comm::from(process.comm),
                    netns: NETNS,
                    local,
                    queued: small(self.waiting.len()),
                    queue_limit: QUEUE,
                    at,
                });
            }
        }
        snapshot
    }

    /// Connections that a process holds.
    pub fn held(&self) -> usize {
        self.held.members.len()
    }

    /// The descriptor tables of the processes, apart from what is in them.
    pub fn tables(&self, now: f64) -> impl Iterator<Item = Descriptors> {
        let processes = self.world.processes.iter().enumerate();
        let living = processes.filter(move |(_, process)| process.lives(now));
        living.map(move |(number, process)| {
            let id = self.world.process_id(number);
            self.table(id, number, process, self.world.time(now))
        })
    }

    fn living(&self, now: f64) -> impl Iterator<Item = (ProcessId, &Process)> {
        let processes = self.world.processes.iter().enumerate();
        let living = processes.filter(move |(_, process)| process.lives(now));
        living.map(|(number, process)| (self.world.process_id(number), process))
    }

    fn held_row(&self, number: usize, connection: &Connection, now: f64) -> Held {
        let lost = connection.lost.filter(|(lost, _)| *lost <= now);
        let timed_out = self.timed_out.get(number).copied().unwrap_or(false);
        let phase = match (connection.entrance, lost) {
            (Entrance::Unanswered, _) if timed_out => Phase::DeadHeld,
            (Entrance::Unanswered, _) => Phase::Connecting,
            (_, Some((_, Loss::Closed))) => Phase::HalfClosedRemote,
            (_, Some((_, Loss::Reset))) => Phase::DeadHeld,
            (_, None) => Phase::Open,
        };
        let idle = span(connection.idle_at(now));
        let bytes = connection.bytes_at(now);
        Held {
            id: id(number),
            process: self.world.process_id(connection.process),
            comm: self.comm(connection.process),
            fd: 3 + small(number),
            inode: 1000 + number as u64,
            netns: NETNS,
            local: connection.local,
            peer: connection.peer,
            phase,
            at: self.world.time(now),
            age_at_least: idle,
            idle,
            sent: bytes,
            received: bytes,
        }
    }

    fn table(
        &self,
        id: ProcessId,
        number: usize,
        process: &Process,
        at: tracer::model::time::Time,
    ) -> Descriptors {
        let sockets = self.used.get(number).copied().unwrap_or(0);
        Descriptors {
            process: id,
            comm: Comm::from(process.comm),
            used: process.base + sockets,
            sockets: sockets + u32::from(self.listens.is_some()),
            limit: Some(process.limit.into()),
            at,
        }
    }
}

/// The kernel side counts connections from 1.
pub fn id(number: usize) -> ConnectionId {
    ConnectionId(number as u64 + 1)
}

/// The connection of a number of the kernel's.
pub fn connection(world: &World, id: ConnectionId) -> Option<&Connection> {
    let number = usize::try_from(id.0).ok()?.checked_sub(1)?;
    world.connections.get(number)
}

fn span(seconds: f64) -> Duration {
    Duration::from_nanos(nanoseconds(seconds))
}

/// Some of the numbers below a bound. Joining, leaving and going through them take no search.
struct Members {
    members: Vec<usize>,
    /// Where each number is among them.
    places: Vec<Option<usize>>,
}

impl Members {
    fn new(bound: usize) -> Self {
        Self {
            members: Vec::new(),
            places: vec![None; bound],
        }
    }

    fn insert(&mut self, number: usize) {
        if let Some(place @ None) = self.places.get_mut(number) {
            *place = Some(self.members.len());
            self.members.push(number);
        }
    }

    fn remove(&mut self, number: usize) {
        let Some(place) = self.places.get_mut(number).and_then(Option::take) else {
            return;
        };
        self.members.swap_remove(place);
        let moved = self.members.get(place).copied();
        if let Some(moved) = moved.and_then(|moved| self.places.get_mut(moved)) {
            *moved = Some(place);
        }
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        self.members.iter().copied()
    }
}
