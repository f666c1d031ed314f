//! Healthy crowds of clients at a server: devices, players, laptops, runners.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        keep_alive::{KeepAlive, keep},
        parts::{Span, chain, hold, limit_above, now_and_then},
        third::{busy, hold_within, peak},
    },
    number::real,
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "D_H_reconnect_storm",
        48.0,
        reconnect_storm,
        "a fleet of devices that loses its broker and comes back within minutes, some much later",
    ),
    Family::healthy(
        "D_H_patch_day",
        60.0,
        patch_day,
        "players of an evening, whom a maintenance throws out and who all return",
    ),
    Family::healthy(
        "D_H_lost_mappings",
        48.0,
        lost_mappings,
        "meters behind address translation that come back while the broker waits for their old connection",
    ),
    Family::healthy(
        "D_H_sleeping_laptops",
        72.0,
        sleeping_laptops,
        "a file sync's laptops that fall asleep, and a server that finds out by TCP keepalive",
    ),
    Family::healthy(
        "D_H_open_tabs",
        60.0,
        open_tabs,
        "tabs of an office that poll for an answer for half a minute, over and over",
    ),
    Family::healthy(
        "D_H_build_runners",
        72.0,
        build_runners,
        "runners of a build farm, as many as there is work, that wait for half an hour more",
    ),
];

/// Clients of MQTT come back after 1 s, 2 s, and so on up to two minutes. This host may be the one that takes over.
fn reconnect_storm(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (devices, horizon) = (r.integer(100, 3000), s.horizon());
    let takes_over = r.chance(0.35);
    let (mean, every) = (
        r.log_uniform(12.0, 96.0) * HOUR,
        r.pick(&[30.0, 60.0, 60.0, 300.0]),
    );
    let failovers = r.integer(1, 3);
    let mut failovers = r.moments(failovers, HOUR, horizon - HOUR);
    let start = if takes_over {
        failovers.remove(0)
    } else {
        -0.5 * DAY
    };
    let (back, late) = (r.log_uniform(5.0, 90.0), r.uniform(0.0, 0.1));
    let mut spans = Vec::new();
    let mut moments = vec![start];
    moments.extend(failovers);
    for (number, from) in moments.iter().enumerate() {
        let until = moments.get(number + 1).copied().unwrap_or(horizon);
        for _ in 0..devices {
            let delay = r.lognormal(back, 1.0).min(10.0 * MINUTE);
            let delay = if r.chance(late) {
                delay + r.exponential(3.0 * HOUR)
            } else {
                delay
            };
            spans.extend(chain(r, (from + delay, until), 30.0, |r| {
                MINUTE + r.exponential(mean)
            }));
        }
    }
    for (_, end) in &mut spans {
        *end = if *end < horizon { *end } else { NEVER };
    }
    let addresses = r.pick(&[devices, devices, 6]);
    hold_within(r, s, &spans)
        .every(every)
        .with(|| r.integer(0, addresses - 1));
}

/// A game's lobby. The server restarts for a patch, and a queue lets them in again, faster than on any evening.
fn patch_day(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let median = r.log_uniform(15.0, 70.0) * MINUTE;
    let most = (r.log_uniform(60.0, 900.0) / median).min(0.2);
    let down = r.uniform(3.0, horizon / HOUR - 6.0) * HOUR;
    let up = down + r.log_uniform(2.0, 60.0) * MINUTE;
    let mut spans: Vec<Span> = busy(r, most, (-0.4 * DAY, horizon), |at| calendar.evening(at))
        .into_iter()
        .map(|at| (at, at + r.lognormal(median, 0.9).min(10.0 * HOUR)))
        .collect();
    let thrown_out = spans
        .iter()
        .filter(|(from, to)| *from < down && down < *to)
        .count();
    spans.retain(|(from, _)| !(down..up).contains(from));
    let queue = r.log_uniform(5.0, 40.0) * MINUTE;
    let rush = r.moments(thrown_out, up + 5.0, up + queue);
    spans.extend(rush.into_iter().map(|at| (at, at + r.lognormal(median, 0.7))));
    for (from, to) in &mut spans {
        *to = if *from < down { to.min(down) } else { *to };
    }
    hold_within(r, s, &spans).every(1.0).with(|| r.integer(0, 50_000));
    s.lives(vec![(0.0, down), (up, NEVER)]);
}

/// Carriers forget a silent flow after minutes. The device sees it first and connects again; the broker waits for one and
/// a half of the keepalive interval, up to half an hour.
fn lost_mappings(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (devices, horizon) = (r.integer(50, 1200), s.horizon());
    let keepalive = r.pick(&[60.0, 300.0, 600.0, 1200.0]);
    let mean = r.log_uniform(0.7, 20.0) * HOUR;
    // Not more than a few ten thousand.
    let mean = mean.max(real(devices) * horizon / 30_000.0);
    let orderly = r.uniform(0.0, 0.6);
    let (mut spans, mut used) = (Vec::new(), Vec::new());
    for _ in 0..devices {
        let joins = (-r.uniform(0.0, 0.5 * DAY), horizon);
        for (up, lost) in chain(r, joins, 10.0, |r| MINUTE + r.exponential(mean)) {
            let waits = if r.chance(orderly) { 0.0 } else { 1.5 * keepalive };
            spans.push((up, if lost < horizon { lost + waits } else { NEVER }));
            used.push(lost - up);
        }
    }
    let mut used = used.into_iter();
    let addresses = r.pick(&[devices, 16, 2]);
    hold_within(r, s, &spans)
        .used(|| used.next().unwrap_or_default())
        .with(|| r.integer(0, addresses - 1));
}

/// A lid that closes sends nothing. The server's keepalive asks after two hours, nine times every 75 s; who opens the
/// lid has a new connection at once.
fn sleeping_laptops(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::early_in_the_week(r), s.horizon());
    let (laptops, keepalive) = (r.integer(30, 900), r.pick(&[7875.0, 7875.0, 675.0]));
    let (works, orderly) = (r.log_uniform(0.4, 3.0) * HOUR, r.uniform(0.1, 0.6));
    let (mut spans, mut used) = (Vec::new(), Vec::new());
    for day in calendar.workdays(horizon) {
        for _ in 0..laptops {
            if r.chance(0.15) {
                continue;
            }
            let comes = day + r.normal(8.8, 0.7) * HOUR;
            let goes = day + r.normal(17.4, 1.2) * HOUR;
            for (open, shut) in chain(r, (comes, goes), 20.0 * MINUTE, |r| MINUTE + r.exponential(works)) {
                let waits = if r.chance(orderly) { 0.0 } else { keepalive };
                spans.push((open, shut + waits));
                used.push(shut - open);
            }
        }
    }
    let mut used = used.into_iter();
    let addresses = r.pick(&[1, 3, 100_000]);
    hold_within(r, s, &spans)
        .used(|| used.next().unwrap_or_default())
        .with(|| r.integer(0, addresses - 1));
}

/// Long polls of 25 to 60 s on a connection that the server ends after a hundred or a thousand requests
/// (`keepalive_requests`). A tab stays open over lunch, some over night.
fn open_tabs(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let poll = r.pick(&[25.0, 30.0, 55.0, 60.0]);
    let (life, stays) = (
        poll * r.pick(&[100.0, 100.0, 1000.0]),
        r.log_uniform(0.3, 4.0) * HOUR,
    );
    let most = (r.log_uniform(30.0, 800.0) / stays).min(0.15);
    let mut spans = Vec::new();
    for at in busy(r, most, (-0.4 * DAY, horizon), |at| calendar.office(at)) {
        let leaves = at + r.lognormal(stays, 0.8).min(DAY);
        spans.extend(chain(r, (at, leaves), 0.2, |r| life * r.uniform(0.9, 1.0)));
    }
    let proxies = r.integer(1, 8);
    hold_within(r, s, &spans)
        .every(poll)
        .with(|| r.integer(0, proxies - 1));
}

/// Each runner holds a connection on which it waits for jobs, and sends logs and artifacts over short ones. Commits come
/// by day, everything is built once a night, and an idle machine goes after ten to thirty minutes.
fn build_runners(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let median = r.log_uniform(2.0, 25.0) * MINUTE;
    let most = r.log_uniform(3.0, 60.0) / median;
    let span = (-0.3 * DAY, horizon);
    let mut times = busy(r, most.min(0.05), span, |at| calendar.office(at));
    let (nightly, hour) = (r.integer(0, 150), r.uniform(0.0, 4.0));
    for day in calendar.days(horizon) {
        let at = day + hour * HOUR;
        times.extend(r.moments(nightly, at, at + 3.0 * MINUTE));
    }
    // Somebody opens a merge request of forty jobs.
    for at in now_and_then(r, (2.0, 12.0), span) {
        times.extend(r.moments(40, at, at + 30.0));
    }
    times.retain(|at| *at > span.0);
    times.sort_by(f64::total_cmp);
    let jobs: Vec<Span> = times.iter().map(|at| (*at, r.lognormal(median, 0.9))).collect();
    let pool = KeepAlive {
        most: r.pick(&[50, 200, 1000]),
        idle: r.pick(&[10.0, 30.0, 30.0]) * MINUTE,
        requests: r.pick(&[1, 1000, usize::MAX]),
        ..KeepAlive::ANY
    };
    let kept = pool.serve(&jobs);
    let mut spans: Vec<Span> = kept.iter().map(|one| (one.opened, one.closed)).collect();
    let uploads = times.into_iter().map(|at| (at, at + r.lognormal(8.0, 1.0)));
    let uploads: Vec<Span> = uploads.collect();
    spans.extend(&uploads);
    s.limit(limit_above(r, peak(&spans)));
    for (number, one) in kept.iter().enumerate() {
        keep(s, &[*one], number, 0);
    }
    hold(s, &uploads).with(|| r.integer(0, kept.len() - 1));
}
