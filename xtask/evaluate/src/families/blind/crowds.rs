//! Servers of people and of things, who come and go as they please.

use super::{Calendar, Span, begins, chain, hold, keep_alive::popular, limit_above, now_and_then};
use crate::{
    families::Family,
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "B_H_sleepers",
        120.0,
        sleepers,
        "laptops that fall asleep, and a server whose TCP keepalive finds out after hours",
    ),
    Family::healthy(
        "B_H_fleet",
        96.0,
        fleet,
        "devices that are rolled out over days, and then are all there",
    ),
    Family::healthy(
        "B_H_game_evenings",
        96.0,
        game_evenings,
        "a game with evenings, weekends and records",
    ),
    Family::healthy(
        "B_H_office_chat",
        120.0,
        office_chat,
        "a chat of people at work, with breaks, absences and restarts",
    ),
    Family::healthy(
        "B_H_tabs",
        96.0,
        tabs,
        "event streams of browser tabs, of which some stay open for days",
    ),
    Family::healthy(
        "B_H_meetings",
        72.0,
        meetings,
        "signalling of video conferences, on the hour and the half hour",
    ),
    Family::healthy(
        "B_H_mailboxes",
        96.0,
        mailboxes,
        "IMAP's IDLE, of which some are abandoned and dropped after half an hour",
    ),
    Family::healthy(
        "B_H_remote_editors",
        72.0,
        remote_editors,
        "remote servers of editors, which wait three hours for who was cut off",
    ),
    Family::healthy(
        "B_H_analysts",
        72.0,
        analysts,
        "sessions of analysts that are silent until a timeout of hours",
    ),
];

/// SMB, SSH or a database, with `tcp_keepalive_time` at its 7200 s, and 9 probes 75 s apart: who vanished is dropped
/// after 2 h 11 min. Some come back by another connection long before.
fn sleepers(r: &mut Random, s: &mut Scene) {
    const REAPED: f64 = 7200.0 + 9.0 * 75.0;
    let calendar = Calendar::any(r);
    let (people, every) = (r.integer(10, 250), r.log_uniform(30.0, 20.0 * MINUTE));
    let (share, horizon) = (r.uniform(0.2, 0.9), s.horizon());
    for day in calendar.workdays(horizon) {
        for person in 0..people {
            let (mut at, home) = (day + r.normal(8.5, 0.8) * HOUR, day + r.normal(17.5, 1.2) * HOUR);
            while at < home {
                let end = (at + r.exponential(3.0 * HOUR).max(MINUTE)).min(home);
                let batch = s.open([at]).with(|| person);
                if r.chance(share) {
                    batch
                        .used(|| end - at)
                        .close(|_| end + REAPED + 0.01)
                        .are_reset(|| end - at + REAPED);
                } else {
                    batch.every(every).close(|_| end);
                }
                at = end + r.log_uniform(5.0 * MINUTE, 2.0 * HOUR);
            }
        }
    }
    // A few machines are always on.
    let servers = r.integer(1, 10);
    s.older(servers).every(every).with(|| people);
    s.inbound();
    s.limit(limit_above(r, 2 * people + 10));
}

/// MQTT with a keepalive of 60 s (mosquitto, Paho; the broker drops after 1.5 of them): devices are mounted in hours
/// of work, or get their update in waves; each connects again now and then.
fn fleet(r: &mut Random, s: &mut Scene) {
    let (count, horizon) = (whole(r.log_uniform(60.0, 5000.0)), s.horizon());
    let (keepalive, waves) = (r.pick(&[30.0, 60.0, 60.0, 300.0]), r.chance(0.4));
    let calendar = Calendar::any(r);
    let before = whole(real(count) * r.uniform(0.0, 0.4));
    let (from, to) = (r.uniform(0.0, 0.2) * horizon, r.uniform(0.35, 0.85) * horizon);
    let mut starts = vec![-0.5 * DAY; before];
    while starts.len() < count {
        let at = r.uniform(from, to);
        if waves {
            // Each wave is twice as long as the one before, and all of it comes within the hour.
            let wave = ((at - from) / (to - from)).log2().floor().exp2();
            starts.push(from + wave * (to - from) + r.exponential(0.3 * HOUR));
        } else if r.chance(0.1 + 0.9 * calendar.office(at)) {
            starts.push(at);
        }
    }
    // At most so many reconnections in all, whatever the fleet.
    let mean = (real(count) * horizon / 25_000.0).max(r.log_uniform(3.0, 100.0) * HOUR);
    for (device, start) in starts.iter().enumerate() {
        let spans = chain(r, (*start, horizon), 60.0, |r| r.exponential(mean) + keepalive);
        let lost = r.chance(0.2);
        let peer = device % 60_000;
        if lost {
            let mut ends = spans.clone().into_iter();
            hold(s, &spans)
                .used(|| {
                    ends.next()
                        .map_or(0.0, |(at, end)| end - at - 1.4 * keepalive)
                        .max(1.0)
                })
                .with(|| peer);
        } else {
            hold(s, &spans).every(keepalive).with(|| peer);
        }
    }
    s.inbound();
    s.limit(limit_above(r, count));
}

/// Websockets with engine.io's `pingInterval` of 25 s and `pingTimeout` of 20 s; sessions of 5 min to some hours.
fn game_evenings(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::any(r);
    let (most, median) = (r.log_uniform(0.01, 0.2), r.log_uniform(5.0, 60.0) * MINUTE);
    let (growth, horizon) = (r.uniform(0.0, 0.8), s.horizon());
    let update = r.uniform(0.0, 1.0) * horizon;
    let times = r.arrivals_varying(most * (1.0 + growth), -0.3 * DAY, horizon, |at| {
        // The update brings everybody back, for some days.
        let news = if at > update {
            growth * (-(at - update) / (2.0 * DAY)).exp()
        } else {
            0.0
        };
        calendar.evening(at) * (1.0 + news) / (1.0 + growth)
    });
    s.open(times)
        .live(|| r.lognormal(median, 1.0).min(14.0 * HOUR))
        .every(25.0)
        .with(|| r.integer(0, 8000));
    s.inbound();
    s.limit(limit_above(r, whole(2.5 * most * (1.0 + growth) * median) + 50));
}

/// Mattermost, Rocket.Chat: one websocket per client, pinged every 30 to 60 s; some clients are on for days. A
/// deployment closes all, and all come back within seconds to minutes.
fn office_chat(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::any(r);
    let (people, every) = (whole(r.log_uniform(15.0, 500.0)), r.uniform(25.0, 60.0));
    let horizon = s.horizon();
    let deployments = now_and_then(r, (6.0, 60.0), (0.0, horizon));
    let back = r.log_uniform(2.0, 10.0 * MINUTE);
    let mut spans: Vec<Span> = Vec::new();
    for day in calendar.workdays(horizon) {
        for _ in 0..people {
            let morning = day + r.normal(8.6, 0.9) * HOUR;
            let evening = day + r.normal(17.4, 1.0) * HOUR;
            match r.integer(0, 9) {
                0 => {}
                1 => spans.push((morning, evening + r.uniform(2.0, 14.0) * HOUR)),
                2..=5 => {
                    let noon = day + r.normal(12.2, 0.3) * HOUR;
                    spans.push((morning, noon));
                    spans.push((noon + r.uniform(0.4, 1.2) * HOUR, evening));
                }
                _ => spans.push((morning, evening)),
            }
        }
    }
    spans.extend((0..people / 10).map(|_| (-r.uniform(0.0, 0.9) * DAY, NEVER)));
    for (start, end) in spans {
        let mut at = start;
        for cut in deployments.iter().copied().chain([NEVER]) {
            if at < cut && at < end {
                let until = cut.min(end);
                s.open([at]).close(|_| until).every(every);
                at = until + r.exponential(back);
            }
        }
    }
    s.inbound();
    s.limit(limit_above(r, 2 * people));
}

/// `EventSource` in tabs: the server sends a comment every 15 to 30 s, so that who is gone is noticed. Most tabs are
/// closed soon, a few stay for days: what is open grows until as many close as come.
fn tabs(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::any(r);
    let (most, every) = (r.log_uniform(0.003, 0.08), r.uniform(15.0, 30.0));
    let (least, exponent) = (r.log_uniform(10.0, 10.0 * MINUTE), r.uniform(0.5, 1.2));
    // Browsers are closed or updated in the end.
    let most_days = r.uniform(0.5, 4.0) * DAY;
    let from = begins(r, s);
    let home = r.chance(0.5);
    let times = r.arrivals_varying(most, from, s.horizon(), |at| {
        if home {
            calendar.evening(at)
        } else {
            calendar.office(at)
        }
    });
    s.open(times)
        .live(|| r.pareto(least, exponent).min(most_days * r.uniform(0.7, 1.0)))
        .every(every)
        .with(|| r.integer(0, 3000));
    let always = r.integer(1, 8);
    s.older(always).every(every);
    s.inbound();
    s.limit(r.pick(&[16_384, 65_536]));
}

/// Jitsi, Zoom: participants come a few minutes about the hour or half hour, stay for 30 or 60 min, some much longer;
/// XMPP over websocket pings every 10 to 60 s. Some forget to leave, and are thrown out after hours.
fn meetings(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let (parallel, every) = (r.log_uniform(1.0, 25.0), r.uniform(10.0, 60.0));
    let forgetful = r.uniform(0.0, 0.06);
    for half in 0..whole(s.horizon() / (30.0 * MINUTE)) {
        let start = 30.0 * MINUTE * real(half) - calendar.offset.rem_euclid(30.0 * MINUTE);
        let (full, busy) = (half % 2 == 0, calendar.office(start));
        let begun = r.poisson(parallel * busy * if full { 1.0 } else { 0.4 });
        for _ in 0..begun {
            let lasts = r.pick(&[25.0, 30.0, 50.0, 60.0, 60.0, 120.0]) * MINUTE;
            for _ in 0..whole(r.pareto(2.0, 1.3)).min(120) {
                let at = start + r.normal(0.5, 2.5) * MINUTE;
                let end = start + lasts + r.normal(0.0, 3.0) * MINUTE;
                let stays = if r.chance(forgetful) {
                    r.uniform(1.0, 10.0) * HOUR
                } else {
                    0.0
                };
                s.open([at]).close(|_| end + stays).every(every);
            }
        }
    }
    s.older(2).every(every);
    s.inbound();
    s.limit(limit_above(r, whole(40.0 * parallel) + 100));
}

/// RFC 2177: clients repeat IDLE every 29 min; Dovecot says "still here" every 2 min (`imap_idle_notify_interval`)
/// and logs out after 30 min of silence. Phones change networks and come back from elsewhere. Up to 10 per user
/// (`mail_max_userip_connections`).
fn mailboxes(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::any(r);
    let (people, horizon) = (whole(r.log_uniform(10.0, 200.0)), s.horizon());
    let notify = r.pick(&[120.0, 120.0, 29.0 * MINUTE]);
    for person in 0..people {
        // A folder each, all day.
        for _ in 0..r.integer(0, 5) {
            for day in calendar.workdays(horizon) {
                let at = day + r.normal(8.5, 1.0) * HOUR;
                let end = day + r.normal(17.5, 1.5).max(11.0) * HOUR;
                s.open([at]).close(|_| end).every(notify).with(|| person);
            }
        }
        // A phone, day and night.
        let moves = r.log_uniform(0.5, 12.0) * HOUR;
        let start = r.uniform(-0.3 * DAY, 0.0);
        for (at, end) in chain(r, (start, horizon), MINUTE, |r| r.exponential(moves).max(5.0)) {
            let abandoned = r.chance(0.6);
            let batch = s.open([at]).with(|| person + 1000);
            if abandoned {
                batch.used(|| end - at).close(|_| end + 30.0 * MINUTE);
            } else {
                batch.every(notify).close(|_| end);
            }
        }
    }
    s.inbound();
    s.limit(limit_above(r, 5 * people));
}

/// Visual Studio Code's remote server: two connections per window with a keepalive every 5 s, kept for 3 h when the
/// other side vanishes (`reconnection-grace-time`), 5 min if it comes back by new ones.
fn remote_editors(r: &mut Random, s: &mut Scene) {
    const GRACE: f64 = 3.0 * HOUR;
    let calendar = Calendar::early_in_the_week(r);
    let (people, share) = (r.integer(3, 60), r.uniform(0.1, 0.8));
    for day in calendar.workdays(s.horizon()) {
        for person in 0..people {
            let (mut at, home) = (day + r.normal(9.0, 1.0) * HOUR, day + r.normal(18.0, 1.5) * HOUR);
            let windows = r.integer(1, 5);
            while at < home {
                let end = (at + r.exponential(2.5 * HOUR).max(MINUTE)).min(home);
                let windows = r.moments(2 * windows, at, at + MINUTE);
                let batch = s.open(windows).with(|| person);
                if r.chance(share) {
                    let kept = if end < home && r.chance(0.5) {
                        5.0 * MINUTE
                    } else {
                        GRACE
                    };
                    batch.used(|| end - at).close(|_| end + kept);
                } else {
                    batch.every(5.0).close(|_| end);
                }
                at = end + r.log_uniform(MINUTE, HOUR);
            }
        }
    }
    s.inbound();
    s.limit(limit_above(r, 14 * people));
}

/// Tableau, `DBeaver`, notebooks: a session is opened for a question and left alone; `MySQL` drops it after 8 h of
/// silence (`wait_timeout`, 28,800 s), managed services after 1 to 24 h. What the server holds is bounded by
/// `max_connections`.
fn analysts(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let (most, timeout) = (
        r.log_uniform(2.0, 40.0) / HOUR,
        r.pick(&[8.0, 8.0, 8.0, 1.0, 4.0, 24.0]) * HOUR,
    );
    let (busy, tidy) = (r.log_uniform(1.0, 20.0 * MINUTE), r.uniform(0.1, 0.7));
    let from = begins(r, s);
    let times = r.arrivals_varying(most, from, s.horizon(), |at| calendar.office(at));
    for at in times {
        let used = r.lognormal(busy, 1.3).min(6.0 * HOUR);
        let tidied = r.exponential(HOUR).min(timeout);
        let after = if r.chance(tidy) { tidied } else { timeout };
        let person = popular(r.uniform(0.0, 1.0), 100);
        s.open([at])
            .close(|_| at + used + after)
            .used(|| used)
            .with(|| person);
    }
    // The application's own.
    let pool = r.integer(5, 40);
    s.older(pool).every(r.log_uniform(1.0, 120.0)).with(|| 200);
    s.inbound();
    s.limit(limit_above(r, whole(1.5 * most * (timeout + 3.0 * HOUR)) + 60));
}
