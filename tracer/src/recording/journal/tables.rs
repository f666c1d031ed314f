//! What a comparison with the kernel's tables tells beside changes: descriptors, queues, holders.

use std::cmp::Reverse;

use foldhash::HashMap;

use super::{Journal, Told, nanos_since};
use crate::{
    model::{
        connection::{ConnectionId, ProcessId},
        ledger::Ledger,
        listener::ListeningSocket,
        snapshot::{self, Snapshot},
        time::Time,
    },
    recording::written::{Id, InQueue, Listener, Nanos, Process, Reconciled, Written, pair},
};

/// Holders of one connection that are told.
const HOLDERS: usize = 64;

impl Journal {
    /// Notes that the ledger was compared with a snapshot. What that changed must have been [noted](Self::note).
    pub fn reconciled(
        &mut self,
        snapshot: &Snapshot,
        ledger: &Ledger,
        changed: &snapshot::Reconciled,
        lost: u64,
        now: Time,
    ) {
        self.tell_holders(snapshot, ledger, now);
        self.tell_descriptors(ledger);
        for listener in ledger.listeners() {
            self.tell_listener(listener);
        }
        // After the names in the tables, which the books need not share: a thread has one of its own.
        self.tell_names(ledger, now);
        let mut missing: Vec<ConnectionId> = ledger.missing().collect();
        missing.sort_unstable();
        for id in missing {
            let line = self.moment(id, now);
            self.write(&Written::Missing(line));
        }
        let (ts, _) = self.stamp(now);
        self.write(&Written::Reconciled(Reconciled {
            ts: Nanos(ts),
            open: changed.confirmed,
            added: changed.added,
            ended: changed.ended,
            moved: changed.moved,
            lost,
            complete: true,
            traffic: ledger.tells_traffic(),
        }));
    }

    /// Connections that several processes hold.
    fn tell_holders(&mut self, snapshot: &Snapshot, ledger: &Ledger, now: Time) {
        let mut holders: HashMap<ConnectionId, Vec<ProcessId>> = HashMap::default();
        for row in &snapshot.held {
            let holders = holders.entry(row.id).or_default();
            if !holders.contains(&row.process) && holders.len() < HOLDERS {
                holders.push(row.process);
            }
        }
        let is_shared = |id: &ConnectionId, holders: &Vec<ProcessId>, told: &HashMap<_, _>| {
            holders.len() > 1 || told.contains_key(id)
        };
        let mut news: Vec<(ConnectionId, Vec<ProcessId>)> = holders
            .into_iter()
            .filter(|(id, holders)| is_shared(id, holders, &self.shared))
            .collect();
        news.sort_unstable_by_key(|(id, _)| *id);
        for (id, mut holders) in news {
            let Some(connection) = ledger.connection(id).filter(|known| known.phase.is_held()) else {
                continue;
            };
            // The one that it counts for must be among them.
            let current = connection.group.process;
            holders.sort_unstable_by_key(|process| Reverse(*process == current));
            if holders.first() != Some(&current) || self.shared.get(&id) == Some(&holders) {
                continue;
            }
            self.held(id, &holders, now, ledger);
            if holders.len() > 1 {
                self.shared.insert(id, holders);
            } else {
                self.shared.remove(&id);
            }
        }
    }

    /// A process keeps its id and changes its name when it runs another program.
    fn tell_names(&mut self, ledger: &Ledger, now: Time) {
        self.processes.retain(|process, _| {
            ledger.processes().get(process).is_some() || ledger.descriptors(*process).is_some()
        });
        let mut renamed: Vec<ProcessId> = self.processes.keys().copied().collect();
        renamed.retain(|process| {
            let comm = ledger.name(*process);
            self.processes.get(process).is_some_and(|told| told.comm != comm)
        });
        renamed.sort_unstable();
        for process in renamed {
            self.introduce(process, ledger.name(process), now);
        }
    }

    fn tell_descriptors(&mut self, ledger: &Ledger) {
        let mut processes: Vec<ProcessId> = ledger.budgeted().collect();
        processes.sort_unstable();
        for process in processes {
            let Some(table) = ledger.descriptors(process) else {
                continue;
            };
            let comm = table.comm;
            self.processes
                .entry(process)
                .and_modify(|told| told.comm = comm)
                .or_insert(Told { comm, info: None });
            let (ts, _) = self.stamp(table.at);
            self.write(&Written::Process(Process {
                nofile: table.limit,
                fds: Some(table.used),
                sockets: Some(table.sockets),
                ..super::name_of(process, comm, ts)
            }));
        }
    }

    fn tell_listener(&mut self, listener: &ListeningSocket) {
        for (process, comm) in &listener.holders {
            self.introduce(*process, *comm, listener.at);
        }
        let waiting: Vec<InQueue> = listener
            .waiting
            .iter()
            .map(|waiting| InQueue {
                id: Id(waiting.id),
                peer: waiting.peer,
                since: Nanos(waiting.at.earlier(waiting.waited)),
                waited: u64::try_from(waiting.waited.as_nanos()).unwrap_or(u64::MAX),
                given_up: waiting.given_up,
            })
            .collect();
        let (ts, _) = self.stamp(listener.at);
        self.write(&Written::Listener(Listener {
            ts: Nanos(ts),
            late: nanos_since(ts, listener.at),
            socket: listener.id.0,
            local: listener.local,
            netns: listener.netns,
            pids: listener
                .holders
                .iter()
                .map(|(process, _)| pair(*process))
                .collect(),
            acceptors: listener.acceptors,
            queued: listener.queued,
            limit: listener.queue_limit,
            waiting: &waiting,
        }));
    }
}
