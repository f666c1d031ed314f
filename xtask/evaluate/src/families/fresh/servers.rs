//! Leaks of servers whose clients vanish, stall, or never say anything.

use super::forget;
use crate::{
    families::{
        Family,
        calendar::Calendar,
        keep_alive::popular,
        parts::{begins_to_leak, chain, daily, hold, requests},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "C_L_silent_scanners",
        96.0,
        silent_scanners,
        "a server without a handshake timeout, and scanners that connect and say nothing",
    ),
    Family::leak(
        "C_L_field_gateway",
        144.0,
        field_gateway,
        "an embedded gateway whose SCADA client connects again after each error on the bus",
    ),
    Family::leak(
        "C_L_stalled_uploads",
        72.0,
        stalled_uploads,
        "uploads from phones that stall, at a server without a read timeout",
    ),
    Family::leak(
        "C_L_spot_instances",
        96.0,
        spot_instances,
        "agents of machines that are taken away without a word, each with an address of its own",
    ),
    Family::leak(
        "C_L_shift_terminals",
        96.0,
        shift_terminals,
        "handheld terminals of a warehouse that leave the WLAN and sign in anew",
    ),
    Family::leak(
        "C_L_poisoned_balancer",
        48.0,
        poisoned_balancer,
        "one request in thousands from a balancer kills its handler, and nobody closes",
    ),
];

/// Java's `accept` and then a TLS handshake, Go's server without `ReadHeaderTimeout`: most scanners go away by
/// themselves, some leave a connection without an end. The load comes from a balancer.
fn silent_scanners(r: &mut Random, s: &mut Scene) {
    const INTERNET: usize = 1_000_000;
    let (scans, lost) = (r.log_uniform(20.0, 400.0) / HOUR, r.log_uniform(1.0, 40.0) / HOUR);
    let limit = r.pick(&[256, 1024, 1024, 4096]);
    let from = begins_to_leak(r, s, limit, lost);
    let times = r.arrivals(scans, from, s.horizon());
    let (silent, gone) = forget(r, times, from, (lost / scans).min(0.9));
    s.open(gone)
        .live(|| r.lognormal(1.0, 1.2))
        .with(|| r.integer(10, INTERNET));
    s.open(silent)
        .leak()
        .used(|| 0.0)
        .with(|| r.integer(10, INTERNET));
    let life = r.log_uniform(10.0 * MINUTE, 4.0 * HOUR);
    for _ in 0..r.integer(2, 30) {
        let spans = chain(r, (from, s.horizon()), 5.0, |r| r.exponential(life));
        hold(s, &spans).every(3.0).with(|| r.integer(0, 2));
    }
    s.inbound();
}

/// Modbus/TCP: the client opens a new connection after a timeout on the serial side, the gateway keeps the old one. It
/// has few descriptors, and one or two masters.
fn field_gateway(r: &mut Random, s: &mut Scene) {
    let (masters, horizon) = (r.integer(1, 3), s.horizon());
    let mean = HOUR / r.log_uniform(0.3, 6.0);
    let limit = r.pick(&[64, 128, 256, 256]);
    let start = begins_to_leak(r, s, limit, real(masters) / mean);
    let mut first = NEVER;
    for master in 0..masters {
        for (from, to) in chain(r, (start, horizon), 3.0, |r| 5.0 + r.exponential(mean)) {
            let batch = s.open([from]).with(|| master);
            if to < horizon {
                batch.leak().used(|| to - from);
                first = first.min(to.max(0.0));
            } else {
                batch.every(1.0);
            }
        }
    }
    s.onset(first);
    s.inbound();
}

/// Go's `http.Server` without `ReadTimeout`, directly on the internet: a phone changes from WLAN to mobile in the
/// middle. One in fifty to a thousand.
fn stalled_uploads(r: &mut Random, s: &mut Scene) {
    const PHONES: usize = 200_000;
    let (most, share) = (r.log_uniform(0.02, 0.3), r.log_uniform(0.004, 0.04));
    let most = f64::max(most, 2.0 / HOUR / share);
    let limit = r.pick(&[1024, 1024, 4096, 65_536]);
    let from = begins_to_leak(r, s, limit, most * share);
    let calendar = Calendar::any(r);
    let median = r.log_uniform(1.0, 40.0);
    let times = r.arrivals_varying(most, -0.2 * DAY, s.horizon(), |at| calendar.evening(at));
    let (stalled, complete) = forget(r, times, from, share);
    for at in complete {
        let lasts = r.lognormal(median, 1.2).min(30.0 * MINUTE);
        s.open([at])
            .live(|| lasts)
            .used(|| lasts)
            .with(|| r.integer(0, PHONES));
    }
    s.open(stalled)
        .leak()
        .used(|| r.lognormal(0.4 * median, 1.0))
        .with(|| r.integer(0, PHONES));
    s.inbound();
}

/// A fleet manager's websockets: instances come with the load of the day and are taken after hours with two minutes'
/// notice, which most do not use. No pings from the server, no TCP keepalive; each instance has a new address.
fn spot_instances(r: &mut Random, s: &mut Scene) {
    let (base, horizon) = (r.integer(5, 100), s.horizon());
    let (life, share) = (r.log_uniform(1.0, 20.0) * HOUR, r.uniform(0.2, 0.95));
    let (swing, phase) = (r.uniform(0.2, 0.9), r.uniform(0.0, 6.0));
    let most = real(base) * (1.0 + swing) / life;
    let load = daily(1.0 / (1.0 + swing), swing, phase);
    s.limit(r.pick(&[1024, 1024, 4096, 65_536, 1_048_576]));
    let every = r.pick(&[10.0, 30.0, 60.0]);
    let (mut address, mut first) = (0, NEVER);
    for at in r.arrivals_varying(most, -0.9 * DAY, horizon, load) {
        address += 1;
        let gone = at + 0.05 * life + r.exponential(life);
        // What had leaked by the start is little: somebody restarted the server.
        if gone < 0.0 {
            continue;
        }
        let batch = s.open([at]).with(|| address);
        if gone < horizon && r.chance(share) {
            batch.leak().used(|| gone - at);
            first = first.min(gone);
        } else {
            batch.close(|_| gone).every(every);
        }
    }
    s.onset(first);
    s.inbound();
}

/// Telnet or SSH without keepalives: three shifts, a session each, and a new one when a terminal was out of reach for
/// too long or its battery was changed. Some sign off at the end.
fn shift_terminals(r: &mut Random, s: &mut Scene) {
    let (people, horizon) = (r.integer(8, 120), s.horizon());
    let (mean, sign_off) = (r.log_uniform(3.0, 60.0) * HOUR, r.uniform(0.5, 0.98));
    let shift = 8.0 * HOUR;
    let before = r.uniform(0.0, shift);
    let mut first = NEVER;
    for turn in 0..whole(horizon / shift) + 2 {
        let begin = shift * real(turn) - before;
        for person in 0..people {
            // The night is quiet.
            if turn % 3 == 2 && r.chance(0.7) {
                continue;
            }
            let (from, to) = (
                begin + r.uniform(0.0, 15.0 * MINUTE),
                begin + shift - r.uniform(0.0, 10.0 * MINUTE),
            );
            for (at, end) in chain(r, (from, to), 30.0, |r| MINUTE + r.exponential(mean)) {
                let batch = s.open([at]).with(|| person);
                if end >= horizon || end >= to && r.chance(sign_off) {
                    batch.close(|_| end).every(20.0);
                } else {
                    batch.leak().used(|| end - at);
                    first = first.min(end.max(0.0));
                }
            }
        }
    }
    s.onset(first);
    s.inbound();
    s.limit(r.pick(&[1024, 1024, 4096]));
}

/// A handler's thread dies of an `Error` that nobody catches; the balancer waits for 60 s (`proxy_read_timeout`) and
/// closes its end. From one per half an hour to some per minute, under a load that closes well.
fn poisoned_balancer(r: &mut Random, s: &mut Scene) {
    let (most, lost) = (r.log_uniform(0.03, 0.25), r.log_uniform(2.0, 90.0) / HOUR);
    let balancers = r.integer(1, 4);
    let limit = r.pick(&[1024, 1024, 4096]);
    let from = begins_to_leak(r, s, limit, lost);
    let (swing, phase) = (r.uniform(0.0, 0.8), r.uniform(0.0, 6.0));
    let load = daily(1.0 / (1.0 + swing), swing, phase);
    let median = r.log_uniform(0.05, 8.0);
    for (at, lasts) in requests(r, (-0.1 * DAY, s.horizon()), most, (median, 1.1), load) {
        let balancer = popular(r.uniform(0.0, 1.0), balancers);
        let batch = s.open([at]).with(|| balancer);
        if at >= from && r.chance(lost / most) {
            batch.leak().peer_closes(|| 60.0);
        } else {
            batch.live(|| lasts.min(60.0));
        }
    }
    s.inbound();
}
