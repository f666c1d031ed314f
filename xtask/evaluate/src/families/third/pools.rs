//! Healthy pools and caches: they fill slowly, keep what they have, and are no leak.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        keep_alive::{KeepAlive, Kept, keep},
        parts::{Span, begins, chain, limit_above, now_and_then},
        third::{busy, hold_within, peak, tide},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "D_H_grown_pool",
        48.0,
        grown_pool,
        "a pool that has a connection for the largest crowd so far and gives none back",
    ),
    Family::healthy(
        "D_H_tenant_cache",
        48.0,
        tenant_cache,
        "a connection for each customer in a cache that evicts the least recently used",
    ),
    Family::healthy(
        "D_H_lazy_shards",
        48.0,
        lazy_shards,
        "a client of a sharded store that connects to a node when a key of it is wanted first",
    ),
    Family::healthy(
        "D_H_hourly_jobs",
        60.0,
        hourly_jobs,
        "jobs at each hour and quarter, and a pool that lets their connections go minutes later",
    ),
    Family::healthy(
        "D_H_database_proxy",
        48.0,
        database_proxy,
        "a proxy's connections to some databases, with an idle timeout and a maximum lifetime",
    ),
    Family::healthy(
        "D_H_warming_restarts",
        60.0,
        warming_restarts,
        "a service that is deployed several times a day, and after each start connects as it needs to",
    ),
];

/// Each of these with its share of the requests.
fn served(r: &mut Random, times: Vec<f64>, (median, sigma): (f64, f64)) -> Vec<Span> {
    let take = |at| (at, r.lognormal(median, sigma));
    times.into_iter().map(take).collect()
}

/// Puts what a pool kept into a world with room for it.
fn keep_within(r: &mut Random, s: &mut Scene, kept: &[Kept]) {
    let spans: Vec<Span> = kept.iter().map(|one| (one.opened, one.closed)).collect();
    s.limit(limit_above(r, peak(&spans)));
    keep(s, kept, 0, 0);
}

/// `r2d2` and others give out the oldest first, so that none is ever idle for long: services with a worker that polls
/// were all seen at their maximum after a day or two, at any load.
fn grown_pool(r: &mut Random, s: &mut Scene) {
    let from = begins(r, s);
    let pool = KeepAlive {
        most: r.integer(16, 200),
        idle: r.pick(&[30.0, 600.0, 600.0, NEVER]),
        life: r.pick(&[NEVER, 0.5 * HOUR, 0.5 * HOUR, 8.0 * HOUR]),
        newest: false,
        ..KeepAlive::ANY
    };
    let span = (from, s.horizon());
    let (load, most) = (tide(r, (0.0, 0.7)), r.log_uniform(0.05, 0.5));
    let mut times = busy(r, most, span, load);
    // A page that asks for everything at once, now and then.
    for at in now_and_then(r, (0.5, 4.0), span) {
        let crowd = whole(r.pareto(4.0, 1.5)).min(pool.most);
        times.extend(r.moments(crowd, at, at + 1.0));
    }
    times.sort_by(f64::total_cmp);
    let median = r.log_uniform(0.05, 3.0);
    let requests = served(r, times, (median, 1.2));
    keep_within(r, s, &pool.serve(&requests));
}

/// A connection per customer's database in an LRU cache of some hundreds. It fills in hours, then each newcomer costs
/// the one that was not needed longest.
fn tenant_cache(r: &mut Random, s: &mut Scene) {
    let from = begins(r, s);
    let room = r.integer(40, 600);
    let tenants = real(room * r.integer(2, 12));
    let idle = r.pick(&[NEVER, NEVER, HOUR, 4.0 * HOUR]);
    let (load, most) = (tide(r, (0.2, 0.9)), r.log_uniform(0.02, 0.3));
    let mut cache: Vec<(usize, Kept)> = Vec::new();
    let mut gone = Vec::new();
    for at in busy(r, most, (from, s.horizon()), load) {
        // The busiest of them come again and again.
        let tenant = whole(tenants * r.uniform(0.0, 1.0).powi(3));
        let (stay, expired): (Vec<_>, Vec<_>) =
            cache.into_iter().partition(|(_, kept)| at < kept.used + idle);
        cache = stay;
        gone.extend(
            expired
                .into_iter()
                .map(|(tenant, kept)| (tenant, kept.used + idle, kept)),
        );
        let mut one = match cache.iter().position(|(number, _)| *number == tenant) {
            Some(place) => cache.remove(place).1,
            None => Kept {
                opened: at,
                used: at,
                closed: NEVER,
                requests: 0,
                lost: false,
            },
        };
        (one.used, one.requests) = (at, one.requests + 1);
        cache.push((tenant, one));
        if cache.len() > room {
            let (tenant, kept) = cache.remove(0);
            gone.push((tenant, at, kept));
        }
    }
    gone.extend(
        cache
            .into_iter()
            .map(|(tenant, kept)| (tenant, kept.used + idle, kept)),
    );
    let servers = r.pick(&[1, 4, 100_000]);
    for (tenant, closed, kept) in gone {
        keep(s, &[Kept { closed, ..kept }], tenant % servers, 0);
    }
    s.limit(limit_above(r, room + 1));
}

/// Drivers of sharded stores open a connection or a few to each node when it is needed, and keep them: the keys of the
/// rare nodes come hours later. A node's restart makes it begin again.
fn lazy_shards(r: &mut Random, s: &mut Scene) {
    let (from, horizon) = (begins(r, s), s.horizon());
    let (nodes, each) = (r.integer(6, 120), r.integer(1, 6));
    let (median, sigma) = (r.log_uniform(0.05, 4.0) * HOUR, r.uniform(0.8, 1.8));
    let (mean, every) = (r.log_uniform(3.0, 60.0) * DAY, r.pick(&[10.0, 30.0, 30.0, 300.0]));
    for node in 0..nodes {
        for (up, down) in chain(r, (from, horizon), 1.0, |r| HOUR + r.exponential(mean)) {
            let wanted = r.lognormal(median, sigma);
            let down = if down < horizon { down } else { NEVER };
            for _ in 0..each {
                let at = up + r.exponential(wanted);
                if at < down.min(horizon) {
                    s.open([at]).close(|_| down).every(every).with(|| node);
                }
            }
        }
    }
    s.limit(limit_above(r, nodes * each));
}

/// A scheduler's jobs, more of them at the full hour and many at two in the morning. `HikariCP`'s `idleTimeout` is ten
/// minutes, others' half an hour.
fn hourly_jobs(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let pool = KeepAlive {
        idle: r.pick(&[60.0, 600.0, 600.0, 0.5 * HOUR]),
        life: r.pick(&[0.5 * HOUR, NEVER]),
        newest: r.chance(0.5),
        ..KeepAlive::ANY
    };
    let jobs = real(r.integer(4, 60));
    let median = r.log_uniform(3.0, 12.0 * MINUTE);
    let mut times = Vec::new();
    for day in calendar.days(horizon) {
        for quarter in 0..96_u32 {
            let at = day + 15.0 * MINUTE * f64::from(quarter);
            let weight = match quarter {
                8 => 3.0,
                _ if quarter % 4 == 0 => 1.0,
                _ => 0.15,
            };
            let count = r.poisson(jobs * weight);
            times.extend(r.moments(count, at, at + 20.0));
        }
    }
    times.retain(|at| *at >= 0.0);
    times.sort_by(f64::total_cmp);
    let requests = served(r, times, (median, 1.0));
    keep_within(r, s, &pool.serve(&requests));
}

/// `PgBouncer`: pools of 20 for each database, the last used is used next, idle ones go after ten minutes and all after
/// an hour.
fn database_proxy(r: &mut Random, s: &mut Scene) {
    let (from, calendar) = (begins(r, s), Calendar::any(r));
    let pool = KeepAlive {
        most: r.pick(&[20, 20, 50]),
        idle: r.pick(&[600.0, 600.0, 60.0]),
        life: HOUR,
        ..KeepAlive::ANY
    };
    let (databases, one_server) = (r.integer(1, 20), r.chance(0.5));
    let (total, median) = (r.log_uniform(0.1, 0.6), r.log_uniform(0.02, 8.0));
    for database in 0..databases {
        let most = total / real(databases) * r.lognormal(1.0, 0.5).min(3.0);
        let times = busy(r, most, (from, s.horizon()), |at| calendar.office(at));
        let requests = served(r, times, (median, 1.5));
        keep(
            s,
            &pool.serve(&requests),
            if one_server { 0 } else { database },
            0,
        );
    }
    s.limit(limit_above(r, pool.most * databases));
}

/// Two to ten deployments a day: each process begins with a few connections and has what it needs after an hour or so.
fn warming_restarts(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let mean = r.log_uniform(2.5, 12.0) * HOUR;
    let lives = chain(r, (-0.9 * DAY, horizon), 5.0, |r| {
        10.0 * MINUTE + r.exponential(mean)
    });
    let (least, most) = (r.integer(2, 20), r.integer(30, 300));
    let (warms, every) = (r.log_uniform(0.2, 2.5) * HOUR, r.log_uniform(2.0, 300.0));
    let peers = r.pick(&[1, 1, 3, 12]);
    let mut spans = Vec::new();
    for (from, to) in &lives {
        spans.extend(
            r.moments(least, from + 0.5, from + 3.0)
                .into_iter()
                .map(|at| (at, *to)),
        );
        let rest = (least..most).map(|_| (from + 3.0 + r.exponential(warms), *to));
        spans.extend(rest.filter(|(at, end)| at < end));
    }
    hold_within(r, s, &spans)
        .every(every)
        .with(|| r.integer(0, peers - 1));
    let mut lives: Vec<Span> = lives;
    if let Some((_, end)) = lives.last_mut() {
        *end = NEVER;
    }
    s.lives(lives);
}
