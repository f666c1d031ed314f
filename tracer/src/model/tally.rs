//! Counting: totals, what is open now, rates per minute, lifetimes.

use std::time::Duration;

use sketches_ddsketch::{Config, DDSketch};

use super::{connection::Phase, time::Time};

const SLOT: Duration = Duration::from_secs(5);
const SLOTS: usize = 12;

/// Events per minute, over the last minute in slots of five seconds: the newest slot is not full, so what counts are
/// the last 55 to 60 seconds.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    slots: [u32; SLOTS],
    /// Number of the newest slot since boot.
    newest: u64,
}

impl Rate {
    /// Counts one event.
    pub fn add(&mut self, at: Time) {
        self.advance(slot(at));
        // An event that comes late counts in the newest slot: it is less than a slot away.
        if let Some(cell) = self.slots.get_mut(index(self.newest)) {
            *cell = cell.saturating_add(1);
        }
    }

    /// Events in the minute before `now`.
    pub fn per_minute(&self, now: Time) -> u32 {
        let now = slot(now);
        (0..SLOTS as u64)
            .filter(|back| *back <= self.newest && self.newest - back + (SLOTS as u64) > now)
            .map(|back| self.slots.get(index(self.newest - back)).copied().unwrap_or(0))
            .fold(0, u32::saturating_add)
    }

    fn advance(&mut self, to: u64) {
        if to <= self.newest {
            return;
        }
        for stale in 0..(to - self.newest).min(SLOTS as u64) {
            if let Some(cell) = self.slots.get_mut(index(to - stale)) {
                *cell = 0;
            }
        }
        self.newest = to;
    }
}

fn slot(at: Time) -> u64 {
    at.since(Time(0)).as_secs() / SLOT.as_secs()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the remainder is below the number of slots"
)]
fn index(slot: u64) -> usize {
    (slot % SLOTS as u64) as usize
}

/// The counts of a group, a process or a peer. Conservation: `opened + older + received = open + closed + given`.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Held now: established, accepted, half closed or dead.
    pub open: u32,
    /// Attempts under way.
    pub connecting: u32,
    /// In the queue of a listener, not accepted.
    pub unaccepted: u32,
    /// Opened while the tracer watched.
    pub opened: u64,
    /// Found open by a snapshot: opened before the tracer watched, or while it missed it.
    pub older: u64,
    /// Ever closed.
    pub closed: u64,
    /// Open ones that came from another process.
    pub received: u64,
    /// Open ones that went to another process.
    pub given: u64,
    /// Attempts that never became a connection.
    pub failed: u64,
}

impl Tally {
    /// A connection opened.
    pub fn open(&mut self) {
        self.open += 1;
        self.opened += 1;
    }

    /// A connection was found open.
    pub fn find(&mut self) {
        self.open += 1;
        self.older += 1;
    }

    /// What was found in this phase turns out to be a connection that is seen opening.
    pub fn unfind(&mut self, phase: Phase) {
        self.leave(phase);
        if phase.is_held() {
            self.older = self.older.saturating_sub(1);
        }
    }

    /// A connection in this phase went to another process.
    pub fn give(&mut self, phase: Phase) {
        self.leave(phase);
        self.given += u64::from(phase.is_held());
    }

    /// A connection in this phase came from another process.
    pub fn receive(&mut self, phase: Phase) {
        self.received += u64::from(phase.is_held());
        match phase {
            Phase::Connecting => self.connecting += 1,
            Phase::Unaccepted { .. } => self.unaccepted += 1,
            held if held.is_held() => self.open += 1,
            _ => {}
        }
    }

    /// One that waited in a queue was accepted, or is gone.
    pub fn stop_waiting(&mut self) {
        self.unaccepted = self.unaccepted.saturating_sub(1);
    }

    fn leave(&mut self, phase: Phase) {
        let count = match phase {
            Phase::Connecting => &mut self.connecting,
            Phase::Unaccepted { .. } => &mut self.unaccepted,
            held if held.is_held() => &mut self.open,
            _ => return,
        };
        *count = count.saturating_sub(1);
    }

    /// Whether nothing is open, under way or waiting.
    pub const fn is_idle(&self) -> bool {
        self.open == 0 && self.connecting == 0 && self.unaccepted == 0
    }

    /// A connection closed.
    pub fn close(&mut self) {
        self.open = self.open.saturating_sub(1);
        self.closed += 1;
    }

    /// An attempt began.
    pub fn attempt(&mut self) {
        self.connecting += 1;
    }

    /// An attempt ended, one way or the other.
    pub fn attempt_over(&mut self, failed: bool) {
        self.connecting = self.connecting.saturating_sub(1);
        self.failed += u64::from(failed);
    }
}

/// How long closed connections lived: quantiles with 2 % relative error, in at most 512 bins (`DDSketch`, Masson,
/// Rim and Lee, VLDB 2019).
#[derive(Clone)]
pub struct Lifetimes(Box<DDSketch>);

impl Default for Lifetimes {
    fn default() -> Self {
        // From a microsecond up; shorter lives count as zero.
        Self(Box::new(DDSketch::new(Config::new(0.02, 512, 1e-6))))
    }
}

impl Lifetimes {
    /// Takes in one lifetime.
    pub fn add(&mut self, lifetime: Duration) {
        self.0.add(lifetime.as_secs_f64());
    }

    /// The lifetime that the share `q` (0 to 1) of the connections did not outlive; `None` before the first.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let seconds = self.0.quantile(q).ok().flatten()?;
        Duration::try_from_secs_f64(seconds.max(0.0)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time(0) + Duration::from_secs(seconds)
    }

    #[test]
    fn a_rate_forgets_what_is_older_than_a_minute() {
        let mut rate = Rate::default();
        for second in 1000..1030 {
            rate.add(at(second));
        }
        assert_eq!(rate.per_minute(at(1030)), 30);
        assert_eq!(rate.per_minute(at(1064)), 25, "the first slot of five is gone");
        assert_eq!(rate.per_minute(at(1065)), 20, "and the second");
        assert_eq!(rate.per_minute(at(1090)), 0);
        assert_eq!(rate.per_minute(at(100_000)), 0);
        rate.add(at(100_000));
        assert_eq!(rate.per_minute(at(100_000)), 1);
    }

    #[test]
    fn lifetimes_are_within_two_percent() {
        let mut lifetimes = Lifetimes::default();
        assert_eq!(lifetimes.quantile(0.5), None);
        for millis in 1..=1000 {
            lifetimes.add(Duration::from_millis(millis));
        }
        let median = lifetimes.quantile(0.5).unwrap().as_secs_f64();
        assert!((median - 0.5).abs() < 0.5 * 0.021, "{median}");
    }
}
