//! What many families are made of.

use std::f64::consts::TAU;

use crate::{
    random::Random,
    scene::Scene,
    world::{DAY, MINUTE, NEVER},
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
    r.arrivals_varying(base * (1.0 + swing), 0.0, s.horizon(), daily(base, swing, phase))
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
