//! In which order lines take effect, and when the rules look.

use proptest::{collection::vec, prelude::*};

use crate::{
    model::time::Time,
    recording::{
        line::{Line, Tick},
        schedule::{Schedule, Step},
    },
};

const MILLI: u64 = 1_000_000;

fn tick(milli: u64) -> Line {
    Line::Tick(Tick {
        ts: Time(milli * MILLI),
    })
}

/// Milliseconds of lines (`l`) and ticks (`t`), as they come out.
fn order(begin: u64, lines: &[u64]) -> Vec<(char, u64)> {
    let mut schedule = Schedule::new(Time(begin * MILLI));
    let mut steps = Vec::new();
    for line in lines {
        schedule.push(tick(*line));
        steps.extend(std::iter::from_fn(|| schedule.pop()));
    }
    steps.extend(std::iter::from_fn(|| schedule.drain()));
    steps
        .into_iter()
        .map(|step| match step {
            Step::Line(line) => ('l', line.ts().0 / MILLI),
            Step::Tick(at) => ('t', at.0 / MILLI),
        })
        .collect()
}

#[test]
fn the_rules_look_at_every_whole_second() {
    assert_eq!(
        order(500, &[600, 1000, 1001, 4200]),
        [
            ('l', 600),
            ('l', 1000),
            ('t', 1000),
            ('l', 1001),
            ('t', 2000),
            ('t', 3000),
            ('t', 4000),
            ('l', 4200)
        ]
    );
}

#[test]
fn late_lines_find_their_place() {
    assert_eq!(
        order(0, &[900, 1500, 1100, 600, 1500]),
        [
            ('l', 600),
            ('l', 900),
            ('t', 1000),
            ('l', 1100),
            ('l', 1500),
            ('l', 1500)
        ]
    );
}

#[test]
fn many_lines_of_one_moment_do_not_pile_up() {
    let mut schedule = Schedule::new(Time(0));
    let mut waiting: u64 = 0;
    for _ in 0..200_000 {
        schedule.push(tick(1));
        waiting += 1;
        waiting -= std::iter::from_fn(|| schedule.pop()).count() as u64;
        assert!(waiting <= 1 << 16);
    }
}

proptest! {
    #[test]
    fn what_is_a_second_out_of_order_comes_in_order(mut millis in vec((0..20_000_u64, 0..1000_u64), 0..200)) {
        // In the order of the times, each up to a second late.
        millis.sort_by_key(|(milli, late)| milli + late);
        let lines: Vec<u64> = millis.iter().map(|(milli, _)| *milli).collect();
        let steps = order(0, &lines);
        prop_assert!(steps.is_sorted_by_key(|(kind, milli)| (*milli, *kind)), "{:?}", steps);
        prop_assert_eq!(steps.iter().filter(|(kind, _)| *kind == 'l').count(), lines.len());
        let ticks: Vec<u64> = steps.iter().filter(|(kind, _)| *kind == 't').map(|(_, milli)| *milli).collect();
        let last = lines.iter().max().copied().unwrap_or(0);
        let expected: Vec<u64> = (1..=last).map(|second| second * 1000).take_while(|milli| *milli < last).collect();
        prop_assert_eq!(ticks, expected);
    }
}
