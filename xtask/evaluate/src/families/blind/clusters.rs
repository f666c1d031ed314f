//! Clients of clusters that grow, shrink and fail over.

use super::{
    chain, hold,
    keep_alive::{KeepAlive, keep},
    limit_above, now_and_then, requests,
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
        "B_H_brokers",
        60.0,
        brokers,
        "producers and consumers at a cluster of brokers that grows and is restarted",
    ),
    Family::healthy(
        "B_H_resharding",
        72.0,
        resharding,
        "a client's pools at the shards of a cache, of which there are ever more",
    ),
    Family::healthy(
        "B_H_growing_ring",
        96.0,
        growing_ring,
        "a driver that connects to each node of a cluster, and nodes that join",
    ),
    Family::healthy(
        "B_H_database_failover",
        60.0,
        database_failover,
        "pools that move when the address behind a name changes",
    ),
];

/// Kafka: clients close what is silent for 9 min (`connections.max.idle.ms`), consumers send a heartbeat every 3 s,
/// metadata are asked for every 5 min; a producer talks to the leaders of its partitions, which move. Brokers are
/// added, and restarted one by one.
fn brokers(r: &mut Random, s: &mut Scene) {
    const IDLE: f64 = 540.0;
    let (clients, horizon) = (r.integer(2, 40), s.horizon());
    let (first, more) = (r.integer(3, 9), r.integer(0, 6));
    let mut joins: Vec<f64> = vec![-DAY; first];
    joins.extend(r.moments(more, 0.0, 0.7 * horizon));
    let restarts = r.uniform(0.1, 0.9) * horizon;
    for (broker, joined) in joins.iter().enumerate() {
        let restart = restarts + 300.0 * real(broker);
        for _ in 0..clients {
            let leads = r.chance(0.6);
            let mean = if leads {
                r.log_uniform(4.0, 60.0) * HOUR
            } else {
                r.log_uniform(0.2, 2.0) * HOUR
            };
            let start = joined.max(-r.uniform(0.0, DAY)) + r.exponential(20.0 * MINUTE);
            let pause = if leads { 10.0 } else { 3.0 * mean };
            for (at, end) in chain(r, (start, horizon), pause, |r| IDLE + r.exponential(mean)) {
                let peer = broker;
                let batch = s.open([at]).with(|| peer);
                // A restart resets it, and all connect again.
                if at < restart && restart < end {
                    batch.close(|_| restart).every(3.0);
                    let back = restart + r.uniform(5.0, 90.0);
                    s.open([back]).close(|_| end.max(back)).every(3.0).with(|| peer);
                } else if leads {
                    batch.close(|_| end).every(3.0);
                } else {
                    batch.close(|_| end).used(|| (end - at - IDLE).max(0.1));
                }
            }
        }
    }
    s.limit(limit_above(r, clients * (first + more)));
}

/// Jedis (`maxTotal` 8, `maxIdle` 8; eviction every 30 s of what is idle for 60 s) or go-redis (10 per CPU, closed
/// when idle for 30 min) at each shard; shards are added over days, each taking some of the load.
fn resharding(r: &mut Random, s: &mut Scene) {
    let (first, more, horizon) = (r.integer(1, 6), r.integer(1, 12), s.horizon());
    let most = r.pick(&[8, 8, 20, 40, 80]);
    let pool = KeepAlive {
        most,
        kept: most,
        idle: r.pick(&[60.0, 30.0 * MINUTE, NEVER]),
        newest: r.chance(0.7),
        ..KeepAlive::ANY
    };
    let mut joins = vec![-HOUR; first];
    let complete = r.uniform(0.4, 0.9) * horizon;
    joins.extend(r.moments(more, HOUR, complete));
    let (rate, median) = (r.log_uniform(0.02, 0.6), r.log_uniform(0.05, 20.0));
    let load = daily(0.6, 0.6, r.uniform(0.0, 6.0));
    for (shard, joined) in joins.iter().enumerate() {
        let each = rate / real(joins.len());
        let served = requests(r, (*joined, horizon), each, (median, 1.0), &load);
        keep(s, &pool.serve(&served), shard, 0);
        // One subscription, which stays.
        s.open([*joined]).every(60.0).with(|| shard);
    }
    s.limit(limit_above(r, joins.len() * (most + 1)));
}

/// Cassandra's and Elasticsearch's drivers: 1 connection per node and one for control (4.x driver), 2 to 8 with
/// others; heartbeats every 30 s. Nodes join one after the other, 2 min apart at the least, until the cluster is as
/// large as planned; some are replaced.
fn growing_ring(r: &mut Random, s: &mut Scene) {
    let (first, more, horizon) = (r.integer(3, 12), r.integer(3, 60), s.horizon());
    let (each, every) = (r.integer(1, 8), r.pick(&[30.0, 30.0, 5.0, 300.0]));
    let from = r.uniform(0.0, 0.3) * horizon;
    let span = r.log_uniform(HOUR, 0.6 * horizon);
    let mut joins = vec![-0.9 * DAY; first];
    joins.extend((0..more).map(|node| from + span * real(node) / real(more) + r.uniform(0.0, 100.0)));
    for (node, joined) in joins.iter().enumerate() {
        let end = if r.chance(0.15) {
            joined.max(0.0) + r.exponential(2.0 * DAY)
        } else {
            NEVER
        };
        let met = joined + r.uniform(1.0, 30.0);
        let times = r.moments(each, *joined, met);
        s.open(times)
            .close(|at| end.max(at + MINUTE))
            .every(every)
            .with(|| node);
    }
    s.limit(limit_above(r, joins.len() * each));
}

/// A name with a TTL of 5 s (RDS) to 60 s whose address changes at a failover: connections break, and others come to
/// the other address. What only reads is moved by `maxLifetime`.
fn database_failover(r: &mut Random, s: &mut Scene) {
    let (size, horizon) = (r.integer(8, 120), s.horizon());
    let (life, every) = (r.pick(&[0.5, 0.5, 2.0, 8.0]) * HOUR, r.log_uniform(1.0, 300.0));
    let mut cuts = now_and_then(r, (5.0, 40.0), (HOUR, horizon));
    cuts.push(horizon);
    let slow = r.chance(0.4);
    for place in 0..size {
        let mut from = -0.5 * HOUR * r.uniform(0.0, 1.0);
        for (turn, cut) in cuts.iter().enumerate() {
            // Readers stay where they are until they are replaced.
            let until = if slow && place % 3 == 0 {
                cut + life * r.uniform(0.0, 1.0)
            } else {
                *cut
            };
            let spans = chain(r, (from, until), 0.5, |r| life * r.uniform(0.95, 1.0));
            hold(s, &spans).every(every).with(|| turn % 2);
            from = until + r.log_uniform(0.1, 90.0);
        }
    }
    s.limit(limit_above(r, 2 * size));
}
