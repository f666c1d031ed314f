//! What many families are made of.

use std::f64::consts::TAU;

use crate::{
    number::small,
    random::Random,
    scene::{Batch, Scene},
    world::{DAY, HOUR, MINUTE, NEVER},
};

/// How often a leaked connection carries data: most are silent, some clients ping whatever they have (keepalive of
/// HTTP/2 or of the application).
pub fn pings(r: &mut Random) -> f64 {
    if r.chance(0.25) {
        r.uniform(15.0, 120.0)
    } else {
        NEVER
    }
}

/// Leaks connections that open at these times.
pub fn leak(r: &mut Random, s: &mut Scene, times: Vec<f64>) {
    let every = pings(r);
    s.open(times).leak().every(every);
}

/// Leaks connections one by one, so many in an hour, from a moment on.
pub fn leak_hourly(r: &mut Random, s: &mut Scene, (low, high): (f64, f64), from: f64) {
    let rate = r.log_uniform(low, high) / 3600.0;
    let times = r.arrivals(rate, from, s.horizon());
    leak(r, s, times);
}

/// Short connections beside: their rate per second, and the bounds of their median life.
pub fn beside(r: &mut Random, s: &mut Scene, (low, high): (f64, f64), (shortest, longest): (f64, f64)) {
    let rate = r.log_uniform(low, high);
    let median = r.log_uniform(shortest, longest);
    let times = r.arrivals(rate, 0.0, s.horizon());
    s.open(times).live(|| r.lognormal(median, 1.0));
}

/// The rate of something that follows the time of day.
pub fn daily(base: f64, swing: f64, phase: f64) -> impl Fn(f64) -> f64 {
    move |at| base * (1.0 + swing * (TAU * (at / DAY) + phase).sin())
}

/// Arrivals that follow the time of day, which is any at the start.
pub fn daily_arrivals(r: &mut Random, s: &Scene, base: f64, swing: f64) -> Vec<f64> {
    let phase = r.uniform(0.0, TAU);
    r.arrivals_varying(
        base * (1.0 + swing),
        0.0,
        s.horizon(),
        daily(1.0 / (1.0 + swing), swing, phase),
    )
}

/// A pool that replaces each connection at a maximum lifetime.
pub struct Pool {
    /// Its size.
    pub size: usize,
    /// The lifetime.
    pub lifetime: f64,
    /// How long it takes to fill at first.
    pub warmup: f64,
    /// How often a connection is used.
    pub every: f64,
}

impl Pool {
    /// With any warm-up and use.
    pub fn any(r: &mut Random, size: usize, lifetime: f64) -> Self {
        Self {
            every: r.log_uniform(5.0, 900.0),
            warmup: r.log_uniform(2.0, 10.0 * MINUTE),
            size,
            lifetime,
        }
    }

    /// Runs to the end.
    pub fn run(&self, r: &mut Random, s: &mut Scene) {
        for _ in 0..self.size {
            let mut at = r.uniform(0.0, self.warmup);
            while at < s.horizon() {
                let life = self.lifetime * r.uniform(0.95, 1.0);
                s.open([at]).live(|| life).every(self.every);
                at += life + r.uniform(0.05, 5.0);
            }
        }
    }
}

/// From when to when.
pub type Span = (f64, f64);

/// Connections that open and close at these times.
pub fn hold<'a>(s: &'a mut Scene, spans: &[Span]) -> Batch<'a> {
    let mut ends = spans.iter().map(|(_, end)| *end);
    s.open(spans.iter().map(|(start, _)| *start))
        .close(|_| ends.next().unwrap_or(NEVER))
}

/// A connection that is replaced whenever it ends, after a pause of this mean.
pub fn chain(
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
pub fn requests(
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
pub fn now_and_then(r: &mut Random, (low, high): (f64, f64), (from, to): Span) -> Vec<f64> {
    let mean = r.log_uniform(low, high) * HOUR;
    r.arrivals(1.0 / mean, from, to)
}

/// A limit that people have, and that is above what is needed: that of Linux by default, or one that somebody raised.
pub fn limit_above(r: &mut Random, most: usize) -> u32 {
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
pub fn begins(r: &mut Random, s: &mut Scene) -> f64 {
    if r.chance(0.5) {
        return -r.uniform(0.05, 0.95) * DAY;
    }
    let at = r.uniform(0.0, 0.5 * HOUR);
    s.lives(vec![(0.0, at), (at, NEVER)]);
    at
}

/// The same for one that leaks so many per second at most: before the tracer comes it uses up a third of its limit at
/// most, which this sets.
pub fn begins_to_leak(r: &mut Random, s: &mut Scene, limit: u32, rate: f64) -> f64 {
    s.limit(limit);
    begins(r, s).max(-f64::from(limit) / 3.0 / rate)
}

/// Parts what happens into what is forgotten, which is this share from a moment on, and what ends well.
pub fn forget(r: &mut Random, times: Vec<f64>, from: f64, share: f64) -> (Vec<f64>, Vec<f64>) {
    times.into_iter().partition(|at| *at >= from && r.chance(share))
}

#[cfg(test)]
mod tests {
    use super::*;

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
