//! Threads that are blocked in accept.

use std::{fs, time::Instant};

use anyhow::{Context as _, ensure};

use crate::{
    context::{Backend, Context},
    ledger::counts,
    lines::PATIENCE,
    puppet::{Puppet, loopback},
    tracer_process::Tracer,
};

/// An accept that began before the tracer attached may be missed, one per thread; no other.
pub fn blocked_before(context: &Context) -> anyhow::Result<()> {
    const THREADS: usize = 8;
    let missed = missed(context, Blocked::Before, THREADS, 3)?;
    ensure!(
        missed <= THREADS,
        "{missed} accepts of {THREADS} threads were missed"
    );
    Ok(())
}

/// A kretprobe follows only so many calls at once, and each blocked thread is one; the other hooks follow all.
pub fn blocked_after(context: &Context) -> anyhow::Result<()> {
    const THREADS: usize = 64;
    let followed = match context.backend {
        Backend::Kprobe => kretprobe_instances()?,
        Backend::Fentry | Backend::Tracepoint => THREADS,
    };
    let missed = missed(context, Blocked::After, THREADS, 1)?;
    ensure!(missed <= THREADS - followed, "{missed} accepts were missed");
    Ok(())
}

/// The default of `register_kretprobe` (`kernel/kprobes.c`) on a preemptible kernel.
fn kretprobe_instances() -> anyhow::Result<usize> {
    let possible = fs::read_to_string("/sys/devices/system/cpu/possible")?;
    let last = possible.trim().rsplit(['-', ',']).next();
    let last: usize = last.context("no processors")?.parse()?;
    Ok((2 * (last + 1)).max(10))
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
    // What was missed is noticed when it closes, where the hook can tell.
    let noticed = context.backend == Backend::Tracepoint || books.unknown_closes == missed as u64;
    ensure!(noticed, "{missed} were missed: {books:?}");
    Ok(missed)
}
