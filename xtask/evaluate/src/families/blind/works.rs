//! Jobs: what opens connections for some work, and closes them when it is done.

use super::{
    Calendar, Span, chain, hold,
    keep_alive::{KeepAlive, keep},
    limit_above, requests,
};
use crate::{
    families::{Family, parts::beside},
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "B_H_timers",
        72.0,
        timers,
        "a scheduler whose jobs of minutes and hours overlap",
    ),
    Family::healthy(
        "B_H_backups",
        120.0,
        backups,
        "backups of many clients at night that take longer each time",
    ),
    Family::healthy(
        "B_H_runners",
        72.0,
        runners,
        "runners of continuous integration, more by day",
    ),
    Family::healthy(
        "B_H_executors",
        72.0,
        executors,
        "drivers of batch jobs whose executors come little by little and all go at once",
    ),
    Family::healthy(
        "B_H_soak_test",
        48.0,
        soak_test,
        "load tests that ramp up for an hour and hold for many",
    ),
    Family::healthy(
        "B_H_playbook",
        36.0,
        playbook,
        "one SSH connection per host of an inventory, kept for the next task",
    ),
    Family::healthy(
        "B_H_migration",
        60.0,
        migration,
        "a migration that takes up table after table and closes all in the end",
    ),
];

/// A service with a scheduler (Quartz, Airflow's workers): every job has its period, 5 min to a day, and its
/// connections for as long as it runs; some run longer than their period and overlap once or twice.
fn timers(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    for job in 0..r.integer(2, 14) {
        let period = r.pick(&[5.0, 10.0, 15.0, 60.0, 60.0, 360.0, 1440.0]) * MINUTE;
        let (each, lasts) = (r.integer(1, 12), period * r.log_uniform(0.02, 1.5));
        let (phase, every) = (r.uniform(0.0, period), r.log_uniform(1.0, 120.0));
        let late = r.chance(0.3);
        for turn in 0..=whole((horizon + DAY) / period) {
            let at = phase + period * real(turn) - DAY;
            let end = at + lasts * r.lognormal(1.0, 0.3).min(2.0);
            // Some open what they need as they need it.
            let within = if late { 0.9 * (end - at) } else { 1.0 };
            let times = r.moments(each, at, at + within);
            s.open(times)
                .close(|at| end.max(at + 0.1))
                .every(every)
                .with(|| job % 3);
        }
    }
    beside(r, s, (0.001, 0.03), (0.05, 5.0));
    s.limit(limit_above(r, 200));
}

/// Bacula, Borg, restic to one server: nightly, each client some minutes after the other, for minutes to hours; the
/// data grow by some per cent a night; on Saturday all is read. At most so many at once, the others wait.
fn backups(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::any(r);
    let (clients, slots) = (r.integer(10, 250), r.integer(4, 120));
    let (start, apart) = (r.uniform(18.0, 28.0) * HOUR, r.log_uniform(0.1, 5.0) * MINUTE);
    let (median, growth) = (r.log_uniform(3.0 * MINUTE, 2.0 * HOUR), r.uniform(1.0, 1.3));
    for (night, day) in calendar.days(s.horizon()).into_iter().enumerate() {
        let full = (day + calendar.offset).rem_euclid(7.0 * DAY) > 4.5 * DAY;
        let scale = growth.powf(real(night)) * if full { 4.0 } else { 1.0 };
        let mut ends: Vec<f64> = vec![f64::NEG_INFINITY; slots.min(clients)];
        for client in 0..clients {
            let wanted = day + start + apart * real(client);
            ends.sort_by(f64::total_cmp);
            let Some(slot) = ends.first_mut() else {
                continue;
            };
            let at = wanted.max(*slot + 1.0);
            // The next night's begins anew.
            let lasts = r.lognormal(median * scale, 0.8).min(14.0 * HOUR);
            *slot = at + lasts;
            s.open([at]).live(|| lasts).every(2.0).with(|| client);
        }
    }
    // A connection for control each, from agents that are always there.
    let agents = r.integer(0, clients);
    let mut number = 0;
    s.older(agents).every(300.0).with(|| {
        number += 1;
        number % clients
    });
    s.inbound();
    s.limit(limit_above(r, 2 * clients));
}

/// GitHub's and GitLab's runners at a server or proxy: long polls of 50 s, and a connection or two per job for logs
/// and caches, for minutes to hours (6 h at most). Runners are added in minutes when the queue is long, and go after
/// some idle time (`IdleTime`: 10 min to an hour).
fn runners(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let horizon = s.horizon();
    let (most, median) = (
        r.log_uniform(3.0, 120.0) / HOUR,
        r.log_uniform(MINUTE, 40.0 * MINUTE),
    );
    let jobs = requests(r, (-HOUR, horizon), most, (median, 1.0), |at| {
        0.05 + 0.95 * calendar.office(at)
    });
    let capped: Vec<Span> = jobs
        .iter()
        .map(|(at, lasts)| (*at, lasts.min(6.0 * HOUR)))
        .collect();
    for (at, lasts) in &capped {
        let each = r.integer(1, 3);
        let within = r.uniform(1.0, lasts.max(2.0));
        let times = r.moments(each, *at, at + within);
        s.open(times)
            .close(|opened| (at + lasts).max(opened + 0.1))
            .every(r.log_uniform(1.0, 60.0));
    }
    // A machine per job, kept for a while: each polls as long as it is there.
    let machines = KeepAlive {
        most: r.integer(10, 100),
        idle: r.log_uniform(10.0, 60.0) * MINUTE,
        ..KeepAlive::ANY
    };
    for machine in machines.serve(&capped) {
        let polls = chain(r, (machine.opened, machine.closed.min(horizon)), 0.5, |r| {
            r.uniform(200.0, 3600.0)
        });
        hold(s, &polls).every(50.0).with(|| 1);
    }
    s.open([-HOUR]).every(60.0).with(|| 2);
    s.inbound();
    s.limit(limit_above(r, 500));
}

/// Spark: executors ask for more by and by (1, 2, 4, 8, ... as dynamic allocation does, each second or as the cluster
/// has room), are removed after 60 s of idleness or at the end, heartbeat every 10 s; some jobs (streaming) never
/// end.
fn executors(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let (rate, size) = (r.log_uniform(0.5, 8.0) / DAY, r.log_uniform(10.0, 250.0));
    let mut starts = r.arrivals(rate, -0.9 * DAY, horizon);
    starts.push(r.uniform(0.0, 0.5) * horizon);
    for (job, start) in starts.into_iter().enumerate() {
        let count = whole(r.lognormal(size, 0.6).min(800.0)) + 2;
        let ramp = r.log_uniform(0.5 * MINUTE, 8.0 * HOUR);
        let end = if job % 4 == 3 {
            NEVER
        } else {
            start + ramp + r.log_uniform(0.3, 30.0) * HOUR
        };
        let doubles = r.chance(0.5);
        for executor in 0..count {
            let share = real(executor + 1) / real(count);
            let at = if doubles {
                start + ramp * (share * real(count)).log2() / real(count).log2()
            } else {
                start + ramp * share * r.uniform(0.9, 1.0)
            };
            // Some are preempted, and replaced.
            let spans = chain(r, (at, end.min(2.0 * horizon)), 30.0, |r| {
                r.exponential(40.0 * HOUR) + MINUTE
            });
            hold(s, &spans).every(10.0).with(|| executor % 60);
        }
    }
    s.inbound();
    s.limit(r.pick(&[65_536, 1_048_576]));
}

/// k6, Locust, Gatling at a server: stages of a ramp, a plateau of hours (a soak test), a ramp down. Virtual users
/// keep their connection; think time 1 s to a minute.
fn soak_test(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let mut at = r.uniform(0.0, 8.0) * HOUR;
    let (mut users, mut most) = (r.log_uniform(30.0, 800.0), 0);
    while at < horizon {
        let stages = r.integer(1, 4);
        let (up, plateau) = (
            r.log_uniform(2.0 * MINUTE, 6.0 * HOUR),
            r.log_uniform(0.3, 14.0) * HOUR,
        );
        let (down, think) = (r.log_uniform(1.0, 20.0 * MINUTE), r.log_uniform(1.0, 60.0));
        let count = whole(users) + 5;
        most = most.max(count);
        let end = at + real(stages) * (up + plateau);
        for user in 0..count {
            let stage = real(user * stages / count);
            let share = (real(user * stages) / real(count)).fract();
            let start = at + stage * (up + plateau) + up * share;
            let stop = end + down * real(user) / real(count);
            s.open([start]).close(|_| stop).every(think).with(|| user % 4);
        }
        at = end + r.log_uniform(0.2, 10.0) * HOUR;
        users = (users * r.uniform(0.8, 1.8)).min(2500.0);
    }
    beside(r, s, (0.005, 0.1), (0.05, 5.0));
    s.inbound();
    s.limit(limit_above(r, most));
}

/// Ansible: `ControlPersist` 60 s by default, 30 min to hours where people want speed; 5 forks, or 50. The playbook
/// goes through the hosts; each host's connection closes that long after its last task.
fn playbook(r: &mut Random, s: &mut Scene) {
    let (hosts, forks) = (r.integer(40, 900), r.pick(&[5, 10, 50]));
    let persist = r.pick(&[60.0, 30.0 * MINUTE, HOUR, 4.0 * HOUR]);
    let task = r.log_uniform(2.0, 3.0 * MINUTE);
    let mut at = r.uniform(0.0, 2.0) * HOUR;
    while at < s.horizon() {
        let tasks = r.integer(1, 30);
        // Batch by batch of hosts (`serial`), or every task at all hosts (`linear`).
        let serial = r.chance(0.5);
        let wave = task * real(hosts) / real(forks);
        for host in 0..hosts {
            let place = real(host) / real(hosts);
            let first = if serial {
                at + place * wave * real(tasks)
            } else {
                at + place * wave
            };
            let work = task * real(tasks);
            let used = if serial {
                work
            } else {
                wave * real(tasks - 1) + task
            };
            let times = [first + r.uniform(0.0, task)];
            s.open(times).live(|| used + persist).used(|| used).with(|| host);
        }
        at += wave * real(tasks) + r.log_uniform(0.5, 20.0) * HOUR;
    }
    s.open([-HOUR]).every(60.0).with(|| hosts);
    s.limit(limit_above(r, 6 * hosts));
}

/// pgloader, Sqoop, AWS DMS: one connection per table or partition, opened when its turn comes. After the load,
/// changes go on being applied through it until the cut-over; then all close. Tables are counted before it begins.
fn migration(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let (tables, every) = (r.integer(20, 250), r.log_uniform(1.0, 10.0 * MINUTE));
    let (from, span) = (r.uniform(0.0, 10.0) * HOUR, r.log_uniform(HOUR, 30.0 * HOUR));
    let cut = if r.chance(0.7) {
        from + span + r.log_uniform(0.5, 10.0) * HOUR
    } else {
        NEVER
    };
    // Large ones first: the others come ever faster.
    let bend = r.uniform(0.5, 1.2);
    let times: Vec<f64> = (0..tables)
        .map(|table| from + span * (real(table) / real(tables)).powf(bend))
        .collect();
    s.open(times).close(|_| cut + r.uniform(0.0, 5.0)).every(every);
    // The application, which does not know.
    let rate = r.log_uniform(0.005, 0.1);
    let served = requests(r, (-HOUR, horizon), rate, (1.0, 1.5), |_| 1.0);
    let pool = KeepAlive {
        idle: 300.0,
        ..KeepAlive::ANY
    };
    keep(s, &pool.serve(&served), 1, 0);
    s.limit(limit_above(r, tables + 20));
}
