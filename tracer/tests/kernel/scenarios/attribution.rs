//! Each end of a connection belongs to its own process, whoever the kernel interrupts to change its state.

use std::net::Ipv4Addr;

use anyhow::ensure;

use super::churn::within_the_losses;
use crate::{
    context::Context,
    ledger::{Ledger, counts},
    order::Order,
    puppet::Puppet,
    stream::Direction::{Inbound, Outbound},
    tracer_process::Tracer,
};

/// Clients, with the second byte of their addresses, each with its own number of connections: no exchange can go
/// unnoticed.
const CLIENTS: [(&str, u8, usize); 3] = [("tt-ssh", 1, 5), ("tt-curl", 2, 3), ("tt-java", 3, 2)];
/// Addresses that each client uses in turn.
const ADDRESSES: u8 = 100;

/// Client and server on one machine. One tracer sees only what was connected, another only what was accepted: the
/// server must not be in the table of the one, nor a client in that of the other.
pub fn own_process(context: &Context) -> anyhow::Result<()> {
    let tenth = if Context::is_emulated() { 200 } else { 1_000 };
    let mut server = Puppet::start("tt-sshd")?;
    let listener = server.listen(Ipv4Addr::UNSPECIFIED)?;
    let ports = [listener.port()];
    let mut outbound = Tracer::launch(context, &ports, ["--direction", "outbound"])?;
    let mut inbound = Tracer::launch(context, &ports, ["--direction", "inbound"])?;
    outbound.attached(context)?;
    inbound.attached(context)?;

    server.send(&Order::ChurnAccept {
        listener: listener.socket,
        each: 10 * tenth,
        threads: 1,
    })?;
    let mut clients = Vec::new();
    for (name, net, share) in CLIENTS {
        let mut client = Puppet::start(name)?;
        client.send(&Order::ChurnConnect {
            to: vec![listener.at(Ipv4Addr::new(127, net, 1, 1))],
            from: Some((source(net, 0), ADDRESSES.into())),
            each: share * tenth,
            threads: 1,
        })?;
        clients.push((client, net, share * tenth));
    }
    for (client, ..) in &clients {
        client.done()?;
    }
    server.done()?;

    let (mut connected, mut accepted) = (Ledger::default(), Ledger::default());
    for (client, net, count) in &clients {
        let server_address = Ipv4Addr::new(127, *net, 1, 1);
        let all = counts(*count, *count);
        connected = connected.both(client, Outbound, server_address, listener.port(), all);
        let each = count / usize::from(ADDRESSES);
        for host in 0..ADDRESSES {
            let each = counts(each, each);
            accepted = accepted.both(&server, Inbound, source(*net, host), listener.port(), each);
        }
    }
    for (tracer, truth) in [(outbound, connected), (inbound, accepted)] {
        let last = tracer.stop()?;
        last.summary.books.balance()?;
        let ledger = &last.ledger;
        if *ledger != truth && last.summary.books.lost() > 0 {
            // The kernel skips a program that an interrupt brings about on top of itself. That is counted, so what is
            // missing may be no more.
            eprintln!("not exact, with losses: {:?}", last.summary.books);
            within_the_losses(&last, &truth)?;
            continue;
        }
        ensure!(
            *ledger == truth,
            "the tracer says\n{ledger}but the truth is\n{truth}"
        );
    }
    Ok(())
}

const fn source(net: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, net, 0, host)
}
