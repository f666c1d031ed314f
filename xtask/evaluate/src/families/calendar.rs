//! When people work and play.

use crate::{
    number::whole,
    random::Random,
    world::{DAY, HOUR},
};

/// How far the hour is on its way from one to another.
pub fn ramp(hour: f64, from: f64, to: f64) -> f64 {
    ((hour - from) / (to - from)).clamp(0.0, 1.0)
}

/// A clock and a calendar: when the tracer comes it is any time of the week.
#[derive(Clone, Copy)]
pub struct Calendar {
    /// Seconds since midnight of a Monday.
    pub offset: f64,
}

impl Calendar {
    const WEEK: f64 = 7.0 * DAY;

    pub fn any(r: &mut Random) -> Self {
        Self {
            offset: r.uniform(0.0, Self::WEEK),
        }
    }

    /// From the start of a Monday to the end of a Tuesday, for worlds that need days of work.
    pub fn early_in_the_week(r: &mut Random) -> Self {
        Self {
            offset: r.uniform(0.0, 2.0 * DAY),
        }
    }

    pub fn hour(self, at: f64) -> f64 {
        (at + self.offset).rem_euclid(DAY) / HOUR
    }

    pub fn is_workday(self, at: f64) -> bool {
        (at + self.offset).rem_euclid(Self::WEEK) < 5.0 * DAY
    }

    /// The midnights that begin the days up to a moment, from the one before the tracer comes.
    pub fn days(self, until: f64) -> Vec<f64> {
        let first = -self.offset.rem_euclid(DAY);
        (0_u32..=u32::try_from(whole(until / DAY)).unwrap_or_default() + 1)
            .map(|day| first + DAY * f64::from(day))
            .filter(|day| *day < until)
            .collect()
    }

    /// The same without the days of rest.
    pub fn workdays(self, until: f64) -> Vec<f64> {
        let mut days = self.days(until);
        days.retain(|day| self.is_workday(day + 12.0 * HOUR));
        days
    }

    /// How busy people at work are: 1 by day, less at noon, little at night and on days of rest.
    pub fn office(self, at: f64) -> f64 {
        const REST: f64 = 0.03;
        if !self.is_workday(at) {
            return REST;
        }
        let hour = self.hour(at);
        let noon = if (12.0..13.0).contains(&hour) { 0.55 } else { 1.0 };
        REST + (1.0 - REST) * ramp(hour, 7.0, 9.5) * (1.0 - ramp(hour, 16.5, 19.5)) * noon
    }

    /// How busy people at home are: 1 in the evening of a day of rest.
    pub fn evening(self, at: f64) -> f64 {
        // The night belongs to the day before.
        let hour = (self.hour(at) + 20.0) % 24.0;
        let day = if self.is_workday(at) { 0.7 } else { 1.0 };
        day * (0.1 + 0.3 * ramp(hour, 4.0, 10.0) + 0.6 * ramp(hour, 12.0, 16.0))
            * (1.0 - 0.9 * ramp(hour, 18.5, 22.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_knows_days_and_weeks() {
        // Thursday, 18:00.
        let calendar = Calendar {
            offset: 3.0 * DAY + 18.0 * HOUR,
        };
        assert!((calendar.hour(0.0) - 18.0).abs() < 1e-9);
        assert!((calendar.hour(-19.0 * HOUR) - 23.0).abs() < 1e-9);
        assert!(calendar.is_workday(0.0) && calendar.is_workday(29.9 * HOUR));
        assert!(!calendar.is_workday(30.1 * HOUR) && calendar.is_workday(78.1 * HOUR));
        assert_eq!(calendar.days(2.0 * DAY).len(), 3);
        assert_eq!(calendar.workdays(4.0 * DAY).len(), 3);
    }

    #[test]
    fn people_work_by_day_and_play_in_the_evening() {
        let monday = Calendar { offset: 0.0 };
        for quarter in 0..4 * 24 * 7 {
            let at = 900.0 * f64::from(quarter);
            assert!((0.0..=1.0).contains(&monday.office(at)) && (0.0..=1.0).contains(&monday.evening(at)));
        }
        assert!(monday.office(10.0 * HOUR) > 0.99 && monday.office(3.0 * HOUR) < 0.05);
        assert!(monday.office(12.5 * HOUR) < 0.6 && monday.office(5.5 * DAY) < 0.05);
        assert!(monday.evening(5.0 * DAY + 21.0 * HOUR) > 0.99 && monday.evening(5.0 * HOUR) < 0.1);
    }
}
