//! The books of a replay: what the recording tells to be lost, or of its own books, and its lines that could not be used.

use crate::{
    model::ledger::Irregularities,
    output::record::{Books, Cause},
    recording::{
        books,
        line::{self, Loss},
    },
};

/// What was counted.
#[derive(Default)]
pub struct Losses {
    books: Books,
    /// Lines that could not be used.
    unusable: u64,
    /// The books of who recorded, if they are told.
    told: Option<Books>,
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
        self.unusable += 1;
    }

    /// The recording tells of its books.
    pub fn tell(&mut self, line: &line::Books) {
        let told = self.told.get_or_insert_default();
        for (name, count) in books::by_name(told) {
            if let Some(number) = line.counts.get(name) {
                *count = number.0;
            }
        }
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
            "rejected" => (Cause::Rejected, &mut books.rejected),
            "untracked" => (Cause::Untracked, &mut books.untracked),
            "simulated" => (Cause::Simulated, &mut books.simulated),
            _ => (Cause::Elsewhere, &mut books.elsewhere),
        };
        *count = count.saturating_add(loss.count);
        cause
    }

    /// The books as they stand.
    pub fn books(&self, irregular: Irregularities) -> Books {
        if let Some(told) = self.told {
            return Books {
                received: told.received.saturating_add(self.unusable),
                rejected: told.rejected.saturating_add(self.unusable),
                elsewhere: told.elsewhere.saturating_add(self.books.elsewhere),
                ..told
            };
        }
        Books {
            rejected: self.books.rejected.saturating_add(self.unusable),
            seen: self.books.received,
            submitted: self.books.received,
            untracked: self.books.untracked.saturating_add(irregular.untracked),
            overflowed: irregular.overflowed,
            unobserved_ends: irregular.unobserved,
            orphans: irregular.orphans,
            duplicates: irregular.duplicates,
            ..self.books
        }
    }
}
