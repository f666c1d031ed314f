//! How many descriptors a process has left, and for how long they last.

use std::{collections::VecDeque, time::Duration};

use super::{snapshot::Descriptors, time::Time};

/// Time between two readings that are kept, and how many are: a line over some minutes.
const SPACING: Duration = Duration::from_secs(10);
const READINGS: usize = 30;
/// The shortest line, and the smallest growth over it, that a forecast is drawn from.
const MIN_SPAN: Duration = Duration::from_secs(10);
const MIN_GROWTH: u64 = 3;

/// The descriptor table of a process over time.
#[derive(Clone, Debug)]
pub struct Budget {
    last: Descriptors,
    /// Connections open when it was read, by the books.
    open: u32,
    /// Descriptors in use before, the oldest first.
    readings: VecDeque<(Time, u32)>,
}

/// What a process has left at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Descriptors in use: as last counted, and the connections that opened and closed since.
    pub used: u32,
    /// Of these, TCP sockets.
    pub sockets: u32,
    /// Soft limit; `None` if unknown or unlimited.
    pub limit: Option<u64>,
    /// When the limit is reached if the use grows on as in the last minutes; zero if it is reached. `None` if it does
    /// not grow.
    pub lasts: Option<Duration>,
}

impl Standing {
    /// Whether nothing is left: accept and connect fail with EMFILE.
    pub fn is_exhausted(&self) -> bool {
        self.limit.is_some_and(|limit| u64::from(self.used) >= limit)
    }
}

impl Budget {
    /// Starts with a first reading.
    pub fn new(first: Descriptors, open: u32) -> Self {
        Self {
            last: first,
            open,
            readings: VecDeque::from([(first.at, first.used)]),
        }
    }

    /// Takes in the next reading.
    pub fn read(&mut self, next: Descriptors, open: u32) {
        let is_due = self
            .readings
            .back()
            .is_none_or(|(at, _)| next.at.since(*at) >= SPACING);
        if is_due {
            if self.readings.len() == READINGS {
                self.readings.pop_front();
            }
            self.readings.push_back((next.at, next.used));
        }
        (self.last, self.open) = (next, open);
    }

    /// The last reading.
    pub fn last(&self) -> &Descriptors {
        &self.last
    }

    /// Whether nothing was left at the last reading.
    pub fn is_exhausted(&self) -> bool {
        self.standing(self.open, self.last.at).is_exhausted()
    }

    /// At this moment, with `open` connections open by the books.
    pub fn standing(&self, open: u32, now: Time) -> Standing {
        // Every connection is a descriptor at least.
        let used = self.last.used.saturating_add(open).saturating_sub(self.open);
        let sockets = self.last.sockets.saturating_add(open).saturating_sub(self.open);
        Standing {
            used,
            sockets,
            limit: self.last.limit,
            lasts: self.last.limit.and_then(|limit| self.lasts(used, limit, now)),
        }
    }

    /// `(limit - used) / rate`, the rate from the oldest reading until now.
    fn lasts(&self, used: u32, limit: u64, now: Time) -> Option<Duration> {
        let left = limit.saturating_sub(used.into());
        if left == 0 {
            return Some(Duration::ZERO);
        }
        let (since, then) = *self.readings.front()?;
        let (span, growth) = (now.since(since), u64::from(used.saturating_sub(then)));
        if span < MIN_SPAN || growth < MIN_GROWTH {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "numbers of descriptors are far below 2^52"
        )]
        Duration::try_from_secs_f64(span.as_secs_f64() * left as f64 / growth as f64).ok()
    }
}

/// Use of the local ports for one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortUse {
    /// Taken by connections that are open or under way.
    pub used: u32,
    /// How many there are.
    pub available: u32,
    /// When all are taken if their number grows on as in the last minute; `None` if it does not grow.
    pub lasts: Option<Duration>,
}

impl PortUse {
    /// With so many opened and closed in the last minute.
    pub fn new(used: u32, available: u32, opened_per_minute: u32, closed_per_minute: u32) -> Self {
        let growth = opened_per_minute.saturating_sub(closed_per_minute);
        let left = Duration::from_mins(available.saturating_sub(used).into());
        Self {
            used,
            available,
            lasts: left.checked_div(growth),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{connection::ProcessId, name::Comm};

    fn at(seconds: u64) -> Time {
        Time(0) + Duration::from_secs(seconds)
    }

    fn reading(seconds: u64, used: u32) -> Descriptors {
        Descriptors {
            process: ProcessId {
                pid: 1,
                start: Time(1),
            },
            comm: Comm::default(),
            used,
            sockets: used - 4,
            limit: Some(1024),
            at: at(seconds),
        }
    }

    #[test]
    fn what_grows_reaches_the_limit_when_the_line_does() {
        let mut budget = Budget::new(reading(0, 24), 20);
        budget.read(reading(30, 54), 50);
        // Ten more since: 64 of 1024 after 40 s, one a second.
        let standing = budget.standing(60, at(40));
        assert_eq!((standing.used, standing.sockets), (64, 60));
        assert_eq!(standing.lasts, Some(Duration::from_mins(16)));
    }

    #[test]
    fn what_does_not_grow_has_no_end() {
        let mut budget = Budget::new(reading(0, 100), 90);
        budget.read(reading(60, 100), 90);
        assert_eq!(budget.standing(90, at(90)).lasts, None);
        assert_eq!(budget.standing(92, at(90)).lasts, None, "two more are no growth");
        assert_eq!(
            budget.standing(0, at(90)).used,
            10,
            "all connections closed since"
        );
    }

    #[test]
    fn a_full_table_lasts_no_longer() {
        let budget = Budget::new(reading(0, 1024), 1000);
        assert_eq!(budget.standing(1000, at(1)).lasts, Some(Duration::ZERO));
    }

    #[test]
    fn a_budget_keeps_a_bounded_number_of_readings() {
        let mut budget = Budget::new(reading(0, 10), 0);
        for second in 1..10_000 {
            budget.read(reading(second, 10), 0);
        }
        assert_eq!(budget.readings.len(), READINGS);
    }

    #[test]
    fn ports_last_as_long_as_they_are_taken_as_fast() {
        let ports = PortUse::new(232, 28_232, 120, 20);
        assert_eq!(ports.lasts, Some(Duration::from_mins(280)));
        assert_eq!(PortUse::new(232, 28_232, 20, 20).lasts, None);
        assert_eq!(PortUse::new(30_000, 28_232, 1, 0).lasts, Some(Duration::ZERO));
    }
}
