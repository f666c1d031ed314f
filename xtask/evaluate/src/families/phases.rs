//! Connections that are not simply open: dead, half closed, unanswered.

use super::{
    Family,
    parts::{beside, daily_arrivals},
};
use crate::{
    random::Random,
    scene::Scene,
    world::{HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "L_dead_held",
        36.0,
        dead_held,
        "a client does not close what was reset",
    ),
    Family::leak(
        "L_dead_held_server",
        36.0,
        dead_held_server,
        "a server does not close what was reset or timed out",
    )
    .held_out(),
    Family::leak(
        "L_black_hole",
        24.0,
        black_hole,
        "attempts that nobody answers are never closed",
    )
    .held_out(),
    Family::leak(
        "L_close_wait_client",
        36.0,
        close_wait_client,
        "a client's pool forgets what its server has closed",
    )
    .held_out(),
    Family::healthy(
        "H_black_hole_retry",
        24.0,
        black_hole_retry,
        "attempts that nobody answers, given up after seconds to minutes",
    )
    .held_out(),
    Family::healthy(
        "H_close_wait_seconds",
        24.0,
        close_wait_seconds,
        "a server that closes seconds to a minute after its clients",
    ),
    Family::healthy(
        "H_half_close_proxy",
        36.0,
        half_close_proxy,
        "a proxy most of whose connections are half closed for minutes",
    )
    .held_out(),
    Family::healthy(
        "H_resets",
        24.0,
        resets,
        "connections that are reset, and closed a little later",
    ),
];

fn dead_held(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(3.0, 200.0) / HOUR;
    let (from, median) = (r.uniform(0.0, 4.0 * HOUR), r.log_uniform(5.0, 30.0 * MINUTE));
    s.open(r.arrivals(rate, from, s.horizon()))
        .leak()
        .every(20.0)
        .are_reset(|| r.lognormal(median, 1.0));
    beside(r, s, (0.01, 0.2), (0.5, 30.0));
}

fn dead_held_server(r: &mut Random, s: &mut Scene) {
    let (rate, share) = (r.log_uniform(0.01, 0.2), r.log_uniform(0.02, 0.5));
    let median = r.log_uniform(1.0, 10.0 * MINUTE);
    let times = r.arrivals(rate, 0.0, s.horizon());
    let (dead, closed): (Vec<f64>, Vec<f64>) = times.into_iter().partition(|_| r.chance(share));
    s.open(closed).live(|| r.lognormal(median, 1.0)).every(15.0);
    s.open(dead)
        .leak()
        .every(15.0)
        .are_reset(|| r.lognormal(median, 1.0));
    s.inbound();
}

fn black_hole(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(20.0, 600.0) / HOUR;
    let from = r.uniform(0.0, 2.0 * HOUR);
    s.open(r.arrivals(rate, from, s.horizon()))
        .leak()
        .unanswered()
        .with(|| 1);
    beside(r, s, (0.01, 0.2), (0.5, 30.0));
}

fn close_wait_client(r: &mut Random, s: &mut Scene) {
    let (rate, timeout) = (
        r.log_uniform(4.0, 100.0) / HOUR,
        r.log_uniform(MINUTE, 2.0 * HOUR),
    );
    let from = r.uniform(0.0, 4.0 * HOUR);
    s.open(r.arrivals(rate, from, s.horizon()))
        .leak()
        .peer_closes(|| timeout);
    let (size, every) = (r.integer(2, 40), r.log_uniform(1.0, 60.0));
    s.open(r.moments(size, 0.0, 5.0 * MINUTE)).every(every);
    beside(r, s, (0.005, 0.1), (0.5, 60.0));
}

fn black_hole_retry(r: &mut Random, s: &mut Scene) {
    let period = r.log_uniform(3.0, 60.0);
    // More under way at a time would be worth a word.
    let patience = (period * r.uniform(0.2, 8.0)).min(127.0);
    let mut from = r.uniform(0.0, 2.0 * HOUR);
    while from < s.horizon() {
        let to = from + r.log_uniform(5.0 * MINUTE, 3.0 * HOUR);
        let attempts = r.beats(period, 0.2, to - from);
        s.open(attempts.into_iter().map(|at| from + at))
            .unanswered()
            .live(|| patience)
            .with(|| 1);
        from = to + r.log_uniform(30.0 * MINUTE, 6.0 * HOUR);
    }
    beside(r, s, (0.01, 0.2), (0.5, 30.0));
}

fn close_wait_seconds(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.02, 0.8);
    let (open, slow) = (r.log_uniform(0.1, 60.0), r.log_uniform(0.5, MINUTE));
    let times = daily_arrivals(r, s, rate, 0.6);
    for at in times {
        let before = r.lognormal(open, 0.8);
        let after = r.exponential(slow);
        s.open([at]).live(|| before + after).peer_closes(|| before);
    }
    s.inbound();
}

fn half_close_proxy(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.01, 0.2);
    let (before, after) = (r.log_uniform(0.1, 10.0), r.log_uniform(MINUTE, 15.0 * MINUTE));
    let times = daily_arrivals(r, s, rate, 0.7);
    for at in times {
        let (half, rest) = (r.lognormal(before, 0.8), r.lognormal(after, 0.7));
        s.open([at])
            .live(|| half + rest)
            .peer_closes(|| half)
            .used(|| half + rest);
    }
    s.inbound();
}

fn resets(r: &mut Random, s: &mut Scene) {
    let (rate, median) = (r.log_uniform(0.01, 0.3), r.log_uniform(1.0, 10.0 * MINUTE));
    let slow = r.log_uniform(0.05, 2.0 * MINUTE);
    for at in r.arrivals(rate, 0.0, s.horizon()) {
        let before = r.lognormal(median, 0.8);
        let after = r.exponential(slow);
        s.open([at])
            .live(|| before + after)
            .are_reset(|| before)
            .every(10.0);
    }
}
