//! Families by a fourth person who had not read the detector: the post-mortems that everybody has read, and what runs
//! in production every day.

mod brokers;
mod clients;
mod crowds;
mod listeners;
mod pools;
mod releases;
mod rollouts;
mod servers;
mod stores;
mod timers;
mod works;

use super::{
    Family,
    keep_alive::{KeepAlive, Kept, keep},
    parts::{Span, chain, hold, limit_above},
    third::peak,
};
use crate::{
    random::Random,
    scene::{Batch, Scene},
    world::{MINUTE, NEVER},
};

/// The number of the first peer of what is beside.
const OTHERS: usize = 200_000;
/// What is beside has fewer connections.
const COMPANY: usize = 64;

/// All of them.
pub(super) fn families() -> Vec<Family> {
    [
        clients::FAMILIES,
        stores::FAMILIES,
        listeners::FAMILIES,
        brokers::FAMILIES,
        releases::FAMILIES,
        servers::FAMILIES,
        crowds::FAMILIES,
        pools::FAMILIES,
        rollouts::FAMILIES,
        timers::FAMILIES,
        works::FAMILIES,
    ]
    .concat()
    .into_iter()
    .map(Family::seen)
    .collect()
}

/// What a service of some size is connected to besides: a database by a pool of half an hour's lifetime, another
/// service by a client that keeps idle connections for a minute or so, and something that it listens to.
fn company(r: &mut Random, s: &mut Scene, from: f64) {
    let horizon = s.horizon();
    if r.chance(0.7) {
        let (size, every) = (r.integer(2, 20), r.log_uniform(1.0, 300.0));
        for _ in 0..size {
            let joins = from + r.uniform(0.5, 5.0);
            let spans = chain(r, (joins, horizon), 0.05, |r| {
                30.0 * MINUTE * r.uniform(0.95, 1.0)
            });
            lasting(s, spans).every(every).with(|| OTHERS);
        }
    }
    if r.chance(0.7) {
        let rate = r.log_uniform(0.002, 0.1).min(8000.0 / horizon);
        let median = r.log_uniform(0.02, 2.0);
        let requests: Vec<Span> = r
            .arrivals(rate, from, horizon)
            .into_iter()
            .map(|at| (at, r.lognormal(median, 1.0).min(60.0)))
            .collect();
        let pool = KeepAlive {
            most: 20,
            idle: r.pick(&[30.0, 60.0, 90.0, 300.0]),
            ..KeepAlive::ANY
        };
        keep(s, &pool.serve(&requests), OTHERS + 1, 0);
    }
    let (streams, every) = (r.integer(0, 3), r.pick(&[10.0, 30.0, 60.0]));
    for stream in 0..streams {
        s.open([from + r.uniform(0.2, 3.0)])
            .every(every)
            .with(|| OTHERS + 2 + stream);
    }
}

/// What asks a server whether it is well, and for its metrics.
fn probes(r: &mut Random, s: &mut Scene, from: f64) {
    let horizon = s.horizon();
    for prober in 0..r.integer(0, 2) {
        let (period, takes) = (r.pick(&[30.0, 30.0, 60.0]), r.log_uniform(0.002, 0.1));
        let beats = r.beats(period, 0.02, horizon - from - 1.0);
        s.open(beats.into_iter().map(|at| from + at))
            .live(|| takes * r.uniform(0.8, 2.0))
            .used(|| takes)
            .with(|| OTHERS + prober);
    }
}

/// Connections of these spans; what lasts to the end lasts longer.
fn lasting(s: &mut Scene, mut spans: Vec<Span>) -> Batch<'_> {
    let horizon = s.horizon();
    for (_, end) in &mut spans {
        *end = if *end < horizon { *end } else { NEVER };
    }
    hold(s, &spans)
}

/// The same, with a limit that leaves room for what is beside.
fn lasting_within<'a>(r: &mut Random, s: &'a mut Scene, spans: Vec<Span>) -> Batch<'a> {
    s.limit(limit_above(r, peak(&spans) + COMPANY));
    lasting(s, spans)
}

/// A limit for what pools have kept and for what is beside.
fn room_for(r: &mut Random, s: &mut Scene, kept: &[Kept]) {
    let spans: Vec<Span> = kept.iter().map(|one| (one.opened, one.closed)).collect();
    s.limit(limit_above(r, peak(&spans) + COMPANY));
}

/// At most so many of these times, the last ones, are before the tracer comes: bursts must not use up a limit before
/// anybody looks.
fn few_before(times: &mut Vec<f64>, most: usize) {
    let before = times.partition_point(|at| *at < 0.0);
    times.drain(..before.saturating_sub(most));
}

/// How long each of these takes: its median, the deviation of its logarithm, and the longest.
fn taking(r: &mut Random, times: Vec<f64>, (median, sigma, most): (f64, f64, f64)) -> Vec<Span> {
    let take = |at| (at, r.lognormal(median, sigma).min(most));
    times.into_iter().map(take).collect()
}

#[cfg(test)]
mod tests {
    use crate::families::third::tests::use_up_their_limits_if_they_leak;

    #[test]
    fn leaks_use_up_their_limits_and_the_healthy_do_not() {
        use_up_their_limits_if_they_leak(super::families());
    }
}
