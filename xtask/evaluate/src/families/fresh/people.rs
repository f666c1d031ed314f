//! Healthy servers of people: at work, at school, at play.

use crate::{
    families::{
        Family,
        calendar::{Calendar, ramp},
        parts::{chain, hold, limit_above},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "C_H_viral_launch",
        120.0,
        viral_launch,
        "a product whose users double every day or two for a week",
    ),
    Family::healthy(
        "C_H_live_event",
        48.0,
        live_event,
        "matches and concerts: everybody comes within half an hour, and stays to the end",
    ),
    Family::healthy(
        "C_H_call_centre",
        72.0,
        call_centre,
        "soft phones of three shifts that overlap",
    ),
    Family::healthy(
        "C_H_shops",
        72.0,
        shops,
        "tills of shops in many time zones, from opening to closing",
    ),
    Family::healthy(
        "C_H_bastion",
        144.0,
        bastion,
        "SSH sessions that stay through the week, until laptops are restarted or a limit of days",
    ),
    Family::healthy(
        "C_H_trading_day",
        72.0,
        trading_day,
        "FIX sessions from the log-on in the morning to the reset in the evening",
    ),
    Family::healthy(
        "C_H_lessons",
        48.0,
        lessons,
        "a school's platform: classes that come and go with the bell",
    ),
    Family::healthy(
        "C_H_radio",
        60.0,
        radio,
        "listeners of a radio's stream, some of whom leave it on all day",
    ),
    Family::healthy(
        "C_H_licences",
        120.0,
        licences,
        "a licence server: each started program holds a connection, simulations for days",
    ),
    Family::healthy(
        "C_H_home_office",
        72.0,
        home_office,
        "a VPN over TCP: people at home all day, cut off and back, the old session reaped after minutes",
    ),
];

/// Websockets behind two to four balancers; sessions of minutes to an hour; the day's pattern times a growth that
/// slows down (a logistic curve).
fn viral_launch(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (balancers, median) = (r.integer(2, 4), r.log_uniform(3.0, 60.0) * MINUTE);
    let most = r.log_uniform(0.01, 0.25);
    let (doubles, middle) = (r.uniform(0.5, 2.0) * DAY, r.uniform(0.3, 0.9) * horizon);
    let times = r.arrivals_varying(most, -0.3 * DAY, horizon, |at| {
        calendar.evening(at) / (1.0 + (-(at - middle) / doubles * 2.0_f64.ln()).exp())
    });
    let every = r.uniform(15.0, 60.0);
    s.open(times)
        .live(|| r.lognormal(median, 0.9).min(10.0 * HOUR))
        .every(every)
        .with(|| r.integer(1, balancers));
    s.inbound();
    s.limit(limit_above(r, whole(4.0 * most * median) + 200));
}

/// Some leave at half time and come back; when it is over most go in ten minutes. In between hardly anybody.
fn live_event(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let crowd = r.integer(100, 3000);
    let balancers = r.integer(1, 3);
    let mut at = r.uniform(0.5, 12.0) * HOUR;
    while at < horizon {
        let (length, size) = (r.uniform(1.5, 3.5) * HOUR, crowd * r.integer(3, 10) / 10);
        for _ in 0..size {
            let from = at + r.normal(-5.0, 12.0).clamp(-45.0, 60.0) * MINUTE;
            let until = at + length + r.exponential(6.0 * MINUTE);
            let bored = r.exponential(3.0 * length);
            s.open([from])
                .close(|_| until.min(from + bored))
                .every(25.0)
                .with(|| r.integer(1, balancers));
        }
        at += length + r.log_uniform(3.0, 30.0) * HOUR;
    }
    let times = r.arrivals(10.0 / HOUR, -0.1 * DAY, horizon);
    s.open(times).live(|| r.lognormal(10.0 * MINUTE, 1.0)).every(25.0);
    s.inbound();
    s.limit(limit_above(r, crowd + 100));
}

/// SIP over websockets: who begins logs in up to 20 min early, who ends logs out up to 30 min late. By day there are
/// more of them. The network of some is cut now and then, and found dead in a minute.
fn call_centre(r: &mut Random, s: &mut Scene) {
    let (seats, horizon) = (r.integer(20, 400), s.horizon());
    let sites = r.integer(1, 5);
    let shift = 8.0 * HOUR;
    let before = r.uniform(0.0, DAY);
    let cut = r.log_uniform(4.0, 100.0) * HOUR;
    for turn in 0..=whole((horizon + DAY) / shift) {
        let begin = shift * real(turn) - before;
        let present = seats * [4, 10, 7].get(turn % 3).copied().unwrap_or(10) / 10;
        for _ in 0..present {
            let from = begin - r.uniform(0.0, 20.0 * MINUTE);
            let to = begin + shift + r.uniform(0.0, 30.0 * MINUTE);
            let site = r.integer(1, sites);
            for (at, end) in chain(r, (from, to), 20.0, |r| MINUTE + r.exponential(cut)) {
                let dead = if end < to { r.uniform(0.0, 60.0) } else { 0.0 };
                s.open([at]).close(|_| end + dead).every(30.0).with(|| site);
            }
        }
    }
    s.inbound();
    s.limit(limit_above(r, 2 * seats));
}

/// Each shop some tills, open 12 h; the first are ten hours ahead of the last. All day long the count grows, and falls
/// at night. Each till has its shop's address.
fn shops(r: &mut Random, s: &mut Scene) {
    let (shops, horizon) = (r.integer(10, 120), s.horizon());
    let (zones, opening) = (r.uniform(1.0, 10.0), r.uniform(0.0, 24.0));
    for shop in 0..shops {
        let (tills, zone) = (r.integer(1, 6), r.uniform(0.0, zones));
        for day in 0..whole(horizon / DAY) + 3 {
            let opens = (opening + zone + 24.0 * real(day)) * HOUR - 2.0 * DAY;
            for till in 0..tills {
                // Not all are manned all day.
                let from = opens + real(till) * r.uniform(0.0, 1.5) * HOUR + r.uniform(0.0, 600.0);
                let to = opens + 12.0 * HOUR - real(till) * r.uniform(0.0, HOUR);
                if from < to {
                    s.open([from]).close(|_| to).every(60.0).with(|| shop);
                }
            }
        }
    }
    s.inbound();
    s.limit(limit_above(r, 6 * shops));
}

/// `ServerAliveInterval 60`, `tmux`: people leave sessions and open others. Laptops are restarted now and then, the
/// server ends what is four to six days old, and everybody's at the weekend's maintenance.
fn bastion(r: &mut Random, s: &mut Scene) {
    let (people, horizon) = (r.integer(5, 120), s.horizon());
    let calendar = Calendar::early_in_the_week(r);
    let (limit, restarts) = (r.uniform(2.0, 5.0) * DAY, r.log_uniform(1.0, 8.0) * DAY);
    let leaves = r.uniform(0.1, 0.6);
    // Saturday, 03:00.
    let maintenance = 5.0 * DAY + 3.0 * HOUR - calendar.offset;
    for person in 0..people {
        let mut restart = -DAY;
        let mut restarted = Vec::new();
        while restart < horizon {
            restart += r.exponential(restarts);
            restarted.push(restart);
        }
        for day in calendar.workdays(horizon) {
            for _ in 0..r.poisson(1.2) {
                let at = day + r.uniform(8.0, 17.5) * HOUR;
                let lasts = if r.chance(leaves) {
                    limit
                } else {
                    r.lognormal(20.0 * MINUTE, 1.2).min(10.0 * HOUR)
                };
                let cut = restarted.iter().find(|cut| **cut > at).copied();
                let end = (at + lasts).min(cut.unwrap_or(NEVER));
                let end = if at < maintenance {
                    end.min(maintenance)
                } else {
                    end
                };
                s.open([at]).close(|_| end).every(60.0).with(|| person % 7);
            }
        }
    }
    s.open([-0.9 * DAY]).every(60.0).with(|| 7);
    s.inbound();
    s.limit(limit_above(r, 8 * people));
}

/// Heartbeats every 30 s. Firms log on one after the other over hours, some with several sessions; each is its own
/// address. A session that is cut logs on again.
fn trading_day(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let (firms, each) = (r.integer(20, 300), r.integer(1, 4));
    let (opens, resets) = (r.uniform(5.0, 7.5), r.uniform(17.0, 22.5));
    let cut = r.log_uniform(8.0, 200.0) * HOUR;
    for day in calendar.workdays(s.horizon()) {
        let reset = day + resets * HOUR;
        for firm in 0..firms {
            for _ in 0..each {
                let from = day + opens * HOUR + r.uniform(0.0, 1.0).powi(2) * 4.0 * HOUR;
                let spans = chain(r, (from, reset), 30.0, |r| MINUTE + r.exponential(cut));
                hold(s, &spans).every(30.0).with(|| firm);
            }
        }
    }
    s.open([-0.9 * DAY]).every(60.0).with(|| firms);
    s.inbound();
    s.limit(limit_above(r, firms * each));
}

/// Long polls and event streams of a class each: 20 to 30 come in two minutes, and most go at the end of 45; some
/// stay for the next lesson, some forget the tab until the afternoon.
fn lessons(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let (classes, forgets) = (r.integer(4, 60), r.uniform(0.0, 0.1));
    let uses = r.uniform(0.1, 0.8);
    for day in calendar.workdays(s.horizon()) {
        for _ in 0..classes {
            for lesson in 0..7 {
                if !r.chance(uses * if lesson > 5 { 0.4 } else { 1.0 }) {
                    continue;
                }
                let begins = day + 8.0 * HOUR + real(lesson) * 50.0 * MINUTE;
                let pupils = r.integer(18, 30);
                for at in r.moments(pupils, begins, begins + 3.0 * MINUTE) {
                    let leaves = if r.chance(forgets) {
                        day + 15.5 * HOUR + r.uniform(0.0, HOUR)
                    } else {
                        begins + 45.0 * MINUTE + r.normal(0.0, 2.0).clamp(-10.0, 5.0) * MINUTE
                    };
                    s.open([at]).close(|_| leaves).every(25.0);
                }
            }
        }
    }
    let times = r.arrivals(6.0 / HOUR, -0.9 * DAY, s.horizon());
    s.open(times).live(|| r.lognormal(5.0 * MINUTE, 1.0)).every(25.0);
    s.inbound();
    s.limit(limit_above(r, 40 * classes));
}

/// Icecast: the commute, the office, the evening; half an hour on average, all day for some.
fn radio(r: &mut Random, s: &mut Scene) {
    const LISTENERS: usize = 60_000;
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (most, direct) = (r.log_uniform(0.01, 0.3), r.chance(0.5));
    let times = r.arrivals_varying(most, -0.9 * DAY, horizon, |at| {
        let hour = calendar.hour(at);
        let commute = ramp(hour, 5.5, 7.0) * (1.0 - ramp(hour, 8.5, 9.5));
        (0.05 + 0.5 * commute + 0.5 * calendar.office(at) + 0.3 * calendar.evening(at)).min(1.0)
    });
    for at in times {
        let lasts = if r.chance(0.12) {
            r.uniform(4.0, 10.0) * HOUR
        } else {
            r.lognormal(12.0 * MINUTE, 1.2).min(12.0 * HOUR)
        };
        let listener = if direct { r.integer(0, LISTENERS) } else { 0 };
        s.open([at]).live(|| lasts).used(|| lasts).with(|| listener);
    }
    s.inbound();
    s.limit(limit_above(r, whole(most * 2.5 * HOUR) + 100));
}

/// `FlexLM` with a heartbeat of some minutes: CAD from the morning to the evening, some left open over night, jobs of a
/// queue for days. Never more than there are licences.
fn licences(r: &mut Random, s: &mut Scene) {
    let (seats, horizon) = (r.integer(20, 300), s.horizon());
    let (calendar, leaves) = (Calendar::any(r), r.uniform(0.02, 0.3));
    let every = r.pick(&[60.0, 120.0, 300.0, 1200.0]);
    let most = real(seats) / r.uniform(3.0, 10.0) / HOUR;
    let mut ends: Vec<f64> = Vec::new();
    let times = r.arrivals_varying(most, -0.95 * DAY, horizon, |at| 0.02 + 0.98 * calendar.office(at));
    for at in times {
        ends.retain(|end| *end > at);
        if ends.len() >= seats {
            continue;
        }
        let lasts = if r.chance(0.08) {
            r.log_uniform(3.0, 70.0) * HOUR
        } else if r.chance(leaves) {
            r.uniform(15.0, 30.0) * HOUR
        } else {
            r.lognormal(2.5 * HOUR, 0.8).min(11.0 * HOUR)
        };
        ends.push(at + lasts);
        s.open([at])
            .live(|| lasts)
            .every(every)
            .with(|| r.integer(0, seats));
    }
    s.inbound();
    s.limit(limit_above(r, seats));
}

/// `OpenVPN`: `keepalive 10 60`, so that the server drops who was silent for two minutes; people who are cut off are
/// back before. All from the balancer's address, or each from home.
fn home_office(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let (people, cut) = (r.integer(20, 500), r.log_uniform(1.0, 40.0) * HOUR);
    let behind_balancer = r.chance(0.5);
    for day in calendar.workdays(s.horizon()) {
        for person in 0..people {
            let from = day + r.normal(8.3, 0.9).clamp(5.5, 12.0) * HOUR;
            let to = day + r.normal(17.5, 1.2).clamp(13.0, 23.5) * HOUR;
            let peer = if behind_balancer { 0 } else { person };
            if r.chance(0.15) {
                continue;
            }
            for (at, end) in chain(r, (from, to), 15.0, |r| MINUTE + r.exponential(cut)) {
                let (used, reaped) = (end - at, if end < to { 120.0 } else { 0.0 });
                s.open([at]).close(|_| end + reaped).used(|| used).with(|| peer);
            }
        }
    }
    // A few sites are connected for good.
    let sites = r.integer(1, 5);
    s.open(vec![-0.9 * DAY; sites]).every(10.0).with(|| people);
    s.inbound();
    s.limit(limit_above(r, 2 * people));
}
