//! Healthy workloads that were used for tuning.

use std::f64::consts::TAU;

use super::{
    Family,
    parts::{Pool, beside, daily, daily_arrivals},
};
use crate::{
    number::{real, whole},
    random::{Random, spaced},
    scene::Scene,
    world::{DAY, HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy("H_pool_warmup", 24.0, pool_warmup, "a pool fills once and stays"),
    Family::healthy(
        "H_pool_maxlife",
        24.0,
        pool_maxlife,
        "a pool that replaces each connection after 10 to 60 min",
    ),
    Family::healthy(
        "H_keepalive_http",
        24.0,
        keepalive_http,
        "keep-alive with an idle timeout, by the time of day",
    ),
    Family::healthy(
        "H_websockets",
        30.0,
        websockets,
        "websockets that live minutes to hours",
    ),
    Family::healthy(
        "H_bursty_batch",
        36.0,
        bursty_batch,
        "a job every few hours that closes all at its end",
    ),
    Family::healthy("H_diurnal", 48.0, diurnal, "load that follows the time of day"),
    Family::healthy(
        "H_rolling_deploy",
        36.0,
        rolling_deploy,
        "a warm pool in a process that is replaced every few hours",
    ),
    Family::healthy(
        "H_healthcheck",
        24.0,
        healthcheck,
        "a short connection every few seconds",
    ),
    Family::healthy("H_heavy_churn", 8.0, heavy_churn, "many short connections"),
    Family::healthy(
        "H_heavy_tail",
        36.0,
        heavy_tail,
        "lifetimes of a Pareto distribution, up to two days",
    ),
    Family::healthy(
        "H_slow_growth",
        48.0,
        slow_growth,
        "load that doubles to quadruples",
    ),
    Family::healthy(
        "H_long_jobs",
        48.0,
        long_jobs,
        "jobs that hold their connections for hours",
    ),
    Family::healthy(
        "H_grpc_few",
        48.0,
        grpc_few,
        "a few channels, replaced now and then",
    ),
    Family::healthy(
        "H_kube_watch",
        24.0,
        kube_watch,
        "watches that end after 5 to 10 min",
    ),
    Family::healthy(
        "H_half_close",
        24.0,
        half_close,
        "clients that shut down first and read the answer for minutes",
    ),
    Family::healthy(
        "H_lazy_pool",
        36.0,
        lazy_pool,
        "a pool without idle timeout that grows with each new record of the load",
    ),
    Family::healthy(
        "H_hpa_scale",
        60.0,
        hpa_scale,
        "a fleet of clients that grows in the morning and shrinks in the evening",
    ),
    Family::healthy(
        "H_spark_dyn",
        36.0,
        spark_dyn,
        "executors that double until there are enough, and go",
    ),
    Family::healthy(
        "H_gossip_cap",
        36.0,
        gossip_cap,
        "peers that are discovered ever more slowly, up to a number",
    ),
    Family::healthy(
        "H_max_conn_age",
        30.0,
        max_conn_age,
        "a fleet whose connections the server ends at an age",
    ),
    Family::healthy(
        "H_busy_day_ws",
        50.0,
        busy_day_ws,
        "websockets of hours that follow the time of day",
    ),
];

fn pool_warmup(r: &mut Random, s: &mut Scene) {
    let (size, span) = (r.integer(5, 120), r.log_uniform(5.0, 20.0 * MINUTE));
    let (from, shape) = (r.uniform(0.0, HOUR), r.uniform(0.7, 2.5));
    let every = r.log_uniform(5.0, 1800.0);
    let fill = r.moments(size, 0.0, 1.0);
    s.open(fill.into_iter().map(|part| from + part.powf(shape) * span))
        .every(every);
}

fn pool_maxlife(r: &mut Random, s: &mut Scene) {
    let (size, lifetime) = (r.integer(5, 60), r.log_uniform(10.0 * MINUTE, HOUR));
    Pool::any(r, size, lifetime).run(r, s);
}

fn keepalive_http(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.005, 0.2);
    let timeout = r.uniform(50.0, 120.0);
    let busy = r.log_uniform(1.0, 600.0);
    let times = daily_arrivals(r, s, rate, 0.8);
    s.open(times)
        .live(|| timeout + r.exponential(busy))
        .every(timeout / 2.0);
    if r.chance(0.5) {
        s.inbound();
    }
}

fn websockets(r: &mut Random, s: &mut Scene) {
    let (median, sigma) = (r.log_uniform(10.0 * MINUTE, 2.0 * HOUR), r.uniform(0.7, 1.3));
    let rate = r.log_uniform(0.005, 0.1);
    let every = r.uniform(15.0, 60.0);
    s.open(r.arrivals(rate, 0.0, s.horizon()))
        .live(|| r.lognormal(median, sigma).min(DAY))
        .every(every);
    s.inbound();
    let usual = rate * median * (sigma * sigma / 2.0).exp();
    s.limit(if usual < 300.0 { 1024 } else { 65_536 });
}

fn bursty_batch(r: &mut Random, s: &mut Scene) {
    let period = r.log_uniform(HOUR, 6.0 * HOUR);
    let mut start = r.uniform(0.0, period);
    while start < s.horizon() {
        let count = r.integer(20, 300);
        let (ramp, hold) = (
            r.log_uniform(5.0, 5.0 * MINUTE),
            r.log_uniform(3.0 * MINUTE, HOUR),
        );
        let end = start + ramp + hold;
        s.open(r.moments(count, start, start + ramp))
            .close(|_| end + r.uniform(0.0, 60.0))
            .every(5.0);
        start += (period * r.uniform(0.7, 1.3)).max(hold + ramp + 120.0);
    }
}

fn diurnal(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.005, 0.08);
    let life = r.log_uniform(30.0, 30.0 * MINUTE);
    let every = r.uniform(1.0, 30.0);
    let times = daily_arrivals(r, s, rate, 0.9);
    s.open(times).live(|| r.exponential(life)).every(every);
    if r.chance(0.5) {
        s.inbound();
    }
}

fn rolling_deploy(r: &mut Random, s: &mut Scene) {
    let period = r.log_uniform(HOUR, 8.0 * HOUR);
    let mut lives = Vec::new();
    let mut start = 0.0;
    while start < s.horizon() {
        let end = start + period * r.uniform(0.5, 1.5);
        lives.push((start, end));
        let (size, span) = (r.integer(5, 60), r.log_uniform(5.0, 5.0 * MINUTE));
        let every = r.log_uniform(5.0, 600.0);
        s.open(r.moments(size, start + 0.01, start + span)).every(every);
        start = end;
    }
    s.lives(lives);
    beside(r, s, (0.01, 0.1), (2.0, 2.0));
}

fn healthcheck(r: &mut Random, s: &mut Scene) {
    let period = r.uniform(2.0, 15.0);
    let first = r.uniform(0.0, period);
    let count = whole((s.horizon() - first) / period);
    s.open((0..count).map(|beat| first + period * real(beat)))
        .live(|| r.uniform(0.002, 0.05));
    s.inbound();
}

fn heavy_churn(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.3, 1.5);
    let (median, sigma) = (r.log_uniform(0.05, 30.0), r.uniform(0.5, 1.3));
    s.open(r.arrivals(rate, 0.0, s.horizon()))
        .live(|| r.lognormal(median, sigma));
    if r.chance(0.5) {
        s.inbound();
    }
}

fn heavy_tail(r: &mut Random, s: &mut Scene) {
    let (exponent, least) = (r.uniform(1.15, 1.6), r.log_uniform(2.0, 60.0));
    let rate = r.log_uniform(0.02, 0.2);
    let every = r.uniform(1.0, 60.0);
    s.open(r.arrivals(rate, 0.0, s.horizon()))
        .live(|| r.pareto(least, exponent).min(2.0 * DAY))
        .every(every);
    if r.chance(0.5) {
        s.inbound();
    }
}

fn slow_growth(r: &mut Random, s: &mut Scene) {
    let (rate, growth) = (r.log_uniform(0.002, 0.03), r.uniform(1.0, 3.0));
    let life = r.log_uniform(5.0 * MINUTE, HOUR);
    let every = r.uniform(5.0, 60.0);
    let horizon = s.horizon();
    let most = rate * (1.0 + growth);
    let times = r.arrivals_varying(most, 0.0, horizon, |at| {
        (1.0 + growth * at / horizon) / (1.0 + growth)
    });
    s.open(times).live(|| r.exponential(life)).every(every);
}

fn long_jobs(r: &mut Random, s: &mut Scene) {
    let mean = r.log_uniform(2.0 * HOUR, 8.0 * HOUR);
    for start in r.arrivals(1.0 / mean, 0.0, s.horizon()) {
        let (count, span) = (r.integer(4, 40), r.log_uniform(HOUR, 8.0 * HOUR));
        let ramp = r.log_uniform(5.0, 10.0 * MINUTE);
        let every = r.log_uniform(2.0, 120.0);
        s.open(r.moments(count, start, start + ramp))
            .close(|_| start + span + r.uniform(0.0, 30.0))
            .every(every);
    }
    s.open([r.uniform(0.0, 60.0)]).every(30.0);
}

fn grpc_few(r: &mut Random, s: &mut Scene) {
    let (size, lifetime) = (r.integer(1, 8), r.log_uniform(20.0 * MINUTE, 4.0 * HOUR));
    let every = r.log_uniform(5.0, 600.0);
    Pool {
        every,
        ..Pool::any(r, size, lifetime)
    }
    .run(r, s);
}

fn kube_watch(r: &mut Random, s: &mut Scene) {
    for _ in 0..r.integer(5, 60) {
        let mut at = r.uniform(0.0, 60.0);
        let every = r.uniform(1.0, 300.0);
        while at < s.horizon() {
            let life = r.uniform(5.0 * MINUTE, 10.0 * MINUTE);
            s.open([at]).live(|| life).every(every);
            at += life + r.uniform(0.0, 2.0);
        }
    }
}

fn half_close(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.01, 0.2);
    let answer = r.log_uniform(5.0, 4.0 * MINUTE);
    for opened in r.arrivals(rate, 0.0, s.horizon()) {
        let (before, after) = (r.lognormal(0.5, 1.0), r.lognormal(answer, 0.8));
        s.open([opened])
            .live(|| before + after)
            .peer_closes(|| before)
            .used(|| before + after);
    }
    s.inbound();
}

fn lazy_pool(r: &mut Random, s: &mut Scene) {
    const STEP: f64 = 20.0;
    let (phase, peak) = (r.uniform(0.0, TAU), r.log_uniform(5.0, 120.0));
    let every = r.log_uniform(5.0, 1800.0);
    let load = daily(0.55 * peak, 0.45 / 0.55, phase);
    let mut record = 0;
    for step in 0..whole(s.horizon() / STEP) {
        let at = STEP * real(step);
        let busy = r.poisson(load(at));
        let more = busy.saturating_sub(record);
        s.open(r.moments(more, at, at + STEP)).every(every);
        record += more;
    }
}

fn hpa_scale(r: &mut Random, s: &mut Scene) {
    let each = r.integer(1, 4);
    let (low, more) = (r.integer(2, 8), r.integer(5, 50));
    let morning = r.uniform(0.0, 24.0) * HOUR;
    let (up, down) = (
        r.log_uniform(10.0 * MINUTE, 3.0 * HOUR),
        r.log_uniform(10.0 * MINUTE, 3.0 * HOUR),
    );
    let day = r.uniform(6.0, 11.0) * HOUR;
    let every = r.log_uniform(5.0, 120.0);
    for at in spaced(low, 0.1, 60.0) {
        s.open(vec![at; each]).every(every);
    }
    for number in 0..4 {
        let start = DAY * (real(number) - 1.0) + morning;
        let evening = start + up + day;
        for at in r.moments(more, start, start + up) {
            let end = evening + r.uniform(0.0, down);
            if at > 0.0 && at < s.horizon() {
                s.open(r.moments(each, at, at + 3.0)).close(|_| end).every(every);
            }
        }
    }
    s.inbound();
}

fn spark_dyn(r: &mut Random, s: &mut Scene) {
    let mut start = r.uniform(0.0, HOUR);
    while start < s.horizon() {
        let (enough, interval) = (r.integer(8, 150), r.log_uniform(1.0, 5.0 * MINUTE));
        let (mut there, mut more, mut at) = (0, 1, start);
        while there < enough {
            let count = more.min(enough - there);
            let end = start + r.log_uniform(10.0 * MINUTE, 3.0 * HOUR) + interval * 12.0;
            let every = r.log_uniform(1.0, 60.0);
            s.open(r.moments(count, at, at + 1.0))
                .close(|_| end + r.uniform(0.0, 120.0))
                .every(every);
            there += count;
            more *= 2;
            at += interval;
        }
        start += r.log_uniform(30.0 * MINUTE, 6.0 * HOUR) + 3.0 * HOUR;
    }
}

fn gossip_cap(r: &mut Random, s: &mut Scene) {
    let (pace, life) = (
        r.log_uniform(5.0 * MINUTE, 2.0 * HOUR),
        r.log_uniform(2.0 * HOUR, DAY),
    );
    let every = r.log_uniform(10.0, 120.0);
    for _ in 0..r.integer(20, 200) {
        let mut at = r.exponential(pace);
        while at < s.horizon() {
            let lasts = r.exponential(life);
            s.open([at]).live(|| lasts).every(every);
            at += lasts + r.exponential(60.0);
        }
    }
    if r.chance(0.5) {
        s.inbound();
    }
}

fn max_conn_age(r: &mut Random, s: &mut Scene) {
    Pool {
        size: r.integer(50, 300),
        lifetime: r.log_uniform(30.0 * MINUTE, 4.0 * HOUR),
        warmup: r.log_uniform(MINUTE, 90.0 * MINUTE),
        every: r.log_uniform(5.0, 300.0),
    }
    .run(r, s);
    s.inbound();
}

fn busy_day_ws(r: &mut Random, s: &mut Scene) {
    let (rate, median) = (r.log_uniform(0.002, 0.03), r.log_uniform(HOUR, 4.0 * HOUR));
    let sigma = r.uniform(0.5, 1.0);
    let every = r.uniform(15.0, 60.0);
    let times = daily_arrivals(r, s, rate, 0.8);
    s.open(times).live(|| r.lognormal(median, sigma)).every(every);
    s.inbound();
    s.limit(if rate * median * 1.5 < 200.0 { 1024 } else { 65_536 });
}
