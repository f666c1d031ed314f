//! Clients that keep connections on purpose.

use super::{
    Calendar, begins, chain, hold,
    keep_alive::{KeepAlive, keep, popular},
    limit_above, requests,
};
use crate::{
    families::{Family, parts::daily},
    number::real,
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "B_H_transport",
        36.0,
        transport,
        "an HTTP client's pool at several hosts, with bursts",
    ),
    Family::healthy(
        "B_H_tenant_pools",
        60.0,
        tenant_pools,
        "a database pool for each tenant, made when the tenant comes first",
    ),
    Family::healthy(
        "B_H_orm_workers",
        60.0,
        orm_workers,
        "workers with a pool and an overflow each, never recycled",
    ),
    Family::healthy(
        "B_H_pooler",
        48.0,
        pooler,
        "a pooler between many clients and a database",
    ),
    Family::healthy(
        "B_H_upstream_keepalive",
        24.0,
        upstream_keepalive,
        "a proxy's kept connections, closed by age, count and silence",
    ),
    Family::healthy(
        "B_H_sidecar",
        48.0,
        sidecar,
        "a sidecar with an hour of idle timeout and services that are seldom called",
    ),
    Family::healthy(
        "B_H_stale_pool",
        48.0,
        stale_pool,
        "kept connections that the other side has closed, noticed at their next use",
    ),
    Family::healthy(
        "B_H_record_load",
        96.0,
        record_load,
        "a bounded pool without eviction that grows with each record",
    ),
];

/// Go's `net/http`: 2 idle connections per host by default, often 10 or 100; `IdleConnTimeout` 90 s, or none.
fn transport(r: &mut Random, s: &mut Scene) {
    let (horizon, hosts) = (s.horizon(), r.integer(1, 8));
    let (swing, phase) = (r.uniform(0.0, 0.95), r.uniform(0.0, 6.0));
    let pool = KeepAlive {
        kept: r.pick(&[2, 2, 10, 100]),
        idle: r.pick(&[90.0, 90.0, 300.0, HOUR]),
        ..KeepAlive::ANY
    };
    for host in 0..hosts {
        let (most, median) = (r.log_uniform(0.002, 0.25), r.log_uniform(0.02, 40.0));
        let load = daily(1.0 / (1.0 + swing), swing, phase);
        let mut served = requests(r, (-HOUR, horizon), most, (median, 1.2), load);
        // A page or a job that asks for much at once.
        let mean = r.log_uniform(0.5, 10.0) * HOUR;
        for burst in r.arrivals(1.0 / mean, 0.0, horizon) {
            for at in r
                .moments(30, burst, burst + 10.0)
                .into_iter()
                .skip(r.integer(0, 27))
            {
                served.push((at, r.lognormal(median, 1.0)));
            }
        }
        served.sort_by(|a, b| a.0.total_cmp(&b.0));
        keep(s, &pool.serve(&served), host, 0);
    }
    s.limit(limit_above(r, 200 + 30 * hosts));
}

/// A `HikariCP` pool per tenant (10 connections, 30 min by default; small ones for many tenants), filled at once when
/// the tenant's first request comes. Popular tenants come in minutes, the others over days.
fn tenant_pools(r: &mut Random, s: &mut Scene) {
    let (tenants, size) = (r.integer(10, 90), r.integer(2, 10));
    let (rate, horizon) = (r.log_uniform(10.0, 400.0) / HOUR, s.horizon());
    // Who has many connections lets them live longer.
    let least = real(tenants * size) * horizon / 50_000.0;
    let life = (30.0 * MINUTE * r.pick(&[1.0, 1.0, 4.0, 16.0])).max(least);
    let alive = r.uniform(30.0, 300.0);
    let (calendar, from) = (Calendar::any(r), begins(r, s));
    let databases = r.integer(1, 4);
    let mut known = vec![false; tenants];
    for at in r.arrivals_varying(rate, from, horizon, |at| 0.1 + 0.9 * calendar.office(at)) {
        let tenant = popular(r.uniform(0.0, 1.0), tenants);
        let Some(known @ false) = known.get_mut(tenant) else {
            continue;
        };
        *known = true;
        for place in 0..size {
            let first = at + 0.1 * real(place);
            let spans = chain(r, (first, horizon), 0.5, |r| life * r.uniform(0.975, 1.0));
            hold(s, &spans).every(alive).with(|| tenant % databases);
        }
    }
    s.limit(limit_above(r, tenants * size));
}

/// `SQLAlchemy` in each of gunicorn's workers: `pool_size` 5, `max_overflow` 10 that close when they come back,
/// `pool_recycle` -1. The kernel gives most work to the workers that woke up last, so that some fill late.
fn orm_workers(r: &mut Random, s: &mut Scene) {
    let (workers, horizon) = (r.integer(4, 16), s.horizon());
    s.limit(limit_above(r, 15 * workers));
    let (most, median) = (r.log_uniform(0.01, 0.6), r.log_uniform(0.2, 30.0));
    let calendar = Calendar::any(r);
    let pool = KeepAlive {
        most: 15,
        kept: 5,
        newest: r.chance(0.3),
        ..KeepAlive::ANY
    };
    let from = begins(r, s);
    let all = requests(r, (from, horizon), most, (median, 1.3), |at| {
        0.05 + 0.95 * calendar.office(at)
    });
    let mut shares = vec![Vec::new(); workers];
    for request in all {
        if let Some(share) = shares.get_mut(popular(r.uniform(0.0, 1.0), workers)) {
            share.push(request);
        }
    }
    for (worker, share) in shares.iter().enumerate() {
        let program = if worker == 0 { 0 } else { s.program("worker") };
        keep(s, &pool.serve(share), 0, program);
    }
}

/// `PgBouncer` toward its servers: `default_pool_size` 20 for each user and database, `server_lifetime` an hour,
/// `server_idle_timeout` 600 s; the last one that came back goes out first (`server_round_robin` 0).
fn pooler(r: &mut Random, s: &mut Scene) {
    let (pools, horizon) = (r.integer(1, 25), s.horizon());
    let pool = KeepAlive {
        most: 20,
        kept: 20,
        idle: 600.0,
        life: HOUR,
        ..KeepAlive::ANY
    };
    let calendar = Calendar::any(r);
    let budget = 1.2;
    for number in 0..pools {
        let most = r.log_uniform(0.001, 2.0 * budget / real(pools + 1));
        let median = r.log_uniform(0.01, 60.0);
        let nightly = r.chance(0.2);
        let served = requests(r, (-HOUR, horizon), most, (median, 1.2), |at| {
            if nightly {
                f64::from(u8::from(calendar.hour(at) < 4.0))
            } else {
                0.02 + 0.98 * calendar.office(at)
            }
        });
        keep(s, &pool.serve(&served), number % 3, 0);
    }
    // One pool is never without: the pooler's own checks.
    s.open([-HOUR]).every(30.0);
    s.limit(limit_above(r, (20 * pools).min(400)));
}

/// nginx: `keepalive 32` per worker, `keepalive_requests` 1000, `keepalive_time` an hour, `keepalive_timeout` 60 s.
fn upstream_keepalive(r: &mut Random, s: &mut Scene) {
    s.limit(limit_above(r, 400));
    let (workers, upstreams, horizon) = (r.integer(1, 4), r.integer(1, 4), s.horizon());
    let pool = KeepAlive {
        kept: r.pick(&[8, 16, 32, 64]),
        idle: 60.0,
        life: HOUR,
        requests: r.pick(&[100, 1000, 1000]),
        ..KeepAlive::ANY
    };
    let (swing, phase) = (r.uniform(0.0, 0.9), r.uniform(0.0, 6.0));
    let most = r.log_uniform(0.05, 1.0) / real(workers * upstreams);
    let median = r.log_uniform(0.02, 20.0);
    for worker in 0..workers {
        let program = if worker == 0 { 0 } else { s.program("nginx") };
        for upstream in 0..upstreams {
            let load = daily(1.0 / (1.0 + swing), swing, phase);
            let served = requests(r, (-HOUR, horizon), most, (median, 1.2), load);
            keep(s, &pool.serve(&served), upstream, program);
        }
    }
    // Websockets pass, too (`proxy_read_timeout` raised to an hour or a day).
    let (rate, median) = (r.log_uniform(0.3, 10.0) / HOUR, r.log_uniform(0.2, 3.0) * HOUR);
    let times = r.arrivals(rate, -0.5 * DAY, horizon);
    s.open(times).live(|| r.lognormal(median, 0.8)).every(25.0);
}

/// Envoy: an upstream connection closes after an hour without a stream (`idle_timeout` 1 h), each worker thread has
/// its own, and HTTP/2 needs one each. Services that are called every hour or so come and go at random.
fn sidecar(r: &mut Random, s: &mut Scene) {
    let (threads, services, horizon) = (r.integer(1, 4), r.integer(5, 80), s.horizon());
    let from = begins(r, s);
    let calendar = Calendar::any(r);
    let pool = KeepAlive {
        idle: HOUR,
        ..KeepAlive::ANY
    };
    for service in 0..services {
        // Mean seconds between two calls.
        let between = r.log_uniform(30.0, 6.0 * HOUR);
        let by_day = r.chance(0.6);
        for _ in 0..threads {
            let most = 1.0 / (between * real(threads));
            let served = requests(r, (from, horizon), most, (0.05, 1.0), |at| {
                if by_day { calendar.office(at) } else { 1.0 }
            });
            keep(s, &pool.serve(&served), service, 0);
        }
    }
    // The control plane's stream.
    let spans = chain(r, (from, horizon), 1.0, |r| r.uniform(0.45, 0.55) * HOUR);
    hold(s, &spans).every(15.0).with(|| services);
    s.limit(limit_above(r, services * threads));
}

/// urllib3 keeps 10 pools of 10 (`requests`' defaults), the least recently used going first; Apache's `HttpClient` 20
/// in all, 2 per route (5 and 25 since 5.0). What the server has closed stays half closed until somebody wants to use
/// it.
fn stale_pool(r: &mut Random, s: &mut Scene) {
    let (hosts, each) = (r.integer(3, 10), r.pick(&[2, 5, 10]));
    let (patience, mean) = (
        r.pick(&[5.0, 15.0, 60.0, 75.0, 350.0]),
        r.log_uniform(2.0 * MINUTE, 10.0 * HOUR),
    );
    let (horizon, from) = (s.horizon(), begins(r, s));
    for host in 0..hosts {
        for place in 0..each {
            // Places that only bursts reach are renewed seldom.
            let between = mean * (1.0 + real(place)).powi(2);
            let first = from + r.exponential(between);
            let spans = chain(r, (first, horizon), 0.01, |r| 0.1 + r.exponential(between));
            for (at, end) in spans {
                let end = if end < horizon { end } else { NEVER };
                let used = r.log_uniform(0.05, 20.0);
                s.open([at])
                    .close(|_| end)
                    .used(|| used)
                    .peer_closes(|| used + patience)
                    .with(|| host);
            }
        }
    }
    // At least one: a check every minute at another host.
    let checks = r.beats(60.0, 0.05, horizon);
    s.open(checks).live(|| r.uniform(0.02, 0.5)).with(|| 11);
    s.limit(limit_above(r, hosts * each + 10));
}

/// Commons DBCP: `maxTotal` 8 by default, often 50 to 200, `maxIdle` as many, no eviction
/// (`timeBetweenEvictionRunsMillis` -1), no lifetime, last in first out. It has as many as were ever needed at once.
fn record_load(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let most = r.pick(&[8, 50, 100, 200]);
    let pool = KeepAlive {
        most,
        kept: most,
        newest: r.chance(0.7),
        ..KeepAlive::ANY
    };
    let (rate, horizon) = (r.log_uniform(0.02, 0.3), s.horizon());
    // At the busiest this many are needed, on average.
    let median = r.log_uniform(0.05, 0.3) * real(most) / rate;
    let growth = r.uniform(0.0, 0.5);
    let from = begins(r, s);
    let served = requests(r, (from, horizon), rate, (median.min(20.0 * MINUTE), 0.8), |at| {
        (0.05 + 0.95 * calendar.office(at)) * (1.0 + growth * at.max(0.0) / horizon) / (1.0 + growth)
    });
    keep(s, &pool.serve(&served), 0, 0);
    s.open([from]).every(60.0);
    s.limit(limit_above(r, most));
}
