//! What the events cannot tell, a snapshot does.

use std::net::Ipv6Addr;

use anyhow::ensure;

use crate::{
    context::Context,
    ledger::{Ledger, counts, older as of_before},
    puppet::{Puppet, loopback},
    said::Last,
    stream::Direction::{Inbound, Outbound},
    tracer_process::Tracer,
};

pub fn older(context: &Context) -> anyhow::Result<()> {
    let (last, truth) = found_and_followed(context, &["--snapshots", "iterator"], 0)?;
    last.expect("at the end", &truth)?;
    ensure!(last.summary.books.unknown_closes == 0, "{:?}", last.summary.books);
    Ok(())
}

/// The same from /proc and `sock_diag`: the closes of what was open before show at the next comparison.
pub fn older_without_iterators(context: &Context) -> anyhow::Result<()> {
    let (last, _) = found_and_followed(context, &["--snapshots", "proc", "--reconcile", "1s"], 1)?;
    // The closes of what was open before: 70 at each end.
    let unobserved = last.summary.books.unobserved_ends;
    ensure!(unobserved == 140, "{:?}", last.summary.books);
    last.summary.books.balance()
}

/// Connections that were open before the tracer came: all in the first table, none twice, and their closes are seen.
fn found_and_followed(
    context: &Context,
    arguments: &[&str],
    degraded: usize,
) -> anyhow::Result<(Last, Ledger)> {
    const BEFORE: usize = 100;
    const SIXTH: usize = 20;
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(Ipv6Addr::UNSPECIFIED)?;
    let (port, v4, v6) = (listener.port(), loopback(1), Ipv6Addr::LOCALHOST);
    let mut connected = client.connect(listener.at(v4), BEFORE)?;
    let mut accepted = server.accept(listener, BEFORE)?;
    let sixth = client.connect(listener.at(v6), SIXTH)?;
    let of_sixth = server.accept(listener, SIXTH)?;

    let mut tracer = Tracer::launch(context, &[port], arguments)?;
    let misses = tracer.attached_degraded(context)?;
    ensure!(misses.len() == degraded, "degraded: {misses:?}");
    let truth = |fourth, sixth| {
        Ledger::default()
            .both(&client, Outbound, v4, port, fourth)
            .both(&server, Inbound, v4, port, fourth)
            .both(&client, Outbound, v6, port, sixth)
            .both(&server, Inbound, v6, port, sixth)
    };
    let found = truth(of_before(BEFORE, 0), of_before(SIXTH, 0));
    let half = truth(of_before(BEFORE, BEFORE / 2), of_before(SIXTH, SIXTH));
    let first = tracer.next_ledger(std::time::Instant::now() + crate::lines::PATIENCE)?;
    ensure!(first == found, "the first table:\n{first}instead of\n{found}");
    client.close(&connected.split_off(BEFORE / 2))?;
    server.close(&accepted.split_off(BEFORE / 2))?;
    client.close(&sixth)?;
    server.close(&of_sixth)?;
    tracer.expect("half closed", &half)?;

    // New ones are told from old ones.
    client.connect(listener.at(v4), 3)?;
    server.accept(listener, 3)?;
    let more =
        half.both(&client, Outbound, v4, port, counts(3, 0))
            .both(&server, Inbound, v4, port, counts(3, 0));
    tracer.expect("three more", &more)?;
    Ok((tracer.stop()?, more))
}
