//! Changes of the books that a detector wants to know.

use super::{
    connection::{ConnectionId, GroupKey, Phase},
    time::Time,
};

/// When something began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Then, give or take the time between two snapshots.
    Seen(Time),
    /// Before anybody watched.
    Older,
}

/// What is known of the time that a connection has been held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it opened.
    pub opened: Start,
    /// When its peer went; `None` if it has not.
    pub peer_gone: Option<Start>,
}

/// A change of the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A connection opened.
    Opened {
        /// Which.
        id: ConnectionId,
        /// In this group.
        group: GroupKey,
        /// When.
        at: Time,
    },
    /// A connection was found that had opened unseen.
    Found {
        /// Which.
        id: ConnectionId,
        /// In this group.
        group: GroupKey,
        /// When it was found.
        at: Time,
        /// What is known of it.
        life: Life,
    },
    /// A connection that was found was seen opening after all: [`Fact::Found`] does not count, and
    /// [`Fact::Opened`] follows.
    Retracted {
        /// Which.
        id: ConnectionId,
        /// In this group.
        group: GroupKey,
        /// What had been told of it.
        life: Life,
    },
    /// The peer of a held connection closed it, or it was reset or timed out: from here on it is of no use.
    PeerGone {
        /// Which.
        id: ConnectionId,
        /// In this group.
        group: GroupKey,
        /// When.
        at: Time,
    },
    /// An attempt to connect failed; the process holds its socket still.
    Failed {
        /// Which.
        id: ConnectionId,
        /// In this group.
        group: GroupKey,
        /// When.
        at: Time,
    },
    /// The process let go of the socket of an attempt that had failed.
    FailureClosed {
        /// Which.
        id: ConnectionId,
        /// In this group.
        group: GroupKey,
        /// When.
        at: Time,
        /// When it had failed.
        failed: Time,
    },
    /// A connection closed: the process let go.
    Closed {
        /// Which.
        id: ConnectionId,
        /// In this group.
        group: GroupKey,
        /// When.
        at: Time,
        /// Its life.
        life: Life,
    },
    /// Connections opened and closed since the books were last looked at. None of them has a number: nothing else is
    /// told of them.
    Short {
        /// In this group.
        group: GroupKey,
        /// How many.
        count: u32,
        /// Of these, that the peer closed first.
        gone: u32,
        /// When the first opened.
        first: Time,
        /// When the last closed.
        last: Time,
    },
    /// A snapshot found a connection with another process than the one it counted for: after `fork`, or passed on
    /// through a UNIX socket.
    Moved {
        /// Which.
        id: ConnectionId,
        /// The group that had it.
        from: GroupKey,
        /// The group that has it.
        to: GroupKey,
        /// When that was noticed.
        at: Time,
        /// What is known of it.
        life: Life,
    },
    /// Told to a [journal](super::ledger::Ledger::keep_journal) only: an attempt to connect is under way.
    Attempted {
        /// Which.
        id: ConnectionId,
        /// Since when.
        at: Time,
    },
    /// To a journal only: a connection was found that waits to be accepted.
    Waiting {
        /// Which.
        id: ConnectionId,
        /// Since when.
        at: Time,
    },
    /// To a journal only: a connection, or an attempt, went on to another phase.
    Turned {
        /// Which.
        id: ConnectionId,
        /// When.
        at: Time,
        /// To which.
        phase: Phase,
    },
    /// To a journal only: an attempt went to another process, as with [`Fact::Moved`].
    Passed {
        /// Which.
        id: ConnectionId,
        /// When that was noticed.
        at: Time,
    },
    /// To a journal only: an attempt was given up, or a connection that nobody had accepted is gone.
    Dropped {
        /// Which.
        id: ConnectionId,
        /// When.
        at: Time,
    },
    /// To a journal only: there is news of what a connection carries.
    Carried {
        /// Which.
        id: ConnectionId,
    },
}

impl Fact {
    /// Whether only a journal wants to know.
    pub const fn is_for_journals(&self) -> bool {
        matches!(
            self,
            Self::Attempted { .. }
                | Self::Waiting { .. }
                | Self::Turned { .. }
                | Self::Passed { .. }
                | Self::Dropped { .. }
                | Self::Carried { .. }
        )
    }
}
