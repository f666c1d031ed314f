//! Leaks that depend on what a process is, and on what happens to it.

use super::{
    Calendar, begins_to_leak, chain, hold,
    keep_alive::{KeepAlive, keep},
    requests,
};
use crate::{
    families::{
        Family,
        parts::{beside, leak_hourly, pings},
    },
    number::real,
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "B_L_night_job",
        120.0,
        night_job,
        "a nightly job that leaves some of its connections",
    ),
    Family::leak(
        "B_L_deployment",
        72.0,
        deployment,
        "a healthy service, until a version that leaks is deployed",
    ),
    Family::leak(
        "B_L_websocket_per_job",
        48.0,
        websocket_per_job,
        "a runner that leaves the websocket of each job open",
    ),
    Family::leak(
        "B_L_exporter",
        72.0,
        exporter,
        "an exporter whose scrapes of a hung target are never given up",
    ),
    Family::leak(
        "B_L_nightly_restart",
        96.0,
        nightly_restart,
        "a leak that a restart every night hides",
    ),
    Family::leak(
        "B_L_one_child",
        72.0,
        one_child,
        "one child of a prefork server leaks, its siblings do not",
    ),
    Family::leak(
        "B_L_reconnect_storm",
        4.0,
        reconnect_storm,
        "after a partition a client connects in a loop and keeps what it gets",
    ),
    Family::leak(
        "B_L_informers",
        72.0,
        informers,
        "a controller that makes its informers anew and does not stop the old ones",
    ),
];

/// ETL by cron: the error path of some tables forgets a connection. The job is a thread of a service that stays.
fn night_job(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::any(r);
    let (hour, length) = (r.uniform(0.0, 24.0) * HOUR, r.log_uniform(0.4, 5.0) * HOUR);
    let (count, parallel) = (r.log_uniform(7.0, 150.0), r.integer(2, 16));
    let (every, wait) = (pings(r), r.pick(&[NEVER, NEVER, 8.0 * HOUR, HOUR]));
    for day in calendar.days(s.horizon()) {
        let from = day + hour;
        let to = from + length * r.uniform(0.8, 1.3);
        if from < 0.0 {
            continue;
        }
        let nightly = r.poisson(count);
        let times = r.moments(nightly, from, to);
        let batch = s.open(times).leak().every(every);
        if wait.is_finite() && every.is_infinite() {
            batch.peer_closes(|| wait);
        }
        let workers = r.moments(parallel, from, from + MINUTE);
        s.open(workers).close(|_| to + r.uniform(0.0, MINUTE)).every(5.0);
    }
    beside(r, s, (0.001, 0.03), (0.05, 5.0));
    s.limit(r.pick(&[256, 1024, 1024, 4096]));
}

/// A deployment in the middle of the day; nothing else changes. The pool is `HikariCP`'s: 10 by default, 30 min.
fn deployment(r: &mut Random, s: &mut Scene) {
    let (horizon, at) = (s.horizon(), r.uniform(8.0, 30.0) * HOUR);
    s.lives(vec![(0.0, at), (at, NEVER)]);
    s.limit(r.pick(&[1024, 1024, 4096, 65_536]));
    let (size, life) = (r.integer(5, 50), r.log_uniform(10.0 * MINUTE, 3.0 * HOUR));
    let every = r.log_uniform(1.0, 120.0);
    let rate = r.log_uniform(0.005, 0.15);
    for (from, to) in [(-HOUR, at), (at + 1.0, horizon)] {
        for _ in 0..size {
            let first = from + r.uniform(0.0, 30.0);
            let spans = chain(r, (first, to), 1.0, |r| life * r.uniform(0.95, 1.0));
            hold(s, &spans).every(every);
        }
        let served = requests(r, (from, to), rate, (0.5, 1.5), |_| 1.0);
        let pool = KeepAlive {
            idle: 60.0,
            ..KeepAlive::ANY
        };
        keep(s, &pool.serve(&served), 1, 0);
    }
    // What leaks goes to one of the two.
    let (rate, peer) = (r.log_uniform(5.0, 400.0) / HOUR, r.integer(0, 1));
    let every = pings(r);
    let times = r.arrivals(rate, at + 5.0, horizon);
    s.open(times).leak().every(every).with(|| peer);
}

/// A runner that attaches to a browser (Chrome's debugging protocol) or a container (`kubectl attach`) by a
/// websocket. Pings come every 15 to 60 s (`ws`: 30 s in its manual); when the container goes, some proxies close.
fn websocket_per_job(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let (most, median) = (
        r.log_uniform(4.0, 90.0) / HOUR,
        r.log_uniform(MINUTE, 40.0 * MINUTE),
    );
    let limit = r.pick(&[256, 1024, 4096]);
    let from = begins_to_leak(r, s, limit, most);
    let jobs = requests(r, (from, s.horizon()), most, (median, 0.7), |at| {
        0.2 + 0.8 * calendar.office(at)
    });
    let (share, fate, every) = (r.pick(&[1.0, 1.0, 0.3]), r.integer(0, 2), r.uniform(15.0, 60.0));
    for (at, lasts) in jobs {
        let batch = s.open([at]);
        if !r.chance(share) {
            batch.live(|| lasts).every(every);
            continue;
        }
        let batch = batch.leak();
        match fate {
            0 => batch.every(every),
            1 => batch.used(|| lasts),
            _ => batch.used(|| lasts).peer_closes(|| lasts + 10.0),
        };
    }
    // To the queue, from which jobs come.
    let poll = r.pick(&[20.0, 30.0, 50.0]);
    let spans = chain(r, (from, s.horizon()), 1.0, |r| 60.0 * r.uniform(10.0, 60.0));
    hold(s, &spans).every(poll).with(|| 1);
}

/// An exporter that asks its targets whenever it is scraped (15 s to a minute; Prometheus gives up after 10 s) and
/// does not pass the deadline on: while a target hangs, each scrape leaves a connection there.
fn exporter(r: &mut Random, s: &mut Scene) {
    let (targets, period) = (r.integer(5, 120), r.pick(&[15.0, 30.0, 60.0]));
    let horizon = s.horizon();
    for target in 0..targets {
        let life = r.log_uniform(2.0 * HOUR, 200.0 * HOUR);
        let start = r.uniform(-DAY, 0.0);
        let spans = chain(r, (start, horizon), 10.0, |r| r.exponential(life));
        hold(s, &spans).every(period).with(|| target);
    }
    let (mean, length) = (
        r.log_uniform(3.0, 16.0) * HOUR,
        r.log_uniform(8.0 * MINUTE, 2.0 * HOUR),
    );
    let (hung, comes_back) = (r.integer(0, targets - 1), r.chance(0.3));
    let mut from = r.uniform(0.0, 8.0 * HOUR);
    while from < horizon {
        let lasts = r.lognormal(length, 0.6).max(6.0 * MINUTE);
        let scrapes = r.beats(period, 0.01, lasts);
        let batch = s
            .open(scrapes.into_iter().map(|beat| from + beat))
            .leak()
            .with(|| hung);
        if comes_back {
            // It crashes, and its kernel closes what nobody read.
            batch.peer_closes(|| lasts);
        }
        from += lasts + r.exponential(mean);
    }
    s.limit(r.pick(&[1024, 4096, 65_536]));
}

/// `systemctl restart` by cron at night, because "it helps".
fn nightly_restart(r: &mut Random, s: &mut Scene) {
    let first = r.uniform(2.0, 18.0) * HOUR;
    let starts: Vec<f64> = (0..4).map(|night| first + DAY * f64::from(night)).collect();
    let mut lives = vec![(0.0, first)];
    let ends = starts.iter().skip(1).copied().chain([NEVER]);
    lives.extend(starts.iter().copied().zip(ends));
    s.lives(lives);
    s.limit(r.pick(&[1024, 4096, 16_384]));
    leak_hourly(r, s, (6.0, 250.0), 0.0);
    beside(r, s, (0.005, 0.1), (0.1, 30.0));
    // Each life fills its pool.
    let (size, every) = (r.integer(4, 40), r.log_uniform(2.0, 300.0));
    for start in [&[-HOUR], starts.as_slice()].concat() {
        let times = r.moments(size, start + 1.0, start + 5.0 * MINUTE);
        s.open(times).every(every).with(|| 1);
    }
}

/// gunicorn, Apache's prefork: each child has clients of its own for a cache and a database. One got into a state in
/// which it connects for each request. `max_requests` replaces the children that serve much.
fn one_child(r: &mut Random, s: &mut Scene) {
    s.limit(r.pick(&[256, 1024, 1024, 4096]));
    let horizon = s.horizon();
    let count = r.integer(4, 16);
    let children: Vec<usize> = (0..count)
        .map(|child| if child == 0 { 0 } else { s.program("worker") })
        .collect();
    let (cache, base) = (r.integer(1, 3), r.integer(1, 5));
    for child in &children {
        let times = r.moments(cache, -0.9 * DAY, 0.0);
        s.open(times).every(r.log_uniform(1.0, 60.0)).of(|| *child);
        for _ in 0..base {
            let start = r.uniform(-HOUR, 10.0 * MINUTE);
            let spans = chain(r, (start, horizon), 2.0, |r| r.uniform(0.9, 1.0) * HOUR);
            hold(s, &spans).every(20.0).of(|| *child).with(|| 1);
        }
    }
    let (guilty, rate) = (r.pick(&children), r.log_uniform(4.0, 80.0) / HOUR);
    let from = r.uniform(0.0, 12.0 * HOUR);
    let (every, peer) = (pings(r), r.integer(0, 1));
    let times = r.arrivals(rate, from, horizon);
    s.open(times).leak().every(every).of(|| guilty).with(|| peer);
}

/// A client library that, when a partition is over, finds its state wrong, connects again at once and again, and
/// keeps each socket it got, with a pause of 0.1 to 2 s. It is the loop without back-off that post-mortems tell of.
fn reconnect_storm(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[1024, 4096, 16_384, 65_536]);
    // Four minutes at the least.
    let rate = r.log_uniform(0.5, 8.0).min(f64::from(limit) / 240.0);
    let from = r.uniform(0.3, 4.0) * HOUR;
    let partition = r.log_uniform(20.0, 20.0 * MINUTE);
    let until = from + partition + 1.2 * f64::from(limit) / rate;
    s.limit(limit);
    s.lasts(until.min(from + 24.0 * HOUR));
    let (clients, every) = (r.integer(1, 20), r.log_uniform(1.0, 60.0));
    let before: Vec<_> = (0..clients)
        .map(|_| (-r.uniform(0.1, 20.0) * HOUR, from + r.uniform(15.0, 60.0)))
        .collect();
    hold(s, &before).every(every);
    let attempts = r.arrivals(real(clients) / 130.0, from, from + partition);
    s.open(attempts).unanswered().close(|at| at + 127.0);
    // Each is greeted, and given up.
    let (busy, closes) = (r.uniform(0.01, 1.0), r.chance(0.3));
    let timeout = r.log_uniform(10.0, 10.0 * MINUTE);
    let times = r.arrivals(rate, from + partition, until.min(s.horizon()));
    let batch = s.open(times).leak().used(|| busy);
    if closes {
        batch.peer_closes(|| busy + timeout);
    }
    beside(r, s, (0.01, 0.2), (0.1, 10.0));
}

/// client-go: an informer factory for each change of configuration, with a dialler of its own, so that the cache of
/// transports never has what is asked for. The old watches go on and get each event.
fn informers(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let (rate, each) = (r.log_uniform(0.4, 6.0) / HOUR, r.integer(1, 6));
    let events = r.log_uniform(2.0, 300.0);
    let limit = r.pick(&[256, 1024, 4096, 65_536]);
    let from = begins_to_leak(r, s, limit, rate * real(each));
    let mut changes = r.arrivals(rate, from, horizon);
    changes.insert(0, from);
    let last = changes.len() - 1;
    for (number, at) in changes.iter().enumerate() {
        let watches = s.open(r.moments(each, *at, at + 2.0)).every(events);
        if number < last {
            watches.leak();
        }
    }
    s.onset(changes.get(1).copied().unwrap_or_default());
    beside(r, s, (0.002, 0.05), (0.05, 3.0));
}
