//! Who holds what now, by the best means there are.

use log::warn;

use crate::{
    bpf::{session::Session, snapshot::SnapshotError},
    cli::args::SnapshotChoice,
    fallback::{
        identity::KnownConnection,
        reader::{FallbackError, Outcome, Reader},
    },
    model::{snapshot::Snapshot, time::Time},
};

/// A way to read snapshots.
pub enum Look {
    /// The BPF iterator.
    Iterator,
    /// `/proc` and `sock_diag`.
    Proc {
        /// Remembers what it saw.
        reader: Reader,
        /// Whether it was told what it cannot read.
        told: bool,
    },
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The iterator failed.
    #[error(transparent)]
    Iterator(#[from] SnapshotError),
    /// The other way failed.
    #[error("who holds what cannot be read: {0}")]
    Proc(#[from] FallbackError),
}

impl Look {
    /// The way that was chosen, or the best.
    pub fn new(choice: SnapshotChoice, session: &Session) -> Self {
        let has_iterator = session.iterator_refused().is_none();
        match choice {
            SnapshotChoice::Auto if has_iterator => Self::Iterator,
            SnapshotChoice::Iterator => Self::Iterator,
            SnapshotChoice::Auto | SnapshotChoice::Proc => Self::Proc {
                reader: Reader::new(),
                told: false,
            },
        }
    }

    /// Whether it knows the starts of processes in clock ticks only.
    pub const fn tells_starts_in_ticks(&self) -> bool {
        matches!(self, Self::Proc { .. })
    }

    /// What this way does not see.
    pub fn degraded(&self, session: &Session) -> Option<String> {
        let why = session.iterator_refused();
        let why = why.map_or(String::new(), |error| format!(" ({error})"));
        match self {
            Self::Iterator if why.is_empty() => None,
            Self::Iterator => Some(format!(
                "connections older than the tracer are not seen, and losses are not made good{why}"
            )),
            Self::Proc { .. } => Some(format!(
                "who holds what is read from /proc and sock_diag: sockets that died before the tracer came are not \
                 seen, and what was open then is seen closing only at the next comparison{why}"
            )),
        }
    }

    /// Reads everything. `catch_up` is called in between: it must take in all events that were submitted until then,
    /// and gives what the ledger knows after that.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read<K: IntoIterator<Item = KnownConnection>>(
        &mut self,
        session: &mut Session,
        began: Time,
        catch_up: impl FnOnce(&mut Session) -> K,
    ) -> Result<Snapshot, LookError> {
        match self {
            Self::Iterator => {
                let snapshot = session.snapshot(began)?;
                catch_up(session);
                Ok(snapshot)
            }
            Self::Proc { reader, told } => {
                let gathered = reader.gather(began)?;
                let outcome = reader.settle(gathered, catch_up(session))?;
                if !*told {
                    *told = tell(&outcome);
                }
                Ok(Snapshot {
                    undecided: outcome.undecided,
                    ..outcome.snapshot
                })
            }
        }
    }
}

/// Says once what stays hidden.
fn tell(outcome: &Outcome) -> bool {
    if outcome.unreadable > 0 {
        warn!(
            "the descriptors of {} processes cannot be read",
            outcome.unreadable
        );
    }
    if outcome.namespaces_missed > 0 {
        warn!("{} network namespaces cannot be asked", outcome.namespaces_missed);
    }
    outcome.unreadable > 0 || outcome.namespaces_missed > 0
}
