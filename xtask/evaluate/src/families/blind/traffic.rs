//! Programs that talk to whoever there is.

use super::{
    Calendar, begins,
    keep_alive::{KeepAlive, keep, popular},
    limit_above, requests,
};
use crate::{
    families::Family,
    number::whole,
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "B_H_proxy",
        60.0,
        proxy,
        "an office's tunnels through a proxy, with a heavy tail",
    ),
    Family::healthy(
        "B_H_swarm",
        36.0,
        swarm,
        "peers of a swarm, up to the most that are wanted",
    ),
    Family::healthy(
        "B_H_functions",
        48.0,
        functions,
        "functions that each hold a connection until their instance is retired",
    ),
];

/// Squid: CONNECT tunnels live as long as both sides want, a day at most (`client_lifetime`); 15 min of silence end
/// them (`read_timeout`). Pages take a second, web applications all day.
fn proxy(r: &mut Random, s: &mut Scene) {
    const SILENCE: f64 = 15.0 * MINUTE;
    let calendar = Calendar::any(r);
    let (most, hosts) = (r.log_uniform(0.02, 0.5), r.integer(100, 10_000));
    let (least, exponent) = (r.log_uniform(1.0, 20.0), r.uniform(0.6, 1.4));
    let times = r.arrivals_varying(most, -0.3 * DAY, s.horizon(), |at| {
        0.05 + 0.95 * calendar.office(at)
    });
    for at in times {
        let host = popular(r.uniform(0.0, 1.0), hosts);
        let used = r.pareto(least, exponent).min(DAY - SILENCE);
        let batch = s.open([at]).with(|| host);
        if used > HOUR {
            batch.live(|| used).every(45.0);
        } else if r.chance(0.3) {
            batch.live(|| used + SILENCE).used(|| used);
        } else {
            batch.live(|| used).used(|| used);
        }
    }
    s.limit(limit_above(r, 400));
}

/// libtorrent: 200 connections, Transmission: 200 in all and 50 per torrent; keepalive every 2 min, who is silent for
/// 2 to 4 min is dropped. Seeds find peers slowly. Torrents come one after the other, until the limit holds.
fn swarm(r: &mut Random, s: &mut Scene) {
    let (cap, horizon) = (r.pick(&[50, 100, 200, 200, 500, 800]), s.horizon());
    let (attempts, stay) = (r.log_uniform(0.003, 0.2), r.log_uniform(3.0 * MINUTE, 8.0 * HOUR));
    let growth = r.log_uniform(0.1, 30.0) * HOUR;
    let mut ends: Vec<f64> = Vec::new();
    let from = begins(r, s);
    let times = r.arrivals_varying(attempts, from, horizon, |at| ((at - from) / growth).min(1.0));
    for (address, at) in times.into_iter().enumerate() {
        ends.retain(|end| *end > at);
        if ends.len() >= cap {
            continue;
        }
        if r.chance(0.4) {
            // Nobody there.
            s.open([at]).unanswered().live(|| 20.0).with(|| address);
            continue;
        }
        let lasts = r.lognormal(stay, 1.5).clamp(1.0, 4.0 * DAY);
        ends.push(at + lasts);
        s.open([at]).live(|| lasts).every(120.0).with(|| address);
    }
    // The tracker.
    s.open([from]).every(1800.0).with(|| 200_000);
    s.limit(limit_above(r, cap));
}

/// Functions at a database: each instance has a connection, is frozen between calls, and is retired 5 to 15 min after
/// the last, or after some hours at the latest; its socket is reset or noticed by keepalive (Azure, AWS: seconds to
/// minutes). Concurrency follows the day and has peaks.
fn functions(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::any(r);
    let (rate, horizon) = (r.log_uniform(0.02, 0.8), s.horizon());
    let median = r.log_uniform(5.0, 300.0);
    let served = requests(r, (-HOUR, horizon), rate, (median, 1.0), |at| {
        0.05 + 0.95 * calendar.office(at)
    });
    let pool = KeepAlive {
        most: 1000,
        idle: r.uniform(5.0, 15.0) * MINUTE,
        life: r.uniform(2.0, 8.0) * HOUR,
        newest: r.chance(0.5),
        ..KeepAlive::ANY
    };
    let reset = r.pick(&[0.0, 0.0, 60.0, 350.0]);
    for mut one in pool.serve(&served) {
        one.closed += reset;
        keep(s, &[one], 0, 0);
    }
    s.open([-HOUR]).every(60.0).with(|| 1);
    s.inbound();
    s.limit(limit_above(r, whole(4.0 * rate * median) + 50));
}
