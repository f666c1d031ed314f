//! Healthy programs under load that is not even: slow clients, slow providers, campaigns.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        keep_alive::{KeepAlive, keep, popular},
        parts::{chain, daily, hold, limit_above, now_and_then, requests},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "C_H_release_day",
        72.0,
        release_day,
        "a mirror on the day of a release, with clients that load for hours",
    ),
    Family::healthy(
        "C_H_newsletter",
        48.0,
        newsletter,
        "a newsletter to thousands of mail servers, some of which let it wait for minutes",
    ),
    Family::healthy(
        "C_H_federation",
        48.0,
        federation,
        "a server of a federation that talks to ever more others, and lets each idle for minutes",
    ),
    Family::healthy(
        "C_H_slow_provider",
        60.0,
        slow_provider,
        "a provider that answers after minutes for an hour or two, up to the client's timeout",
    ),
    Family::healthy(
        "C_H_edge_caches",
        60.0,
        edge_caches,
        "edge caches all over the world at their origin, a few connections each while it is day there",
    ),
    Family::healthy(
        "C_H_exchange_streams",
        72.0,
        exchange_streams,
        "streams of market data that the exchange ends after 24 hours, replaced before",
    ),
    Family::healthy(
        "C_H_catch_up",
        72.0,
        catch_up,
        "a replication that falls behind by day and takes more streams until it has caught up",
    ),
];

/// Images of gigabytes over lines of all kinds: from a minute to a day. A release multiplies the arrivals by ten, and
/// that fades away over a day. The server ends who takes nothing for a minute.
fn release_day(r: &mut Random, s: &mut Scene) {
    const CLIENTS: usize = 500_000;
    let (rate, horizon) = (r.log_uniform(0.002, 0.05), s.horizon());
    let (release, fades) = (r.uniform(-0.2, 0.7) * horizon, r.uniform(6.0, 24.0) * HOUR);
    let times = r.arrivals_varying(11.0 * rate, -0.9 * DAY, horizon, |at| {
        let wave = if at < release {
            0.0
        } else {
            (-(at - release) / fades).exp()
        };
        (1.0 + 10.0 * wave) / 11.0
    });
    let (least, exponent) = (r.log_uniform(40.0, 5.0 * MINUTE), r.uniform(0.9, 1.6));
    for at in times {
        let lasts = r.pareto(least, exponent).min(20.0 * HOUR);
        let stalls = if r.chance(0.05) { 60.0 } else { 0.0 };
        s.open([at])
            .live(|| lasts + stalls)
            .used(|| lasts)
            .with(|| r.integer(0, CLIENTS));
    }
    s.inbound();
    s.limit(limit_above(r, 1000 + whole(11.0 * rate * 2.0 * HOUR)));
}

/// Postfix: at most 20 to a destination (`default_destination_concurrency_limit`), 100 processes in all
/// (`default_process_limit`), each a program of its own that is taken as one here; greylisting ends at once,
/// tarpits after 5 min, nobody there after 30 s (`smtp_connect_timeout`).
fn newsletter(r: &mut Random, s: &mut Scene) {
    let (domains, horizon) = (r.integer(50, 6000), s.horizon());
    let slots = r.pick(&[50, 100, 100, 500]);
    s.limit(limit_above(r, slots + 30));
    for campaign in now_and_then(r, (6.0, 40.0), (-10.0 * HOUR, horizon)) {
        let mails = r.integer(500, 8000);
        let mut busy: Vec<f64> = vec![campaign; slots];
        let tarpits = r.uniform(0.0, 0.08);
        let pace = r.log_uniform(0.05, 3.0);
        for mail in 0..mails {
            busy.sort_by(|a, b| b.total_cmp(a));
            let Some(free) = busy.last_mut() else { continue };
            let at = free.max(campaign + pace * real(mail));
            let domain = popular(r.uniform(0.0, 1.0), domains);
            let lasts = if r.chance(tarpits) {
                r.uniform(60.0, 300.0)
            } else {
                r.lognormal(2.0, 0.8)
            };
            *free = at + lasts;
            let batch = s.open([at]).live(|| lasts).with(|| domain);
            if r.chance(0.01) {
                batch.unanswered().live(|| 30.0);
            }
        }
    }
    let rate = r.log_uniform(0.001, 0.02);
    let times = r.arrivals(rate, -0.5 * DAY, horizon);
    s.open(times)
        .live(|| r.lognormal(2.0, 0.8))
        .with(|| popular(r.uniform(0.0, 1.0), domains));
}

/// Matrix, Mastodon: an HTTP pool with an idle timeout of a minute to ten; when somebody joins a large room or is
/// quoted, hundreds of servers come into play, and more are found over the day.
fn federation(r: &mut Random, s: &mut Scene) {
    let (servers, horizon) = (r.integer(200, 5000), s.horizon());
    let idle = r.pick(&[60.0, 90.0, 300.0, 600.0]);
    let (most, grows) = (r.log_uniform(0.02, 0.25), r.uniform(0.1, 0.9) * horizon);
    let load = daily(0.6, 0.6, r.uniform(0.0, 6.0));
    let mut perhaps: Vec<(f64, usize)> = Vec::new();
    for at in r.arrivals_varying(most, -0.1 * DAY, horizon, load) {
        let known = real(servers) * (0.2 + 0.8 * ((at + 0.1 * DAY) / grows).min(1.0));
        perhaps.push((at, popular(r.uniform(0.0, 1.0), whole(known).max(1))));
    }
    for burst in now_and_then(r, (4.0, 30.0), (0.0, horizon)) {
        let count = r.integer(20, servers / 4);
        let within = r.log_uniform(5.0, 300.0);
        for at in r.moments(count, burst, burst + within) {
            perhaps.push((at, r.integer(0, servers - 1)));
        }
    }
    perhaps.sort_by(|a, b| a.1.cmp(&b.1).then(a.0.total_cmp(&b.0)));
    let pool = KeepAlive {
        idle,
        ..KeepAlive::ANY
    };
    for of_one in perhaps.chunk_by(|a, b| a.1 == b.1) {
        let served: Vec<(f64, f64)> = of_one
            .iter()
            .map(|(at, _)| (*at, r.lognormal(0.4, 1.0).min(60.0)))
            .collect();
        let server = of_one.first().map_or(0, |(_, server)| *server);
        keep(s, &pool.serve(&served), server, 0);
    }
    s.limit(limit_above(r, servers + 1000));
}

/// Payment, language models, a search: a second or ten on good days. When the provider is slow, all requests take the
/// timeout (60 s to 10 min) or nearly, the callers try again, and what is open is ten or a hundred times as much, up
/// to a bound.
fn slow_provider(r: &mut Random, s: &mut Scene) {
    let (most, horizon) = (r.log_uniform(0.02, 0.4), s.horizon());
    let (median, timeout) = (r.log_uniform(0.2, 10.0), r.pick(&[60.0, 120.0, 300.0, 600.0]));
    let bound = r.pick(&[50, 100, 200, 500]);
    let start = r.uniform(0.0, 10.0) * HOUR;
    let slow = chain(r, (start, horizon), 12.0 * HOUR, |r| {
        r.log_uniform(0.3, 4.0) * HOUR
    });
    let (calendar, worst) = (Calendar::any(r), r.uniform(0.3, 1.0));
    let mut served = requests(r, (-HOUR, horizon), most, (median, 0.9), |at| {
        0.1 + 0.9 * calendar.office(at)
    });
    for (at, lasts) in &mut served {
        if let Some((from, to)) = slow.iter().find(|(from, to)| (*from..*to).contains(at)) {
            // It gets worse and better by and by.
            let middle = 1.0 - (2.0 * (*at - from) / (to - from) - 1.0).abs();
            if r.chance(worst * (2.0 * middle).min(1.0)) {
                *lasts = timeout * r.uniform(0.5, 1.0);
            }
        }
        *lasts = lasts.min(timeout);
    }
    let pool = KeepAlive {
        most: bound,
        kept: r.pick(&[2, 10, 50]),
        idle: r.pick(&[30.0, 90.0, 300.0]),
        ..KeepAlive::ANY
    };
    keep(s, &pool.serve(&served), 0, 0);
    s.open([-HOUR]).every(60.0).with(|| 1);
    s.limit(limit_above(r, bound));
}

/// A CDN's points of presence: each a few connections that idle for 1 to 10 min at most. It is always day somewhere,
/// but not for as many people.
fn edge_caches(r: &mut Random, s: &mut Scene) {
    let (points, horizon) = (r.integer(20, 200), s.horizon());
    let pool = KeepAlive {
        idle: r.pick(&[60.0, 240.0, 600.0]),
        requests: r.pick(&[100, 1000, 10_000]),
        newest: r.chance(0.5),
        ..KeepAlive::ANY
    };
    let most = r.log_uniform(0.05, 0.35) / real(points);
    let phase = r.uniform(0.0, 6.0);
    let median = r.log_uniform(0.02, 3.0);
    for point in 0..points {
        // Most people live within eight hours of each other.
        let load = daily(0.52, 0.92, phase + r.normal(0.0, 0.8));
        let rate = most * r.lognormal(0.7, 0.7).min(3.0);
        let served = requests(r, (-HOUR, horizon), rate, (median, 1.0), load);
        keep(s, &pool.serve(&served), point, 0);
    }
    s.inbound();
    s.limit(limit_above(r, 10 * points));
}

/// Each connection carries so many symbols; the exchange ends it after 24 h, a good client opens the next some
/// minutes before. Symbols are listed now and then, and delisted.
fn exchange_streams(r: &mut Random, s: &mut Scene) {
    let (streams, horizon) = (r.integer(3, 250), s.horizon());
    let (start, opens) = (r.uniform(-0.9, 0.1) * DAY, r.log_uniform(MINUTE, 2.0 * HOUR));
    let (overlap, cut) = (r.uniform(5.0, 600.0), r.log_uniform(12.0, 400.0) * HOUR);
    let listed = r.integer(0, streams / 5 + 2);
    for stream in 0..streams + listed {
        let (mut at, delisted) = if stream < streams {
            (start + opens * r.uniform(0.0, 1.0), NEVER)
        } else {
            let at = r.uniform(0.0, horizon);
            (at, at + r.uniform(10.0, 200.0) * HOUR)
        };
        while at < horizon.min(delisted) {
            let lost = MINUTE + r.exponential(cut);
            let (end, next) = if lost < DAY {
                (at + lost, at + lost + r.uniform(1.0, 5.0))
            } else {
                (at + DAY, at + DAY - overlap)
            };
            s.open([at])
                .close(|_| end.min(delisted))
                .every(1.0)
                .with(|| stream % 2);
            at = next;
        }
    }
    s.limit(limit_above(r, 2 * (streams + listed)));
}

/// Object storage to another region, or a change feed: a controller adds a stream for each so much of backlog, up to a
/// bound, and closes those that are not needed. By day more is written than sent.
fn catch_up(r: &mut Random, s: &mut Scene) {
    let (bound, horizon) = (r.integer(8, 200), s.horizon());
    let (calendar, step) = (Calendar::any(r), r.log_uniform(MINUTE, 10.0 * MINUTE));
    let heavy = r.uniform(0.6, 1.3);
    let life = r.pick(&[NEVER, 6.0 * HOUR, HOUR]).max(HOUR * real(bound) / 100.0);
    let floor = r.integer(1, 4);
    let mut open: Vec<f64> = Vec::new();
    let (mut at, mut backlog) = (-0.5 * DAY, 0.0_f64);
    while at < horizon {
        // So many streams would do for what is written now.
        let written = real(bound) * heavy * (0.1 + 0.9 * calendar.office(at));
        backlog = (backlog + (written - real(open.len())) * step / HOUR).max(0.0);
        let wanted = whole(backlog + 0.3 * written).clamp(floor, bound);
        if open.len() < wanted {
            open.push(at + r.uniform(0.0, step));
        }
        while open.len() > wanted {
            let opened = open.remove(0);
            let spans = chain(r, (opened, at), 1.0, |r| life * r.uniform(0.9, 1.0));
            hold(s, &spans).every(1.0);
        }
        at += step;
    }
    for opened in open {
        let spans = chain(r, (opened, 2.0 * horizon), 1.0, |r| life * r.uniform(0.9, 1.0));
        hold(s, &spans).every(1.0);
    }
    s.limit(limit_above(r, bound));
}
