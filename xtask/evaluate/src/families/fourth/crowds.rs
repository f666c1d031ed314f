//! Healthy crowds that stay: chats, matches, devices, people at a bastion, and a database's clients after a failover.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        fourth::{lasting_within, probes},
        parts::{Span, begins, chain},
        third::busy,
    },
    number::real,
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "E_H_messenger",
        48.0,
        messenger,
        "phones that hold a connection to a messenger, change networks, and are missed after some minutes",
    ),
    Family::healthy(
        "E_H_matches",
        48.0,
        matches,
        "a game server whose players come for a match and are all gone when it is over",
    ),
    Family::healthy(
        "E_H_power_cut",
        40.0,
        power_cut,
        "meters that come back over hours, district by district, after a power cut",
    ),
    Family::healthy(
        "E_H_vpn_sessions",
        96.0,
        vpn_sessions,
        "a VPN's control connections, with an idle timeout and a session limit of half a day",
    ),
    Family::healthy(
        "E_H_new_primary",
        30.0,
        new_primary,
        "a replica that becomes the primary: all pools of all services come within minutes and stay",
    ),
];

/// A connection lasts until the phone changes its network, minutes to hours. Half of the losses are silent: the server
/// drops who missed its heartbeat of four to ten minutes. Bounded by the phones that are awake.
fn messenger(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let calendar = Calendar::any(r);
    let from = begins(r, s);
    let heartbeat = r.pick(&[60.0, 240.0, 240.0, 600.0]);
    let median = r.log_uniform(3.0, 90.0) * MINUTE;
    let most = (r.log_uniform(60.0, 2500.0) / median).min(0.4);
    let silent = r.uniform(0.2, 0.8);
    let (mut spans, mut used) = (Vec::new(), Vec::new());
    for at in busy(r, most, (from, s.horizon()), |at| calendar.evening(at)) {
        let life = r.lognormal(median, 1.2).min(14.0 * HOUR);
        let missed = if r.chance(silent) { 1.5 * heartbeat } else { 0.0 };
        spans.push((at, at + life + missed));
        used.push(life);
    }
    let mut used = used.into_iter();
    let addresses = r.pick(&[60_000, 400, 4]);
    lasting_within(r, s, spans)
        .used(|| used.next().unwrap_or_default())
        .with(|| r.integer(0, addresses - 1));
    probes(r, s, from);
}

/// Ten to a hundred players for each match, who join within two minutes. Who is out may go or watch; at the end the
/// server closes. Bounded by the matches that it hosts at once.
fn matches(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (players, lasts) = (r.pick(&[10, 24, 60, 100]), r.uniform(8.0, 45.0) * MINUTE);
    let hosted = real(r.integer(2, 30)) * (10.0 / real(players)).max(0.3);
    let watches = r.uniform(0.2, 1.0);
    let mut spans: Vec<Span> = Vec::new();
    for at in busy(r, hosted / lasts, (-0.3 * DAY, horizon), |at| {
        calendar.evening(at)
    }) {
        let over = at + lasts * r.uniform(0.7, 1.2);
        for joins in r.moments(players, at, at + 2.0 * MINUTE) {
            let out = if r.chance(watches) {
                over + r.uniform(0.0, 15.0)
            } else {
                r.uniform(joins + 60.0, over)
            };
            spans.push((joins, out));
        }
    }
    // Another of the fleet's servers takes what is too much.
    spans.truncate(45_000);
    lasting_within(r, s, spans)
        .every(1.0)
        .with(|| r.integer(0, 50_000));
    probes(r, s, -HOUR);
}

/// The grid comes back in steps, and modems register slowly. From then on a meter's connection lasts for days; the
/// network drops some, which are missed after one and a half of the keepalive. Bounded by the meters.
fn power_cut(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (meters, horizon) = (r.integer(150, 4000), s.horizon());
    let (districts, keepalive) = (r.integer(2, 15), r.pick(&[60.0, 300.0, 900.0]));
    let (cut, outage) = (r.uniform(-10.0, 12.0) * HOUR, r.log_uniform(0.5, 5.0) * HOUR);
    let (returns, registers) = (r.log_uniform(1.0, 12.0) * HOUR, r.log_uniform(2.0, 60.0) * MINUTE);
    let mean = r.log_uniform(20.0, 200.0) * HOUR;
    let powered: Vec<f64> = (0..districts)
        .map(|_| cut + outage + r.uniform(0.0, returns))
        .collect();
    let (mut spans, mut used) = (Vec::new(), Vec::new());
    for meter in 0..meters {
        let back = powered.get(meter % districts).copied().unwrap_or(cut) + r.exponential(registers);
        let mut alive = chain(r, (back, horizon), 60.0, |r| 300.0 + r.exponential(mean));
        if cut > -0.5 * DAY {
            alive.extend(chain(r, (-0.6 * DAY, cut), 60.0, |r| 300.0 + r.exponential(mean)));
        }
        for (up, lost) in alive {
            spans.push((up, lost + 1.5 * keepalive));
            used.push(lost - up);
        }
    }
    let mut used = used.into_iter();
    let addresses = r.pick(&[meters, meters, 16, 1]);
    lasting_within(r, s, spans)
        .used(|| used.next().unwrap_or_default())
        .with(|| r.integer(0, addresses - 1));
    probes(r, s, -HOUR);
}

/// Half of the people stay on all day; who is idle for half an hour or two is put out, and all are after twelve hours.
/// Bounded by the staff, and by those limits.
fn vpn_sessions(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let calendar = Calendar::any(r);
    let people = r.integer(25, 900);
    let (each, idle) = (r.uniform(1.0, 3.0), r.pick(&[0.5, 0.5, 1.0, 2.0]) * HOUR);
    let most = real(people) * each / (8.0 * HOUR);
    let (all_day, limit) = (r.uniform(0.2, 0.8), r.pick(&[8.0, 12.0, 24.0]) * HOUR);
    let (mut spans, mut used) = (Vec::new(), Vec::new());
    for at in busy(r, most, (-0.9 * DAY, s.horizon()), |at| {
        calendar.office(at).max(0.15 * calendar.evening(at))
    }) {
        let works = if r.chance(all_day) {
            r.uniform(3.0, 9.0) * HOUR
        } else {
            r.lognormal(25.0 * MINUTE, 1.0)
        };
        let forgets = if r.chance(0.4) { idle } else { 0.0 };
        spans.push((at, at + (works + forgets).min(limit)));
        used.push(works.min(limit));
    }
    let mut used = used.into_iter();
    let addresses = r.pick(&[10_000, 10_000, 1]);
    lasting_within(r, s, spans)
        .used(|| used.next().unwrap_or_default())
        .with(|| r.integer(0, addresses - 1));
    probes(r, s, -HOUR);
}

/// Before, there were the readers. Pools replace each connection at half an hour or so; some hours later the old
/// primary may be one again. Bounded by the pools' sizes.
fn new_primary(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (pods, each, horizon) = (r.integer(6, 60), r.integer(3, 12), s.horizon());
    let (promoted, back) = (r.uniform(0.3, 12.0) * HOUR, r.uniform(1.0, 30.0) * HOUR);
    let until = if r.chance(0.5) {
        horizon
    } else {
        (promoted + back).min(horizon)
    };
    let (life, settles) = (
        r.pick(&[0.5, 0.5, 1.0, 4.0]) * HOUR,
        r.log_uniform(0.3, 15.0) * MINUTE,
    );
    let every = r.pick(&[1.0, 15.0, 120.0, 600.0, NEVER]);
    let (mut spans, mut peers) = (Vec::new(), Vec::new());
    for pod in 0..pods {
        let learns = promoted + r.exponential(settles).min(20.0 * MINUTE);
        for number in 0..each {
            // A third of the connections of each pod reads from here anyway.
            let joins = if number % 3 == 2 {
                -0.5 * DAY
            } else {
                learns + r.exponential(settles)
            };
            let leaves = if number % 3 == 2 { horizon } else { until };
            let turns = chain(r, (joins, leaves), 0.2, |r| life * r.uniform(0.92, 1.0));
            peers.extend(turns.iter().map(|_| pod));
            spans.extend(turns);
        }
    }
    let mut peers = peers.into_iter();
    lasting_within(r, s, spans)
        .every(every)
        .with(|| peers.next().unwrap_or_default());
    probes(r, s, -HOUR);
}
