//! The first rule at work.

use std::{collections::BTreeMap, net::Ipv4Addr, thread::sleep, time::Duration};

use anyhow::ensure;

use crate::{
    context::Context,
    ledger::{Ledger, counts},
    puppet::{Puppet, at, loopback, other_end},
    stream::{
        Alert,
        Direction::{self, Inbound, Outbound},
    },
    tracer_process::Tracer,
};

/// A leaker, seen from both ends, beside an innocent program.
pub fn leak_alert(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut leaker = Puppet::start("tt-leaker")?;
    let mut innocent = Puppet::start("tt-innocent")?;
    let listener = server.listen(Ipv4Addr::UNSPECIFIED)?;
    let rule = ["--min-opened", "10", "--min-span", "2s"];
    let mut tracer = Tracer::start_with(context, &[listener.port()], rule)?;

    let to = listener.at(loopback(1));
    let mut leaked = Vec::new();
    for _ in 0..9 {
        let connected = leaker.connect(to, 3)?;
        let accepted = server.accept(listener, 3)?;
        for end in &connected {
            leaked.push(other_end(end, &accepted)?.clone());
        }
        let short = innocent.connect_from(at(2, 0), to, 2)?;
        let accepted = server.accept(listener, 2)?;
        innocent.close(&short)?;
        server.close(&accepted)?;
        // The pace of the leak, not a wait for anything.
        sleep(Duration::from_millis(300));
    }

    let opened = two(&mut tracer, "opened")?;
    for alert in opened.values() {
        ensure!(
            alert.opened >= 10 && alert.span_seconds >= 2.0 && alert.open >= 10 && alert.closed_ever == 0,
            "{alert:?}"
        );
    }
    let outbound = (Outbound, "127.0.0.1", leaker.pid(), "tt-leaker");
    let inbound = (Inbound, "127.0.0.1", server.pid(), "tt-server");
    accuses(&opened, listener.port(), outbound)?;
    accuses(&opened, listener.port(), inbound)?;

    leaker.kill()?;
    server.close(&leaked)?;
    let resolved = two(&mut tracer, "resolved")?;
    for (direction, alert) in &resolved {
        let how = match direction {
            Outbound => "process_exited",
            Inbound => "drained",
        };
        ensure!(alert.resolution.as_deref() == Some(how), "{alert:?}");
        let same = opened.get(direction).is_some_and(|opened| opened.id == alert.id);
        ensure!(same, "another alert is resolved: {alert:?}");
    }

    let last = tracer.stop()?;
    last.summary.books.are_clean()?;
    let summary = &last.summary;
    ensure!(
        summary.alerts == 2 && summary.alerts_unresolved == 0,
        "{summary:?}"
    );
    ensure!(
        summary.total.open == 0 && summary.total.opened == 2 * 45,
        "{summary:?}"
    );
    Ok(())
}

/// A leaker that is restarted closes everything at once: nothing overflows, and each finding is resolved once.
pub fn close_flood(context: &Context) -> anyhow::Result<()> {
    const STEPS: usize = 4;
    let each = if Context::is_emulated() { 200 } else { 2_000 };
    let mut server = Puppet::start("tt-server")?;
    let mut leaker = Puppet::start("tt-leaker")?;
    for puppet in [&mut server, &mut leaker] {
        puppet.limit_descriptors(10_000)?;
    }
    let listener = server.listen(loopback(1))?;
    let rule = ["--min-opened", "10", "--min-span", "500ms"];
    let mut tracer = Tracer::start_with(context, &[listener.port()], rule)?;
    for _ in 0..STEPS {
        leaker.connect(listener.address, each)?;
        server.accept(listener, each)?;
        // The pace of the leak, not a wait for anything.
        sleep(Duration::from_millis(200));
    }
    let opened = two(&mut tracer, "opened")?;
    leaker.kill()?;
    server.kill()?;
    let resolved = two(&mut tracer, "resolved")?;
    let ids = |alerts: &BTreeMap<Direction, Alert>| -> Vec<String> {
        alerts.values().map(|alert| alert.id.clone()).collect()
    };
    ensure!(ids(&opened) == ids(&resolved), "{opened:?} and {resolved:?}");
    let all = counts(STEPS * each, STEPS * each);
    let truth = Ledger::default()
        .both(&leaker, Outbound, loopback(1), listener.port(), all)
        .both(&server, Inbound, loopback(1), listener.port(), all);
    let last = tracer.stop()?;
    let told = last
        .heard
        .alerts
        .iter()
        .filter(|alert| alert.status == "resolved");
    ensure!(told.count() == 2, "{:?}", last.heard.alerts);
    last.expect("at the end", &truth)
}

/// Two alerts of this status, one of each direction. Updates in between are fine.
fn two(tracer: &mut Tracer, status: &str) -> anyhow::Result<BTreeMap<Direction, Alert>> {
    let mut found = BTreeMap::new();
    while found.len() < 2 {
        let alert = tracer.next_alert()?;
        if alert.status == "updated" {
            continue;
        }
        ensure!(alert.status == status, "not yet {status}: {alert:?}");
        let before = found.insert(alert.direction, alert);
        ensure!(
            before.is_none(),
            "a second one of that direction after {before:?}"
        );
    }
    Ok(found)
}

fn accuses(
    alerts: &BTreeMap<Direction, Alert>,
    port: u16,
    (direction, peer, pid, comm): (Direction, &str, u32, &str),
) -> anyhow::Result<()> {
    let accused = alerts.get(&direction).is_some_and(|alert| {
        alert.scope == "group"
            && alert.peer == peer
            && alert.service_port == port
            && alert.process.pid == Some(pid)
            && alert.process.comm == comm
    });
    ensure!(accused, "{direction:?} {peer} of {comm} is not among {alerts:?}");
    Ok(())
}
