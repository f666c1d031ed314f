//! The books of the way from the kernel to the ledger.

use std::time::Duration;

use log::warn;
use tracer_common::counter::{COUNT, Counter};

use crate::{
    bpf::session::{Session, cell},
    model::{ledger::Irregularities, time::Time},
    output::{
        json::Wall,
        record::{Books, Cause, Loss},
        text,
    },
};

/// A machine that loses events does so all the time: one warning in this time is enough.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// What was counted, and what of it was told.
#[derive(Default)]
pub struct Accounts {
    /// Records that arrived.
    pub received: u64,
    /// Records that made no sense.
    pub rejected: u64,
    /// Records that were dropped on purpose.
    pub simulated: u64,
    /// The last good reading of the kernel side's counters.
    cells: [u64; COUNT],
    /// Why there is no newer one.
    unreadable: Option<String>,
    /// What was told to be lost, and when.
    told: Vec<(Cause, u64)>,
    told_at: Time,
    /// What had been lost at the last warning, and when another may follow.
    warned: u64,
    next_warning: Time,
}

impl Accounts {
    /// Empty ones.
    pub fn new(attached: Time) -> Self {
        Self {
            told_at: attached,
            ..Self::default()
        }
    }

    /// Records that the kernel side has handed over, without those of the self-test, which took them out before they
    /// got here.
    pub fn submitted(&mut self, session: &Session) -> u64 {
        self.read(session);
        cell(&self.cells, Counter::Submitted).saturating_sub(session.own_records())
    }

    fn read(&mut self, session: &Session) {
        match session.counters() {
            Ok(cells) => self.cells = cells,
            // The last good reading stands; that it is not the newest is told with every finding.
            Err(error) if self.unreadable.is_none() => {
                let what =
                    format!("the loss counters cannot be read, so losses may be more than told ({error})");
                warn!("{what}");
                self.unreadable = Some(what);
            }
            Err(_) => {}
        }
    }

    /// The books as they stand.
    pub fn books(&mut self, session: &mut Session, irregular: Irregularities) -> Books {
        let submitted = self.submitted(session);
        let misses = session.misses();
        Books {
            seen: cell(&self.cells, Counter::Seen).saturating_sub(session.own_records()),
            submitted,
            ring_full: cell(&self.cells, Counter::RingFull),
            map_full: cell(&self.cells, Counter::MapFull),
            unreadable: cell(&self.cells, Counter::Unreadable),
            program_misses: misses.iter().map(|misses| misses.runs).sum(),
            probe_misses: misses.iter().filter_map(|misses| misses.hits).sum(),
            received: self.received,
            decoded: self.received - self.rejected - self.simulated,
            rejected: self.rejected,
            simulated: self.simulated,
            untracked: irregular.untracked,
            elsewhere: 0,
            unlisted: irregular.unlisted,
            overflowed: irregular.overflowed,
            unobserved_ends: irregular.unobserved,
            unknown_closes: cell(&self.cells, Counter::UnknownClose),
            stack_table_full: cell(&self.cells, Counter::StackTableFull),
            no_user_stack: cell(&self.cells, Counter::NoUserStack),
            orphans: irregular.orphans,
            duplicates: irregular.duplicates,
        }
    }

    /// Why the books may be incomplete.
    pub fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    /// Since when losses were not told.
    pub fn told_at(&self) -> Time {
        self.told_at
    }

    /// What was lost since this was last asked. Warns about it, now and then.
    pub fn news(&mut self, books: &Books, wall: Wall, now: Time) -> Vec<Loss> {
        let since = std::mem::replace(&mut self.told_at, now);
        let losses = books.losses();
        let news = losses
            .iter()
            .filter_map(|&(cause, lost)| {
                let before = self.told.iter().find(|(told, _)| *told == cause);
                let count = lost.saturating_sub(before.map_or(0, |(_, lost)| *lost));
                (count > 0).then(|| Loss {
                    cause,
                    count,
                    since: wall.rfc3339(since),
                })
            })
            .collect();
        self.told = losses.to_vec();
        let lost = books.lost();
        if lost > self.warned && now >= self.next_warning {
            warn!("{}", text::losses(books));
            self.warned = lost;
            self.next_warning = now + WARN_EVERY;
        }
        news
    }
}
