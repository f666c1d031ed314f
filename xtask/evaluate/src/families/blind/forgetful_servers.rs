//! Servers and proxies that do not notice that the other side is gone.

use super::{Calendar, begins_to_leak, chain, hold, limit_above, requests};
use crate::{
    families::{Family, parts::daily},
    number::whole,
    random::Random,
    scene::Scene,
    world::{DAY, HOUR, MINUTE, NEVER},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "B_L_hub",
        48.0,
        hub,
        "a websocket hub that forgets to close who is gone",
    ),
    Family::leak(
        "B_L_hung_handlers",
        48.0,
        hung_handlers,
        "handlers that hang from some moment on, and clients that give up",
    ),
    Family::leak(
        "B_L_device_gateway",
        60.0,
        device_gateway,
        "a gateway that does not see the end of what some devices send",
    ),
    Family::leak(
        "B_L_lids_closed",
        120.0,
        lids_closed,
        "laptops that are closed in the evening, at a server without any timeout",
    ),
    Family::leak(
        "B_L_tunnels",
        48.0,
        tunnels,
        "a proxy that keeps one side of a tunnel when the other is gone",
    ),
    Family::leak(
        "B_L_heartbeats_of_one",
        60.0,
        heartbeats_of_one,
        "one client of a broker that opens ever more, each with its heartbeat",
    ),
    Family::leak(
        "B_L_quiet_topic",
        60.0,
        quiet_topic,
        "event streams whose end would be noticed by writing, of topics that are quiet",
    ),
];

/// A hub (gorilla/websocket's chat, without its pong deadline of 60 s): a path of `unregister` does not close.
/// Browsers ping nothing; socket.io pings every 25 s.
fn hub(r: &mut Random, s: &mut Scene) {
    let (rate, swing) = (r.log_uniform(0.005, 0.15), r.uniform(0.0, 0.95));
    let (median, sigma) = (r.log_uniform(MINUTE, HOUR), r.uniform(0.6, 1.3));
    let (every, share) = (r.uniform(15.0, 30.0), r.log_uniform(0.05, 0.3));
    let finishes = r.uniform(0.0, 1.0);
    // Who is there, on average.
    let crowd = rate * median * (0.5 * sigma * sigma).exp();
    let limit = limit_above(r, whole(1.5 * crowd) + 100);
    let from = begins_to_leak(r, s, limit, rate * share);
    let load = daily(1.0 / (1.0 + swing), swing, r.uniform(0.0, 6.0));
    for at in r.arrivals_varying(rate, from, s.horizon(), load) {
        let lasts = r.lognormal(median, sigma).min(DAY);
        let batch = s.open([at]).with(|| r.integer(0, 5000));
        if !r.chance(share) {
            batch.live(|| lasts).every(every);
            continue;
        }
        let batch = batch.leak().used(|| lasts);
        if r.chance(finishes) {
            batch.peer_closes(|| lasts);
        }
    }
    s.inbound();
}

/// A lock that is never released, or a call without a timeout: whoever asks for that waits. Clients give up after 10
/// s to a minute (nginx's `proxy_read_timeout`: 60 s) and close; the handler still waits.
fn hung_handlers(r: &mut Random, s: &mut Scene) {
    let (horizon, from) = (s.horizon(), r.uniform(1.0, 16.0) * HOUR);
    let (rate, share) = (r.log_uniform(0.01, 0.3), r.log_uniform(0.03, 1.0));
    let (median, clients) = (r.log_uniform(0.01, 5.0), r.integer(1, 30));
    let patience = r.pick(&[10.0, 30.0, 60.0]);
    let calendar = Calendar::early_in_the_week(r);
    for (at, lasts) in requests(r, (0.0, horizon), rate, (median, 1.0), |at| {
        0.1 + 0.9 * calendar.office(at)
    }) {
        let client = r.integer(0, clients);
        let batch = s.open([at]).with(|| client);
        if at > from && r.chance(share) {
            batch.leak().used(|| 0.01).peer_closes(|| patience);
        } else {
            batch.live(|| lasts);
        }
    }
    // A balancer's connections, kept for 60 s to an hour.
    let life = r.log_uniform(MINUTE, HOUR);
    for _ in 0..r.integer(1, 20) {
        let spans = chain(r, (-HOUR, horizon), 5.0, |r| r.exponential(life));
        hold(s, &spans).every(5.0).with(|| 31);
    }
    s.inbound();
    s.limit(r.pick(&[256, 1024, 1024, 4096]));
}

/// Trackers on a mobile network: they connect every 1 to 30 min, send a position, and close. A loop of the gateway
/// takes the zero bytes at the end of some for nothing to read. Some go through a NAT that forgets: nothing comes at
/// all.
fn device_gateway(r: &mut Random, s: &mut Scene) {
    let (rate, devices) = (r.log_uniform(0.02, 0.3), r.integer(50, 3000));
    let (median, share) = (r.log_uniform(1.0, 60.0), r.log_uniform(0.03, 0.2));
    let silent = r.pick(&[0.0, 0.0, 0.2, 1.0]);
    let limit = r.pick(&[1024, 4096, 65_536]);
    let from = begins_to_leak(r, s, limit, rate * share);
    let times = r.arrivals(rate, from, s.horizon());
    let (bad, good): (Vec<f64>, Vec<f64>) = times.into_iter().partition(|_| r.chance(share));
    s.open(good)
        .live(|| r.lognormal(median, 0.7))
        .with(|| r.integer(0, devices));
    let (gone, ended): (Vec<f64>, Vec<f64>) = bad.into_iter().partition(|_| r.chance(silent));
    s.open(gone).leak().used(|| median).with(|| r.integer(0, devices));
    s.open(ended)
        .leak()
        .used(|| median)
        .peer_closes(|| median + 0.5)
        .with(|| r.integer(0, devices));
    s.inbound();
}

/// An IMAP proxy or a push server without `SO_KEEPALIVE`: who closes the lid says nothing, and the server would have
/// to write to learn of it. In the morning each laptop connects anew.
fn lids_closed(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let (people, share) = (r.integer(25, 300), r.uniform(0.1, 0.7));
    let every = r.log_uniform(20.0, 29.0 * MINUTE);
    let mut first = NEVER;
    for day in calendar.workdays(s.horizon()) {
        for person in 0..people {
            if r.chance(0.15) {
                continue;
            }
            let at = day + r.normal(8.7, 0.7).clamp(6.0, 12.0) * HOUR;
            let end = day + r.normal(17.3, 0.9).clamp(12.5, 23.0) * HOUR;
            let batch = s.open([at]).with(|| person);
            if r.chance(share) {
                batch.leak().used(|| end - at);
                first = first.min(end.max(0.0));
            } else {
                batch.close(|_| end).every(every);
            }
        }
    }
    s.onset(first);
    s.inbound();
    s.limit(r.pick(&[1024, 4096, 65_536]));
}

/// A TCP proxy without timeouts (`HAProxy` warns of their absence) copies in two threads, of which one waits for ever
/// when the other ends: the side toward the server stays. Tunnels have a heavy tail.
fn tunnels(r: &mut Random, s: &mut Scene) {
    let calendar = Calendar::early_in_the_week(r);
    let (most, hosts) = (r.log_uniform(0.02, 0.35), r.integer(20, 4000));
    let (least, exponent) = (r.log_uniform(1.0, 30.0), r.uniform(0.9, 1.6));
    let (share, closes) = (r.log_uniform(0.008, 0.08), r.uniform(0.2, 1.0));
    let limit = r.pick(&[1024, 4096, 65_536]);
    let from = begins_to_leak(r, s, limit, most * share);
    let times = r.arrivals_varying(most, from, s.horizon(), |at| 0.1 + 0.9 * calendar.office(at));
    for at in times {
        let lasts = r.pareto(least, exponent).min(10.0 * HOUR);
        // Some hosts are everybody's.
        let host = r.integer(0, hosts).min(r.integer(0, hosts));
        let batch = s.open([at]).with(|| host);
        if !r.chance(share) {
            batch.live(|| lasts).used(|| 0.8 * lasts);
        } else if r.chance(closes) {
            batch.leak().used(|| lasts).peer_closes(|| lasts + 75.0);
        } else {
            batch.leak().used(|| lasts);
        }
    }
}

/// What a broker sees of an application that connects for each publish and never closes: the library's thread answers
/// heartbeats (`RabbitMQ`: every 30 s with the default timeout of 60 s). Until the application is restarted, if ever.
fn heartbeats_of_one(r: &mut Random, s: &mut Scene) {
    let (horizon, rate) = (s.horizon(), r.log_uniform(2.5, 80.0) / HOUR);
    let (every, guilty) = (r.pick(&[5.0, 15.0, 30.0, 60.0]), r.integer(0, 8));
    // Each of the others has a few, for hours to days.
    for client in 0..9 {
        let life = r.log_uniform(HOUR, 100.0 * HOUR);
        for _ in 0..r.integer(1, 12) {
            let start = r.uniform(-0.9 * DAY, 0.0);
            let spans = chain(r, (start, horizon), 10.0, |r| r.exponential(life));
            hold(s, &spans).every(every).with(|| client);
        }
    }
    let from = r.uniform(0.0, 10.0 * HOUR);
    let restart = if r.chance(0.3) {
        from + r.uniform(0.3, 0.6) * (horizon - from)
    } else {
        NEVER
    };
    let times = r.arrivals(rate, from, horizon);
    s.open(times)
        .leak()
        .close(|at| if at < restart { restart } else { NEVER })
        .every(every)
        .with(|| guilty);
    s.inbound();
    s.limit(limit_above(r, 200));
}

/// Server-sent events: most frameworks notice that a browser is gone when they write to it. Streams of topics without
/// news, and without the comment that the standard suggests every 15 s, stay; the browser connects again.
fn quiet_topic(r: &mut Random, s: &mut Scene) {
    let (rate, swing) = (r.log_uniform(0.003, 0.08), r.uniform(0.2, 0.9));
    let (median, quiet) = (r.log_uniform(MINUTE, HOUR), r.log_uniform(0.04, 0.5));
    let news = r.log_uniform(1.0, 10.0 * MINUTE);
    let behind_proxy = r.chance(0.5);
    let limit = limit_above(r, whole(2.5 * rate * median) + 100);
    let from = begins_to_leak(r, s, limit, rate * quiet);
    let load = daily(1.0 / (1.0 + swing), swing, r.uniform(0.0, 6.0));
    for at in r.arrivals_varying(rate, from, s.horizon(), load) {
        let lasts = r.lognormal(median, 1.1).min(DAY);
        let client = if behind_proxy { 0 } else { r.integer(1, 3000) };
        let batch = s.open([at]).with(|| client);
        if r.chance(quiet) {
            batch.leak().used(|| 0.1).peer_closes(|| lasts);
        } else {
            // The next event after the end tells.
            let unseen = r.exponential(news);
            batch.live(|| lasts + unseen).every(news).peer_closes(|| lasts);
        }
    }
    s.inbound();
}
