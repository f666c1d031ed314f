//! What was lost on the way.

use schemars::JsonSchema;
use serde::Serialize;

/// Loss accounting. `seen = submitted + ring_full + map_full + unreadable`, `submitted = received`,
/// `received = decoded + rejected + simulated`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Books {
    /// Facts that the kernel programs wanted to report.
    pub seen: u64,
    /// Records they handed over.
    pub submitted: u64,
    /// Lost: the ring buffer was full.
    pub ring_full: u64,
    /// Lost: the socket table was full.
    pub map_full: u64,
    /// Lost: a kernel field could not be read.
    pub unreadable: u64,
    /// Runs of the programs that the kernel skipped because the same program was already running on that CPU.
    pub program_misses: u64,
    /// Hits of kprobes that the kernel skipped, as far as it tells (Linux 6.7 and newer).
    pub probe_misses: u64,
    /// Records that arrived.
    pub received: u64,
    /// Records that made sense.
    pub decoded: u64,
    /// Lost: records that made none.
    pub rejected: u64,
    /// Lost: records dropped on purpose (`--simulate-loss`).
    pub simulated: u64,
    /// Lost: connections for which the ledger had no room.
    pub untracked: u64,
    /// Lost: for a reason that only the recording knows (`tracer replay`).
    pub elsewhere: u64,
    /// Held connections that the socket table has no room for, as of the last comparison with the kernel's tables.
    pub unlisted: u64,
    /// Counted under `other` because a table was full.
    pub overflowed: u64,
    /// Ends that were inferred from the reuse of a socket's address.
    pub unobserved_ends: u64,
    /// Closes of connections that were not tracked: older than the tracer, or lost.
    pub unknown_closes: u64,
    /// Stacks that the table of stacks had no room for; the connections are told without.
    pub stack_table_full: u64,
    /// Connections that something without a user stack opened: kernel threads, workers of `io_uring`.
    pub no_user_stack: u64,
    /// Events of connections whose opening was never told.
    pub orphans: u64,
    /// Second openings of one connection.
    pub duplicates: u64,
}

impl Books {
    /// Everything by which facts get lost, with its name.
    pub const fn losses(&self) -> [(Cause, u64); 9] {
        [
            (Cause::RingFull, self.ring_full),
            (Cause::MapFull, self.map_full),
            (Cause::Unreadable, self.unreadable),
            (Cause::ProgramMisses, self.program_misses),
            (Cause::ProbeMisses, self.probe_misses),
            (Cause::Rejected, self.rejected),
            (Cause::Simulated, self.simulated),
            (Cause::Untracked, self.untracked),
            (Cause::Elsewhere, self.elsewhere),
        ]
    }

    /// Facts that never reached the ledger.
    pub fn lost(&self) -> u64 {
        self.losses()
            .into_iter()
            .fold(0, |sum, (_, lost)| sum.saturating_add(lost))
    }
}

/// Why facts get lost; each is explained at the count of that name in the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the counts of these names are documented")]
pub enum Cause {
    RingFull,
    MapFull,
    Unreadable,
    ProgramMisses,
    ProbeMisses,
    Rejected,
    Simulated,
    Untracked,
    Elsewhere,
}

impl Cause {
    /// The word used in output and in recordings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RingFull => "ring_full",
            Self::MapFull => "map_full",
            Self::Unreadable => "unreadable",
            Self::ProgramMisses => "program_misses",
            Self::ProbeMisses => "probe_misses",
            Self::Rejected => "rejected",
            Self::Simulated => "simulated",
            Self::Untracked => "untracked",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// Runs of one kernel program that the kernel skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProgramMisses {
    /// Name of the program.
    pub program: String,
    /// Runs skipped because the program was already running on that CPU.
    pub runs: u64,
    /// Hits of its kprobe that the kernel skipped; absent for other hooks, and where the kernel does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hits: Option<u64>,
}

/// Facts were lost. The next comparison with the kernel's tables makes good what they were about.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Loss {
    /// Why.
    pub cause: Cause,
    /// How many.
    pub count: u64,
    /// Between that moment, RFC 3339, UTC, and the time of this line.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
}
