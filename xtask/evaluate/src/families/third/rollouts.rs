//! Healthy changes: deployments, scaling, and addresses that come and go.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        keep_alive::{KeepAlive, keep},
        parts::{Span, begins, chain, limit_above, now_and_then},
        third::{busy, hold_within, peak, tide},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "D_H_blue_green",
        60.0,
        blue_green,
        "a mesh's connections to both colours of a service, the old ones drained within an hour",
    ),
    Family::healthy(
        "D_H_scaled_backends",
        60.0,
        scaled_backends,
        "connections to each of the pods, whose number follows the load up at once and down slowly",
    ),
    Family::healthy(
        "D_H_aged_channels",
        48.0,
        aged_channels,
        "HTTP/2 channels that are told to go at a maximum age and stay until their streams end",
    ),
    Family::healthy(
        "D_H_reloaded_proxy",
        48.0,
        reloaded_proxy,
        "a proxy's workers that keep their WebSockets after a reload while new workers take what comes",
    ),
    Family::healthy(
        "D_H_joining_sites",
        72.0,
        joining_sites,
        "branches that are connected to the headquarters one after the other, for good",
    ),
    Family::healthy(
        "D_H_moving_balancer",
        48.0,
        moving_balancer,
        "a cloud's load balancer that changes its addresses, and a client that follows",
    ),
];

/// All traffic goes over at once, what runs on the old side may end: 10 min are usual, an hour the most.
fn blue_green(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let (pods, each) = (r.integer(3, 30), r.integer(1, 6));
    let mut switches = vec![-r.uniform(0.2, 0.9) * DAY];
    switches.extend(now_and_then(r, (3.0, 20.0), (0.0, horizon)));
    let (drains, most) = (r.log_uniform(1.0, 25.0) * MINUTE, r.pick(&[0.5, 1.0, 1.0]) * HOUR);
    let every = r.log_uniform(1.0, 60.0);
    let (mut spans, mut peers) = (Vec::new(), Vec::new());
    for (number, at) in switches.iter().enumerate() {
        let over = switches.get(number + 1).copied().unwrap_or(NEVER);
        for pod in 0..pods {
            for opened in r.moments(each, *at, at + 4.0 * MINUTE) {
                spans.push((opened, over.max(opened) + r.lognormal(drains, 1.0).min(most)));
                peers.push(number * pods + pod);
            }
        }
    }
    let mut peers = peers.into_iter();
    hold_within(r, s, &spans)
        .every(every)
        .with(|| peers.next().unwrap_or_default());
}

/// A horizontal autoscaler looks every 15 s, waits five minutes before it scales down (often more), and never reuses an
/// address soon.
fn scaled_backends(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (least, most, each) = (r.integer(2, 4), r.integer(8, 80), r.integer(1, 8));
    let (patience, private) = (r.pick(&[5.0, 5.0, 15.0, 30.0]) * MINUTE, r.chance(0.5));
    let every = r.log_uniform(1.0, 90.0);
    let mut pods: Vec<f64> = Vec::new();
    let (mut spans, mut quiet) = (Vec::new(), -DAY);
    let mut at = -0.5 * DAY;
    while at < horizon {
        let load = if private {
            calendar.evening(at)
        } else {
            calendar.office(at)
        };
        let wanted = whole(real(most) * load * r.lognormal(1.0, 0.08)).clamp(least, most);
        if wanted >= pods.len() {
            quiet = at;
            pods.resize(wanted, at);
        } else if at - quiet > patience {
            spans.extend(pods.drain(wanted..).map(|up| (up, at)));
        }
        at += MINUTE;
    }
    spans.extend(pods.into_iter().map(|up| (up, NEVER)));
    let all: Vec<Span> = spans.iter().flat_map(|span| vec![*span; each]).collect();
    s.limit(limit_above(r, peak(&all)));
    for (pod, (up, down)) in spans.into_iter().enumerate() {
        s.open(r.moments(each, up + 5.0, up + 40.0))
            .close(|_| down + r.uniform(0.0, 30.0))
            .every(every)
            .with(|| pod);
    }
}

/// `MAX_CONNECTION_AGE` with a tenth of jitter and no limit for the grace: the client opens the next channel at once,
/// and a few streams go on for hours on the old one.
fn aged_channels(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (from, horizon) = (begins(r, s), s.horizon());
    let (clients, age) = (
        r.integer(10, 250),
        r.pick(&[5.0, 30.0, 30.0, 60.0, 120.0]) * MINUTE,
    );
    let clients = clients.min(whole(age / 4.0));
    let (streams, short) = (r.log_uniform(0.003, 0.1), r.log_uniform(0.5, 60.0));
    let long = r.log_uniform(0.2, 5.0) * HOUR;
    let every = r.log_uniform(0.5, 30.0);
    let mut spans = Vec::new();
    for _ in 0..clients {
        let joins = from + r.uniform(0.0, 10.0 * MINUTE);
        for (up, told) in chain(r, (joins, horizon), 0.1, |r| age * r.uniform(0.9, 1.1)) {
            let drains = if r.chance(streams) { long } else { short };
            spans.push((up, told + r.exponential(drains).min(DAY)));
        }
    }
    let nodes = r.integer(1, clients);
    hold_within(r, s, &spans)
        .every(every)
        .with(|| r.integer(0, nodes - 1));
}

/// An ingress that reloads whenever a route changes. The workers of before hold on to their `WebSockets` until those end,
/// or until `worker_shutdown_timeout`: four minutes with one ingress, none with nginx itself.
fn reloaded_proxy(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let horizon = s.horizon();
    let reloads = now_and_then(r, (1.0, 8.0), (0.0, horizon));
    let timeout = r.pick(&[240.0, HOUR, 4.0 * HOUR, NEVER]);
    let (rate, median) = (r.log_uniform(0.005, 0.12), r.log_uniform(2.0, 40.0) * MINUTE);
    let (load, every) = (tide(r, (0.2, 0.9)), r.pick(&[15.0, 25.0, 60.0]));
    let mut spans = Vec::new();
    let mut workers = Vec::new();
    for at in busy(r, rate, (-0.5 * DAY, horizon), load) {
        let worker = reloads.partition_point(|reload| *reload <= at);
        let ends = reloads.get(worker).map_or(NEVER, |reload| reload + timeout);
        spans.push((at, (at + r.lognormal(median, 1.2).min(DAY)).min(ends)));
        workers.push(worker);
    }
    for _ in &reloads {
        s.program("nginx");
    }
    let mut workers = workers.into_iter();
    let balancers = r.integer(1, 6);
    hold_within(r, s, &spans)
        .every(every)
        .of(|| workers.next().unwrap_or_default())
        .with(|| r.integer(0, balancers - 1));
}

/// A chain of shops moves to another supplier of its network: some sites a day, in working hours, each with a
/// connection or a few that last for weeks.
fn joining_sites(r: &mut Random, s: &mut Scene) {
    if r.chance(0.6) {
        s.inbound();
    }
    let (calendar, horizon) = (Calendar::early_in_the_week(r), s.horizon());
    let (before, joining, each) = (r.integer(0, 80), r.integer(30, 400), r.integer(1, 4));
    let span = (0.0, horizon * r.uniform(0.3, 1.0));
    let rate = real(joining) / (0.35 * span.1);
    let mut joins = busy(r, rate, span, |at| calendar.office(at));
    joins.truncate(joining);
    let mut sites = r.moments(before, -0.9 * DAY, -0.4 * DAY);
    sites.extend(joins);
    let (mean, every) = (r.log_uniform(2.0, 30.0) * DAY, r.pick(&[10.0, 30.0, 60.0, 300.0]));
    // Behind one address if the supplier translates them all.
    let addresses = r.pick(&[100_000, 100_000, 1]);
    let room = sites.len() * each;
    for (site, at) in sites.into_iter().enumerate() {
        for up in r.moments(each, at, at + MINUTE) {
            for (from, to) in chain(r, (up, horizon), 15.0, |r| HOUR + r.exponential(mean)) {
                s.open([from])
                    .close(|_| if to < horizon { to } else { NEVER })
                    .every(every)
                    .with(|| site % addresses);
            }
        }
    }
    s.limit(limit_above(r, room));
}

/// The balancer has two to eight addresses with a DNS record of a minute; each is replaced after some hours. What is
/// idle on an old address goes by its timeout, long downloads take longer.
fn moving_balancer(r: &mut Random, s: &mut Scene) {
    let (from, horizon) = (begins(r, s), s.horizon());
    let slots = r.integer(2, 8);
    let (moves, idle) = (
        r.log_uniform(0.7, 12.0) * HOUR,
        r.pick(&[60.0, 90.0, 300.0, 350.0]),
    );
    let (most, load) = (r.log_uniform(0.1, 1.2) / real(slots), tide(r, (0.2, 0.8)));
    let (median, long) = (r.log_uniform(0.05, 3.0), r.uniform(0.0, 0.04));
    let pool = KeepAlive {
        idle,
        ..KeepAlive::ANY
    };
    let (mut address, mut spans) = (0, Vec::new());
    for _ in 0..slots {
        for span in chain(r, (from, horizon), 0.1, |r| 60.0 + r.exponential(moves)) {
            let requests: Vec<Span> = busy(r, most, span, &load)
                .into_iter()
                .map(|at| {
                    let median = if r.chance(long) { 20.0 * MINUTE } else { median };
                    (at, r.lognormal(median, 1.0).min(6.0 * HOUR))
                })
                .collect();
            let kept = pool.serve(&requests);
            spans.extend(kept.iter().map(|one| (one.opened, one.closed)));
            keep(s, &kept, address, 0);
            address += 1;
        }
    }
    s.limit(limit_above(r, peak(&spans)));
}
