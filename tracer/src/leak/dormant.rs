//! Growth of what nobody uses any more, whatever else there is: where many long connections come and go beside a leak,
//! no generation stays whole. What shows is the level of those that have been silent for longer than any idle timeout:
//! the least there were at any look in a period never falls from one to the next.

use std::time::Duration;

use super::{
    renewal::{Growth, Levels, PERIODS},
    rings::Step,
    usage,
    watch::{Key, Population},
};
use crate::model::{ledger::Ledger, time::Time};

/// The scales whose periods are compared. They are looked at once in a period of the first.
const SCALES: [usize; 3] = [4, 5, 6];
/// Most groups never have so many.
const FEW: u32 = 8;

/// The levels of the last periods.
#[derive(Clone, Debug)]
pub struct Dormant {
    /// The last look.
    looked: Step,
    /// The least there were in this period of each scale.
    low: [u32; SCALES.len()],
    levels: [Levels; SCALES.len()],
    /// The most there were since at least half of them went.
    high: u32,
    /// Whether at least half of these were gone at the last look.
    pub is_drained: bool,
}

/// Whether a look is due, the last being this.
pub fn is_due(last: Step, now: Step) -> bool {
    now.epoch(SCALES[0]) > last.epoch(SCALES[0])
}

/// How many have been silent for so long.
pub fn count(ledger: &Ledger, key: &Key, now: Time, silent_for: Duration) -> u32 {
    let dormant = usage::members(ledger, key, Population::All).filter(|(_, connection)| {
        usage::silent_for(connection, now).is_some_and(|silent| silent >= silent_for)
    });
    u32::try_from(dormant.count()).unwrap_or(u32::MAX)
}

impl Dormant {
    /// Nothing was seen before.
    const fn new(now: Step) -> Self {
        Self {
            looked: now,
            low: [0; SCALES.len()],
            levels: [Levels::NONE; SCALES.len()],
            high: 0,
            is_drained: false,
        }
    }

    /// Takes in how many there are, and what opened and closed so far; says at which scales they grow.
    pub fn look(
        memory: &mut Option<Box<Self>>,
        now: Step,
        count: u32,
        counts: (u64, u64),
        mut grows: impl FnMut(usize, Growth),
    ) {
        if count < FEW {
            *memory = None;
            return;
        }
        let dormant = memory.get_or_insert_with(|| Box::new(Self::new(now)));
        dormant.is_drained = count <= dormant.high / 2;
        dormant.high = if dormant.is_drained {
            count
        } else {
            dormant.high.max(count)
        };
        let Self {
            looked, low, levels, ..
        } = &mut **dormant;
        for ((scale, low), levels) in SCALES.into_iter().zip(low).zip(levels) {
            let ended = now.epoch(scale).saturating_sub(looked.epoch(scale));
            if ended == 0 {
                *low = (*low).min(count);
                continue;
            }
            levels.turn(std::mem::replace(low, count).min(count), counts);
            for _ in 1..ended.min(PERIODS) {
                levels.turn(count, counts);
            }
            if let Some(growth) = levels.growth() {
                grows(scale, growth);
            }
        }
        *looked = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leak::rings;

    #[test]
    fn what_has_drained_once_does_not_drain_what_comes_later() {
        let mut memory = None;
        let mut seconds = 0;
        let mut look = |count| {
            seconds += rings::period(SCALES[0]).as_secs();
            let now = Step::of(Time(0) + Duration::from_secs(seconds), 0);
            Dormant::look(&mut memory, now, count, (0, 0), |_, _| {});
            memory.as_ref().map(|dormant| dormant.is_drained)
        };
        assert_eq!([500, 490].map(&mut look), [Some(false); 2]);
        assert_eq!(
            [100, 110, 150].map(&mut look),
            [Some(true), Some(false), Some(false)]
        );
        assert_eq!(
            [7, 8].map(&mut look),
            [None, Some(false)],
            "too few are forgotten"
        );
    }
}
