//! Growth of what is renewed: a pool that nobody uses any more replaces its connections as they get old, so none does,
//! and no generation shows that there are ever more such pools. What shows it is the level: the least there was at any
//! moment of a period never falls from one to the next, for longer than a day.

use std::time::Duration;

use super::rings;

/// The scale whose periods are compared: eight of them are longer than a day.
pub const SCALE: usize = 6;
/// Periods that are compared.
pub const PERIODS: u32 = 8;
/// The least share of a half of the growth that each half of the window must have.
const EVEN: f64 = 0.3;

/// The end of a period.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// The least there was in it.
    least: u32,
    /// Openings and closes so far.
    counts: (u64, u64),
}

/// The levels of the last periods.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    levels: [Level; PERIODS as usize],
    known: u32,
}

/// Growth of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Connections more than in the first period.
    pub by: u32,
    /// Openings and closes since then.
    pub counts: (u64, u64),
}

/// Time from the end of the first period of a scale to that of the last.
pub fn window(scale: usize) -> Duration {
    rings::period(scale) * (PERIODS - 1)
}

impl Levels {
    /// Nothing is known.
    pub const NONE: Self = Self {
        levels: [Level {
            least: 0,
            counts: (0, 0),
        }; PERIODS as usize],
        known: 0,
    };

    /// A period ends.
    pub fn turn(&mut self, least: u32, counts: (u64, u64)) {
        self.levels.rotate_left(1);
        if let Some(last) = self.levels.last_mut() {
            *last = Level { least, counts };
        }
        self.known = PERIODS.min(self.known + 1);
    }

    /// The growth, if the level has never fallen, and has risen in both halves of the window.
    pub fn growth(&self) -> Option<Growth> {
        let (first, last) = (self.levels.first()?, self.levels.last()?);
        let middle = self.levels.get(PERIODS as usize / 2)?.least;
        let never_falls = self.levels.is_sorted_by_key(|level| level.least);
        let by = last.least.saturating_sub(first.least);
        let halves = [
            middle.saturating_sub(first.least),
            last.least.saturating_sub(middle),
        ];
        let is_even = halves
            .iter()
            .all(|half| f64::from(*half) >= EVEN * f64::from(by) / 2.0);
        let counts = (
            last.counts.0.saturating_sub(first.counts.0),
            last.counts.1.saturating_sub(first.counts.1),
        );
        (self.known == PERIODS && by > 0 && never_falls && is_even).then_some(Growth { by, counts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(least: &[u32]) -> Levels {
        let mut levels = Levels::default();
        for (number, least) in (0_u64..).zip(least) {
            levels.turn(*least, (100 * number, 90 * number));
        }
        levels
    }

    #[test]
    fn a_level_that_never_falls_grows() {
        let growth = levels(&[9, 10, 20, 20, 40, 50, 50, 70, 80]).growth();
        assert_eq!(
            growth,
            Some(Growth {
                by: 70,
                counts: (700, 630)
            })
        );
    }

    #[test]
    fn other_levels_do_not() {
        for (levels, why) in [
            (&[10, 20, 30, 40, 50, 60, 70][..], "not long enough"),
            (&[10, 20, 30, 40, 39, 60, 70, 80], "it fell"),
            (&[10, 10, 10, 10, 10, 10, 10, 10], "it stays"),
            (&[10, 60, 70, 80, 80, 80, 80, 80], "it was filled"),
            (&[10, 10, 10, 10, 10, 20, 60, 80], "it has just begun"),
        ] {
            assert_eq!(self::levels(levels).growth(), None, "{why}");
        }
    }
}
