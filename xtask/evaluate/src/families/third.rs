//! Families by a third person who had not read the detector: incidents of public issue trackers, and what worries the
//! people on call for nothing.

mod clients;
mod failures;
mod fleets;
mod listeners;
mod pools;
mod releases;
mod rollouts;
mod works;

use std::f64::consts::TAU;

use super::{
    Family,
    parts::{Span, begins_to_leak, daily, forget, hold, limit_above},
};
use crate::{
    number::whole,
    random::Random,
    scene::{Batch, Scene},
    world::HOUR,
};

/// All of them.
pub(super) fn families() -> Vec<Family> {
    [
        failures::FAMILIES,
        listeners::FAMILIES,
        clients::FAMILIES,
        releases::FAMILIES,
        pools::FAMILIES,
        rollouts::FAMILIES,
        fleets::FAMILIES,
        works::FAMILIES,
    ]
    .concat()
    .into_iter()
    .map(Family::seen)
    .collect()
}

/// A leak that uses up a limit in so many hours: its rate, and from when on there is one.
pub(super) fn fills(r: &mut Random, s: &mut Scene, limit: u32, (low, high): (f64, f64)) -> (f64, f64) {
    let rate = f64::from(limit) / (r.log_uniform(low, high) * HOUR);
    (rate, begins_to_leak(r, s, limit, rate))
}

/// The same for what leaks day and night: the world ends some time after the limit is reached.
pub(super) fn fills_evenly(r: &mut Random, s: &mut Scene, limit: u32, hours: (f64, f64)) -> (f64, f64) {
    let (rate, from) = fills(r, s, limit, hours);
    s.lasts(s.horizon().min(from + 4.0 * f64::from(limit) / rate));
    (rate, from)
}

/// More than may be forgotten at a limit.
pub(super) fn plenty(limit: u32) -> usize {
    whole(1.2 * f64::from(limit))
}

/// Arrivals of at most so many per second, of which there are this share at a moment.
pub(super) fn busy(r: &mut Random, most: f64, (from, to): Span, share: impl Fn(f64) -> f64) -> Vec<f64> {
    r.arrivals_varying(most, from, to, share)
}

/// How much of the most there is when it follows the time of day.
pub(super) fn tide(r: &mut Random, (low, high): (f64, f64)) -> impl Fn(f64) -> f64 + use<> {
    let swing = r.uniform(low, high);
    daily(1.0 / (1.0 + swing), swing, r.uniform(0.0, TAU))
}

/// Parts what happens into what is forgotten and what ends well, until plenty is forgotten.
pub(super) fn forget_plenty(r: &mut Random, times: Vec<f64>, share: f64, limit: u32) -> (Vec<f64>, Vec<f64>) {
    let (mut forgotten, mut well) = forget(r, times, f64::NEG_INFINITY, share);
    if let Some(end) = forgotten.get(plenty(limit)).copied() {
        forgotten.retain(|at| *at < end);
        well.retain(|at| *at < end);
    }
    (forgotten, well)
}

/// The most of these at a moment.
pub(super) fn peak(spans: &[Span]) -> usize {
    let mut ends: Vec<f64> = spans.iter().map(|(_, end)| *end).collect();
    let mut starts: Vec<f64> = spans.iter().map(|(start, _)| *start).collect();
    ends.sort_by(f64::total_cmp);
    starts.sort_by(f64::total_cmp);
    let mut ended = 0;
    let open = starts.iter().enumerate().map(|(begun, start)| {
        while ends.get(ended).is_some_and(|end| end <= start) {
            ended += 1;
        }
        begun + 1 - ended
    });
    open.max().unwrap_or_default()
}

/// Holds connections, far from a limit that people have.
fn hold_within<'a>(r: &mut Random, s: &'a mut Scene, spans: &[Span]) -> Batch<'a> {
    s.limit(limit_above(r, peak(spans)));
    hold(s, spans)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::number::small;

    const SEEDS: u64 = 5;

    #[test]
    fn the_peak_is_the_most_at_once() {
        assert_eq!(peak(&[]), 0);
        assert_eq!(peak(&[(0.0, 2.0), (1.0, 4.0), (3.0, 5.0), (3.5, 6.0)]), 3);
        assert_eq!(peak(&[(1.0, f64::INFINITY), (0.0, 1.0)]), 1);
    }

    /// Also of the seeds that the tests of all families do not reach.
    #[test]
    fn leaks_use_up_their_limits_and_the_healthy_do_not() {
        use_up_their_limits_if_they_leak(families());
    }

    pub(in super::super) fn use_up_their_limits_if_they_leak(families: Vec<Family>) {
        for family in families {
            for seed in 0..SEEDS {
                let world = family.world(seed);
                let spans: Vec<Span> = world
                    .connections
                    .iter()
                    .map(|one| (one.opened, one.closed))
                    .collect();
                let limit = world.processes.iter().map(|process| process.limit).max();
                let name = format!("{} {seed}", family.name);
                assert_eq!(world.exhausted.is_finite(), family.leaks, "{name}");
                assert!(family.leaks || small(peak(&spans)) < limit.unwrap(), "{name}");
                assert!(spans.len() < 120_000, "{name}: {}", spans.len());
                assert!(
                    world.connections.iter().filter(|one| one.leaks).count() >= 5 || !family.leaks,
                    "{name}"
                );
            }
        }
    }
}
