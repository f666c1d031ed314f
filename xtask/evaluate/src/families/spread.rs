//! Many peers, or many processes: what no single group shows.

use super::{
    Family,
    parts::{beside, pings},
};
use crate::{
    number::real,
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "L_spread_backends",
        36.0,
        spread_backends,
        "one leaks to each of 500 backends, in turn",
    ),
    Family::leak(
        "L_spread_clients",
        48.0,
        spread_clients,
        "clients of all addresses vanish, and the server keeps their connections",
    ),
    Family::leak(
        "L_prefork",
        36.0,
        prefork,
        "one client leaks into 8 workers of a server",
    )
    .held_out(),
    Family::leak(
        "L_one_of_mesh",
        48.0,
        one_of_mesh,
        "5 to 60 an hour to one backend of a healthy mesh",
    ),
    Family::healthy(
        "H_mesh",
        48.0,
        mesh,
        "a few connections to each of hundreds of backends, replaced after hours",
    ),
    Family::healthy(
        "H_discovery",
        48.0,
        discovery,
        "ever more backends, found one after the other, each with a connection or two",
    ),
    Family::healthy(
        "H_crawler",
        24.0,
        crawler,
        "one connection to each of thousands of addresses, kept for minutes",
    ),
    Family::healthy(
        "H_prefork",
        36.0,
        prefork_healthy,
        "8 workers behind a load balancer that keeps connections alive",
    )
    .held_out(),
];

fn spread_backends(r: &mut Random, s: &mut Scene) {
    const BACKENDS: usize = 500;
    let rate = r.log_uniform(10.0, 200.0) / HOUR;
    let from = r.uniform(0.0, 2.0 * HOUR);
    let every = pings(r);
    let mut turn = 0;
    s.open(r.arrivals(rate, from, s.horizon()))
        .leak()
        .every(every)
        .with(|| {
            turn += 1;
            turn % BACKENDS
        });
    let (rate, median) = (r.log_uniform(0.02, 0.3), r.log_uniform(0.2, 30.0));
    s.open(r.arrivals(rate, 0.0, s.horizon()))
        .live(|| r.lognormal(median, 1.0))
        .with(|| turn_of(&mut turn, BACKENDS));
}

/// The next one, in turn.
fn turn_of(turn: &mut usize, count: usize) -> usize {
    *turn += 7;
    *turn % count
}

fn spread_clients(r: &mut Random, s: &mut Scene) {
    let (rate, share) = (r.log_uniform(0.01, 0.1), r.log_uniform(0.02, 0.3));
    let (median, every) = (r.log_uniform(10.0, 20.0 * MINUTE), r.uniform(10.0, 60.0));
    let times = r.arrivals(rate, 0.0, s.horizon());
    let (gone, closed): (Vec<f64>, Vec<f64>) = times.into_iter().partition(|_| r.chance(share));
    let mut address = 0;
    s.open(closed)
        .live(|| r.lognormal(median, 1.0))
        .every(every)
        .with(|| turn_of(&mut address, 100_000));
    s.open(gone)
        .leak()
        .used(|| r.lognormal(median, 1.0))
        .with(|| turn_of(&mut address, 100_000));
    s.inbound();
    s.limit(r.pick(&[1024, 4096]));
}

/// A server with eight workers.
fn workers(s: &mut Scene) -> [usize; 8] {
    let mut workers = [0; 8];
    for worker in workers.iter_mut().skip(1) {
        *worker = s.program("app");
    }
    s.inbound();
    workers
}

fn prefork(r: &mut Random, s: &mut Scene) {
    let workers = workers(s);
    let rate = r.log_uniform(40.0, 600.0) / HOUR;
    let from = r.uniform(0.0, 2.0 * HOUR);
    let every = pings(r);
    s.open(r.arrivals(rate, from, s.horizon()))
        .leak()
        .every(every)
        .of(|| r.pick(&workers));
    let (rate, median) = (r.log_uniform(0.02, 0.3), r.log_uniform(0.2, 30.0));
    s.open(r.arrivals(rate, 0.0, s.horizon()))
        .live(|| r.lognormal(median, 1.0))
        .of(|| r.pick(&workers))
        .with(|| r.integer(0, 20));
}

/// A few connections to each of many backends.
fn backends(r: &mut Random, s: &mut Scene, count: usize) {
    let (warmup, life) = (
        r.log_uniform(MINUTE, HOUR),
        r.log_uniform(2.0 * HOUR, 20.0 * HOUR),
    );
    for backend in 0..count {
        for _ in 0..r.integer(1, 4) {
            let (mut at, every) = (r.uniform(0.0, warmup), r.log_uniform(1.0, 120.0));
            while at < s.horizon() {
                let lasts = r.exponential(life);
                s.open([at]).live(|| lasts).every(every).with(|| backend);
                at += lasts + r.uniform(0.1, 60.0);
            }
        }
    }
    s.limit(65_536);
}

fn one_of_mesh(r: &mut Random, s: &mut Scene) {
    let count = r.integer(20, 80);
    backends(r, s, count);
    let (backend, every) = (r.integer(0, count - 1), pings(r));
    let rate = r.log_uniform(5.0, 60.0) / HOUR;
    let from = r.uniform(0.0, 6.0 * HOUR);
    s.open(r.arrivals(rate, from, s.horizon()))
        .leak()
        .every(every)
        .with(|| backend);
    s.limit(4096);
}

fn mesh(r: &mut Random, s: &mut Scene) {
    let count = r.integer(100, 400);
    backends(r, s, count);
}

fn discovery(r: &mut Random, s: &mut Scene) {
    let (count, span) = (r.integer(50, 400), r.log_uniform(4.0 * HOUR, 40.0 * HOUR));
    let each = r.integer(1, 2);
    for (backend, at) in r.moments(count, 0.0, span).into_iter().enumerate() {
        let every = r.log_uniform(1.0, 120.0);
        // Some leave again.
        let lasts = if r.chance(0.3) {
            r.exponential(DAY)
        } else {
            2.0 * s.horizon()
        };
        s.open(r.moments(each, at, at + 2.0))
            .live(|| lasts)
            .every(every)
            .with(|| backend);
    }
    s.limit(r.pick(&[1024, 4096, 65_536]));
}

fn crawler(r: &mut Random, s: &mut Scene) {
    let (rate, median) = (r.log_uniform(0.02, 0.4), r.log_uniform(5.0, 5.0 * MINUTE));
    let mut address = 0;
    s.open(r.arrivals(rate, 0.0, s.horizon()))
        .live(|| r.lognormal(median, 0.8))
        .used(|| real(r.integer(1, 20)))
        .with(|| turn_of(&mut address, 100_000));
    beside(r, s, (0.001, 0.01), (1.0, 10.0));
}

fn prefork_healthy(r: &mut Random, s: &mut Scene) {
    let workers = workers(s);
    let (size, life) = (r.integer(10, 120), r.log_uniform(5.0 * MINUTE, 3.0 * HOUR));
    let balancers = r.integer(1, 3);
    for _ in 0..size {
        let (mut at, every) = (r.uniform(0.0, 20.0 * MINUTE), r.log_uniform(1.0, 300.0));
        while at < s.horizon() {
            let lasts = r.exponential(life);
            s.open([at])
                .live(|| lasts)
                .every(every)
                .of(|| r.pick(&workers))
                .with(|| r.integer(1, balancers));
            at += lasts + r.exponential(30.0);
        }
    }
}
