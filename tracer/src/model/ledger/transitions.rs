//! What each event does to its connection.

use super::{EARLY_LIMIT, EarlyClose, INFERRED_LIMIT, Ledger};
use crate::model::{
    connection::{Connection, ConnectionId, Phase},
    event::{EndCause, Opening, StateChange},
    fact::{Fact, Life, Start},
    tally::Tally,
    time::Time,
};

/// How a connection comes into the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Entrance {
    /// It was seen opening.
    Seen,
    /// It was found held.
    Found {
        /// In this phase.
        phase: Phase,
        /// When.
        at: Time,
    },
    /// A snapshot found it in the queue of its listener.
    Waiting {
        /// Whether its client has gone.
        given_up: bool,
    },
}

impl Ledger {
    pub(super) fn opened(&mut self, id: ConnectionId, at: Time, opening: Opening, facts: &mut Vec<Fact>) {
        let before = self.connections.get_mut(id);
        match before.map(|(record, group)| (record.phase, record.older, record.life(), group)) {
            // A snapshot came before the hook: what it found, in a queue or an instant before, is seen opening after all.
            Some((Phase::Unaccepted { .. }, ..)) => self.forget_waiting(id, at),
            Some((phase, true, life, group)) => {
                self.each_tally(group, at, |tally| tally.unfind(phase));
                self.connections.remove(id);
                if phase.is_held() {
                    facts.push(Fact::Retracted { id, group, life });
                }
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
            Entrance::Found { phase, .. } => phase,
            Entrance::Seen if opening.connecting => Phase::Connecting,
            Entrance::Seen => Phase::Open,
        };
        let Opening {
            local,
            peer,
            netns,
            stack,
            ..
        } = opening;
        let found = match entrance {
            Entrance::Found { at, .. } => Some(at),
            _ => None,
        };
        // The snapshot before this one did not show it.
        let is_young = found.is_none() || self.compared.is_some_and(|compared| at >= compared);
        let is_useless = matches!(phase, Phase::HalfClosedRemote | Phase::DeadHeld);
        let life = Life {
            opened: if is_young { Start::Seen(at) } else { Start::Older },
            peer_gone: is_useless.then_some(Start::Older),
        };
        let connection = Connection {
            group,
            local,
            peer,
            netns,
            opener: (entrance == Entrance::Seen).then_some(opening.process),
            stack,
            holders: 1,
            opened: at,
            older: found.is_some(),
            phase,
            // Half closed and dead ones came to that at an unknown time.
            phase_since: found.filter(|_| phase != Phase::Connecting).unwrap_or(at),
            life,
            traffic: None,
        };
        self.connections.insert(id, &connection);
        match (phase, entrance) {
            (Phase::Unaccepted { .. }, _) => {
                self.each_tally(group, at, |tally| tally.unaccepted += 1);
                self.note(Fact::Waiting { id, at }, facts);
                if phase == (Phase::Unaccepted { given_up: true }) {
                    self.note(Fact::Turned { id, at, phase }, facts);
                }
            }
            (Phase::Connecting, _) => {
                self.each_tally(group, at, Tally::attempt);
                self.note(Fact::Attempted { id, at }, facts);
            }
            (_, Entrance::Found { at: found, .. }) => {
                self.each_tally(group, at, Tally::find);
                facts.push(Fact::Found {
                    id,
                    group,
                    at: found,
                    life,
                });
                if phase != Phase::Open {
                    let at = found;
                    self.note(Fact::Turned { id, at, phase }, facts);
                }
            }
            _ => self.count_open(id, (group, false), at, facts),
        }
        if !self.early.is_empty()
            && let Some(close) = self.early.remove(&id)
        {
            self.released(id, close.at.max(at), close.connected, facts);
        }
    }

    /// Takes a connection out of the books that nobody has accepted.
    pub(in crate::model) fn forget_waiting(&mut self, id: ConnectionId, at: Time) {
        if let Some((_, group)) = self.connections.get_mut(id) {
            self.connections.remove(id);
            self.each_tally(group, at, Tally::stop_waiting);
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
        let Some((record, group)) = self.connections.get_mut(id) else {
            // While a snapshot is read, it may be of a socket whose row is not entered yet: no orphan.
            let is_orphan = self.ended_meanwhile.is_none() && !self.inferred.contains_key(&id);
            self.irregularities.orphans += u64::from(is_orphan);
            return;
        };
        let before = record.phase;
        let after = match (before, change) {
            (Phase::Connecting, StateChange::Established { local_port }) => {
                if local_port != 0 {
                    record.set_local_port(local_port);
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
        record.enter(after, at);
        let lost_peer =
            matches!(after, Phase::HalfClosedRemote | Phase::DeadHeld) && record.lose_peer(Start::Seen(at));
        let phase = after;
        self.note(Fact::Turned { id, at, phase }, facts);
        match after {
            Phase::Failed(error) => {
                self.count_failure(group, at, error);
                facts.push(Fact::Failed { id, group, at });
            }
            _ if lost_peer => {
                facts.push(Fact::PeerGone { id, group, at });
            }
            _ => {}
        }
    }

    /// An attempt became a connection. Does nothing in any other phase.
    fn established(&mut self, id: ConnectionId, at: Time, facts: &mut Vec<Fact>) {
        let Some((record, group)) = self.connections.get_mut(id) else {
            return;
        };
        if record.phase != Phase::Connecting {
            return;
        }
        record.open(at);
        self.count_open(id, (group, true), at, facts);
    }

    pub(super) fn released(&mut self, id: ConnectionId, at: Time, connected: bool, facts: &mut Vec<Fact>) {
        if connected {
            // Only does something where the establishment was missed.
            self.established(id, at, facts);
        }
        let Some((record, group)) = self.connections.get_mut(id) else {
            if !self.inferred.contains_key(&id) {
                self.remember_early(id, EarlyClose { at, connected });
            }
            return;
        };
        let (opened, phase, phase_since, life) =
            (record.opened, record.phase, record.phase_since, record.life());
        if phase == Phase::Released {
            return;
        }
        self.connections.release(id, at);
        match phase {
            Phase::Connecting => {
                self.count_failure(group, at, 0);
                self.note(Fact::Dropped { id, at }, facts);
            }
            Phase::Unaccepted { .. } => {
                self.each_tally(group, at, Tally::stop_waiting);
                self.note(Fact::Dropped { id, at }, facts);
            }
            Phase::Failed(_) => facts.push(Fact::FailureClosed {
                id,
                group,
                at,
                failed: phase_since,
            }),
            held if held.is_held() => self.count_close(id, (group, opened, life), at, facts),
            _ => {}
        }
    }

    pub(super) fn ended(&mut self, id: ConnectionId, at: Time, cause: EndCause, facts: &mut Vec<Fact>) {
        self.released(id, at, false, facts);
        if self.connections.remove(id) {
            if let Some(ended) = &mut self.ended_meanwhile {
                ended.insert(id);
            }
            if cause == EndCause::Unobserved {
                self.irregularities.unobserved += 1;
                if self.inferred.len() < INFERRED_LIMIT {
                    self.inferred.insert(id, at);
                }
            }
        } else {
            self.inferred.remove(&id);
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
