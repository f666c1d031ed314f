//! Connections that come about in unusual ways.

use anyhow::ensure;

use crate::{
    context::Context,
    ledger::{Ledger, counts},
    order::Order,
    puppet::{Puppet, loopback},
    stream::Direction::{Inbound, Outbound},
    tracer_process::Tracer,
};

/// A socket that connects to its own address becomes open through SYN_RECV (simultaneous open, RFC 9293 §3.5). It
/// happens to clients that redial a dead local port of the ephemeral range.
pub fn self_connect(context: &Context) -> anyhow::Result<()> {
    let mut client = Puppet::start("tt-client")?;
    let own = client.bind(loopback(1))?;
    let mut tracer = Tracer::start(context, &[own.port()])?;
    client.send(&Order::Retry {
        socket: own.socket,
        to: own.address,
    })?;
    let ends = client.done()?;
    ensure!(ends[0].errno == 0, "{ends:?}");
    let truth =
        |closed| Ledger::default().both(&client, Outbound, loopback(1), own.port(), counts(1, closed));
    let (open, closed) = (truth(0), truth(1));
    tracer.expect("open", &open)?;
    client.close(&ends)?;
    tracer.expect("closed", &closed)?;
    tracer.stop()?.expect("at the end", &closed)
}

/// A socket that dissolves a watched connection and makes one that is not watched: the first is over.
pub fn moved_out_of_sight(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let watched = server.listen(loopback(1))?;
    let unwatched = server.listen(loopback(1))?;
    let mut tracer = Tracer::start(context, &[watched.port()])?;
    let ends = client.connect(watched.address, 1)?;
    let mut accepted = server.accept(watched, 1)?;
    let truth = |ours, theirs| {
        Ledger::default()
            .both(&client, Outbound, loopback(1), watched.port(), ours)
            .both(&server, Inbound, loopback(1), watched.port(), theirs)
    };
    let (before, after) = (
        truth(counts(1, 0), counts(1, 0)),
        truth(counts(1, 1), counts(1, 0)),
    );
    tracer.expect("the watched connection", &before)?;

    client.disconnect(&ends[0])?;
    let second = client.retry(&ends[0], unwatched.address)?;
    ensure!(second.errno == 0, "{second:?}");
    accepted.extend(server.accept(unwatched, 1)?);
    tracer.expect("moved", &after)?;
    let last = tracer.stop()?;
    last.expect("at the end", &after)
}
