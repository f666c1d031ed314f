//! The books of a replay: what the recording tells to be lost, and its lines that could not be used.

use crate::{
    model::ledger::Irregularities,
    output::record::{Books, Cause},
    recording::line::Loss,
};

/// What was counted.
#[derive(Default)]
pub struct Losses {
    books: Books,
}

impl Losses {
    /// A line was read.
    pub fn read(&mut self) {
        self.books.received += 1;
        self.books.decoded += 1;
    }

    /// A line could not be used.
    pub fn reject(&mut self) {
        self.books.received += 1;
        self.books.rejected += 1;
    }

    /// The recording tells of a loss; gives its cause.
    pub fn lose(&mut self, loss: &Loss) -> Cause {
        let books = &mut self.books;
        let (cause, count) = match loss.cause.as_str() {
            "ring_full" => (Cause::RingFull, &mut books.ring_full),
            "map_full" => (Cause::MapFull, &mut books.map_full),
            "unreadable" => (Cause::Unreadable, &mut books.unreadable),
            "program_misses" => (Cause::ProgramMisses, &mut books.program_misses),
            "probe_misses" => (Cause::ProbeMisses, &mut books.probe_misses),
            "simulated" => (Cause::Simulated, &mut books.simulated),
            _ => (Cause::Elsewhere, &mut books.elsewhere),
        };
        *count = count.saturating_add(loss.count);
        cause
    }

    /// The books as they stand.
    pub fn books(&self, irregular: Irregularities) -> Books {
        Books {
            seen: self.books.received,
            submitted: self.books.received,
            untracked: irregular.untracked,
            overflowed: irregular.overflowed,
            unobserved_ends: irregular.unobserved,
            orphans: irregular.orphans,
            duplicates: irregular.duplicates,
            ..self.books
        }
    }
}
