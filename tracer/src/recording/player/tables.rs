//! What a recording tells of the kernel's tables as a whole, and of all that is open.

use std::net::SocketAddr;

use foldhash::HashSet;

use super::Player;
use crate::{
    model::{
        connection::{ConnectionId, ProcessId},
        fact::Fact,
        ledger::Ledger,
        listener::ListeningSocket,
        name::Comm,
        snapshot::{ListenerId, Waiting},
        time::Time,
    },
    recording::line::{InQueue, Listener},
};

/// Listening sockets, and connections at the head of one queue, that are remembered.
const LISTENERS: usize = 1 << 14;
const HEAD: usize = 512;
/// Holders of one socket that are.
const HOLDERS: usize = 64;
/// Connections that are.
const CONNECTIONS: usize = 1 << 20;

/// What was told since the last comparison.
#[derive(Default)]
pub(super) struct Tables {
    listeners: Vec<ListeningSocket>,
    missing: HashSet<ConnectionId>,
    /// Processes whose descriptors were counted.
    counted: HashSet<ProcessId>,
    /// Connections that were told since the header, until all were.
    told: Option<HashSet<ConnectionId>>,
    /// Whether listening sockets are ever told.
    tells_listeners: bool,
}

impl Tables {
    /// Whether the recording tells of listening sockets.
    pub(super) const fn tell_listeners(&self) -> bool {
        self.tells_listeners
    }

    /// A connection is missing.
    pub(super) fn miss(&mut self, id: ConnectionId) {
        if self.missing.len() < CONNECTIONS {
            self.missing.insert(id);
        }
    }

    /// The descriptors of a process were counted.
    pub(super) fn count(&mut self, process: ProcessId) {
        if self.counted.len() < CONNECTIONS {
            self.counted.insert(process);
        }
    }

    /// A connection was told.
    pub(super) fn see(&mut self, id: ConnectionId) {
        if let Some(told) = &mut self.told
            && told.len() < CONNECTIONS
        {
            told.insert(id);
        }
    }

    /// What was told since the last time is all there is.
    pub(super) fn agree(&mut self, tells_traffic: bool, ledger: &mut Ledger) {
        self.tells_listeners = true;
        let mut listeners = std::mem::take(&mut self.listeners);
        listeners.sort_by_key(|listener| listener.id);
        listeners.dedup_by_key(|listener| listener.id);
        ledger.set_listeners(listeners);
        ledger.set_missing(std::mem::take(&mut self.missing));
        let counted = std::mem::take(&mut self.counted);
        ledger.retain_descriptors(|process| counted.contains(&process));
        if tells_traffic {
            ledger.expect_traffic();
        }
    }
}

impl Player {
    /// Another file of the same run begins: it tells all that is open.
    pub fn go_on(&mut self) {
        self.tables.told = Some(HashSet::default());
    }

    /// All that is open was told: what is known besides has ended.
    pub(super) fn end_untold(&mut self, at: Time, ledger: &mut Ledger, facts: &mut Vec<Fact>) {
        let Some(told) = self.tables.told.take() else {
            return;
        };
        if told.len() >= CONNECTIONS {
            return;
        }
        let mut ended: Vec<ConnectionId> = ledger
            .connections()
            .map(|(id, _)| id)
            .filter(|id| !told.contains(id))
            .collect();
        ended.sort_unstable();
        for id in ended {
            self.end(id, at, ledger, facts);
        }
    }

    /// A listening socket, as the next comparison finds it.
    pub(super) fn listen(&mut self, line: Listener) {
        let at = line.ts.earlier(line.late);
        let Listener {
            socket,
            local,
            netns,
            mut holders,
            acceptors,
            queued,
            limit,
            waiting,
            ..
        } = line;
        holders.truncate(HOLDERS);
        let id = ListenerId(socket);
        if holders.is_empty() || self.tables.listeners.len() >= LISTENERS {
            return;
        }
        let waiting: Vec<Waiting> = waiting
            .iter()
            .take(HEAD)
            .map(|waiting| of_queue(waiting, id, line.local))
            .collect();
        let holders: Vec<(ProcessId, Comm)> = holders
            .into_iter()
            .map(|process| (process, self.name(process)))
            .collect();
        self.tables.listeners.push(ListeningSocket {
            id,
            acceptors: acceptors
                .map_or(0, |acceptors| acceptors as usize)
                .min(holders.len()),
            holders,
            netns,
            local,
            queued: queued.unwrap_or_else(|| u32::try_from(waiting.len()).unwrap_or(u32::MAX)),
            queue_limit: limit,
            waiting,
            at,
        });
    }
}

fn of_queue(line: &InQueue, listener: ListenerId, local: SocketAddr) -> Waiting {
    Waiting {
        id: line.id,
        listener,
        local,
        peer: line.peer,
        given_up: line.given_up,
        at: line.since + line.waited,
        waited: line.waited,
    }
}
