//! Leaks that come in steps: a batch, a glitch, an error path, one more stage of a rollout.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        parts::{Pool, chain},
        third::{busy, fills, forget_plenty, plenty, tide},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "D_L_newsletters",
        144.0,
        newsletters,
        "mailings a few times a day, whose refused recipients leave a connection to the relay each",
    ),
    Family::leak(
        "D_L_doubled_pools",
        132.0,
        doubled_pools,
        "a client that fills a new pool after each glitch of the network and goes on pinging the old one",
    ),
    Family::leak(
        "D_L_unread_webhooks",
        96.0,
        unread_webhooks,
        "deliveries to thousands of customers, whose answers are not read if they are errors",
    ),
    Family::leak(
        "D_L_staged_rollout",
        132.0,
        staged_rollout,
        "a feature with a client of its own for each use, at 1, 5, 25, 50 and 100 % of the users",
    ),
];

/// SMTP without a close where `RCPT` is refused; the relay hangs up after five minutes (RFC 5321), and nobody reads it.
/// What is sent well goes over a few connections, a hundred mails on each.
fn newsletters(r: &mut Random, s: &mut Scene) {
    let (calendar, limit) = (Calendar::any(r), r.pick(&[256, 1024, 1024, 4096]));
    let hours: Vec<f64> = (0..r.integer(1, 4)).map(|_| r.uniform(6.0, 20.0)).collect();
    let horizon = s.horizon();
    let step = f64::from(limit) * r.log_uniform(0.25, 1.2) / real(hours.len());
    let relays = r.integer(1, 4);
    for at in calendar
        .days(horizon)
        .iter()
        .flat_map(|day| hours.iter().map(move |hour| day + hour * HOUR))
    {
        let until = at + r.log_uniform(10.0, 120.0) * MINUTE;
        for _ in 0..r.integer(4, 16) {
            for (from, to) in chain(r, (at, until), 0.5, |r| r.lognormal(30.0, 0.5)) {
                s.open([from]).close(|_| to).used(|| to - from);
            }
        }
        let refused = whole(step * r.uniform(0.6, 1.4));
        if at > 0.0 {
            s.open(r.moments(refused, at, until))
                .leak()
                .used(|| 0.5)
                .peer_closes(|| 300.0)
                .with(|| r.integer(0, relays - 1));
        }
    }
    s.limit(limit);
}

/// Redisson: 33 connections, 99 after a glitch, 33 after a restart of the application. Each is pinged every 30 s, so that
/// no server's timeout ends it.
fn doubled_pools(r: &mut Random, s: &mut Scene) {
    let (size, nodes, horizon) = (r.integer(24, 66), r.integer(1, 4), s.horizon());
    let limit = r.pick(&[256, 1024, 1024]);
    let start = r.uniform(-8.0, 8.0) * HOUR;
    let mean = r.log_uniform(12.0, 80.0) * HOUR * real(size) / f64::from(limit);
    let mut glitches = vec![start];
    glitches.extend(r.arrivals(1.0 / mean, start, horizon));
    glitches.truncate(3 + plenty(limit) / size * 2);
    for (number, at) in glitches.iter().enumerate() {
        // At first, and now and then later, all of it; mostly what was to one node or two.
        let count = if number == 0 {
            size
        } else {
            whole(real(size) * r.uniform(0.4, 1.2))
        };
        let (node, settles) = (r.integer(0, nodes - 1), r.uniform(2.0, 60.0));
        let batch = s
            .open(r.moments(count, *at, at + settles))
            .every(30.0)
            .with(|| node);
        if number > 0 {
            batch.leak();
        }
    }
    s.limit(limit);
}

/// Go's `http.Response` with its body neither read nor closed where the status is not 200: a tenth of the customers'
/// servers fail, the worst of them most. Most servers hang up after a minute or so.
fn unread_webhooks(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[1024, 1024, 4096]);
    let (rate, from) = fills(r, s, limit, (2.0, 60.0));
    let (customers, share) = (r.integer(60, 3000), r.uniform(0.2, 0.7));
    let failing = (customers / r.integer(5, 30)).max(2);
    let hangs_up: Vec<f64> = (0..failing)
        .map(|_| r.pick(&[5.0, 60.0, 60.0, 65.0, 75.0, 350.0, NEVER]))
        .collect();
    let load = tide(r, (0.2, 0.9));
    let times = busy(r, 1.5 * rate / share, (from, s.horizon()), load);
    let (unread, well) = forget_plenty(r, times, share, limit);
    for at in unread {
        let customer = whole(r.pareto(1.0, 0.6)) % failing;
        let after = hangs_up.get(customer).copied().unwrap_or(NEVER);
        s.open([at])
            .leak()
            .used(|| 0.3)
            .peer_closes(|| after)
            .with(|| customer);
    }
    // Kept idle for Go's 90 s, if the other end does not close before.
    s.open(well)
        .live(|| r.pick(&[5.3, 60.3, 90.3]) + r.exponential(1.0))
        .with(|| r.integer(0, customers));
}

/// Resources of boto3 made in threads and dropped there: S3 hangs up after a while, the sockets stay half-closed. Each
/// stage is watched for some hours; the last is too much.
fn staged_rollout(r: &mut Random, s: &mut Scene) {
    let (limit, horizon) = (r.pick(&[1024, 1024, 4096, 16_384]), s.horizon());
    let full = f64::from(limit) / (r.log_uniform(0.7, 10.0) * HOUR);
    let (hangs_up, load) = (r.log_uniform(5.0, 120.0), tide(r, (0.2, 0.6)));
    let mut at = r.uniform(0.0, 8.0) * HOUR;
    let stages = [0.01, 0.05, 0.25, 0.5, 1.0];
    let mut times = Vec::new();
    for stage in stages {
        let watched = r.pick(&[2.0, 4.0, 12.0, 24.0, 24.0]) * HOUR;
        let until = if stage < 1.0 { at + watched } else { horizon };
        times.extend(busy(r, 1.5 * full * stage, (at, until.min(horizon)), &load));
        at = until;
    }
    times.truncate(plenty(limit));
    s.open(times)
        .leak()
        .used(|| r.lognormal(0.5, 0.8))
        .peer_closes(|| hangs_up * r.uniform(1.0, 1.2));
    let life = r.pick(&[10.0, 30.0]) * MINUTE;
    let size = r.integer(4, 40);
    Pool::any(r, size, life).run(r, s);
    s.limit(limit);
}
