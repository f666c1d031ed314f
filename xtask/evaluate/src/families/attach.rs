//! What is there when the tracer comes.

use super::{
    Family,
    parts::{Pool, beside, leak_hourly},
};
use crate::{
    random::Random,
    scene::Scene,
    world::{HOUR, MINUTE},
};

pub(super) const FAMILIES: &[Family] = &[
    Family::leak(
        "L_accumulated_server",
        2.0,
        accumulated_server,
        "a server with hundreds of silent connections of one client; to be found in 5 s",
    ),
    Family::leak(
        "L_accumulated_client",
        2.0,
        accumulated_client,
        "a client that has leaked hundreds of connections; to be found in 5 s",
    )
    .held_out(),
    Family::leak(
        "L_half_way",
        24.0,
        half_way,
        "a slow leak that had begun before the tracer came",
    )
    .held_out(),
    Family::healthy(
        "H_warm_at_attach",
        24.0,
        warm_at_attach,
        "a large pool in use when the tracer comes",
    ),
    Family::healthy(
        "H_lifo_at_attach",
        24.0,
        lifo_at_attach,
        "a pool that takes the last one first: most of it has been silent for hours",
    )
    .held_out(),
    Family::healthy(
        "H_fleet_at_attach",
        36.0,
        fleet_at_attach,
        "hundreds of clients that ping, when the tracer comes, and come and go",
    )
    .held_out(),
];

fn accumulated_server(r: &mut Random, s: &mut Scene) {
    s.older(r.integer(300, 900)).leak();
    s.inbound();
    s.target(5.0);
    if r.chance(0.5) {
        leak_hourly(r, s, (5.0, 360.0), 0.0);
    }
    let (clients, every) = (r.integer(1, 40), r.uniform(5.0, 60.0));
    s.older(clients).every(every).with(|| 1);
}

fn accumulated_client(r: &mut Random, s: &mut Scene) {
    s.older(r.integer(400, 950)).leak();
    s.target(5.0);
    leak_hourly(r, s, (5.0, 360.0), 0.0);
    beside(r, s, (0.01, 0.2), (0.5, 30.0));
}

fn half_way(r: &mut Random, s: &mut Scene) {
    s.older(r.integer(20, 150)).leak();
    leak_hourly(r, s, (3.0, 60.0), 0.0);
    beside(r, s, (0.01, 0.2), (0.5, 60.0));
    if r.chance(0.5) {
        s.inbound();
    }
}

fn warm_at_attach(r: &mut Random, s: &mut Scene) {
    let every = r.log_uniform(0.5, 10.0 * MINUTE);
    s.older(r.integer(50, 450)).every(every);
    s.limit(r.pick(&[1024, 4096, 65_536]));
    beside(r, s, (0.005, 0.2), (0.5, 60.0));
    if r.chance(0.5) {
        s.inbound();
    }
}

fn lifo_at_attach(r: &mut Random, s: &mut Scene) {
    let (busy, every) = (r.integer(1, 10), r.log_uniform(0.5, 60.0));
    s.older(busy).every(every);
    s.older(r.integer(10, 90));
    let (size, lifetime) = (r.integer(2, 10), r.log_uniform(20.0 * MINUTE, 2.0 * HOUR));
    Pool::any(r, size, lifetime).run(r, s);
}

fn fleet_at_attach(r: &mut Random, s: &mut Scene) {
    let (clients, life) = (r.integer(50, 600), r.log_uniform(HOUR, 24.0 * HOUR));
    let every = r.uniform(15.0, 5.0 * MINUTE);
    for _ in 0..clients {
        let mut at = r.exponential(life);
        s.older(1).close(|_| at).every(every);
        at += r.exponential(MINUTE);
        while at < s.horizon() {
            let lasts = r.exponential(life);
            s.open([at]).live(|| lasts).every(every);
            at += lasts + r.exponential(MINUTE);
        }
    }
    s.inbound();
    s.limit(r.pick(&[4096, 65_536]));
}
