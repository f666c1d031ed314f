use std::time::Duration;

use proptest::prelude::*;

use crate::output::span::{human, rate};

#[test]
fn durations_have_two_units_at_most() {
    const DAY: u64 = 86_400_000;
    let cases = [
        (0, "0ms"),
        (1, "1ms"),
        (850, "850ms"),
        (999, "999ms"),
        (1000, "1s"),
        (1999, "1s"),
        (59_999, "59s"),
        (60_000, "1m"),
        (61_000, "1m 1s"),
        (200_000, "3m 20s"),
        (3_599_999, "59m 59s"),
        (3_600_000, "1h"),
        (3_659_999, "1h"),
        (3_660_000, "1h 1m"),
        (DAY - 1, "23h 59m"),
        (DAY, "1d"),
        (DAY + 3_600_000, "1d 1h"),
        (3 * DAY + 4 * 3_600_000, "3d 4h"),
        (400 * DAY, "400d"),
    ];
    for (millis, expected) in cases {
        assert_eq!(human(Duration::from_millis(millis)), expected, "{millis} ms");
    }
    assert_eq!(human(Duration::from_micros(999)), "0ms");
    assert_eq!(human(Duration::MAX), "213503982334601d 7h");
}

#[test]
fn rates_have_the_unit_in_which_they_can_be_grasped() {
    let cases = [
        (0.0, "0.0 per day"),
        (0.36, "8.6 per day"),
        (0.999, "24 per day"),
        (1.0, "1.0 per hour"),
        (9.94, "9.9 per hour"),
        (9.96, "10 per hour"),
        (360.0, "360 per hour"),
        (3599.0, "3599 per hour"),
        (3600.0, "60 per minute"),
        (35_999.0, "600 per minute"),
        (36_000.0, "10 per second"),
        (3_600_000.0, "1000 per second"),
    ];
    for (per_hour, expected) in cases {
        assert_eq!(rate(per_hour), expected, "{per_hour}");
    }
}

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        any::<u64>().prop_map(Duration::from_secs),
        (0..10_000_000_000_u64).prop_map(Duration::from_millis),
        (0..100_000_u64).prop_map(Duration::from_millis),
    ]
}

proptest! {
    #[test]
    fn a_duration_is_never_rounded_up(span in span()) {
        let shown = human(span);
        prop_assert!(shown.split(' ').count() <= 2);
        // humantime reads the same notation; a span beyond its range is beyond ours too.
        if let Ok(read) = humantime::parse_duration(&shown) {
            let rest = span.checked_sub(read);
            prop_assert!(rest.is_some_and(|rest| rest < Duration::from_hours(1)), "{} of {:?}", shown, span);
        }
    }
}
