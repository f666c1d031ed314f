//! Healthy works: sales, backups, batches, outages, and people at a shell.

use crate::{
    families::{
        Family,
        calendar::{Calendar, ramp},
        keep_alive::{KeepAlive, keep},
        parts::{Span, begins, chain, hold, limit_above},
        third::{busy, hold_within, peak},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "D_H_sale_ramp",
        48.0,
        sale_ramp,
        "a shop's calls to its payment service, ten times as many on the day of a sale",
    ),
    Family::healthy(
        "D_H_backup_window",
        72.0,
        backup_window,
        "a backup server that connects to each host at night, all of it at the weekend",
    ),
    Family::healthy(
        "D_H_backed_off",
        48.0,
        backed_off,
        "workers that cannot reach a service for hours and try again ever more rarely",
    ),
    Family::healthy(
        "D_H_nightly_batch",
        84.0,
        nightly_batch,
        "a batch whose tasks connect one after the other and all commit in the morning",
    ),
    Family::healthy(
        "D_H_jump_host",
        108.0,
        jump_host,
        "sessions of an office at a jump host, some left open over night or until Friday",
    ),
    Family::healthy(
        "D_H_crawler",
        24.0,
        crawler,
        "a crawler that finds ever more hosts until all of its workers are busy",
    ),
];

/// A ramp of hours, a plateau, and the way back, on top of the usual evening. The client keeps idle connections for a
/// minute to five.
fn sale_ramp(r: &mut Random, s: &mut Scene) {
    let (from, horizon) = (begins(r, s), s.horizon());
    let (start, factor) = (r.uniform(1.0, 20.0) * HOUR, r.uniform(4.0, 20.0));
    let (rise, lasts, fall) = (
        r.log_uniform(0.2, 8.0) * HOUR,
        r.uniform(3.0, 12.0) * HOUR,
        r.log_uniform(1.0, 8.0) * HOUR,
    );
    let calendar = Calendar::any(r);
    let load = |at: f64| {
        let sale = ramp(at, start, start + rise)
            * (1.0 - ramp(at, start + rise + lasts, start + rise + lasts + fall));
        (calendar.evening(at) / factor).max(sale * (0.7 + 0.3 * calendar.evening(at)))
    };
    let (most, median) = (r.log_uniform(0.3, 2.0), r.log_uniform(1.0, 60.0));
    let requests: Vec<Span> = busy(r, most, (from, horizon), load)
        .into_iter()
        .map(|at| (at, r.lognormal(median, 0.8)))
        .collect();
    let pool = KeepAlive {
        idle: r.pick(&[60.0, 90.0, 300.0]),
        newest: r.chance(0.6),
        ..KeepAlive::ANY
    };
    let kept = pool.serve(&requests);
    let spans: Vec<Span> = kept.iter().map(|one| (one.opened, one.closed)).collect();
    s.limit(limit_above(r, peak(&spans)));
    keep(s, &kept, 0, 0);
}

/// A director with a control connection to each host for the whole window, and one for the data that lasts minutes,
/// or hours when everything is saved.
fn backup_window(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (hosts, begins) = (r.integer(20, 300), r.uniform(20.0, 26.0) * HOUR);
    let (window, median) = (r.uniform(1.0, 5.0) * HOUR, r.log_uniform(1.0, 20.0) * MINUTE);
    let controlled = r.chance(0.5);
    let (mut spans, mut peers) = (Vec::new(), Vec::new());
    for day in calendar.days(horizon) {
        let full = if calendar.is_workday(day + 12.0 * HOUR) {
            1.0
        } else {
            5.0
        };
        let mut night = Vec::new();
        for (host, at) in r
            .moments(hosts, day + begins, day + begins + window)
            .into_iter()
            .enumerate()
        {
            night.push((at, at + r.lognormal(median * full, 1.0).min(9.0 * HOUR)));
            peers.push(host);
        }
        let done = night.iter().map(|(_, end)| *end).fold(0.0, f64::max);
        if controlled {
            let controls: Vec<Span> = night.iter().map(|(at, _)| (at - 1.0, done)).collect();
            night.extend(controls);
            peers.extend(0..hosts);
        }
        spans.extend(night);
    }
    let mut peers = peers.into_iter();
    hold_within(r, s, &spans)
        .every(5.0)
        .with(|| peers.next().unwrap_or_default());
}

/// Nobody answers: each try is given up after the client's timeout, or the kernel's 127 s, and the pauses double up to
/// some minutes. What was open before is found dead within a quarter of an hour.
fn backed_off(r: &mut Random, s: &mut Scene) {
    let (workers, horizon) = (r.integer(4, 50), s.horizon());
    let from = begins(r, s);
    let down = r.uniform(2.0, 30.0) * HOUR;
    let up = down + r.log_uniform(0.2, 8.0) * HOUR;
    let (timeout, cap) = (
        r.pick(&[5.0, 10.0, 30.0, 127.0]),
        r.pick(&[60.0, 60.0, 120.0, 300.0]),
    );
    let (every, life) = (
        r.log_uniform(1.0, 120.0),
        r.pick(&[0.5 * HOUR, 4.0 * HOUR, 100.0 * DAY]),
    );
    let (mut good, mut tries) = (Vec::new(), Vec::new());
    for _ in 0..workers {
        let joins = from + r.uniform(0.0, 60.0);
        let before = chain(r, (joins, down), 1.0, |r| life * r.uniform(0.9, 1.0));
        good.extend(before);
        let found = down + r.uniform(1.0, 924.0);
        if let Some((_, end)) = good.last_mut() {
            *end = found;
        }
        let (mut at, mut pause) = (found, 1.0);
        while at < up {
            tries.push((at, at + timeout));
            at += timeout + pause * r.uniform(0.5, 1.0);
            pause = f64::min(cap, 2.0 * pause);
        }
        let after = chain(r, (at, horizon), 1.0, |r| life * r.uniform(0.9, 1.0));
        good.extend(after);
    }
    for (_, end) in &mut good {
        *end = if *end < horizon { *end } else { NEVER };
    }
    s.limit(limit_above(r, 2 * workers));
    hold(s, &good).every(every);
    hold(s, &tries).unanswered();
}

/// A warehouse's load: a scheduler starts hundreds of tasks over hours, each in a transaction of its own that waits,
/// silent, for the commit of all.
fn nightly_batch(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (tasks, starts) = (r.integer(30, 350), r.uniform(18.0, 26.0) * HOUR);
    let (lasts, works) = (r.uniform(2.0, 8.0) * HOUR, r.log_uniform(1.0, 30.0) * MINUTE);
    let waits = r.uniform(0.3, 1.0);
    let (mut spans, mut used) = (Vec::new(), Vec::new());
    for day in calendar.days(horizon) {
        let count = whole(real(tasks) * r.uniform(0.85, 1.15));
        let (from, lasts) = (day + starts, lasts * r.uniform(0.9, 1.1));
        let commits = from + lasts + r.uniform(5.0, 20.0) * MINUTE;
        for at in r.moments(count, from, from + lasts) {
            let work = r.lognormal(works, 0.8);
            let ends = if r.chance(waits) { commits } else { at + work };
            spans.push((at, ends.max(at) + r.uniform(0.0, 30.0)));
            used.push(work.min(ends - at));
        }
    }
    let mut used = used.into_iter();
    hold_within(r, s, &spans).used(|| used.next().unwrap_or_default());
    let (jobs, life) = (r.log_uniform(0.001, 0.02), r.log_uniform(1.0, 60.0));
    let short = r.arrivals(jobs, 0.0, horizon);
    s.open(short).live(|| r.lognormal(life, 1.0).min(HOUR));
}

/// OpenSSH without `ClientAliveInterval` of its own: most sessions are over in half an hour, some people leave theirs in
/// a terminal until the evening, the next morning or the weekend.
fn jump_host(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let people = r.integer(15, 300);
    let each = r.uniform(1.5, 6.0);
    let rate = real(people) * each / (9.0 * HOUR);
    let (forgets, median) = (r.uniform(0.03, 0.25), r.log_uniform(5.0, 40.0) * MINUTE);
    let (mut spans, mut used) = (Vec::new(), Vec::new());
    for at in busy(r, rate, (-0.9 * DAY, horizon), |at| calendar.office(at)) {
        let works = r.lognormal(median, 1.2).min(9.0 * HOUR);
        let evening = at + (r.normal(17.5, 0.8) - calendar.hour(at)) * HOUR;
        let days = f64::from(r.pick(&[0_u8, 0, 0, 1, 1, 2, 3]));
        let stays = if r.chance(forgets) {
            evening + days * DAY
        } else {
            at
        };
        spans.push((at, stays.max(at + works)));
        used.push(works);
    }
    let mut used = used.into_iter();
    let desks = r.pick(&[1, people, people]);
    hold_within(r, s, &spans)
        .used(|| used.next().unwrap_or_default())
        .with(|| r.integer(0, desks - 1));
}

/// One host after the other for each worker, a page every second or two, the connection kept for half a minute more. At
/// first there are a few hosts to go to, hours later there are thousands.
fn crawler(r: &mut Random, s: &mut Scene) {
    let (start, horizon) = (r.uniform(-6.0, 3.0) * HOUR, s.horizon());
    let (workers, grows) = (r.integer(10, 100), r.log_uniform(0.5, 10.0) * HOUR);
    let (median, idle) = (r.log_uniform(40.0, 900.0), r.pick(&[5.0, 15.0, 30.0, 60.0]));
    let politeness = r.pick(&[1.0, 1.0, 2.0, 5.0]);
    let mut spans = Vec::new();
    for worker in 0..workers {
        let joins = start + grows * real(worker) / real(workers) * r.uniform(0.8, 1.2);
        for (from, to) in chain(r, (joins, horizon), 0.5, |r| r.lognormal(median, 1.0)) {
            spans.push((from, to + idle));
        }
    }
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut host = 0..;
    hold_within(r, s, &spans)
        .every(politeness)
        .with(|| host.next().unwrap_or_default());
}
