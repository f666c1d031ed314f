//! Rules that count.

use std::collections::VecDeque;

use super::{Rule, Sample};

/// At least so many opened in ten minutes, and none closed: the simplest rule that finds a leak that closes nothing.
#[derive(Default)]
pub struct NoClose {
    /// Opened and closed in each of the last minutes.
    minutes: VecDeque<(u64, u64)>,
    opened: u64,
    closed: u64,
}

impl NoClose {
    const MINUTES: usize = 10;
    const OPENED: u64 = 5;
}

impl Rule for NoClose {
    fn accuses(&mut self, sample: Sample) -> bool {
        let opened = sample.opened.saturating_sub(self.opened);
        let closed = sample.closed.saturating_sub(self.closed);
        (self.opened, self.closed) = (sample.opened, sample.closed);
        self.minutes.push_back((opened, closed));
        if self.minutes.len() > Self::MINUTES {
            self.minutes.pop_front();
        }
        let opened: u64 = self.minutes.iter().map(|(opened, _)| opened).sum();
        opened >= Self::OPENED && self.minutes.iter().all(|(_, closed)| *closed == 0)
    }
}

/// So many are open.
pub struct ManyOpen;

impl ManyOpen {
    const OPEN: u32 = 200;
}

impl Rule for ManyOpen {
    fn accuses(&mut self, sample: Sample) -> bool {
        sample.open >= Self::OPEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(opened: u64, closed: u64) -> Sample {
        Sample {
            opened,
            closed,
            ..Sample::default()
        }
    }

    #[test]
    fn one_close_acquits_for_ten_minutes() {
        let mut rule = NoClose::default();
        assert!(!rule.accuses(minute(4, 0)));
        assert!(rule.accuses(minute(5, 0)));
        assert!(!rule.accuses(minute(20, 1)));
        for opened in 21..30 {
            assert!(!rule.accuses(minute(opened, 1)), "{opened}");
        }
        assert!(rule.accuses(minute(30, 1)), "the close is ten minutes old");
    }

    #[test]
    fn what_opened_long_ago_does_not_count() {
        let mut rule = NoClose::default();
        assert!(rule.accuses(minute(5, 0)));
        let accused = (0..10).filter(|_| rule.accuses(minute(5, 0))).count();
        assert_eq!(accused, 9);
    }

    #[test]
    fn two_hundred_are_many() {
        let open = |open| {
            ManyOpen.accuses(Sample {
                open,
                ..Sample::default()
            })
        };
        assert!(open(200) && !open(199));
    }
}
