//! The rings against a count that remembers every connection.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap()
}

/// What a ring must show, counted from all connections: (born, died), in base periods.
#[derive(Default)]
struct Memory {
    lives: Vec<(u32, Option<u32>)>,
}

impl Memory {
    fn survivors(&self, scale: usize, next: u32) -> [u32; COHORTS] {
        let epoch = next / stride(scale);
        let mut counts = [0; COHORTS];
        for (place, count) in counts.iter_mut().enumerate() {
            let Some(cohort) = (epoch + number(place)).checked_sub(number(SLOTS)) else {
                continue;
            };
            let alive = self
                .lives
                .iter()
                .filter(|(born, died)| born / stride(scale) == cohort && died.is_none());
            *count = number(alive.count());
        }
        counts
    }

    /// Closes in the last six periods at an age of more than two epochs.
    fn left(&self, scale: usize, next: u32) -> u32 {
        let epoch = next / stride(scale);
        let is_late = |(born, died): &(u32, Option<u32>)| {
            let Some(died) = died else { return false };
            let died = died / stride(scale);
            died + number(COHORTS) >= epoch && died < epoch && died - born / stride(scale) > number(IMMATURE)
        };
        number(self.lives.iter().filter(|life| is_late(life)).count())
    }
}

fn at(step: u32) -> Time {
    Time(0) + Duration::from_secs(u64::from(step) * BASE - BASE)
}

proptest! {
    #[test]
    fn rings_show_what_a_full_memory_would(
        moves in prop::collection::vec((0_u32..4, any::<bool>(), any::<prop::sample::Index>()), 1..400),
    ) {
        let mut memory = Memory::default();
        let mut step = 100;
        let mut rings = Rings::new(Step(step));
        for (pause, opens, index) in moves {
            step += pause;
            let mut shown = Vec::new();
            rings.advance(Step(step), |scale, next, picture| {
                shown.push((scale, next, *picture));
                0
            });
            for (scale, next, picture) in shown {
                prop_assert_eq!(picture.survivors, memory.survivors(scale, next.0), "scale {} at {:?}", scale, next);
                prop_assert_eq!(picture.left, memory.left(scale, next.0), "scale {} at {:?}", scale, next);
            }
            let open: Vec<usize> = (0..memory.lives.len()).filter(|life| memory.lives[*life].1.is_none()).collect();
            if opens || open.is_empty() {
                memory.lives.push((step, None));
                rings.birth(Start::Seen(at(step)), 0);
            } else {
                let life = open[index.index(open.len())];
                rings.death(Start::Seen(at(memory.lives[life].0)), 0);
                memory.lives[life].1 = Some(step);
            }
            let open = memory.lives.iter().filter(|life| life.1.is_none()).count();
            prop_assert_eq!(rings.total as usize, open);
        }
    }

    /// Whatever comes in whatever order, nothing overflows and nothing panics.
    #[test]
    fn rings_survive_anything(
        moves in prop::collection::vec((any::<u64>(), any::<u64>(), 0_u8..3), 0..60),
        phase in any::<u8>(),
    ) {
        let mut rings = Rings::new(Step::of(Time(moves.first().map_or(0, |first| first.0)), phase));
        for (at, born, what) in moves {
            // Days, not centuries: each step is walked.
            let at = Time(at % (1 << 50));
            rings.advance(Step::of(at, phase), |_, _, picture| picture.left_last);
            let born = if born % 5 == 0 { Start::Older } else { Start::Seen(Time(born)) };
            match what {
                0 => rings.birth(born, phase),
                1 => rings.death(born, phase),
                _ => rings.retract(born, phase),
            }
        }
    }
}

#[test]
fn a_steady_leak_fills_every_cohort_of_a_scale_alike() {
    let mut rings = Rings::new(Step(0));
    let mut last = Picture::default();
    for step in 0..=8 * 9 {
        rings.advance(Step(step), |scale, _, picture| {
            if scale == 2 {
                last = *picture;
            }
            0
        });
        rings.birth(Start::Seen(at(step.max(1))), 0);
    }
    // Scale 2: a period is nine base periods.
    assert_eq!(last.survivors[1..], [9; 5]);
    assert_eq!((last.young, last.left), (18, 0));
}

#[test]
fn periods_are_what_the_documentation_says() {
    let hours: Vec<f64> = (0..SCALES).map(|scale| period(scale).as_secs_f64()).collect();
    assert_eq!(
        hours,
        [16.0, 48.0, 144.0, 432.0, 1296.0, 3888.0, 11664.0, 34992.0]
    );
}

#[test]
fn a_group_of_rings_fits_in_a_kilobyte() {
    assert!(size_of::<Rings>() <= 896, "{}", size_of::<Rings>());
}
