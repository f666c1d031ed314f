//! Connections that come about in unusual ways.

use anyhow::ensure;

use crate::{
    context::Context,
    ledger::{Ledger, counts},
    order::{Kind, Order},
    puppet::{Puppet, at, loopback},
    scene::{OFTEN, SEVERAL_TIMES},
    stream::{
        Books,
        Direction::{Inbound, Outbound},
    },
    tracer_process::Tracer,
    witness::netstat,
};

/// A socket that connects to its own address becomes open through `SYN_RECV` (simultaneous open, RFC 9293 §3.5). It
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

/// With TCP Fast Open the SYN leaves from within a sendmsg, and the server may accept before the handshake is over.
pub fn fast_open(context: &Context) -> anyhow::Result<()> {
    let mut host = Puppet::start("tt-host")?;
    let address = host.bind(loopback(1))?.address;
    let mut both = Puppet::start("tt-both")?;
    both.isolate()?;
    // Data without a cookie at both ends, for every listener (`Documentation/networking/ip-sysctl.rst`).
    both.run(&["sh", "-c", "echo 0x607 >/proc/sys/net/ipv4/tcp_fastopen"])?;
    let listener = both.bind_at(address)?;
    both.listen_at(listener, 8)?;
    let mut tracer = Tracer::start(context, &[listener.port()])?;
    let (mut connected, mut accepted) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        connected.push(both.connect_fast(listener.address)?);
        accepted.extend(both.accept(listener, 1)?);
    }
    let truth = |by_client, by_server| {
        Ledger::default()
            .both(
                &both,
                Outbound,
                loopback(1),
                listener.port(),
                counts(4, by_client),
            )
            .both(&both, Inbound, loopback(1), listener.port(), counts(4, by_server))
    };
    let (open, half, closed) = (truth(0, 0), truth(4, 0), truth(4, 4));
    tracer.expect("open", &open)?;
    let fast = netstat(both.pid(), "TCPFastOpenPassive")?;
    ensure!(fast == 4, "{fast} of 4 came with data in the SYN");
    both.close(&connected)?;
    tracer.expect("closed by the client", &half)?;
    both.close(&accepted)?;
    tracer.stop()?.expect("at the end", &closed)
}

/// With `net.ipv4.tcp_migrate_req`, what waits for a listener that closes goes to another one of its port.
pub fn migrated(context: &Context) -> anyhow::Result<()> {
    let mut host = Puppet::start("tt-host")?;
    let address = host.bind(loopback(1))?.address;
    let mut both = Puppet::start("tt-both")?;
    both.isolate()?;
    both.run(&["sh", "-c", "echo 1 >/proc/sys/net/ipv4/tcp_migrate_req"])?;
    let (first, second) = (
        both.bind_kind(address, Kind::Shared)?,
        both.bind_kind(address, Kind::Shared)?,
    );
    let mut tracer = Tracer::start_with(context, &[address.port()], OFTEN)?;
    both.listen_at(first, 64)?;
    let connected = both.connect(address, 20)?;
    both.listen_at(second, 64)?;
    both.close_listener(first)?;
    // The second one had none of its own.
    let accepted = both.accept(second, 20)?;
    let truth = |by_client, by_server| {
        Ledger::default()
            .both(
                &both,
                Outbound,
                loopback(1),
                address.port(),
                counts(20, by_client),
            )
            .both(&both, Inbound, loopback(1), address.port(), counts(20, by_server))
    };
    let (open, half, closed) = (truth(0, 0), truth(0, 20), truth(20, 20));
    tracer.expect("open", &open)?;
    tracer.wait(SEVERAL_TIMES)?;
    tracer.expect("still open", &open)?;
    both.close(&accepted)?;
    tracer.expect("closed by the server", &half)?;
    both.close(&connected)?;
    tracer.stop()?.expect("at the end", &closed)
}

/// What a listener of Multipath TCP accepts from clients that speak plain TCP is plain TCP. Listeners of Go are such by
/// default.
pub fn multipath_listener(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let Ok(listener) = server.bind_kind(at(1, 0).into(), Kind::Multipath) else {
        eprintln!("skipped: this kernel has no Multipath TCP");
        return Ok(());
    };
    server.listen_at(listener, 8)?;
    let mut tracer = Tracer::start_with(context, &[listener.port()], OFTEN)?;
    let connected = client.connect(listener.address, 4)?;
    let accepted = server.accept(listener, 4)?;
    let truth = |by_client, by_server| {
        Ledger::default()
            .both(
                &client,
                Outbound,
                loopback(1),
                listener.port(),
                counts(4, by_client),
            )
            .both(
                &server,
                Inbound,
                loopback(1),
                listener.port(),
                counts(4, by_server),
            )
    };
    let (open, half, closed) = (truth(0, 0), truth(4, 0), truth(4, 4));
    tracer.wait(SEVERAL_TIMES)?;
    tracer.expect("open", &open)?;
    client.close(&connected)?;
    tracer.expect("closed by the client", &half)?;
    server.close(&accepted)?;
    tracer.stop()?.expect("at the end", &closed)
}

/// Both ends speak Multipath TCP: the descriptors hold sockets above those of TCP.
pub fn multipath(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let Ok(listener) = server.bind_kind(at(1, 0).into(), Kind::Multipath) else {
        eprintln!("skipped: this kernel has no Multipath TCP");
        return Ok(());
    };
    server.listen_at(listener, 8)?;
    let own = client.bind_kind(at(1, 0).into(), Kind::Multipath)?;
    let mut tracer = Tracer::start_with(context, &[listener.port()], OFTEN)?;
    client.send(&Order::Retry {
        socket: own.socket,
        to: listener.address,
    })?;
    let connected = client.done()?;
    let accepted = server.accept(listener, 1)?;
    let truth = |by_client, by_server| {
        Ledger::default()
            .both(
                &client,
                Outbound,
                loopback(1),
                listener.port(),
                counts(1, by_client),
            )
            .both(
                &server,
                Inbound,
                loopback(1),
                listener.port(),
                counts(1, by_server),
            )
    };
    let (open, half, closed) = (truth(0, 0), truth(1, 0), truth(1, 1));
    tracer.expect("open", &open)?;
    tracer.wait(SEVERAL_TIMES)?;
    tracer.expect("still held", &open)?;
    // The kernel keeps its connection until the other end closes, too: only the descriptors tell.
    client.close(&connected)?;
    tracer.expect("closed by the client", &half)?;
    server.close(&accepted)?;
    tracer.expect("closed", &closed)?;
    let last = tracer.stop()?;
    let books = last.summary.books;
    ensure!(
        (1..=2).contains(&books.unobserved_ends),
        "the end of the client's is inferred, and maybe the server's: {books:?}"
    );
    ensure!(last.ledger == closed, "at the end: {}", last.ledger);
    Books {
        unobserved_ends: 0,
        ..books
    }
    .are_clean()
}
