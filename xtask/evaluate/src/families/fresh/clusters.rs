//! Healthy programs whose counterparts come, go, and move.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        parts::{begins, chain, hold, limit_above, now_and_then},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "C_H_lazy_brokers",
        48.0,
        lazy_brokers,
        "clients of a cluster of brokers that connect to each leader when a topic is first used",
    ),
    Family::healthy(
        "C_H_cluster_nodes",
        60.0,
        cluster_nodes,
        "an API server: a dozen connections per node, and nodes that an autoscaler adds all morning",
    ),
    Family::healthy(
        "C_H_blocking_queries",
        72.0,
        blocking_queries,
        "a blocking query for each service of a catalogue, to which services are added",
    ),
    Family::healthy(
        "C_H_cache_failovers",
        60.0,
        cache_failovers,
        "pools that move to the new master at once, and whose old connections time out later",
    ),
    Family::healthy(
        "C_H_rolling_reboots",
        48.0,
        rolling_reboots,
        "a server that takes over the long sessions of its neighbours while they are rebooted one by one",
    ),
    Family::healthy(
        "C_H_canary_traffic",
        48.0,
        canary_traffic,
        "a new version that gets ever more of the traffic, in steps of hours, and then all of it",
    ),
    Family::healthy(
        "C_H_shard_owners",
        60.0,
        shard_owners,
        "a worker with a connection for each shard that it owns, as members join and leave",
    ),
];

/// Kafka: a client connects to the leader of each partition that it uses, and closes after 9 min of silence
/// (`connections.max.idle.ms`); topics that are written to every few minutes keep theirs. Leaders move.
fn lazy_brokers(r: &mut Random, s: &mut Scene) {
    let (brokers, clients) = (r.integer(3, 40), r.integer(1, 3));
    let horizon = s.horizon();
    s.limit(limit_above(r, brokers * clients + 10));
    let start = begins(r, s);
    for _ in 0..clients {
        for broker in 0..brokers {
            // How often something goes there, and from when.
            let between = r.log_uniform(1.0, 60.0 * MINUTE);
            let first = start + r.exponential(3.0 * HOUR);
            if between < 90.0 {
                let spans = chain(r, (first, horizon), 60.0, |r| HOUR + r.exponential(30.0 * HOUR));
                hold(s, &spans).every(between).with(|| broker);
                continue;
            }
            let mut at = first;
            while at < horizon {
                let opened = at;
                let mut used = at;
                loop {
                    at += r.exponential(between);
                    if at - used > 540.0 || at > horizon {
                        break;
                    }
                    used = at;
                }
                s.open([opened])
                    .close(|_| used + 540.0)
                    .used(|| used - opened)
                    .with(|| broker);
            }
        }
    }
    // Metadata, for each client.
    s.open(vec![start; clients]).every(300.0).with(|| brokers);
}

/// Kubernetes: kubelet, kube-proxy, network, storage and agents of a node hold HTTP/2 connections as long as the node
/// lives. Nodes are added as the load grows, removed ten minutes after they are not needed, and taken away at random.
fn cluster_nodes(r: &mut Random, s: &mut Scene) {
    let (least, horizon) = (r.integer(3, 15), s.horizon());
    let (most, each) = (least + r.integer(5, 80), r.integer(3, 12));
    let calendar = Calendar::any(r);
    let life = r.log_uniform(20.0, 300.0) * HOUR;
    let mut nodes: Vec<(f64, f64)> = Vec::new();
    let mut spans: Vec<(f64, f64)> = Vec::new();
    let mut at = -0.5 * DAY;
    while at < horizon {
        let (gone, here): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|(_, taken)| *taken <= at);
        spans.extend(gone);
        nodes = here;
        let load = calendar.office(at);
        let wanted = least + whole(load * real(most - least));
        if nodes.len() < wanted {
            for _ in nodes.len()..wanted {
                let up = at + r.uniform(40.0, 200.0);
                nodes.push((up, up + r.exponential(life).max(MINUTE)));
            }
        } else if nodes.len() > wanted + 1
            && let Some((up, _)) = nodes.pop()
        {
            spans.push((up, at.max(up + MINUTE)));
        }
        at += 5.0 * MINUTE;
    }
    spans.extend(nodes);
    for (node, (up, gone)) in spans.iter().enumerate() {
        for _ in 0..each {
            let from = up + r.uniform(0.0, 60.0);
            let spans = chain(r, (from, gone.min(2.0 * horizon)), 1.0, |r| {
                HOUR + r.exponential(40.0 * HOUR)
            });
            hold(s, &spans).every(r.log_uniform(1.0, 30.0)).with(|| node);
        }
    }
    s.inbound();
    s.limit(limit_above(r, 2 * most * each));
}

/// Consul: a query waits 5 min and up to a sixteenth more (`wait`), on a connection of its own that HTTP keeps. The
/// watcher of a service comes with the service. When an agent restarts, all are made anew.
fn blocking_queries(r: &mut Random, s: &mut Scene) {
    let (services, horizon) = (r.integer(5, 150), s.horizon());
    let added = r.integer(0, 3 + services / 10);
    s.limit(limit_above(r, services + added + 10));
    let start = begins(r, s);
    let restarts = now_and_then(r, (12.0, 100.0), (0.0, horizon));
    for service in 0..services + added {
        let mut from = if service < services {
            start + r.uniform(0.0, 30.0)
        } else {
            r.uniform(start, horizon)
        };
        let removed = if r.chance(0.2) {
            from + r.exponential(40.0 * HOUR)
        } else {
            NEVER
        };
        let pause = r.pick(&[1.0, 10.0, 30.0]);
        for end in restarts.iter().copied().chain([NEVER]).filter(|end| *end > start) {
            if from < end.min(removed) && from < horizon {
                s.open([from]).close(|_| end.min(removed)).every(310.0);
            }
            from = from.max(end + pause * r.uniform(0.5, 1.5));
        }
    }
}

/// Redis with Sentinel: every client's pool goes to the new master within seconds; what was in flight to the old one,
/// which is gone without a word, waits until TCP gives up (13 to 30 min), and is closed then.
fn cache_failovers(r: &mut Random, s: &mut Scene) {
    let (size, horizon) = (r.integer(8, 200), s.horizon());
    s.limit(limit_above(r, 2 * size + 10));
    let (start, in_flight) = (begins(r, s), r.uniform(0.05, 1.0));
    let mean = r.log_uniform(3.0, 30.0) * HOUR;
    let every = r.log_uniform(0.5, 60.0);
    let mut master = 0;
    for (from, to) in chain(r, (start, horizon), 8.0, |r| HOUR + r.exponential(mean)) {
        let warm = r.log_uniform(1.0, 300.0);
        for at in r.moments(size, from, from + warm) {
            if to >= horizon {
                s.open([at]).every(every).with(|| master);
            } else if r.chance(in_flight) {
                let waits = r.uniform(13.0, 30.0) * MINUTE;
                s.open([at])
                    .close(|_| to + waits + 0.1)
                    .used(|| to - at)
                    .are_reset(|| to + waits - at)
                    .with(|| master);
            } else {
                s.open([at]).close(|_| to).every(every).with(|| master);
            }
        }
        master = (master + 1) % 3;
    }
    // Three sentinels.
    for sentinel in 3..6 {
        s.open([start]).every(1.0).with(|| sentinel);
    }
}

/// Websockets of a chat or a feed, hours each, nobody rebalances: while a neighbour is down, its clients come here for
/// good, neighbour by neighbour over hours. This one is last, or was first; then new ones go elsewhere.
fn rolling_reboots(r: &mut Random, s: &mut Scene) {
    let (servers, horizon) = (r.integer(3, 12), s.horizon());
    let here = r.integer(30, 500);
    let life = r.log_uniform(1.0, 40.0) * HOUR;
    let begin = r.uniform(-0.1, 0.6) * horizon;
    let step = r.log_uniform(10.0, 90.0) * MINUTE;
    let end = begin + step * real(servers - 1);
    let every = r.uniform(15.0, 60.0);
    // Everyday life, but for fewer newcomers while there are more than the fair share.
    let rate = real(here) / life;
    let fades = |at: f64| if at > begin { 0.7 } else { 1.0 };
    let times = r.arrivals_varying(rate, -0.9 * DAY, horizon, fades);
    s.open(times).live(|| r.exponential(life)).every(every);
    let first = r.integer(here / 2, here);
    s.open(r.moments(first, -0.95 * DAY, -0.9 * DAY))
        .live(|| r.exponential(life))
        .every(every);
    for neighbour in 0..servers - 1 {
        let at = begin + step * real(neighbour);
        let (count, within) = (here / (servers - 1), r.log_uniform(5.0, 300.0));
        s.open(r.moments(count, at, at + within))
            .live(|| r.exponential(life))
            .every(every);
    }
    // And then it is this one's turn.
    let mut lives = vec![(0.0, NEVER)];
    if r.chance(0.7) {
        let last = end.max(0.0) + r.uniform(0.2, 2.0) * step;
        lives = vec![(0.0, last), (last + 60.0, NEVER)];
        let back = r.moments(here / 4 + 1, last + 60.0, last + HOUR);
        s.open(back).live(|| r.exponential(life)).every(every);
    }
    s.lives(lives);
    s.inbound();
    s.limit(limit_above(r, 4 * here));
}

/// 1 %, 5 %, 25 %, half, all: the new version's process starts empty, the old one is drained. The sessions live for
/// half an hour to half a day, so that each step shows long after.
fn canary_traffic(r: &mut Random, s: &mut Scene) {
    let (sessions, horizon) = (r.integer(40, 900), s.horizon());
    let life = r.log_uniform(0.3, 12.0).max(real(sessions) / 600.0) * HOUR;
    s.limit(limit_above(r, 2 * sessions));
    let new = s.program("canary");
    let begin = r.uniform(-2.0, 20.0) * HOUR;
    let step = r.log_uniform(0.5, 8.0) * HOUR;
    let balancers = r.integer(1, 4);
    let share = |at: f64| match whole((at - begin) / step) {
        _ if at < begin => 0.0,
        0 => 0.01,
        1 => 0.05,
        2 => 0.25,
        3 => 0.5,
        _ => 1.0,
    };
    let every = r.uniform(10.0, 60.0);
    for at in r.arrivals(real(sessions) / life, -0.9 * DAY, horizon) {
        let program = if r.chance(share(at)) { new } else { 0 };
        s.open([at])
            .live(|| r.exponential(life).max(1.0))
            .every(every)
            .with(|| r.integer(1, balancers))
            .of(|| program);
    }
    s.inbound();
}

/// Akka, Orleans, Kinesis' client: so many shards, each of which somebody owns with a connection (a lease, a stream,
/// a log). Members join as the load grows, and leave; shards are handed over a few at a time.
fn shard_owners(r: &mut Random, s: &mut Scene) {
    let (shards, horizon) = (r.pick(&[32, 64, 128, 256, 512]), s.horizon());
    s.limit(limit_above(r, shards + 20));
    let start = begins(r, s);
    let mean = r.log_uniform(1.0, 12.0) * HOUR;
    let (pace, backends) = (r.log_uniform(1.0, 120.0), r.integer(1, 8));
    let mut members = r.integer(2, 10);
    let mut held: Vec<(f64, usize)> = Vec::new();
    let mut next_shard = 0;
    for (from, to) in chain(r, (start, horizon), 1.0, |r| 10.0 * MINUTE + r.exponential(mean)) {
        let fair = shards / members;
        let mut at = from;
        while held.len() != fair && at < to {
            if held.len() < fair {
                held.push((at, next_shard));
                next_shard += 1;
            } else {
                let (opened, shard) = held.remove(0);
                s.open([opened])
                    .close(|_| at)
                    .every(5.0)
                    .with(|| shard % backends);
            }
            at += pace * r.uniform(0.5, 1.5);
        }
        let joins = members < 12 && (members == 1 || r.chance(0.5));
        members = if joins { members + 1 } else { members - 1 };
    }
    for (opened, shard) in held {
        s.open([opened]).every(5.0).with(|| shard % backends);
    }
}
