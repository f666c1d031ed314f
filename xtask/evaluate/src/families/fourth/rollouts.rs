//! Healthy changes: deployments, cut-overs, recoveries, and scaling.

use crate::{
    families::{
        Family,
        calendar::{Calendar, ramp},
        fourth::{lasting_within, probes},
        parts::{Span, chain},
        third::{busy, tide},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "E_H_rolling_deploys",
        60.0,
        rolling_deploys,
        "a broker whose clients are deployed in turn, the new ones connected before the old ones go",
    ),
    Family::healthy(
        "E_H_cut_over",
        36.0,
        cut_over,
        "a new colour that takes clients over as their names expire, while the old one drains",
    ),
    Family::healthy(
        "E_H_recovery",
        48.0,
        recovery,
        "a storage node that catches up over hours by streams from its peers",
    ),
    Family::healthy(
        "E_H_queue_scaled",
        60.0,
        queue_scaled,
        "workers at a database, as many as the queue is long, up to a number, and none when it is empty",
    ),
];

/// Five to fifty pods of each service are replaced within minutes, some times a day, in working hours; who goes has a
/// minute for that. Bounded by the pods and the surge.
fn rolling_deploys(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (services, each) = (r.integer(1, 12), r.integer(1, 8));
    let (per_day, every) = (r.uniform(0.3, 4.0), r.pick(&[5.0, 10.0, 30.0, 60.0, 300.0]));
    let grace = r.log_uniform(5.0, 600.0);
    let life = r.pick(&[100.0 * DAY, 100.0 * DAY, 4.0 * HOUR, HOUR]);
    let (mut spans, mut peers, mut address) = (Vec::new(), Vec::new(), 0);
    for _ in 0..services {
        let pods = r.integer(2, 60) / services + 2;
        let mut starts = vec![-r.uniform(0.2, 0.9) * DAY];
        let rate = per_day / (9.0 * HOUR);
        starts.extend(busy(r, rate, (0.0, horizon), |at| calendar.office(at)));
        for (number, at) in starts.iter().enumerate() {
            let over = starts.get(number + 1).copied();
            let (turn, each_takes) = (r.uniform(5.0, 60.0), r.uniform(5.0, 40.0));
            for pod in 0..pods {
                let up = at + turn + each_takes * real(pod);
                let down = over.map_or(horizon, |over| {
                    over + turn + each_takes * real(pod) + r.uniform(0.2, 1.0) * grace
                });
                for _ in 0..each {
                    let joins = up + r.uniform(0.0, 10.0);
                    let turns = chain(r, (joins, down.max(joins + 1.0)), 0.5, |r| {
                        life * r.uniform(0.9, 1.0)
                    });
                    peers.extend(turns.iter().map(|_| address));
                    spans.extend(turns);
                }
                address += 1;
            }
        }
    }
    let mut peers = peers.into_iter();
    lasting_within(r, s, spans)
        .every(every)
        .with(|| peers.next().unwrap_or_default());
    probes(r, s, 0.0);
}

/// The name points to the new process's port at once, but clients ask for it when they connect: those of minutes come
/// at once, `WebSockets` over hours. The old one ends after an hour or four, whoever is left. Bounded by the clients.
fn cut_over(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (switch, drains) = (r.uniform(1.0, 20.0) * HOUR, r.pick(&[1.0, 2.0, 4.0]) * HOUR);
    let (expires, median) = (r.pick(&[60.0, 300.0, 3600.0]), r.log_uniform(3.0, 120.0) * MINUTE);
    let most = (r.log_uniform(40.0, 1500.0) / median).min(0.3);
    let ends = switch + drains;
    let (mut spans, mut colours) = (Vec::new(), Vec::new());
    let mut clients = busy(r, most, (-0.5 * DAY, horizon), |at| {
        0.2 + 0.8 * calendar.evening(at)
    });
    let mut cut_off = 0;
    for at in &clients {
        // An expiry at a moment that is any for each client.
        let knows = at - switch > r.uniform(0.0, expires);
        let life = r.lognormal(median, 1.1).min(16.0 * HOUR);
        let end = if knows { at + life } else { (at + life).min(ends) };
        cut_off += usize::from(!knows && at + life > ends);
        spans.push((*at, end));
        colours.push(usize::from(knows));
    }
    // Who was cut off comes back within minutes.
    clients = r.moments(cut_off, ends + 0.5, ends + 3.0 * MINUTE);
    clients.retain(|at| *at < horizon);
    spans.extend(
        clients
            .into_iter()
            .map(|at| (at, at + r.lognormal(median, 1.1).min(16.0 * HOUR))),
    );
    colours.resize(spans.len(), 1);
    let (every, balancers) = (r.pick(&[10.0, 25.0, 30.0]), r.pick(&[2, 4, 20_000]));
    let green = s.program("green");
    let mut colours = colours.into_iter();
    lasting_within(r, s, spans)
        .every(every)
        .with(|| r.integer(0, balancers - 1))
        .of(|| green * colours.next().unwrap_or_default());
    s.lives(vec![(-DAY, ends)]);
}

/// Cassandra's bootstrap, shards of a search cluster, a broker's reassignment: some streams at a time from each peer, a
/// few minutes or an hour for each, until all is there. Beside them the dozen connections to each peer that there always
/// are. Bounded by the streams at a time; over when it has caught up.
fn recovery(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let (peers, each) = (r.integer(3, 24), r.pick(&[1, 3, 13]));
    let (at_once, runs) = (r.integer(1, 8), r.integer(1, 3));
    let (median, every) = (r.log_uniform(2.0, 50.0) * MINUTE, r.pick(&[5.0, 30.0, 30.0]));
    let (mut spans, mut to): (Vec<Span>, Vec<usize>) = (Vec::new(), Vec::new());
    for peer in 0..peers {
        for _ in 0..each {
            spans.push((-r.uniform(0.1, 0.5) * DAY, NEVER));
            to.push(peer);
        }
    }
    for from in r.moments(runs, 0.2 * HOUR, horizon - 4.0 * HOUR) {
        let (lasts, slow_start) = (r.log_uniform(1.0, 12.0) * HOUR, r.log_uniform(0.05, 3.0) * HOUR);
        for peer in 0..peers {
            // The last peers have little that is wanted.
            let until = from + lasts * r.uniform(0.3, 1.0);
            for slot in 0..at_once {
                let joins = from + slow_start * real(slot) / real(at_once) + r.uniform(0.0, 60.0);
                let turns = chain(r, (joins, until), 2.0, |r| r.lognormal(median, 0.8).max(5.0));
                to.extend(turns.iter().map(|_| peer));
                spans.extend(turns);
            }
        }
    }
    spans.retain(|(at, end)| at < end);
    let mut to = to.into_iter();
    lasting_within(r, s, spans)
        .every(every)
        .with(|| to.next().unwrap_or_default());
}

/// An autoscaler looks at the queue every half minute, doubles the workers at most, and takes them away five minutes
/// after the last message. Uploads come by day, and a partner's file of thousands now and then. Bounded by its maximum.
fn queue_scaled(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (most, least, each) = (r.integer(10, 150), r.integer(0, 2), r.integer(1, 6));
    let (takes, cooldown) = (r.log_uniform(0.5, 30.0), r.pick(&[300.0, 300.0, 900.0]));
    let (load, share) = (tide(r, (0.1, 0.5)), r.uniform(0.05, 0.6));
    let between = r.log_uniform(3.0, 20.0) * HOUR;
    let files: Vec<(f64, f64)> = r
        .arrivals(1.0 / between, 0.0, horizon)
        .into_iter()
        .map(|at| (at, real(most) * r.log_uniform(0.1, 3.0) * HOUR / takes))
        .collect();
    let (mut queue, mut pods, mut last) = (0.0, Vec::<f64>::new(), 0.0);
    let (mut spans, mut at) = (Vec::new(), -0.3 * DAY);
    let mut coming = files.iter().peekable();
    while at < horizon {
        queue += 30.0 * share * real(most) / takes * calendar.office(at) * load(at) * r.uniform(0.5, 1.5);
        while let Some((_, count)) = coming.next_if(|(file, _)| *file <= at) {
            queue += count;
        }
        queue = f64::max(0.0, queue - 30.0 * real(pods.len()) / takes);
        // Each pod is for a hundred messages that wait.
        let busy_pods = whole(queue / 100.0 + ramp(queue, 0.0, 10.0));
        let wanted = busy_pods.clamp(least, most).min((2 * pods.len()).max(4));
        if wanted >= pods.len() && queue > 0.0 {
            last = at;
            pods.resize(wanted, at);
        } else if at - last > cooldown {
            spans.extend(pods.drain(wanted.max(least).min(pods.len())..).map(|up| (up, at)));
        }
        at += 30.0;
    }
    spans.extend(pods.into_iter().map(|up| (up, horizon)));
    let (mut all, mut peers) = (Vec::new(), Vec::new());
    for (pod, (up, down)) in spans.iter().enumerate() {
        for opened in r.moments(each, up + 3.0, up + 25.0) {
            all.push((opened, down.max(opened) + r.uniform(0.0, 30.0)));
            peers.push(pod);
        }
    }
    // There is always somebody who looks at it.
    all.push((-HOUR, horizon));
    let mut peers = peers.into_iter();
    lasting_within(r, s, all)
        .every(takes.max(1.0))
        .with(|| peers.next().unwrap_or_default());
    probes(r, s, 0.0);
}
