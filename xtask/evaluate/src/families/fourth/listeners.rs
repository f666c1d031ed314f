//! Leaks of servers that do not notice, or do not care, that a client is gone.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        fourth::probes,
        third::{busy, fills, forget_plenty, tide},
    },
    number::real,
    random::Random,
    scene::Scene,
    world::{HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "E_L_silent_streams",
        120.0,
        silent_streams,
        "event streams without a heartbeat, whose phones lost their network",
    ),
    Family::leak(
        "E_L_dead_loops",
        80.0,
        dead_loops,
        "a server of some event loops, one of which has died, and goes on getting its share of the clients",
    ),
    Family::leak(
        "E_L_trackers",
        110.0,
        trackers,
        "trackers of vehicles that are switched off without a word, at a server without a read timeout",
    ),
    Family::leak(
        "E_L_balancer_probes",
        60.0,
        balancer_probes,
        "a version that does not close what the balancer's health checks have closed",
    ),
];

/// A stream says something only when there is news. Who closes the page is seen, who walks out of the network is not:
/// the server never writes to those, and never asks. Some have a few proxies in between, which do not ask either.
fn silent_streams(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let calendar = Calendar::any(r);
    let limit = r.pick(&[1024, 1024, 4096, 16_384]);
    let (rate, from) = fills(r, s, limit, (4.0, 40.0));
    let (share, median) = (r.log_uniform(0.08, 0.6), r.log_uniform(1.0, 40.0) * MINUTE);
    let share = share.max(f64::from(limit) / 40_000.0);
    let streams = busy(r, 1.5 * rate / share, (from, s.horizon()), |at| {
        calendar.evening(at)
    });
    let (gone, well) = forget_plenty(r, streams, share, limit);
    let addresses = r.pick(&[50_000, 50_000, 8, 2]);
    s.open(gone)
        .leak()
        .used(|| r.lognormal(0.3 * median, 1.0))
        .with(|| r.integer(0, addresses - 1));
    let (mut lives, news) = (Vec::new(), r.chance(0.5));
    for at in well {
        let life = r.lognormal(median, 1.1).min(12.0 * HOUR);
        lives.push((at, life, if news { 0.3 * life } else { 1.0 }));
    }
    for (at, life, used) in lives {
        s.open([at])
            .live(|| life)
            .used(|| used)
            .with(|| r.integer(0, addresses - 1));
    }
    probes(r, s, from);
}

/// An exception that nobody catches ends the thread of one loop; the acceptor still hands it every eighth connection.
/// Nobody reads those: the clients' timeouts end in `CLOSE_WAIT`. Hours later another loop dies.
fn dead_loops(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (limit, loops) = r.pick(&[(1024, 4), (1024, 8), (1024, 16), (4096, 4), (4096, 8)]);
    let rate = f64::from(limit) / (r.log_uniform(0.7, 30.0) * HOUR);
    let total = rate * real(loops);
    // Not more than some ten thousand before.
    let first = (r.uniform(0.5, 14.0) * HOUR).min(25_000.0 / total);
    let horizon = s.horizon().min(first + 4.0 * f64::from(limit) / rate);
    s.lasts(horizon);
    let mut deaths = vec![first];
    deaths.extend(r.arrivals(1.0 / (12.0 * HOUR), first, horizon));
    deaths.truncate(loops);
    let load = tide(r, (0.2, 0.8));
    let mut clients = busy(r, 1.5 * total, (0.0, horizon), load);
    clients.truncate(90_000);
    let (median, patience) = (r.log_uniform(0.1, 30.0), r.pick(&[5.0, 10.0, 30.0, 60.0]));
    let addresses = r.pick(&[2, 6, 4000]);
    for at in clients {
        let (number, lasts) = (r.integer(0, loops - 1), r.lognormal(median, 1.0).min(900.0));
        let dies = deaths.get(number).copied().unwrap_or(NEVER);
        let batch = s.open([at]).with(|| r.integer(0, addresses - 1));
        if dies <= at {
            batch.leak().used(|| 0.0).peer_closes(|| patience);
        } else if dies < at + lasts {
            batch.leak().used(|| dies - at).peer_closes(|| lasts + patience);
        } else {
            batch.live(|| lasts).used(|| lasts);
        }
    }
    s.onset(first);
    s.limit(limit);
    probes(r, s, 0.0);
}

/// A tracker reports every 10 to 60 s while it drives. The end of the drive takes its power away, a tunnel its network;
/// only good firmware says goodbye. Carriers put some hundred of them behind an address.
fn trackers(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let calendar = Calendar::early_in_the_week(r);
    let limit = r.pick(&[1024, 1024, 4096, 16_384]);
    // A third of the hours are of work.
    let (rate, from) = fills(r, s, limit, (3.0, 22.0));
    let (share, drives) = (r.uniform(0.15, 0.9), r.log_uniform(8.0, 60.0) * MINUTE);
    let drives_begin = busy(r, rate / share, (from, s.horizon()), |at| {
        calendar.office(at).max(0.3 * calendar.evening(at))
    });
    let (gone, well) = forget_plenty(r, drives_begin, share, limit);
    let (every, addresses) = (r.pick(&[10.0, 30.0, 60.0]), r.pick(&[4, 30, 60_000]));
    s.open(gone)
        .leak()
        .used(|| r.lognormal(drives, 0.8).min(10.0 * HOUR))
        .with(|| r.integer(0, addresses - 1));
    s.open(well)
        .live(|| r.lognormal(drives, 0.8).min(10.0 * HOUR))
        .every(every)
        .with(|| r.integer(0, addresses - 1));
    probes(r, s, from);
}

/// A balancer's nodes connect every 5 to 30 s and close at once. The old version closed as well; the new one waits for a
/// first byte before it looks at the socket again.
fn balancer_probes(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (limit, horizon) = (r.pick(&[1024, 1024, 4096, 16_384]), s.horizon());
    let (nodes, period) = (r.integer(1, 4), r.pick(&[5.0, 10.0, 10.0, 30.0]));
    let deployed = r.uniform(0.3, 8.0) * HOUR;
    let until = horizon.min(deployed + 1.3 * f64::from(limit) * period / real(nodes));
    s.lasts(until);
    for node in 0..nodes {
        let start = r.uniform(0.0, period);
        for at in r.beats(period, 0.01, until - start) {
            let at = start + at;
            if at < deployed {
                s.open([at]).live(|| 0.003).used(|| 0.0).with(|| node);
            } else if at > deployed + 2.0 {
                s.open([at])
                    .leak()
                    .used(|| 0.0)
                    .peer_closes(|| 0.002)
                    .with(|| node);
            }
        }
    }
    // What the nodes forward, over connections that they keep.
    let (kept, idle) = (r.integer(2, 60), r.log_uniform(2.0, 60.0) * MINUTE);
    let load = tide(r, (0.2, 0.8));
    let (busy_hours, every) = (real(kept) / idle, r.log_uniform(0.2, 30.0));
    let forwarded = busy(r, busy_hours, (-HOUR, until), load);
    s.open(forwarded)
        .live(|| r.lognormal(0.6 * idle, 0.8).min(12.0 * HOUR))
        .every(every)
        .with(|| r.integer(0, nodes - 1));
    s.lives(vec![(0.0, deployed), (deployed + 2.0, NEVER)]);
    s.limit(limit);
}
