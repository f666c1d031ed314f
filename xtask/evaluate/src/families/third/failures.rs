//! Leaks of clients where something fails: the way out of an error that forgets the connection.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        parts::{Pool, beside, chain},
        third::{busy, fills, forget_plenty, plenty, tide},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "D_L_failed_logins",
        144.0,
        failed_logins,
        "a directory is asked at each login, and who is not in it leaves the connection behind",
    ),
    Family::leak(
        "D_L_scrape_timeouts",
        120.0,
        scrape_timeouts,
        "a monitoring server that gives up on scrapes through a bad tunnel and keeps what it had dialled",
    ),
    Family::leak(
        "D_L_cancelled_handshakes",
        72.0,
        cancelled_handshakes,
        "tasks that are cancelled while they connect, whenever the database is slow",
    ),
    Family::leak(
        "D_L_rejected_upgrades",
        96.0,
        rejected_upgrades,
        "a WebSocket proxy that keeps its side where the target did not upgrade",
    ),
    Family::leak(
        "D_L_sftp_retries",
        72.0,
        sftp_retries,
        "file transfers to a partner whose password has changed, tried again and again on a new connection",
    ),
];

/// A note server with LDAP logins unbound its client only on success: some hundred a day, and 1024 descriptors were
/// gone after thirty hours.
fn failed_logins(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let limit = r.pick(&[256, 1024, 1024]);
    // A third of the hours are of work.
    let (rate, from) = fills(r, s, limit, (8.0, 26.0));
    let (share, servers) = (r.uniform(0.1, 0.6), r.integer(1, 3));
    let logins = busy(r, rate / share, (from, s.horizon()), |at| calendar.office(at));
    let (failed, well) = forget_plenty(r, logins, share, limit);
    let takes = r.log_uniform(0.02, 0.5);
    s.open(failed)
        .leak()
        .used(|| takes)
        .with(|| r.integer(0, servers - 1));
    s.open(well)
        .live(|| r.lognormal(takes, 0.6))
        .with(|| r.integer(0, servers - 1));
}

/// Seven hundred targets once a minute, one connection each; those behind an unreliable VPN got hundreds, stuck in
/// their handshake, and 12,000 in five days all in all.
fn scrape_timeouts(r: &mut Random, s: &mut Scene) {
    let (targets, limit) = (r.integer(30, 700), r.pick(&[1024, 4096, 4096, 16_384]));
    let (rate, from) = fills(r, s, limit, (8.0, 90.0));
    let interval = r.pick(&[15.0, 30.0, 60.0, 120.0]);
    for target in 0..targets {
        let since = from + r.uniform(0.0, interval);
        s.open([since]).every(interval).with(|| target);
    }
    let (spells, bad) = (
        chain(r, (from, s.horizon()), 2.0 * HOUR, |r| r.exponential(4.0 * HOUR)),
        r.integer(1, 40),
    );
    let mut times = r.arrivals(1.5 * rate, from, s.horizon());
    times.retain(|at| spells.iter().any(|(start, end)| (*start..*end).contains(at)));
    times.truncate(plenty(limit));
    // Most are of the worst.
    s.open(times)
        .leak()
        .used(|| 0.0)
        .with(|| whole(r.pareto(1.0, 0.8)).min(bad) % targets);
}

/// `asyncio.wait_for` around the connect of a `PostgreSQL` client: who is cancelled in between forgets the socket, and
/// the server hangs up after its `authentication_timeout` of a minute.
fn cancelled_handshakes(r: &mut Random, s: &mut Scene) {
    let (limit, horizon) = (r.pick(&[256, 1024, 1024, 4096]), s.horizon());
    let (quiet, start) = (r.uniform(1.0, 4.0) * HOUR, r.uniform(0.0, 4.0 * HOUR));
    let life = r.pick(&[5.0, 30.0, 60.0]) * MINUTE;
    let size = r.integer(10, 60);
    Pool::any(r, size, life).run(r, s);
    let spells = chain(r, (start, horizon), quiet, |r| r.log_uniform(4.0, 50.0) * MINUTE);
    for (from, to) in spells {
        let count = whole(f64::from(limit) * r.log_uniform(0.03, 0.3));
        s.open(r.moments(count, from, to))
            .leak()
            .used(|| 0.0)
            .peer_closes(|| 60.0 + r.uniform(0.0, 0.2));
    }
    s.limit(limit);
}

/// Notebooks behind a Node proxy: a kernel that is gone answers 404, the browser tries again every few seconds, and the
/// sockets stay until ports or descriptors are used up. Node servers hang up after 5 s, others after a minute or never.
fn rejected_upgrades(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[1024, 4096, 4096, 65_536]);
    let (rate, from) = fills(r, s, limit, (2.0, 60.0));
    let (load, targets) = (tide(r, (0.2, 0.8)), r.integer(1, 12));
    let mut times = busy(r, 1.5 * rate, (from, s.horizon()), load);
    times.truncate(plenty(limit));
    let hangs_up = r.pick(&[5.0, 5.0, 75.0, f64::INFINITY]);
    s.open(times)
        .leak()
        .used(|| 0.05)
        .peer_closes(|| hangs_up + r.uniform(0.0, 0.1))
        .with(|| r.integer(0, targets - 1));
    let sessions = r.log_uniform(0.0005, 0.01);
    let times = r.arrivals(sessions, from, s.horizon());
    s.open(times)
        .live(|| r.lognormal(20.0 * MINUTE, 1.1))
        .every(30.0)
        .with(|| r.integer(0, targets - 1));
}

/// A mover of weather data made an SSH client for each try and dropped it when the login failed. OpenSSH waits two
/// minutes for a login (`LoginGraceTime`); other servers wait longer.
fn sftp_retries(r: &mut Random, s: &mut Scene) {
    let (partners, horizon) = (r.integer(4, 50), s.horizon());
    let limit = r.pick(&[256, 1024, 1024]);
    let (onset, broken) = (r.uniform(0.2, 20.0) * HOUR, r.integer(1, 3));
    let (period, patience) = (
        r.log_uniform(2.0, 15.0) * MINUTE,
        r.log_uniform(8.0, 110.0) * real(broken),
    );
    for partner in 0..partners {
        let fails = partner < broken;
        let polls = r.beats(period, 0.1, if fails { onset } else { horizon });
        s.open(polls).live(|| r.lognormal(6.0, 1.0)).with(|| partner);
    }
    let grace = r.pick(&[120.0, 120.0, 600.0]);
    for partner in 0..broken {
        let mut tries = r.beats(patience, 0.2, horizon - onset);
        tries.truncate(plenty(limit));
        s.open(tries.into_iter().map(|at| onset + at))
            .leak()
            .used(|| 0.4)
            .peer_closes(|| grace)
            .with(|| partner);
    }
    beside(r, s, (0.001, 0.02), (0.1, 3.0));
    s.limit(limit);
}
