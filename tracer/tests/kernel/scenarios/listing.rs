//! `tracer list` against what the test programs hold.

use std::{collections::BTreeMap, net::SocketAddr, process::Command};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::{
    context::Context,
    order::End,
    puppet::{Puppet, loopback, other_end},
    stream::{
        Direction::{self, Inbound, Outbound},
        Process,
    },
};

/// A line of `tracer list --all --output json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Listed {
    Connection {
        holders: Vec<Holder>,
        direction: Direction,
        local: SocketAddr,
        peer: SocketAddr,
        phase: String,
    },
    ListSummary {
        connections: usize,
    },
}

/// Who holds a connection; of one that waits, who holds the listener.
#[derive(Clone, Debug, Deserialize)]
struct Holder {
    process: Process,
}

/// A connection as it should be listed.
type Line = (SocketAddr, SocketAddr, Direction, String, Vec<Process>);

/// Lines and how often each is there.
type Lines = BTreeMap<Line, usize>;

/// Every phase, two holders of one connection, and another network namespace.
pub fn listing(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let mut apart = Puppet::start("tt-apart")?;
    let listener = server.listen(loopback(1))?;
    apart.isolate()?;
    let far = apart.bind_at(listener.address)?;
    apart.listen_at(far, 8)?;

    let connected = client.connect(listener.address, 5)?;
    let accepted = server.accept(listener, 5)?;
    let others = connected
        .iter()
        .map(|end| other_end(end, &accepted).cloned())
        .collect::<anyhow::Result<Vec<_>>>()?;
    // In this order: open, half closed, dead at the server, held twice at the client, and waiting.
    client.shut_down(&connected[1..2])?;
    client.reset(&connected[2..3])?;
    let heir = client.share(&connected[3..4])?;
    let waiting = client.connect(listener.address, 1)?;
    let far_connected = apart.connect(far.address, 1)?;
    let far_accepted = apart.accept(far, 1)?;

    let mut truth = Lines::new();
    let mut add = |end: &End, direction, phase: &str, mut holders: Vec<_>| -> anyhow::Result<()> {
        let peer = end.peer.context("not connected")?;
        holders.sort_unstable();
        *truth
            .entry((end.local, peer, direction, phase.to_owned(), holders))
            .or_default() += 1;
        Ok(())
    };
    let (ours, theirs) = (Process::from(&client), Process::from(&server));
    for place in [0, 4] {
        add(&connected[place], Outbound, "open", vec![ours.clone()])?;
        add(&others[place], Inbound, "open", vec![theirs.clone()])?;
    }
    add(&connected[1], Outbound, "half_closed_local", vec![ours.clone()])?;
    add(&others[1], Inbound, "half_closed_remote", vec![theirs.clone()])?;
    add(&others[2], Inbound, "dead_held", vec![theirs.clone()])?;
    add(&connected[3], Outbound, "open", vec![ours.clone(), heir])?;
    add(&others[3], Inbound, "open", vec![theirs.clone()])?;
    add(&waiting[0], Outbound, "open", vec![ours])?;
    let queued = End {
        local: listener.address,
        peer: Some(waiting[0].local),
        ..waiting[0].clone()
    };
    add(&queued, Inbound, "unaccepted", vec![theirs])?;
    add(&far_connected[0], Outbound, "open", vec![(&apart).into()])?;
    add(&far_accepted[0], Inbound, "open", vec![(&apart).into()])?;

    let listed = list(context, listener.port())?;
    ensure!(listed == truth, "listed are\n{listed:#?}\ninstead of\n{truth:#?}");
    Ok(())
}

fn list(context: &Context, port: u16) -> anyhow::Result<Lines> {
    let output = Command::new(&context.program)
        .args(["list", "--all", "--output", "json", "--port", &port.to_string()])
        .env_remove("RUST_LOG")
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {stderr}", output.status);
    let mut lines = Lines::new();
    let mut summed_up = None;
    for line in String::from_utf8(output.stdout)?.lines() {
        match serde_json::from_str(line).with_context(|| line.to_owned())? {
            Listed::Connection {
                holders,
                direction,
                local,
                peer,
                phase,
            } => {
                let mut holders: Vec<_> = holders.into_iter().map(|holder| holder.process).collect();
                holders.sort_unstable();
                *lines.entry((local, peer, direction, phase, holders)).or_default() += 1;
            }
            Listed::ListSummary { connections } => summed_up = Some(connections),
        }
    }
    let listed = lines.values().sum();
    ensure!(summed_up == Some(listed), "{summed_up:?} instead of {listed}");
    Ok(lines)
}
