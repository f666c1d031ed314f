//! Healthy servers of machines: meters, vehicles, devices in the field.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        parts::{chain, hold, limit_above, now_and_then},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "C_H_meter_readings",
        72.0,
        meter_readings,
        "smart meters that report in a window at night, slowly, and try again in the morning",
    ),
    Family::healthy(
        "C_H_vehicles",
        72.0,
        vehicles,
        "vehicles that are connected while they drive, from before dawn to the evening",
    ),
    Family::healthy(
        "C_H_firmware_waves",
        96.0,
        firmware_waves,
        "firmware that is sent to ever more devices, over hours to each on a slow link",
    ),
    Family::healthy(
        "C_H_backoff_return",
        48.0,
        backoff_return,
        "a fleet that comes back over hours after each restart, by exponential back-off",
    ),
    Family::healthy(
        "C_H_chargers",
        96.0,
        chargers,
        "charging stations whose mobile network cuts them off once a day, and that are back before it shows",
    ),
];

/// Each meter at a fixed minute of a window of hours, for 20 s to 10 min through a slow mesh; a tenth fails and tries
/// again after an hour or two. Concentrators stay connected all the time.
fn meter_readings(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::any(r);
    let (meters, window) = (r.integer(200, 6000), r.uniform(1.5, 6.0) * HOUR);
    let (median, begins) = (r.log_uniform(20.0, 600.0), r.uniform(0.0, 3.0) * HOUR);
    let addresses = r.pick(&[1, 8, 100_000]);
    let offsets = r.moments(meters, 0.0, window);
    for day in calendar.days(s.horizon()) {
        for (meter, offset) in offsets.iter().enumerate() {
            let mut at = day + begins + offset;
            loop {
                let lasts = r.lognormal(median, 0.7).min(HOUR);
                s.open([at])
                    .live(|| lasts)
                    .used(|| lasts)
                    .with(|| meter % addresses);
                if r.chance(0.9) {
                    break;
                }
                at += lasts + r.uniform(1.0, 2.0) * HOUR;
            }
        }
    }
    let concentrators = r.integer(2, 40);
    s.older(concentrators).every(300.0).with(|| 200_000);
    s.inbound();
    s.limit(limit_above(r, meters + 50));
}

/// Trucks and buses: ignition on, connected, with tunnels and a break; ignition off, closed, or found silent for 5 min.
/// The addresses are the operator's few.
fn vehicles(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let (fleet, operators) = (r.integer(30, 600), r.integer(1, 8));
    let cut = r.log_uniform(0.5, 8.0) * HOUR;
    let polite = r.uniform(0.2, 0.9);
    for day in calendar.days(s.horizon()) {
        let out = if calendar.is_workday(day + 12.0 * HOUR) {
            0.9
        } else {
            0.25
        };
        for _ in 0..fleet {
            if !r.chance(out) {
                continue;
            }
            let from = day + r.normal(6.5, 1.5).clamp(3.0, 14.0) * HOUR;
            let to = from + r.normal(9.0, 1.5).clamp(3.0, 13.0) * HOUR;
            let operator = r.integer(1, operators);
            for (at, end) in chain(r, (from, to), 40.0, |r| MINUTE + r.exponential(cut)) {
                let used = end - at;
                let reaped = if r.chance(polite) { 0.0 } else { 300.0 };
                // A position every 10 to 60 s.
                s.open([at])
                    .close(|_| end + reaped)
                    .used(|| used)
                    .with(|| operator);
            }
        }
    }
    s.open([-0.9 * DAY]).every(60.0);
    s.inbound();
    s.limit(limit_above(r, 2 * fleet));
}

/// One in a hundred, one in ten, half, all, a wave every few hours to a day. Each download takes minutes to hours over
/// a narrow radio; who is done closes, and reports its version in a short connection.
fn firmware_waves(r: &mut Random, s: &mut Scene) {
    let (devices, horizon) = (r.integer(200, 5000), s.horizon());
    let (median, step) = (
        r.log_uniform(10.0 * MINUTE, 4.0 * HOUR),
        r.uniform(4.0, 24.0) * HOUR,
    );
    let mut start = r.uniform(-0.3, 0.5) * DAY;
    for share in [0.01, 0.1, 0.4, 0.49] {
        // Devices ask once in a period of hours.
        let asks = step * r.uniform(0.2, 0.9);
        let count = whole(real(devices) * share);
        for at in r.moments(count, start, start + asks) {
            let lasts = r.lognormal(median, 0.8).min(20.0 * HOUR);
            s.open([at]).live(|| lasts).used(|| lasts).with(|| 1);
            s.open([at + lasts + 60.0]).live(|| 2.0).with(|| 2);
        }
        start += step;
    }
    let times = r.arrivals((real(devices) / DAY).min(0.05), -0.5 * DAY, horizon);
    s.open(times).live(|| r.lognormal(2.0, 0.8)).with(|| 2);
    s.inbound();
    s.limit(limit_above(r, devices));
}

/// The server is restarted or fails over; all devices are cut off and try again after 1, 2, 4, ... s, up to an hour,
/// with jitter; some are turned away and wait longer (a limit of new sessions per second).
fn backoff_return(r: &mut Random, s: &mut Scene) {
    let (fleet, horizon) = (r.integer(50, 1500), s.horizon());
    let (longest, turned_away) = (r.log_uniform(2.0, 60.0) * MINUTE, r.uniform(0.3, 0.9));
    let first = r.uniform(-0.9, 0.1) * DAY;
    let mut restarts = vec![first];
    restarts.extend(now_and_then(r, (10.0, 60.0), (first.max(0.0) + HOUR, horizon)));
    restarts.sort_by(f64::total_cmp);
    s.lives(
        restarts
            .iter()
            .zip(restarts.iter().skip(1).copied().chain([NEVER]))
            .map(|(from, to)| (*from, to))
            .collect(),
    );
    let every = r.uniform(30.0, 300.0);
    for (number, restart) in restarts.iter().enumerate() {
        let end = restarts.get(number + 1).copied().unwrap_or(NEVER);
        for device in 0..fleet {
            let (mut at, mut wait) = (restart + r.uniform(1.0, 10.0), 1.0);
            while r.chance(turned_away) {
                wait = f64::min(2.0 * wait, longest);
                at += wait * r.uniform(0.5, 1.5);
            }
            // Now and then one loses its network by itself.
            for (from, to) in chain(r, (at, end.min(horizon)), MINUTE, |r| {
                10.0 * MINUTE + r.exponential(60.0 * HOUR)
            }) {
                let to = if to < horizon { to } else { NEVER };
                s.open([from]).close(|_| to).every(every).with(|| device % 3);
            }
        }
    }
    s.inbound();
    s.limit(limit_above(r, fleet));
}

/// OCPP over websockets, a heartbeat every 5 min: the network gives each a new address once a day, and the old
/// connection stays for 2 to 20 min until the server's pings fail. Stations are added on some days.
fn chargers(r: &mut Random, s: &mut Scene) {
    let (stations, horizon) = (r.integer(20, 900), s.horizon());
    let silence = r.uniform(2.0, 20.0) * MINUTE;
    let added = r.integer(0, stations / 4);
    for station in 0..stations + added {
        let start = if station < stations {
            -r.uniform(0.7, 0.95) * DAY
        } else {
            r.uniform(0.0, horizon)
        };
        let first = start + r.uniform(0.0, DAY);
        let mut spans = vec![(start, first)];
        // Almost the same time each day.
        spans.extend(chain(r, (first + 5.0, horizon), 5.0, |r| {
            DAY * r.uniform(0.97, 1.03)
        }));
        for (at, end) in &spans {
            let used = end - at;
            let close = if *end < horizon { end + silence } else { NEVER };
            s.open([*at]).close(|_| close).used(|| used).with(|| station % 4);
        }
    }
    let other = chain(r, (-HOUR, horizon), 10.0, |r| r.exponential(HOUR));
    hold(s, &other).every(10.0).with(|| 4);
    s.inbound();
    s.limit(limit_above(r, 2 * (stations + added)));
}
