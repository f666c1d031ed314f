//! Growth that takes the limit away faster than periods can tell: when each sixteenth of the room was reached that the
//! limit leaves to a group.

use std::time::Duration;

use crate::model::time::Time;

/// Parts of the room.
const PARTS: usize = 16;
/// Steps between marks that are looked at: the last ones. Two halves, because a step of a small room is a few
/// connections only, and these come at random.
const STEPS: usize = 4;
/// The longer half by the shorter, at most.
const UNEVEN: u32 = 4;
/// Less than this from the first mark on is a burst, and less than half of it in the last steps, too.
const LEAST: Duration = Duration::from_secs(8);
/// Closes by openings on the way, at most.
const CLOSES: f64 = 0.5;

/// A mark on the way.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    at: Time,
    opened: u64,
    closed: u64,
}

/// The way up.
#[derive(Clone, Debug, Default)]
pub struct Surge {
    marks: [Mark; PARTS],
    reached: usize,
    /// Connections at which the next mark is reached, for the room that was last seen.
    next: u32,
}

/// Growth that goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Since when.
    pub since: Time,
    /// Openings since then.
    pub opened: u64,
    /// Closes since then.
    pub closed: u64,
    /// Connections in a second.
    pub per_second: f64,
}

impl Surge {
    /// Takes in that there is one more, of how many, and the openings and closes so far: between two looks.
    pub fn rise(&mut self, now: Time, open: u32, room: u64, counts: (u64, u64)) {
        if open >= self.next {
            self.follow(now, open, room, counts);
        }
    }

    /// Takes in how many there are, of how many, and the openings and closes so far.
    pub fn follow(&mut self, now: Time, open: u32, room: u64, (opened, closed): (u64, u64)) {
        let parts = u64::from(open).saturating_mul(PARTS as u64) / room.max(1);
        let reached = usize::try_from(parts).unwrap_or(PARTS).min(PARTS);
        for mark in self.marks.iter_mut().take(reached).skip(self.reached) {
            *mark = Mark {
                at: now,
                opened,
                closed,
            };
        }
        // One part down is no way down.
        self.reached = self.reached.max(reached).min(reached + 1);
        let next = (self.reached as u64 + 1)
            .saturating_mul(room)
            .div_ceil(PARTS as u64);
        self.next = u32::try_from(next).unwrap_or(u32::MAX);
    }

    /// The pace, if at least this share is reached and the last steps were even and closed little.
    pub fn pace(&self, now: Time, open: u32, share: f64, (opened, closed): (u64, u64)) -> Option<Pace> {
        #[expect(clippy::cast_precision_loss, reason = "16 at most")]
        let far_enough = self.reached as f64 >= share * PARTS as f64;
        let marks = self
            .marks
            .get(self.reached.checked_sub(STEPS + 1)?..self.reached)?;
        let (first, last) = (marks.first()?, marks.last()?);
        let middle = marks.get(STEPS / 2)?;
        let halves = [middle.at.since(first.at), last.at.since(middle.at)];
        let (longest, shortest) = (halves.into_iter().max()?, halves.into_iter().min()?);
        let span = last.at.since(first.at);
        let is_even = !shortest.is_zero() && longest <= shortest * UNEVEN && span * 2 >= LEAST;
        let goes_on = now.since(last.at) <= longest;
        let lasts = self.marks.first().is_some_and(|mark| now.since(mark.at) >= LEAST);
        let (came, went) = (
            opened.saturating_sub(first.opened),
            closed.saturating_sub(first.closed),
        );
        #[expect(clippy::cast_precision_loss, reason = "counts of connections")]
        let closes_little = went as f64 <= CLOSES * came as f64;
        if !(far_enough && is_even && goes_on && lasts && closes_little) {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "16 at most")]
        let grown = f64::from(open) * (STEPS as f64) / (self.reached as f64);
        Some(Pace {
            since: first.at,
            opened: came,
            closed: went,
            per_second: grown / span.as_secs_f64(),
        })
    }
}
