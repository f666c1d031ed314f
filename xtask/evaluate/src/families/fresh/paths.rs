//! Leaks on one path of many: what was cancelled, raced, refused, or rolled out.

use super::forget;
use crate::{
    families::{
        Family,
        calendar::Calendar,
        keep_alive::{KeepAlive, keep, popular},
        parts::{begins, begins_to_leak, beside, chain, daily, requests},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "C_L_hung_webhooks",
        72.0,
        hung_webhooks,
        "webhooks without a timeout, and a few tenants whose endpoints hang for hours",
    ),
    Family::leak(
        "C_L_hedged_requests",
        48.0,
        hedged_requests,
        "hedged requests whose slower answer nobody reads or closes",
    ),
    Family::leak(
        "C_L_happy_eyeballs",
        60.0,
        happy_eyeballs,
        "a race of two addresses, of which the loser stays connected",
    ),
    Family::leak(
        "C_L_cancelled_downloads",
        60.0,
        cancelled_downloads,
        "a gateway that keeps the object store's stream of a download that was cancelled",
    ),
    Family::leak(
        "C_L_browser_sockets",
        60.0,
        browser_sockets,
        "a screenshot service that leaves the debugging socket of crashed pages",
    ),
    Family::leak(
        "C_L_feature_rollout",
        72.0,
        feature_rollout,
        "a leaking path behind a feature flag, at first for one in a hundred",
    ),
    Family::leak(
        "C_L_task_children",
        72.0,
        task_children,
        "children of a task queue, each of which forgets some connections of one task",
    ),
    Family::leak(
        "C_L_stuck_streams",
        144.0,
        stuck_streams,
        "an HTTP/2 client whose stuck streams fill one connection after the other",
    ),
    Family::leak(
        "C_L_expired_certificate",
        60.0,
        expired_certificate,
        "a log forwarder that keeps the socket of each failed handshake once a certificate has expired",
    ),
];

/// Node's `fetch` raced against a timer: the caller goes on, the socket waits for an answer. Deliveries to all others
/// are short; who hangs does so for hours and recovers.
fn hung_webhooks(r: &mut Random, s: &mut Scene) {
    let (tenants, horizon) = (r.integer(40, 400), s.horizon());
    let rate = r.log_uniform(0.01, 0.12);
    let times = r.arrivals(rate, -0.3 * DAY, horizon);
    s.open(times)
        .live(|| r.lognormal(0.6, 1.0))
        .with(|| 3 + popular(r.uniform(0.0, 1.0), tenants));
    for tenant in 0..r.integer(1, 3) {
        let start = r.uniform(0.0, 6.0 * HOUR);
        let sick = chain(r, (start, horizon), 8.0 * HOUR, |r| {
            HOUR + r.exponential(5.0 * HOUR)
        });
        let rate = r.log_uniform(5.0, 90.0) / HOUR;
        let times = r.arrivals(rate, -0.3 * DAY, horizon);
        let (hung, answered): (Vec<f64>, Vec<f64>) = times
            .into_iter()
            .partition(|at| sick.iter().any(|(from, to)| (*from..*to).contains(at)));
        s.open(answered).live(|| r.lognormal(0.6, 1.0)).with(|| tenant);
        s.open(hung).leak().used(|| 0.1).with(|| tenant);
    }
    s.limit(r.pick(&[1024, 4096, 65_536]));
}

/// A hedge goes out when the answer takes longer than the 95th percentile; the body of the second answer is dropped
/// unread, once in a while with its connection. The others go through a pool of Go's `net/http` to each backend.
fn hedged_requests(r: &mut Random, s: &mut Scene) {
    let (backends, horizon) = (r.integer(3, 12), s.horizon());
    let (most, lost) = (r.log_uniform(0.05, 0.8), r.log_uniform(2.0, 100.0) / HOUR);
    let limit = r.pick(&[1024, 1024, 4096, 65_536]);
    let from = begins_to_leak(r, s, limit, lost);
    let (swing, phase) = (r.uniform(0.0, 0.8), r.uniform(0.0, 6.0));
    let load = daily(1.0 / (1.0 + swing), swing, phase);
    let pool = KeepAlive {
        kept: r.pick(&[2, 10, 32]),
        idle: 90.0,
        ..KeepAlive::ANY
    };
    for backend in 0..backends {
        let served = requests(r, (-HOUR, horizon), most / real(backends), (0.1, 1.2), &load);
        keep(s, &pool.serve(&served), backend, 0);
    }
    let patience = r.pick(&[NEVER, 60.0, 75.0, HOUR]);
    let times = r.arrivals_varying(lost, from, horizon, &load);
    let batch = s
        .open(times)
        .leak()
        .used(|| r.lognormal(1.0, 0.8))
        .with(|| r.integer(0, backends - 1));
    if patience.is_finite() {
        batch.peer_closes(|| patience + 60.0);
    }
}

/// Both handshakes succeed when the path of the first is a little slow (250 ms; RFC 8305). The winner serves and is
/// closed; the loser is another address of the same service.
fn happy_eyeballs(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let (most, lost) = (r.log_uniform(0.01, 0.15), r.log_uniform(2.0, 60.0) / HOUR);
    let limit = r.pick(&[256, 1024, 1024, 4096]);
    let from = begins_to_leak(r, s, limit, lost);
    let times = r.arrivals(most, -0.5 * DAY, horizon);
    let (raced, alone) = forget(r, times, from, (lost / most).min(0.9));
    let median = r.log_uniform(0.2, 60.0);
    // Where the second is faster, the first address loses.
    let second_wins = r.uniform(0.0, 0.3);
    s.open(alone).live(|| r.lognormal(median, 1.0));
    let patience = r.pick(&[NEVER, 5.0, 20.0, 60.0, 75.0]);
    for at in raced {
        let winner = usize::from(r.chance(second_wins));
        s.open([at]).live(|| r.lognormal(median, 1.0)).with(|| winner);
        let loser = s.open([at + 0.25]).leak().used(|| 0.0).with(|| 1 - winner);
        if patience.is_finite() {
            loser.peer_closes(|| patience);
        }
    }
}

/// The browser goes away, the handler stops, the stream of the object store is neither read to its end nor closed:
/// its window is zero. The store resets after minutes, or waits.
fn cancelled_downloads(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::early_in_the_week(r), s.horizon());
    let (most, share) = (r.log_uniform(0.01, 0.15), r.uniform(0.03, 0.2));
    let limit = r.pick(&[1024, 1024, 4096]);
    let from = begins_to_leak(r, s, limit, most * share);
    let median = r.log_uniform(3.0, 4.0 * MINUTE);
    let times = r.arrivals_varying(most, -0.4 * DAY, horizon, |at| 0.05 + 0.95 * calendar.office(at));
    let (cancelled, complete) = forget(r, times, from, share);
    for at in complete {
        let lasts = r.lognormal(median, 1.3).min(3.0 * HOUR);
        s.open([at]).live(|| lasts).used(|| lasts);
    }
    let patience = r.pick(&[NEVER, NEVER, 300.0, 1200.0]);
    for at in cancelled {
        let used = r.lognormal(0.3 * median, 1.0);
        let batch = s.open([at]).leak().used(|| used);
        if patience.is_finite() {
            batch.are_reset(|| used + patience);
        }
    }
}

/// Puppeteer at browsers on other hosts: the websocket of a page is closed after the shot, not where the page
/// crashed. The browser is restarted every few hours and closes what it has.
fn browser_sockets(r: &mut Random, s: &mut Scene) {
    let (hosts, horizon) = (r.integer(1, 6), s.horizon());
    let (most, lost) = (r.log_uniform(0.01, 0.15), r.log_uniform(2.0, 50.0) / HOUR);
    let limit = r.pick(&[1024, 1024, 4096]);
    let from = begins_to_leak(r, s, limit, lost);
    let median = r.log_uniform(3.0, 40.0);
    let (crashed, shot) = {
        let times = r.arrivals(most, -0.3 * DAY, horizon);
        forget(r, times, from, (lost / most).min(0.5))
    };
    s.open(shot)
        .live(|| r.lognormal(median, 0.7).min(5.0 * MINUTE))
        .with(|| r.integer(1, hosts));
    let restarted = r.log_uniform(2.0, 24.0) * HOUR;
    s.open(crashed)
        .leak()
        .used(|| r.lognormal(median, 0.7))
        .peer_closes(|| 10.0 * MINUTE + r.exponential(restarted))
        .with(|| r.integer(1, hosts));
}

/// 1 %, 10 %, half, all, a step every few hours to a day. Some roll back for a while and try again with the same bug.
fn feature_rollout(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let limit = r.pick(&[1024, 4096, 4096, 65_536]);
    let rate = f64::from(limit) / (r.uniform(8.0, 40.0) * HOUR);
    let (start, step) = (r.uniform(0.0, 8.0 * HOUR), r.log_uniform(3.0, 16.0) * HOUR);
    let back = if r.chance(0.4) {
        start + step * r.uniform(1.5, 3.0)
    } else {
        NEVER
    };
    let away = r.uniform(2.0, 8.0) * HOUR;
    let share = |at: f64| {
        let at = if at < back { at } else { at - away };
        match whole((at - start) / step) {
            _ if at < start => 0.0,
            0 => 0.01,
            1 => 0.1,
            2 => 0.5,
            _ => 1.0,
        }
    };
    let is_back = |at: f64| (back..back + away).contains(&at);
    let mut times = r.arrivals_varying(
        rate,
        start,
        horizon,
        |at| if is_back(at) { 0.0 } else { share(at) },
    );
    times.truncate(whole(1.2 * f64::from(limit)));
    s.open(times).leak().used(|| r.lognormal(0.3, 1.0));
    beside(r, s, (0.01, 0.12), (0.05, 20.0));
    let pooled = r.integer(2, 30);
    s.older(pooled).every(r.log_uniform(2.0, 120.0));
    s.limit(limit);
}

/// Celery: prefork children without `max-tasks-per-child`; the task of one kind leaves its database connection. Each
/// child has the limit for itself, and one connection to the broker and one to the results.
fn task_children(r: &mut Random, s: &mut Scene) {
    let (children, horizon) = (r.integer(3, 16), s.horizon());
    s.limit(r.pick(&[256, 1024, 1024]));
    let (lost, from) = (r.log_uniform(1.0, 16.0) / HOUR, r.uniform(0.0, 3.0 * HOUR));
    let tasks = r.log_uniform(0.0005, 0.006);
    for child in 0..children {
        let program = if child == 0 { 0 } else { s.program("celery") };
        let times = r.arrivals(tasks, -0.2 * DAY, horizon);
        s.open(times).live(|| r.lognormal(3.0, 1.0)).of(|| program);
        let lost = lost * r.uniform(0.6, 1.4);
        let forgotten = r.arrivals(lost, from, horizon);
        s.open(forgotten)
            .leak()
            .used(|| r.lognormal(3.0, 1.0))
            .of(|| program);
        for peer in [1, 2] {
            s.open([-0.2 * DAY]).every(30.0).with(|| peer).of(|| program);
        }
    }
}

/// Long polls that never end and are never cancelled hold streams. A server allows 100 or 250 of them
/// (`MAX_CONCURRENT_STREAMS`); when so many are stuck, the client opens the next connection.
fn stuck_streams(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let fills = HOUR / r.log_uniform(0.4, 6.0);
    let limit = r.pick(&[256, 256, 1024]);
    let from = begins_to_leak(r, s, limit, 1.0 / fills);
    let every = r.pick(&[NEVER, NEVER, 15.0, 30.0]);
    let mut at = from;
    let mut first = NEVER;
    while at < horizon {
        // So many small waits: nearly regular.
        let next = at + fills * r.normal(1.0, 0.25).clamp(0.2, 2.0);
        let batch = s.open([at]).used(|| next - at).every(every);
        if next < horizon {
            batch.leak();
            first = next.max(0.0).min(first);
        }
        at = next;
    }
    s.onset(first);
    beside(r, s, (0.002, 0.1), (0.05, 10.0));
}

/// Fluentd, Filebeat: the server refuses the certificate and closes, the client tries again every few seconds and
/// forgets the socket. Before, one connection stayed for days.
fn expired_certificate(r: &mut Random, s: &mut Scene) {
    let start = begins(r, s);
    let expires = start.max(0.0) + r.uniform(0.5, 24.0) * HOUR;
    let limit = r.pick(&[1024, 1024, 4096, 65_536]);
    let period = r.pick(&[1.0, 5.0, 10.0, 30.0, 60.0]);
    let mut times = r.beats(period, 0.02, s.horizon() - expires);
    times.truncate(whole(1.2 * f64::from(limit)));
    let life = r.uniform(8.0, 80.0) * HOUR;
    for at in chain(r, (start, expires), 1.0, |r| r.exponential(life)) {
        s.open([at.0]).close(|_| at.1).every(5.0);
    }
    s.open(times.into_iter().map(|at| expires + at))
        .leak()
        .used(|| 0.05)
        .peer_closes(|| 0.06);
    s.limit(limit);
}
