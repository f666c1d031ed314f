//! Counting: totals, what is open now, rates per minute, lifetimes.

use std::time::Duration;

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
        self.add_all(1, at);
    }

    /// Counts several events of about the same time.
    pub fn add_all(&mut self, count: u32, at: Time) {
        self.advance(slot(at));
        // An event that comes late counts in the newest slot: it is less than a slot away.
        if let Some(cell) = self.slots.get_mut(index(self.newest)) {
            *cell = cell.saturating_add(count);
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

    /// So many connections opened and closed.
    pub fn pass(&mut self, count: u32) {
        self.opened += u64::from(count);
        self.closed += u64::from(count);
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

/// How long closed connections lived: quantiles with 2 % relative error. Logarithmic bins as in `DDSketch` (Masson, Rim
/// and Lee, VLDB 2019), of which only those are kept that are in use: most groups live on a few.
#[derive(Clone, Debug, Default)]
pub struct Lifetimes(Vec<Bin>);

/// Lifetimes of about the same length.
#[derive(Clone, Copy, Debug)]
struct Bin {
    /// They are at most [`GAMMA`] to this power, in seconds.
    power: i16,
    count: u32,
}

/// Each bin is so many times as long as the one before: (1 + 2 %) / (1 - 2 %).
const GAMMA: f64 = 1.02 / 0.98;
/// Bins at most; then the shortest two become one.
const BINS: usize = 512;
/// Shorter lives, in seconds, count as zero.
const SHORTEST: f64 = 1e-6;

impl Lifetimes {
    /// Takes in one lifetime.
    pub fn add(&mut self, lifetime: Duration) {
        let seconds = lifetime.as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "from 1e-6 to 2^64 ns: -346 to 592"
        )]
        let power = if seconds > SHORTEST {
            (seconds.ln() / GAMMA.ln()).ceil() as i16
        } else {
            i16::MIN
        };
        self.add_bin(Bin { power, count: 1 });
    }

    /// Takes in all lifetimes of another.
    pub fn add_all(&mut self, others: &Self) {
        for bin in &others.0 {
            self.add_bin(*bin);
        }
    }

    fn add_bin(&mut self, more: Bin) {
        match self.0.binary_search_by_key(&more.power, |bin| bin.power) {
            Ok(place) => {
                if let Some(bin) = self.0.get_mut(place) {
                    bin.count = bin.count.saturating_add(more.count);
                }
            }
            Err(place) => {
                self.0.insert(place, more);
                if self.0.len() > BINS {
                    let shortest = self.0.remove(0);
                    if let Some(next) = self.0.first_mut() {
                        next.count = next.count.saturating_add(shortest.count);
                    }
                }
            }
        }
    }

    /// The lifetime that the share `q` (0 to 1) of the connections did not outlive; `None` before the first.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let all: u64 = self.0.iter().map(|bin| u64::from(bin.count)).sum();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank below a count that is far below 2^52"
        )]
        let rank = (q * all.checked_sub(1)? as f64) as u64;
        let mut below = 0;
        let bin = self.0.iter().find(|bin| {
            below += u64::from(bin.count);
            below > rank
        })?;
        if bin.power == i16::MIN {
            return Some(Duration::ZERO);
        }
        // In the middle of its bin, by the ratio to both ends.
        let seconds = 2.0 * GAMMA.powi(bin.power.into()) / (GAMMA + 1.0);
        Duration::try_from_secs_f64(seconds).ok()
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
        for (share, exact) in [(0.0, 0.001), (0.5, 0.5), (0.9, 0.9), (1.0, 1.0)] {
            let found = lifetimes.quantile(share).unwrap().as_secs_f64();
            assert!((found - exact).abs() < exact * 0.021, "{share}: {found}");
        }
    }

    #[test]
    fn lifetimes_take_little_memory_whatever_they_are() {
        let mut lifetimes = Lifetimes::default();
        for power in 0..64 {
            for part in 0..64 {
                lifetimes.add(Duration::from_nanos((1 << power) | (part << power >> 6)));
            }
        }
        lifetimes.add(Duration::from_nanos(u64::MAX));
        assert_eq!(lifetimes.0.len(), BINS);
        assert_eq!(lifetimes.0.iter().map(|bin| bin.count).sum::<u32>(), 64 * 64 + 1);
    }

    #[test]
    fn lives_too_short_to_tell_are_none() {
        let mut lifetimes = Lifetimes::default();
        lifetimes.add(Duration::from_nanos(500));
        assert_eq!(lifetimes.quantile(0.5), Some(Duration::ZERO));
    }
}
