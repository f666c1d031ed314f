//! Leaks of clients of databases, directories and mail servers.

use crate::{
    families::{
        Family,
        calendar::Calendar,
        fourth::{company, few_before},
        parts::{Span, chain, hold},
        third::{busy, fills, fills_evenly, forget_plenty, tide},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "E_L_engines",
        130.0,
        engines,
        "reports that make a database engine each, whose pool keeps what the report used",
    ),
    Family::leak(
        "E_L_exceptions",
        110.0,
        exceptions,
        "a database connection for each transaction, and no `finally` around some of them",
    ),
    Family::leak(
        "E_L_rotated_credentials",
        110.0,
        rotated_credentials,
        "a pool for each new password from the vault, the pool of the old one forgotten",
    ),
    Family::leak(
        "E_L_nightly_export",
        120.0,
        nightly_export,
        "an export at night that leaves the connections of the tables that it could not read",
    ),
    Family::leak(
        "E_L_alert_mails",
        110.0,
        alert_mails,
        "alerts by mail, in storms, whose connection to the relay stays when the relay defers",
    ),
];

/// `create_engine` in the function: one to three connections stay checked in for each report. Some engines are garbage
/// at once, others hang in a cycle or a cache for good. `MySQL` hangs up after eight hours, `PostgreSQL` never.
fn engines(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let limit = r.pick(&[1024, 1024, 4096]);
    // A third of the hours are of work.
    let (rate, from) = fills(r, s, limit, (4.0, 26.0));
    let (share, most) = (r.uniform(0.3, 1.0), r.integer(1, 3));
    let each = 0.5 * real(1 + most);
    let reports = busy(r, rate / share / each, (from, s.horizon()), |at| {
        calendar.office(at)
    });
    let (kept, well) = forget_plenty(r, reports, share, limit);
    let (servers, takes) = (r.integer(1, 6), r.log_uniform(0.5, 90.0));
    let hangs_up = r.pick(&[NEVER, NEVER, 8.0 * HOUR]);
    for at in kept {
        let (count, server) = (r.integer(1, most), r.integer(0, servers - 1));
        let lasts = r.lognormal(takes, 0.8);
        s.open(r.moments(count, at, at + 0.3 * lasts))
            .leak()
            .used(|| lasts)
            .peer_closes(|| lasts + hangs_up)
            .with(|| server);
    }
    let garbage = r.log_uniform(0.1, 60.0);
    for at in well {
        let (count, server) = (r.integer(1, most), r.integer(0, servers - 1));
        let lasts = r.lognormal(takes, 0.8);
        s.open(r.moments(count, at, at + 0.3 * lasts))
            .live(|| lasts + r.exponential(garbage))
            .used(|| lasts)
            .with(|| server);
    }
    company(r, s, from);
}

/// JDBC without a pool, in an application that is twenty years old: some percent of the transactions throw. Beside it a
/// newer part of it has a pool.
fn exceptions(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[512, 1024, 1024, 4096]);
    let (rate, from) = fills(r, s, limit, (4.0, 60.0));
    let (load, share) = (tide(r, (0.2, 0.9)), r.log_uniform(0.02, 0.2));
    let share = share.max(f64::from(limit) / 50_000.0);
    let transactions = busy(r, 1.5 * rate / share, (from, s.horizon()), load);
    let (thrown, well) = forget_plenty(r, transactions, share, limit);
    let takes = r.log_uniform(0.02, 5.0);
    let hangs_up = r.pick(&[NEVER, NEVER, 8.0 * HOUR, 0.5 * HOUR]);
    s.open(thrown)
        .leak()
        .used(|| r.lognormal(takes, 1.0))
        .peer_closes(|| hangs_up);
    s.open(well).live(|| r.lognormal(takes, 1.0).min(HOUR));
    company(r, s, from);
}

/// Vault gives out database users for an hour or so. Each makes a new data source; the old one keeps its idle
/// connections, and tests them if it was told to.
fn rotated_credentials(r: &mut Random, s: &mut Scene) {
    let (limit, size) = (r.pick(&[256, 1024, 1024]), r.integer(4, 20));
    let (rate, from) = fills_evenly(r, s, limit, (10.0, 75.0));
    let (period, horizon) = (real(size) / rate, s.horizon());
    let tests = if r.chance(0.4) {
        r.pick(&[30.0, 120.0, 300.0])
    } else {
        NEVER
    };
    let fills_slowly = r.log_uniform(1.0, 0.5 * period);
    let turns = chain(r, (from, horizon), 0.2, |r| period * r.uniform(0.9, 1.0));
    s.onset(turns.first().map_or(from, |(_, renewed)| *renewed));
    for (up, renewed) in turns {
        let moments = r.moments(size, up, up + fills_slowly);
        let batch = s
            .open(moments)
            .used(|| (renewed - up - fills_slowly).max(1.0))
            .every(tests);
        if renewed < horizon {
            batch.leak();
        }
    }
    company(r, s, from);
}

/// Some tables are locked, or have changed: their export fails, and its session with the warehouse stays. By day the
/// scheduler's small jobs close all of theirs.
fn nightly_export(r: &mut Random, s: &mut Scene) {
    let (calendar, limit) = (Calendar::any(r), r.pick(&[256, 1024, 1024, 4096]));
    let (hour, horizon) = (r.uniform(0.0, 5.0), s.horizon());
    let (share, fails) = (r.uniform(0.32, 0.7), r.uniform(0.15, 0.6));
    let (lasts, takes) = (r.log_uniform(0.3, 4.0) * HOUR, r.log_uniform(2.0, 120.0));
    for day in calendar.days(horizon) {
        let at = day + hour * HOUR;
        if at < 0.0 {
            continue;
        }
        let failed = f64::from(limit) * share * r.uniform(0.85, 1.15);
        let well = whole(failed * (1.0 - fails) / fails);
        s.open(r.moments(whole(failed), at, at + lasts))
            .leak()
            .used(|| r.lognormal(0.5 * takes, 0.8));
        s.open(r.moments(well, at, at + lasts))
            .live(|| r.lognormal(takes, 0.8).min(HOUR));
    }
    let (jobs, life) = (r.log_uniform(0.002, 0.05), r.log_uniform(0.5, 60.0));
    let jobs = busy(r, jobs, (0.0, horizon), |at| calendar.office(at));
    s.open(jobs).live(|| r.lognormal(life, 1.0).min(HOUR));
    s.limit(limit);
    company(r, s, 0.0);
}

/// A connection for each mail. The relay's 4xx for who sends too much throws before the `QUIT`; it hangs up after five
/// or ten minutes. Calm hours have a mail now and then, an outage has hundreds.
fn alert_mails(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[256, 1024, 1024]);
    let (rate, from) = fills_evenly(r, s, limit, (6.0, 45.0));
    let (horizon, step) = (s.horizon(), f64::from(limit) * r.log_uniform(0.02, 0.2));
    let mut storms = r.arrivals(rate / step, from, horizon);
    few_before(&mut storms, whole(f64::from(limit) / 3.0 / step));
    let (deferred, grace) = (r.uniform(0.2, 0.8), r.pick(&[300.0, 300.0, 600.0]));
    let mut well: Vec<Span> = Vec::new();
    for at in storms {
        let failed = whole(r.lognormal(step, 0.5)).max(1);
        let until = at + r.log_uniform(2.0, 60.0) * MINUTE;
        s.open(r.moments(failed, at, until))
            .leak()
            .used(|| 0.4)
            .peer_closes(|| grace + r.uniform(0.0, 1.0));
        let sent = whole(real(failed) * (1.0 - deferred) / deferred);
        for mail in r.moments(sent, at, until) {
            well.push((mail, mail + r.lognormal(1.5, 0.6)));
        }
    }
    let calm = r.log_uniform(0.0005, 0.01);
    for mail in r.arrivals(calm, from, horizon) {
        well.push((mail, mail + r.lognormal(1.5, 0.6)));
    }
    hold(s, &well);
    company(r, s, from);
}
