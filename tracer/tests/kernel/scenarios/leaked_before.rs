//! A tracer that comes when the leak has long begun.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use crate::{
    context::Context,
    ledger::{Ledger, older},
    lines::PATIENCE,
    puppet::{Puppet, loopback},
    scene::{OFTEN, SEVERAL_TIMES},
    stream::{
        Ages,
        Direction::{Inbound, Outbound},
        Process,
    },
    tracer_process::Tracer,
};

const LEAKED: usize = 500;
/// Without a word for so long before the tracer comes.
const IDLE: Duration = Duration::from_secs(1);

/// All are in the first table, with holder, peer and lower bounds of their ages; later closes are seen, and no
/// reconciliation counts one twice.
pub fn leaked_before(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(loopback(1))?;
    let port = listener.port();
    let began = Instant::now();
    let connected = client.connect(listener.address, LEAKED)?;
    let accepted = server.accept(listener, LEAKED)?;
    sleep(IDLE);

    let mut tracer = Tracer::start_with(context, &[port], OFTEN)?;
    let truth = |by_client, by_server| {
        Ledger::default()
            .both(&client, Outbound, loopback(1), port, older(LEAKED, by_client))
            .both(&server, Inbound, loopback(1), port, older(LEAKED, by_server))
    };
    let (all, some) = (truth(0, 0), truth(200, 100));
    let table = tracer.next_table(Instant::now() + PATIENCE)?;
    let first = Ledger::of(&table)?;
    ensure!(first == all, "the first table:\n{first}instead of\n{all}");
    let ages = [
        table.process(&client).and_then(|row| row.open_age),
        table.process(&server).and_then(|row| row.open_age),
        table
            .peer(Outbound, loopback(1), port)
            .and_then(|row| row.open_age),
        table
            .peer(Inbound, loopback(1), port)
            .and_then(|row| row.open_age),
    ];
    for ages in ages {
        is_lower_bound(ages.context("no ages")?, began.elapsed())?;
    }

    tracer.wait(SEVERAL_TIMES)?;
    tracer.expect("after several reconciliations", &all)?;
    client.close(&connected[..200])?;
    server.close(&accepted[..100])?;
    tracer.expect("some closed", &some)?;
    tracer.wait(SEVERAL_TIMES)?;
    let last = tracer.stop()?;
    ensure!(last.summary.books.unknown_closes == 0, "{:?}", last.summary.books);
    last.expect("at the end", &some)
}

/// At least as long as they were idle, but for two ticks of the kernel's clock of idle times, and at most as long as they
/// exist.
fn is_lower_bound(ages: Ages, exist: Duration) -> anyhow::Result<()> {
    const JIFFY: Duration = Duration::from_millis(10);
    let sound = IDLE.saturating_sub(2 * JIFFY).as_secs_f64()..exist.as_secs_f64();
    ensure!(
        ages.at_least && sound.contains(&ages.oldest),
        "{ages:?} of connections that exist for {exist:?}"
    );
    Ok(())
}

/// What two processes hold is one connection: counted once, and over when the second lets go.
pub fn leaked_before_fork(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(loopback(1))?;
    let connected = client.connect(listener.address, LEAKED)?;
    server.accept(listener, LEAKED)?;
    let child = client.share(&connected)?;

    let mut tracer = Tracer::start_with(context, &[listener.port()], OFTEN)?;
    // Which of the two stands for both is not to be foretold.
    let parent = Process::from(&client);
    let is = |ledger: &Ledger, closed| -> anyhow::Result<()> {
        let truth = older(LEAKED, closed);
        let peer = ledger.of_peer(Outbound, loopback(1), listener.port());
        ensure!(peer == truth, "the peer:\n{ledger}");
        let held = ledger.of_process(parent.clone()).open + ledger.of_process(child.clone()).open;
        ensure!(held == truth.open, "parent and child:\n{ledger}");
        let accepted = ledger.of_process(&server);
        ensure!(accepted == older(LEAKED, 0), "the server:\n{ledger}");
        Ok(())
    };
    is(&tracer.next_ledger(Instant::now() + PATIENCE)?, 0)?;
    tracer.wait(SEVERAL_TIMES)?;
    is(&tracer.next_ledger(Instant::now() + PATIENCE)?, 0)?;
    client.close(&connected)?;
    tracer.wait(SEVERAL_TIMES)?;
    is(&tracer.next_ledger(Instant::now() + PATIENCE)?, 0)?;
    client.bury()?;
    tracer.expect_table("nobody holds them", |table| is(&Ledger::of(table)?, LEAKED))?;
    let last = tracer.stop()?;
    last.summary.books.are_clean()
}
