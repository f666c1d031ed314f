//! Connections that a process holds, though they are no longer open at both ends.

use anyhow::ensure;

use crate::{
    context::Context,
    ledger::{Ledger, older},
    puppet::{Puppet, loopback},
    scene::{OFTEN, SEVERAL_TIMES, Scene},
    stream::{
        Direction::{self, Inbound, Outbound},
        Phases, Table,
    },
    tracer_process::Tracer,
    witness,
};

const COUNT: usize = 100;

const DEAD: Phases = Phases {
    unaccepted: 0,
    half_closed_remote: 0,
    half_closed_local: 0,
    dead_held: COUNT as u64,
};

/// Whether the row of a process, and that of its only peer, say this.
fn are(
    table: &Table,
    puppet: &Puppet,
    direction: Direction,
    port: u16,
    phases: Phases,
) -> anyhow::Result<()> {
    let process = table.process(puppet).map(|row| row.phases);
    let peer = table.peer(direction, loopback(1), port).map(|row| row.phases);
    ensure!(
        process == Some(phases) && peer == Some(phases),
        "{direction:?}: {process:?} and {peer:?} instead of {phases:?}"
    );
    Ok(())
}

/// One end shuts down: half closed by itself there, by the other here.
pub fn half_closed(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set(context)?;
    let port = scene.listener.port();
    let (connected, accepted) = scene.connect(10)?;
    scene.client.shut_down(&connected[0..4])?;
    scene.server.shut_down(&accepted[4..7])?;
    let phases = |local, remote| Phases {
        half_closed_local: local,
        half_closed_remote: remote,
        ..Phases::default()
    };
    scene.tracer.expect_table("half closed", |table| {
        are(table, &scene.client, Outbound, port, phases(4, 3))?;
        are(table, &scene.server, Inbound, port, phases(3, 4))
    })?;
    let truth = scene.truth((10, 0), (10, 0));
    scene.tracer.expect("all are held", &truth)?;
    scene.client.close(&connected)?;
    scene.server.close(&accepted)?;
    let truth = scene.truth((10, 10), (10, 10));
    scene.tracer.stop()?.expect("at the end", &truth)
}

/// The clients reset, the server keeps its descriptors.
pub fn dead_by_reset(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set_with(context, OFTEN)?;
    let port = scene.listener.port();
    let (connected, accepted) = scene.connect(COUNT)?;
    scene.client.reset(&connected)?;
    scene.kernel_lists(0, 0)?;
    scene
        .tracer
        .expect_table("dead", |table| are(table, &scene.server, Inbound, port, DEAD))?;
    // Snapshots do not see such sockets in any queue or table of the kernel but that of the process's descriptors.
    scene.tracer.wait(SEVERAL_TIMES)?;
    let truth = scene.truth((COUNT, COUNT), (COUNT, 0));
    scene.tracer.expect("still held", &truth)?;
    scene.tracer.expect_table("still dead", |table| {
        are(table, &scene.server, Inbound, port, DEAD)
    })?;
    scene.server.close(&accepted)?;
    let truth = scene.truth((COUNT, COUNT), (COUNT, COUNT));
    scene.tracer.stop()?.expect("at the end", &truth)
}

/// The operator destroys the connections with `ss -K`, and both ends keep their descriptors.
pub fn dead_by_destroy(context: &Context) -> anyhow::Result<()> {
    let mut scene = Scene::set_with(context, OFTEN)?;
    let port = scene.listener.port();
    let (connected, accepted) = scene.connect(COUNT)?;
    if !witness::destroy(port)? {
        eprintln!("skipped: this kernel or its ss cannot destroy sockets");
        return Ok(());
    }
    scene.kernel_lists(0, 0)?;
    scene.tracer.expect_table("dead", |table| {
        are(table, &scene.client, Outbound, port, DEAD)?;
        are(table, &scene.server, Inbound, port, DEAD)
    })?;
    scene.tracer.wait(SEVERAL_TIMES)?;
    let truth = scene.truth((COUNT, 0), (COUNT, 0));
    scene.tracer.expect("still held", &truth)?;
    scene.client.close(&connected)?;
    scene.server.close(&accepted)?;
    let truth = scene.truth((COUNT, COUNT), (COUNT, COUNT));
    scene.tracer.stop()?.expect("at the end", &truth)
}

/// Dead before the tracer came: their descriptors tell of them.
pub fn dead_before(context: &Context) -> anyhow::Result<()> {
    let mut server = Puppet::start("tt-server")?;
    let mut client = Puppet::start("tt-client")?;
    let listener = server.listen(loopback(1))?;
    let port = listener.port();
    let connected = client.connect(listener.address, COUNT)?;
    let accepted = server.accept(listener, COUNT)?;
    client.reset(&connected)?;
    ensure!(witness::held(port)? == witness::Held::default());

    let mut tracer = Tracer::start(context, &[port])?;
    tracer.expect_table("found dead", |table| are(table, &server, Inbound, port, DEAD))?;
    let truth = |closed| Ledger::default().both(&server, Inbound, loopback(1), port, older(COUNT, closed));
    let (held, closed) = (truth(0), truth(COUNT));
    tracer.expect("found", &held)?;
    server.close(&accepted)?;
    tracer.expect("closed", &closed)?;
    tracer.stop()?.expect("at the end", &closed)
}
