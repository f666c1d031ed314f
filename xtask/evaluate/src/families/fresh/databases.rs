//! Healthy programs at a database, and jobs that work on one.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        keep_alive::{KeepAlive, keep},
        parts::{begins, chain, hold, limit_above, requests},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::healthy(
        "C_H_fpm_children",
        48.0,
        fpm_children,
        "children of PHP-FPM with a persistent connection each, more of them by day",
    ),
    Family::healthy(
        "C_H_replica_set",
        72.0,
        replica_set,
        "a driver's pool that is cleared at each election and grows again",
    ),
    Family::healthy(
        "C_H_adaptive_workers",
        60.0,
        adaptive_workers,
        "a job that adds a worker every few minutes until the database slows down, and halves them",
    ),
    Family::healthy(
        "C_H_scheduled_prewarm",
        60.0,
        scheduled_prewarm,
        "a pool that is made large before office hours, long before it is needed, and small at night",
    ),
    Family::healthy(
        "C_H_lock_pileup",
        48.0,
        lock_pileup,
        "a lock for which all of a pool waits in silence until somebody ends the transaction",
    ),
    Family::healthy(
        "C_H_notebooks",
        120.0,
        notebooks,
        "notebooks whose kernels keep a session until they are culled after a day or two",
    ),
    Family::healthy(
        "C_H_backfill",
        96.0,
        backfill,
        "a backfill of days that gets more workers each day, and ends",
    ),
];

/// `pm = dynamic`: children come with the load and go when too many are idle, and each after 500 requests
/// (`pm.max_requests`); `mysqli` with `p:` keeps a connection for a child's life. The master's children are processes
/// of their own, of which many live here one after the other under one number.
fn fpm_children(r: &mut Random, s: &mut Scene) {
    let (most, horizon) = (r.integer(6, 60), s.horizon());
    s.limit(limit_above(r, most));
    let calendar = Calendar::any(r);
    let spare = (most / 5).max(2);
    let full = 500.0 / r.log_uniform(0.02, 2.0);
    for child in 0..most {
        let program = if child == 0 { 0 } else { s.program("php-fpm") };
        let need = real(child.saturating_sub(spare)) / real(most - spare);
        let mut at = -r.uniform(0.1, 0.3) * DAY;
        let mut up: Option<f64> = None;
        // A look each five minutes: is it needed?
        while at < horizon {
            let load = 0.05 + 0.95 * calendar.office(at);
            if load >= need && up.is_none() {
                up = Some(at + r.uniform(0.0, 300.0));
            } else if load < need - 0.05
                && let Some(from) = up.take()
            {
                let spans = chain(r, (from, at), 1.0, |r| full * r.uniform(0.7, 1.4));
                hold(s, &spans).every(10.0).of(|| program);
            }
            at += 300.0;
        }
        if let Some(from) = up {
            let spans = chain(r, (from, horizon), 1.0, |r| full * r.uniform(0.7, 1.4));
            hold(s, &spans).every(10.0).of(|| program);
        }
    }
}

/// `MongoDB`: `maxPoolSize` 100, no maximum idle time, the newest first; an election clears the pool, which then grows
/// with the concurrency that there is. Two monitors per member go on.
fn replica_set(r: &mut Random, s: &mut Scene) {
    let (most, median) = (r.log_uniform(0.02, 0.4), r.log_uniform(0.05, 60.0));
    let (members, horizon) = (3, s.horizon());
    s.limit(limit_above(r, 120));
    let (calendar, start) = (Calendar::any(r), begins(r, s));
    let pool = KeepAlive {
        most: 100,
        ..KeepAlive::ANY
    };
    let mean = r.log_uniform(5.0, 60.0) * HOUR;
    let mut member = 0;
    for (from, to) in chain(r, (start, horizon), 10.0, |r| 0.5 * HOUR + r.exponential(mean)) {
        let served = requests(r, (from, to), most, (median, 1.3), |at| {
            0.1 + 0.9 * calendar.office(at)
        });
        let mut kept = pool.serve(&served);
        for one in &mut kept {
            if to < horizon {
                // Who is busy finishes first.
                one.closed = one.closed.min(to.max(one.used));
            }
        }
        keep(s, &kept, member, 0);
        member = (member + 1) % members;
    }
    for member in 0..members {
        s.open([start, start + 1.0]).every(10.0).with(|| member);
    }
}

/// Additive increase, multiplicative decrease: between a floor and the database's limit, for the hours that the work
/// takes; then nothing until the next.
fn adaptive_workers(r: &mut Random, s: &mut Scene) {
    let (floor, ceiling) = (r.integer(1, 6), r.integer(20, 200));
    let (step, horizon) = (r.log_uniform(MINUTE, 12.0 * MINUTE), s.horizon());
    let ceilings = (0.6 * real(ceiling), real(ceiling));
    s.limit(limit_above(r, ceiling + 10));
    let start = -r.uniform(0.0, 0.8) * DAY;
    for (from, to) in chain(r, (start, horizon), 4.0 * HOUR, |r| {
        r.log_uniform(4.0, 40.0) * HOUR
    }) {
        let mut open: Vec<f64> = vec![from; floor];
        let (mut at, mut top) = (from, r.uniform(ceilings.0, ceilings.1));
        while at < to {
            open.push(at);
            at += step * r.uniform(0.9, 1.1);
            if real(open.len()) >= top {
                for opened in open.split_off(open.len() / 2) {
                    s.open([opened]).close(|_| at).every(1.0);
                }
                top = r.uniform(ceilings.0, ceilings.1);
            }
        }
        s.open(open).close(|_| to).every(1.0);
    }
}

/// Scheduled scaling of the pool's minimum: before work it fills in some minutes to an hour and is silent until the
/// load comes, which takes part of it. Validated every few minutes, or never; renewed by age, or never.
fn scheduled_prewarm(r: &mut Random, s: &mut Scene) {
    let (night, day) = (r.integer(2, 15), r.integer(40, 400));
    let calendar = Calendar::early_in_the_week(r);
    let (starts, ends) = (r.uniform(5.0, 8.0), r.uniform(18.0, 22.0));
    let fills = r.log_uniform(MINUTE, HOUR);
    let life = r.pick(&[NEVER, NEVER, 2.0 * HOUR, 8.0 * HOUR]);
    let (used, every) = (r.uniform(0.1, 0.9), r.pick(&[NEVER, 120.0, 600.0]));
    s.limit(limit_above(r, night + day));
    for _ in 0..night {
        s.open([-0.9 * DAY]).every(15.0);
    }
    for midnight in calendar.workdays(s.horizon()) {
        for _ in 0..day {
            let from = midnight + starts * HOUR + r.uniform(0.0, fills);
            let to = midnight + ends * HOUR + r.uniform(0.0, MINUTE);
            let every = if r.chance(used) {
                r.log_uniform(5.0, 600.0)
            } else {
                every
            };
            let spans = chain(r, (from, to), 1.0, |r| life * r.uniform(0.95, 1.0));
            hold(s, &spans).every(every);
        }
    }
}

/// `ALTER TABLE`, or a transaction that somebody left open: each request takes another connection and waits, up to the
/// pool's maximum; half an hour to three later all go on, and are evicted after 10 min of silence.
fn lock_pileup(r: &mut Random, s: &mut Scene) {
    let (most, horizon) = (r.pick(&[30, 50, 100, 100, 200, 500]), s.horizon());
    s.limit(limit_above(r, most));
    let (rate, median) = (r.log_uniform(0.02, 0.6), r.log_uniform(0.02, 5.0));
    let mean = r.log_uniform(6.0, 40.0) * HOUR;
    let first = r.uniform(0.0, 20.0) * HOUR;
    let locks = chain(r, (first, horizon), mean, |r| r.uniform(0.5, 3.0) * HOUR);
    // What touches the table waits.
    let touches = r.log_uniform(0.02, 1.0);
    let calendar = Calendar::any(r);
    let mut served = requests(r, (-HOUR, horizon), rate, (median, 1.0), |at| {
        0.1 + 0.9 * calendar.office(at)
    });
    for (at, lasts) in &mut served {
        let lock = locks.iter().find(|(from, to)| (*from..*to).contains(at));
        if let Some((_, to)) = lock
            && r.chance(touches)
        {
            *lasts += to - *at;
        }
    }
    let pool = KeepAlive {
        most,
        idle: 10.0 * MINUTE,
        life: 30.0 * MINUTE,
        ..KeepAlive::ANY
    };
    for one in pool.serve(&served) {
        // Silent while it waits: a request, and the answer at the end.
        let pause = (one.used - one.opened) / real(one.requests);
        let batch = s.open([one.opened]).close(|_| one.closed);
        if pause < 5.0 * MINUTE {
            batch.used(|| one.used - one.opened);
        }
    }
}

/// Jupyter: each kernel a session or two, silent between cells, until the culler finds it idle for a day or two
/// (`cull_idle_timeout`), or the person shuts it down. More and more through the week.
fn notebooks(r: &mut Random, s: &mut Scene) {
    let (people, horizon) = (r.integer(6, 100), s.horizon());
    let cull = r.pick(&[12.0, 24.0, 24.0, 48.0, 72.0]) * HOUR;
    let (calendar, tidy) = (Calendar::early_in_the_week(r), r.uniform(0.1, 0.7));
    s.limit(limit_above(r, people * 10));
    for day in calendar.workdays(horizon) {
        for _ in 0..people {
            for _ in 0..r.poisson(0.8) {
                let at = day + r.uniform(8.5, 17.0) * HOUR;
                let used = r.lognormal(1.5 * HOUR, 1.0).min(9.0 * HOUR);
                let ends = if r.chance(tidy) {
                    used + r.uniform(0.0, HOUR)
                } else {
                    used + cull + r.uniform(0.0, 5.0 * MINUTE)
                };
                let sessions = r.integer(1, 2);
                s.open(vec![at; sessions]).live(|| ends).used(|| used);
            }
        }
    }
    s.open([-0.9 * DAY]).every(60.0);
}

/// Airflow, `pg_dump -j`, a home-made one: it starts with a few workers, people look at it each morning and give it
/// more, and after days it is done.
fn backfill(r: &mut Random, s: &mut Scene) {
    let horizon = s.horizon();
    let (first, rounds) = (r.integer(2, 20), r.integer(2, 6));
    let most = r.integer(first + 10, 250);
    s.limit(limit_above(r, most + 20));
    let start = r.uniform(-0.9 * DAY, 0.3 * DAY);
    let end = start + r.uniform(40.0, 110.0) * HOUR;
    let life = r
        .log_uniform(5.0 * MINUTE, 60.0 * HOUR)
        .max(HOUR * real(most) / 200.0);
    let growth = (real(most) / real(first)).powf(1.0 / real(rounds));
    let mut workers = 0;
    for round in 0..=rounds {
        let at = start + (end - start) * 0.8 * real(round) / real(rounds + 1) * r.uniform(0.8, 1.0);
        let wanted = whole(real(first) * growth.powf(real(round)));
        for _ in workers..wanted {
            // A connection for each piece of the work.
            let begun = at + r.uniform(0.0, 10.0 * MINUTE);
            let spans = chain(r, (begun, end.min(2.0 * horizon)), 5.0, |r| {
                life * r.lognormal(1.0, 0.5)
            });
            hold(s, &spans).every(2.0);
        }
        workers = wanted;
    }
    s.open([-0.9 * DAY, -0.89 * DAY]).every(30.0);
}
