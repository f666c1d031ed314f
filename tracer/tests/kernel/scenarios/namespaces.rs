//! Network namespaces.

use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::ensure;

use crate::{
    context::Context,
    ledger::{Ledger, counts, older},
    puppet::{Listener, Puppet, at, loopback},
    stream::Direction::{Inbound, Outbound},
    tracer_process::Tracer,
};

/// The same four addresses at the same time in three namespaces are three connections.
pub fn namespaces(context: &Context) -> anyhow::Result<()> {
    let mut first = Puppet::start("tt-first")?;
    let listener = first.listen(loopback(1))?;
    // Taken here, so free in the other namespaces: they have nothing else.
    let source = first.bind(loopback(3))?.port();
    let (mut second, mut third) = (Puppet::start("tt-second")?, Puppet::start("tt-third")?);
    for twin in [&mut second, &mut third] {
        twin.isolate()?;
        // The first socket of each, as in the first program.
        let listener = twin.bind_at(listener.address)?;
        twin.listen_at(listener, 8)?;
    }
    let mut tracer = Tracer::start(context, &[listener.port()])?;

    let mut ends = Vec::new();
    for twin in [&mut first, &mut second, &mut third] {
        let connected = twin.connect_from(at(2, source), listener.address, 1)?;
        ends.push((connected, twin.accept(listener, 1)?));
    }
    // So many ends closed of each program: the client's, then the server's.
    let truth = |of_first: usize, of_second: usize| {
        [(&first, of_first), (&second, of_second), (&third, 0)]
            .into_iter()
            .fold(Ledger::default(), |ledger, (twin, ends)| {
                let (outbound, inbound) = (counts(1, ends.min(1)), counts(1, ends / 2));
                ledger
                    .both(twin, Outbound, loopback(1), listener.port(), outbound)
                    .both(twin, Inbound, loopback(2), listener.port(), inbound)
            })
    };
    let (open, one_closed, three_closed) = (truth(0, 0), truth(0, 1), truth(2, 1));
    tracer.expect("all open", &open)?;
    second.close(&ends[1].0)?;
    tracer.expect("one closed", &one_closed)?;
    first.close(&ends[0].0)?;
    first.close(&ends[0].1)?;
    tracer.stop()?.expect("at the end", &three_closed)
}

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// Two pairs of namespaces, each joined by a virtual cable, with the same addresses: four equal tuples apart from who
/// holds them.
pub fn cables(context: &Context) -> anyhow::Result<()> {
    // Its port is free in the namespaces: they have nothing else.
    let mut host = Puppet::start("tt-host")?;
    let port = host.listen(loopback(1))?.port();
    let source = host.bind(loopback(3))?.port();
    let mut pairs = [
        Pair::join("tt-client-1", "tt-server-1", port)?,
        Pair::join("tt-client-2", "tt-server-2", port)?,
    ];
    let mut tracer = Tracer::start(context, &[port])?;

    let from = SocketAddrV4::new(CLIENT, source);
    let mut ends = Vec::new();
    for Pair {
        client,
        server,
        listener,
    } in &mut pairs
    {
        let connected = client.connect_from(from, listener.address, 1)?;
        let accepted = server.accept(*listener, 1)?;
        ensure!(accepted[0].peer == Some(from.into()), "{accepted:?}");
        ends.push((connected, accepted));
    }
    // Whether the client and the server of each pair have closed.
    let truth = |pairs: &[Pair; 2], closed: [(usize, usize); 2]| {
        pairs
            .iter()
            .zip(closed)
            .fold(Ledger::default(), |ledger, (pair, (client, server))| {
                ledger
                    .both(&pair.client, Outbound, SERVER, port, counts(1, client))
                    .both(&pair.server, Inbound, CLIENT, port, counts(1, server))
            })
    };
    tracer.expect("all open", &truth(&pairs, [(0, 0), (0, 0)]))?;
    pairs[0].client.close(&ends[0].0)?;
    tracer.expect("one closed", &truth(&pairs, [(1, 0), (0, 0)]))?;
    // One that comes later finds the rest.
    let [one, two] = &pairs;
    let found = Ledger::default()
        .both(&one.server, Inbound, CLIENT, port, older(1, 0))
        .both(&two.client, Outbound, SERVER, port, older(1, 0))
        .both(&two.server, Inbound, CLIENT, port, older(1, 0));
    Tracer::start(context, &[port])?
        .stop()?
        .expect("a second tracer", &found)?;
    pairs[0].server.close(&ends[0].1)?;
    pairs[1].client.close(&ends[1].0)?;
    let truth = truth(&pairs, [(1, 1), (1, 0)]);
    tracer.stop()?.expect("at the end", &truth)
}

/// A client and a server in namespaces of their own, joined by a virtual cable.
struct Pair {
    client: Puppet,
    server: Puppet,
    listener: Listener,
}

impl Pair {
    fn join(client: &str, server: &str, port: u16) -> anyhow::Result<Self> {
        let (mut client, mut server) = (Puppet::start(client)?, Puppet::start(server)?);
        client.isolate()?;
        server.isolate()?;
        let pid = server.pid().to_string();
        client.run(&[
            "ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", &pid,
        ])?;
        for (end, address) in [(&mut client, CLIENT), (&mut server, SERVER)] {
            end.run(&["ip", "address", "add", &format!("{address}/24"), "dev", "cable"])?;
            end.run(&["ip", "link", "set", "cable", "up"])?;
        }
        let listener = server.bind_at(SocketAddrV4::new(SERVER, port).into())?;
        server.listen_at(listener, 8)?;
        Ok(Self {
            client,
            server,
            listener,
        })
    }
}
