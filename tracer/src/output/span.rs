//! Durations and rates for people.

use std::time::Duration;

/// `850ms`, `14s`, `3m 20s`, `5h 2m`, `3d 4h`: two units at most, rounded down.
pub fn human(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{}ms", span.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3600 => two(seconds, 60, "m", 1, "s"),
        3600..86_400 => two(seconds, 3600, "h", 60, "m"),
        _ => two(seconds, 86_400, "d", 3600, "h"),
    }
}

fn two(seconds: u64, large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match seconds % large / small {
        0 => format!("{}{large_unit}", seconds / large),
        rest => format!("{}{large_unit} {rest}{small_unit}", seconds / large),
    }
}

/// `12 per second`, `6.0 per minute`, `360 per hour`, `8.6 per day`: the largest unit of time in which the number is
/// easy to grasp, so that a slow leak does not read `0 per hour`.
pub fn rate(per_hour: f64) -> String {
    let (number, unit) = match per_hour {
        36_000.0.. => (per_hour / 3600.0, "second"),
        3600.0.. => (per_hour / 60.0, "minute"),
        1.0.. => (per_hour, "hour"),
        _ => (per_hour * 24.0, "day"),
    };
    if number < 9.95 {
        format!("{number:.1} per {unit}")
    } else {
        format!("{number:.0} per {unit}")
    }
}
