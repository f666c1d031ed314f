//! Figures, for people.

use crate::{
    interval::Share,
    world::{HOUR, MINUTE},
};

/// A share with its interval, in percent.
pub fn share(share: Share) -> String {
    let (low, high) = share.interval();
    or_none(share.value(), |value| {
        format!("{:.1} [{:.1}, {:.1}]", 100.0 * value, 100.0 * low, 100.0 * high)
    })
}

/// A share in percent.
pub fn percent(value: f64) -> String {
    format!("{:.0} %", 100.0 * value)
}

/// What there may be none of.
pub fn or_none(value: Option<f64>, show: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

/// The median and the 90th percentile.
pub fn pair(median: Option<f64>, p90: Option<f64>, show: impl Fn(f64) -> String) -> String {
    match (median, p90) {
        (Some(median), Some(p90)) => format!("{} / {}", show(median), show(p90)),
        _ => "-".to_owned(),
    }
}

/// A time span.
pub fn span(seconds: f64) -> String {
    if seconds < 2.0 * MINUTE {
        format!("{seconds:.0} s")
    } else if seconds < 2.0 * HOUR {
        format!("{:.0} min", seconds / MINUTE)
    } else {
        format!("{:.1} h", seconds / HOUR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        assert_eq!(span(12.0), "12 s");
        assert_eq!(span(600.0), "10 min");
        assert_eq!(span(9000.0), "2.5 h");
    }

    #[test]
    fn shares_bring_their_interval() {
        assert_eq!(share(Share { of: 1, all: 29 }), "3.4 [0.6, 17.2]");
        assert_eq!(share(Share::default()), "-");
    }
}
