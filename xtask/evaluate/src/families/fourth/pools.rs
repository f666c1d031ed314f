//! Healthy pools of clients: they grow with what is asked of them, and shrink by their own timeouts.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        fourth::{COMPANY, company, lasting, room_for, taking},
        keep_alive::{KeepAlive, Kept, keep, popular},
        parts::{Span, begins, chain, limit_above, now_and_then},
        third::{busy, peak, tide},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "E_H_database_pool",
        60.0,
        database_pool,
        "a database pool with a minimum, a maximum, an idle timeout and a maximum lifetime",
    ),
    Family::healthy(
        "E_H_slow_upstream",
        48.0,
        slow_upstream,
        "an HTTP client whose upstream is slow for half an hour now and then",
    ),
    Family::healthy(
        "E_H_burst_pool",
        48.0,
        burst_pool,
        "a cache client whose pool opens what a burst needs and lets it idle for half an hour",
    ),
    Family::healthy(
        "E_H_warm_nodes",
        60.0,
        warm_nodes,
        "a store's client that has a connection or some to each node that it needed since its start",
    ),
    Family::healthy(
        "E_H_new_addresses",
        48.0,
        new_addresses,
        "a client that follows the addresses of a name, as its backends are replaced",
    ),
    Family::healthy(
        "E_H_mesh_hosts",
        36.0,
        mesh_hosts,
        "a sidecar whose workers connect to each host when they need it, and drop it after an hour's idleness",
    ),
];

/// `HikariCP` and its like: the minimum is held and replaced every half hour, the rest comes with the office's load and
/// goes ten minutes after it is needed. Bounded by the maximum.
fn database_pool(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let from = begins(r, s);
    let (least, most) = (r.integer(2, 15), r.integer(20, 150));
    let life = r.pick(&[0.5, 0.5, 1.0, 4.0]) * HOUR;
    // Some of the minimum may be silent for all of its life.
    let every = r.pick(&[2.0, 30.0, 120.0, 600.0, NEVER]);
    for _ in 0..least {
        let joins = from + r.uniform(0.0, 20.0);
        let spans = chain(r, (joins, horizon), 0.05, |r| life * r.uniform(0.97, 1.0));
        lasting(s, spans).every(every);
    }
    let pool = KeepAlive {
        most: most - least,
        idle: r.pick(&[60.0, 600.0, 600.0, 1800.0]),
        life,
        newest: r.chance(0.4),
        ..KeepAlive::ANY
    };
    let (rate, takes) = (r.log_uniform(0.03, 0.4), r.log_uniform(0.05, 120.0));
    let times = busy(r, rate, (from, horizon), |at| calendar.office(at));
    let requests = taking(r, times, (takes, 1.2, HOUR));
    keep(s, &pool.serve(&requests), 0, 0);
    s.limit(limit_above(r, most + COMPANY));
    company(r, s, from);
}

/// Each request takes a hundred times as long, so there are a hundred times as many at once: each ends by the client's
/// timeout, and its connection idles for a minute and a half. Bounded by the rate times the timeout.
fn slow_upstream(r: &mut Random, s: &mut Scene) {
    let (from, horizon) = (begins(r, s), s.horizon());
    let quiet = r.log_uniform(1.5, 10.0) * HOUR;
    let slow = chain(r, (from + HOUR, horizon), quiet, |r| {
        r.log_uniform(4.0, 60.0) * MINUTE
    });
    let (timeout, takes) = (r.pick(&[10.0, 30.0, 60.0, 300.0]), r.log_uniform(0.02, 1.0));
    let (load, most) = (tide(r, (0.2, 0.8)), r.log_uniform(0.2, 1.5));
    let factor = r.log_uniform(20.0, 300.0);
    // A client that gives up gets no connection back.
    let mut gone = Vec::new();
    let mut requests = Vec::new();
    for at in busy(r, most, (from, horizon), load) {
        let is_slow = slow
            .iter()
            .skip(1)
            .any(|(start, end)| (*start..*end).contains(&at));
        let lasts = r.lognormal(takes, 0.9) * if is_slow { factor } else { 1.0 };
        if lasts < timeout {
            requests.push((at, lasts));
        } else {
            gone.push((at, at + timeout));
        }
    }
    let pool = KeepAlive {
        kept: r.pick(&[2, 20, 100]),
        idle: 90.0,
        ..KeepAlive::ANY
    };
    let kept = pool.serve(&requests);
    let mut spans = gone.clone();
    spans.extend(kept.iter().map(|one| (one.opened, one.closed)));
    s.limit(limit_above(r, peak(&spans) + COMPANY));
    keep(s, &kept, 0, 0);
    lasting(s, gone).used(|| 0.5 * timeout);
    company(r, s, from);
}

/// go-redis: up to ten connections for each core, the last one that came back is used next, and what was not needed for
/// half an hour goes. A page that fans out makes the bursts. Bounded by the pool's size.
fn burst_pool(r: &mut Random, s: &mut Scene) {
    let (from, horizon) = (begins(r, s), s.horizon());
    let pool = KeepAlive {
        most: r.pick(&[10, 40, 80, 160, 320]),
        idle: r.pick(&[300.0, 1800.0, 1800.0]),
        life: r.pick(&[NEVER, NEVER, HOUR]),
        ..KeepAlive::ANY
    };
    let (nodes, load) = (r.pick(&[1, 1, 3, 6]), tide(r, (0.2, 0.8)));
    let (rate, takes) = (r.log_uniform(0.05, 0.4) / real(nodes), r.log_uniform(0.002, 0.5));
    let between = r.log_uniform(0.3, 3.0);
    for node in 0..nodes {
        let mut times = busy(r, rate, (from, horizon), &load);
        for at in now_and_then(r, (between, 3.0 * between), (from, horizon)) {
            let crowd = whole(r.pareto(5.0, 0.9)).min(pool.most);
            times.extend(r.moments(crowd, at, at + 0.5 * takes));
        }
        times.sort_by(f64::total_cmp);
        let requests = taking(r, times, (takes, 1.0, 30.0));
        keep(s, &pool.serve(&requests), node, 0);
    }
    s.limit(limit_above(r, pool.most * nodes + COMPANY));
    company(r, s, from);
}

/// Each key has its node, and rare keys come late: some drivers ask every 30 s whether
/// the node is there, others are silent until the next key. The process is deployed anew once or twice a day, and begins again.
/// Bounded by the nodes times the connections to each.
fn warm_nodes(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let mean = r.log_uniform(8.0, 60.0) * HOUR;
    let mut lives = chain(r, (-0.9 * DAY, horizon), 4.0, |r| HOUR + r.exponential(mean));
    let (nodes, each) = (r.integer(8, 200), r.integer(1, 4));
    let (needed, heartbeats) = (r.log_uniform(2.0, 150.0) * MINUTE, r.chance(0.5));
    if let Some((_, end)) = lives.last_mut() {
        *end = NEVER;
    }
    for (from, to) in &lives {
        for node in 0..nodes {
            let needed = needed * r.lognormal(1.0, 1.3);
            let every = if heartbeats { 30.0 } else { needed.max(1.0) };
            for _ in 0..each {
                let at = from + 1.0 + r.exponential(needed);
                if at < *to {
                    s.open([at]).close(|_| *to).every(every).with(|| node);
                }
            }
        }
    }
    s.lives(lives);
    s.limit(limit_above(r, nodes * each + COMPANY));
}

/// The name is asked every half minute or so; a backend that is not in the answer any more gets nothing new, and its
/// connections go when they are idle. Bounded by what is kept for each of the backends.
fn new_addresses(r: &mut Random, s: &mut Scene) {
    let (from, horizon) = (begins(r, s), s.horizon());
    let (slots, mean) = (r.integer(2, 20), r.log_uniform(1.0, 20.0) * HOUR);
    let pool = KeepAlive {
        most: r.integer(4, 40),
        idle: r.pick(&[60.0, 90.0, 300.0, 900.0]),
        newest: r.chance(0.5),
        ..KeepAlive::ANY
    };
    let (load, rate) = (tide(r, (0.2, 0.8)), r.log_uniform(0.05, 0.5) / real(slots));
    let (takes, mut address, mut all): (f64, usize, Vec<Kept>) = (r.log_uniform(0.05, 15.0), 0, Vec::new());
    // A release replaces all of them within minutes.
    let releases = now_and_then(r, (6.0, 40.0), (from, horizon));
    for _ in 0..slots {
        let mut starts: Vec<f64> = chain(r, (from, horizon), 1.0, |r| 300.0 + r.exponential(mean))
            .into_iter()
            .map(|(up, _)| up)
            .collect();
        starts.extend(releases.iter().map(|at| at + r.uniform(0.0, 600.0)));
        starts.sort_by(f64::total_cmp);
        for (number, up) in starts.iter().enumerate() {
            let down = starts.get(number + 1).copied().unwrap_or(horizon);
            let times = busy(r, rate, (*up, down), &load);
            let requests = taking(r, times, (takes, 1.1, 900.0));
            let kept = pool.serve(&requests);
            keep(s, &kept, address, 0);
            all.extend(kept);
            address += 1;
        }
    }
    room_for(r, s, &all);
    company(r, s, from);
}

/// Envoy: a pool for each worker thread and host, made with the first request that the thread gets for it. Some hosts
/// are asked all the time, most a few times a day. Bounded by threads times hosts, but for the requests at once.
fn mesh_hosts(r: &mut Random, s: &mut Scene) {
    let (from, horizon, calendar) = (begins(r, s), s.horizon(), Calendar::any(r));
    let (workers, hosts) = (r.pick(&[1, 2, 4, 8]), r.integer(15, 250));
    let rate = r.log_uniform(0.05, 0.5);
    let (takes, idle) = (r.log_uniform(0.01, 2.0), r.pick(&[HOUR, HOUR, 900.0]));
    let pool = KeepAlive {
        idle,
        ..KeepAlive::ANY
    };
    let mut calls: Vec<Vec<f64>> = vec![Vec::new(); workers * hosts];
    for at in busy(r, rate, (from, horizon), |at| 0.1 + 0.9 * calendar.office(at)) {
        let host = popular(r.uniform(0.0, 1.0), hosts);
        let place = host * workers + r.integer(0, workers - 1);
        if let Some(calls) = calls.get_mut(place) {
            calls.push(at);
        }
    }
    let mut all: Vec<Kept> = Vec::new();
    for (place, times) in calls.into_iter().enumerate() {
        let requests: Vec<Span> = taking(r, times, (takes, 1.0, 120.0));
        let kept = pool.serve(&requests);
        keep(s, &kept, place / workers, 0);
        all.extend(kept);
    }
    room_for(r, s, &all);
}
