//! Healthy workloads that were made to mislead (Y of the prototype): nothing of their age has ever closed.

use super::{Family, parts::daily_arrivals};
use crate::{
    number::real,
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "Y_slow_pool_growth",
        30.0,
        slow_pool_growth,
        "a pool that creeps to 30 to 150 in 1 to 4 hours and stays",
    )
    .hostile(),
    Family::healthy(
        "Y_office_hours_ws",
        50.0,
        office_hours_ws,
        "websockets opened all morning and closed at night",
    )
    .hostile(),
    Family::healthy(
        "Y_autoscale_backends",
        36.0,
        autoscale_backends,
        "backends that are added one after the other, behind one address",
    )
    .hostile(),
    Family::healthy(
        "Y_mass_reconnect",
        36.0,
        mass_reconnect,
        "a fleet that is cut off every few hours and comes back",
    )
    .hostile(),
    Family::healthy(
        "Y_chat_mobile",
        48.0,
        chat_mobile,
        "mobile clients, lifetimes with a heavy tail, by the time of day",
    )
    .hostile(),
    Family::healthy(
        "Y_ramped_job",
        40.0,
        ramped_job,
        "jobs that ramp up for an hour and hold for hours",
    )
    .hostile(),
    Family::healthy(
        "Y_ws_very_long",
        72.0,
        ws_very_long,
        "websockets of 4 to 12 hours, from a cold start",
    )
    .hostile(),
    Family::healthy(
        "Y_envoy_idle_1h",
        36.0,
        envoy_idle_1h,
        "an idle timeout of an hour, from a cold start",
    )
    .hostile(),
];

fn slow_pool_growth(r: &mut Random, s: &mut Scene) {
    let (size, span) = (r.integer(30, 150), r.log_uniform(HOUR, 4.0 * HOUR));
    let (shape, from) = (r.uniform(0.6, 2.0), r.uniform(0.0, 2.0 * HOUR));
    let every = r.log_uniform(5.0, 900.0);
    let fill = r.moments(size, 0.0, 1.0);
    s.open(fill.into_iter().map(|part| from + span * part.powf(shape)))
        .every(every);
}

fn office_hours_ws(r: &mut Random, s: &mut Scene) {
    let people = r.integer(30, 600);
    for day in 0..3 {
        let start = DAY * real(day);
        let spread = r.uniform(0.5, 1.2) * HOUR;
        let every = r.uniform(15.0, 60.0);
        let morning =
            (0..people).map(|_| start + r.normal(9.0 * HOUR, spread).clamp(5.0 * HOUR, 14.0 * HOUR));
        let morning: Vec<f64> = morning.collect();
        s.open(morning)
            .close(|_| start + r.normal(17.5 * HOUR, HOUR).clamp(14.5 * HOUR, 23.0 * HOUR))
            .every(every);
    }
    s.inbound();
    s.limit(if people < 300 { 1024 } else { 65_536 });
}

fn autoscale_backends(r: &mut Random, s: &mut Scene) {
    let mut at = r.uniform(0.0, 2.0 * HOUR);
    let each = r.integer(1, 4);
    for _ in 0..r.integer(5, 40) {
        let every = r.log_uniform(2.0, 120.0);
        s.open(r.moments(each, at, at + 5.0)).every(every);
        at += r.log_uniform(MINUTE, HOUR);
    }
}

fn mass_reconnect(r: &mut Random, s: &mut Scene) {
    let clients = r.integer(20, 400);
    let mean = r.log_uniform(2.0 * HOUR, 10.0 * HOUR);
    let mut cuts = r.arrivals(1.0 / mean, 0.0, s.horizon());
    cuts.insert(0, 0.0);
    cuts.push(NEVER);
    for (from, to) in cuts.iter().zip(cuts.iter().skip(1)) {
        let pace = r.log_uniform(1.0, 300.0);
        let every = r.log_uniform(5.0, 300.0);
        let back: Vec<f64> = (0..clients).map(|_| from + r.exponential(pace)).collect();
        s.open(back.into_iter().filter(|at| at < to))
            .close(|_| *to)
            .every(every);
    }
}

fn chat_mobile(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.01, 0.1);
    let (least, exponent) = (r.log_uniform(20.0, 5.0 * MINUTE), r.uniform(1.1, 1.5));
    let every = r.uniform(20.0, 300.0);
    let times = daily_arrivals(r, s, rate, 0.85);
    s.open(times)
        .live(|| r.pareto(least, exponent).min(DAY))
        .every(every);
    s.inbound();
    s.limit(65_536);
}

fn ramped_job(r: &mut Random, s: &mut Scene) {
    let mut start = r.uniform(0.0, 4.0 * HOUR);
    while start < s.horizon() {
        let count = r.integer(20, 120);
        let (ramp, hold) = (
            r.log_uniform(20.0 * MINUTE, 2.0 * HOUR),
            r.log_uniform(HOUR, 6.0 * HOUR),
        );
        let every = r.log_uniform(2.0, 60.0);
        s.open(r.moments(count, start, start + ramp))
            .close(|_| start + ramp + hold + r.uniform(0.0, 60.0))
            .every(every);
        start += ramp + hold + r.log_uniform(HOUR, 8.0 * HOUR);
    }
}

fn ws_very_long(r: &mut Random, s: &mut Scene) {
    let (median, rate) = (r.log_uniform(4.0 * HOUR, 12.0 * HOUR), r.log_uniform(0.002, 0.02));
    let sigma = r.uniform(0.5, 1.0);
    let every = r.uniform(15.0, 60.0);
    s.open(r.arrivals(rate, 0.0, s.horizon()))
        .live(|| r.lognormal(median, sigma))
        .every(every);
    s.inbound();
    s.limit(if rate * median < 150.0 { 1024 } else { 65_536 });
}

fn envoy_idle_1h(r: &mut Random, s: &mut Scene) {
    let rate = r.log_uniform(0.005, 0.05);
    let busy = r.log_uniform(10.0, 30.0 * MINUTE);
    let every = r.uniform(60.0, 3000.0);
    let times = daily_arrivals(r, s, rate, 0.7);
    s.open(times).live(|| HOUR + r.exponential(busy)).every(every);
}
