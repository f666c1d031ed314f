//! Leaks that were used for tuning.

use super::{
    Family,
    parts::{self, Pool, beside, leak, leak_hourly, pings},
};
use crate::{
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "L_reconcile_grpc",
        24.0,
        reconcile_grpc,
        "a controller opens 1 to 4 channels per loop and keeps them",
    ),
    Family::leak(
        "L_slow",
        72.0,
        slow,
        "0.5 to 3 an hour, beside short connections that close",
    ),
    Family::leak(
        "L_partial_1pct",
        12.0,
        partial,
        "about 1 % of many short connections is forgotten",
    ),
    Family::leak(
        "L_close_wait_server",
        24.0,
        close_wait_server,
        "a server does not close what its clients closed",
    ),
    Family::leak(
        "L_finalizer",
        24.0,
        finalizer,
        "dropped, and closed by a garbage collector hours later",
    ),
    Family::leak(
        "L_restarts",
        48.0,
        restarts,
        "a leaking process that is restarted every 4 to 14 hours",
    ),
    Family::leak(
        "L_onset_late",
        36.0,
        onset_late,
        "the leak begins after hours of health",
    ),
    Family::leak(
        "L_error_bursts",
        60.0,
        error_bursts,
        "each burst of errors leaves some connections open",
    ),
    Family::leak(
        "L_accept_queue",
        6.0,
        accept_queue,
        "a server stops accepting, its queue grows",
    ),
    Family::leak(
        "L_pool_plus_slow",
        72.0,
        pool_plus_slow,
        "1 to 6 an hour beside a pool with a maximum lifetime",
    ),
    Family::leak(
        "L_diurnal_leak",
        60.0,
        diurnal_leak,
        "a share of the traffic of the day is forgotten",
    ),
    Family::leak(
        "L_ws_zombies",
        72.0,
        ws_zombies,
        "websockets whose client has gone are never closed",
    ),
    Family::leak("L_fast", 4.0, fast, "0.5 to 6 a second"),
];

fn reconcile_grpc(r: &mut Random, s: &mut Scene) {
    let period = r.log_uniform(5.0, 120.0);
    let channels = r.integer(1, 4);
    let loops = r.beats(period, 0.2, s.horizon());
    let every = pings(r);
    for channel in 0..channels {
        let delay = 0.05 * crate::number::real(channel);
        s.open(loops.iter().map(|at| at + delay)).leak().every(every);
    }
    if r.chance(0.5) {
        s.older(r.integer(2, 40)).every(10.0);
    }
    if r.chance(0.3) {
        s.inbound();
    }
}

fn slow(r: &mut Random, s: &mut Scene) {
    let from = r.uniform(0.0, HOUR);
    leak_hourly(r, s, (0.5, 3.0), from);
    beside(r, s, (0.002, 0.03), (0.1, 20.0));
}

fn partial(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.2, 1.5);
    let share = r.log_uniform(0.005, 0.02);
    let (median, sigma) = (r.log_uniform(0.5, 30.0), r.uniform(0.5, 1.2));
    let times = r.arrivals(rate, 0.0, s.horizon());
    let (forgotten, closed): (Vec<f64>, Vec<f64>) = times.into_iter().partition(|_| r.chance(share));
    s.open(closed).live(|| r.lognormal(median, sigma));
    leak(r, s, forgotten);
    s.limit(r.pick(&[1024, 4096]));
}

fn close_wait_server(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.005, 0.5);
    let share = r.log_uniform(0.02, 1.0);
    if rate * share * s.horizon() > 6000.0 {
        s.lasts((6000.0 / (rate * share)).max(4.0 * HOUR));
    }
    if rate * s.horizon() > 30_000.0 {
        s.lasts(30_000.0 / rate);
    }
    let median = r.log_uniform(0.2, 60.0);
    let times = r.arrivals(rate, 0.0, s.horizon());
    let (forgotten, closed): (Vec<f64>, Vec<f64>) = times.into_iter().partition(|_| r.chance(share));
    s.open(closed).live(|| r.lognormal(median, 1.0));
    s.open(forgotten).leak().peer_closes(|| r.lognormal(median, 1.0));
    s.inbound();
}

fn finalizer(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.5, 5.0) / MINUTE;
    let period = r.log_uniform(HOUR, 6.0 * HOUR);
    let at_once = r.uniform(0.9, 1.0);
    let times = r.arrivals(rate, 0.0, s.horizon());
    let every = pings(r);
    s.open(times).leak().every(every).close(|opened| {
        let collected = ((opened / period).floor() + 1.0) * period;
        let later = if r.chance(at_once) {
            0.0
        } else {
            period * crate::number::real(r.integer(1, 3))
        };
        collected + later + r.uniform(0.0, 2.0)
    });
    beside(r, s, (0.01, 0.1), (2.0, 2.0));
}

fn restarts(r: &mut Random, s: &mut Scene) {
    let period = r.log_uniform(4.0 * HOUR, 14.0 * HOUR);
    let mut lives = Vec::new();
    let mut start = 0.0;
    while start < s.horizon() {
        let end = start + period * r.uniform(0.8, 1.2);
        lives.push((start, end));
        start = end;
    }
    s.lives(lives);
    leak_hourly(r, s, (12.0, 120.0), 0.0);
    beside(r, s, (0.01, 0.1), (3.0, 3.0));
}

fn onset_late(r: &mut Random, s: &mut Scene) {
    let onset = r.uniform(8.0 * HOUR, 24.0 * HOUR);
    beside(r, s, (0.02, 0.3), (1.0, 120.0));
    let warm = r.integer(2, 30);
    let every = r.uniform(5.0, 300.0);
    s.open(r.moments(warm, 0.0, 120.0)).every(every);
    leak_hourly(r, s, (6.0, 600.0), onset);
    s.onset(onset);
}

fn error_bursts(r: &mut Random, s: &mut Scene) {
    let mean = r.log_uniform(HOUR, 5.0 * HOUR);
    let every = pings(r);
    for burst in r.arrivals(1.0 / mean, 0.0, s.horizon()) {
        let (count, span) = (r.integer(3, 25), r.uniform(20.0, 300.0));
        s.open(r.moments(count, burst, burst + span)).leak().every(every);
    }
    beside(r, s, (0.01, 0.1), (0.3, 30.0));
}

fn accept_queue(r: &mut Random, s: &mut Scene) {
    let onset = r.uniform(0.5 * HOUR, 3.0 * HOUR);
    let rate = r.log_uniform(0.02, 0.5);
    s.open(r.arrivals(rate, 0.0, onset))
        .live(|| r.lognormal(1.0, 1.0));
    let mut waiting = r.arrivals(rate, onset, s.horizon());
    waiting.truncate(128 + r.integer(0, 3900));
    let gives_up = r.chance(0.7);
    let waiting = s.open(waiting).leak().unaccepted();
    if gives_up {
        waiting.peer_closes(|| r.uniform(5.0, 60.0));
    }
    s.inbound();
    s.limit(4096);
    s.onset(onset);
}

fn pool_plus_slow(r: &mut Random, s: &mut Scene) {
    let (size, lifetime) = (r.integer(8, 40), r.uniform(20.0 * MINUTE, 40.0 * MINUTE));
    Pool::any(r, size, lifetime).run(r, s);
    let from = r.uniform(0.0, 6.0 * HOUR);
    leak_hourly(r, s, (1.0, 6.0), from);
}

fn diurnal_leak(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.02, 0.2);
    let share = r.log_uniform(0.01, 0.05);
    let median = r.log_uniform(2.0, 200.0);
    let times = parts::daily_arrivals(r, s, rate, 0.95);
    let (forgotten, closed): (Vec<f64>, Vec<f64>) = times.into_iter().partition(|_| r.chance(share));
    s.open(closed).live(|| r.lognormal(median, 1.0));
    leak(r, s, forgotten);
}

fn ws_zombies(r: &mut Random, s: &mut Scene) {
    let (median, sigma) = (r.log_uniform(5.0 * MINUTE, HOUR), r.uniform(0.8, 1.2));
    let rate = r.log_uniform(0.005, 0.05);
    let share = r.log_uniform(0.02, 0.08);
    let every = r.uniform(15.0, 60.0);
    let times = r.arrivals(rate, 0.0, s.horizon());
    let (gone, closed): (Vec<f64>, Vec<f64>) = times.into_iter().partition(|_| r.chance(share));
    s.open(closed)
        .live(|| r.lognormal(median, sigma).min(DAY))
        .every(every);
    s.open(gone).leak().used(|| r.lognormal(median, sigma));
    s.inbound();
    s.limit(4096);
}

fn fast(r: &mut Random, s: &mut Scene) {
    let onset = r.uniform(0.0, 2.0 * HOUR);
    let rate = r.log_uniform(0.5, 6.0);
    let end = s.horizon().min(onset + 1600.0 / rate);
    let times = r.arrivals(rate, onset, end);
    leak(r, s, times);
    beside(r, s, (0.02, 0.3), (2.0, 2.0));
    s.onset(onset);
}
