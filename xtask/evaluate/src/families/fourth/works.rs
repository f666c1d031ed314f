//! Healthy works: crawls, load tests, and monitoring.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        fourth::lasting_within,
        parts::{Span, chain, now_and_then},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "E_H_crawl_runs",
        48.0,
        crawl_runs,
        "a crawl that starts anew some times a day, grows with what it finds, and ends with the slowest hosts",
    ),
    Family::healthy(
        "E_H_load_test",
        24.0,
        load_test,
        "a load generator that adds virtual users in steps, holds them, and stops them all",
    ),
    Family::healthy(
        "E_H_scrape_targets",
        60.0,
        scrape_targets,
        "a monitoring server with a connection to each target, of which deployments bring new ones",
    ),
];

/// It starts with some hundred hosts; each worker takes a host, a page every second or two, and leaves the connection
/// idle for some seconds more. At the end a few slow hosts are left. Bounded by the workers; each run ends.
fn crawl_runs(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let (workers, between) = (r.integer(16, 400), r.uniform(5.0, 24.0) * HOUR);
    let (grows, lasts) = (r.log_uniform(3.0, 150.0) * MINUTE, between * r.uniform(0.3, 0.8));
    let median = r.log_uniform(20.0, 600.0).max(real(workers) * horizon / 40_000.0);
    let idle = r.pick(&[5.0, 15.0, 60.0, 120.0]);
    let mut spans: Vec<Span> = Vec::new();
    let mut start = -r.uniform(0.0, 1.0) * between;
    while start < horizon {
        for worker in 0..workers {
            let joins = start + grows * real(worker) / real(workers) * r.uniform(0.7, 1.3);
            // Workers find nothing more to do in the last third.
            let leaves = start + lasts * r.uniform(0.66, 1.0);
            for (from, to) in chain(r, (joins, leaves), 0.5, |r| r.lognormal(median, 1.1)) {
                spans.push((from, to + idle));
            }
        }
        start += between * r.uniform(0.95, 1.05);
    }
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut host, politeness) = (0.., r.pick(&[1.0, 2.0, 5.0]));
    lasting_within(r, s, spans)
        .every(politeness)
        .with(|| host.next().unwrap_or_default());
}

/// Ten steps or so of five to twenty minutes each, a plateau of minutes to hours, some runs a day. A user holds one
/// connection and is told to stop. Bounded by the users that were asked for, far below the generator's limit.
fn load_test(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let (users, addresses) = (r.log_uniform(50.0, 8000.0), r.pick(&[1, 1, 3]));
    let think = r.log_uniform(0.5, 60.0);
    let gap = r.uniform(1.0, 6.0) * HOUR;
    let mut spans: Vec<Span> = Vec::new();
    let mut at = r.uniform(-1.0, 2.0) * HOUR;
    while at < horizon {
        let (steps, step) = (r.integer(1, 20), r.log_uniform(1.0, 20.0) * MINUTE);
        let holds = r.log_uniform(5.0, 240.0) * MINUTE;
        let stop = at + step * real(steps) + holds;
        let each = whole(users * r.uniform(0.3, 1.0) / real(steps)).max(1);
        for number in 0..steps {
            let from = at + step * real(number);
            let until = from + step * r.uniform(0.05, 1.0);
            let joins = r.moments(each, from, until);
            spans.extend(joins.into_iter().map(|up| (up, stop + r.uniform(0.0, 5.0))));
        }
        at = stop + gap * r.uniform(0.5, 1.5);
    }
    spans.truncate(60_000);
    // Connections for its reports and its controller.
    spans.push((-0.2 * DAY, f64::INFINITY));
    lasting_within(r, s, spans)
        .every(think)
        .with(|| r.integer(0, addresses - 1));
}

/// A target is scraped every 15 to 60 s over a connection that stays. Deployments and autoscaling replace targets; the
/// connection to one that is gone is dropped at its next scrapes, or after five minutes. Bounded by the targets.
fn scrape_targets(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (fixed, jobs) = (r.integer(10, 400), r.integer(2, 25));
    let interval = r.pick(&[15.0, 15.0, 30.0, 60.0]);
    let linger = r.pick(&[2.0 * interval, 300.0]);
    let mean = r.log_uniform(40.0, 400.0) * HOUR;
    let start = if r.chance(0.4) { 0.0 } else { -0.7 * DAY };
    let (mut spans, mut peers, mut target) = (Vec::new(), Vec::new(), 0);
    let mut scraped = |span: Span| {
        spans.push(span);
        peers.push(target);
        target += 1;
    };
    for _ in 0..fixed {
        let joins = start + r.uniform(0.0, interval);
        let turns = chain(r, (joins, horizon), 30.0, |r| 60.0 + r.exponential(mean));
        turns.into_iter().for_each(&mut scraped);
    }
    for _ in 0..jobs {
        let pods = r.integer(1, 20);
        let mut turns = vec![start];
        turns.extend(now_and_then(r, (4.0, 40.0), (start, horizon)));
        for (number, at) in turns.iter().enumerate() {
            let over = turns.get(number + 1).copied();
            // More of them by day.
            let scaled = real(pods) * (0.5 + 0.5 * calendar.office(*at));
            for _ in 0..whole(scaled).max(1) {
                let found = at + r.uniform(0.0, 300.0);
                let gone = over.map_or(horizon, |over| over + r.uniform(30.0, 300.0) + linger);
                scraped((found, gone.max(found + 1.0)));
            }
        }
    }
    let mut peers = peers.into_iter();
    lasting_within(r, s, spans)
        .every(interval)
        .with(|| peers.next().unwrap_or_default());
}
