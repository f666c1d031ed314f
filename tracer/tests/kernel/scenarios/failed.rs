//! Attempts that never become connections.

use anyhow::ensure;
use rustix::io::Errno;

use crate::{
    context::Context,
    ledger::{Ledger, counts, failed},
    puppet::{Puppet, loopback},
    said::Last,
    scene::{OFTEN, SEVERAL_TIMES},
    stream::{
        Counts,
        Direction::{Inbound, Outbound},
        Failures,
    },
    tracer_process::Tracer,
};

const REFUSED: i32 = Errno::CONNREFUSED.raw_os_error();

pub fn refused(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    // Bound, so that nobody else can listen there meanwhile.
    let closed = server.bind(loopback(1))?;
    let mut tracer = Tracer::start_with(context, &[closed.port()], OFTEN)?;
    let mut ends = Vec::new();
    for _ in 0..5 {
        let end = client.attempt(closed.address)?;
        ensure!(end.errno == REFUSED, "{end:?}");
        ends.push(end);
    }
    let truth = Ledger::default().both(&client, Outbound, loopback(1), closed.port(), failed(5));
    tracer.expect("refused", &truth)?;
    // Held still, which the comparisons must see: none of them ends by inference.
    tracer.wait(SEVERAL_TIMES)?;
    // Closing what never was a connection changes nothing.
    client.close(&ends)?;
    let last = tracer.stop()?;
    last.expect("at the end", &truth)?;
    failures(&last, REFUSED, 5)
}

/// A server that does not accept: when its backlog is full, the kernel does not answer.
pub fn abandoned(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.bind(loopback(1))?;
    // The kernel lets in one more than asked for (`sk_acceptq_is_full`, `include/net/sock.h`).
    server.listen_at(listener, 0)?;
    let mut tracer = Tracer::start(context, &[listener.port()])?;
    let mut ends = client.connect(listener.address, 1)?;
    for _ in 0..3 {
        let end = client.attempt_nonblocking(listener.address)?;
        ensure!(end.errno == Errno::INPROGRESS.raw_os_error(), "{end:?}");
        ends.push(end);
    }
    let truth = |outbound| Ledger::default().both(&client, Outbound, loopback(1), listener.port(), outbound);
    let connecting = truth(Counts {
        connecting: 3,
        ..counts(1, 0)
    });
    let given_up = truth(Counts {
        failed: 3,
        ..counts(1, 1)
    });
    tracer.expect("connecting", &connecting)?;
    client.close(&ends)?;
    tracer.expect("given up", &given_up)?;
    let last = tracer.stop()?;
    last.expect("at the end", &given_up)?;
    failures(&last, 0, 3)
}

pub fn retry_after_refusal(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.bind(loopback(1))?;
    let mut tracer = Tracer::start(context, &[listener.port()])?;
    let first = client.attempt(listener.address)?;
    ensure!(first.errno == REFUSED, "{first:?}");
    server.listen_at(listener, 8)?;
    let second = client.retry(&first, listener.address)?;
    ensure!(second.errno == 0, "{second:?}");
    let accepted = server.accept(listener, 1)?;
    let truth = |closed| {
        let outbound = Counts {
            failed: 1,
            ..counts(1, closed)
        };
        Ledger::default()
            .both(&client, Outbound, loopback(1), listener.port(), outbound)
            .both(&server, Inbound, loopback(1), listener.port(), counts(1, closed))
    };
    let (open, closed) = (truth(0), truth(1));
    tracer.expect("open at the second try", &open)?;
    client.close(&[second])?;
    server.close(&accepted)?;
    let last = tracer.stop()?;
    last.expect("at the end", &closed)?;
    failures(&last, REFUSED, 1)
}

fn failures(last: &Last, errno: i32, count: u64) -> anyhow::Result<()> {
    let errno = u16::try_from(errno)?;
    let told = &last.summary.failures;
    ensure!(*told == [Failures { errno, count }], "the failures are {told:?}");
    Ok(())
}

/// Each peer with its own errno.
pub fn failures_by_peer(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let closed = server.bind(loopback(1))?;
    let full = server.bind(loopback(2))?;
    server.listen_at(full, 0)?;
    let mut tracer = Tracer::start(context, &[closed.port(), full.port()])?;
    // The kernel lets in one more than asked for, and drops the rest.
    let mut given_up = client.connect(full.address, 1)?;
    for _ in 0..3 {
        client.attempt(closed.address)?;
        given_up.push(client.attempt_nonblocking(full.address)?);
    }
    client.close(&given_up)?;
    let errno = u16::try_from(REFUSED)?;
    tracer.expect_table("failed", |table| {
        for (to, errno) in [(closed.address, errno), (full.address, 0)] {
            let row = table.peer(Outbound, to.ip(), to.port());
            let told = row.map(|row| &row.failures);
            let expected = vec![Failures { errno, count: 3 }];
            ensure!(told == Some(&expected), "{to}: {told:?}");
        }
        Ok(())
    })?;
    tracer.stop()?.summary.books.are_clean()
}
