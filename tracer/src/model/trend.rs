//! Where the number of open connections is going: a state to look at, no verdict.
//!
//! Every opening counts +1, every close -1, and what was counted fades: after [`MEMORY`] to 1/e. With `net` the faded sum
//! of these, `all` the faded number of both, and `fresh` the sum that fades in a fifth of the time:
//!
//! - something happens if `net² >= 4 all`: openings and closes that balance differ by no more than that, twice the
//!   standard deviation of as many coin tosses, in 19 of 20 cases;
//! - it still goes on if `fresh`, per time, is at least half of `net`: else a pool that has filled would be called
//!   growing for a quarter of an hour;
//! - then the sign of `net` says `growing` or `draining`; otherwise it is `steady`.
//!
//! Within [`WARMING`] of being known something grows that has only just begun: `warming up`.

use std::time::Duration;

use super::time::Time;

/// In that time what was counted fades to 1/e.
pub const MEMORY: Duration = Duration::from_mins(5);
/// How long something counts as new.
pub const WARMING: Duration = Duration::from_mins(1);
/// What is fresh fades so many times as fast.
const FRESH: i32 = 5;
/// Standard deviations of a balanced flow that are something, squared.
const NOTABLE: f64 = 4.0;
/// Share of its mean pace at which something still goes on.
const GOES_ON: f64 = 0.5;

/// Where the number of open connections is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It is not known for long, and does not shrink.
    WarmingUp,
    /// More open than close.
    Growing,
    /// As many open as close, or nothing happens.
    Steady,
    /// More close than open.
    Draining,
}

impl State {
    /// The words used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WarmingUp => "warming up",
            Self::Growing => "growing",
            Self::Steady => "steady",
            Self::Draining => "draining",
        }
    }
}

/// Openings and closes, fading.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trend {
    /// When anything was first known; `None` if nothing is.
    since: Option<Time>,
    /// To when the sums have faded.
    at: Time,
    net: f64,
    all: f64,
    fresh: f64,
}

impl Trend {
    /// Something is known from now on, if it was not before.
    pub fn begin(&mut self, at: Time) {
        self.since.get_or_insert(at);
    }

    /// One more is open.
    pub fn rise(&mut self, at: Time) {
        self.count(at, 1.0);
    }

    /// One less is open.
    pub fn fall(&mut self, at: Time) {
        self.count(at, -1.0);
    }

    /// So many opened and closed.
    pub fn pass(&mut self, at: Time, count: u32) {
        self.begin(at);
        *self = self.faded(at);
        self.all += 2.0 * f64::from(count);
    }

    fn count(&mut self, at: Time, change: f64) {
        self.begin(at);
        *self = self.faded(at);
        self.net += change;
        self.all += change.abs();
        self.fresh += change;
    }

    /// The same, later. What comes late counts at the newest moment.
    fn faded(self, to: Time) -> Self {
        let factor = (-to.since(self.at).as_secs_f64() / MEMORY.as_secs_f64()).exp();
        Self {
            at: self.at.max(to),
            net: self.net * factor,
            all: self.all * factor,
            fresh: self.fresh * factor.powi(FRESH),
            ..self
        }
    }

    /// Where it is going.
    pub fn state(&self, now: Time) -> State {
        let Self { net, all, fresh, .. } = self.faded(now);
        // Per time: what is fresh was gathered in a fifth of it.
        let goes_on = fresh * f64::from(FRESH) * net.signum() >= net.abs() * GOES_ON;
        let is_notable = net * net >= NOTABLE * all && all > 0.0 && goes_on;
        let is_new = self.since.is_none_or(|since| now.since(since) < WARMING);
        match (is_notable, net < 0.0, is_new) {
            (true, true, _) => State::Draining,
            (_, _, true) => State::WarmingUp,
            (true, false, false) => State::Growing,
            (false, _, false) => State::Steady,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time(0) + Duration::from_secs(seconds)
    }

    #[test]
    fn nothing_known_is_warming_up_and_then_steady() {
        let mut trend = Trend::default();
        assert_eq!(trend.state(at(5000)), State::WarmingUp);
        trend.begin(at(100));
        trend.begin(at(150));
        assert_eq!(trend.state(at(159)), State::WarmingUp);
        assert_eq!(trend.state(at(160)), State::Steady);
    }

    #[test]
    fn the_founding_leak_grows_as_soon_as_it_is_not_new_and_without_a_break() {
        let mut trend = Trend::default();
        let mut states = Vec::new();
        for second in 0..3600 {
            if second % 30 == 0 {
                (0..3).for_each(|_| trend.rise(at(second)));
            }
            states.push(trend.state(at(second)));
        }
        assert_eq!(states.iter().position(|state| *state == State::Growing), Some(60));
        assert!(states[..60].iter().all(|state| *state == State::WarmingUp));
        assert!(states[60..].iter().all(|state| *state == State::Growing));
    }

    #[test]
    fn a_pool_that_has_filled_is_steady_in_minutes() {
        let mut trend = Trend::default();
        for second in 0..100 {
            trend.rise(at(second));
        }
        assert_eq!(trend.state(at(100)), State::Growing);
        assert_eq!(trend.state(at(160)), State::Growing);
        assert_eq!(trend.state(at(100 + 180)), State::Steady);
    }

    #[test]
    fn what_closes_again_is_steady_however_much_it_is() {
        let mut trend = Trend::default();
        for second in 0..1200 {
            (0..50).for_each(|_| trend.rise(at(second)));
            (0..50).for_each(|_| trend.fall(at(second)));
            if second >= 60 {
                assert_eq!(trend.state(at(second)), State::Steady, "{second}");
            }
        }
    }

    #[test]
    fn a_leak_beside_connections_that_close_grows() {
        let mut trend = Trend::default();
        for second in 0..600 {
            (0..2).for_each(|_| trend.rise(at(second)));
            trend.fall(at(second));
        }
        assert_eq!(trend.state(at(600)), State::Growing);
    }

    #[test]
    fn what_closes_drains_until_it_has_and_even_if_it_is_new() {
        let mut trend = Trend::default();
        trend.begin(at(0));
        for second in 10..30 {
            trend.fall(at(second));
        }
        assert_eq!(trend.state(at(30)), State::Draining);
        assert_eq!(trend.state(at(30 + 240)), State::Steady);
    }

    proptest! {
        #[test]
        fn any_history_has_a_state(events in proptest::collection::vec((0..u64::MAX / 2, any::<bool>()), 0..64), now in any::<u64>()) {
            let mut trend = Trend::default();
            for (at, rises) in events {
                if rises { trend.rise(Time(at)) } else { trend.fall(Time(at)) }
            }
            prop_assert!(trend.net.is_finite() && trend.all.is_finite() && trend.fresh.is_finite());
            prop_assert!(trend.all >= trend.net.abs() - 1e-9);
            let state = trend.state(Time(now));
            prop_assert!(state == trend.state(Time(now)));
            // What nothing happens to comes to rest.
            let later = trend.at + Duration::from_hours(3);
            prop_assert!(matches!(trend.state(later), State::Steady | State::WarmingUp));
        }
    }
}
