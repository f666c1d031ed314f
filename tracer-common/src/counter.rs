//! Per-CPU counters kept by the kernel programs, one `u64` each, in the order of [`Counter`].
//!
//! The books: every fact a program wanted to report counts as [`Counter::Seen`] and then exactly once more, as
//! [`Counter::Submitted`] or as one of the losses ([`Counter::is_loss`]), so `seen = submitted + losses`.

/// Number of counters.
pub const COUNT: usize = 9;

/// The value of the per-CPU map [`COUNTERS`](crate::names::map::COUNTERS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Counters {
    /// One cell per [`Counter`].
    pub cells: [u64; COUNT],
}

/// Index of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Counter {
    /// Facts that should reach user space.
    Seen = 0,
    /// Records handed to the ring buffer.
    Submitted = 1,
    /// Records lost because the ring buffer was full.
    RingFull = 2,
    /// Connections not tracked because the socket table was full.
    MapFull = 3,
    /// Connections not tracked because a kernel field could not be read.
    Unreadable = 4,
    /// Ends that were inferred because the kernel reused the socket's address (not a lost record: the end is
    /// reported, late).
    Unobserved = 5,
    /// Closes of connected sockets that were not tracked: older than the tracer, or lost (not a lost record).
    UnknownClose = 6,
    /// Stacks that the table of stacks had no room for (not a lost record: the connection is told without).
    StackTableFull = 7,
    /// Openings by something without a user stack (not a lost record either).
    NoUserStack = 8,
}

impl Counter {
    /// All counters, in the order of their cells.
    pub const ALL: [Self; COUNT] = [
        Self::Seen,
        Self::Submitted,
        Self::RingFull,
        Self::MapFull,
        Self::Unreadable,
        Self::Unobserved,
        Self::UnknownClose,
        Self::StackTableFull,
        Self::NoUserStack,
    ];

    /// Whether this counts facts that never reached user space.
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::RingFull | Self::MapFull | Self::Unreadable)
    }
}
