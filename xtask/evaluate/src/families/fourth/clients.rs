//! Leaks of clients over HTTP and gRPC: one that is made anew where one would do.

use crate::{
    families::{
        Family,
        fourth::{company, few_before, taking},
        keep_alive::{KeepAlive, keep},
        parts::{begins_to_leak, chain, pings},
        third::{busy, fills, fills_evenly, forget_plenty, plenty, tide},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "E_L_reconcile_channels",
        100.0,
        reconcile_channels,
        "an operator that dials the workload of each resource in every pass",
    ),
    Family::leak(
        "E_L_client_per_request",
        96.0,
        client_per_request,
        "a handler that makes an HTTP client of its own, whose kept connection nobody closes",
    ),
    Family::leak(
        "E_L_unread_errors",
        110.0,
        unread_errors,
        "answers that are not closed when their status is an error, of an upstream with bad hours",
    ),
    Family::leak(
        "E_L_health_checks",
        100.0,
        health_checks,
        "a health endpoint that makes a client for each dependency whenever it is asked",
    ),
];

/// A Go operator without a `Close` for its gRPC channels: each resource has its turn every few minutes or hours, and
/// another when somebody edits it. Channels ping if they were told to.
fn reconcile_channels(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[1024, 1024, 4096, 16_384]);
    let (rate, from) = fills_evenly(r, s, limit, (1.0, 60.0));
    let (resources, horizon) = (r.integer(1, 60), s.horizon());
    let edits = r.uniform(0.0, 0.4);
    let period = real(resources) / (rate * (1.0 - edits));
    let mut passes = Vec::new();
    for resource in 0..resources {
        let start = from + r.uniform(0.0, period);
        let beats = r.beats(period, 0.05, (horizon - start).max(0.0));
        passes.extend(beats.into_iter().map(|at| (start + at, resource)));
    }
    for at in r.arrivals(rate * edits, from, horizon) {
        passes.push((at, r.integer(0, resources - 1)));
    }
    passes.sort_by(|a, b| a.0.total_cmp(&b.0));
    passes.truncate(plenty(limit));
    let (every, takes) = (pings(r), r.log_uniform(0.02, 3.0));
    // A service for each resource, or one for all.
    let services = r.pick(&[1, resources, resources]);
    for (at, resource) in passes {
        s.open([at])
            .leak()
            .used(|| takes)
            .every(every)
            .with(|| resource % services);
    }
    company(r, s, from);
}

/// Apache's client in Java, made in the handler of one path: the server hangs up after its keep-alive timeout, and the
/// socket stays in `CLOSE_WAIT`. Other paths use the shared client.
fn client_per_request(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[1024, 4096, 4096, 16_384]);
    let (rate, from) = fills(r, s, limit, (0.5, 40.0));
    let (load, share) = (tide(r, (0.2, 0.9)), r.log_uniform(0.2, 1.0));
    let requests = busy(r, 1.5 * rate / share, (from, s.horizon()), load);
    let (forgotten, well) = forget_plenty(r, requests, share, limit);
    let takes = r.log_uniform(0.02, 2.0);
    let hangs_up = r.pick(&[5.0, 15.0, 60.0, 75.0, 350.0, NEVER]);
    s.open(forgotten)
        .leak()
        .used(|| r.lognormal(takes, 0.8))
        .peer_closes(|| hangs_up + r.uniform(0.0, 0.2));
    let well = taking(r, well, (takes, 0.8, 60.0));
    let shared = KeepAlive {
        most: 50,
        idle: r.pick(&[4.0, 30.0, 60.0]),
        ..KeepAlive::ANY
    };
    keep(s, &shared.serve(&well), 0, 0);
    company(r, s, from);
}

/// Go: `defer resp.Body.Close()` comes after the return for a bad status. There is an error now and then, and for some
/// minutes every few hours there are many. A load balancer ends what is idle for a minute, some upstreams never do.
fn unread_errors(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[1024, 1024, 4096, 16_384]);
    let (rate, from) = fills(r, s, limit, (3.0, 50.0));
    let horizon = s.horizon();
    let pause = r.log_uniform(1.0, 5.0) * HOUR;
    let spells = chain(r, (from, horizon), pause, |r| r.log_uniform(5.0, 60.0) * MINUTE);
    let bad: f64 = spells.iter().map(|(start, end)| end - start).sum();
    let calm = r.log_uniform(0.002, 0.05);
    let most = rate / (calm + bad / (horizon - from));
    let is_bad = |at: f64| spells.iter().any(|(start, end)| (*start..*end).contains(&at));
    let mut errors = busy(r, most, (from, horizon), |at| if is_bad(at) { 1.0 } else { calm });
    few_before(&mut errors, whole(f64::from(limit) / 3.0));
    errors.truncate(plenty(limit));
    let hosts = r.pick(&[1, 1, 2, 6]);
    let hangs_up = r.pick(&[60.0, 60.0, 350.0, NEVER]);
    s.open(errors)
        .leak()
        .used(|| 0.2)
        .peer_closes(|| hangs_up + r.uniform(0.0, 1.0))
        .with(|| r.integer(0, hosts - 1));
    let (load, takes) = (tide(r, (0.2, 0.8)), r.log_uniform(0.02, 1.0));
    let most = r.log_uniform(0.02, 0.3);
    let calls = busy(r, most, (from, horizon), load);
    let transport = KeepAlive {
        idle: 90.0,
        kept: r.pick(&[2, 2, 100]),
        ..KeepAlive::ANY
    };
    let calls = taking(r, calls, (takes, 1.0, 30.0));
    keep(s, &transport.serve(&calls), 0, 0);
    company(r, s, from);
}

/// `/health` connects to the cache or the database with a client of its own. The orchestrator asks every 5 to 30 s, the
/// load balancer as well, and some servers hang up on who is silent.
fn health_checks(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[1024, 1024, 4096, 16_384]);
    let (askers, dependencies) = (r.integer(1, 3), r.integer(1, 2));
    let period = r.pick(&[5.0, 10.0, 10.0, 15.0, 30.0]);
    let rate = real(askers * dependencies) / period;
    let from = begins_to_leak(r, s, limit, rate);
    let horizon = s.horizon().min(from + 1.5 * f64::from(limit) / rate);
    s.lasts(horizon);
    let (every, takes) = (pings(r), r.log_uniform(0.002, 0.3));
    let hangs_up = r.pick(&[NEVER, NEVER, 300.0, 8.0 * HOUR]);
    for _ in 0..askers {
        let start = from + r.uniform(0.0, period);
        for at in r.beats(period, 0.01, horizon - start) {
            for dependency in 0..dependencies {
                s.open([start + at + 0.01 * real(dependency)])
                    .leak()
                    .used(|| takes)
                    .every(every)
                    .peer_closes(|| if every < NEVER { NEVER } else { hangs_up })
                    .with(|| dependency);
            }
        }
    }
    company(r, s, from);
}
