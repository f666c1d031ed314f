//! Facts that get lost, on purpose.

use std::{net::Ipv4Addr, thread::sleep, time::Duration};

use anyhow::ensure;

use crate::{
    context::Context,
    order::Order,
    puppet::{Puppet, at, loopback},
    said::Last,
    scene::Scene,
    stream::Table,
    tracer_process::Tracer,
};

/// Addresses of the server that the innocent client goes round.
const ADDRESSES: u8 = 8;
const THREADS: usize = 2;
/// The true leaks, and how many come at a time.
const LEAKED: usize = 200;
const STEP: usize = 10;

pub fn little_lost(context: &Context) -> anyhow::Result<()> {
    lost(context, 0.01)
}

pub fn much_lost(context: &Context) -> anyhow::Result<()> {
    lost(context, 0.2)
}

/// A leaker and its server beside innocent ones that churn: whatever is lost, only the leaks are open in the end, and
/// only the leakers are ever accused.
fn lost(context: &Context, rate: f64) -> anyhow::Result<()> {
    let count = if Context::is_emulated() { 4_000 } else { 50_000 };
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let mut keeper = Puppet::start("tt-keeper")?;
    let mut leaker = Puppet::start("tt-leaker")?;
    let busy = server.listen(Ipv4Addr::UNSPECIFIED)?;
    let leaky = keeper.listen(loopback(1))?;
    let share = rate.to_string();
    let mut arguments = vec!["--simulate-loss", &share, "--reconcile", "1s"];
    arguments.extend(["--min-opened", "10", "--min-span", "1s"]);
    let mut tracer = Tracer::start_with(context, &[busy.port(), leaky.port()], arguments)?;

    let each = count / THREADS;
    server.send(&Order::ChurnAccept {
        listener: busy.socket,
        each,
        threads: THREADS,
    })?;
    client.send(&Order::ChurnConnect {
        to: (1..=ADDRESSES).map(|host| busy.at(loopback(host))).collect(),
        from: None,
        each,
        threads: THREADS,
    })?;
    for _ in 0..LEAKED / STEP {
        leaker.connect_from(at(100, 0), leaky.address, STEP)?;
        keeper.accept(leaky, STEP)?;
        // The pace of the leak, not a wait for anything.
        sleep(Duration::from_millis(100));
    }
    client.done()?;
    server.done()?;

    let open = |table: &Table, puppet: &Puppet| table.process(puppet).map_or(0, |row| row.counts.open);
    tracer.expect_table("only the leaks are open", |table| {
        let found = [&leaker, &keeper, &client, &server].map(|puppet| open(table, puppet));
        let leaks = LEAKED as u64;
        ensure!(found == [leaks, leaks, 0, 0], "open are {found:?}");
        ensure!(table.total.open == 2 * leaks && table.total.connecting == 0);
        Ok(())
    })?;
    let last = tracer.stop()?;
    eprintln!("{rate} of {count} connections lost: {:?}", last.summary.books);
    for alert in &last.heard.alerts {
        let guilty = [leaker.pid(), keeper.pid()].contains(&alert.process.pid.unwrap_or_default());
        ensure!(guilty, "accused falsely: {alert:?}");
    }
    ensure!(last.summary.total.open == 2 * LEAKED as u64, "{:?}", last.summary);
    is_told(&last, rate)
}

/// The loss is as large as asked for, and named.
fn is_told(last: &Last, rate: f64) -> anyhow::Result<()> {
    let books = last.summary.books;
    books.balance()?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let share = books.simulated as f64 / (books.simulated + books.decoded) as f64;
    ensure!(
        (rate * 0.8..rate * 1.2).contains(&share),
        "{share} lost: {books:?}"
    );
    let told = &last.heard.losses;
    let simulated = told.iter().filter(|loss| loss.cause == "simulated");
    let sum: u64 = simulated.map(|loss| loss.count).sum();
    ensure!(sum == books.simulated, "{told:?}, {books:?}");
    // The kernel skips runs under such churn, which is no fault here; nothing else may be lost.
    let known = ["simulated", "program_misses", "probe_misses"];
    ensure!(
        told.iter().all(|loss| known.contains(&&*loss.cause)),
        "{told:?}, {books:?}"
    );
    Ok(())
}

/// A program that closes all it opens, and most of the closes are lost: that alone accuses nobody.
pub fn innocent(context: &Context) -> anyhow::Result<()> {
    let mut arguments = vec!["--simulate-loss", "0.8"];
    arguments.extend(["--min-opened", "10", "--min-span", "1s"]);
    let mut scene = Scene::set_with(context, arguments)?;
    for _ in 0..200 {
        let (connected, accepted) = scene.connect(1)?;
        scene.client.close(&connected)?;
        scene.server.close(&accepted)?;
        // The pace of the program, not a wait for anything.
        sleep(Duration::from_millis(20));
    }
    scene.tracer.expect_table("nothing is open", |table| {
        ensure!(table.total.open == 0 && table.total.connecting == 0);
        Ok(())
    })?;
    let last = scene.tracer.stop()?;
    ensure!(last.heard.alerts.is_empty(), "{:?}", last.heard.alerts);
    is_told(&last, 0.8)
}
