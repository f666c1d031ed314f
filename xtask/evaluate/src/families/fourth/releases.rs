//! Leaks beside what is well: a new version, a large pool, a rare path, an outage.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        fourth::{company, lasting, taking},
        keep_alive::{KeepAlive, keep},
        parts::{chain, pings},
        third::{busy, fills, forget_plenty, plenty, tide},
    },
    number::real,
    random::Random,
    scene::Scene,
    world::{HOUR, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "E_L_new_version",
        110.0,
        new_version,
        "a service that is well until a release, which forgets to give back some of its connections",
    ),
    Family::leak(
        "E_L_beside_fleet",
        120.0,
        beside_fleet,
        "a few an hour beside hundreds of connections that are pinged and replaced after hours",
    ),
    Family::leak(
        "E_L_print_jobs",
        130.0,
        print_jobs,
        "a print server's connections to printers that were out of paper, a few an hour",
    ),
    Family::leak(
        "E_L_outage_retries",
        60.0,
        outage_retries,
        "a client that, while its backend refuses, connects again every second or so and closes none",
    ),
];

/// Released at some hour by a restart. One of the calls of the new version is not released into the pool; the pool has
/// no bound, and makes another when it is needed.
fn new_version(r: &mut Random, s: &mut Scene) {
    let (limit, horizon) = (r.pick(&[1024, 1024, 4096, 16_384]), s.horizon());
    let rate = f64::from(limit) / (r.log_uniform(2.0, 45.0) * HOUR);
    let share = r.log_uniform(0.03, 0.6).max(f64::from(limit) / 30_000.0);
    // Not more than some ten thousand before.
    let released = (r.uniform(1.5, 30.0) * HOUR).min(25_000.0 * share / rate);
    let (load, takes) = (tide(r, (0.2, 0.8)), r.log_uniform(0.02, 5.0));
    let pool = KeepAlive {
        idle: r.pick(&[30.0, 90.0, 600.0]),
        newest: r.chance(0.7),
        ..KeepAlive::ANY
    };
    let mut calls = busy(r, 1.5 * rate / share, (0.0, horizon), load);
    calls.truncate(100_000);
    let (before, after): (Vec<f64>, Vec<f64>) = calls.into_iter().partition(|at| *at < released);
    let before = taking(r, before, (takes, 1.0, 120.0));
    keep(s, &pool.serve(&before), 0, 0);
    let restarted = released + r.uniform(2.0, 20.0);
    let after: Vec<f64> = after.into_iter().filter(|at| *at > restarted).collect();
    let (lost, well) = forget_plenty(r, after, share, limit);
    let well = taking(r, well, (takes, 1.0, 120.0));
    keep(s, &pool.serve(&well), 0, 0);
    let hangs_up = r.pick(&[NEVER, NEVER, 60.0, 600.0, 8.0 * HOUR]);
    let every = if hangs_up < NEVER { NEVER } else { pings(r) };
    s.open(lost)
        .leak()
        .used(|| r.lognormal(takes, 1.0))
        .every(every)
        .peer_closes(|| hangs_up);
    s.lives(vec![(0.0, released), (restarted, NEVER)]);
    s.limit(limit);
    company(r, s, restarted);
}

/// A gateway holds a connection for each of its long sessions, under the default limit; what is left of it goes in half
/// a day to four. To the same server, or to one of many.
fn beside_fleet(r: &mut Random, s: &mut Scene) {
    let (limit, horizon) = (r.pick(&[1024, 1024, 2048]), s.horizon());
    let fleet = r.integer(250, 700);
    let from = if r.chance(0.6) { -20.0 * HOUR } else { 0.0 };
    let (life, every) = (r.log_uniform(4.0, 48.0) * HOUR, r.log_uniform(5.0, 60.0));
    let peers = r.pick(&[1, 1, 4, 40]);
    for _ in 0..fleet {
        let joins = from + r.uniform(0.0, 900.0);
        let spans = chain(r, (joins, horizon), 10.0, |r| 60.0 + r.exponential(life));
        let peer = r.integer(0, peers - 1);
        lasting(s, spans).every(every).with(|| peer);
    }
    let rest = f64::from(limit) - real(fleet);
    let rate = rest / (r.log_uniform(10.0, 90.0) * HOUR);
    let (start, load) = (r.uniform(-5.0, 10.0) * HOUR, tide(r, (0.0, 0.7)));
    let start = start.max(from);
    let mut times = busy(r, 1.5 * rate, (start, horizon), load);
    times.truncate(plenty(limit));
    let pinged = r.chance(0.35);
    s.open(times)
        .leak()
        .every(if pinged { every } else { NEVER })
        .used(|| r.exponential(300.0))
        .with(|| r.integer(0, peers - 1));
    s.limit(limit);
}

/// A job to a printer without paper gives up after a minute and leaves the socket; printers that are switched off in
/// the evening say nothing. An old default of 256 descriptors, a handful an hour in the hours of work.
fn print_jobs(r: &mut Random, s: &mut Scene) {
    let (calendar, limit) = (Calendar::early_in_the_week(r), r.pick(&[256, 256, 512]));
    // A third of the hours are of work.
    let (rate, from) = fills(r, s, limit, (7.0, 26.0));
    let (share, printers) = (r.uniform(0.04, 0.3), r.integer(3, 60));
    let jobs = busy(r, rate / share, (from, s.horizon()), |at| calendar.office(at));
    let (stuck, well) = forget_plenty(r, jobs, share, limit);
    // Some run out of paper more often.
    let worst = r.integer(1, printers);
    s.open(stuck)
        .leak()
        .used(|| r.uniform(1.0, 60.0))
        .with(|| r.integer(0, worst - 1));
    for at in well {
        let lasts = r.lognormal(12.0, 0.9).min(900.0);
        s.open([at])
            .live(|| lasts)
            .used(|| lasts)
            .with(|| r.integer(0, printers - 1));
    }
}

/// The backend accepts and then refuses the session: a full table, a bad certificate, a schema that does not fit. The
/// client throws before it has stored the socket. Before the outage it had a handful of good connections.
fn outage_retries(r: &mut Random, s: &mut Scene) {
    let (limit, horizon) = (r.pick(&[1024, 1024, 4096, 16_384]), s.horizon());
    let (workers, outage) = (r.integer(2, 60), r.uniform(0.3, 20.0) * HOUR);
    let rate = f64::from(limit) / (r.log_uniform(0.33, 14.0) * HOUR);
    let pause = real(workers) / rate;
    let (every, life) = (r.log_uniform(1.0, 60.0), r.log_uniform(0.5, 8.0) * HOUR);
    let hangs_up = r.pick(&[0.05, 10.0, 60.0, NEVER]);
    let until = horizon.min(outage + 2.0 * f64::from(limit) / rate);
    s.lasts(until);
    for _ in 0..workers {
        let joins = -r.uniform(0.0, 2.0 * HOUR);
        let spans = chain(r, (joins, outage), 0.5, |r| life * r.uniform(0.9, 1.0));
        lasting(s, spans).every(every);
        let tries = r.beats(pause, 0.3, until - outage);
        s.open(tries.into_iter().map(|at| outage + at))
            .leak()
            .used(|| 0.05)
            .peer_closes(|| hangs_up);
    }
    s.limit(limit);
    company(r, s, -HOUR);
}
