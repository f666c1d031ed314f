//! Large groups under a large limit (P of the prototype).

use std::f64::consts::TAU;

use super::{
    Family,
    parts::{beside, daily, leak_hourly},
};
use crate::{
    number::whole,
    random::Random,
    scene::Scene,
    world::{HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "P_H_big_proxy",
        14.0,
        big_proxy,
        "a proxy with thousands of long connections to one upstream",
    )
    .held_out(),
    Family::healthy(
        "P_H_big_static",
        20.0,
        big_static,
        "thousands of older connections, and a pool beside them that warms up",
    )
    .held_out(),
    Family::healthy(
        "P_H_big_bursts",
        24.0,
        big_bursts,
        "thousands of older connections, and jobs beside them",
    )
    .held_out(),
    Family::leak(
        "P_L_big_leak",
        24.0,
        big_leak,
        "5 to 300 an hour beside thousands of older connections",
    )
    .held_out(),
];

const LIMIT: u32 = 65_536;

fn big_proxy(r: &mut Random, s: &mut Scene) {
    let (size, life) = (
        r.log_uniform(900.0, 2500.0),
        r.log_uniform(40.0 * MINUTE, 2.0 * HOUR),
    );
    let (phase, swing, rate) = (r.uniform(0.0, TAU), r.uniform(0.05, 0.3), size / life);
    // What is left of an exponential lifetime is as long as a new one.
    s.older(whole(size))
        .close(|_| 1.0 + r.exponential(life))
        .every(30.0);
    let every = r.uniform(1.0, 60.0);
    let times = r.arrivals_varying(
        rate * (1.0 + swing),
        0.0,
        s.horizon(),
        daily(1.0 / (1.0 + swing), swing, phase),
    );
    s.open(times).live(|| r.exponential(life)).every(every);
    s.limit(LIMIT);
}

fn big_static(r: &mut Random, s: &mut Scene) {
    s.older(r.integer(1000, 4000)).every(60.0);
    let (size, from) = (r.integer(10, 80), r.uniform(0.0, 2.0 * HOUR));
    let span = r.log_uniform(2.0 * MINUTE, HOUR);
    let every = r.log_uniform(5.0, 600.0);
    s.open(r.moments(size, from, from + span)).every(every);
    beside(r, s, (0.01, 0.1), (1.0, 600.0));
    s.limit(LIMIT);
}

fn big_bursts(r: &mut Random, s: &mut Scene) {
    s.older(r.integer(1000, 4000)).every(60.0);
    let mut start = r.uniform(0.0, HOUR);
    while start < s.horizon() {
        let count = r.integer(10, 60);
        let (ramp, hold) = (
            r.log_uniform(MINUTE, 30.0 * MINUTE),
            r.log_uniform(5.0 * MINUTE, 3.0 * HOUR),
        );
        s.open(r.moments(count, start, start + ramp))
            .close(|_| start + ramp + hold + r.uniform(0.0, 30.0))
            .every(5.0);
        start += ramp + hold + r.log_uniform(5.0 * MINUTE, 3.0 * HOUR);
    }
    s.limit(LIMIT);
}

fn big_leak(r: &mut Random, s: &mut Scene) {
    s.older(r.integer(1000, 4000)).every(60.0);
    beside(r, s, (0.01, 0.2), (1.0, 300.0));
    let from = r.uniform(0.0, 3.0 * HOUR);
    leak_hourly(r, s, (5.0, 300.0), from);
    s.limit(LIMIT);
}
