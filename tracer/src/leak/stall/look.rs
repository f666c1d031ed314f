//! What one snapshot shows of a listening socket.

use std::{cmp::Reverse, collections::HashMap, net::IpAddr};

use super::StallParameters;
use crate::{
    leak::finding::{Queue, Stalled},
    model::{
        connection::{PeerKey, ProcessId},
        ledger::Ledger,
        listener::ListeningSocket,
        name::Comm,
        snapshot::{Descriptors, Waiting},
        time::Time,
    },
};

/// Descriptors that may be missing to the limit. `EMFILE` comes when the table is full (`alloc_fd`, `fs/file.c`), but a
/// thread that is blocked in accept on another socket has reserved one, without a file yet (`__sys_accept4_file`,
/// `net/socket.c`), so that no table shows it.
const SLACK: u64 = 1;

/// What a rule sees of a listening socket.
pub(super) struct Look<'a> {
    pub(super) socket: &'a ListeningSocket,
    ledger: &'a Ledger,
    holders_at_limit: u32,
    /// Whether all processes that accept are at their limit, as far as their tables are known.
    pub(super) at_limit: bool,
}

/// How things stand in a queue.
pub(super) enum State<'a> {
    /// Nobody waits.
    Empty,
    /// Somebody waits, nobody could read who.
    Unread,
    /// This one is the first.
    Headed(&'a Waiting),
}

impl<'a> Look<'a> {
    pub(super) fn at(socket: &'a ListeningSocket, ledger: &'a Ledger) -> Self {
        let tables = |holders: &'a [(ProcessId, Comm)]| {
            holders
                .iter()
                .filter_map(|(process, _)| ledger.descriptors(*process))
        };
        let acceptors = || tables(socket.acceptors());
        Self {
            socket,
            ledger,
            holders_at_limit: count(tables(&socket.holders).filter(|table| is_full(table)).count()),
            at_limit: acceptors().count() > 0 && acceptors().all(is_full),
        }
    }

    pub(super) fn state(&self) -> State<'a> {
        match (self.socket.waiting.first(), self.socket.queued) {
            (Some(first), _) => State::Headed(first),
            (None, 0) => State::Empty,
            (None, _) => State::Unread,
        }
    }

    /// Whether this connection has been the first for too long.
    pub(super) fn is_stuck(&self, first: &Waiting, parameters: StallParameters) -> bool {
        let enough = self.has_plain_reason() || self.socket.queued >= parameters.min_waiting;
        enough && !self.is_young(first, parameters)
    }

    /// Whether it has not waited for long.
    pub(super) fn is_young(&self, first: &Waiting, parameters: StallParameters) -> bool {
        let patience = if self.has_plain_reason() {
            parameters.at_limit_wait.min(parameters.min_wait)
        } else {
            parameters.min_wait
        };
        first.waited < patience
    }

    fn has_plain_reason(&self) -> bool {
        self.at_limit || self.socket.is_full()
    }

    /// As a finding tells it, with what only time tells: the peak and the beginnings.
    pub(super) fn describe(&self, peak: u32, stuck_since: Time, since: Time) -> Stalled {
        let ListeningSocket {
            id,
            ref holders,
            local,
            queued,
            at,
            ..
        } = *self.socket;
        let (owner, _) = self.socket.owner();
        Stalled {
            listener: id,
            local,
            holders: count(holders.len()),
            holders_at_limit: self.holders_at_limit,
            at_limit: self.at_limit,
            descriptors: self.ledger.descriptors(owner).copied(),
            held: self.held_by(owner),
            queue: self.queue(),
            peak: peak.max(queued),
            stuck_for: at.since(stuck_since),
            since,
        }
    }

    fn held_by(&self, process: ProcessId) -> Vec<(PeerKey, u32)> {
        let groups = self.ledger.groups().iter();
        let held = groups
            .filter(|(key, group)| key.process == process && group.tally.open > 0)
            .map(|(key, group)| (key.peer_key(), group.tally.open));
        let mut held: Vec<(PeerKey, u32)> = held.collect();
        most_first(&mut held);
        held.truncate(Stalled::GROUPS);
        held
    }

    fn queue(&self) -> Queue {
        let ListeningSocket {
            waiting,
            queued,
            queue_limit,
            ..
        } = self.socket;
        let mut counts: HashMap<IpAddr, u32> = HashMap::new();
        for connection in waiting {
            *counts.entry(connection.peer.ip()).or_default() += 1;
        }
        let mut peers: Vec<(IpAddr, u32)> = counts.into_iter().collect();
        most_first(&mut peers);
        let elsewhere = peers.iter().skip(Queue::PEERS).map(|(_, count)| count).sum();
        peers.truncate(Queue::PEERS);
        Queue {
            length: *queued,
            limit: *queue_limit,
            waited: waiting.first().map(|first| first.waited).unwrap_or_default(),
            examined: count(waiting.len()),
            given_up: count(waiting.iter().filter(|connection| connection.given_up).count()),
            peers,
            elsewhere,
        }
    }
}

fn is_full(descriptors: &Descriptors) -> bool {
    let used = u64::from(descriptors.used);
    descriptors.limit.is_some_and(|limit| used + SLACK >= limit)
}

fn most_first<K: Ord + Copy>(counts: &mut [(K, u32)]) {
    counts.sort_unstable_by_key(|&(key, count)| (Reverse(count), key));
}

fn count(things: usize) -> u32 {
    u32::try_from(things).unwrap_or(u32::MAX)
}
