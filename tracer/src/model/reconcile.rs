//! Makes the ledger agree with a snapshot.
//!
//! The snapshot is the truth about descriptors, the events are the truth about time: what an event told is never
//! overwritten, what it failed to tell is made good.

use std::time::Duration;

use foldhash::{HashMap, HashSet};

use super::{
    budget::Budget,
    connection::{ConnectionId, Direction, GroupKey, Phase, ProcessId, Traffic},
    event::{Opening, StateChange},
    fact::Fact,
    ledger::{Entrance, Ledger},
    listener::{self, ListeningSocket},
    snapshot::{Descriptors, Held, Reconciled, Snapshot, Waiting},
    stack::Opener,
    time::Time,
};

impl Ledger {
    /// To be called before a snapshot is read: from here on the ends of connections are remembered, for a row that was
    /// written before its connection ended must not bring it back.
    pub fn begin_snapshot(&mut self) {
        self.ended_meanwhile = Some(HashSet::default());
    }

    /// There will be no snapshot after all: nothing needs to be remembered.
    pub fn abandon_snapshot(&mut self) {
        self.ended_meanwhile = None;
    }

    /// Enters a snapshot. A connection that no descriptor holds and that waits in no queue ends when the next snapshot
    /// misses it, too: a descriptor goes first and the socket an instant later (`fput` in `fs/file_table.c` leaves the
    /// rest to the return from the system call), and one may be on its way between two processes. All events that were
    /// submitted before it was complete must have been applied.
    ///
    /// `admits` says whether a connection is watched: of what was open before the tracer came, the kernel side does not
    /// know.
    pub fn reconcile(
        &mut self,
        snapshot: &Snapshot,
        now: Time,
        admits: impl Fn(&Opening) -> bool,
        facts: &mut Vec<Fact>,
    ) -> Reconciled {
        let ended_meanwhile = self.ended_meanwhile.take().unwrap_or_default();
        let mut reconciled = Reconciled::default();
        let held = HeldRows::of(snapshot);
        let waiting: HashSet<ConnectionId> = snapshot.waiting.iter().map(|waiting| waiting.id).collect();
        let failed = snapshot.failed.as_ref();
        let failed = failed.map(|failed| failed.iter().copied().collect::<HashSet<ConnectionId>>());
        let undecided: HashSet<ConnectionId> = snapshot.undecided.iter().copied().collect();
        let missing: HashSet<ConnectionId> = self
            .connections
            .iter()
            .filter(|record| {
                let id = record.id;
                let is_there = match record.phase {
                    // What was released has no descriptor.
                    Phase::Released => true,
                    // Not every source shows these. One that has not told its process yet still has its port.
                    Phase::Failed(_) => {
                        let is_held = |failed: &HashSet<_>| failed.contains(&id) || held.contains(id);
                        failed.as_ref().is_none_or(is_held)
                    }
                    Phase::Unaccepted { .. } => held.contains(id) || waiting.contains(&id),
                    // Nor has what kernel threads hold.
                    _ => held.contains(id) || self.connections.group(record).process == ProcessId::KERNEL,
                };
                !is_there && record.phase_since < snapshot.began && !undecided.contains(&id)
            })
            .map(|record| record.id)
            .collect();
        let missed_before = std::mem::take(&mut self.missing);
        let mut unheld: Vec<ConnectionId> = missing.intersection(&missed_before).copied().collect();
        // In an order, so that the same events give the same facts.
        unheld.sort_unstable();
        reconciled.ended = unheld.len() as u64;
        for id in unheld {
            self.end_unheld(id, now, facts);
        }
        self.missing = missing.into_iter().filter(|id| self.knows(*id)).collect();
        reconciled.missing = self.missing.len() as u64;
        let directions = snapshot.directions();
        for rows in held.connections() {
            let Some(&row) = rows.first() else { continue };
            let was_waiting = match self.phase(row.id) {
                // It was accepted, and nobody told.
                Some(Phase::Unaccepted { .. }) => {
                    self.forget_waiting(row.id, row.at);
                    true
                }
                Some(_) => {
                    reconciled.confirmed += 1;
                    self.catch_up(row, snapshot.began, facts);
                    reconciled.moved += u64::from(self.follow_holder(row.id, rows, now, facts));
                    continue;
                }
                None if ended_meanwhile.contains(&row.id) => continue,
                None => false,
            };
            let direction = directions.of(row);
            let is_added = self.add_older(row, direction, &admits, facts);
            reconciled.added += u64::from(is_added);
            if was_waiting && !is_added {
                let (id, at) = (row.id, row.at);
                self.note(Fact::Dropped { id, at }, facts);
            }
        }
        let listeners = listener::of(snapshot);
        for waiting in &snapshot.waiting {
            if !self.knows(waiting.id) && !ended_meanwhile.contains(&waiting.id) {
                self.add_waiting(waiting, &listeners, &admits, facts);
            }
        }
        self.listeners = listeners;
        self.listeners.retain(|listener| admits(&listener.next_accept()));
        for row in &snapshot.held {
            // A process keeps its id and changes its name when it runs another program.
            if let Some(name) = self.names.get_mut(&row.process) {
                *name = row.comm;
            }
        }
        for row in &snapshot.held {
            if self.note_traffic(row.id, (row.sent, row.received), row.idle, row.at) {
                self.note(Fact::Carried { id: row.id }, facts);
            }
        }
        self.read_budgets(&snapshot.descriptors);
        // Not when it began: what came about meanwhile may be shown or not, and a recording knows this moment only.
        self.compared = Some(now);
        self.irregularities.unlisted = snapshot.untracked;
        reconciled
    }

    /// A change of state that was lost shows in the row, unless something was told since.
    fn catch_up(&mut self, row: &Held, began: Time, facts: &mut Vec<Fact>) {
        let Some(record) = self.connections.get(row.id) else {
            return;
        };
        if record.phase == row.phase || record.phase_since >= began {
            return;
        }
        let change = match row.phase {
            Phase::Open => StateChange::Established {
                local_port: row.local.port(),
            },
            Phase::HalfClosedRemote => StateChange::PeerClosed,
            Phase::HalfClosedLocal => StateChange::ShutDown,
            // Refused, if it was an attempt: nothing tells that from a connection that came about and was reset.
            Phase::DeadHeld => StateChange::Closed { error: 0 },
            _ => return,
        };
        self.state_changed(row.id, row.at, change, facts);
    }

    /// Keeps a connection with a process that holds it; says whether it moved.
    fn follow_holder(&mut self, id: ConnectionId, rows: &[&Held], now: Time, facts: &mut Vec<Fact>) -> bool {
        let Some((record, group)) = self.connections.get_mut(id) else {
            return false;
        };
        let holders = rows.chunk_by(|a, b| a.process == b.process).count();
        record.holders = u16::try_from(holders).unwrap_or(u16::MAX);
        let current = group.process;
        if current == ProcessId::OTHER || rows.iter().any(|row| row.process == current) {
            return false;
        }
        let Some(heir) = rows.first() else {
            return false;
        };
        self.hand_over(id, (heir.process, heir.comm), now, facts);
        true
    }

    /// How many connections of a group were seen opening at `since` or later and are held still, as far as anybody can
    /// tell: those that the last snapshot missed have probably closed.
    pub fn open_since(&self, group: &GroupKey, since: Time) -> u32 {
        let held = self.connections.of_group(*group).filter(|record| {
            record.phase.is_held()
                && !record.older
                && record.opened >= since
                && !self.missing.contains(&record.id)
        });
        u32::try_from(held.count()).unwrap_or(u32::MAX)
    }

    /// Enters a connection that was found held, in a phase, at a time; `opened` is when it opened at the latest.
    pub fn find(
        &mut self,
        id: ConnectionId,
        opening: Opening,
        opened: Time,
        (phase, at): (Phase, Time),
        facts: &mut Vec<Fact>,
    ) {
        self.enter(id, opened, opening, Entrance::Found { phase, at }, facts);
    }

    /// Notes how many application bytes a held connection has sent and received, and how long none of them has moved;
    /// says whether that is news.
    pub fn note_traffic(
        &mut self,
        id: ConnectionId,
        (sent, received): (u64, u64),
        idle: Duration,
        at: Time,
    ) -> bool {
        self.tells_traffic = true;
        let Some((record, _)) = self.connections.get_mut(id) else {
            return false;
        };
        let is_news = record.traffic().is_none_or(|before| {
            (before.sent, before.received) != (sent, received) && at.since(before.noted) >= Traffic::EVERY
        });
        if is_news {
            record.carry(Traffic {
                sent,
                received,
                last: at.earlier(idle),
                noted: at,
            });
        }
        is_news
    }

    /// Enters the descriptor table of a process.
    pub fn note_descriptors(&mut self, table: Descriptors) {
        let open = self.processes().get(&table.process);
        let open = open.map_or(0, |process| process.tally.open);
        self.budgets
            .entry(table.process)
            .and_modify(|budget| budget.read(table, open))
            .or_insert_with(|| Budget::new(table, open));
    }

    /// Enters a connection that was open before anybody watched; says whether it is watched.
    fn add_older(
        &mut self,
        row: &Held,
        direction: Direction,
        admits: impl Fn(&Opening) -> bool,
        facts: &mut Vec<Fact>,
    ) -> bool {
        let opening = Opening {
            process: row.process,
            comm: row.comm,
            direction,
            connecting: row.phase == Phase::Connecting,
            local: row.local,
            peer: row.peer,
            netns: row.netns,
            stack: Opener::OLDER,
        };
        if !self.is_watched(row.id, &opening, admits) {
            return false;
        }
        let opened = row.at.earlier(row.age_at_least);
        self.find(row.id, opening, opened, (row.phase, row.at), facts);
        true
    }

    /// Enters a connection that no process has accepted, for the owner of its listener.
    fn add_waiting(
        &mut self,
        waiting: &Waiting,
        listeners: &[ListeningSocket],
        admits: impl Fn(&Opening) -> bool,
        facts: &mut Vec<Fact>,
    ) {
        // They come in the order of their numbers.
        let place = listeners.binary_search_by_key(&waiting.listener, |listener| listener.id);
        let listener = place.ok().and_then(|place| listeners.get(place));
        let Some(opening) = listener.map(|listener| listener.accept_of(waiting)) else {
            return;
        };
        if self.is_watched(waiting.id, &opening, admits) {
            let entrance = Entrance::Waiting {
                given_up: waiting.given_up,
            };
            let since = waiting.at.earlier(waiting.waited);
            self.enter(waiting.id, since, opening, entrance, facts);
        }
    }

    /// Whether a filter lets in what a snapshot found. The kernel side follows it all the same.
    fn is_watched(&mut self, id: ConnectionId, opening: &Opening, admits: impl Fn(&Opening) -> bool) -> bool {
        if admits(opening) {
            return true;
        }
        // Its close may have been told before this row was entered.
        self.early.remove(&id);
        if self.unwatched.len() < self.limits.connections {
            self.unwatched.insert(id);
        }
        false
    }

    fn read_budgets(&mut self, tables: &[Descriptors]) {
        let mut tables_by_process: HashMap<ProcessId, Descriptors> = HashMap::default();
        for table in tables {
            tables_by_process
                .entry(table.process)
                // Of a thread that does not share its process's table.
                .and_modify(|sum| {
                    sum.used = sum.used.max(table.used);
                    sum.sockets = sum.sockets.max(table.sockets);
                })
                .or_insert(*table);
        }
        let open = self.processes().iter();
        self.open_at_snapshot = open
            .map(|(process, entry)| (*process, entry.tally.open))
            .collect();
        self.budgets
            .retain(|process, _| tables_by_process.contains_key(process));
        for (process, table) in tables_by_process {
            let open = self.open_at_snapshot.get(&process).copied().unwrap_or(0);
            self.budgets
                .entry(process)
                .and_modify(|budget| budget.read(table, open))
                .or_insert_with(|| Budget::new(table, open));
        }
    }
}

/// The rows of held connections, by connection and process: a socket that is held twice is one connection.
struct HeldRows<'a>(Vec<&'a Held>);

impl<'a> HeldRows<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let mut rows: Vec<&Held> = snapshot.held.iter().collect();
        rows.sort_unstable_by_key(|row| (row.id, row.process, row.fd));
        Self(rows)
    }

    fn contains(&self, id: ConnectionId) -> bool {
        self.0.binary_search_by_key(&id, |row| row.id).is_ok()
    }

    /// The rows of each connection.
    fn connections(&self) -> impl Iterator<Item = &[&'a Held]> {
        self.0.chunk_by(|a, b| a.id == b.id)
    }
}
