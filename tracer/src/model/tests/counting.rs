//! Rates and ages against the naive way to compute them.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::model::{
    tally::Rate,
    view::{Age, Ages},
};

fn moment(millis: u64) -> Time {
    Time(0) + Duration::from_millis(millis)
}

proptest! {
    #[test]
    fn a_rate_is_the_count_of_the_last_minute_to_within_five_seconds(
        mut times in vec(0..300_000_u64, 0..60),
        later in 0..90_000_u64,
    ) {
        times.sort_unstable();
        let now = times.last().copied().unwrap_or(0) + later;
        let mut rate = Rate::default();
        for millis in &times {
            rate.add(moment(*millis));
        }
        let within = |span: u64| times.iter().filter(|time| now - **time < span).count();
        let found = usize::try_from(rate.per_minute(moment(now))).unwrap();
        prop_assert!((within(55_000)..=within(60_000)).contains(&found), "{} found", found);
    }

    #[test]
    fn a_late_event_counts_where_the_newest_does(
        times in vec(0..300_000_u64, 0..60),
        now in 0..400_000_u64,
    ) {
        let mut rate = Rate::default();
        let mut newest = 0;
        let mut slots = Vec::new();
        for millis in times {
            rate.add(moment(millis));
            newest = newest.max(millis / 5000);
            slots.push(newest);
        }
        let end = newest.max(now / 5000);
        let expected = slots.iter().filter(|slot| **slot + 12 > end).count();
        prop_assert_eq!(usize::try_from(rate.per_minute(moment(now))).unwrap(), expected);
    }

    #[test]
    fn ages_are_the_ranks_of_the_sorted_list(millis in vec(0..100_000_u64, 0..40)) {
        let mut sorted: Vec<Duration> = millis.iter().map(|age| Duration::from_millis(*age)).collect();
        let found = Ages::of(sorted.iter().copied().map(Age::exactly).collect());
        sorted.sort();
        // The smallest age that at least this share of the connections does not exceed.
        let quantile = |percent: usize| {
            let reached = |age: &&Duration| sorted.iter().filter(|other| other <= age).count() * 100;
            sorted.iter().find(|age| reached(age) >= percent * sorted.len()).copied()
        };
        let expected = sorted.last().copied().map(|oldest| Ages {
            oldest: Age::exactly(oldest),
            median: Age::exactly(quantile(50).unwrap()),
            p90: Age::exactly(quantile(90).unwrap()),
        });
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn nothing_open_has_no_ages() {
    assert_eq!(Ages::of(Vec::new()), None);
}

#[test]
fn a_time_far_away_breaks_no_rate() {
    let mut rate = Rate::default();
    rate.add(Time(u64::MAX));
    rate.add(Time(0));
    assert_eq!(rate.per_minute(Time(u64::MAX)), 2);
    assert_eq!(
        rate.per_minute(Time(0)),
        2,
        "the newest slot, whatever the clock says"
    );
}
