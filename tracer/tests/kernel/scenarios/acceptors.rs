//! Threads that are blocked in accept.

use std::time::Instant;

use anyhow::ensure;

use crate::{
    context::Context,
    ledger::counts,
    lines::PATIENCE,
    puppet::{Puppet, loopback},
    tracer_process::Tracer,
};

/// A return probe does not see the end of a call that began before it was attached; the graft that follows is seen.
pub fn blocked_before(context: &Context) -> anyhow::Result<()> {
    let missed = missed(context, Blocked::Before, 8, 3)?;
    ensure!(missed == 0, "{missed} accepts were missed");
    Ok(())
}

/// A kretprobe follows only so many calls at once, and each blocked thread is one; the graft has no such limit.
pub fn blocked_after(context: &Context) -> anyhow::Result<()> {
    let missed = missed(context, Blocked::After, 64, 1)?;
    ensure!(missed == 0, "{missed} accepts were missed");
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Blocked {
    Before,
    After,
}

/// Connects as often as the threads can accept, and gives the number of accepts that the tracer does not tell of.
fn missed(context: &Context, when: Blocked, threads: usize, each: usize) -> anyhow::Result<usize> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(loopback(1))?;
    if when == Blocked::Before {
        server.block_in_accept(listener, threads, each)?;
    }
    let mut tracer = Tracer::start(context, &[listener.port()])?;
    if when == Blocked::After {
        server.block_in_accept(listener, threads, each)?;
    }
    let total = threads * each;
    let mut connected = client.connect(listener.address, total)?;
    let accepted = server.unblocked()?;
    ensure!(accepted.len() == total, "{} accepted", accepted.len());
    // One more that nobody accepts: when it is told, so was everything before.
    connected.extend(client.connect(listener.address, 1)?);
    let deadline = Instant::now() + PATIENCE;
    let open = loop {
        let ledger = tracer.next_ledger(deadline)?;
        if ledger.of_process(&client) == counts(total + 1, 0) {
            break usize::try_from(ledger.of_process(&server).open)?;
        }
        ensure!(
            Instant::now() < deadline,
            "outbound connections are missing:\n{ledger}"
        );
    };
    client.close(&connected)?;
    server.close(&accepted)?;

    let last = tracer.stop()?;
    let books = last.summary.books;
    let missed = total - open;
    eprintln!("{threads} threads, {when:?}: {missed} of {total} accepts missed, {books:?}");
    books.are_clean()?;
    let outbound = last.ledger.of_process(&client);
    ensure!(outbound == counts(total + 1, total + 1), "outbound: {outbound}");
    let inbound = last.ledger.of_process(&server);
    ensure!(inbound == counts(open, open), "inbound: {inbound}");
    Ok(missed)
}
