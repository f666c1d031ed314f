//! Threads that are blocked in accept.

use anyhow::ensure;

use crate::{
    context::{Backend, Context},
    ledger::{Ledger, counts},
    puppet::{Puppet, loopback},
    stream::Direction::Outbound,
    tracer_process::Tracer,
};

/// An accept that began before the tracer attached may be missed, one per thread; no other.
pub fn blocked_before(context: &Context) -> anyhow::Result<()> {
    const THREADS: usize = 8;
    const EACH: usize = 3;
    missed(context, Blocked::Before, THREADS, EACH).and_then(|missed| {
        ensure!(
            missed <= THREADS as u64,
            "{missed} accepts of {THREADS} threads were missed"
        );
        Ok(())
    })
}

pub fn blocked_after(context: &Context) -> anyhow::Result<()> {
    const THREADS: usize = 64;
    let missed = missed(context, Blocked::After, THREADS, 1)?;
    // A kretprobe follows only so many calls at once.
    ensure!(
        missed == 0 || context.backend == Backend::Kprobe,
        "{missed} accepts were missed"
    );
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Blocked {
    Before,
    After,
}

/// Inbound connections that the tracer does not tell of.
fn missed(context: &Context, when: Blocked, threads: usize, each: usize) -> anyhow::Result<u64> {
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
    let connected = client.connect(listener.address, threads * each)?;
    let accepted = server.unblocked()?;
    ensure!(accepted.len() == threads * each, "{} accepted", accepted.len());
    // One more by a thread that was not blocked: when it is told, everything before was.
    client.connect(listener.address, 1)?;
    let marker = Ledger::default().both(
        &client,
        Outbound,
        loopback(1),
        listener.port(),
        counts(connected.len() + 1, 0),
    );
    let open = loop {
        let ledger = tracer.next_ledger(std::time::Instant::now() + crate::lines::PATIENCE)?;
        if ledger.of_process(&client) == marker.of_process(&client) {
            break ledger.of_process(&server);
        }
    };
    client.close(&connected)?;
    server.close(&accepted)?;
    let last = tracer.stop()?;
    last.summary.books.balance()?;
    let inbound = last.ledger.of_process(&server);
    ensure!(inbound.opened == open.open, "{inbound} after {open}");
    ensure!(inbound.opened == inbound.closed, "inbound: {inbound}");
    let outbound = last.ledger.of_process(&client);
    ensure!(
        outbound == counts(connected.len() + 1, connected.len()),
        "outbound: {outbound}"
    );
    let missed = accepted.len() as u64 - inbound.opened;
    eprintln!(
        "{threads} threads blocked in accept {when:?} attaching, {} accepts: {missed} missed, books {:?}",
        accepted.len(),
        last.summary.books
    );
    Ok(missed)
}
