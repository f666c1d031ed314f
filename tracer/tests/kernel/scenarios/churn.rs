//! Many connections that open and close as fast as they can.

use std::net::Ipv4Addr;

use anyhow::ensure;

use crate::{
    context::Context,
    ledger::{Ledger, counts},
    order::Order,
    puppet::{Puppet, loopback},
    said::Last,
    stream::Direction::{Inbound, Outbound},
    tracer_process::Tracer,
};

/// Addresses of the server that the client goes round.
const ADDRESSES: u8 = 8;
const THREADS: usize = 2;

pub fn churn(context: &Context) -> anyhow::Result<()> {
    let count = if Context::is_emulated() { 2_000 } else { 10_000 };
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(Ipv4Addr::UNSPECIFIED)?;
    let tracer = Tracer::start(context, &[listener.port()])?;

    let each = count / THREADS;
    server.send(&Order::ChurnAccept {
        listener: listener.socket,
        each,
        threads: THREADS,
    })?;
    client.send(&Order::ChurnConnect {
        to: (1..=ADDRESSES).map(|host| listener.at(loopback(host))).collect(),
        from: None,
        each,
        threads: THREADS,
    })?;
    client.done()?;
    server.done()?;

    let each_address = count / usize::from(ADDRESSES);
    let truth = (1..=ADDRESSES).fold(Ledger::default(), |ledger, host| {
        let counts = counts(each_address, each_address);
        ledger.both(&client, Outbound, loopback(host), listener.port(), counts)
    });
    let truth = truth.both(
        &server,
        Inbound,
        loopback(1),
        listener.port(),
        counts(count, count),
    );
    let last = tracer.stop()?;
    let books = last.summary.books;
    eprintln!("churn of {count} connections: {}; {books:?}", last.summary.total);
    if books.lost() > books.skipped() {
        return within_the_losses(&last, &truth);
    }
    // The kernel skips a run when an interrupt brings it about on top of another: a change of state, never an
    // opening or a close, which are told in the context of a process. So the counts are exact all the same, and only
    // the end of a socket that was closed before may go unseen.
    books.balance()?;
    let ledger = &last.ledger;
    ensure!(
        *ledger == truth,
        "the tracer says\n{ledger}but the truth is\n{truth}"
    );
    ensure!(books.unobserved_ends <= books.skipped(), "{books:?}");
    ensure!(
        books.orphans == 0 && books.duplicates == 0 && books.overflowed == 0,
        "{books:?}"
    );
    Ok(())
}

/// One lost fact can hide one opening, or one establishment of an opening (then it may count as failed, unless the
/// close tells that it was one), or one end. So neither difference may exceed the losses.
pub fn within_the_losses(last: &Last, truth: &Ledger) -> anyhow::Result<()> {
    last.summary.books.balance()?;
    let (lost, total, should) = (last.summary.books.lost(), last.summary.total, truth.total());
    ensure!(
        total.opened <= should.opened
            && should.opened - total.opened <= lost
            && total.open <= should.open + lost
            && total.failed <= should.failed + lost
            && total.connecting <= should.connecting + lost,
        "{total} instead of {should} is more than {lost} lost facts explain"
    );
    Ok(())
}
