//! Leaks of servers: clients that are gone, or never meant it.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        parts::{beside, chain},
        third::{busy, fills, fills_evenly, forget_plenty, plenty, tide},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "D_L_zombie_sockets",
        96.0,
        zombie_sockets,
        "WebSockets whose pings a proxy answers, long after the browser is gone",
    ),
    Family::leak(
        "D_L_relay_sessions",
        120.0,
        relay_sessions,
        "a relay that keeps one side of a session when the other is lost",
    ),
    Family::leak(
        "D_L_silent_guests",
        96.0,
        silent_guests,
        "a multiplexer that waits for the first byte without a timeout, and scanners that send none",
    ),
    Family::leak(
        "D_L_renamed_devices",
        120.0,
        renamed_devices,
        "a broker without keepalive, and devices that come back under another name after each loss",
    ),
    Family::leak(
        "D_L_forking_tunnel",
        48.0,
        forking_tunnel,
        "a tunnel that forks for each client and forgets its own copy of the socket",
    ),
    Family::leak(
        "D_L_nightly_restart",
        132.0,
        nightly_restart,
        "a daemon restarted each midnight because of its leak, until the day is too busy",
    ),
];

/// A chat hub behind Caddy: 1472 connections of 26 users after 17 hours, 84 an hour at one site and 33 a minute at
/// another. The server pings every 30 s, and the proxy answers.
fn zombie_sockets(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let limit = r.pick(&[1024, 1024, 4096, 16_384]);
    let (rate, from) = fills(r, s, limit, (3.0, 60.0));
    let (share, proxies) = (r.uniform(0.3, 0.95), r.integer(1, 3));
    let load = tide(r, (0.0, 0.8));
    let times = busy(r, 1.5 * rate / share, (from, s.horizon()), load);
    let (zombies, well) = forget_plenty(r, times, share, limit);
    let (every, median) = (
        r.pick(&[25.0, 30.0, 30.0, 60.0]),
        r.log_uniform(1.0, 30.0) * MINUTE,
    );
    s.open(zombies)
        .leak()
        .every(every)
        .with(|| r.integer(0, proxies - 1));
    s.open(well)
        .live(|| r.lognormal(median, 1.2).min(12.0 * HOUR))
        .every(every)
        .with(|| r.integer(0, proxies - 1));
}

/// A file sync's relay held 1,500 sockets in both address families: two clients a session; when one's read fails the
/// other waits, until it goes as well and nobody looks.
fn relay_sessions(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let limit = r.pick(&[1024, 1024, 4096]);
    let (rate, from) = fills(r, s, limit, (8.0, 90.0));
    let (share, homes) = (r.uniform(0.2, 0.6), r.integer(300, 4000));
    let times = r.arrivals(rate / share, from, s.horizon());
    let (halves, well) = forget_plenty(r, times, share, limit);
    let (median, patience) = (r.log_uniform(0.5, 10.0) * MINUTE, r.log_uniform(0.2, 30.0) * HOUR);
    for at in halves {
        let lasts = r.lognormal(median, 1.2);
        let waits = lasts + r.exponential(patience);
        s.open([at])
            .live(|| lasts)
            .used(|| lasts)
            .with(|| r.integer(0, homes - 1));
        s.open([at])
            .leak()
            .used(|| lasts)
            .peer_closes(|| waits)
            .with(|| r.integer(0, homes - 1));
    }
    for at in well {
        let lasts = r.lognormal(median, 1.2);
        s.open([at, at + 0.2])
            .live(|| lasts)
            .used(|| lasts)
            .with(|| r.integer(0, homes - 1));
    }
}

/// `sslh` on port 443 of a public address: established and half-closed sockets up to the default limit. Scanners come
/// from anywhere, a few addresses all the time.
fn silent_guests(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let limit = r.pick(&[1024, 1024, 4096]);
    let (rate, from) = fills(r, s, limit, (4.0, 60.0));
    let mut times = r.arrivals(rate, from, s.horizon());
    times.truncate(plenty(limit));
    let (gives_up, median) = (r.uniform(0.2, 0.95), r.log_uniform(2.0, 600.0));
    for at in times {
        let leaves = if r.chance(gives_up) {
            r.lognormal(median, 1.0)
        } else {
            NEVER
        };
        s.open([at])
            .leak()
            .used(|| 0.0)
            .peer_closes(|| leaves)
            .with(|| whole(r.pareto(1.0, 0.4)).min(30_000));
    }
    let (people, calendar) = (r.log_uniform(0.002, 0.05), Calendar::any(r));
    let visits = busy(r, people, (from, s.horizon()), |at| calendar.evening(at));
    let stays = r.log_uniform(5.0, 900.0);
    s.open(visits)
        .live(|| r.lognormal(stays, 1.3))
        .used(|| stays)
        .with(|| 40_000 + r.integer(0, 400));
}

/// Devices with random client ids and a keepalive of 0, so that the broker has no reason to end the old session: they
/// lose power or their cell, and come back within seconds. Some have an address each, others a carrier's few.
fn renamed_devices(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let devices = r.integer(40, 1500);
    let limit = if devices > 500 { 4096 } else { 1024 };
    let (rate, from) = fills_evenly(r, s, limit, (6.0, 70.0));
    let (mean, orderly) = (real(devices) / rate, r.uniform(0.0, 0.5));
    let (every, addresses) = (r.log_uniform(10.0, 15.0 * MINUTE), r.pick(&[devices, devices, 4]));
    let horizon = s.horizon();
    for device in 0..devices {
        let joins = from + r.uniform(0.0, 10.0 * MINUTE);
        let mean = mean * r.lognormal(1.0, 0.7) * (1.0 - orderly);
        for (up, lost) in chain(r, (joins, horizon), 20.0, |r| 30.0 + r.exponential(mean)) {
            let batch = s.open([up]).with(|| device % addresses);
            if lost >= horizon {
                batch.every(every);
            } else if r.chance(orderly) {
                batch.close(|_| lost).every(every);
            } else {
                batch.leak().used(|| lost - up);
            }
        }
    }
}

/// The parent's copy keeps the connection from being closed when the child is done: each client's own close arrives,
/// and that is all. 40 clients at once used 1024 descriptors up in a while.
fn forking_tunnel(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let limit = r.pick(&[256, 1024, 1024, 4096]);
    let (rate, from) = fills(r, s, limit, (0.3, 24.0));
    let (median, clients) = (r.log_uniform(0.5, 120.0), r.integer(1, 40));
    let mut times = r.arrivals(rate, from, s.horizon());
    times.truncate(plenty(limit));
    for at in times {
        let lasts = r.lognormal(median, 1.0);
        s.open([at])
            .leak()
            .used(|| lasts)
            .peer_closes(|| lasts)
            .with(|| r.integer(0, clients - 1));
    }
}

/// A home automation daemon that does not close at the end of the stream; its owner restarts it at midnight. Each day
/// more is asked of it.
fn nightly_restart(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let limit = r.pick(&[256, 1024, 1024]);
    let mut share = r.uniform(0.3, 0.8);
    let grows = r.uniform(1.5, 2.2);
    let midnights = calendar.days(horizon);
    let nights = midnights
        .iter()
        .copied()
        .zip(midnights.iter().skip(1).copied().chain([NEVER]));
    let lives: Vec<(f64, f64)> = nights.collect();
    let (lasts, load) = (r.log_uniform(0.1, 20.0), tide(r, (0.2, 0.8)));
    for (from, _) in &lives {
        let rate = 1.5 * share.min(3.0) * f64::from(limit) / DAY;
        let times = busy(r, rate, (from + 5.0, (from + DAY).min(horizon)), &load);
        s.open(times)
            .leak()
            .used(|| lasts)
            .peer_closes(|| lasts)
            .with(|| r.integer(0, 4));
        share *= grows;
    }
    beside(r, s, (0.0005, 0.01), (0.05, 5.0));
    s.lives(lives);
    s.limit(limit);
}
