//! Healthy works of the clock: timers, builds, and backups at night.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        fourth::{lasting_within, probes},
        parts::Span,
        third::busy,
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "E_H_cron_herd",
        48.0,
        cron_herd,
        "a server that hundreds of machines ask at the same minute, every five minutes and at each hour",
    ),
    Family::healthy(
        "E_H_pipelines",
        72.0,
        pipelines,
        "jobs of continuous integration that hold a connection to the artifact store while they run",
    ),
    Family::healthy(
        "E_H_backup_streams",
        84.0,
        backup_streams,
        "a backup server of so many streams at once, and a line of machines that wait for one at night",
    ),
];

/// Agents at a fixed minute, with a splay of seconds at most; what they do at midnight takes longer. Each closes when it
/// is done. Bounded by the machines.
fn cron_herd(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (period, splay) = (
        r.pick(&[5.0, 15.0, 30.0, 60.0]) * MINUTE,
        r.log_uniform(1.0, 240.0),
    );
    let most = 40_000.0 * period / horizon;
    let machines = r.integer(20, 1500).min(whole(most));
    let (takes, nightly) = (r.log_uniform(0.5, 120.0), r.log_uniform(2.0, 40.0));
    let mut spans: Vec<Span> = Vec::new();
    let mut at = calendar.days(horizon).first().copied().unwrap_or_default();
    while at < horizon {
        let takes = if calendar.hour(at + 1.0) < period / HOUR {
            takes * nightly
        } else {
            takes
        };
        for starts in r.moments(machines, at, at + splay.min(0.8 * period)) {
            spans.push((starts, starts + r.lognormal(takes, 0.8).min(4.0 * HOUR)));
        }
        at += period;
    }
    spans.retain(|(from, to)| *from > -0.9 * DAY && *to > 0.0);
    let addresses = r.pick(&[machines, machines, 3]);
    lasting_within(r, s, spans)
        .used(|| 0.7 * takes)
        .with(|| r.integer(0, addresses - 1));
    probes(r, s, 0.0);
}

/// A push starts a pipeline: some stages of some jobs each, one after the other, minutes each and an hour at most for
/// the tests. The executors are so many; what is more waits. Bounded by them.
fn pipelines(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (executors, each) = (r.integer(6, 120), r.integer(1, 3));
    let (median, wide) = (r.log_uniform(1.0, 20.0) * MINUTE, r.integer(2, 30));
    // Not more than some ten thousand.
    let median = median.max(real(executors * each) * horizon / 400_000.0);
    let pushes = real(executors) / real(wide) / median * r.uniform(0.1, 0.5);
    let mut free = vec![-0.3 * DAY; executors];
    let mut spans = Vec::new();
    let mut times = busy(r, pushes, (-0.3 * DAY, horizon), |at| calendar.office(at));
    for day in calendar.days(horizon) {
        // Everything is built at night.
        times.push(day + 2.0 * HOUR);
    }
    times.retain(|at| *at > -0.3 * DAY);
    times.sort_by(f64::total_cmp);
    for at in times {
        let mut stage = at;
        for _ in 0..r.integer(1, 4) {
            let mut over = stage;
            for _ in 0..r.integer(1, wide) {
                let Some(next) = free.iter_mut().min_by(|a, b| a.total_cmp(b)) else {
                    break;
                };
                let starts = next.max(stage) + r.uniform(1.0, 20.0);
                *next = starts + r.lognormal(median, 0.8).min(HOUR);
                over = f64::max(over, *next);
                for _ in 0..each {
                    spans.push((starts + r.uniform(0.0, 5.0), next.max(starts + 6.0)));
                }
            }
            stage = over;
        }
    }
    let addresses = r.pick(&[executors, executors, 2]);
    lasting_within(r, s, spans)
        .every(10.0)
        .with(|| r.integer(0, addresses - 1));
    probes(r, s, 0.0);
}

/// The window opens at night, and a machine's turn comes when another is done: a stream for minutes, for hours where
/// there is a lot. At the weekend all is read. Bounded by the streams; over when the last machine is done.
fn backup_streams(r: &mut Random, s: &mut Scene) {
    s.inbound();
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (streams, machines) = (r.integer(8, 120), r.integer(40, 900));
    let (opens, median) = (r.uniform(19.0, 25.0), r.log_uniform(2.0, 30.0) * MINUTE);
    // It fits into the night.
    let median = median.min(5.0 * HOUR * real(streams) / real(machines));
    let (spread, controlled) = (r.log_uniform(0.02, 3.0) * HOUR, r.chance(0.5));
    let mut spans = Vec::new();
    for day in calendar.days(horizon) {
        let full = if calendar.is_workday(day + 12.0 * HOUR) {
            1.0
        } else {
            3.0
        };
        let start = day + opens * HOUR;
        let mut free = vec![start; streams];
        for asks in r.moments(machines, start, start + spread) {
            let Some(next) = free.iter_mut().min_by(|a, b| a.total_cmp(b)) else {
                break;
            };
            let begins = next.max(asks) + r.uniform(0.5, 5.0);
            let done = begins + (r.lognormal(median, 0.9) * full).min(8.0 * HOUR);
            *next = done;
            spans.push((begins, done));
            if controlled {
                // The agent has been connected since it asked.
                spans.push((asks, done + 1.0));
            }
        }
    }
    spans.retain(|(from, _)| *from > -0.9 * DAY);
    lasting_within(r, s, spans)
        .every(5.0)
        .with(|| r.integer(0, machines - 1));
    // By day an agent says every now and then that it is there.
    let rate = r.log_uniform(0.005, 0.05);
    let agents = r.arrivals(rate, 0.0, horizon);
    s.open(agents).live(|| 0.3).with(|| r.integer(0, machines - 1));
    probes(r, s, 0.0);
}
