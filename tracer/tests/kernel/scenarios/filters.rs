//! Each filter, all on the same traffic.

use std::net::Ipv4Addr;

use crate::{
    context::Context,
    ledger::{Ledger, counts},
    puppet::{Listener, Puppet, at, loopback, other_end},
    stream::{
        Counts,
        Direction::{Inbound, Outbound},
    },
    tracer_process::Tracer,
};

pub fn filters(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut one = Puppet::start("tt-one")?;
    let mut two = Puppet::start("tt-two")?;
    let listener = server.listen(Ipv4Addr::UNSPECIFIED)?;
    let apart = server.listen(Ipv4Addr::UNSPECIFIED)?;
    let (port, apart_port) = (listener.port(), apart.port());

    let other_port = apart_port.to_string();
    let pid = one.pid().to_string();
    let mut tracers = [
        vec!["--port", &other_port],
        Vec::new(),
        vec!["--pid", &pid],
        vec!["--comm", "tt-server", "--comm", "tt-nobody"],
        vec!["--peer", "127.0.0.2/31", "--peer", "10.0.0.0/8"],
        vec!["--direction", "outbound"],
        vec!["--direction", "inbound", "--peer", "127.0.0.1"],
    ]
    .into_iter()
    .map(|filter| Tracer::launch(context, &[port], filter))
    .collect::<anyhow::Result<Vec<_>>>()?;
    for tracer in &mut tracers {
        tracer.attached(context)?;
    }

    let to = |listener: Listener| listener.at(loopback(1));
    let of_one = one.connect(to(listener), 3)?;
    let of_two = two.connect_from(at(2, 0), to(listener), 4)?;
    one.connect(to(apart), 2)?;
    let accepted = server.accept(listener, 7)?;
    server.accept(apart, 2)?;
    // After a reset the source port is gone and the state is CLOSE: the filter must not be asked again.
    one.reset(&of_one[0..1])?;
    server.close(&[other_end(&of_one[0], &accepted)?.clone()])?;
    two.close(&of_two[0..1])?;

    let out_one = |ledger: Ledger| ledger.both(&one, Outbound, loopback(1), port, counts(3, 1));
    let out_two = |ledger: Ledger| ledger.both(&two, Outbound, loopback(1), port, counts(4, 1));
    let in_one = |ledger: Ledger| ledger.both(&server, Inbound, loopback(1), port, counts(3, 1));
    let in_two = |ledger: Ledger| ledger.both(&server, Inbound, loopback(2), port, counts(4, 0));
    let none = Ledger::default;
    let by_port = out_one(out_two(in_one(in_two(none()))));
    let more: Counts = counts(2, 0);
    let truths = [
        by_port
            .clone()
            .both(&one, Outbound, loopback(1), apart_port, more)
            .both(&server, Inbound, loopback(1), apart_port, more),
        by_port,
        out_one(none()),
        in_one(in_two(none())),
        in_two(none()),
        out_one(out_two(none())),
        in_one(none()),
    ];
    let names = [
        "two ports",
        "one port",
        "process",
        "name",
        "peer",
        "outbound",
        "inbound and peer",
    ];
    for ((tracer, truth), name) in tracers.into_iter().zip(&truths).zip(names) {
        tracer.stop()?.expect(name, truth)?;
    }
    Ok(())
}
