//! What a detector says.

use std::{fmt, time::Duration};

use crate::model::{
    connection::{GroupKey, Phases},
    name::Comm,
    time::Time,
};

/// Stable identity of a finding for as long as the tracer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId(pub u64);

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leak-{}", self.0)
    }
}

/// Why a finding is told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is new.
    Opened,
    /// What is open has doubled since it was last told.
    Updated,
    /// It is over.
    Resolved(Resolution),
}

/// How a finding ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// At least half of the connections that were open at the peak have closed.
    Drained,
}

/// A group that leaks, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub id: FindingId,
    /// Why now.
    pub stage: Stage,
    /// Who, to whom.
    pub group: GroupKey,
    /// Name of the process.
    pub comm: Comm,
    /// Open in the group now.
    pub open: u32,
    /// The most that were open since the finding opened.
    pub peak: u32,
    /// The phases of what is open.
    pub phases: Phases,
    /// The facts that the verdict rests on.
    pub evidence: Evidence,
}

/// What the rule saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Connections opened since the growth began: at first in a row without one closing.
    pub opened: u64,
    /// Closes since then.
    pub closed: u64,
    /// When the first of them opened.
    pub since: Time,
    /// When the last of them opened.
    pub last: Time,
    /// Closes in the group before the growth began, since the tracer knows it.
    pub closed_before: u64,
}

impl Evidence {
    /// How long the row lasted.
    pub fn span(&self) -> Duration {
        self.last.since(self.since)
    }

    /// Growth in connections per hour: `(n - 1 - closed) / span`, for `n` openings bound `n - 1` intervals. `None` if
    /// they all opened at once, or nothing grows any more.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a count of connections is far below 2^52"
    )]
    pub fn per_hour(&self) -> Option<f64> {
        let hours = self.span().as_secs_f64() / 3600.0;
        let grown = self.opened.saturating_sub(1).saturating_sub(self.closed);
        (hours > 0.0 && grown > 0).then(|| grown as f64 / hours)
    }
}
