//! Healthy pools and servers of many sorts.

use std::f64::consts::TAU;

use super::{
    Family,
    parts::{beside, daily},
};
use crate::{
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "H_lifo_pool",
        36.0,
        lifo_pool,
        "a pool that takes the last one first: most of it is silent for good",
    ),
    Family::healthy(
        "H_lifo_pool_maxlife",
        36.0,
        lifo_pool_maxlife,
        "the same, each replaced after 20 min to 4 h",
    )
    .held_out(),
    Family::healthy(
        "H_elastic_pool",
        48.0,
        elastic_pool,
        "a pool that follows the load, with an idle timeout of 10 min to an hour",
    ),
    Family::healthy(
        "H_pool_creep",
        48.0,
        pool_creep,
        "a pool without idle timeout whose record load creeps up over a day",
    ),
    Family::healthy(
        "H_long_poll",
        24.0,
        long_poll,
        "clients that poll for half a minute to five",
    ),
    Family::healthy(
        "H_event_streams",
        36.0,
        event_streams,
        "event streams of minutes to hours, resumed at once",
    )
    .held_out(),
    Family::healthy(
        "H_office_ws",
        50.0,
        office_ws,
        "websockets of an office, opened in the morning, with a break at noon",
    ),
    Family::healthy(
        "H_idle_timeout_cold",
        24.0,
        idle_timeout_cold,
        "idle timeouts of half an hour to two hours, from a cold start",
    ),
    Family::healthy(
        "H_autoscale",
        36.0,
        autoscale,
        "backends that come in the morning and go at night, each with its own address",
    )
    .held_out(),
    Family::healthy(
        "H_blue_green",
        48.0,
        blue_green,
        "deployments that move all connections to other addresses",
    )
    .held_out(),
    Family::healthy(
        "H_growing_batch",
        72.0,
        growing_batch,
        "a nightly job that takes more connections each night",
    )
    .held_out(),
    Family::healthy(
        "H_spiky_pool",
        36.0,
        spiky_pool,
        "a pool with a minimum and a maximum size, spikes, and maximum lifetimes",
    ),
];

fn lifo_pool(r: &mut Random, s: &mut Scene) {
    let (size, span) = (r.integer(8, 100), r.log_uniform(5.0, HOUR));
    let from = r.uniform(0.0, 2.0 * HOUR);
    let (busy, every) = (r.uniform(0.05, 0.4), r.log_uniform(0.5, 60.0));
    let fill = r.moments(size, from, from + span);
    let (used, silent): (Vec<f64>, Vec<f64>) = fill.into_iter().partition(|_| r.chance(busy));
    s.open(used).every(every);
    s.open(silent);
}

fn lifo_pool_maxlife(r: &mut Random, s: &mut Scene) {
    let (size, lifetime) = (r.integer(8, 100), r.log_uniform(20.0 * MINUTE, 4.0 * HOUR));
    let warmup = r.log_uniform(5.0, HOUR);
    for place in 0..size {
        let mut at = r.uniform(0.0, warmup);
        while at < s.horizon() {
            let life = lifetime * r.uniform(0.9, 1.0);
            let row = s.open([at]).live(|| life);
            if place * 5 < size {
                row.every(5.0);
            }
            at += life + r.uniform(0.05, 5.0);
        }
    }
}

/// A pool that always has as many as the load wants, at moments `STEP` apart; what is left over for a while closes.
fn follow_load(r: &mut Random, s: &mut Scene, timeout: f64, every: f64, load: impl Fn(f64) -> f64) {
    const STEP: f64 = MINUTE;
    // When each of the pool was last needed, and opened.
    let mut pool: Vec<(f64, f64)> = Vec::new();
    for step in 0..whole(s.horizon() / STEP) {
        let at = STEP * real(step);
        let wanted = r.poisson(load(at));
        while pool.len() < wanted {
            pool.push((at, at + r.uniform(0.0, STEP)));
        }
        for (needed, _) in pool.iter_mut().take(wanted) {
            *needed = at;
        }
        pool.retain(|(needed, opened)| {
            let is_idle = at - needed > timeout;
            if is_idle {
                s.open([*opened]).close(|_| at).every(every);
            }
            !is_idle
        });
    }
    s.open(pool.into_iter().map(|(_, opened)| opened)).every(every);
}

fn elastic_pool(r: &mut Random, s: &mut Scene) {
    let (peak, swing) = (r.log_uniform(5.0, 80.0), r.uniform(0.3, 0.95));
    let (phase, timeout) = (r.uniform(0.0, TAU), r.log_uniform(10.0 * MINUTE, HOUR));
    let every = r.log_uniform(1.0, 120.0);
    let load = daily(peak / (1.0 + swing), swing, phase);
    follow_load(r, s, timeout, every, load);
}

fn pool_creep(r: &mut Random, s: &mut Scene) {
    let (first, growth) = (r.log_uniform(3.0, 30.0), r.uniform(0.3, 2.0));
    let every = r.log_uniform(5.0, 900.0);
    let horizon = s.horizon();
    follow_load(r, s, 2.0 * horizon, every, |at| {
        first * (1.0 + growth * (at / horizon).min(0.5))
    });
}

fn long_poll(r: &mut Random, s: &mut Scene) {
    let poll = r.log_uniform(30.0, 5.0 * MINUTE);
    for _ in 0..r.integer(5, 60) {
        let mut at = r.uniform(0.0, 30.0 * MINUTE);
        while at < s.horizon() {
            let lasts = poll * r.uniform(0.3, 1.0);
            s.open([at]).live(|| lasts).used(|| 0.1);
            at += lasts + r.exponential(2.0);
        }
    }
    s.inbound();
}

fn event_streams(r: &mut Random, s: &mut Scene) {
    let (median, every) = (r.log_uniform(5.0 * MINUTE, 3.0 * HOUR), r.log_uniform(5.0, 300.0));
    let ramp = r.log_uniform(MINUTE, 4.0 * HOUR);
    for _ in 0..r.integer(20, 300) {
        let mut at = r.uniform(0.0, ramp);
        while at < s.horizon() {
            let lasts = r.lognormal(median, 0.8).min(DAY);
            s.open([at]).live(|| lasts).every(every);
            at += lasts + r.exponential(5.0);
        }
    }
    s.inbound();
}

fn office_ws(r: &mut Random, s: &mut Scene) {
    let (people, start) = (r.integer(20, 250), r.uniform(0.0, 12.0) * HOUR);
    let (spread, every) = (r.uniform(0.4, 1.5) * HOUR, r.uniform(15.0, 60.0));
    for day in 0..3 {
        let morning = start + DAY * real(day);
        for _ in 0..people {
            let at = morning + r.normal(2.0 * HOUR, spread).clamp(0.0, 5.0 * HOUR);
            let noon = morning + 5.0 * HOUR + r.uniform(0.0, HOUR);
            let end = morning + 10.0 * HOUR + r.normal(0.0, 0.7 * HOUR).clamp(-2.0 * HOUR, 3.0 * HOUR);
            if r.chance(0.6) {
                let back = noon + r.uniform(0.3, 1.0) * HOUR;
                s.open([at]).close(|_| noon).every(every);
                s.open([back]).close(|_| end).every(every);
            } else {
                s.open([at]).close(|_| end).every(every);
            }
        }
    }
    s.inbound();
    s.limit(if people < 200 { 1024 } else { 65_536 });
}

fn idle_timeout_cold(r: &mut Random, s: &mut Scene) {
    let (rate, timeout) = (
        r.log_uniform(5.0, 150.0) / HOUR,
        r.log_uniform(30.0 * MINUTE, 2.0 * HOUR),
    );
    let busy = r.log_uniform(1.0, 20.0 * MINUTE);
    for at in r.arrivals(rate, 0.0, s.horizon()) {
        let used = r.exponential(busy);
        s.open([at]).live(|| used + timeout).used(|| used);
    }
    if r.chance(0.5) {
        s.inbound();
    }
}

fn autoscale(r: &mut Random, s: &mut Scene) {
    let (least, more) = (r.integer(2, 6), r.integer(4, 40));
    let (each, every) = (r.integer(1, 4), r.log_uniform(1.0, 120.0));
    let (morning, up) = (
        r.uniform(0.0, 10.0) * HOUR,
        r.log_uniform(10.0 * MINUTE, 4.0 * HOUR),
    );
    for backend in 0..least {
        s.open(r.moments(each, 0.0, MINUTE)).every(every).with(|| backend);
    }
    for day in 0..2 {
        let start = morning + DAY * real(day);
        for (number, at) in r.moments(more, start, start + up).into_iter().enumerate() {
            let end = start + up + 8.0 * HOUR + r.uniform(0.0, up);
            s.open(r.moments(each, at, at + 5.0))
                .close(|_| end)
                .every(every)
                .with(|| least + day * more + number);
        }
    }
}

fn blue_green(r: &mut Random, s: &mut Scene) {
    let (size, mean) = (r.integer(5, 80), r.log_uniform(2.0 * HOUR, 16.0 * HOUR));
    let (drain, every) = (r.log_uniform(1.0, 30.0 * MINUTE), r.log_uniform(1.0, 300.0));
    let mut cuts = r.arrivals(1.0 / mean, HOUR, s.horizon());
    cuts.insert(0, 0.0);
    cuts.push(2.0 * s.horizon());
    for (deployment, (from, to)) in cuts.iter().zip(cuts.iter().skip(1)).enumerate() {
        let back = r.moments(size, *from, from + drain);
        s.open(back)
            .close(|_| to + r.uniform(0.0, drain))
            .every(every)
            .with(|| deployment);
    }
    beside(r, s, (0.005, 0.05), (0.5, 10.0));
}

fn growing_batch(r: &mut Random, s: &mut Scene) {
    let (first, growth) = (r.log_uniform(10.0, 80.0), r.uniform(1.1, 1.8));
    let (start, every) = (r.uniform(0.0, 20.0) * HOUR, r.log_uniform(1.0, 60.0));
    let (ramp, hold) = (
        r.log_uniform(MINUTE, HOUR),
        r.log_uniform(20.0 * MINUTE, 4.0 * HOUR),
    );
    for night in 0..3 {
        let from = start + DAY * f64::from(night);
        let count = whole(first * growth.powi(night));
        s.open(r.moments(count, from, from + ramp))
            .close(|_| from + ramp + hold + r.uniform(0.0, MINUTE))
            .every(every);
    }
    beside(r, s, (0.002, 0.02), (0.5, 10.0));
}

fn spiky_pool(r: &mut Random, s: &mut Scene) {
    let (least, most) = (r.integer(3, 10), r.integer(20, 100));
    let every = r.log_uniform(1.0, 120.0);
    let lifetime = r.uniform(20.0 * MINUTE, 40.0 * MINUTE);
    for _ in 0..least {
        let mut at = r.uniform(0.0, 10.0);
        while at < s.horizon() {
            let life = lifetime * r.uniform(0.95, 1.0);
            s.open([at]).live(|| life).every(every);
            at += life;
        }
    }
    let mean = r.log_uniform(20.0 * MINUTE, 6.0 * HOUR);
    for spike in r.arrivals(1.0 / mean, 0.0, s.horizon()) {
        let (count, span) = (r.integer(3, most - least), r.log_uniform(1.0, 5.0 * MINUTE));
        s.open(r.moments(count, spike, spike + span))
            .live(|| lifetime * r.uniform(0.95, 1.0))
            .every(every);
    }
}
