//! What Prometheus would say: `predict_linear(open[6h], 24h) > limit` for ten minutes, and a tenth of it is used.

use std::collections::VecDeque;

use super::{Rule, Sample};
use crate::{
    number::real,
    world::{HOUR, MINUTE},
};

/// Points of six hours, one a minute.
const POINTS: usize = 360;
/// How far ahead.
const AHEAD: f64 = 24.0 * HOUR;
/// How long the forecast must hold.
const HOLDS: f64 = 10.0 * MINUTE;
/// Fewer make no line.
const LEAST: usize = 5;
/// Share of the limit that must be used.
const USED: f64 = 0.1;

/// A straight line through the last hours, extended.
#[derive(Default)]
pub struct Forecast {
    points: VecDeque<f64>,
    since: Option<f64>,
}

impl Rule for Forecast {
    fn accuses(&mut self, sample: Sample) -> bool {
        let open = f64::from(sample.open);
        if self.points.len() == POINTS {
            self.points.pop_front();
        }
        self.points.push_back(open);
        let exceeds = self.points.len() >= LEAST
            && open >= USED * sample.limit
            && predicted(self.points.make_contiguous(), AHEAD / MINUTE) > sample.limit;
        self.since = exceeds.then(|| self.since.unwrap_or(sample.at));
        self.since.is_some_and(|since| sample.at - since >= HOLDS)
    }
}

/// The value of the least-squares line, so many steps after the last point.
fn predicted(points: &[f64], steps: f64) -> f64 {
    let count = real(points.len());
    let (middle, mean) = ((count - 1.0) / 2.0, points.iter().sum::<f64>() / count);
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (place, value) in points.iter().enumerate() {
        let from_middle = real(place) - middle;
        covariance += from_middle * (value - mean);
        variance += from_middle * from_middle;
    }
    mean + covariance / variance * (count - 1.0 - middle + steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_extended() {
        assert!((predicted(&[1.0, 2.0, 3.0, 4.0, 5.0], 10.0) - 15.0).abs() < 1e-9);
        // By hand: mean 2, middle 1, slope (2 + 0 + 0) / 2 = 1... of 1, 2, 3 with the last one raised by 3.
        assert!((predicted(&[0.0, 0.0, 6.0], 1.0) - 8.0).abs() < 1e-9);
    }

    #[test]
    fn a_forecast_must_hold_for_ten_minutes() {
        let mut rule = Forecast::default();
        let first = (0..600_u32).find(|minute| {
            rule.accuses(Sample {
                at: f64::from(*minute) * 60.0,
                open: 200 + minute,
                limit: 1024.0,
                ..Sample::default()
            })
        });
        assert_eq!(
            first,
            Some(14),
            "five points make a line, and it holds for ten minutes"
        );
    }

    #[test]
    fn little_in_use_is_no_reason() {
        let mut rule = Forecast::default();
        let accused = (0..90_u32).any(|minute| {
            rule.accuses(Sample {
                at: f64::from(minute) * 60.0,
                open: minute,
                limit: 1024.0,
                ..Sample::default()
            })
        });
        assert!(!accused);
    }
}
