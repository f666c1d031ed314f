//! What platforms do: discovery, elections, deployments, partitions, scaling.

use super::{Calendar, chain, hold, limit_above, now_and_then, ramp};
use crate::{
    families::{Family, parts::beside},
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "B_H_scraper",
        72.0,
        scraper,
        "a monitoring server that keeps a connection to each target it discovers",
    ),
    Family::healthy(
        "B_H_after_partition",
        60.0,
        after_partition,
        "partitions after which the old connections stay until TCP gives up",
    ),
    Family::healthy(
        "B_H_leader",
        72.0,
        leader,
        "a controller that opens its watches when it is elected",
    ),
    Family::healthy(
        "B_H_long_drain",
        60.0,
        long_drain,
        "canaries and deployments that let old connections end by themselves, for hours",
    ),
    Family::healthy(
        "B_H_workers_by_queue",
        60.0,
        workers_by_queue,
        "consumers of a broker that are scaled by the length of the queue",
    ),
    Family::healthy(
        "B_H_agents",
        96.0,
        agents,
        "agents of a growing number of machines, turned away now and then to another gateway",
    ),
    Family::healthy(
        "B_H_mounts",
        96.0,
        mounts,
        "mounts on demand of many shares, dropped when nobody uses them",
    ),
];

/// Prometheus: one kept connection per target, scraped every 15 s to a minute, closed after 5 min without use.
/// Services come over days; pods scale by day and are replaced by deployments, each with its own address.
fn scraper(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (period, first) = (r.pick(&[15.0, 30.0, 60.0]), r.integer(5, 150));
    let more = r.integer(0, 250);
    let mut starts = vec![-0.9 * DAY; first];
    let (from, to) = (r.uniform(0.0, 0.3) * horizon, r.uniform(0.4, 0.95) * horizon);
    starts.extend(r.moments(more, from, to));
    let mut address = 0;
    for start in starts {
        // A pod is replaced after days; a machine stays.
        let life = if r.chance(0.3) {
            NEVER
        } else {
            r.log_uniform(5.0, 200.0) * HOUR
        };
        let spans = chain(r, (start, horizon), 20.0, |r| r.exponential(1.0).min(9.0) * life);
        address += 1;
        for span in spans {
            address += 1;
            hold(s, &[(span.0, span.1 + 300.0)])
                .used(|| span.1 - span.0)
                .with(|| address);
        }
    }
    for day in calendar.workdays(horizon) {
        let pods = r.integer(0, 40);
        for at in r.moments(pods, day + 7.0 * HOUR, day + 11.0 * HOUR) {
            let end = day + r.uniform(16.0, 21.0) * HOUR;
            address += 1;
            s.open([at])
                .close(|_| end + 300.0)
                .used(|| end - at)
                .with(|| address);
        }
    }
    // What is scraped through a gateway.
    s.open([-HOUR]).every(period);
    s.limit(limit_above(r, 2 * (first + more) + 80));
}

/// A partition: both sides stay established. Who writes gives up after about 15 min (`tcp_retries2`), who does not
/// after 2 h 11 min (keepalive's defaults) or the minute or so that clients configure; the clients have connected
/// again since.
fn after_partition(r: &mut Random, s: &mut Scene) {
    let (clients, horizon) = (whole(r.log_uniform(10.0, 600.0)), s.horizon());
    let (every, life) = (r.log_uniform(5.0, 300.0), r.log_uniform(3.0, 300.0) * HOUR);
    let reaped = r.pick(&[90.0, 15.4 * MINUTE, 15.4 * MINUTE, 7875.0, 7875.0]);
    let mut cuts = now_and_then(r, (2.0, 24.0), (HOUR, horizon));
    cuts.push(r.uniform(0.1, 0.9) * horizon);
    cuts.sort_by(f64::total_cmp);
    for client in 0..clients {
        let mut at = -r.uniform(0.0, 0.9) * DAY;
        for cut in cuts.iter().copied().chain([horizon]) {
            // A partition is between racks: some clients are on this side.
            if cut < horizon && r.chance(0.3) {
                continue;
            }
            let spans = chain(r, (at, cut), 3.0, |r| r.exponential(life) + MINUTE);
            let cut_off = spans
                .last()
                .filter(|(_, end)| cut < horizon && *end >= cut)
                .copied();
            let whole_ones = spans.len() - usize::from(cut_off.is_some());
            hold(s, spans.get(..whole_ones).unwrap_or_default())
                .every(every)
                .with(|| client % 250);
            if let Some((opened, end)) = cut_off {
                s.open([opened])
                    .used(|| end - opened)
                    .close(|_| end + reaped + 0.01)
                    .are_reset(|| end - opened + reaped)
                    .with(|| client % 250);
            }
            at = cut + r.uniform(5.0, 60.0) + r.exponential(MINUTE);
        }
    }
    s.inbound();
    s.limit(limit_above(r, 3 * clients));
}

/// Leases of 15 s, renewed every 2 s (client-go): all replicas talk to the API server, the leader opens watches as
/// its controllers start, and exits when it loses the lease.
fn leader(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    s.limit(limit_above(r, 200));
    let other = s.program("app");
    let mut terms = now_and_then(r, (4.0, 60.0), (HOUR, horizon));
    terms.push(horizon);
    let (watches, every) = (r.integer(5, 90), r.log_uniform(1.0, 10.0 * MINUTE));
    let start = r.log_uniform(2.0, 90.0 * MINUTE);
    // Each watch ends after 30 min to an hour (`--min-request-timeout`), or lasts as long as its connection.
    let long = r.chance(0.5);
    for replica in [0, other] {
        for _ in 0..2 {
            let spans = chain(r, (-HOUR, horizon), 1.0, |r| r.exponential(20.0 * HOUR));
            hold(s, &spans).every(2.0).of(|| replica);
        }
    }
    let mut from = r.uniform(0.0, MINUTE);
    for (turn, term) in terms.into_iter().enumerate() {
        let replica = if turn % 2 == 0 { 0 } else { other };
        for watch in 0..watches {
            let at = from + start * real(watch) / real(watches);
            let spans = chain(r, (at, term), 0.5, |r| {
                if long { NEVER } else { r.uniform(0.5, 1.0) * HOUR }
            });
            hold(s, &spans).every(every).of(|| replica).with(|| watch % 3);
        }
        from = term + r.uniform(2.0, 17.0);
    }
}

/// A canary gets 5, 25, 50 and 100 % of what is new; what is old ends by itself or after a drain of hours (`HAProxy`:
/// `hard-stop-after`; Kubernetes: `terminationGracePeriodSeconds`). As a client sees it: addresses by turns.
fn long_drain(r: &mut Random, s: &mut Scene) {
    let (size, horizon) = (r.integer(10, 250), s.horizon());
    let (life, every) = (r.log_uniform(0.5, 20.0) * HOUR, r.log_uniform(1.0, 60.0));
    let drain = r.log_uniform(0.5, 16.0) * HOUR;
    let mut cuts = now_and_then(r, (4.0, 40.0), (0.0, horizon));
    cuts.push(r.uniform(0.0, 0.8) * horizon);
    cuts.sort_by(f64::total_cmp);
    let steps = r.log_uniform(5.0 * MINUTE, 3.0 * HOUR);
    let twice = r.chance(0.5);
    for _ in 0..size {
        let mut at = -r.uniform(0.0, 0.5) * DAY;
        while at < horizon {
            // Which deployment takes a connection that is new at a moment.
            let last = cuts.iter().filter(|cut| **cut <= at).count();
            let since = last
                .checked_sub(1)
                .and_then(|cut| cuts.get(cut))
                .map(|cut| at - cut);
            let share = since.map_or(1.0, |since| 0.05 + 0.95 * ramp(since / steps, 0.0, 3.0));
            let deployment = if r.chance(share) {
                last
            } else {
                last.saturating_sub(1)
            };
            let stopped = cuts
                .get(deployment)
                .map_or(NEVER, |cut| cut + 3.0 * steps + drain);
            let end = (at + r.exponential(life) + 1.0).min(stopped.max(at + 1.0));
            s.open([at]).close(|_| end).every(every).with(|| deployment);
            // Some clients connect to the new one at once, and let the old end.
            let next = cuts.get(deployment).filter(|cut| (at..end).contains(*cut));
            if let Some(cut) = next.filter(|_| twice) {
                at = cut + r.exponential(steps) + 1.0;
            } else {
                at = end + r.exponential(10.0);
            }
        }
    }
    s.limit(limit_above(r, 3 * size));
}

/// KEDA, Celery: a consumer for so many messages in the queue, looked at every 30 s, removed after 5 min of cooling
/// down; each has a connection with a heartbeat (60 s) and keeps it for as long as it is there. A backlog of hours
/// makes them ever more, up to `maxReplicaCount` (100).
fn workers_by_queue(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::early_in_the_week(r), s.horizon());
    let (least, most) = (r.integer(1, 5), r.integer(10, 100));
    let (each, per) = (r.integer(1, 3), r.log_uniform(10.0, 500.0));
    // What comes in a second at the busiest, and what a consumer does.
    let (comes, does) = (r.log_uniform(1.0, 50.0), r.uniform(0.7, 3.0) / real(most));
    let (cooling, heartbeat) = (r.pick(&[300.0, 300.0, HOUR]), r.pick(&[30.0, 60.0]));
    let mut open: Vec<f64> = vec![-HOUR; least];
    let (mut queue, mut calm) = (0.0_f64, 0.0);
    for step in 0..whole(horizon / 30.0) {
        let at = 30.0 * real(step);
        let work = comes * does * real(open.len()) - comes * calendar.office(at) * r.uniform(0.5, 1.5);
        queue = (queue - 30.0 * work).max(0.0);
        let wanted = whole(queue / per).clamp(least, most);
        while open.len() < wanted {
            open.push(at + r.uniform(0.0, 30.0));
        }
        calm = if wanted < open.len() { calm + 30.0 } else { 0.0 };
        if calm > cooling {
            for opened in open.drain(wanted..) {
                let times = (0..each).map(|_| opened);
                s.open(times).close(|_| at).every(heartbeat);
            }
        }
    }
    for opened in open {
        s.open((0..each).map(|_| opened)).every(heartbeat);
    }
    beside(r, s, (0.002, 0.05), (0.1, 5.0));
    s.inbound();
    s.limit(limit_above(r, most * each));
}

/// Fluent Bit, the OpenTelemetry collector, Datadog's agent at a gateway: an export each 1 to 60 s; gRPC servers with
/// `MAX_CONNECTION_AGE` (30 min, 10 % jitter) and its grace, or none. Machines are added over days and by day, until
/// the quota is used up.
fn agents(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (first, more) = (r.integer(3, 120), r.integer(10, 400));
    let every = r.pick(&[1.0, 5.0, 10.0, 60.0]);
    let machines = real(first + more);
    // Not more than some ten thousand connections in all.
    let least = machines * horizon / 30_000.0;
    let age = r.pick(&[0.5 * HOUR, 2.0 * HOUR, 12.0 * HOUR, NEVER]).max(least);
    let grace = r.log_uniform(1.0, 10.0 * MINUTE);
    let to = r.uniform(0.3, 0.9) * horizon;
    let mut starts = vec![-0.9 * DAY; first];
    while starts.len() < first + more {
        let at = r.uniform(0.0, to);
        if r.chance(0.3 + 0.7 * calendar.office(at)) {
            starts.push(at);
        }
    }
    for (machine, start) in starts.iter().enumerate() {
        let start = start + r.uniform(0.0, HOUR);
        let spans = chain(r, (start, horizon), 0.1, |r| {
            age * r.uniform(0.9, 1.1) + grace * r.uniform(0.0, 1.0)
        });
        hold(s, &spans).every(every).with(|| machine);
    }
    s.inbound();
    s.limit(limit_above(r, first + more));
}

/// automount: a share is mounted at its first use and dropped when it was idle for 5 min (`autofs`' `TIMEOUT` 300) to
/// hours; its connection is one per server (NFS), up to 16 with `nconnect`, silent but for leases (every 30 to 90 s)
/// or SMB's echo (every minute).
fn mounts(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let (shares, nconnect) = (r.integer(10, 150), r.pick(&[1, 1, 2, 4, 8]));
    let (timeout, echo) = (
        r.pick(&[300.0, 600.0, HOUR, 8.0 * HOUR]),
        r.pick(&[30.0, 60.0, 90.0, 600.0, NEVER]),
    );
    let horizon = s.horizon();
    for share in 0..shares {
        let between = r.log_uniform(0.2, 40.0) * HOUR;
        let lasts = r.log_uniform(1.0, 2.0 * HOUR);
        // When it is used, and until when it is mounted.
        let mut mounted: Option<(f64, f64, f64)> = None;
        let mut spans = Vec::new();
        for at in r.arrivals_varying(1.0 / between, 0.0, horizon, |at| calendar.office(at)) {
            let used = at + r.exponential(lasts);
            mounted = match mounted {
                Some((from, last, until)) if at < until => {
                    let last = used.max(last);
                    Some((from, last, last + timeout))
                }
                before => {
                    spans.extend(before);
                    Some((at, used, used + timeout))
                }
            };
        }
        spans.extend(mounted);
        for (from, last, until) in spans {
            let batch = s
                .open((0..nconnect).map(|number| from + 0.01 * real(number)))
                .close(|_| until)
                .with(|| share % 40);
            if echo.is_finite() {
                batch.every(echo);
            } else {
                batch.used(|| last - from);
            }
        }
    }
    // Home directories are always mounted.
    let homes = r.integer(1, 6);
    s.older(homes).every(r.log_uniform(5.0, 90.0));
    s.limit(limit_above(r, shares * nconnect + 10));
}
