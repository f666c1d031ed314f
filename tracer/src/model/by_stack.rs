//! What is open, by the code that opened it while somebody watched.

use std::{collections::HashMap, sync::Arc};

use super::{
    connection::{PeerKey, ProcessId},
    ledger::Ledger,
    name::Comm,
    stack::{Missing, Trace},
};

/// A stack, or why it is not known.
pub type Code = Result<Arc<Trace>, Missing>;

/// Connections of one process that one stack opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackRow {
    /// Who holds them.
    pub process: ProcessId,
    /// Its name.
    pub comm: Comm,
    /// The stack, or why it is not known.
    pub code: Code,
    /// How many.
    pub connections: u32,
    /// The peer, if all have the same.
    pub peer: Option<PeerKey>,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByStack {
    /// Those with the most connections first.
    pub rows: Vec<StackRow>,
    /// Connections that were open before anybody watched.
    pub before: u32,
}

impl ByStack {
    /// Of the books.
    pub fn of(ledger: &Ledger) -> Self {
        let mut before = 0;
        // Stacks that differ in an address only may look the same.
        let mut rows: HashMap<(ProcessId, Code), (u32, Option<PeerKey>)> = HashMap::new();
        for (_, connection) in ledger.connections().filter(|(_, one)| one.phase.is_held()) {
            if connection.older {
                before += 1;
                continue;
            }
            let peer = connection.group.peer_key();
            let (count, of_all) = rows
                .entry((
                    connection.group.process,
                    ledger.trace_of(connection.stack).cloned(),
                ))
                .or_insert((0, Some(peer)));
            *count += 1;
            *of_all = of_all.filter(|known| *known == peer);
        }
        let mut rows: Vec<StackRow> = rows
            .into_iter()
            .map(|((process, code), (connections, peer))| StackRow {
                process,
                comm: ledger.name(process),
                code,
                connections,
                peer,
            })
            .collect();
        rows.sort_by(|a, b| {
            let order = b.connections.cmp(&a.connections);
            order.then_with(|| (a.process, &a.code).cmp(&(b.process, &b.code)))
        });
        Self { rows, before }
    }

    /// How many are open, those from before included.
    pub fn open(&self) -> u32 {
        self.rows.iter().map(|row| row.connections).sum::<u32>() + self.before
    }
}
