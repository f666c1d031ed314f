//! Leaks of what is replaced: pools, sessions, and clients of what is not there any more.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        parts::{begins_to_leak, beside, chain, daily},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "C_L_refreshed_pools",
        72.0,
        refreshed_pools,
        "each change of configuration makes a pool, and the old one goes on renewing its connections",
    ),
    Family::leak(
        "C_L_firewall_mornings",
        144.0,
        firewall_mornings,
        "a firewall that forgets what is silent at night, and a pool that drops those unclosed in the morning",
    ),
    Family::leak(
        "C_L_overfilling_pool",
        48.0,
        overfilling_pool,
        "a pool that counts wrong after an outage and fills up a little in each round",
    ),
    Family::leak(
        "C_L_server_timeout",
        36.0,
        server_timeout,
        "forgotten connections that end after hours by the database's timeout, too late for the limit",
    ),
    Family::leak(
        "C_L_pod_clients",
        72.0,
        pod_clients,
        "a client for each pod's address, kept when deployments have replaced the pod",
    ),
    Family::leak(
        "C_L_lock_sessions",
        60.0,
        lock_sessions,
        "an etcd session for each lock, never closed, which keeps its lease alive",
    ),
    Family::leak(
        "C_L_subscriptions",
        60.0,
        subscriptions,
        "a subscription for each user, kept and still fed if the user did not sign off",
    ),
    Family::leak(
        "C_L_log_followers",
        96.0,
        log_followers,
        "streams of containers' logs that stay when their node is lost",
    ),
    Family::leak(
        "C_L_camera_recorder",
        96.0,
        camera_recorder,
        "a recorder that connects to a camera again and keeps the stream that has stopped",
    ),
];

/// Spring Cloud's refresh scope: a new `HikariCP` pool (10 by default), the old one is never closed, and its
/// `maxLifetime` of 30 min replaces what it holds.
fn refreshed_pools(r: &mut Random, s: &mut Scene) {
    let (size, horizon) = (r.integer(3, 10), s.horizon());
    let start = r.uniform(0.0, 8.0 * HOUR);
    let mean = r.log_uniform(1.5, 8.0) * HOUR;
    let mut refreshes = vec![-0.4 * DAY, start];
    refreshes.extend(r.arrivals(1.0 / mean, start, horizon));
    refreshes.truncate(60);
    let life = r.pick(&[30.0, 30.0, 60.0]) * MINUTE;
    for (number, at) in refreshes.iter().enumerate() {
        let next = refreshes.get(number + 1).copied().unwrap_or(NEVER);
        for _ in 0..size {
            for (from, to) in chain(r, (*at, horizon), 0.5, |r| life * r.uniform(0.975, 1.0)) {
                let batch = s.open([from]).close(|_| if to < horizon { to } else { NEVER });
                if to > next {
                    batch.leak()
                } else {
                    batch.every(20.0)
                };
            }
        }
    }
    s.onset(start);
    s.limit(r.pick(&[256, 1024, 1024]));
}

/// Stateful firewalls drop flows after an hour of silence or so. In the morning the requests time out
/// (`ETIMEDOUT` after 15 min), the pool removes the broken connections from its list and opens others.
fn firewall_mornings(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::early_in_the_week(r), s.horizon());
    let size = r.integer(6, 60);
    let limit = r.pick(&[256, 256, 1024]);
    let mornings: Vec<f64> = calendar
        .workdays(horizon)
        .into_iter()
        .map(|day| day + r.uniform(7.0, 9.0) * HOUR)
        .collect();
    let mut onset = NEVER;
    for (number, at) in mornings.iter().enumerate() {
        let evening = at + r.uniform(9.0, 11.0) * HOUR;
        for opened in r.moments(size, *at, at + HOUR) {
            let batch = s.open([opened]).used(|| evening - opened);
            let Some(next) = mornings.get(number + 1).filter(|next| **next < horizon) else {
                continue;
            };
            let found = next + r.uniform(0.0, HOUR) - opened;
            batch.leak().are_reset(|| found + 924.0);
            if *next > 0.0 {
                onset = onset.min(*next);
            }
        }
    }
    s.onset(onset);
    beside(r, s, (0.001, 0.01), (0.1, 5.0));
    s.limit(limit);
}

/// `minIdle` is compared with a count that does not see those that were tested at the wrong moment; the housekeeper
/// runs every 30 s. All well until a failover of the database.
fn overfilling_pool(r: &mut Random, s: &mut Scene) {
    let (size, horizon) = (r.integer(5, 50), s.horizon());
    let onset = r.uniform(0.5, 20.0) * HOUR;
    let life = r.pick(&[30.0, 60.0]) * MINUTE;
    for _ in 0..size {
        let first = -r.uniform(0.0, life);
        for (from, to) in chain(r, (first, horizon), 1.0, |r| life * r.uniform(0.9, 1.0)) {
            s.open([from]).close(|_| to).every(15.0);
        }
    }
    let (each, often) = (r.integer(1, 4), r.log_uniform(0.02, 1.0));
    let every = r.pick(&[NEVER, NEVER, 120.0]);
    let limit = r.pick(&[256, 1024, 1024, 4096]);
    let rounds = r.beats(30.0, 0.01, horizon - onset);
    let mut times = Vec::new();
    for round in rounds {
        if r.chance(often) {
            times.extend(r.moments(each, onset + round, onset + round + 0.5));
        }
    }
    times.truncate(whole(1.2 * f64::from(limit)));
    s.open(times).leak().every(every);
    s.onset(onset);
    s.limit(limit);
}

/// `MySQL` ends what is silent for 28,800 s (`wait_timeout`), and the driver notices. What was forgotten lives so
/// long, and more than the limit are forgotten in that time. Managed databases have an hour or four.
fn server_timeout(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[256, 1024, 1024, 4096]);
    let managed = if limit > 1024 {
        8.0
    } else {
        r.pick(&[8.0, 4.0, 1.0])
    };
    let timeout = r.pick(&[8.0, managed]) * HOUR;
    let rate = f64::from(limit) / timeout * r.uniform(1.4, 3.0);
    let from = begins_to_leak(r, s, limit, rate);
    let (swing, phase) = (r.uniform(0.3, 0.9), r.uniform(0.0, 6.0));
    // At night fewer are forgotten than end; at the busiest more in the time than there may be.
    let load = daily(1.0 / (1.0 + swing), swing, phase);
    let times = r.arrivals_varying(rate, from, s.horizon(), load);
    let busy = r.log_uniform(0.01, 5.0);
    s.open(times)
        .leak()
        .live(|| timeout + r.uniform(0.1, 30.0))
        .used(|| busy);
    beside(r, s, (0.01, 0.1), (0.01, 3.0));
}

/// A cache of clients by address without eviction: each deployment replaces the pods of a service one by one, and the
/// new ones have other addresses. The old ones close as they go, or are killed with their node.
fn pod_clients(r: &mut Random, s: &mut Scene) {
    let (services, each, horizon) = (r.integer(4, 30), r.integer(1, 3), s.horizon());
    let (closes, mean) = (r.uniform(0.4, 1.0), r.log_uniform(3.0, 30.0) * HOUR);
    let every = r.pick(&[5.0, 30.0, 60.0]);
    let (mut address, mut first) = (0, NEVER);
    for _ in 0..services {
        let (pods, mean) = (r.integer(2, 10), mean * r.uniform(0.5, 2.0));
        let mut deployments = vec![-r.uniform(0.1, 0.9) * DAY];
        deployments.extend(r.arrivals(1.0 / mean, 0.0, horizon));
        for (number, at) in deployments.iter().enumerate() {
            let gone = deployments.get(number + 1).copied().unwrap_or(NEVER);
            for pod in 0..pods {
                address += 1;
                let at = at + 20.0 * real(pod) + r.uniform(0.0, 20.0);
                let used = gone + 20.0 * real(pod) - at;
                let batch = s.open(r.moments(each, at, at + 10.0)).with(|| address);
                if gone >= horizon {
                    batch.every(every);
                    continue;
                }
                first = first.min(gone);
                let batch = batch.leak().used(|| used.max(0.0)).every(NEVER);
                if r.chance(closes) {
                    batch.peer_closes(|| used.max(0.0) + 30.0);
                }
            }
        }
    }
    s.onset(first);
    s.limit(r.pick(&[256, 1024, 1024, 4096]));
}

/// `concurrency.NewSession` on a new client for each turn of a job: the lease of 60 s is renewed every 20 s, for ever.
/// Where the lock is taken already the session is closed by an early return that was thought of.
fn lock_sessions(r: &mut Random, s: &mut Scene) {
    let (period, share) = (r.log_uniform(30.0, 20.0 * MINUTE), r.log_uniform(0.1, 1.0));
    let (members, jobs) = (r.pick(&[1, 3, 3, 5]), r.integer(1, 4));
    let limit = r.pick(&[1024, 1024, 65_536]);
    let from = begins_to_leak(r, s, limit, real(jobs) * share / period);
    for _ in 0..jobs {
        let phase = r.uniform(0.0, period);
        for beat in r.beats(period, 0.02, s.horizon() - from - phase) {
            let member = r.integer(0, members - 1);
            let batch = s.open([from + phase + beat]).with(|| member);
            if r.chance(share) {
                batch.leak().every(20.0);
            } else {
                batch.live(|| r.lognormal(3.0, 1.0));
            }
        }
    }
    for member in 0..members {
        s.open([from]).every(10.0).with(|| member);
    }
}

/// A chat on Redis' pub/sub: a connection per user, who signs off, or whose phone just goes. Channels go on sending.
fn subscriptions(r: &mut Random, s: &mut Scene) {
    let (most, share) = (r.log_uniform(0.003, 0.06), r.log_uniform(0.02, 0.3));
    let median = r.log_uniform(5.0, 40.0) * MINUTE;
    let limit = r.pick(&[1024, 4096, 65_536, 1_048_576]);
    let from = begins_to_leak(r, s, limit, most * share);
    let (swing, phase) = (r.uniform(0.3, 0.9), r.uniform(0.0, 6.0));
    let load = daily(1.0 / (1.0 + swing), swing, phase);
    for at in r.arrivals_varying(most, from, s.horizon(), load) {
        let lasts = r.lognormal(median, 0.9).min(12.0 * HOUR);
        let every = r.log_uniform(5.0, 20.0 * MINUTE);
        let batch = s.open([at]).every(every);
        if r.chance(share) {
            batch.leak();
        } else {
            batch.live(|| lasts);
        }
    }
}

/// An agent that follows logs at the kubelets. A pod's end ends its stream; a node that dies ends nothing, and there
/// is no deadline. The pods come up again on nodes with other addresses.
fn log_followers(r: &mut Random, s: &mut Scene) {
    let (nodes, horizon) = (r.integer(5, 40), s.horizon());
    let (pods, life) = (r.integer(5, 40), r.log_uniform(0.5, 40.0) * HOUR);
    // A large cluster's pods live longer on average.
    let life = life.max(HOUR * real(nodes * pods) / 300.0);
    let mean = r.log_uniform(24.0, 300.0) * HOUR * (real(nodes) / 20.0);
    let (mut address, mut first) = (0, NEVER);
    for _ in 0..nodes {
        let start = -r.uniform(0.2, 0.9) * DAY;
        for (up, lost) in chain(r, (start, horizon), 5.0 * MINUTE, |r| DAY + r.exponential(mean)) {
            address += 1;
            for _ in 0..pods {
                let begun = up + r.uniform(0.0, 5.0 * MINUTE);
                for (from, to) in chain(r, (begun, lost), 20.0, |r| MINUTE + r.exponential(life)) {
                    let batch = s.open([from]).with(|| address);
                    if to < lost {
                        batch.close(|_| to).every(20.0);
                    } else if lost < horizon {
                        batch.leak().used(|| lost - from);
                        first = first.min(lost.max(0.0));
                    } else {
                        batch.every(20.0);
                    }
                }
            }
        }
    }
    s.onset(first);
    s.limit(r.pick(&[1024, 1024, 4096, 65_536]));
}

/// RTSP over TCP from cameras on bad power and bad WLAN: who is silent for 10 s is connected to again; the old socket
/// waits for the rest of a frame.
fn camera_recorder(r: &mut Random, s: &mut Scene) {
    let (cameras, horizon) = (r.integer(16, 120), s.horizon());
    let limit = r
        .pick(&[256, 1024, 1024])
        .max(u32::try_from(4 * cameras).unwrap_or(u32::MAX));
    let mut first = NEVER;
    for camera in 0..cameras {
        // A few are worse than all others.
        let mean = r.log_uniform(3.0, 600.0) * HOUR;
        let start = -r.uniform(0.0, 0.5 * DAY);
        for (from, to) in chain(r, (start, horizon), 5.0, |r| 10.0 + r.exponential(mean)) {
            let batch = s.open([from]).with(|| camera);
            if to < horizon {
                batch.leak().used(|| to - from);
                first = first.min(to.max(0.0));
            } else {
                batch.every(1.0);
            }
        }
    }
    s.onset(first);
    s.limit(limit);
}
