//! The main scenario: connections of every address family, opened and closed in a known order.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::ensure;

use crate::{
    context::Context,
    ledger::{Ledger, counts},
    lines::poll,
    order::End,
    puppet::{Listener, Puppet, loopback, other_end},
    stream::Direction::{Inbound, Outbound},
    tracer_process::Tracer,
    witness,
};

/// Connections of the client by each way.
const EACH: usize = 4;

/// A way to a server.
struct Way {
    listener: Listener,
    /// The address as the client gives it.
    to: IpAddr,
    /// The address as both ends should be told of the other.
    peer: IpAddr,
}

pub fn lifecycle(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let mut other = Puppet::start("tt-other")?;
    let dual = server.listen(Ipv6Addr::UNSPECIFIED)?;
    let v4 = server.listen(loopback(1))?;
    let mut tracer = Tracer::start(context, &[dual.port(), v4.port()])?;

    let (local, local6) = (IpAddr::from(loopback(1)), IpAddr::from(Ipv6Addr::LOCALHOST));
    let mapped = IpAddr::from(loopback(1).to_ipv6_mapped());
    let way = |listener, to, peer| Way { listener, to, peer };
    let ways = [
        way(dual, local, local),
        way(dual, local6, local6),
        way(dual, mapped, local),
        way(v4, local, local),
        way(v4, mapped, local),
    ];
    let mut pairs = Vec::new();
    for way in &ways {
        let connected = client.connect(way.listener.at(way.to), EACH)?;
        let accepted = server.accept(way.listener, EACH)?;
        pairs.push(pair(&connected, &accepted)?);
    }
    // A second client makes the two ends unequal: counts on the wrong process cannot cancel out.
    let mut others = other.connect(dual.at(local), 2)?;
    others.extend(other.connect(dual.at(local6), 1)?);
    let of_others = server.accept(dual, 3)?;

    // What should be told when so many connections of each way are closed, and of the second client all or none.
    let truth = |by_client: usize, by_server: usize, all: usize| {
        let clients = ways.iter().fold(Ledger::default(), |ledger, way| {
            let port = way.listener.port();
            ledger
                .both(&client, Outbound, way.peer, port, counts(EACH, by_client))
                .both(&server, Inbound, way.peer, port, counts(EACH, by_server))
        });
        [(local, 2), (local6, 1)]
            .into_iter()
            .fold(clients, |ledger, (peer, opened)| {
                let counts = counts(opened, opened * all);
                ledger.both(&other, Outbound, peer, dual.port(), counts).both(
                    &server,
                    Inbound,
                    peer,
                    dual.port(),
                    counts,
                )
            })
    };
    let (opened, half, closed) = (truth(0, 0, 0), truth(3, 2, 0), truth(EACH, EACH, 1));
    tracer.expect("all open", &opened)?;
    agrees_with_the_kernel(&opened, &server, dual, v4)?;

    // Of each way: one closed by the client first, one by the server first, one by the client only, one by nobody.
    for pairs in &pairs {
        let (c, s): (Vec<End>, Vec<End>) = pairs.iter().cloned().unzip();
        client.close(&c[0..1])?;
        server.close(&s[0..2])?;
        client.close(&c[1..3])?;
    }
    tracer.expect("some closed", &half)?;
    agrees_with_the_kernel(&half, &server, dual, v4)?;

    for pairs in &pairs {
        let (c, s): (Vec<End>, Vec<End>) = pairs.iter().cloned().unzip();
        server.close(&s[2..])?;
        client.close(&c[3..])?;
    }
    other.close(&others)?;
    server.close(&of_others)?;
    tracer.expect("all closed", &closed)?;

    let last = tracer.stop()?;
    last.expect("at the end", &closed)?;
    ensure!(last.summary.total.open == 0 && last.summary.total.opened == 2 * 23);
    ensure!(last.summary.failures.is_empty() && last.summary.books.unknown_closes == 0);
    Ok(())
}

/// Both ends of each connection.
fn pair(connected: &[End], accepted: &[End]) -> anyhow::Result<Vec<(End, End)>> {
    connected
        .iter()
        .map(|end| Ok((end.clone(), other_end(end, accepted)?.clone())))
        .collect()
}

fn agrees_with_the_kernel(
    truth: &Ledger,
    server: &Puppet,
    dual: Listener,
    v4: Listener,
) -> anyhow::Result<()> {
    let inbound = truth.of_process(server).open;
    let outbound = truth.total().open - inbound;
    poll("the kernel lists as many connections as are open", || {
        let (dual, v4) = (witness::held(dual.port())?, witness::held(v4.port())?);
        let listed = (dual.inbound + v4.inbound, dual.outbound + v4.outbound);
        Ok((listed == (inbound, outbound)).then_some(()))
    })
}
