//! Durations and rates for people.

use std::{ops::Range, time::Duration};

use crate::leak::evidence::Interval;

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

/// `360 per hour (340 to 380)`: an estimate and its interval in one unit. `None` for what is no growth, or no number.
pub fn interval(per_hour: Interval) -> Option<String> {
    /// Less than one in twenty days is no pace, and more than any host opens none either.
    const PACES: Range<f64> = 0.05 / 24.0..1e12;
    let Interval { low, mid, high } = per_hour;
    // Comparisons are false for what is no number.
    let is_growth = PACES.contains(&mid) && low <= mid && mid <= high && high < PACES.end;
    if !is_growth {
        return None;
    }
    let (scale, unit) = unit(mid);
    let [low, high] = [low.max(0.0), high].map(|bound| short(bound * scale));
    let band = if low == high {
        String::new()
    } else {
        format!(" ({low} to {high})")
    };
    Some(format!("{} per {unit}{band}", short(mid * scale)))
}

/// `12 per second`, `6.0 per minute`, `360 per hour`, `8.6 per day`: the largest unit of time in which the number is
/// easy to grasp, so that a slow leak does not read `0 per hour`.
pub fn rate(per_hour: f64) -> String {
    let (scale, unit) = unit(per_hour);
    format!("{} per {unit}", short(per_hour * scale))
}

/// What to multiply with, and the unit that gives.
const fn unit(per_hour: f64) -> (f64, &'static str) {
    match per_hour {
        36_000.0.. => (1.0 / 3600.0, "second"),
        3600.0.. => (1.0 / 60.0, "minute"),
        1.0.. => (1.0, "hour"),
        _ => (24.0, "day"),
    }
}

fn short(number: f64) -> String {
    if number < 9.95 {
        format!("{number:.1}")
    } else {
        format!("{number:.0}")
    }
}
