//! Outcomes of many worlds, summed up.

use crate::{interval::Share, number::real, score::Outcome};

/// How a detector did.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Leaks that were found.
    pub found: Share,
    /// Found while half of the descriptors were left.
    pub found_early: Share,
    /// Confirmed.
    pub confirmed: Share,
    /// Found in the time that their family asks for, of those that do.
    pub on_target: Share,
    /// Healthy worlds in which somebody was accused.
    pub accused: Share,
    /// Healthy worlds in which somebody was accused as confirmed.
    pub accused_confirmed: Share,
    /// Of what is found, the share that leaks.
    pub precision: Option<f64>,
    /// False alarms.
    pub false_alarms: usize,
    /// Hours in which nothing leaked.
    pub healthy_hours: f64,
    /// Seconds from the onset to the finding, in order.
    after: Vec<f64>,
    /// Connections that had leaked by then, in order.
    leaked: Vec<f64>,
    /// Share of the descriptors that were in use then, in order.
    used: Vec<f64>,
}

impl Summary {
    /// Of these.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let mut summary = Self::default();
        for outcome in outcomes {
            summary.false_alarms += outcome.false_alarms;
            summary.healthy_hours += outcome.healthy_hours;
            if !outcome.leaks {
                summary.accused.count(outcome.first_false.is_some());
                summary.accused_confirmed.count(outcome.confirmed_false.is_some());
                continue;
            }
            summary.found.count(outcome.hit.is_some());
            summary
                .found_early
                .count(outcome.hit.is_some_and(|hit| hit.before_half));
            summary.confirmed.count(outcome.confirmed);
            if let Some(on_target) = outcome.on_target() {
                summary.on_target.count(on_target);
            }
            if let Some(hit) = outcome.hit {
                summary.after.push(hit.after);
                summary.leaked.push(real(hit.leaked));
                summary.used.push(hit.used);
            }
        }
        for values in [&mut summary.after, &mut summary.leaked, &mut summary.used] {
            values.sort_by(f64::total_cmp);
        }
        let told = summary.found.of + summary.accused.of;
        summary.precision = (told > 0).then(|| real(summary.found.of) / real(told));
        summary
    }

    /// False alarms in a thousand healthy hours.
    pub fn alarms_per_1000h(&self) -> Option<f64> {
        (self.healthy_hours > 0.0).then(|| 1000.0 * real(self.false_alarms) / self.healthy_hours)
    }

    /// The time to detection that the share `q` stays below.
    pub fn after(&self, q: f64) -> Option<f64> {
        quantile(&self.after, q)
    }

    /// Likewise, the connections that had leaked.
    pub fn leaked(&self, q: f64) -> Option<f64> {
        quantile(&self.leaked, q)
    }

    /// Likewise, the share of the descriptors in use.
    pub fn used(&self, q: f64) -> Option<f64> {
        quantile(&self.used, q)
    }
}

/// The smallest value that at least the share `q` of the sorted values does not exceed.
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let rank = crate::number::whole((q * real(sorted.len())).ceil());
    sorted
        .get(rank.saturating_sub(1).min(sorted.len().saturating_sub(1)))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Hit;

    fn leak(after: Option<f64>) -> Outcome {
        Outcome {
            seed: 0,
            leaks: true,
            healthy_hours: 1.0,
            false_alarms: 0,
            first_false: None,
            confirmed_false: None,
            hit: after.map(|after| Hit {
                after,
                leaked: 10,
                used: 0.1,
                before_half: after < 100.0,
            }),
            confirmed: false,
            target: None,
        }
    }

    #[test]
    fn a_summary_by_hand() {
        let healthy = Outcome {
            leaks: false,
            healthy_hours: 9.0,
            false_alarms: 2,
            first_false: Some(1.0),
            ..leak(None)
        };
        let outcomes = [leak(Some(50.0)), leak(Some(150.0)), leak(None), healthy];
        let summary = Summary::of(&outcomes);
        assert_eq!(summary.found, Share { of: 2, all: 3 });
        assert_eq!(summary.found_early, Share { of: 1, all: 3 });
        assert_eq!(summary.accused, Share { of: 1, all: 1 });
        assert_eq!(summary.accused_confirmed, Share { of: 0, all: 1 });
        assert_eq!(summary.precision, Some(2.0 / 3.0));
        assert_eq!(summary.after(0.5), Some(50.0));
        assert_eq!(summary.after(0.9), Some(150.0));
        let per_1000h = summary.alarms_per_1000h().unwrap();
        assert!((per_1000h - 2000.0 / 12.0).abs() < 1e-9, "{per_1000h}");
    }

    #[test]
    fn of_nothing_there_are_no_quantiles() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[1.0], 0.9), Some(1.0));
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), Some(2.0));
    }
}
