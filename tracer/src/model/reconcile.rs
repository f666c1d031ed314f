//! Makes the ledger agree with a snapshot.
//!
//! The snapshot is the truth about descriptors, the events are the truth about time: what an event told is never
//! overwritten, what it failed to tell is made good.

use std::collections::{HashMap, HashSet};

use super::{
    connection::{Connection, ConnectionId, Direction, GroupKey, Phase, ProcessId},
    event::Opening,
    ledger::{Fact, Ledger},
    listener,
    snapshot::{Held, Reconciled, Snapshot},
    time::Time,
};

impl Ledger {
    /// To be called before a snapshot is read: from here on the ends of connections are remembered, for a row that was
    /// written before its connection ended must not bring it back.
    pub fn begin_snapshot(&mut self) {
        self.ended_meanwhile = Some(HashSet::new());
    }

    /// There will be no snapshot after all: nothing needs to be remembered.
    pub fn abandon_snapshot(&mut self) {
        self.ended_meanwhile = None;
    }

    /// Enters a snapshot. A connection that no descriptor holds ends when the next snapshot misses it, too: a descriptor
    /// goes first and the socket an instant later (`fput` in `fs/file_table.c` leaves the rest to the return from the
    /// system call), and one may be on its way between two processes. All events that were submitted before it was complete must have been applied.
    ///
    /// `admits` says whether a connection of this direction and service port is watched: of what was open before the
    /// tracer came, the kernel side does not know.
    pub fn reconcile(
        &mut self,
        snapshot: &Snapshot,
        now: Time,
        admits: impl Fn(Direction, u16) -> bool,
        facts: &mut Vec<Fact>,
    ) -> Reconciled {
        let ended_meanwhile = self.ended_meanwhile.take().unwrap_or_default();
        let mut reconciled = Reconciled::default();
        // The first descriptor stands for the others: a socket that is held twice is one connection.
        let mut held: HashMap<ConnectionId, &Held> = HashMap::with_capacity(snapshot.held.len());
        for row in &snapshot.held {
            held.entry(row.id).or_insert(row);
        }
        let missing: HashSet<ConnectionId> = self
            .connections()
            .filter(|(id, connection)| {
                // What kernel threads hold has no descriptor; what failed is no connection.
                let needs_descriptor = connection.phase.is_held() || connection.phase == Phase::Connecting;
                needs_descriptor
                    && connection.group.process != ProcessId::KERNEL
                    && connection.phase_since < snapshot.began
                    && !held.contains_key(id)
            })
            .map(|(id, _)| id)
            .collect();
        for id in missing.intersection(&std::mem::take(&mut self.missing)) {
            reconciled.ended += 1;
            self.end_unheld(*id, now, facts);
        }
        self.missing = missing.into_iter().filter(|id| self.knows(*id)).collect();
        reconciled.missing = self.missing.len() as u64;
        self.listeners = listener::of(snapshot);
        self.descriptors = snapshot
            .descriptors
            .iter()
            .map(|table| (table.process, *table))
            .collect();
        let directions = snapshot.directions();
        for (id, row) in held {
            if self.knows(id) {
                reconciled.confirmed += 1;
            } else if !ended_meanwhile.contains(&id) {
                reconciled.added += u64::from(self.add_older(id, row, directions.of(row), &admits, facts));
            }
        }
        reconciled
    }

    /// How many connections of a group were seen opening at `since` or later and are held still, as far as anybody can
    /// tell: those that the last snapshot missed have probably closed. Looks at every connection there is.
    pub fn open_since(&self, group: &GroupKey, since: Time) -> u32 {
        let held = self.connections().filter(|(id, connection)| {
            connection.group == *group
                && connection.phase.is_held()
                && !connection.older
                && connection.opened >= since
                && !self.missing.contains(id)
        });
        u32::try_from(held.count()).unwrap_or(u32::MAX)
    }

    /// Enters a connection that was open before anybody watched; says whether it is watched.
    fn add_older(
        &mut self,
        id: ConnectionId,
        row: &Held,
        direction: Direction,
        admits: impl Fn(Direction, u16) -> bool,
        facts: &mut Vec<Fact>,
    ) -> bool {
        let Held {
            process,
            comm,
            netns,
            local,
            peer,
            phase,
            at,
            age_at_least,
            ..
        } = *row;
        let opening = Opening {
            process,
            comm,
            direction,
            connecting: phase == Phase::Connecting,
            local,
            peer,
            netns,
        };
        if !admits(direction, opening.service_port()) {
            // Its close may have been told before this row was entered.
            self.early.remove(&id);
            if self.unwatched.len() < self.limits.connections {
                self.unwatched.insert(id);
            }
            return false;
        }
        self.enter(id, at.earlier(age_at_least), opening, true, facts);
        if let Some(Connection {
            phase: current,
            phase_since,
            ..
        }) = self.connection_mut(id)
        {
            // Open or connecting already; half closed and dead ones came to that at an unknown time.
            if *current == Phase::Open {
                (*current, *phase_since) = (phase, at);
            }
        }
        true
    }
}
