//! Leaks of what stands in between: consumers of queues, proxies, sidecars and balancing clients.

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
        "E_L_double_recovery",
        110.0,
        double_recovery,
        "consumers whose library and whose application both connect again after each missed heartbeat",
    ),
    Family::leak(
        "E_L_lag_checks",
        110.0,
        lag_checks,
        "an admin client of a message broker for each look at the lag, one of whose connections stays in use",
    ),
    Family::leak(
        "E_L_upstream_halves",
        100.0,
        upstream_halves,
        "a WebSocket proxy that keeps its half to the application, which goes on pinging it",
    ),
    Family::leak(
        "E_L_sidecar_pools",
        110.0,
        sidecar_pools,
        "a sidecar with a pool for each connection from its callers, never dropped when the caller is gone",
    ),
    Family::leak(
        "E_L_resolved_again",
        48.0,
        resolved_again,
        "a client that makes channels anew whenever the name's addresses come in another order",
    ),
];

/// Automatic recovery opens a connection and so does the handler of the loss; both answer heartbeats for good, one of
/// them consumes. The lost one is closed properly. A bad switch makes a few losses a day or an hour.
fn double_recovery(r: &mut Random, s: &mut Scene) {
    let (limit, consumers) = (r.pick(&[256, 1024, 1024]), r.integer(3, 40));
    let (rate, from) = fills_evenly(r, s, limit, (5.0, 70.0));
    let (horizon, nodes) = (s.horizon(), r.pick(&[1, 3, 3]));
    let (hit, heartbeat) = (r.uniform(0.2, 1.0), r.pick(&[10.0, 30.0, 60.0, 60.0]));
    let step = real(consumers) * hit;
    let mut losses = r.arrivals(rate / step, from, horizon);
    few_before(&mut losses, whole(f64::from(limit) / 3.0 / step));
    for _ in 0..consumers {
        let mut up = from + r.uniform(0.0, 20.0);
        for loss in &losses {
            if *loss < up || !r.chance(hit) {
                continue;
            }
            let seen = loss + r.uniform(0.0, 1.5 * heartbeat);
            let node = r.integer(0, nodes - 1);
            s.open([up]).close(|_| seen).every(heartbeat).with(|| node);
            up = seen + r.uniform(1.0, 10.0);
            let node = r.integer(0, nodes - 1);
            let twin = up + r.uniform(-0.5, 5.0);
            s.open([twin]).leak().every(heartbeat).with(|| node);
        }
        s.open([up]).every(heartbeat);
    }
    company(r, s, from);
}

/// Kafka's clients close what was idle for nine minutes; the five-minute look at the metadata keeps one connection of
/// each client in use. A client for each look, made every half minute to five.
fn lag_checks(r: &mut Random, s: &mut Scene) {
    let (limit, period) = (
        r.pick(&[256, 1024, 1024, 4096]),
        r.pick(&[15.0, 30.0, 60.0, 60.0, 300.0]),
    );
    let period = if limit == 4096 {
        f64::min(period, 60.0)
    } else {
        period
    };
    let from = begins_to_leak(r, s, limit, 1.0 / period);
    s.lasts(s.horizon().min(from + 1.3 * f64::from(limit) * period));
    let (brokers, horizon) = (r.integer(3, 9), s.horizon());
    let others = r.integer(0, 3);
    for at in r.beats(period, 0.02, horizon - from) {
        let kept = r.integer(0, brokers - 1);
        s.open([from + at]).leak().every(300.0).with(|| kept);
        s.open(r.moments(others, from + at + 0.01, from + at + 0.5))
            .live(|| 540.0 + r.uniform(0.0, 5.0))
            .with(|| r.integer(0, brokers - 1));
    }
    company(r, s, from);
}

/// When the browser goes without a close frame the proxy forgets the session and not its upstream socket. The
/// application sends a ping every 20 to 60 s, which the proxy's library answers.
fn upstream_halves(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[1024, 4096, 4096, 16_384]);
    let (rate, from) = fills(r, s, limit, (3.0, 50.0));
    let (load, share) = (tide(r, (0.2, 0.9)), r.log_uniform(0.05, 0.6));
    let share = share.max(f64::from(limit) / 50_000.0);
    let sessions = busy(r, 1.5 * rate / share, (from, s.horizon()), load);
    let (halves, well) = forget_plenty(r, sessions, share, limit);
    let (median, upstreams) = (r.log_uniform(1.0, 30.0) * MINUTE, r.integer(1, 12));
    let every = r.pick(&[20.0, 25.0, 30.0, 60.0]);
    s.open(halves)
        .leak()
        .every(every)
        .with(|| r.integer(0, upstreams - 1));
    s.open(well)
        .live(|| r.lognormal(median, 1.2).min(10.0 * HOUR))
        .every(every)
        .with(|| r.integer(0, upstreams - 1));
    company(r, s, from);
}

/// Pools that are keyed by what came from below: a caller's deployment brings some dozen new keys, each with a
/// connection or two to a backend. The idle timeout was switched off. Traffic to other clusters has one of an hour.
fn sidecar_pools(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[1024, 1024, 4096, 16_384]);
    let (rate, from) = fills(r, s, limit, (8.0, 70.0));
    let (horizon, each) = (s.horizon(), r.integer(1, 2));
    let step = real(each) * f64::from(limit) * r.log_uniform(0.01, 0.08);
    let mut callers = r.arrivals(0.2 * rate, from, horizon);
    for at in r.arrivals(rate / step, from, horizon) {
        let pods = whole(r.lognormal(step, 0.5));
        callers.extend(r.moments(pods, at, at + 10.0 * MINUTE));
    }
    callers.sort_by(f64::total_cmp);
    few_before(&mut callers, whole(f64::from(limit) / 3.0));
    callers.truncate(plenty(limit));
    let (backends, stays) = (r.integer(2, 30), r.log_uniform(0.2, 12.0) * HOUR);
    let every = pings(r);
    s.open(callers)
        .leak()
        .used(|| r.exponential(stays))
        .every(every)
        .with(|| r.integer(0, backends - 1));
    let clusters = r.integer(2, 20);
    let most = 0.05 / real(clusters);
    let pool = KeepAlive {
        idle: HOUR,
        ..KeepAlive::ANY
    };
    for cluster in 0..clusters {
        let load = tide(r, (0.2, 0.8));
        let calls = busy(r, most, (from, horizon), load);
        let calls = taking(r, calls, (0.1, 1.0, 60.0));
        keep(s, &pool.serve(&calls), backends + cluster, 0);
    }
}

/// The name is asked every 5 to 60 s. If the answer differs, the list of channels is replaced, and what was in it is
/// left connected: some minutes of it are enough where the answers rotate.
fn resolved_again(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[1024, 1024, 4096, 16_384]);
    let (rate, from) = fills_evenly(r, s, limit, (0.33, 12.0));
    let (horizon, period) = (s.horizon(), r.pick(&[5.0, 10.0, 30.0, 30.0, 60.0]));
    let each = r.integer(1, 6).max(whole(1.3 * rate * period) + 1);
    let addresses = r.pick(&[1, each, 3 * each]);
    // How often it differs follows from how fast it leaks.
    let differs = real(each) / rate / period;
    let every = pings(r);
    let turns = chain(r, (from, horizon), 0.01, |r| {
        period * r.exponential(differs).ceil().max(1.0)
    });
    s.onset(turns.first().map_or(from, |(_, over)| *over));
    for (up, over) in turns {
        let moments = r.moments(each, up, up + 0.3);
        let batch = s
            .open(moments)
            .used(|| over - up)
            .every(every)
            .with(|| r.integer(0, addresses - 1));
        if over < horizon {
            batch.leak();
        } else {
            batch.close(|_| NEVER);
        }
    }
    company(r, s, from);
}
