//! Leaks of libraries: what they open besides what was asked for, and what they replace.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        parts::chain,
        third::{busy, fills, fills_evenly, forget_plenty, plenty, tide},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "D_L_sentinel_lookups",
        72.0,
        sentinel_lookups,
        "a pool in front of Redis that asks a sentinel for the master at each renewal, and never hangs up there",
    ),
    Family::leak(
        "D_L_expired_tenants",
        96.0,
        expired_tenants,
        "a database client for each customer, dropped unclosed when the cache expires, its monitors still at work",
    ),
    Family::leak(
        "D_L_gone_watches",
        96.0,
        gone_watches,
        "watches of a cluster that are started again when they are too old, some of the old ones left",
    ),
    Family::leak(
        "D_L_result_backend",
        60.0,
        result_backend,
        "a connection to the store of results for each green thread that waited for a task",
    ),
    Family::leak(
        "D_L_cancelled_pulls",
        144.0,
        cancelled_pulls,
        "a cache of container images that stops reading when its user cancels",
    ),
];

/// An API gateway's backend leaked its connections to the sentinels, not those to the masters. Three or five sentinels.
fn sentinel_lookups(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[1024, 1024, 4096]);
    let (rate, from) = fills_evenly(r, s, limit, (6.0, 50.0));
    let (size, horizon) = (r.integer(20, 100), s.horizon());
    let (life, sentinels) = (real(size) / rate, r.pick(&[3, 3, 5]));
    let every = r.log_uniform(0.5, 60.0);
    let mut lookups = Vec::new();
    for _ in 0..size {
        let joins = from + r.uniform(0.0, life);
        for (up, end) in chain(r, (joins, horizon), 0.1, |r| life * r.uniform(0.8, 1.0)) {
            s.open([up]).close(|_| end).every(every);
            lookups.push(up - 0.001);
        }
    }
    lookups.sort_by(f64::total_cmp);
    lookups.truncate(plenty(limit));
    for at in lookups {
        let sentinel = r.integer(1, sentinels);
        s.open([at]).leak().used(|| 0.01).with(|| sentinel);
    }
}

/// `MongoDB` drivers keep a connection and one or two monitors to each member, and ask every 10 s. The cache forgets a
/// customer after 10 to 60 minutes.
fn expired_tenants(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let limit = r.pick(&[1024, 1024, 4096]);
    // A third of the hours are of work.
    let (rate, from) = fills(r, s, limit, (5.0, 24.0));
    let (each, members) = (r.integer(2, 3), r.pick(&[1, 3, 3]));
    let (expires, rests) = (
        r.pick(&[10.0, 30.0, 60.0]) * MINUTE,
        r.log_uniform(1.0, 60.0) * MINUTE,
    );
    let tenants = whole(rate * (expires + rests) / real(each * members)).clamp(4, 1000);
    let horizon = s.horizon();
    for _ in 0..tenants {
        let mut turns = chain(r, (from, horizon), rests, |_| expires);
        turns.retain(|(at, _)| r.chance(calendar.office(*at)));
        let last = turns.last().map_or(NEVER, |(at, _)| *at);
        for (at, _) in turns {
            for member in 0..members {
                let batch = s.open(r.moments(each, at, at + 0.5)).every(10.0).with(|| member);
                if at < last {
                    batch.leak();
                }
            }
        }
    }
}

/// An operator's watches end after five to ten minutes (`timeoutSeconds`), and where the answer is 410 the socket is set
/// to null before it is closed. The API server ends what is left after 30 to 60 minutes, which some clients notice.
fn gone_watches(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[256, 1024, 1024]);
    let (rate, from) = fills_evenly(r, s, limit, (6.0, 75.0));
    let (noticed, share) = (r.uniform(0.0, 0.7), r.uniform(0.1, 0.6));
    let watches = whole(rate * 450.0 / share / (1.0 - noticed)).max(3);
    let (every, horizon) = (r.log_uniform(1.0, 120.0), s.horizon());
    for _ in 0..watches {
        let joins = from + r.uniform(0.0, 30.0);
        for (up, end) in chain(r, (joins, horizon), 0.5, |r| r.uniform(300.0, 600.0)) {
            let ends = r.uniform(30.0, 60.0) * MINUTE;
            let batch = s.open([up]).every(every);
            if end >= horizon || !r.chance(share) {
                batch.close(|_| end);
            } else if r.chance(noticed) {
                batch.leak().live(|| ends);
            } else {
                batch.leak().peer_closes(|| ends);
            }
        }
    }
}

/// Celery's Redis results under gevent: hundreds of clients whose last command was the unsubscribe, and a server that
/// has no `timeout`.
fn result_backend(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[1024, 1024, 4096, 16_384]);
    let (rate, from) = fills(r, s, limit, (1.0, 30.0));
    let (load, share) = (tide(r, (0.0, 0.9)), r.uniform(0.3, 1.0));
    let tasks = busy(r, 1.5 * rate / share, (from, s.horizon()), load);
    let (waited, well) = forget_plenty(r, tasks, share, limit);
    let takes = r.log_uniform(0.05, 60.0);
    s.open(waited).leak().used(|| r.lognormal(takes, 1.0));
    s.open(well).live(|| r.lognormal(takes, 1.0));
    let queues = r.integer(2, 12);
    s.open(r.moments(queues, from, from + 2.0)).every(60.0).with(|| 1);
}

/// A registry as a pull-through cache: who interrupts `docker pull` leaves a download from above with a full receive
/// queue. A matter of office hours and of CI.
fn cancelled_pulls(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let limit = r.pick(&[256, 1024, 1024]);
    let (rate, from) = fills(r, s, limit, (4.0, 26.0));
    let (share, hosts) = (r.log_uniform(0.03, 0.3), r.integer(1, 8));
    let pulls = busy(r, rate / share, (from, s.horizon()), |at| calendar.office(at));
    let (cancelled, well) = forget_plenty(r, pulls, share, limit);
    let median = r.log_uniform(1.0, 60.0);
    for at in cancelled {
        let host = r.integer(0, hosts - 1);
        let read = r.lognormal(median, 1.0).min(0.2 * HOUR);
        s.open([at]).leak().used(|| read).with(|| host);
    }
    for at in well {
        let host = r.integer(0, hosts - 1);
        let takes = r.lognormal(median, 1.2).min(HOUR);
        s.open([at]).live(|| takes).used(|| takes).with(|| host);
    }
}
