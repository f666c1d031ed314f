//! Leaks of programs that make a client of some protocol, use it, and forget it.

use super::forget;
use crate::{
    families::{
        Family,
        calendar::Calendar,
        parts::{begins_to_leak, beside, chain, hold, now_and_then},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "C_L_mailer",
        72.0,
        mailer,
        "a mailer whose SMTP transport stays open when a recipient is refused",
    ),
    Family::leak(
        "C_L_directory_logins",
        60.0,
        directory_logins,
        "a login page that keeps the LDAP connection of each wrong password",
    ),
    Family::leak(
        "C_L_cache_clients",
        72.0,
        cache_clients,
        "a Redis client made in the request handler, never quit",
    ),
    Family::leak(
        "C_L_producers",
        48.0,
        producers,
        "a Kafka producer for each job, whose metadata keeps one connection alive",
    ),
    Family::leak(
        "C_L_document_clients",
        72.0,
        document_clients,
        "a MongoDB client for each job, with its monitors of all members",
    ),
    Family::leak(
        "C_L_management_poller",
        36.0,
        management_poller,
        "a JMX poller that loses its connector when a reading fails",
    ),
    Family::leak(
        "C_L_sftp_partners",
        96.0,
        sftp_partners,
        "a file exchange that leaves SFTP sessions at the partners without files",
    ),
    Family::leak(
        "C_L_mail_fetcher",
        72.0,
        mail_fetcher,
        "a help desk that polls mailboxes by IMAP and forgets throttled logins",
    ),
];

/// `JavaMail`, Nodemailer: the exception goes past `close()`. Mail goes out by day, and in campaigns. Postfix closes
/// after 300 s of silence (`smtpd_timeout`), Exchange after 10 min.
fn mailer(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::any(r), s.horizon());
    let (most, lost) = (r.log_uniform(0.01, 0.2), r.log_uniform(3.0, 80.0) / HOUR);
    let limit = r.pick(&[1024, 1024, 4096]);
    let from = begins_to_leak(r, s, limit, lost);
    let mut times = r.arrivals_varying(most, -0.5 * DAY, horizon, |at| 0.1 + 0.9 * calendar.office(at));
    for campaign in now_and_then(r, (6.0, 48.0), (0.0, horizon)) {
        let count = r.integer(30, 300);
        times.extend(r.moments(count, campaign, campaign + HOUR));
    }
    let patience = r.pick(&[300.0, 300.0, 600.0]);
    let (refused, sent) = forget(r, times, from, (lost / most).min(0.5));
    s.open(sent).live(|| r.lognormal(1.5, 0.8));
    s.open(refused)
        .leak()
        .peer_closes(|| patience + r.uniform(0.5, 3.0));
}

/// JNDI: `InitialDirContext` is not closed where the bind or the search throws; people mistype one password in ten.
/// Active Directory closes after 900 s of silence (`MaxConnIdleTime`), `OpenLDAP` never (`idletimeout 0`).
fn directory_logins(r: &mut Random, s: &mut Scene) {
    let (calendar, horizon) = (Calendar::early_in_the_week(r), s.horizon());
    let (most, share) = (r.log_uniform(0.01, 0.15), r.uniform(0.03, 0.15));
    let (controllers, closes) = (r.integer(1, 3), r.chance(0.6));
    let limit = r.pick(&[1024, 4096, 4096]);
    let from = begins_to_leak(r, s, limit, most * share);
    let times = r.arrivals_varying(most, -0.5 * DAY, horizon, |at| calendar.office(at));
    let (wrong, right) = forget(r, times, from, share);
    s.open(right)
        .live(|| r.lognormal(0.1, 0.8))
        .with(|| r.integer(1, controllers));
    let wrong = s.open(wrong).leak().with(|| r.integer(1, controllers));
    if closes {
        wrong.peer_closes(|| 900.0);
    }
    // The service's own, bound once.
    let bound = r.integer(1, 8);
    s.older(bound).every(60.0).with(|| 1);
}

/// node-redis: `createClient()` in the handler. Redis never closes (`timeout 0`); its TCP keepalive carries no data.
/// From one per minute to several per second.
fn cache_clients(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[1024, 1024, 4096, 16_384, 65_536]);
    let span = r.log_uniform(0.4, 60.0) * HOUR;
    let rate = (f64::from(limit) / span).min(5.0);
    let from = begins_to_leak(r, s, limit, rate);
    s.lasts((1.5 * f64::from(limit) / rate).clamp(3.0 * HOUR, 72.0 * HOUR));
    let swing = r.uniform(0.0, 0.6);
    let phase = r.uniform(0.0, 6.0);
    let load = |at: f64| (1.0 + swing * (at / HOUR / 4.0 + phase).sin()) / (1.0 + swing);
    let mut times = r.arrivals_varying(rate, from, s.horizon(), load);
    times.truncate(whole(1.2 * f64::from(limit)));
    s.open(times).leak().used(|| 0.02);
    s.open([from]).every(5.0);
    beside(r, s, (0.001, 0.02), (0.01, 1.0));
}

/// `new KafkaProducer` in a job. It connects to the brokers that lead its partitions, closes what was silent for 9
/// min (`connections.max.idle.ms`), and asks one broker for metadata every 5 min for ever (`metadata.max.age.ms`).
fn producers(r: &mut Random, s: &mut Scene) {
    let (rate, brokers) = (r.log_uniform(1.5, 60.0) / HOUR, r.integer(3, 9));
    let limit = r.pick(&[1024, 4096, 4096]);
    let from = begins_to_leak(r, s, limit, 1.3 * rate);
    let jobs = r.arrivals(rate, from, s.horizon());
    let partitions = r.integer(1, brokers);
    for job in jobs {
        let first = r.integer(0, brokers - 1);
        s.open([job]).leak().every(300.0).with(|| first);
        for next in 1..partitions {
            let used = r.lognormal(20.0, 1.0);
            s.open([job + 0.2])
                .live(|| used + 540.0)
                .used(|| used)
                .with(|| (first + next) % brokers);
        }
    }
}

/// `new MongoClient` in a job or for a tenant: two monitors at each member of the replica set (`hello` every 10 s), and
/// a pooled connection to the primary, which has no maximum idle time.
fn document_clients(r: &mut Random, s: &mut Scene) {
    let (rate, members) = (r.log_uniform(0.4, 15.0) / HOUR, r.pick(&[1, 3, 3, 5]));
    let limit = r.pick(&[1024, 4096, 65_536]);
    let from = begins_to_leak(r, s, limit, rate * real(2 * members + 1));
    for job in r.arrivals(rate, from, s.horizon()) {
        for member in 0..members {
            s.open([job, job + 0.1]).leak().every(10.0).with(|| member);
        }
        let used = r.lognormal(5.0, 1.0);
        s.open([job + 0.05]).leak().used(|| used).with(|| 0);
    }
    // The one that the service shares.
    for member in 0..members {
        s.open([from, from + 0.1]).every(10.0).with(|| member);
    }
    let pooled = r.integer(2, 40);
    s.open(r.moments(pooled, from, from + HOUR))
        .every(20.0)
        .with(|| 0);
}

/// A monitoring agent over RMI: the connector is closed in the last line, which a failed reading skips. Its client
/// checks the connection every minute (`jmx.remote.x.client.connection.check.period`).
fn management_poller(r: &mut Random, s: &mut Scene) {
    let (targets, period) = (r.integer(1, 20), r.pick(&[15.0, 30.0, 60.0, 60.0, 300.0]));
    let limit = r.pick(&[256, 1024, 1024, 4096]);
    let period = f64::max(period, 4.0 * real(targets));
    let share = (r.log_uniform(1.0, 60.0) / HOUR * period).min(1.0);
    let from = begins_to_leak(r, s, limit, share / period);
    let broken = r.integer(0, targets - 1);
    for target in 0..targets {
        let phase = r.uniform(0.0, period);
        let polls = r.beats(period, 0.01, s.horizon() - from);
        let times: Vec<f64> = polls.into_iter().map(|at| from + phase + at).collect();
        // One of them has a metric that is not there.
        let share = if target == broken { share } else { 0.0 };
        let (failed, read) = forget(r, times, from, share);
        s.open(read).live(|| r.lognormal(0.4, 0.5)).with(|| target);
        s.open(failed).leak().every(60.0).with(|| target);
    }
}

/// `JSch`: `session.disconnect()` is skipped where there is nothing to fetch. Partners are polled every 1 to 15 min;
/// their servers close after minutes, or never (`ClientAliveInterval 0`), or behind a firewall that forgets.
fn sftp_partners(r: &mut Random, s: &mut Scene) {
    let (partners, period) = (r.integer(3, 40), r.log_uniform(1.0, 15.0) * MINUTE);
    let period = period.max(10.0 * real(partners));
    let limit = r.pick(&[1024, 1024, 4096]);
    let leaky = r.integer(1, 3).min(partners);
    let lost = r.log_uniform(0.7, 8.0) / HOUR;
    let from = begins_to_leak(r, s, limit, lost * real(leaky));
    for partner in 0..partners {
        let polls = r.beats(period, 0.05, s.horizon() - from);
        let times: Vec<f64> = polls.into_iter().map(|at| from + at).collect();
        let share = if partner < leaky {
            (lost * period).min(1.0)
        } else {
            0.0
        };
        let (kept, closed) = forget(r, times, from, share);
        s.open(closed).live(|| r.lognormal(4.0, 1.0)).with(|| partner);
        let patience = r.pick(&[NEVER, NEVER, 300.0, 900.0]);
        let batch = s.open(kept).leak().used(|| 2.0).with(|| partner);
        if patience.is_finite() {
            batch.peer_closes(|| patience + 2.0);
        }
    }
}

/// A ticket system with one IMAP login per mailbox and poll. When the provider throttles (hours on some days), the
/// login fails and the socket is forgotten; the provider ends it after 3 min, or after 30 (RFC 3501).
fn mail_fetcher(r: &mut Random, s: &mut Scene) {
    let (mailboxes, period) = (r.integer(5, 60), r.log_uniform(1.0, 5.0) * MINUTE);
    let horizon = s.horizon();
    let rate = (real(mailboxes) / period).min(0.1);
    let limit = r.pick(&[1024, 1024, 4096]);
    let lost = r.log_uniform(6.0, 60.0) / HOUR;
    let from = begins_to_leak(r, s, limit, lost);
    let start = from.max(0.0) + r.uniform(0.0, 4.0 * HOUR);
    let throttled = chain(r, (start, horizon), 6.0 * HOUR, |r| {
        r.log_uniform(0.5, 6.0) * HOUR
    });
    let patience = r.pick(&[180.0, 1800.0, 1800.0]);
    let is_throttled = |at: f64| throttled.iter().any(|(from, to)| (*from..*to).contains(&at));
    let times = r.arrivals(rate, from, horizon);
    let (during, calm): (Vec<f64>, Vec<f64>) = times.into_iter().partition(|at| is_throttled(*at));
    let (failed, fetched) = forget(r, during, from, (lost / rate).min(1.0));
    s.open(calm)
        .live(|| r.lognormal(2.0, 0.7))
        .with(|| r.integer(0, 3));
    s.open(fetched)
        .live(|| r.lognormal(4.0, 0.7))
        .with(|| r.integer(0, 3));
    s.open(failed)
        .leak()
        .peer_closes(|| patience)
        .with(|| r.integer(0, 3));
    // Two shared mailboxes are watched instead (IDLE, renewed after 29 min).
    for _ in 0..2 {
        let spans = chain(r, (from, horizon), 2.0, |_| 29.0 * MINUTE);
        hold(s, &spans).every(120.0).with(|| 4);
    }
}
