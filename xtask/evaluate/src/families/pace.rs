//! Leaks of the speeds that people met: the demo's, the founding incident's, many in a second, one an hour.

use super::{
    Family,
    parts::{beside, leak, leak_hourly, pings},
};
use crate::{
    number::real,
    random::Random,
    scene::Scene,
    world::{HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "L_demo",
        0.05,
        demo,
        "3 a second at a server with 64 descriptors; to be found in 30 s",
    ),
    Family::leak(
        "L_founding",
        24.0,
        founding,
        "the controller of the founding incident: 3 every 30 s; to be found in an hour",
    ),
    Family::leak(
        "L_founding_server",
        24.0,
        founding_server,
        "the server of the founding incident",
    )
    .held_out(),
    Family::leak(
        "L_torrent",
        2.0,
        torrent,
        "uses up limits of 64 to 4096 in 1 to 20 min",
    ),
    Family::leak(
        "L_one_an_hour",
        96.0,
        one_an_hour,
        "one an hour; to be found in a day and a half",
    ),
    Family::leak(
        "L_one_an_hour_busy",
        96.0,
        one_an_hour_busy,
        "one an hour beside a pool and clients that stay for minutes",
    )
    .held_out(),
    Family::leak(
        "L_rolling_restarts",
        48.0,
        rolling_restarts,
        "restarted every 1 to 4 hours, and leaking in each life",
    ),
];

fn demo(r: &mut Random, s: &mut Scene) {
    let onset = r.uniform(2.0, 8.0);
    let loops = (0..60).map(|number| onset + f64::from(number));
    for channel in 0..3 {
        let delay = 0.01 * f64::from(channel);
        s.open(loops.clone().map(|at| at + delay)).leak();
    }
    s.open((0..60).map(|number| 0.4 + 2.0 * f64::from(number)))
        .live(|| r.uniform(0.01, 0.1));
    s.inbound();
    s.limit(64);
    s.target(30.0);
}

/// Three every 30 s.
fn loops(r: &mut Random, s: &mut Scene) {
    let onset = r.uniform(0.0, 2.0 * HOUR);
    let every = pings(r);
    let loops = r.beats(30.0, 0.03, s.horizon());
    for channel in 0..3 {
        let delay = onset + 0.05 * f64::from(channel);
        s.open(loops.iter().map(|at| at + delay)).leak().every(every);
    }
    s.target(HOUR);
    s.wish(20.0 * MINUTE);
}

fn founding(r: &mut Random, s: &mut Scene) {
    loops(r, s);
    if r.chance(0.5) {
        beside(r, s, (0.005, 0.1), (0.1, 5.0));
    }
}

fn founding_server(r: &mut Random, s: &mut Scene) {
    loops(r, s);
    s.inbound();
    // Other clients, from their own addresses.
    let (clients, every) = (r.integer(1, 40), r.uniform(5.0, 60.0));
    s.older(clients).every(every).with(|| r.integer(1, 10));
    let rate = r.log_uniform(0.01, 0.2);
    s.open(r.arrivals(rate, 0.0, s.horizon()))
        .live(|| r.lognormal(1.0, 1.0))
        .with(|| r.integer(1, 10));
}

fn torrent(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[64, 256, 1024, 4096]);
    let span = r.log_uniform(MINUTE, 20.0 * MINUTE);
    let onset = r.uniform(0.0, HOUR);
    s.limit(limit);
    let times = r.arrivals(f64::from(limit) / span, onset, onset + 1.5 * span);
    leak(r, s, times);
    beside(r, s, (0.02, 0.5), (0.5, 5.0));
    s.onset(onset);
    if r.chance(0.5) {
        s.inbound();
    }
}

fn hourly(r: &mut Random, s: &mut Scene) {
    let first = r.uniform(0.0, HOUR);
    let every = pings(r);
    let times = r.beats(HOUR, 0.1, s.horizon() - 2.0 * HOUR);
    s.open(times.into_iter().map(|at| first + at)).leak().every(every);
    s.target(36.0 * HOUR);
}

fn one_an_hour(r: &mut Random, s: &mut Scene) {
    hourly(r, s);
    beside(r, s, (0.001, 0.03), (0.1, 20.0));
}

fn one_an_hour_busy(r: &mut Random, s: &mut Scene) {
    hourly(r, s);
    let (size, every) = (r.integer(5, 40), r.log_uniform(5.0, 300.0));
    s.older(size).every(every);
    beside(r, s, (0.002, 0.02), (MINUTE, 10.0 * MINUTE));
}

fn rolling_restarts(r: &mut Random, s: &mut Scene) {
    let period = r.log_uniform(HOUR, 4.0 * HOUR);
    let count = crate::number::whole(s.horizon() / period) + 2;
    let lives = (0..count).map(|life| (period * real(life), period * real(life + 1)));
    s.lives(lives.collect());
    leak_hourly(r, s, (15.0, 150.0), 0.0);
    beside(r, s, (0.01, 0.1), (1.0, 10.0));
}
