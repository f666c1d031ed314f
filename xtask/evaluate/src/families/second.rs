//! The prototype's second held-out set (Z), written after its first version was scored.

use super::{
    Family,
    parts::{beside, daily_arrivals, leak_hourly, pings},
};
use crate::{
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "Z_L_on_off_tenant",
        48.0,
        on_off_tenant,
        "a tenant that leaks for hours, and is away for hours",
    )
    .held_out(),
    Family::leak(
        "Z_L_recycle_leak",
        48.0,
        recycle_leak,
        "a pool that now and then forgets to close what it replaces",
    )
    .held_out(),
    Family::leak(
        "Z_L_slow_inbound",
        72.0,
        slow_inbound,
        "2 to 12 an hour at a server",
    )
    .held_out(),
    Family::leak(
        "Z_L_warm_then_slow",
        60.0,
        warm_then_slow,
        "2 to 15 an hour after a pool has warmed up",
    )
    .held_out(),
    Family::leak(
        "Z_L_office_hours_leak",
        72.0,
        office_hours_leak,
        "a leak that works nine hours a day",
    )
    .held_out(),
    Family::leak(
        "Z_L_big_limit",
        24.0,
        big_limit,
        "under a limit of 65,536 or more",
    )
    .held_out(),
    Family::leak(
        "Z_L_cw_slow",
        60.0,
        cw_slow,
        "1 to 8 an hour that the client closed and the server did not",
    )
    .held_out(),
    Family::healthy(
        "Z_H_keepalive_reaped",
        48.0,
        keepalive_reaped,
        "clients that vanish, and TCP keepalive that ends them after 2 h 11 min",
    )
    .held_out(),
    Family::healthy(
        "Z_H_nightly_backup",
        72.0,
        nightly_backup,
        "a backup each night that holds its connections for hours",
    )
    .held_out(),
    Family::healthy(
        "Z_H_pool_resize",
        60.0,
        pool_resize,
        "a pool that is made larger by configuration, several times",
    ),
    Family::healthy(
        "Z_H_kafka_rebalance",
        48.0,
        kafka_rebalance,
        "consumers that all reconnect at a rebalance",
    )
    .held_out(),
    Family::healthy(
        "Z_H_mqtt_fleet",
        48.0,
        mqtt_fleet,
        "hundreds of devices that stay for days",
    )
    .held_out(),
    Family::healthy(
        "Z_H_morning_ramp_keepalive",
        48.0,
        morning_ramp_keepalive,
        "an idle timeout of minutes under a load that is near zero at night",
    )
    .held_out(),
    Family::healthy(
        "Z_H_sse_max_4h",
        48.0,
        sse_max_4h,
        "event streams that end after 2 to 5 hours at the latest",
    )
    .held_out(),
    Family::healthy(
        "Z_H_cron_overlap",
        48.0,
        cron_overlap,
        "jobs that overlap the next ones",
    )
    .held_out(),
    Family::healthy(
        "Z_H_sidecar_mesh",
        48.0,
        sidecar_mesh,
        "a few connections to each of many upstreams, behind one address",
    )
    .held_out(),
];

fn on_off_tenant(r: &mut Random, s: &mut Scene) {
    let every = pings(r);
    let mut at = r.uniform(0.0, 3.0 * HOUR);
    let rate = r.log_uniform(5.0, 120.0) / HOUR;
    while at < s.horizon() {
        let mean = r.log_uniform(10.0 * MINUTE, 3.0 * HOUR);
        let end = at + r.exponential(mean);
        s.open(r.arrivals(rate, at, end)).leak().every(every);
        let mean = r.log_uniform(10.0 * MINUTE, 3.0 * HOUR);
        at = end + r.exponential(mean);
    }
    beside(r, s, (0.02, 0.3), (0.2, 30.0));
}

fn recycle_leak(r: &mut Random, s: &mut Scene) {
    let (size, lifetime) = (r.integer(10, 50), r.log_uniform(10.0 * MINUTE, HOUR));
    let (share, every) = (r.log_uniform(0.03, 0.5), pings(r));
    for _ in 0..size {
        let mut at = r.uniform(0.0, 120.0);
        while at < s.horizon() {
            let life = lifetime * r.uniform(0.9, 1.0);
            let row = s.open([at]);
            if r.chance(share) {
                row.leak().used(|| life).every(every);
            } else {
                row.live(|| life).every(30.0);
            }
            at += life + r.uniform(0.0, 5.0);
        }
    }
}

fn slow_inbound(r: &mut Random, s: &mut Scene) {
    let from = r.uniform(0.0, 3.0 * HOUR);
    leak_hourly(r, s, (2.0, 12.0), from);
    beside(r, s, (0.005, 0.1), (0.2, 60.0));
    s.inbound();
}

fn warm_then_slow(r: &mut Random, s: &mut Scene) {
    let (size, span) = (r.integer(20, 150), r.log_uniform(10.0, 30.0 * MINUTE));
    let every = r.log_uniform(5.0, 600.0);
    s.open(r.moments(size, 0.0, span)).every(every);
    leak_hourly(r, s, (2.0, 15.0), 0.0);
}

fn office_hours_leak(r: &mut Random, s: &mut Scene) {
    let phase = r.uniform(0.0, DAY);
    let rate = r.log_uniform(3.0, 40.0) / HOUR;
    let every = pings(r);
    let mut times = r.arrivals(rate, 0.0, s.horizon());
    times.retain(|at| (at + phase) % DAY < 9.0 * HOUR);
    s.open(times).leak().every(every);
    beside(r, s, (0.01, 0.2), (0.2, 60.0));
}

fn big_limit(r: &mut Random, s: &mut Scene) {
    let from = r.uniform(0.0, 4.0 * HOUR);
    leak_hourly(r, s, (30.0, 1500.0), from);
    beside(r, s, (0.05, 0.5), (0.2, 60.0));
    s.limit(r.pick(&[65_536, 1_048_576]));
}

fn cw_slow(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.005, 0.1);
    let share = r.log_uniform(1.0, 8.0) / HOUR / rate;
    let median = r.log_uniform(1.0, 300.0);
    let times = r.arrivals(rate, 0.0, s.horizon());
    let (forgotten, closed): (Vec<f64>, Vec<f64>) = times.into_iter().partition(|_| r.chance(share));
    s.open(closed).live(|| r.lognormal(median, 1.0));
    s.open(forgotten).leak().peer_closes(|| r.lognormal(median, 1.0));
    s.inbound();
}

fn keepalive_reaped(r: &mut Random, s: &mut Scene) {
    /// `tcp_keepalive_time` and nine probes, `tcp_keepalive_intvl` apart.
    const REAPED_AFTER: f64 = 7200.0 + 9.0 * 75.0;
    let (rate, median) = (r.log_uniform(0.003, 0.03), r.log_uniform(MINUTE, 20.0 * MINUTE));
    let share = r.uniform(0.03, 0.3);
    for opened in r.arrivals(rate, 0.0, s.horizon()) {
        let life = r.lognormal(median, 1.0);
        let row = s.open([opened]);
        if r.chance(share) {
            row.live(|| life + REAPED_AFTER).used(|| life);
        } else {
            row.live(|| life).every(30.0);
        }
    }
    s.inbound();
}

fn nightly_backup(r: &mut Random, s: &mut Scene) {
    let (count, ramp) = (r.integer(20, 200), r.log_uniform(MINUTE, 40.0 * MINUTE));
    let phase = r.uniform(0.0, DAY);
    for night in 0..4 {
        let start = DAY * (real(night) - 1.0) + phase;
        if start > 0.0 && start < s.horizon() {
            let end = start + ramp + r.uniform(1.0, 5.0) * HOUR;
            let every = r.uniform(1.0, 30.0);
            s.open(r.moments(count, start, start + ramp))
                .close(|_| end + r.uniform(0.0, 20.0 * MINUTE))
                .every(every);
        }
    }
    s.open([1.0, 2.0]).every(30.0);
}

fn pool_resize(r: &mut Random, s: &mut Scene) {
    let size = r.integer(5, 20);
    s.open(r.moments(size, 0.0, 60.0)).every(60.0);
    let mut at = 0.0;
    for _ in 0..r.integer(1, 5) {
        at += r.log_uniform(HOUR, 15.0 * HOUR);
        let (more, span) = (r.integer(5, 40), r.log_uniform(5.0, 30.0 * MINUTE));
        let every = r.log_uniform(5.0, 900.0);
        s.open(r.moments(more, at, at + span)).every(every);
    }
}

fn kafka_rebalance(r: &mut Random, s: &mut Scene) {
    let consumers = r.integer(6, 80);
    let mean = r.log_uniform(HOUR, 12.0 * HOUR);
    let mut cuts = r.arrivals(1.0 / mean, 0.0, s.horizon());
    cuts.insert(0, 0.0);
    cuts.push(NEVER);
    for (from, to) in cuts.iter().zip(cuts.iter().skip(1)) {
        let count = whole(real(consumers) * r.uniform(0.3, 1.0)).max(1);
        let span = r.log_uniform(1.0, 5.0 * MINUTE);
        let every = r.uniform(1.0, 30.0);
        let back = r.moments(count, *from, from + span);
        s.open(back.into_iter().filter(|at| at < to))
            .close(|_| to + r.uniform(0.0, 10.0))
            .every(every);
    }
}

fn mqtt_fleet(r: &mut Random, s: &mut Scene) {
    let (devices, span) = (r.integer(100, 900), r.log_uniform(MINUTE, 40.0 * MINUTE));
    let life = r.log_uniform(6.0 * HOUR, 72.0 * HOUR);
    for _ in 0..devices {
        let mut at = r.uniform(0.0, span);
        while at < s.horizon() {
            let (lasts, every) = (r.exponential(life), r.uniform(30.0, 300.0));
            s.open([at]).live(|| lasts).every(every);
            at += lasts + r.exponential(30.0);
        }
    }
    s.inbound();
    s.limit(65_536);
}

fn morning_ramp_keepalive(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.005, 0.06);
    let timeout = r.log_uniform(3.0 * MINUTE, 20.0 * MINUTE);
    let busy = r.log_uniform(MINUTE, HOUR);
    let times = daily_arrivals(r, s, rate, 0.95);
    s.open(times)
        .live(|| timeout + r.exponential(busy))
        .every(timeout / 3.0);
}

fn sse_max_4h(r: &mut Random, s: &mut Scene) {
    let (rate, most) = (r.log_uniform(0.002, 0.02), r.uniform(2.0, 5.0) * HOUR);
    let median = r.log_uniform(20.0 * MINUTE, 3.0 * HOUR);
    let every = r.uniform(10.0, 60.0);
    let times = daily_arrivals(r, s, rate, 0.6);
    s.open(times)
        .live(|| r.lognormal(median, 1.0).min(most))
        .every(every);
    s.inbound();
}

fn cron_overlap(r: &mut Random, s: &mut Scene) {
    let (mut at, period) = (r.uniform(0.0, HOUR), r.log_uniform(10.0 * MINUTE, 2.0 * HOUR));
    while at < s.horizon() {
        let (count, median) = (r.integer(1, 10), r.log_uniform(MINUTE, 40.0 * MINUTE));
        s.open(r.moments(count, at, at + 30.0))
            .live(|| r.lognormal(median, 0.6))
            .every(5.0);
        at += period;
    }
}

fn sidecar_mesh(r: &mut Random, s: &mut Scene) {
    for _ in 0..r.integer(5, 30) {
        let (mut at, each) = (r.uniform(0.0, 10.0 * MINUTE), r.integer(1, 4));
        while at < s.horizon() {
            let mean = r.log_uniform(2.0 * HOUR, 20.0 * HOUR);
            let (lasts, every) = (r.exponential(mean), r.uniform(1.0, 120.0));
            s.open(r.moments(each, at, at + 5.0))
                .close(|_| at + 5.0 + lasts)
                .every(every);
            at += lasts + r.uniform(6.0, 60.0);
        }
    }
}
