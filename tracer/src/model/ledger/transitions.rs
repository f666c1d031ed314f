//! What each event does to its connection.

use std::net::SocketAddr;

use super::{EARLY_LIMIT, EarlyClose, Fact, Ledger};
use crate::model::{
    connection::{Connection, ConnectionId, Phase},
    event::{EndCause, Opening, StateChange},
    tally::Tally,
    time::Time,
};

/// How a connection comes into the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Entrance {
    /// It was seen opening.
    Seen,
    /// A snapshot found it held.
    Found,
    /// A snapshot found it in the queue of its listener.
    Waiting {
        /// Whether its client has gone.
        given_up: bool,
    },
}

impl Ledger {
    pub(super) fn opened(&mut self, id: ConnectionId, at: Time, opening: Opening, facts: &mut Vec<Fact>) {
        match self.connections.get(&id) {
            // A snapshot came before the hook: what it found, in a queue or an instant before, is seen opening after all.
            Some(Connection {
                phase: Phase::Unaccepted { .. },
                ..
            }) => self.forget_waiting(id, at),
            Some(&Connection {
                older: true,
                group,
                phase,
                ..
            }) => {
                self.each_tally(group, at, |tally| tally.unfind(phase));
                self.connections.remove(&id);
            }
            Some(_) => {
                self.irregularities.duplicates += 1;
                return;
            }
            None => {}
        }
        self.enter(id, at, opening, Entrance::Seen, facts);
    }

    /// Enters a connection that is not known yet.
    pub(in crate::model) fn enter(
        &mut self,
        id: ConnectionId,
        at: Time,
        opening: Opening,
        entrance: Entrance,
        facts: &mut Vec<Fact>,
    ) {
        if self.connections.len() >= self.limits.connections {
            self.irregularities.untracked += 1;
            return;
        }
        let group = self.place(opening);
        let phase = match entrance {
            Entrance::Waiting { given_up } => Phase::Unaccepted { given_up },
            _ if opening.connecting => Phase::Connecting,
            _ => Phase::Open,
        };
        let Opening {
            local, peer, netns, ..
        } = opening;
        let connection = Connection {
            group,
            local,
            peer,
            netns,
            opener: (entrance == Entrance::Seen).then_some(opening.process),
            holders: 1,
            opened: at,
            older: entrance == Entrance::Found,
            phase,
            phase_since: at,
        };
        self.connections.insert(id, connection);
        match (phase, entrance) {
            (Phase::Unaccepted { .. }, _) => self.each_tally(group, at, |tally| tally.unaccepted += 1),
            (Phase::Connecting, _) => self.each_tally(group, at, Tally::attempt),
            (_, Entrance::Found) => {
                self.each_tally(group, at, Tally::find);
                facts.push(Fact::Found { group, at });
            }
            _ => self.count_open(group, at, facts),
        }
        if let Some(close) = self.early.remove(&id) {
            self.released(id, close.at.max(at), close.connected, facts);
        }
    }

    /// Takes a connection out of the books that nobody has accepted.
    pub(in crate::model) fn forget_waiting(&mut self, id: ConnectionId, at: Time) {
        if let Some(connection) = self.connections.remove(&id) {
            self.each_tally(connection.group, at, Tally::stop_waiting);
        }
    }

    pub(in crate::model) fn state_changed(
        &mut self,
        id: ConnectionId,
        at: Time,
        change: StateChange,
        facts: &mut Vec<Fact>,
    ) {
        if matches!(change, StateChange::PeerClosed | StateChange::ShutDown) {
            // Only connections get there, so the establishment was missed if it was not told.
            self.established(id, at, facts);
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            // While a snapshot is read, it may be of a socket whose row is not entered yet: no orphan.
            self.irregularities.orphans += u64::from(self.ended_meanwhile.is_none());
            return;
        };
        let group = connection.group;
        let before = connection.phase;
        let after = match (before, change) {
            (Phase::Connecting, StateChange::Established { local_port }) => {
                if local_port != 0 {
                    connection.local = SocketAddr::new(connection.local.ip(), local_port);
                }
                return self.established(id, at, facts);
            }
            (Phase::Connecting, StateChange::Closed { error }) => Phase::Failed(error),
            (Phase::Unaccepted { .. }, StateChange::PeerClosed | StateChange::Closed { .. }) => {
                Phase::Unaccepted { given_up: true }
            }
            (Phase::Open, StateChange::PeerClosed) => Phase::HalfClosedRemote,
            (Phase::Open | Phase::HalfClosedRemote, StateChange::ShutDown) => Phase::HalfClosedLocal,
            (held, StateChange::Closed { .. }) if held.is_held() => Phase::DeadHeld,
            (unchanged, _) => unchanged,
        };
        if after == before {
            return;
        }
        connection.enter(after, at);
        if let Phase::Failed(error) = after {
            self.count_failure(group, at, error);
        }
    }

    /// An attempt became a connection. Does nothing in any other phase.
    fn established(&mut self, id: ConnectionId, at: Time, facts: &mut Vec<Fact>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.phase != Phase::Connecting {
            return;
        }
        connection.opened = at;
        connection.enter(Phase::Open, at);
        let group = connection.group;
        self.each_tally(group, at, |tally| tally.attempt_over(false));
        self.count_open(group, at, facts);
    }

    pub(super) fn released(&mut self, id: ConnectionId, at: Time, connected: bool, facts: &mut Vec<Fact>) {
        if connected {
            // Only does something where the establishment was missed.
            self.established(id, at, facts);
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            self.remember_early(id, EarlyClose { at, connected });
            return;
        };
        let Connection {
            group, opened, phase, ..
        } = *connection;
        if phase == Phase::Released {
            return;
        }
        connection.enter(Phase::Released, at);
        match phase {
            Phase::Connecting => self.count_failure(group, at, 0),
            Phase::Unaccepted { .. } => self.each_tally(group, at, Tally::stop_waiting),
            held if held.is_held() => self.count_close(group, at, opened, facts),
            _ => {}
        }
    }

    pub(super) fn ended(&mut self, id: ConnectionId, at: Time, cause: EndCause, facts: &mut Vec<Fact>) {
        self.released(id, at, false, facts);
        if self.connections.remove(&id).is_some() {
            if let Some(ended) = &mut self.ended_meanwhile {
                ended.insert(id);
            }
            self.irregularities.unobserved += u64::from(cause == EndCause::Unobserved);
        }
    }

    fn remember_early(&mut self, id: ConnectionId, close: EarlyClose) {
        if self.early.len() < EARLY_LIMIT || self.early.contains_key(&id) {
            self.early.entry(id).or_insert(close);
        } else {
            self.irregularities.orphans += 1;
        }
    }
}
