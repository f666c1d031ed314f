//! Durations for people: two units at most.

use std::time::Duration;

/// `850ms`, `14s`, `3m 20s`, `5h 2m`, `3d 4h`.
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
