//! Reads snapshots where the kernel has no BPF iterators.

use std::collections::HashSet;

use rustix::io::Errno;
use thiserror::Error;

use super::{
    diag::Detail,
    identity::KnownConnection,
    join::{Joined, Past, join},
    namespaces::Namespaces,
    netlink::DumpError,
    queues::is_waiting,
    tables::{Dump, Tables},
    walk::{Walk, Walked, now, processes},
};
use crate::model::{connection::ConnectionId, snapshot::Snapshot, time::Time};

/// Why there is no snapshot.
#[derive(Debug, Error)]
pub enum FallbackError {
    /// The own network namespace cannot be asked.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// `/proc` cannot be read.
    #[error("/proc cannot be read: {0}")]
    Proc(Errno),
}

/// Reads snapshots, and remembers from each what the next needs.
#[derive(Default)]
pub struct Reader {
    walk: Walk,
    past: Past,
}

/// What was read, to be settled with the ledger.
pub struct Gathered {
    tables: Tables,
    namespaces: Namespaces,
}

/// A snapshot, and how much it may miss.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Connections of the ledger that may be held although the snapshot does not show them: not to be ended for it.
    pub undecided: Vec<ConnectionId>,
    /// Processes whose descriptors could not be read.
    pub unreadable: u64,
    /// Network namespaces that could not be asked.
    pub namespaces_missed: u64,
}

impl Reader {
    /// Remembers nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads everything once and settles it: for whom no events come in meanwhile.
    ///
    /// # Errors
    /// When sockets or processes cannot be read at all.
    pub fn read(
        &mut self,
        began: Time,
        known: impl IntoIterator<Item = KnownConnection>,
    ) -> Result<Outcome, FallbackError> {
        let Gathered { tables, namespaces } = self.gather(began)?;
        Ok(self.join(&tables, &namespaces, known, |_| true))
    }

    /// Reads the sockets and the descriptors.
    ///
    /// # Errors
    /// When sockets or processes cannot be read at all.
    pub fn gather(&mut self, began: Time) -> Result<Gathered, FallbackError> {
        let processes = processes().map_err(FallbackError::Proc)?;
        let mut namespaces = Namespaces::of(&processes).map_err(DumpError::Refused)?;
        let (dumps, failed) = dump(&namespaces, Detail::Traffic)?;
        namespaces.missed += failed;
        let inodes: HashSet<u64> = dumps
            .iter()
            .flat_map(|dump| dump.sockets.iter().map(|socket| socket.inode))
            .collect();
        let Walked { tables, unreadable } = self.walk.read(&processes, &inodes);
        Ok(Gathered {
            tables: Tables {
                began,
                dumps,
                tables,
                unreadable,
            },
            namespaces,
        })
    }

    /// Makes a snapshot of what was gathered. Before this all events that were submitted until then must have been
    /// applied, and `known` must be what the ledger knows after that: else a connection that opened while the tables
    /// were read would be told under another number.
    ///
    /// For the same reason a connection that the ledger does not know is told only if it is still there: the events of
    /// one that opened and closed meanwhile have come and gone.
    ///
    /// # Errors
    /// When the sockets cannot be read once more.
    pub fn settle(
        &mut self,
        gathered: Gathered,
        known: impl IntoIterator<Item = KnownConnection>,
    ) -> Result<Outcome, FallbackError> {
        let Gathered { tables, namespaces } = gathered;
        // Read when it is first needed: mostly the ledger knows all.
        let mut still: Option<Result<HashSet<u64>, DumpError>> = None;
        let outcome = self.join(&tables, &namespaces, known, |cookie| {
            still
                .get_or_insert_with(|| held_cookies(&namespaces))
                .as_ref()
                .is_ok_and(|still| still.contains(&cookie))
        });
        still.transpose()?;
        Ok(outcome)
    }

    fn join(
        &mut self,
        tables: &Tables,
        namespaces: &Namespaces,
        known: impl IntoIterator<Item = KnownConnection>,
        confirmed: impl FnMut(u64) -> bool,
    ) -> Outcome {
        let known = known.into_iter().collect();
        let Joined { snapshot, undecided } = join(tables, known, &mut self.past, confirmed);
        Outcome {
            snapshot,
            undecided,
            unreadable: tables.unreadable,
            namespaces_missed: namespaces.missed,
        }
    }
}

/// The cookies of the sockets that processes have or will get.
fn held_cookies(namespaces: &Namespaces) -> Result<HashSet<u64>, DumpError> {
    let (dumps, _) = dump(namespaces, Detail::Identity)?;
    Ok(dumps
        .iter()
        .flat_map(|dump| &dump.sockets)
        .filter(|socket| socket.inode != 0 || is_waiting(socket))
        .map(|socket| socket.cookie)
        .collect())
}

/// The sockets of all namespaces, and how many did not answer. The own one must.
fn dump(namespaces: &Namespaces, detail: Detail) -> Result<(Vec<Dump>, u64), DumpError> {
    let mut dumps = Vec::new();
    let mut failed = 0;
    for (index, (netns, diag)) in namespaces.diags.iter().enumerate() {
        match diag.dump(detail) {
            Ok(sockets) => dumps.push(Dump {
                netns: *netns,
                at: now(),
                sockets,
            }),
            Err(error) if index == 0 => return Err(error),
            Err(_) => failed += 1,
        }
    }
    Ok((dumps, failed))
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
