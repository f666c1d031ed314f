//! Leaks of the prototype's first held-out set (X).

use super::{
    Family,
    parts::{Pool, beside, leak, leak_hourly, pings},
};
use crate::{
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "X_retry_storm",
        30.0,
        retry_storm,
        "each attempt of a retry with back-off leaks its socket",
    )
    .hostile(),
    Family::leak(
        "X_accelerating",
        36.0,
        accelerating,
        "a leak that gets ever faster",
    )
    .hostile(),
    Family::leak("X_hourly_cron", 72.0, hourly_cron, "1 to 3 on the hour").hostile(),
    Family::leak(
        "X_masked_by_pool",
        48.0,
        masked_by_pool,
        "3 to 40 an hour beside hundreds of older connections, a pool, and churn",
    )
    .hostile(),
    Family::leak(
        "X_peer_idle_timeout",
        48.0,
        peer_idle_timeout,
        "the peer closes what leaked after its idle timeout",
    )
    .hostile(),
    Family::leak(
        "X_timeout_path",
        60.0,
        timeout_path,
        "only requests that time out leak, in incidents of minutes to hours",
    )
    .hostile(),
    Family::leak(
        "X_server_estab_leak",
        24.0,
        server_estab_leak,
        "a server whose client opens and never closes",
    )
    .hostile(),
];

fn retry_storm(r: &mut Random, s: &mut Scene) {
    let onset = r.uniform(2.0 * HOUR, 12.0 * HOUR);
    let every = pings(r);
    let mut at = onset;
    while at < s.horizon() {
        let mut delay: f64 = 1.0;
        for _ in 0..r.integer(4, 10) {
            s.open([at]).leak().every(every);
            at += delay * r.uniform(0.8, 1.2);
            delay = (delay * 2.0).min(300.0);
        }
        at += r.log_uniform(30.0, 40.0 * MINUTE);
    }
    beside(r, s, (0.02, 0.2), (1.0, 1.0));
    s.onset(onset);
}

fn accelerating(r: &mut Random, s: &mut Scene) {
    const COUNT: usize = 1100;
    let (span, power) = (r.log_uniform(2.0 * HOUR, 16.0 * HOUR), r.uniform(1.5, 3.0));
    let times = (1..=COUNT)
        .map(|number| {
            let exact = span * (real(number) / real(COUNT)).powf(1.0 / power);
            (exact + r.normal(0.0, 5.0)).max(1.0)
        })
        .collect();
    leak(r, s, times);
    beside(r, s, (0.02, 0.2), (2.0, 2.0));
}

fn hourly_cron(r: &mut Random, s: &mut Scene) {
    let (each, first, every) = (r.integer(1, 3), r.uniform(0.0, HOUR), pings(r));
    for hour in 0..whole(s.horizon() / HOUR) {
        let at = first + HOUR * real(hour);
        s.open(r.moments(each, at, at + 2.0)).leak().every(every);
    }
    beside(r, s, (0.005, 0.05), (1.0, 300.0));
}

fn masked_by_pool(r: &mut Random, s: &mut Scene) {
    let every = r.log_uniform(5.0, 600.0);
    s.older(r.integer(100, 400)).every(every);
    let (size, lifetime) = (r.integer(20, 80), r.log_uniform(10.0 * MINUTE, 45.0 * MINUTE));
    Pool::any(r, size, lifetime).run(r, s);
    beside(r, s, (0.05, 0.3), (1.0, 60.0));
    let from = r.uniform(0.0, 10.0 * HOUR);
    leak_hourly(r, s, (3.0, 40.0), from);
}

fn peer_idle_timeout(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(2.0, 60.0) / HOUR;
    let from = r.uniform(0.0, 4.0 * HOUR);
    let timeout = r.log_uniform(10.0 * MINUTE, 4.0 * HOUR);
    s.open(r.arrivals(rate, from, s.horizon()))
        .leak()
        .peer_closes(|| timeout);
    beside(r, s, (0.01, 0.1), (2.0, 2.0));
}

fn timeout_path(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.05, 0.4);
    let median = r.log_uniform(0.2, 20.0);
    let mut incidents = Vec::new();
    let mut start = r.uniform(HOUR, 6.0 * HOUR);
    while start < s.horizon() {
        let end = start + r.log_uniform(5.0 * MINUTE, 4.0 * HOUR);
        incidents.push((start, end));
        start = end + r.log_uniform(HOUR, 12.0 * HOUR);
    }
    let times = r.arrivals(rate, 0.0, s.horizon());
    let (bad, good): (Vec<f64>, Vec<f64>) = times.into_iter().partition(|at| {
        let is_incident = incidents.iter().any(|(from, to)| (*from..*to).contains(at));
        is_incident && r.chance(0.15)
    });
    s.open(good).live(|| r.lognormal(median, 1.0));
    leak(r, s, bad);
}

fn server_estab_leak(r: &mut Random, s: &mut Scene) {
    let (period, each) = (r.log_uniform(5.0, 300.0), r.integer(1, 3));
    let loops = r.beats(period, 0.3, s.horizon());
    let every = pings(r);
    for channel in 0..each {
        let delay = 0.1 * real(channel);
        s.open(loops.iter().map(|at| at + delay)).leak().every(every);
    }
    s.inbound();
}
