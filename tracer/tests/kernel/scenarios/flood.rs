//! Small tables and many peers: what does not fit is counted under `other`, what fits stays right, and memory is
//! bounded.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::ensure;

use crate::{
    context::Context,
    ledger::{Ledger, counts},
    order::Order,
    puppet::{Puppet, at, loopback},
    stream::{
        Counts,
        Direction::{Inbound, Outbound},
        Process, Table,
    },
    tracer_process::Tracer,
    witness::resident,
};

const THREADS: usize = 2;
/// 127.1.0.0 and on: no address that anything else uses.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 0);
/// What the tracer may need more after the flood than before: buffers, and small tables. A group that is remembered
/// takes more than a kilobyte, so one for each source would take more than this.
const GROWTH: u64 = 16 << 20;

/// Every connection from an address of its own.
pub fn flood(context: &Context) -> anyhow::Result<()> {
    const GROUPS: usize = 500;
    let count = if Context::is_emulated() { 4_000 } else { 50_000 };
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(loopback(1))?;
    let groups = GROUPS.to_string();
    let mut tracer = Tracer::start_with(context, &[listener.port()], ["--max-groups", &groups])?;
    // One that the flood must not touch.
    let early = client.connect(listener.address, 1)?;
    server.accept(listener, 1)?;
    let port = listener.port();
    let truth = |client_counts, server_counts| {
        Ledger::default()
            .both(&client, Outbound, loopback(1), port, client_counts)
            .both(&server, Inbound, loopback(1), port, server_counts)
    };
    let quiet = truth(counts(1, 0), counts(1, 0));
    tracer.expect("before", &quiet)?;
    let before = resident(tracer.pid())?;

    let each = count / THREADS;
    server.send(&Order::ChurnAccept {
        listener: listener.socket,
        each,
        threads: THREADS,
    })?;
    client.send(&Order::ChurnConnect {
        to: vec![listener.address],
        from: Some((FIRST, count)),
        each,
        threads: THREADS,
    })?;
    client.done()?;
    server.done()?;
    tracer.expect_table("the flood", |table| {
        let ledger = Ledger::of(table)?;
        let found = [ledger.of_process(&client), ledger.of_process(&server)];
        ensure!(found == [counts(count + 1, count); 2], "{found:?}");
        Ok(())
    })?;
    let after = resident(tracer.pid())?;
    eprintln!("flood from {count} addresses: {before} bytes before, {after} after");
    ensure!(after < before + GROWTH, "{before} bytes became {after}");

    client.close(&early)?;
    let last = tracer.stop()?;
    let ledger = &last.ledger;
    let found = [ledger.of_process(&client), ledger.of_process(&server)];
    ensure!(
        found == [counts(count + 1, count + 1), counts(count + 1, count)],
        "{found:?}"
    );
    let untouched = ledger.of_peer(Inbound, loopback(1), port);
    ensure!(untouched == counts(1, 0), "{untouched}");
    let other = usize::try_from(ledger.of_other_peers(Inbound).opened)?;
    let expected = count - GROUPS..count;
    ensure!(expected.contains(&other), "{other} of {count} are others");
    let books = last.summary.books;
    ensure!(
        books.overflowed > 0 && books.untracked == 0 && books.map_full == 0,
        "{books:?}"
    );
    books.balance()
}

/// Room for few connections and few groups, both overflowing at once.
pub fn small_tables(context: &Context) -> anyhow::Result<()> {
    const CONNECTIONS: usize = 64;
    const GROUPS: usize = 16;
    /// Each opens one connection.
    const SOURCES: u8 = 200;
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(loopback(1))?;
    let (connections, groups) = (CONNECTIONS.to_string(), GROUPS.to_string());
    let limits = ["--max-connections", &connections, "--max-groups", &groups];
    let more = limits.into_iter().chain(["--reconcile", "1h"]);
    let mut tracer = Tracer::start_with(context, &[listener.port()], more)?;
    let before = resident(tracer.pid())?;

    // One after the other, so that both ends get half of the room.
    let (mut connected, mut accepted) = (Vec::new(), Vec::new());
    for host in 1..=SOURCES {
        connected.extend(client.connect_from(at(host, 0), listener.address, 1)?);
        accepted.extend(server.accept(listener, 1)?);
    }
    let both = [Process::from(&client), Process::from(&server)];
    let is = |table: &Table, expected: Counts| {
        let ledger = Ledger::of(table)?;
        let found = both.clone().map(|process| ledger.of_process(process));
        ensure!(found == [expected; 2], "{found:?}");
        Ok(())
    };
    let (full, drained) = (
        counts(CONNECTIONS / 2, 0),
        counts(CONNECTIONS / 2, CONNECTIONS / 2),
    );
    tracer.expect_table("full", |table| is(table, full))?;
    // As in `max_connections`: the reconciliation that follows a loss must not come while they close.
    tracer.wait(Duration::from_secs(2))?;
    tracer.expect_table("still full", |table| is(table, full))?;
    let after = resident(tracer.pid())?;
    ensure!(after < before + GROWTH, "{before} bytes became {after}");
    client.close(&connected)?;
    server.close(&accepted)?;
    tracer.expect_table("drained", |table| is(table, drained))?;

    let last = tracer.stop()?;
    let (ledger, books) = (&last.ledger, last.summary.books);
    for host in 1..8 {
        let first = ledger.of_peer(Inbound, loopback(host), listener.port());
        ensure!(first == counts(1, 1), "peer {host}: {first}");
    }
    let other = usize::try_from(ledger.of_other_peers(Inbound).opened)?;
    let expected = CONNECTIONS / 2 - GROUPS..CONNECTIONS / 2 - GROUPS / 2;
    ensure!(expected.contains(&other), "{other} others:\n{ledger}");
    ensure!(
        books.overflowed >= other as u64 && books.map_full == 2 * u64::from(SOURCES) - CONNECTIONS as u64,
        "{books:?}"
    );
    books.balance()
}
