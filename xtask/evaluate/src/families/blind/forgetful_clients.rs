//! Clients that do not close what they open.

use super::{
    Span, begins_to_leak, chain, hold,
    keep_alive::{KeepAlive, keep},
    requests,
};
use crate::{
    families::{
        Family,
        parts::{beside, daily, daily_arrivals, pings},
    },
    number::{real, whole},
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "B_L_body_not_closed",
        48.0,
        body_not_closed,
        "an HTTP client that does not close the body on one path",
    ),
    Family::leak(
        "B_L_transport_per_request",
        24.0,
        transport_per_request,
        "an HTTP client with a pool of its own for each request",
    ),
    Family::leak(
        "B_L_channel_per_call",
        48.0,
        channel_per_call,
        "a gRPC channel for each pass of a loop, never shut down",
    ),
    Family::leak(
        "B_L_client_per_token",
        72.0,
        client_per_token,
        "clients cached by a token that is renewed",
    ),
    Family::leak(
        "B_L_reconnect",
        72.0,
        reconnect,
        "message consumers that connect again and keep the old connection",
    ),
    Family::leak(
        "B_L_thread_local",
        48.0,
        thread_local,
        "a session for each thread, and ever new threads",
    ),
    Family::leak(
        "B_L_lost_lease",
        48.0,
        lost_lease,
        "a bounded pool that loses leases to exceptions",
    ),
    Family::leak(
        "B_L_open_transaction",
        60.0,
        open_transaction,
        "database sessions that an early return forgets",
    ),
    Family::leak(
        "B_L_crawler",
        48.0,
        crawler,
        "a crawler that forgets some of its fetches, each at another host",
    ),
    Family::leak(
        "B_L_rare_path",
        120.0,
        rare_path,
        "a few an hour, in proportion to the traffic of the day",
    ),
];

/// Go: `resp.Body` left open where the status is not 200. `net/http` keeps 2 idle connections per host
/// (`DefaultMaxIdleConnsPerHost`) for 90 s; nginx closes a kept connection after 75 s (`keepalive_timeout`), Node
/// after 5 s, AWS's balancers after 60 s, a Go server never: then it stays established.
fn body_not_closed(r: &mut Random, s: &mut Scene) {
    let (most, swing, phase) = (r.log_uniform(0.01, 0.5), r.uniform(0.0, 0.9), r.uniform(0.0, 6.0));
    let (median, horizon) = (r.log_uniform(0.02, 5.0), s.horizon());
    let load = daily(1.0 / (1.0 + swing), swing, phase);
    let served = requests(r, (0.0, horizon), most, (median, 1.0), &load);
    let pool = KeepAlive {
        kept: r.pick(&[2, 2, 2, 10, 100]),
        idle: 90.0,
        ..KeepAlive::ANY
    };
    keep(s, &pool.serve(&served), 0, 0);
    let (rate, from) = (r.log_uniform(4.0, 300.0) / HOUR, r.uniform(0.0, 8.0 * HOUR));
    let forgotten = r.arrivals_varying(rate, from, horizon, load);
    let patience = r.pick(&[5.0, 60.0, 75.0, 120.0, 350.0]);
    let closes = r.chance(0.55);
    let batch = s.open(forgotten).leak().used(|| r.lognormal(median, 1.0));
    if closes {
        batch.peer_closes(|| patience);
    }
    s.limit(r.pick(&[256, 1024, 1024, 4096]));
}

/// Go: `&http.Client{Transport: &http.Transport{}}` in the function that makes the request. The zero
/// `IdleConnTimeout` is none, and so is that of a Go server: the idle connection of each transport stays.
fn transport_per_request(r: &mut Random, s: &mut Scene) {
    let limit = r.pick(&[256, 1024, 1024, 4096, 16_384, 65_536]);
    let span = r.log_uniform(0.3, 200.0) * HOUR;
    let rate = (f64::from(limit) / span).clamp(8.0 / HOUR, 6.0);
    let from = r.uniform(0.0, 3.0 * HOUR);
    s.limit(limit);
    s.lasts((1.3 * span).clamp(6.0 * HOUR, 60.0 * HOUR));
    let (swing, phase) = (r.uniform(0.0, 0.7), r.uniform(0.0, 6.0));
    let load = daily(1.0 / (1.0 + swing), swing, phase);
    let mut times = r.arrivals_varying(rate, from, s.horizon(), load);
    times.truncate(whole(1.1 * f64::from(limit)));
    let median = r.log_uniform(0.01, 2.0);
    s.open(times).leak().used(|| r.lognormal(median, 0.8));
    // The rest of the program uses one client.
    let size = r.integer(1, 12);
    s.older(size).every(r.log_uniform(1.0, 120.0)).with(|| 1);
}

/// gRPC: `grpc.Dial` in each reconciliation without `Close`. Clients may ping every 10 s at the least
/// (`keepalive.ClientParameters`) and do not by default, servers do every 2 h; a controller resyncs every 30 s to 10
/// min and acts on events.
fn channel_per_call(r: &mut Random, s: &mut Scene) {
    let period = r.log_uniform(30.0, 10.0 * MINUTE);
    let from = r.uniform(0.0, 4.0 * HOUR);
    let (each, every) = (r.integer(1, 3), r.pick(&[10.0, 20.0, 30.0, 60.0, 7200.0, NEVER]));
    let skips = r.uniform(0.0, 0.5);
    for beat in r.beats(period, 0.1, s.horizon() - from) {
        if !r.chance(skips) {
            let times = r.moments(each, from + beat, from + beat + 0.3);
            s.open(times).leak().every(every);
        }
    }
    s.limit(r.pick(&[1024, 4096, 65_536]));
    beside(r, s, (0.005, 0.1), (0.02, 2.0));
}

/// A map of clients whose key holds a token: those of AWS STS live for 15 min to 12 h, an hour by default, those of
/// OAuth often an hour, those of Kubernetes' service accounts an hour. Each new token makes a client; the old one's
/// pool stays, idle or pinged (HTTP/2).
fn client_per_token(r: &mut Random, s: &mut Scene) {
    let life = r.pick(&[0.25, 1.0, 1.0, 1.0, 6.0, 12.0]) * HOUR;
    let least = 4 + whole(life / HOUR);
    let (tenants, each) = (r.integer(least, 40), r.integer(1, 3));
    let (every, horizon) = (pings(r), s.horizon());
    let mut first = NEVER;
    for tenant in 0..tenants {
        let early = 0.9 * life;
        let mut at = r.uniform(-early, 0.3 * early);
        while at < horizon {
            let next = at + early * r.uniform(0.97, 1.0);
            let batch = s.open(r.moments(each, at, at + 5.0)).with(|| tenant % 4);
            if next < horizon {
                batch.leak().used(|| next - at).every(every);
                first = next.min(first);
            } else {
                batch.used(|| next - at);
            }
            at = next;
        }
    }
    s.onset(first.max(0.0));
    s.limit(r.pick(&[1024, 4096, 65_536]));
}

/// AMQP and MQTT consumers that miss a heartbeat (`RabbitMQ`: 60 s, closed after two), connect again and keep the old
/// object. The broker closes its end in the end; where a NAT forgot the connection, nobody learns of that.
fn reconnect(r: &mut Random, s: &mut Scene) {
    let (consumers, mean) = (r.integer(8, 60), r.log_uniform(0.5, 16.0) * HOUR);
    let (heartbeat, brokers) = (r.uniform(10.0, 60.0), r.integer(1, 3));
    let (closes, horizon) = (r.chance(0.5), s.horizon());
    let mut first = NEVER;
    for consumer in 0..consumers {
        let start = r.uniform(-0.4 * DAY, 0.0);
        for (at, end) in chain(r, (start, horizon), 3.0, |r| r.exponential(mean).max(MINUTE)) {
            let batch = s.open([at]).with(|| consumer % brokers);
            if end >= horizon {
                batch.every(heartbeat);
                continue;
            }
            first = first.min(end.max(0.0));
            let batch = batch.leak().used(|| end - at);
            if closes {
                batch.peer_closes(|| end - at + 2.0 * heartbeat);
            }
        }
    }
    s.onset(first);
    s.limit(r.pick(&[1024, 1024, 4096]));
}

/// Python: `threading.local()` holds a `requests.Session`, each job makes a `ThreadPoolExecutor` (`min(32, cpu + 4)`
/// workers) that nobody shuts down. Threads and sessions stay. The far end closes after 5 s to 20 min, or never.
fn thread_local(r: &mut Random, s: &mut Scene) {
    let (rate, from) = (r.log_uniform(0.7, 12.0) / HOUR, r.uniform(0.0, 3.0 * HOUR));
    let (threads, busy) = (r.integer(2, 12), r.log_uniform(2.0, 20.0 * MINUTE));
    let patience = r.pick(&[5.0, 65.0, 600.0, 1200.0]);
    let closes = r.chance(0.4);
    for job in r.arrivals(rate, from, s.horizon()) {
        let work = r.lognormal(busy, 0.6);
        let times = r.moments(threads, job, job + 0.5 * work);
        let batch = s.open(times).leak().used(|| 0.5 * work);
        if closes {
            batch.peer_closes(|| 0.5 * work + patience);
        }
    }
    s.limit(r.pick(&[1024, 1024, 4096]));
    beside(r, s, (0.002, 0.05), (0.1, 10.0));
}

/// JDBC without try-with-resources: the exception goes past `close()`. `HikariCP` does not close what is lent,
/// whatever `maxLifetime` (30 min) and `idleTimeout` (10 min); there is no `leakDetectionThreshold` by default. All
/// fail in the end, after 30 s each.
fn lost_lease(r: &mut Random, s: &mut Scene) {
    let (most, span) = (r.integer(30, 250), r.log_uniform(4.0, 60.0) * HOUR);
    let (rate, median) = (r.log_uniform(0.03, 0.6), r.log_uniform(0.01, 3.0));
    let (from, horizon) = (r.uniform(0.0, 6.0 * HOUR), s.horizon());
    let (swing, phase) = (r.uniform(0.0, 0.9), r.uniform(0.0, 6.0));
    let load = daily(1.0 / (1.0 + swing), swing, phase);
    let mut served = requests(r, (-HOUR, horizon), rate, (median, 1.2), load);
    let share = (real(most) * (1.0 + swing) / span / rate).min(0.5);
    for (at, lasts) in &mut served {
        if *at > from && r.chance(share) {
            *lasts = NEVER;
        }
    }
    let fixed = r.chance(0.5);
    let pool = KeepAlive {
        most,
        kept: most,
        idle: if fixed { NEVER } else { 10.0 * MINUTE },
        life: 30.0 * MINUTE * r.pick(&[1.0, 1.0, 4.0]),
        newest: false,
        ..KeepAlive::ANY
    };
    let (lost, kept): (Vec<_>, Vec<_>) = pool.serve(&served).into_iter().partition(|kept| kept.lost);
    keep(s, &kept, 0, 0);
    // `MySQL`'s `wait_timeout`, `PostgreSQL`'s `idle_in_transaction_session_timeout` where somebody set one.
    let timeout = r.pick(&[NEVER, NEVER, 8.0 * HOUR, 10.0 * MINUTE]);
    for one in &lost {
        let used = one.used - one.opened + r.lognormal(median, 1.0);
        let batch = s.open([one.opened]).leak().used(|| used);
        if timeout.is_finite() {
            batch.peer_closes(|| used + timeout);
        }
    }
    s.onset(lost.iter().map(|one| one.used).fold(NEVER, f64::min));
    s.limit(r.pick(&[1024, 4096, 65_536]));
}

/// `SQLAlchemy` with `NullPool`, or plain drivers: a session that an early return does not close. `MySQL` closes
/// after 28,800 s (`wait_timeout`), managed ones often sooner, `PostgreSQL` never.
fn open_transaction(r: &mut Random, s: &mut Scene) {
    let (rate, from) = (r.log_uniform(3.0, 150.0) / HOUR, r.uniform(0.0, 6.0 * HOUR));
    let swing = r.uniform(0.0, 0.9);
    let mut times = daily_arrivals(r, s, rate, swing);
    times.retain(|at| *at > from);
    let (busy, timeout) = (
        r.log_uniform(0.005, 30.0),
        r.pick(&[NEVER, NEVER, 8.0 * HOUR, HOUR, 10.0 * MINUTE]),
    );
    let batch = s.open(times).leak().used(|| r.lognormal(busy, 1.0));
    if timeout.is_finite() {
        batch.peer_closes(|| timeout + busy);
    }
    beside(r, s, (0.01, 0.3), (0.01, 5.0));
    if r.chance(0.5) {
        // Reports hold theirs for long, and close them.
        let rate = r.log_uniform(0.5, 6.0) / HOUR;
        let reports = r.arrivals(rate, 0.0, s.horizon());
        s.open(reports)
            .live(|| r.lognormal(20.0 * MINUTE, 0.8))
            .every(2.0);
    }
    s.limit(r.pick(&[256, 1024, 1024, 4096]));
}

/// aiohttp: a `ClientSession` for each host that an exception leaves open. Hosts close after 5 s (Apache, Node) to 75
/// s (nginx) and some never.
fn crawler(r: &mut Random, s: &mut Scene) {
    const HOSTS: usize = 100_000;
    let (fetches, median) = (r.log_uniform(0.02, 0.4), r.log_uniform(0.2, 15.0));
    let times = r.arrivals(fetches, 0.0, s.horizon());
    s.open(times)
        .live(|| r.lognormal(median, 1.0).min(5.0 * MINUTE))
        .with(|| r.integer(0, HOSTS));
    let (rate, from) = (r.log_uniform(6.0, 500.0) / HOUR, r.uniform(0.0, 4.0 * HOUR));
    let (silent, closed): (Vec<f64>, Vec<f64>) = r
        .arrivals(rate, from, s.horizon())
        .into_iter()
        .partition(|_| r.chance(0.35));
    s.open(silent)
        .leak()
        .used(|| r.uniform(0.1, 5.0))
        .with(|| r.integer(0, HOSTS));
    let mut hosts = Random::new("hosts", r.integer(0, 1_000_000) as u64);
    s.open(closed)
        .leak()
        .used(|| r.uniform(0.1, 5.0))
        .peer_closes(|| 5.0 + hosts.pick(&[5.0, 15.0, 60.0, 75.0, 120.0]))
        .with(|| r.integer(0, HOSTS));
    s.limit(r.pick(&[1024, 4096, 65_536]));
}

/// A webhook or an e-mail that is sent for some requests only, by a client that forgets: 1 to 6 an hour at the
/// busiest.
fn rare_path(r: &mut Random, s: &mut Scene) {
    let (rate, swing) = (r.log_uniform(1.0, 6.0) / HOUR, r.uniform(0.3, 1.0));
    let (phase, horizon) = (r.uniform(0.0, 6.0), s.horizon());
    let every = pings(r);
    let load = daily(1.0 / (1.0 + swing), swing, phase);
    let limit = r.pick(&[256, 512, 1024]);
    let from = begins_to_leak(r, s, limit, rate);
    let times = r.arrivals_varying(rate, from, horizon, &load);
    s.open(times).leak().used(|| r.uniform(0.05, 3.0)).every(every);
    // The traffic, to the same and to another peer.
    let pool = KeepAlive {
        idle: r.pick(&[30.0, 60.0, 90.0, 300.0]),
        ..KeepAlive::ANY
    };
    for peer in 0..2 {
        let most = r.log_uniform(0.003, 0.1);
        let served = requests(r, (from, horizon), most, (0.3, 1.2), &load);
        keep(s, &pool.serve(&served), peer, 0);
    }
    let steady: Vec<Span> = (0..r.integer(1, 20)).map(|_| (from, NEVER)).collect();
    hold(s, &steady).every(r.log_uniform(5.0, 300.0)).with(|| 2);
}
