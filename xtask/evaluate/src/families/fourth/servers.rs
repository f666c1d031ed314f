//! Healthy servers: the web by day and by week, push, polls, and what a campaign brings.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        fourth::{lasting_within, probes, room_for, taking},
        keep_alive::{KeepAlive, Kept, keep},
        parts::{Span, begins, chain},
        third::busy,
    },
    number::real,
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "E_H_web_day",
        30.0,
        web_day,
        "a web server with keep-alive for browsers, from a quiet night to the evening and back",
    ),
    Family::healthy(
        "E_H_balanced_week",
        110.0,
        balanced_week,
        "a backend behind the nodes of a balancer that keep idle connections, on weekdays and at the weekend",
    ),
    Family::healthy(
        "E_H_office_sockets",
        84.0,
        office_sockets,
        "WebSockets of dashboards that are opened in the morning and closed when people go home",
    ),
    Family::healthy(
        "E_H_config_polls",
        48.0,
        config_polls,
        "a configuration server that answers each instance of each service after half a minute or more",
    ),
    Family::healthy(
        "E_H_campaign",
        48.0,
        campaign,
        "a shop whose messages to all phones bring a crowd within minutes, several times a day",
    ),
];

/// Browsers open one to six connections for a visit; the server closes each when it is idle for a few seconds or a
/// minute. Bounded by the visitors of an evening times the idle timeout.
fn web_day(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let calendar = Calendar::any(r);
    let from = begins(r, s);
    let (each, idle) = (r.pick(&[1, 2, 4, 6]), r.pick(&[5.0, 15.0, 60.0, 65.0, 75.0]));
    let most = r.log_uniform(0.4, 1.8) / real(each);
    let stays = r.log_uniform(10.0, 400.0);
    let (mut spans, mut used) = (Vec::new(), Vec::new());
    for at in busy(r, most, (from, s.horizon()), |at| calendar.evening(at)) {
        let reads = r.lognormal(stays, 1.1).min(HOUR);
        for up in r.moments(each, at, at + 2.0) {
            let active = reads * r.uniform(0.1, 1.0);
            spans.push((up, up + active + idle));
            used.push(active);
        }
    }
    let mut used = used.into_iter();
    let addresses = r.pick(&[30_000, 30_000, 12]);
    lasting_within(r, s, spans)
        .used(|| used.next().unwrap_or_default())
        .with(|| r.integer(0, addresses - 1));
    probes(r, s, from);
}

/// nginx or a cloud's balancer: each node keeps what came back, for a minute up to an hour. Bounded by the requests at
/// once on the busiest day, and gone an idle timeout later.
fn balanced_week(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let calendar = Calendar::any(r);
    let from = begins(r, s);
    let (nodes, private) = (r.integer(2, 8), r.chance(0.4));
    let pool = KeepAlive {
        idle: r.pick(&[60.0, 300.0, 300.0, 3600.0]),
        kept: r.pick(&[32, 320, usize::MAX]),
        requests: r.pick(&[100, 1000, 1000, usize::MAX]),
        newest: r.chance(0.6),
        ..KeepAlive::ANY
    };
    let most = r.log_uniform(0.1, 0.8) / real(nodes);
    let takes = r.log_uniform(0.3, 120.0);
    let mut all: Vec<Kept> = Vec::new();
    for node in 0..nodes {
        let times = busy(r, most, (from, s.horizon()), |at| {
            if private {
                calendar.evening(at)
            } else {
                calendar.office(at)
            }
        });
        let requests = taking(r, times, (takes, 1.2, 900.0));
        let kept = pool.serve(&requests);
        keep(s, &kept, node, 0);
        all.extend(kept);
    }
    room_for(r, s, &all);
    probes(r, s, from);
}

/// Pings every 25 s or so, and a lid that is closed is found out by the pong that does not come. A tab lives until its
/// owner goes, or to the next morning; a network change makes it connect again. Bounded by people times tabs.
fn office_sockets(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (people, tabs) = (r.integer(20, 700), r.integer(1, 3));
    let (mean, ping) = (r.log_uniform(0.7, 6.0) * HOUR, r.pick(&[20.0, 25.0, 30.0, 55.0]));
    let (stays, absent) = (r.uniform(0.0, 0.12), r.uniform(0.05, 0.3));
    let mut spans = Vec::new();
    for day in calendar.workdays(horizon) {
        for _ in 0..people {
            if r.chance(absent) {
                continue;
            }
            let comes = day + r.normal(8.7, 0.8) * HOUR;
            let goes = day + r.normal(17.2, 1.0) * HOUR;
            let goes = if r.chance(stays) { day + 32.0 * HOUR } else { goes };
            for _ in 0..tabs {
                let opens = comes + r.exponential(1.5 * HOUR);
                for (up, lost) in chain(r, (opens, goes), 30.0, |r| 20.0 + r.exponential(mean)) {
                    let found = if r.chance(0.5) { 0.0 } else { 2.0 * ping };
                    spans.push((up, lost + found));
                }
            }
        }
    }
    let addresses = r.pick(&[2, 12, people]);
    lasting_within(r, s, spans)
        .every(ping)
        .with(|| r.integer(0, addresses - 1));
    probes(r, s, 0.0);
}

/// Apollo, Nacos, Consul: each instance has a poll open all the time, on a connection that the server ends after a
/// hundred polls or so. Bounded by the instances, of which deployments have a few more for some minutes.
fn config_polls(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (services, poll) = (r.integer(4, 40), r.pick(&[30.0, 30.0, 60.0, 90.0]));
    let (life, mean) = (
        poll * r.pick(&[100.0, 100.0, 1000.0]),
        r.log_uniform(5.0, 60.0) * HOUR,
    );
    let mut spans = Vec::new();
    for _ in 0..services {
        let instances = r.integer(2, 25);
        let mut deployments = vec![-r.uniform(0.1, 0.9) * DAY];
        deployments.extend(busy(r, 3.0 / mean, (0.0, horizon), |at| calendar.office(at)));
        for (number, at) in deployments.iter().enumerate() {
            let over = deployments.get(number + 1).copied().unwrap_or(horizon + DAY);
            let rolls = r.uniform(1.0, 12.0) * MINUTE;
            for _ in 0..instances {
                let turn = r.uniform(0.0, rolls);
                let alive = (at + turn, (over + turn + 40.0).min(horizon));
                spans.extend(chain(r, alive, 0.2, |r| life * r.uniform(0.9, 1.0)));
            }
        }
    }
    let addresses = r.pick(&[3, 500, 5000]);
    lasting_within(r, s, spans)
        .every(poll)
        .with(|| r.integer(0, addresses - 1));
    probes(r, s, -HOUR);
}

/// A push message goes out at ten, at noon and at eight; within five minutes a tenth of the phones is there. They
/// browse for minutes, and idle connections go after one. Bounded by the phones that are reached.
fn campaign(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let from = begins(r, s);
    let base = r.log_uniform(0.03, 0.25);
    let (crowd, decay) = (r.log_uniform(150.0, 4000.0), r.log_uniform(3.0, 40.0) * MINUTE);
    let (median, idle) = (r.log_uniform(0.5, 12.0) * MINUTE, r.pick(&[30.0, 60.0, 75.0]));
    let mut times = busy(r, base, (from, horizon), |at| calendar.evening(at));
    let hours: Vec<f64> = (0..r.integer(1, 3)).map(|_| r.uniform(8.0, 21.0)).collect();
    for day in calendar.days(horizon) {
        for hour in &hours {
            let at = day + hour * HOUR + r.uniform(0.0, 120.0);
            let comes = r.lognormal(crowd, 0.4).min(2.0 * crowd) / decay;
            times.extend(busy(r, comes, (at, at + 6.0 * decay), |now| {
                (-(now - at) / decay).exp()
            }));
        }
    }
    times.retain(|at| (from..horizon).contains(at));
    let spans: Vec<Span> = times
        .into_iter()
        .map(|at| (at, at + r.lognormal(median, 0.9).min(HOUR) + idle))
        .collect();
    let addresses = r.pick(&[60_000, 60_000, 6]);
    lasting_within(r, s, spans)
        .every(20.0)
        .with(|| r.integer(0, addresses - 1));
    probes(r, s, from);
}
