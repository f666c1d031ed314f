//! Families by somebody who had not read the detector: software with its defaults, and incidents as people tell them.

mod clusters;
mod crowds;
mod forgetful_clients;
mod forgetful_processes;
mod forgetful_servers;
mod keep_alive;
mod platforms;
mod pools;
mod traffic;
mod works;

use super::Family;
use crate::{
    number::{small, whole},
    random::Random,
    scene::{Batch, Scene},
    world::{DAY, HOUR, NEVER},
};

/// All of them.
pub(super) fn families() -> Vec<Family> {
    [
        forgetful_clients::FAMILIES,
        forgetful_processes::FAMILIES,
        forgetful_servers::FAMILIES,
        pools::FAMILIES,
        clusters::FAMILIES,
        traffic::FAMILIES,
        crowds::FAMILIES,
        works::FAMILIES,
        platforms::FAMILIES,
    ]
    .concat()
}

/// From when to when.
type Span = (f64, f64);

/// Connections that open and close at these times.
fn hold<'a>(s: &'a mut Scene, spans: &[Span]) -> Batch<'a> {
    let mut ends = spans.iter().map(|(_, end)| *end);
    s.open(spans.iter().map(|(start, _)| *start))
        .close(|_| ends.next().unwrap_or(NEVER))
}

/// A connection that is replaced whenever it ends, after a pause of this mean.
fn chain(
    r: &mut Random,
    (from, to): Span,
    pause: f64,
    mut life: impl FnMut(&mut Random) -> f64,
) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut at = from;
    while at < to {
        let end = (at + life(r)).min(to);
        spans.push((at, end));
        at = end + 1e-3 + r.exponential(pause);
    }
    spans
}

/// Requests from and to a moment, at most so many per second: `load` says which share of them at a moment. How long
/// each takes has this median and this deviation of its logarithm.
fn requests(
    r: &mut Random,
    (from, to): Span,
    most: f64,
    (median, sigma): (f64, f64),
    load: impl Fn(f64) -> f64,
) -> Vec<Span> {
    let times = r.arrivals_varying(most, from, to, load);
    times
        .into_iter()
        .map(|at| (at, r.lognormal(median, sigma)))
        .collect()
}

/// What happens every so many hours on average, which is a matter of chance between these bounds.
fn now_and_then(r: &mut Random, (low, high): (f64, f64), (from, to): Span) -> Vec<f64> {
    let mean = r.log_uniform(low, high) * HOUR;
    r.arrivals(1.0 / mean, from, to)
}

/// A limit that people have, and that is above what is needed: that of Linux by default, or one that somebody raised.
fn limit_above(r: &mut Random, most: usize) -> u32 {
    const COMMON: [u32; 7] = [256, 1024, 4096, 16_384, 65_536, 524_288, 1_048_576];
    let usual = r.pick(&[
        256, 1024, 1024, 1024, 4096, 4096, 16_384, 65_536, 65_536, 1_048_576,
    ]);
    let needed = usual.max(small(most + most / 4 + 32));
    COMMON
        .into_iter()
        .find(|limit| *limit >= needed)
        .unwrap_or(u32::MAX)
}

/// When a program begins its work: long before the tracer comes, or about then, after another that did nothing.
fn begins(r: &mut Random, s: &mut Scene) -> f64 {
    if r.chance(0.5) {
        return -r.uniform(0.05, 0.95) * DAY;
    }
    let at = r.uniform(0.0, 0.5 * HOUR);
    s.lives(vec![(0.0, at), (at, NEVER)]);
    at
}

/// The same for one that leaks so many per second at most: before the tracer comes it uses up a third of its limit at
/// most, which this sets.
fn begins_to_leak(r: &mut Random, s: &mut Scene, limit: u32, rate: f64) -> f64 {
    s.limit(limit);
    begins(r, s).max(-f64::from(limit) / 3.0 / rate)
}

/// How far the hour is on its way from one to another.
fn ramp(hour: f64, from: f64, to: f64) -> f64 {
    ((hour - from) / (to - from)).clamp(0.0, 1.0)
}

/// A clock and a calendar: when the tracer comes it is any time of the week.
#[derive(Clone, Copy)]
struct Calendar {
    /// Seconds since midnight of a Monday.
    offset: f64,
}

impl Calendar {
    const WEEK: f64 = 7.0 * DAY;

    fn any(r: &mut Random) -> Self {
        Self {
            offset: r.uniform(0.0, Self::WEEK),
        }
    }

    /// From the start of a Monday to the end of a Tuesday, for worlds that need days of work.
    fn early_in_the_week(r: &mut Random) -> Self {
        Self {
            offset: r.uniform(0.0, 2.0 * DAY),
        }
    }

    fn hour(self, at: f64) -> f64 {
        (at + self.offset).rem_euclid(DAY) / HOUR
    }

    fn is_workday(self, at: f64) -> bool {
        (at + self.offset).rem_euclid(Self::WEEK) < 5.0 * DAY
    }

    /// The midnights that begin the days up to a moment, from the one before the tracer comes.
    fn days(self, until: f64) -> Vec<f64> {
        let first = -self.offset.rem_euclid(DAY);
        (0_u32..=u32::try_from(whole(until / DAY)).unwrap_or_default() + 1)
            .map(|day| first + DAY * f64::from(day))
            .filter(|day| *day < until)
            .collect()
    }

    /// The same without the days of rest.
    fn workdays(self, until: f64) -> Vec<f64> {
        let mut days = self.days(until);
        days.retain(|day| self.is_workday(day + 12.0 * HOUR));
        days
    }

    /// How busy people at work are: 1 by day, less at noon, little at night and on days of rest.
    fn office(self, at: f64) -> f64 {
        const REST: f64 = 0.03;
        if !self.is_workday(at) {
            return REST;
        }
        let hour = self.hour(at);
        let noon = if (12.0..13.0).contains(&hour) { 0.55 } else { 1.0 };
        REST + (1.0 - REST) * ramp(hour, 7.0, 9.5) * (1.0 - ramp(hour, 16.5, 19.5)) * noon
    }

    /// How busy people at home are: 1 in the evening of a day of rest.
    fn evening(self, at: f64) -> f64 {
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

    #[test]
    fn a_chain_is_never_two_connections() {
        let spans = chain(&mut Random::new("chain", 1), (0.0, DAY), 5.0, |r| {
            r.exponential(HOUR)
        });
        assert!(
            spans
                .iter()
                .zip(spans.iter().skip(1))
                .all(|(one, next)| one.1 < next.0)
        );
        assert!(spans.len() > 5 && spans.iter().all(|(start, end)| start < end && *end <= DAY));
    }
}
