//! A test for a trend, and its slope: Mann and Kendall (Mann 1945, Kendall 1975), Theil and Sen (Sen 1968).

use std::collections::VecDeque;

use super::{Rule, Sample};
use crate::{
    number::real,
    world::{DAY, HOUR},
};

/// Points of a window.
const POINTS: usize = 60;
/// Standard deviations of the test statistic from no trend.
const SIGNIFICANT: f64 = 8.0;
/// Connections that the group must have grown by over a window, by its slope and in fact.
const GROWTH: f64 = 48.0;
/// The limit must be reached in less than this time.
const WITHIN: f64 = 7.0 * DAY;

/// The number of open connections rises over one, six or 24 hours.
pub struct Trend([Window; 3]);

/// The last points of a series.
struct Window {
    /// Seconds from one to the next.
    step: f64,
    points: VecDeque<f64>,
    next: f64,
    rises: bool,
}

impl Default for Trend {
    fn default() -> Self {
        Self([HOUR, 6.0 * HOUR, 24.0 * HOUR].map(|span| Window {
            step: span / real(POINTS),
            points: VecDeque::with_capacity(POINTS),
            next: 0.0,
            rises: false,
        }))
    }
}

impl Rule for Trend {
    fn accuses(&mut self, sample: Sample) -> bool {
        for window in &mut self.0 {
            window.take(sample);
        }
        self.0.iter().any(|window| window.rises)
    }
}

impl Window {
    fn take(&mut self, sample: Sample) {
        if sample.at < self.next {
            return;
        }
        self.next = sample.at + self.step;
        if self.points.len() == POINTS {
            self.points.pop_front();
        }
        let open = f64::from(sample.open);
        self.points.push_back(open);
        let least = self.points.iter().copied().fold(f64::INFINITY, f64::min);
        // The cheap condition first: the others look at all pairs of points.
        self.rises = self.points.len() == POINTS && open - least >= GROWTH && {
            let points = self.points.make_contiguous();
            let slope = || theil_sen(points) / self.step;
            mann_kendall(points) >= SIGNIFICANT && {
                let slope = slope();
                slope > 0.0
                    && slope * self.step * real(POINTS) >= GROWTH
                    && (sample.limit - open) / slope <= WITHIN
            }
        };
    }
}

/// The statistic `Z` of Mann and Kendall for a rising series, corrected for ties: 0 if it does not rise.
fn mann_kendall(points: &[f64]) -> f64 {
    let pairs = points.iter().enumerate().flat_map(|(first, a)| {
        let later = points.iter().skip(first + 1);
        later.map(move |b| f64::from(i8::from(b > a) - i8::from(b < a)))
    });
    let score: f64 = pairs.sum();
    let spread = |count: f64| count * (count - 1.0) * (2.0 * count + 5.0);
    let mut sorted = points.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ties: f64 = sorted
        .chunk_by(|a, b| a.total_cmp(b).is_eq())
        .map(|tied| spread(real(tied.len())))
        .sum();
    let variance = (spread(real(points.len())) - ties) / 18.0;
    if score > 0.0 && variance > 0.0 {
        (score - 1.0) / variance.sqrt()
    } else {
        0.0
    }
}

/// The median of the slopes between all pairs of points, per step; 0 for a single point.
fn theil_sen(points: &[f64]) -> f64 {
    let mut slopes: Vec<f64> = points
        .iter()
        .enumerate()
        .flat_map(|(first, a)| {
            let later = points.iter().skip(first + 1).zip(1..);
            later.map(move |(b, steps)| (b - a) / f64::from(steps))
        })
        .collect();
    if slopes.is_empty() {
        return 0.0;
    }
    let half = slopes.len() / 2;
    let is_even = slopes.len().is_multiple_of(2);
    let (below, middle, _) = slopes.select_nth_unstable_by(half, f64::total_cmp);
    if is_even {
        let before = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        f64::midpoint(before, *middle)
    } else {
        *middle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_close(got: f64, wanted: f64) {
        assert!((got - wanted).abs() < 1e-9, "{got} is not {wanted}");
    }

    #[test]
    fn a_rising_series_by_hand() {
        // All ten pairs rise: S = 10, Var = 5 * 4 * 15 / 18 = 50 / 3, Z = 9 / sqrt(50 / 3).
        is_close(
            mann_kendall(&[1.0, 2.0, 3.0, 4.0, 5.0]),
            9.0 / (50.0_f64 / 3.0).sqrt(),
        );
        is_close(mann_kendall(&[5.0, 4.0, 3.0, 2.0, 1.0]), 0.0);
    }

    #[test]
    fn ties_by_hand() {
        // Pairs: 1-2 +, 1-2 +, 1-3 +, 2-2 0, 2-3 +, 2-3 +: S = 5. Var = (4 * 3 * 13 - 2 * 1 * 9) / 18 = 138 / 18.
        is_close(
            mann_kendall(&[1.0, 2.0, 2.0, 3.0]),
            4.0 / (138.0_f64 / 18.0).sqrt(),
        );
        is_close(mann_kendall(&[7.0; 10]), 0.0);
    }

    #[test]
    fn slopes_by_hand() {
        is_close(theil_sen(&[1.0, 3.0, 5.0, 7.0]), 2.0);
        // Slopes: 1, 0.5, 3, 0, 4, 8: the median is between 1 and 3. One wild point does not move it far.
        is_close(theil_sen(&[0.0, 1.0, 1.0, 9.0]), 2.0);
        is_close(theil_sen(&[4.0]), 0.0);
    }

    fn judged(mut open: impl FnMut(u32) -> u32) -> Option<u32> {
        let mut rule = Trend::default();
        (0..1440).find(|minute| {
            rule.accuses(Sample {
                at: f64::from(*minute) * 60.0,
                open: open(*minute),
                limit: 1024.0,
                ..Sample::default()
            })
        })
    }

    #[test]
    fn one_a_minute_is_seen_after_an_hour() {
        assert_eq!(judged(|minute| minute), Some(59));
    }

    #[test]
    fn what_is_level_is_not_seen() {
        assert_eq!(judged(|minute| 100 + minute * 37 % 60), None);
        assert_eq!(judged(|_| 500), None);
    }
}
